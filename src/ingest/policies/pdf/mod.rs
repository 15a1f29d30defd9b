//! A policy printed as PDF, as Markdown: lines larger than the text, or bold by themselves, become sections; without any, each page is
//! one. What it is stands in `NAME.pdf.toml` beside it, or between two lines of `---` on its first page. Letters that the file
//! does not name are never guessed: such a document is refused, and so is a picture of a page.

mod bounds;
mod cmap;
mod font;
mod glyphs;
mod layout;
mod page;
#[cfg(test)]
mod tests;

use std::io::Error;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hayro_syntax::{LoadPdfError, Pdf};

/// A document that takes longer is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nested objects are read one within another.
const STACK: usize = 16 << 20;
/// More pages are no policy.
const PAGES: usize = 500;

/// The document as Markdown with front matter.
///
/// # Errors
/// When it is no PDF, is damaged, protected, too large, has no text, or has letters that nobody can tell.
pub fn markdown(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path)?;
    let body = within(PATIENCE, move || text(bytes))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".toml");
    match std::fs::read_to_string(&beside) {
        Ok(front) => Ok(format!("+++\n{}\n+++\n{body}", front.trim())),
        Err(_) => Ok(body),
    }
}

/// Reads on a thread of its own: what a hostile file does there ends there.
fn within(patience: Duration, read: impl FnOnce() -> Result<String, String> + Send + 'static) -> Result<String, Error> {
    let (told, hear) = mpsc::channel();
    let reading = move || {
        let _ = told.send(read());
    };
    std::thread::Builder::new().name("pdf".to_string()).stack_size(STACK).spawn(reading)?;
    match hear.recv_timeout(patience) {
        Ok(read) => read.map_err(Error::other),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::other("it takes too long to read")),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::other("it is damaged")),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    bounds::check(&bytes)?;
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(_) => "it is protected by a password; save it without one".to_string(),
        LoadPdfError::Invalid => "it is damaged, or no PDF".to_string(),
    })?;
    if pdf.pages().len() > PAGES {
        return Err(format!("it has more than {PAGES} pages"));
    }
    let mut fonts = font::Fonts::default();
    let mut pages = Vec::new();
    for (at, page) in pdf.pages().iter().enumerate() {
        let read = page::read(page, &mut fonts)?;
        if read.unknown > 0 {
            return Err(format!(
                "page {} has {} letters that the file does not name, so its words cannot be told for certain; \
                 export it again from the word processor, with text, or as DOCX",
                at + 1,
                read.unknown
            ));
        }
        if read.runs.is_empty() && read.pictures > 0 {
            return Err(format!(
                "page {} is a picture without text, as scanners make them; export it from the word processor, or type it as Markdown",
                at + 1
            ));
        }
        pages.push(read.runs);
    }
    if pages.iter().all(Vec::is_empty) {
        return Err("it holds no text".to_string());
    }
    Ok(layout::markdown(&pages))
}
