//! Photos that shoppers send: what counts as one, and the limits. Plain data: `store` keeps them, `http` takes them in.

use serde::Deserialize;

/// Limits of photos: `[photos]` of `data/rules/returns.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhotoRules {
    /// Kept of one conversation.
    pub most: u32,
    /// The largest one.
    pub bytes: usize,
    /// Days after which one is deleted.
    pub keep_days: u16,
}

impl Default for PhotoRules {
    fn default() -> Self {
        PhotoRules { most: 5, bytes: 8 << 20, keep_days: 180 }
    }
}

/// What kind of picture bytes are, by how they begin; none where no browser would show them as a photo.
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// Where a photo is fetched by persons of the shop.
pub fn address(id: &str) -> String {
    format!("/api/v1/photos/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        let check = |bytes: &[u8], expected: Option<&str>| assert_eq!(kind(bytes), expected, "{bytes:?}");
        check(b"\xff\xd8\xff\xe0\x00\x10JFIF", Some("image/jpeg"));
        check(b"\x89PNG\r\n\x1a\n....", Some("image/png"));
        check(b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp"));
        check(b"RIFF\x10\0\0\0WAVEfmt ", None);
        check(b"<svg onload=alert(1)>", None);
        check(b"GIF89a", None);
        check(b"%PDF-1.7", None);
        check(b"\xff\xd8", None);
        check(b"", None);
    }
}
