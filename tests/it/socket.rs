//! Raw bytes over a real connection: what a router alone cannot show.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Server, config, digest, refusal_on};

const LIMIT: Duration = Duration::from_secs(30);

fn chat(accept: &str) -> String {
    let body = r#"{"message":"menu"}"#;
    format!(
        "POST /api/v1/chat HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: {accept}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

async fn ask(server: &Server, request: &str) -> String {
    let mut stream = send(server, request.as_bytes()).await;
    let mut reply = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    reply
}

#[tokio::test]
async fn a_client_that_leaves_mid_stream_frees_its_slot() {
    let mut settings = config();
    settings.server.concurrent_turns = 1;
    let server = Server::start(settings).await;
    for _ in 0..20 {
        let mut stream = send(&server, chat("text/event-stream").as_bytes()).await;
        let mut some = [0; 40];
        stream.read_exact(&mut some).await.unwrap();
        drop(stream);
        // Half a request, and gone.
        drop(send(&server, &chat("application/json").as_bytes()[..120]).await);
    }
    let reply = ask(&server, &chat("text/event-stream")).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("event: done"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_off_while_others_are_answered() {
    let server = Server::start(config()).await;
    let mut slow = send(&server, b"GET /health HTTP/1.1\r\nhost: loc").await;
    let reply = ask(&server, &chat("application/json")).await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    // The server ends the connection by itself: the read comes to an end.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(LIMIT, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the slow client is still connected");
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_not_http_do_no_harm() {
    let server = Server::start(config()).await;
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nx: \xff\x00\r\n\r\n"] {
        let mut stream = send(&server, bytes).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert!(ask(&server, &chat("application/json")).await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test]
async fn without_a_key_only_this_machine_is_served() {
    let refusal = refusal_on("0.0.0.0:0", config()).await;
    assert!(refusal.contains("server.keys") && refusal.contains("127.0.0.1"), "{refusal}");
    let mut settings = config();
    settings.server.keys = vec!["not-a-digest".to_string()];
    let refusal = refusal_on("127.0.0.1:0", settings).await;
    assert!(refusal.contains("server.keys"), "{refusal}");
    let mut settings = config();
    settings.server.keys = vec![digest("shop")];
    let server = Server::start(settings).await;
    assert!(ask(&server, &chat("application/json")).await.starts_with("HTTP/1.1 401"));
    server.stop().await;
}
