//! All integration tests in one binary.

mod clients;
mod common;
mod fakes;
mod http;
mod openapi;
mod socket;
mod turns;
