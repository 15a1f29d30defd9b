//! A small HTTP server that says what a test tells it to, be it half an answer, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request as it came in; names of headers in lower case.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Heard {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is sent back.
pub enum Says {
    /// These bytes, then the connection ends.
    Raw(Vec<u8>),
    /// These bytes, then nothing until the client leaves.
    Silence(Vec<u8>),
    /// These bytes, one at a time.
    Drip(Vec<u8>),
}

impl Says {
    /// A whole answer.
    pub fn whole(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Says {
        let body = body.as_ref();
        let mut all = head(status, headers);
        all.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        all.extend_from_slice(body);
        Says::Raw(all)
    }

    /// JSON.
    pub fn json(body: &str) -> Says {
        Says::whole(200, &[("content-type", "application/json")], body)
    }
}

/// The first lines of an answer, still open for more headers.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.into_bytes()
}

/// The server; it stops when it is dropped.
pub struct Wire {
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Wire {
    /// Answers every request by `says`.
    pub fn start(says: impl Fn(&Heard) -> Says + Send + Sync + 'static) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let says: Arc<dyn Fn(&Heard) -> Says + Send + Sync> = Arc::new(says);
        let (writing, ending) = (Arc::clone(&heard), Arc::clone(&over));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(Ordering::SeqCst) {
                    break;
                }
                let (says, heard) = (Arc::clone(&says), Arc::clone(&writing));
                std::thread::spawn(move || answer(stream, &*says, &heard));
            }
        });
        Wire { url, heard, over, accepting: Some(accepting) }
    }

    /// An address where nobody listens.
    pub fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// What it was asked so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn answer(mut stream: TcpStream, says: &dyn Fn(&Heard) -> Says, heard: &Mutex<Vec<Heard>>) {
    let Some(request) = read(&stream) else { return };
    heard.lock().unwrap().push(request.clone());
    match says(&request) {
        Says::Raw(bytes) => drop(stream.write_all(&bytes)),
        Says::Silence(bytes) => {
            let _ = stream.write_all(&bytes);
            // Until the client has left.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        Says::Drip(bytes) => {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            for byte in bytes {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                // A client that has left reads as an end; one that waits reads as a time-out.
                if stream.read(&mut [0]).is_ok() {
                    return;
                }
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut heard = Heard { method: words.next()?.to_string(), path: words.next()?.to_string(), ..Heard::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        heard.headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
    }
    let length = heard.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    heard.body = String::from_utf8_lossy(&body).into_owned();
    Some(heard)
}
