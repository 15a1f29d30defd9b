//! Who calls: bearer keys against the sha256 digests of the settings, and whether the caller sits on this machine.
//! Without any key the server answers everybody, so it then binds to a loopback address only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::config;
use crate::domain::identity::{Login, Visitor};
use crate::http::Gate;
use crate::http::error::{Code, Problem};
use crate::identity::{Token, TokenError, Verifier};

const CUSTOMER_CHARS: usize = 200;
/// Carries the customer's token.
pub const TOKEN: &str = "x-customer-token";
/// Carries what the shop's own server tells its shoppers apart by.
const SHOPPER: &str = "x-shopper";

/// The sha256 of a key.
pub type KeyDigest = [u8; 32];

/// The address at the other end of the connection; `serve` attaches it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Who calls, as far as it could be checked.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The key's digest: what one caller stores is not another's.
    pub key: Option<KeyDigest>,
    /// May see the audit and ask the bare model.
    pub admin: bool,
    /// The shop's own server, which may say who the customer is.
    pub trusted: bool,
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The shopper behind this caller, as the shop's own server tells shoppers apart.
    pub shopper: Option<String>,
    /// The customer's token, once it is believed.
    pub token: Option<Token>,
}

impl Caller {
    /// The customer this caller speaks for: the token's, or the one a trusted caller names.
    ///
    /// # Errors
    /// A name from an untrusted caller, one that is none, or another than the token's.
    pub fn customer(&self, named: Option<&str>) -> Result<Option<String>, Problem> {
        let told = self.token.as_ref().map(|token| token.customer.as_str());
        match (named, told) {
            (None, told) => return Ok(told.map(str::to_string)),
            (Some(named), Some(told)) if named == told => return Ok(Some(named.to_string())),
            (Some(_), Some(_)) => {
                return Err(Problem::of_field(Code::InvalidField, "customer", "The token is another customer's."));
            }
            (Some(_), None) => {}
        }
        if !self.trusted {
            let detail = "This caller could be anybody, so it cannot say who the customer is.";
            return Err(Problem::of_field(Code::CustomerNotTrusted, "customer", detail));
        }
        let plain = |name: &str| !name.trim().is_empty() && !name.chars().any(char::is_control);
        let sound = |name: &&str| plain(name) && name.chars().count() <= CUSTOMER_CHARS;
        let unsound = || {
            let detail = format!("It takes 1 to {CUSTOMER_CHARS} characters, no control characters.");
            Problem::of_field(Code::InvalidField, "customer", detail)
        };
        named.filter(sound).map(|name| Some(name.to_string())).ok_or_else(unsound)
    }

    /// What a turn may know of who sends it.
    pub fn visitor(&self) -> Visitor {
        let token = self.token.as_ref();
        let login = Login {
            until: token.map(|token| token.until),
            phone: token.and_then(|token| token.phone.clone()),
            email: token.and_then(|token| token.email.clone()),
            ..Login::default()
        };
        Visitor { client: self.client(), login, operation: None }
    }

    /// What attempts of one client are counted under; empty behind a server that does not tell its shoppers apart.
    pub fn client(&self) -> String {
        let address = self.peer.filter(|_| !self.trusted).map(|peer| peer.to_string());
        self.shopper.clone().or(address).unwrap_or_default()
    }

    /// What callers are told apart by: the key, else the address. Behind a proxy without keys all are one.
    pub fn name(&self) -> String {
        match (self.key, self.peer) {
            (Some(key), _) => hex::encode(key),
            (None, Some(peer)) => peer.to_string(),
            (None, None) => String::new(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// The caller that [`require_key`] let in.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let unchecked = || Problem::new(Code::Unauthorized, "The caller was not checked.");
        parts.extensions.get::<Caller>().cloned().ok_or_else(unchecked)
    }
}

/// The digests of all keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<KeyDigest>,
    admin_keys: Vec<KeyDigest>,
}

impl Keys {
    /// Reads the digests of the settings.
    ///
    /// # Errors
    /// A digest that is not 64 hex digits, by its setting.
    pub fn read(server: &config::Server) -> anyhow::Result<Keys> {
        let keys = digests(&server.keys).context("server.keys")?;
        let admin_keys = digests(&server.admin_keys).context("server.admin_keys")?;
        Ok(Keys { keys, admin_keys })
    }

    /// True when nobody needs a key.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && self.admin_keys.is_empty()
    }

