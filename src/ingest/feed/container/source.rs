//! A feed's bytes as UTF-8, whatever it was packed and encoded in: gzip, zip, windows-1251, UTF-16. Read once, in pieces.
//! Nothing is expanded beyond bounds: a field longer than 4 MB and a file that unpacks to more than 16 GB end the reading.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

/// What is looked at to recognise a feed.
const HEAD: usize = 1 << 16;
/// One field, row or tag.
const LONGEST: u64 = 4 << 20;
/// All of a feed, unpacked.
const LARGEST: u64 = 16 << 30;

/// An opened feed.
pub struct Source {
    /// The first bytes as text, for recognising it.
    pub head: String,
    /// How it was packed and encoded: `gzip, windows-1251`.
    pub wrapping: Vec<String>,
    /// True when it is a workbook: its parts are opened by themselves.
    pub workbook: bool,
    /// The text.
    pub reader: Text,
}

impl Source {
    /// Opens a feed; `encoding` is what its profile says, where the file itself says nothing.
    ///
    /// # Errors
    /// When it cannot be read, or is a zip of anything but one file.
    pub fn open(path: &Path, encoding: Option<&str>) -> Result<Self, Error> {
        let mut wrapping = Vec::new();
        let mut raw: Box<dyn Read> = Box::new(File::open(path)?);
        let mut start = read_head(&mut raw)?;
        if start.starts_with(b"PK\x03\x04") {
            let Some(inner) = only_part(path)? else {
                return Ok(Source::over(String::new(), wrapping, Box::new(Cursor::new(Vec::new()))).workbook());
            };
            wrapping.push("zip".to_string());
            raw = inner;
            start = read_head(&mut raw)?;
        }
        if start.starts_with(&[0x1f, 0x8b]) {
            wrapping.push("gzip".to_string());
            raw = Box::new(MultiGzDecoder::new(BufReader::new(Cursor::new(start).chain(raw))));
            start = read_head(&mut raw)?;
        }
        let told = encoding.and_then(|label| Encoding::for_label(label.as_bytes()));
        let encoding = encoding_of(&start, told);
        if encoding != UTF_8 {
            wrapping.push(encoding.name().to_ascii_lowercase());
        }
        let (text, _, _) = encoding.decode(&start);
        let head = text.into_owned();
        let bytes = Bounded { inner: Box::new(Cursor::new(start).chain(raw)), left: LARGEST };
        let reader: Box<dyn Read> = match encoding == UTF_8 {
            true => Box::new(bytes),
            false => Box::new(Decoded::new(bytes, encoding)),
        };
        Ok(Source::over(head, wrapping, reader))
    }

    fn over(head: String, wrapping: Vec<String>, reader: Box<dyn Read>) -> Self {
        Source { head, wrapping, workbook: false, reader: Text::new(reader) }
    }

    fn workbook(mut self) -> Self {
        self.workbook = true;
        self
    }
}

/// A part of a zip file, unpacked while it is read; none when there is none of this name.
///
/// # Errors
/// When the file is no zip, or the part is packed in another way than deflate.
pub fn part(path: &Path, name: &str) -> Result<Option<Text>, Error> {
    let mut archive = ZipArchive::new(File::open(path)?).map_err(Error::other)?;
    let Some(index) = archive.index_for_name(name) else { return Ok(None) };
    Ok(Some(Text::new(unpacked(path, &mut archive, index)?)))
}

/// The one file of a zip; none when the zip is a workbook.
fn only_part(path: &Path) -> Result<Option<Box<dyn Read>>, Error> {
    let mut archive = ZipArchive::new(File::open(path)?).map_err(Error::other)?;
    if archive.index_for_name("xl/workbook.xml").is_some() {
        return Ok(None);
    }
    let files: Vec<usize> = (0..archive.len())
        .filter(|index| archive.name_for_index(*index).is_some_and(|name| name.is_ok_and(|name| !name.ends_with('/'))))
        .collect();
    let [index] = files[..] else {
        let reason = format!("a zip with {} files; pack each feed by itself", files.len());
        return Err(Error::new(ErrorKind::InvalidData, reason));
    };
    unpacked(path, &mut archive, index).map(Some)
}

