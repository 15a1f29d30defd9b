//! Who calls: bearer keys against the sha256 digests of the settings, and whether the caller sits on this machine.
//! Without any key the server answers everybody, so it then binds to a loopback address only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::config;
use crate::http::Gate;
use crate::http::error::{Code, Problem};

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
}

impl Caller {
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
            return Some(Caller { key: None, admin: true, trusted: local, peer: peer.map(|peer| peer.ip()) });
        }
        let key: KeyDigest = Sha256::digest(bearer(headers)?).into();
        let admin = contains(&self.admin_keys, &key);
        let known = contains(&self.keys, &key) | admin;
        known.then_some(Caller { key: Some(key), admin, trusted: true, peer: peer.map(|peer| peer.ip()) })
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
    let Some(caller) = gate.keys.caller(request.headers(), peer) else {
        return Err(Problem::new(Code::Unauthorized, "The key is missing or not known here."));
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
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