    /// Who calls; none for a missing or wrong key where one is needed.
    fn caller(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<Caller> {
        if self.is_open() {
            let local = is_local(headers, peer);
            return Some(Caller { admin: true, trusted: local, peer: peer.map(|peer| peer.ip()), ..Caller::default() });
        }
        let key: KeyDigest = Sha256::digest(bearer(headers)?).into();
        let admin = contains(&self.admin_keys, &key);
        let known = contains(&self.keys, &key) | admin;
        let peer = peer.map(|peer| peer.ip());
        known.then_some(Caller { key: Some(key), admin, trusted: true, peer, ..Caller::default() })
    }
}

fn digests(texts: &[String]) -> anyhow::Result<Vec<KeyDigest>> {
    let parse = |text: &String| {
        let mut digest = KeyDigest::default();
        if hex::decode_to_slice(text, &mut digest).is_err() {
            bail!("an entry is not a sha256 in hex; `truetill keys create` prints a key and the line to paste");
        }
        Ok(digest)
    };
    texts.iter().map(parse).collect()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// Looks at every digest and every byte, so that the time tells nothing.
fn contains(known: &[KeyDigest], key: &KeyDigest) -> bool {
    let differs = |one: &KeyDigest| one.iter().zip(key).fold(0, |sum, (a, b)| sum | (a ^ b));
    known.iter().fold(false, |found, one| found | (differs(one) == 0))
}

/// A direct caller on this machine: behind a proxy everybody's address is the proxy's, and a page of a foreign
/// site that was rebound to this address still says the foreign name.
fn is_local(headers: &HeaderMap, peer: Option<SocketAddr>) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let own_name = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) && own_name && !forwarded
}

/// Lets in whoever has a key, and says who it is.
pub async fn require_key(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let headers = request.headers();
    let Some(mut caller) = gate.keys.caller(headers, peer) else {
        return Err(Problem::new(Code::Unauthorized, "The key is missing or not known here."));
    };
    caller.shopper = headers.get(SHOPPER).filter(|_| caller.trusted).and_then(shopper);
    if let Some(token) = headers.get(TOKEN) {
        let text = token.to_str().unwrap_or_default();
        caller.token = Some(believed(&gate, text)?);
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn shopper(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    (1..=100).contains(&text.len()).then(|| text.to_string())
}

/// What a customer's token says.
///
/// # Errors
/// The exact reason why it is not believed.
pub fn believed(gate: &Gate, text: &str) -> Result<Token, Problem> {
    let Some(tokens) = &gate.app.tokens else {
        return Err(Problem::new(Code::TokenNotAccepted, "identity.token.algorithm is not set."));
    };
    Verifier::verify(tokens, text.trim(), gate.app.now()).map_err(|error| {
        let code = match &error {
            TokenError::Malformed(_) => Code::TokenMalformed,
            TokenError::Algorithm(_) => Code::TokenAlgorithm,
            TokenError::UnknownKey => Code::TokenKeyUnknown,
            TokenError::Signature => Code::TokenSignature,
            TokenError::Expired(_) => Code::TokenExpired,
            TokenError::NotYet(_) => Code::TokenNotYetValid,
            TokenError::Issuer => Code::TokenIssuer,
            TokenError::Audience => Code::TokenAudience,
            TokenError::Subject => Code::TokenSubject,
        };
        Problem::new(code, format!("The customer's token: {error}."))
    })
}

/// Lets in whoever has an admin key.
pub async fn require_admin(caller: Caller, request: Request, next: Next) -> Result<Response, Problem> {
    if !caller.admin {
        return Err(Problem::new(Code::AdminOnly, "This key is not an admin key."));
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_is_known_by_its_digest() {
        let digest: KeyDigest = Sha256::digest("key-1").into();
        let admin: KeyDigest = Sha256::digest("root").into();
        let keys = Keys { keys: vec![digest], admin_keys: vec![admin] };
        let check = |value: &str, expected: Option<bool>| {
            let caller = keys.caller(&headers(&[("authorization", value)]), None);
            assert_eq!(caller.map(|caller| caller.admin), expected, "{value}");
        };
        check("Bearer key-1", Some(false));
        check("bearer key-1", Some(false));
        check("Bearer root", Some(true));
        check("Bearer key-2", None);
        check("Basic key-1", None);
        check("Bearer", None);
        assert!(keys.caller(&HeaderMap::new(), None).is_none());
    }

    #[test]
    fn only_a_direct_caller_on_this_machine_is_trusted_without_keys() {
        let check = |peer: &str, pairs: &[(&'static str, &str)], expected: bool| {
            let caller = Keys::default().caller(&headers(pairs), Some(peer.parse().unwrap()));
            assert_eq!(caller.unwrap().trusted, expected, "{peer} {pairs:?}");
        };
        check("127.0.0.1:5000", &[("host", "127.0.0.1:7070")], true);
        check("[::1]:5000", &[("host", "[::1]:7070")], true);
        check("[::1]:5000", &[("host", "[::1]")], true);
        check("[::ffff:127.0.0.1]:5000", &[("host", "localhost")], true);
        check("10.0.0.2:5000", &[("host", "localhost:7070")], false);
        check("127.0.0.1:5000", &[("host", "evil.example:7070")], false);
        check("127.0.0.1:5000", &[], false);
        check("127.0.0.1:5000", &[("host", "localhost"), ("x-forwarded-for", "10.0.0.2")], false);
    }

    #[test]
    fn a_key_in_place_of_its_digest_is_refused_without_being_shown() {
        let mut server = crate::config::Config::defaults().server;
        server.keys = vec!["my-secret".to_string()];
        let error = format!("{:#}", Keys::read(&server).unwrap_err());
        assert!(error.contains("server.keys") && !error.contains("my-secret"), "{error}");
    }
}
