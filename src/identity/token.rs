//! Signed tokens of the shop's own site (JWT, RFC 7519): who the customer is. In: a compact token. Out: the customer, or the exact
//! reason why the token is not believed. Nothing of a token is logged.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::keys::KeySet;
use crate::config::TokenSettings;

/// Longer is no token of a customer.
const LONGEST: usize = 8192;
/// Longer is no id of a customer.
const LONGEST_SUBJECT: usize = 200;

/// What a token says once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The customer: `sub`.
    pub customer: String,
    /// Their phone, where the shop says it.
    pub phone: Option<String>,
    /// Their e-mail, where the shop says it.
    pub email: Option<String>,
    /// The token's end.
    pub until: Timestamp,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token at all.
    #[error("it is not a signed token: {0}")]
    Malformed(&'static str),
    /// Signed in another way than the settings ask for.
    #[error("it is signed with another algorithm than {0}")]
    Algorithm(&'static str),
    /// Signed with a key that is not known here.
    #[error("its `kid` is not among the keys of this shop")]
    UnknownKey,
    /// Not signed by the shop.
    #[error("its signature does not fit")]
    Signature,
    /// Over.
    #[error("it ended at {0}")]
    Expired(Timestamp),
    /// Not begun.
    #[error("it begins at {0}")]
    NotYet(Timestamp),
    /// Issued by somebody else.
    #[error("its `iss` is not the issuer of the settings")]
    Issuer,
    /// Meant for somebody else.
    #[error("its `aud` does not name this assistant")]
    Audience,
    /// About nobody.
    #[error("its `sub` names no customer")]
    Subject,
}

/// Believes tokens, or says why not.
pub struct Verifier {
    keys: KeySet,
    issuer: String,
    audience: String,
    leeway_s: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood and is not.
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    email: Option<String>,
    phone: Option<String>,
    phone_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Verifier {
    /// A verifier by the settings; none when tokens are not accepted.
    ///
    /// # Errors
    /// Keys that cannot be used, by their setting.
    pub fn open(settings: &TokenSettings) -> anyhow::Result<Option<Verifier>> {
        Ok(KeySet::open(settings)?.map(|keys| Verifier::over(keys, settings)))
    }

    pub(super) fn over(keys: KeySet, settings: &TokenSettings) -> Verifier {
        let TokenSettings { issuer, audience, leeway_s, .. } = settings.clone();
        Verifier { keys, issuer, audience, leeway_s: i64::from(leeway_s) }
    }

    /// What a token says, when the shop signed it, for this assistant, and it is its time.
    ///
    /// # Errors
    /// The first reason not to believe it; its signature is looked at before anything it says.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Token, TokenError> {
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenError::Malformed("it has no signature"))?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed("it has no payload"))?;
        if token.len() > LONGEST {
            return Err(TokenError::Malformed("it is too long"));
        }
        let header: Header = read(header, "its header is not JSON in base64url")?;
        if header.alg != self.keys.algorithm.name() {
            return Err(TokenError::Algorithm(self.keys.algorithm.name()));
        }
        if header.crit.is_some() {
            return Err(TokenError::Malformed("it has a critical extension"));
        }
        let tag = bytes(tag).ok_or(TokenError::Malformed("its signature is not base64url"))?;
        match self.keys.signed(header.kid.as_deref(), signed.as_bytes(), &tag) {
            None => return Err(TokenError::UnknownKey),
            Some(false) => return Err(TokenError::Signature),
            Some(true) => {}
        }
        self.believed(read(payload, "its payload is not JSON in base64url")?, now)
    }

    fn believed(&self, claims: Claims, now: Timestamp) -> Result<Token, TokenError> {
        let end = claims.exp.ok_or(TokenError::Malformed("it has no `exp`: a token without an end is a password"))?;
        let until = moment(end)?;
        if now.as_second() >= until.as_second().saturating_add(self.leeway_s) {
            return Err(TokenError::Expired(until));
        }
        if let Some(begin) = claims.nbf.map(moment).transpose()?
            && now.as_second().saturating_add(self.leeway_s) < begin.as_second()
        {
            return Err(TokenError::NotYet(begin));
        }
        if !self.issuer.is_empty() && claims.iss.as_deref() != Some(self.issuer.as_str()) {
            return Err(TokenError::Issuer);
        }
        let meant = match &claims.aud {
            Some(Audience::One(one)) => *one == self.audience,
            Some(Audience::Several(all)) => all.contains(&self.audience),
            None => false,
        };
        if !self.audience.is_empty() && !meant {
            return Err(TokenError::Audience);
        }
        let plain = |sub: &String| !sub.trim().is_empty() && !sub.chars().any(char::is_control);
        let customer = claims.sub.filter(|sub| plain(sub) && sub.chars().count() <= LONGEST_SUBJECT);
        let customer = customer.ok_or(TokenError::Subject)?;
        let phone = claims.phone.or(claims.phone_number).filter(|phone| !phone.is_empty());
        Ok(Token { customer, phone, email: claims.email.filter(|email| email.contains('@')), until })
    }
}

fn moment(seconds: f64) -> Result<Timestamp, TokenError> {
    // Casting saturates; what is past the calendar is refused.
    Timestamp::from_second(seconds.floor() as i64).map_err(|_| TokenError::Malformed("a moment that is none"))
}

fn bytes(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

fn read<T: serde::de::DeserializeOwned>(part: &str, fault: &'static str) -> Result<T, TokenError> {
    let read = bytes(part).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or(TokenError::Malformed(fault))
}
