//! One connection of a shopper: HTTP/1.1 as far as this server speaks it to its own bench.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept, and made anew when the server has closed it.
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        Client { address, stream: None, buffer: Vec::new() }
    }

    /// Sends a request and reads its whole answer: status and body.
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&str>,
    ) -> Result<(u16, Vec<u8>)> {
        let body = body.map(serde_json::to_vec).transpose().map_err(Error::other)?.unwrap_or_default();
        let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{key}content-length: {}\r\n\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let kept = self.stream.is_some();
        match self.exchange(&request).await {
            // The server may have closed an idle connection just then.
            Err(error) if kept && self.buffer.is_empty() && error.kind() != ErrorKind::InvalidData => {
                self.stream = None;
                self.exchange(&request).await
            }
            other => other,
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.buffer.clear();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        let (status, length, closes) = read_head(&String::from_utf8_lossy(&self.buffer[..head]))?;
        let mut body = self.buffer.split_off(head + 4);
        while body.len() < length {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(Error::new(ErrorKind::InvalidData, "the answer was cut off"));
            }
        }
        if !closes {
            self.stream = Some(stream);
        }
        Ok((status, body))
    }
}

fn read_head(head: &str) -> Result<(u16, usize, bool)> {
    let wrong = |what| Error::new(ErrorKind::InvalidData, what);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    // An answer without content has no length.
    let (mut length, mut closes) = ((status == Some(204)).then_some(0), false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "connection" => closes = value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    Ok((status.ok_or_else(|| wrong("no status"))?, length.ok_or_else(|| wrong("no content-length"))?, closes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let check = |head: &str, expected: Option<(u16, usize, bool)>| assert_eq!(read_head(head).ok(), expected);
        check("HTTP/1.1 200 OK\r\nContent-Length: 12", Some((200, 12, false)));
        check("HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0", Some((503, 0, true)));
        check("HTTP/1.1 204 No Content\r\ndate: today", Some((204, 0, false)));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", None);
        check("nonsense", None);
    }
}
