//! Keys that customer tokens are signed with: a secret, public keys as PEM, or a JWKS file. The algorithm is the setting's, never
//! the token's. In: the settings. Out: keys that say yes or no to a signature.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use ring::{hmac, signature};
use serde::Deserialize;

use crate::config::TokenSettings;

/// A shared secret shorter than its digest can be tried out.
const LEAST_SECRET: usize = 32;

/// The algorithms there are; `none` is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn named(name: &str) -> anyhow::Result<Algorithm> {
        Ok(match name {
            "HS256" => Algorithm::Hs256,
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" => Algorithm::EdDsa,
            other => bail!("identity.token.algorithm: `{other}` is none of HS256, RS256, ES256, EdDSA"),
        })
    }

    /// Its name in a token's header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }
}

enum Key {
    Secret(hmac::Key),
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// The bytes that ring takes for this algorithm.
    Public(&'static dyn signature::VerificationAlgorithm, Vec<u8>),
}

impl Key {
    fn signed(&self, message: &[u8], tag: &[u8]) -> bool {
        match self {
            Key::Secret(key) => hmac::verify(key, message, tag).is_ok(),
            Key::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, tag).is_ok(),
            Key::Public(algorithm, bytes) => UnparsedPublicKey::new(*algorithm, bytes).verify(message, tag).is_ok(),
        }
    }
}

/// The keys in force: old and new ones side by side while they are changed.
pub(super) struct KeySet {
    pub(super) algorithm: Algorithm,
    keys: Vec<(Option<String>, Key)>,
}

impl KeySet {
    /// The keys of the settings; none when tokens are not accepted.
    ///
    /// # Errors
    /// An unknown algorithm, a missing or unreadable key, a secret that is too short: by its setting.
    pub(super) fn open(settings: &TokenSettings) -> anyhow::Result<Option<KeySet>> {
        if settings.algorithm.is_empty() {
            let stray = !settings.keys.is_empty() || !settings.secret.0.is_empty();
            ensure!(!stray, "identity.token has a key but no algorithm; set identity.token.algorithm");
            return Ok(None);
        }
        let algorithm = Algorithm::named(&settings.algorithm)?;
        let mut keys = Vec::new();
        if !settings.secret.0.is_empty() {
            ensure!(algorithm == Algorithm::Hs256, "identity.token.secret is for HS256; set identity.token.keys");
            keys.push((None, secret(settings.secret.0.as_bytes()).context("identity.token.secret")?));
        }
        if !settings.keys.is_empty() {
            let path = Path::new(&settings.keys);
            let read = || -> anyhow::Result<_> { parse(algorithm, &std::fs::read_to_string(path)?) };
            keys.extend(read().with_context(|| format!("identity.token.keys = {}", path.display()))?);
        }
        ensure!(!keys.is_empty(), "identity.token.algorithm is set but there is no key: set identity.token.keys");
        Ok(Some(KeySet { algorithm, keys }))
    }

    #[cfg(test)]
    pub(super) fn read(algorithm: &str, text: &str) -> anyhow::Result<KeySet> {
        let algorithm = Algorithm::named(algorithm)?;
        Ok(KeySet { algorithm, keys: parse(algorithm, text)? })
    }

    /// True when a key of that name, or one without a name, signed it; none when there is no such key.
    pub(super) fn signed(&self, kid: Option<&str>, message: &[u8], tag: &[u8]) -> Option<bool> {
        let may = |name: &Option<String>| kid.is_none() || name.is_none() || name.as_deref() == kid;
        let mut tried = self.keys.iter().filter(|(name, _)| may(name)).peekable();
        tried.peek()?;
        Some(tried.any(|(_, key)| key.signed(message, tag)))
    }
}

