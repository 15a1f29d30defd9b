//! What a PDF may cost to read, checked before anything of it is: its length, and what its streams unpack to.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// A longer file is no policy.
const LARGEST: usize = 16 << 20;
/// All streams together, unpacked.
const UNPACKED: u64 = 128 << 20;
/// Where a stream's dictionary is looked for, before it.
const BEFORE: usize = 4096;

/// Refuses what is too large, packed twice or by means that cannot be measured, or encrypted.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > LARGEST {
        return Err(format!("it is larger than {} MB", LARGEST >> 20));
    }
    if holds(bytes, b"/Encrypt") {
        return Err("it is protected; save it without protection".to_string());
    }
    let mut left = UNPACKED;
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], b"stream") {
        let at = from + at;
        from = at + b"stream".len();
        if bytes[..at].ends_with(b"end") {
            continue;
        }
        let before = &bytes[at.saturating_sub(BEFORE)..at];
        let start = rfind(before, b"obj").map_or(0, |at| at + 3);
        left = left.checked_sub(cost(&before[start..], &bytes[from..], left)?).ok_or_else(bomb)?;
    }
    Ok(())
}

fn bomb() -> String {
    format!("it unpacks to more than {} MB", UNPACKED >> 20)
}

/// What one stream unpacks to.
fn cost(dictionary: &[u8], data: &[u8], left: u64) -> Result<u64, String> {
    let Some(at) = find(dictionary, b"/Filter") else {
        // A name may also be written in numbers; then nothing here can be told.
        return if dictionary.contains(&b'#') { Err(packed()) } else { Ok(0) };
    };
    let value = dictionary[at + b"/Filter".len()..].trim_ascii_start();
    let count = |name: &[u8]| dictionary.windows(name.len()).filter(|part| *part == name).count();
    let flates = count(b"/FlateDecode") + count(b"/Fl ") + count(b"/Fl]") + count(b"/Fl/") + count(b"/Fl>");
    let others = [&b"LZW"[..], b"RunLength", b"/RL"].iter().any(|name| holds(dictionary, name));
    if others || flates > 1 || dictionary.contains(&b'#') || value.first().is_some_and(u8::is_ascii_digit) {
        return Err(packed());
    }
    let ascii = holds(dictionary, b"/ASCII") || holds(dictionary, b"/A85") || holds(dictionary, b"/AHx");
    if flates == 0 {
        return Ok(0);
    }
    if ascii {
        // Text around packed data: old programs wrote it, and what it unpacks to is not known without reading it.
        return Err(packed());
    }
    let data = data.strip_prefix(b"\r\n").or_else(|| data.strip_prefix(b"\n")).unwrap_or(data);
    let mut unpacked = ZlibDecoder::new(data).take(left + 1);
    // A damaged stream costs what came out of it until then.
    let mut sink = Counter(0);
    let _ = std::io::copy(&mut unpacked, &mut sink);
    if sink.0 > left { Err(bomb()) } else { Ok(sink.0) }
}

struct Counter(u64);

impl std::io::Write for Counter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0 += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn packed() -> String {
    "it is packed in an unusual way; save it again as PDF, or as DOCX".to_string()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn rfind(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}
