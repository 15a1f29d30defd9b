//! All integration tests in one binary.

mod clients;
mod common;
mod http;
mod openapi;
mod socket;
