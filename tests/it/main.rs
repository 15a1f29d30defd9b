<<<<<<< HEAD
//! All integration tests in one binary.

mod clients;
mod common;
mod fakes;
mod http;
mod openapi;
mod socket;
mod turns;
=======
//! Integration tests: one binary, a line per file.

mod screening;
#[cfg(feature = "inference")]
mod understanding;
>>>>>>> understanding
