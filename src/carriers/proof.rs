//! Whose word an event is: its body signed with the secret, or the secret itself beside it. Nothing holds without a secret.

use sha2::{Digest, Sha256};

use crate::pay::seal;

/// What came with a carrier's words.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The bytes of the body: what is signed.
    pub body: &'a [u8],
    /// The text of the header that the rules name.
    pub signature: Option<&'a str>,
    /// The key of the address or of the header Authorization.
    pub key: Option<&'a str>,
}

impl Proof<'_> {
    /// True when it is the word of whoever knows the secret. Compares in constant time.
    pub fn holds(&self, secret: &str, signed: bool) -> bool {
        if secret.is_empty() {
            return false;
        }
        if signed {
            let told = self.signature.unwrap_or_default().trim();
            let told = hex::decode(told.strip_prefix("sha256=").unwrap_or(told)).unwrap_or_default();
            return seal::same(&seal::hmac(secret.as_bytes(), &[self.body]), &told);
        }
        // Digests are compared, so that neither the time nor the length tells anything.
        let digest = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
        seal::same(&digest(secret), &digest(self.key.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_opens() {
        let body = b"{}";
        let tag = hex::encode(seal::hmac(b"s", &[body]));
        let marked = format!("sha256={tag}");
        let check = |secret: &str, signature: Option<&str>, key: Option<&str>, signed: bool, expected: bool| {
            assert_eq!(Proof { body, signature, key }.holds(secret, signed), expected, "{signature:?} {key:?}");
        };
        check("s", Some(&tag), None, true, true);
        check("s", Some(&marked), None, true, true);
        check("t", Some(&tag), None, true, false);
        check("s", Some("zz"), None, true, false);
        check("s", None, Some("s"), true, false);
        check("s", None, Some("s"), false, true);
        check("s", None, Some("S"), false, false);
        check("s", None, None, false, false);
        check("", None, Some(""), false, false);
        check("", None, None, false, false);
    }
}
