#![cfg(test)]
//! Tokens that another program signed, bent in every way that has ever been tried. The clock stands at 2026-11-23 09:00 UTC.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::keys::KeySet;
use super::token::{Token, TokenError, Verifier};
use crate::config::{Config, TokenSettings};

const JWKS: &str = include_str!("../../tests/data/tokens/jwks.json");
const RSA: (&str, &str) =
    (include_str!("../../tests/data/tokens/rsa.pem"), include_str!("../../tests/data/tokens/rsa.jwt"));
const EC: (&str, &str) =
    (include_str!("../../tests/data/tokens/ec.pem"), include_str!("../../tests/data/tokens/ec.jwt"));
const ED: (&str, &str) =
    (include_str!("../../tests/data/tokens/ed.pem"), include_str!("../../tests/data/tokens/ed.jwt"));
const OLD: &[u8] = b"an old secret of thirty-two bytes";
const NEW: &[u8] = b"a new secret of thirty-two bytes!";
const NOW: i64 = 1_795_425_000;

fn settings() -> TokenSettings {
    let mut settings = Config::defaults().identity.token;
    (settings.issuer, settings.audience) = ("https://shop.example".to_string(), "truetill".to_string());
    settings
}

fn verify(algorithm: &str, keys: &str, token: &str) -> Result<Token, TokenError> {
    let keys = KeySet::read(algorithm, keys).unwrap();
    Verifier::over(keys, &settings()).verify(token.trim(), Timestamp::from_second(NOW).unwrap())
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token of HS256 with any header and payload.
fn signed(secret: &[u8], header: &Value, payload: &Value) -> String {
    let message = format!("{}.{}", part(header), part(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

fn claims() -> Value {
    json!({"sub": "C-102", "iss": "https://shop.example", "aud": "truetill", "exp": NOW + 600})
}

#[test]
fn tokens_of_another_program_are_believed_with_every_kind_of_key() {
    for (algorithm, (pem, token)) in [("RS256", RSA), ("ES256", EC), ("EdDSA", ED)] {
        for keys in [pem, JWKS] {
            let token = verify(algorithm, keys, token).unwrap();
            assert_eq!(
                (token.customer.as_str(), token.phone.as_deref()),
                ("C-102", Some("+421900000102")),
                "{algorithm}"
            );
            assert_eq!(token.email.as_deref(), Some("peter.horvath@example.sk"));
        }
    }
}

#[test]
fn a_changed_byte_is_another_token() {
    for (algorithm, (pem, token)) in [("RS256", RSA), ("ES256", EC), ("EdDSA", ED)] {
        let token = token.trim();
        let dots: Vec<usize> = token.match_indices('.').map(|(at, _)| at).collect();
        for at in [dots[0] + 20, dots[1] + 5, dots[1] + 40] {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let bent = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(verify(algorithm, pem, &bent).is_err(), "{algorithm} {at}");
        }
        assert!(verify(algorithm, pem, &token[..dots[1] + 1]).is_err());
    }
}

#[test]
fn the_token_never_chooses_how_it_is_looked_at() {
    let check = |header: Value, secret: &[u8], expected: TokenError| {
        let token = signed(secret, &header, &claims());
        assert_eq!(verify("RS256", RSA.0, &token).unwrap_err(), expected, "{header}");
    };
    let wrong = || TokenError::Algorithm("RS256");
    check(json!({"alg": "none"}), b"", wrong());
    check(json!({"alg": "None"}), b"", wrong());
    // The public key taken for a shared secret.
    check(json!({"alg": "HS256"}), RSA.0.as_bytes(), wrong());
    check(json!({"alg": "ES256"}), OLD, wrong());
    check(json!({"alg": "RS256"}), OLD, TokenError::Signature);
    check(json!({"alg": "RS256", "crit": ["exp"]}), OLD, TokenError::Malformed("it has a critical extension"));
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims()));
    assert_eq!(verify("RS256", RSA.0, &unsigned).unwrap_err(), wrong());
}

#[test]
fn keys_are_changed_while_old_tokens_still_hold() {
    let check = |kid: Option<&str>, secret: &[u8], expected: Result<(), TokenError>| {
        let mut header = json!({"alg": "HS256"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let token = signed(secret, &header, &claims());
        assert_eq!(verify("HS256", JWKS, &token).map(|_| ()), expected, "{kid:?}");
    };
    check(Some("k-old"), OLD, Ok(()));
    check(Some("k-new"), NEW, Ok(()));
    check(None, NEW, Ok(()));
    check(Some("k-old"), NEW, Err(TokenError::Signature));
    check(Some("k-gone"), NEW, Err(TokenError::UnknownKey));
    check(None, b"somebody else's secret of no value at all", Err(TokenError::Signature));
}

#[test]
fn each_claim_has_its_own_refusal() {
    let check = |change: Value, expected: Result<(), &str>| {
        let mut payload = claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => payload.as_object_mut().unwrap().remove(name),
                value => payload.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        let got = verify("HS256", JWKS, &signed(NEW, &json!({"alg": "HS256"}), &payload));
        let got = got.map(|_| ()).map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(got, Ok(()), "{change}"),
            Err(part) => assert!(got.as_ref().is_err_and(|text| text.contains(part)), "{change}: {got:?}"),
        }
    };
    check(json!({}), Ok(()));
    check(json!({"aud": ["mail", "truetill"]}), Ok(()));
    check(json!({"exp": NOW - 29}), Ok(()));
    check(json!({"exp": NOW - 30}), Err("ended"));
    check(json!({"exp": null}), Err("without an end"));
    check(json!({"exp": "soon"}), Err("payload"));
    check(json!({"exp": 1e300}), Err("moment"));
    check(json!({"nbf": NOW + 30}), Ok(()));
    check(json!({"nbf": NOW + 31}), Err("begins"));
    check(json!({"iss": "https://other.example"}), Err("iss"));
    check(json!({"iss": null}), Err("iss"));
    check(json!({"aud": "mail"}), Err("aud"));
    check(json!({"aud": null}), Err("aud"));
    check(json!({"sub": null}), Err("sub"));
    check(json!({"sub": "  "}), Err("sub"));
    check(json!({"sub": "C".repeat(201)}), Err("sub"));
}

#[test]
fn what_is_no_token_is_said_to_be_none() {
    for text in ["", ".", "..", "a.b.c", "no token", "eyJhbGciOiJIUzI1NiJ9", "\u{431}.\u{431}.\u{431}"] {
        assert!(matches!(verify("HS256", JWKS, text), Err(TokenError::Malformed(_))), "{text}");
    }
    let long = signed(NEW, &json!({"alg": "HS256", "x": "y".repeat(9000)}), &claims());
    assert_eq!(verify("HS256", JWKS, &long), Err(TokenError::Malformed("it is too long")));
}

#[test]
fn keys_that_protect_nothing_are_refused_at_the_start() {
    let check = |algorithm: &str, keys: &str, part: &str| {
        let error = KeySet::read(algorithm, keys).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(part), "{algorithm}: `{error}` lacks `{part}`");
    };
    check("none", RSA.0, "none of HS256");
    check("HS256", "short", "at least 32 bytes");
    check("ES256", RSA.0, "no key for ES256");
    check("RS256", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private key");
    check("RS256", "{\"keys\": []}", "no key for RS256");
    let mut stray = settings();
    stray.secret.0 = "a secret without its algorithm, thirty-two".to_string();
    assert!(Verifier::open(&stray).is_err());
    assert!(Verifier::open(&settings()).unwrap().is_none());
}