fn secret(bytes: &[u8]) -> anyhow::Result<Key> {
    ensure!(bytes.len() >= LEAST_SECRET, "a secret of HS256 has at least {LEAST_SECRET} bytes");
    Ok(Key::Secret(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
}

/// A JWKS document, PEM blocks one after another, or a bare secret.
fn parse(algorithm: Algorithm, text: &str) -> anyhow::Result<Vec<(Option<String>, Key)>> {
    let keys = match text.trim() {
        text if text.starts_with('{') => from_jwks(algorithm, text)?,
        text if text.contains("-----BEGIN ") => from_pem(algorithm, text)?,
        text if algorithm == Algorithm::Hs256 => vec![(None, secret(text.as_bytes())?)],
        _ => bail!("it is neither PEM nor JWKS"),
    };
    ensure!(!keys.is_empty(), "it holds no key for {}", algorithm.name());
    Ok(keys)
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    k: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn from_jwks(algorithm: Algorithm, text: &str) -> anyhow::Result<Vec<(Option<String>, Key)>> {
    let Jwks { keys } = serde_json::from_str(text)?;
    let fits = |key: &Jwk| {
        key.alg.as_deref().is_none_or(|alg| alg == algorithm.name()) && key.r#use.as_deref().is_none_or(|u| u == "sig")
    };
    let mut read = Vec::new();
    for jwk in keys.into_iter().filter(fits) {
        let kid = jwk.kid.clone();
        let named = || format!("key `{}`", kid.as_deref().unwrap_or("without kid"));
        if let Some(key) = of_jwk(algorithm, &jwk).with_context(named)? {
            read.push((jwk.kid, key));
        }
    }
    Ok(read)
}

/// The key, when it is one for this algorithm.
fn of_jwk(algorithm: Algorithm, jwk: &Jwk) -> anyhow::Result<Option<Key>> {
    let bytes = |part: &Option<String>, name: &str| -> anyhow::Result<Vec<u8>> {
        let text = part.as_deref().with_context(|| format!("`{name}` is missing"))?;
        BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).with_context(|| format!("`{name}` is not base64url"))
    };
    Ok(match (algorithm, jwk.kty.as_str(), jwk.crv.as_deref()) {
        (Algorithm::Hs256, "oct", _) => Some(secret(&bytes(&jwk.k, "k")?)?),
        (Algorithm::Rs256, "RSA", _) => Some(Key::Rsa(bytes(&jwk.n, "n")?, bytes(&jwk.e, "e")?)),
        (Algorithm::Es256, "EC", Some("P-256")) => {
            let point = [vec![4], bytes(&jwk.x, "x")?, bytes(&jwk.y, "y")?].concat();
            ensure!(point.len() == 65, "`x` and `y` have 32 bytes each");
            Some(Key::Public(&ECDSA_P256_SHA256_FIXED, point))
        }
        (Algorithm::EdDsa, "OKP", Some("Ed25519")) => {
            let x = bytes(&jwk.x, "x")?;
            ensure!(x.len() == 32, "`x` has 32 bytes");
            Some(Key::Public(&ED25519, x))
        }
        _ => None,
    })
}

fn from_pem(algorithm: Algorithm, text: &str) -> anyhow::Result<Vec<(Option<String>, Key)>> {
    let mut keys = Vec::new();
    for block in text.split("-----BEGIN ").skip(1) {
        let (label, rest) = block.split_once("-----").context("a PEM block without its label")?;
        ensure!(!label.contains("PRIVATE"), "it holds a private key; the public key is all that is needed here");
        let (body, _) = rest.split_once("-----END").context("a PEM block without its end")?;
        let body: String = body.split_whitespace().collect();
        let der = BASE64_STANDARD.decode(body).context("a PEM block that is not base64")?;
        let key = match (label, algorithm) {
            ("RSA PUBLIC KEY", Algorithm::Rs256) => Some(Key::Public(&RSA_PKCS1_2048_8192_SHA256, der)),
            ("PUBLIC KEY", _) => of_info(algorithm, &der).context("a PEM block that is no public key")?,
            _ => None,
        };
        keys.extend(key.map(|key| (None, key)));
    }
    Ok(keys)
}

/// The key inside a SubjectPublicKeyInfo (RFC 5280), when it is one for this algorithm.
fn of_info(algorithm: Algorithm, der: &[u8]) -> Option<Option<Key>> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const EDWARDS: &[u8] = &[0x2b, 0x65, 0x70];
    let (info, _) = element(der, 0x30)?;
    let (kind, rest) = element(info, 0x30)?;
    let (object, parameters) = element(kind, 0x06)?;
    let (bits, _) = element(rest, 0x03)?;
    let bytes = bits.strip_prefix(&[0])?.to_vec();
    let curve = element(parameters, 0x06).map(|(curve, _)| curve);
    Some(match algorithm {
        Algorithm::Rs256 if object == RSA => Some(Key::Public(&RSA_PKCS1_2048_8192_SHA256, bytes)),
        Algorithm::Es256 if object == EC && curve == Some(P256) => Some(Key::Public(&ECDSA_P256_SHA256_FIXED, bytes)),
        Algorithm::EdDsa if object == EDWARDS => Some(Key::Public(&ED25519, bytes)),
        _ => None,
    })
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(*short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let sum = bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)));
            (sum?, rest)
        }
    };
    (*first == tag).then(|| rest.split_at_checked(length)).flatten()
}
