//! Integration tests: one binary, a line per file.

mod screening;
#[cfg(feature = "inference")]
mod understanding;