fn unpacked(path: &Path, archive: &mut ZipArchive<File>, index: usize) -> Result<Box<dyn Read>, Error> {
    let entry = archive.by_index_raw(index).map_err(Error::other)?;
    let (method, packed) = (entry.compression(), entry.compressed_size());
    let Some(start) = entry.data_start() else {
        return Err(Error::new(ErrorKind::InvalidData, "the zip does not say where its file begins"));
    };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::new(file.take(packed));
    let inner: Box<dyn Read> = match method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => return Err(Error::new(ErrorKind::InvalidData, format!("packed by {other:?}; use deflate"))),
    };
    Ok(Box::new(Bounded { inner, left: LARGEST }))
}

fn read_head(reader: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut head = Vec::new();
    reader.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// By its mark, by the XML declaration, by its zero bytes, by the profile; else UTF-8.
fn encoding_of(head: &[u8], told: Option<&'static Encoding>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return encoding;
    }
    if head.starts_with(b"<\0") || head.starts_with(b"{\0") {
        return UTF_16LE;
    }
    if head.starts_with(b"\0<") || head.starts_with(b"\0{") {
        return UTF_16BE;
    }
    declared(head).or(told).unwrap_or(UTF_8)
}

fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.trim_ascii_start();
    let end = head.iter().take(200).position(|byte| *byte == b'>')?;
    let declaration = std::str::from_utf8(&head[..end]).ok().filter(|text| text.starts_with("<?xml"))?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Encoding::for_label(value[1..].split(quote).next()?.as_bytes())
}

/// Ends the reading of what grows without end.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let read = self.inner.read(into)?;
        self.left = self.left.saturating_sub(read as u64);
        if self.left == 0 {
            return Err(Error::new(ErrorKind::InvalidData, "the file unpacks to more than 16 GB"));
        }
        Ok(read)
    }
}

/// Another encoding, read as UTF-8.
struct Decoded {
    bytes: Bounded,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Decoded {
    fn new(bytes: Bounded, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Decoded { bytes, decoder, raw: Vec::new(), text: Vec::new(), at: 0, ended: false }
    }

    fn refill(&mut self) -> Result<(), Error> {
        if self.raw.is_empty() && !self.ended {
            let mut piece = vec![0; 1 << 14];
            let read = self.bytes.read(&mut piece)?;
            piece.truncate(read);
            self.ended = read == 0;
            self.raw = piece;
        }
        self.text.resize(1 << 16, 0);
        let (result, read, written, _) = self.decoder.decode_to_utf8(&self.raw, &mut self.text, self.ended);
        self.raw.drain(..read);
        self.text.truncate(written);
        self.at = 0;
        debug_assert!(result == CoderResult::InputEmpty || written > 0, "the piece fits four times over");
        Ok(())
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        while self.at == self.text.len() && !self.ended {
            self.refill()?;
        }
        let read = (self.text.len() - self.at).min(into.len());
        into[..read].copy_from_slice(&self.text[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

/// Text with its line numbers, in which no field may grow without end.
pub struct Text {
    inner: BufReader<Box<dyn Read>>,
    line: u64,
    since: u64,
}

impl Text {
    fn new(reader: Box<dyn Read>) -> Self {
        Text { inner: BufReader::with_capacity(1 << 16, reader), line: 1, since: 0 }
    }

    /// The line that is read next, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// A new field, row or tag begins: it has the whole bound for itself.
    pub fn mark(&mut self) {
        self.since = 0;
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        if self.since > LONGEST {
            return Err(Error::new(ErrorKind::InvalidData, "a field, row or tag is longer than 4 MB"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        let passed = &self.inner.buffer()[..amount.min(self.inner.buffer().len())];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.since += amount as u64;
        self.inner.consume(amount);
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], expected: &str) {
        assert_eq!(encoding_of(head, None).name(), expected, "{}", String::from_utf8_lossy(head));
    }

    #[test]
    fn the_file_says_its_encoding() {
        check(b"<?xml version=\"1.0\" encoding=\"windows-1251\"?><a/>", "windows-1251");
        check(b"<?xml version='1.0' encoding = 'utf-8' ?>", "UTF-8");
        check(b"\xff\xfea\0", "UTF-16LE");
        check(b"<\0a\0", "UTF-16LE");
        check(b"\xef\xbb\xbfid;name", "UTF-8");
        check(b"<a encoding=\"windows-1251\">", "UTF-8");
        check(b"<?xml encoding=\"no-such\"?>", "UTF-8");
        assert_eq!(encoding_of(b"id", Encoding::for_label(b"windows-1250")).name(), "windows-1250");
    }
}
