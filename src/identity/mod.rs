//! Whose word is taken for who a shopper is: tokens that the shop's own site signed, and codes sent to a phone or an e-mail.
//! In: a token or a typed code. Out: a customer or a proved contact, or the exact reason why not. It looks up no order.

mod code;
mod keys;
mod sender;
mod token;
#[cfg(test)]
mod token_tests;

pub use code::{Asked, Asking, Checked, Codes};
pub use sender::open as sender;
pub use token::{Token, TokenError, Verifier};
