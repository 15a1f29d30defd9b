//! `pull` against a small HTTP server of our own: resume, refusal, fall-through, pins.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::*;

const CONTENT: &[u8] = b"GGUF and then the weights, as many as there are";

/// Serves `CONTENT` under any path that ends in `model.gguf`, `OTHER` under `other.gguf`, 404 elsewhere.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                log.lock().unwrap().push(answer(stream));
            }
        });
        Server { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream) -> String {
    let lines: Vec<String> = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|l| !l.is_empty())
        .collect();
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let range = lines.iter().find_map(|l| l.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let from: usize = range.as_deref().map_or(0, |r| r.trim_end_matches('-').parse().unwrap());
    let (status, body, extra) = if path.ends_with("/model.gguf") && from > 0 {
        let range = format!("content-range: bytes {from}-{}/{}\r\n", CONTENT.len() - 1, CONTENT.len());
        ("206 Partial Content", &CONTENT[from..], range)
    } else if path.ends_with("/model.gguf") {
        ("200 OK", CONTENT, String::new())
    } else if path.ends_with("/other.gguf") {
        ("200 OK", &b"another content of the very same length as above"[..CONTENT.len()], String::new())
    } else {
        ("404 Not Found", &b"no"[..], String::new())
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{extra}connection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    format!("{path} {from}")
}

struct Shelf {
    root: tempfile::TempDir,
    models: Models,
}

fn shelf(server: &Server, files: &[&str]) -> Shelf {
    let root = tempfile::tempdir().unwrap();
    let sha256 = hex::encode(Sha256::digest(CONTENT));
    let mut text = format!(
        "[[model]]\nrole = \"tiny\"\nname = \"m\"\nfile = \"m.gguf\"\nbytes = {}\nsha256 = \"{sha256}\"\n\
         licence = \"MIT\"\narchitecture = \"llama\"\ncontext = 64\n",
        CONTENT.len()
    );
    for file in files {
        text += &format!(
            "[[model.source]]\ntype = \"huggingface\"\nrepo = \"o/r\"\nrevision = \"main\"\nfile = \"{file}\"\n"
        );
    }
    let folders = Folders::under(root.path());
    fs::create_dir_all(&folders.models).unwrap();
    fs::write(folders.models.join("manifest.toml"), text).unwrap();
    let mut models = Models::open(folders).unwrap();
    models.hugging_face = server.address.clone();
    Shelf { root, models }
}

impl Shelf {
    fn pull(&self, what: &str) -> Result<VerifiedModel, String> {
        let request = what.parse().unwrap();
        self.models.pull(&request, &progress::Silent).map_err(|e| format!("{e:#}"))
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside)
    }
}

#[test]
fn half_a_file_is_gone_on_with() {
    let server = Server::start();
    let shelf = shelf(&server, &["model.gguf"]);
    fs::create_dir_all(shelf.path("cache/partial")).unwrap();
    fs::write(shelf.path("cache/partial/m.gguf.http"), &CONTENT[..20]).unwrap();
    let found = shelf.pull("tiny").unwrap();
    assert_eq!(fs::read(&found.path).unwrap(), CONTENT);
    assert_eq!(server.asked(), ["/o/r/resolve/main/model.gguf 20"]);
    assert!(!shelf.path("cache/partial/m.gguf.http").exists());
    assert!(shelf.path("cache/models/m.gguf").exists());
    shelf.pull("tiny").unwrap();
    assert_eq!(server.asked().len(), 1, "a verified file is not fetched twice");
}

#[test]
fn a_missing_source_falls_to_the_next() {
    let server = Server::start();
    let shelf = shelf(&server, &["absent.gguf", "model.gguf"]);
    shelf.pull("m").unwrap();
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_wrong_content_is_refused_and_removed() {
    let server = Server::start();
    let shelf = shelf(&server, &["other.gguf"]);
    let error = shelf.pull("tiny").unwrap_err();
    for part in ["m.gguf", "sha256", "by hand"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!shelf.path("cache/partial/m.gguf.http").exists());
    assert!(!shelf.path("models/m.gguf").exists());
}

#[test]
fn a_server_that_is_gone_is_named() {
    let server = Server { address: "http://127.0.0.1:1".into(), asked: Arc::default() };
    let error = shelf(&server, &["model.gguf"]).pull("tiny").unwrap_err();
    assert!(error.contains("cannot be reached"), "{error}");
}

#[test]
fn locate_says_what_is_wrong() {
    let server = Server::start();
    let shelf = shelf(&server, &["model.gguf"]);
    let absent = shelf.models.locate("tiny").unwrap_err();
    assert!(absent.to_string().contains("truetill pull m"), "{absent}");
    let unknown = shelf.models.locate("huge").unwrap_err();
    assert!(unknown.to_string().contains("tiny (m)"), "{unknown}");
    fs::write(shelf.path("models/m.gguf"), &CONTENT[..9]).unwrap();
    let half = shelf.models.locate("tiny").unwrap_err();
    assert!(matches!(half, ModelError::Refused { fault: FileFault::Length { .. }, .. }), "{half}");
    shelf.pull("tiny").unwrap();
    assert!(shelf.models.verify("tiny").is_ok());
}

#[test]
fn a_pulled_address_is_pinned_to_its_content() {
    let server = Server::start();
    let shelf = shelf(&server, &["model.gguf"]);
    let found = shelf.pull("hf:a/b/other.gguf").unwrap();
    assert_eq!(found.id.name, "other");
    assert!(shelf.models.locate("other").is_ok());
    let changed = shelf.path("other.gguf");
    fs::write(&changed, b"GGUF of somebody else").unwrap();
    let error = shelf.pull(changed.to_str().unwrap()).unwrap_err();
    assert!(error.contains("`other.gguf`") && error.contains("local.toml"), "{error}");
    let taken = shelf.pull("hf:a/b/m.gguf").unwrap_err();
    assert!(taken.contains("rename"), "{taken}");
}

#[test]
fn a_local_file_is_adopted() {
    let server = Server::start();
    let shelf = shelf(&server, &[]);
    fs::write(shelf.path("mine.gguf"), CONTENT).unwrap();
    shelf.pull(shelf.path("mine.gguf").to_str().unwrap()).unwrap();
    assert!(shelf.models.locate("mine.gguf").is_ok());
    fs::write(shelf.path("m.gguf"), b"not it").unwrap();
    assert!(shelf.pull(shelf.path("m.gguf").to_str().unwrap()).is_err());
}
