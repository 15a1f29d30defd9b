//! Addresses, and where a redirect leads: never from TLS to plain text, and credentials never to another host.

use ureq::http::Uri;

/// A whole http(s) address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    /// Host and port, lower case.
    authority: String,
    /// Path and query.
    path: String,
}

impl Address {
    /// Reads a whole address.
    pub fn parse(text: &str) -> Option<Address> {
        let uri: Uri = text.split('#').next()?.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str().to_ascii_lowercase();
        let default = if secure { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default).unwrap_or(&authority).to_string();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A name and password in an address would end up in logs.
        (!authority.contains('@')).then(|| Address { secure, authority, path: path.to_string() })
    }

    /// Where a `Location` header leads from here; none when that is no address, or less safe than this one.
    pub fn redirected(&self, location: &str) -> Option<Address> {
        let scheme = if self.secure { "https" } else { "http" };
        let whole = if location.contains("://") {
            location.to_string()
        } else if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{}{location}", self.authority)
        } else {
            let path = self.path.split('?').next().unwrap_or("/");
            let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
            format!("{scheme}://{}{folder}{location}", self.authority)
        };
        Address::parse(&whole).filter(|next| next.secure || !self.secure)
    }

    /// A path and query below this address.
    pub fn below(&self, path: &str) -> Option<Address> {
        let own = self.path.trim_end_matches('/');
        Address::parse(&format!("{}{path}", Address { path: own.to_string(), ..self.clone() }))
    }

    /// True when credentials for this address may go to the other.
    pub fn same_origin(&self, other: &Address) -> bool {
        self.secure == other.secure && self.authority == other.authority
    }

    /// True when nobody between here and there can read along.
    pub fn private(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        self.secure || matches!(host, "127.0.0.1" | "localhost" | "[::1]")
    }

    /// The last part of the path, as the name of a file.
    pub fn file(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let name: String = last.chars().filter(plain).take(80).collect();
        let name = name.trim_matches('.');
        if name.is_empty() { "feed".to_string() } else { name.to_string() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, location: &str, expected: Option<&str>) {
        let led = Address::parse(from).unwrap().redirected(location).map(|to| to.to_string());
        assert_eq!(led.as_deref(), expected, "{from} -> {location}");
    }

    #[test]
    fn redirects_lead_where_they_say_but_never_to_plain_text() {
        check("https://a.example/x/feed.xml?k=1", "/y", Some("https://a.example/y"));
        check("https://a.example/x/feed.xml?k=1", "new.xml", Some("https://a.example/x/new.xml"));
        check("https://a.example", "//b.example/f", Some("https://b.example/f"));
        check("https://a.example/f", "https://B.example:443/f#top", Some("https://b.example/f"));
        check("https://a.example/f", "http://a.example/f", None);
        check("https://a.example/f", "file:///etc/passwd", None);
        check("https://a.example/f", "https://u:p@a.example/f", None);
        check("http://a.example/f", "https://a.example/f", Some("https://a.example/f"));
    }

    #[test]
    fn credentials_stay_with_their_host_and_names_are_plain() {
        let of = |text: &str| Address::parse(text).unwrap();
        assert!(of("https://a.example/f").same_origin(&of("https://A.example:443/g")));
        assert!(!of("https://a.example/f").same_origin(&of("https://a.example.evil.example/f")));
        assert!(!of("https://a.example/f").same_origin(&of("https://a.example:444/f")));
        assert!(!of("http://a.example/f").private() && of("http://127.0.0.1:9/f").private());
        assert!(!of("http://127.0.0.1.evil.example/f").private());
        assert_eq!(of("https://a.example/out/Feed%20(1).xml.gz?x=/y").file(), "Feed201.xml.gz");
        assert_eq!(of("https://a.example/..").file(), "feed");
    }
}
