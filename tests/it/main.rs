//! x
#[cfg(feature = "inference")]
mod understanding;
