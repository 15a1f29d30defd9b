//! A real model behind the router: a full queue, a client that leaves, a turn that takes too long. Nothing hangs,
//! nothing is lost, and the next customer is answered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use truetill::engine::{Generate, GenerateError, Job, PromptTurn, Speaker};
use truetill::inference::{Generator, GeneratorSettings};

use crate::common::{Server, TestApp, app, config};

/// The smallest model, so many jobs at once and room for so many that wait; says so when it is not on this machine.
fn tiny(sessions: usize, queue: usize) -> Option<Arc<Generator>> {
    match truetill::pull::locate("tiny") {
        Ok(model) => {
            let settings = GeneratorSettings { queue, sessions, ..GeneratorSettings::default() };
            Some(Arc::new(Generator::load(&model, settings).unwrap()))
        }
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A job that would take minutes if nobody stopped it.
fn long() -> Job {
    Job {
        system: "Count on without an end.".to_string(),
        turns: vec![PromptTurn { speaker: Speaker::User, text: "Go.".to_string() }],
        grammar: Some("start: /[a-z]+( [a-z]+){2000,}/".to_string()),
        max_tokens: 3000,
        temperature: 1.0,
        seed: 7,
    }
}

fn short() -> Job {
    Job { grammar: Some("start: \"yes\" | \"no\"".to_string()), max_tokens: 4, ..long() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_a_dropped_job_makes_room() {
    let Some(model) = tiny(1, 1) else { return };
    let mut running = Vec::new();
    let refusal = loop {
        let (model, done) = (Arc::clone(&model), tokio::sync::oneshot::channel());
        let job = tokio::spawn(async move {
            let refused = model.generate(long()).await.err();
            let _ = done.0.send(refused);
        });
        running.push(job);
        // The refusal comes at once or not at all.
        if let Ok(Ok(refusal)) = tokio::time::timeout(Duration::from_millis(200), done.1).await {
            break refusal;
        }
        assert!(running.len() < 8, "the queue of one took {} jobs", running.len());
    };
    assert!(matches!(refusal, Some(GenerateError::Busy { retry_after_s: 1.., .. })), "{refusal:?}");
    running.iter().for_each(|job| job.abort());
    let answer = loop {
        match model.generate(short()).await {
            Err(GenerateError::Busy { .. }) => tokio::task::yield_now().await,
            done => break done.unwrap(),
        }
    };
    assert!(matches!(answer.text.as_str(), "yes" | "no"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_takes_too_long_is_a_problem_with_a_code() {
    let Some(model) = tiny(4, 4) else { return };
    let mut settings = config();
    settings.server.turn_timeout_s = 0;
    let test = TestApp::over(app(settings, Some(Arc::clone(&model) as Arc<dyn Generate>)).await);
    let messages = json!([{ "role": "user", "content": "Tell me all that you know, at length." }]);
    let body = json!({ "model": "raw", "max_tokens": 2000, "messages": messages }).to_string();
    let reply = test.post("/v1/chat/completions", body, &[]).await;
    assert_eq!(reply.status, 504, "{}", reply.body);
    assert_eq!(reply.json()["error"]["code"], "turn_timeout");
    assert!(matches!(model.generate(short()).await.unwrap().text.as_str(), "yes" | "no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_its_generation() {
    let Some(model) = tiny(1, 1) else { return };
    let server = Server::over(app(config(), Some(Arc::clone(&model) as Arc<dyn Generate>)).await).await;
    let messages = json!([{ "role": "user", "content": "Tell me all that you know, at length." }]);
    let body = json!({ "model": "raw", "max_tokens": 3000, "messages": messages }).to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", server.address);
    let mut clients = Vec::new();
    // The jobs have begun when another is refused or has to wait; those that were refused themselves are sent again.
    let begun = async || tokio::time::timeout(Duration::from_millis(500), model.generate(short())).await;
    while clients.len() < 4 || matches!(begun().await, Ok(Ok(_))) {
        let mut client = TcpStream::connect(&server.address).await.unwrap();
        client.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        clients.push(client);
    }
    drop(clients);
    // Such jobs would hold the model for minutes; it is free again as soon as it sees nobody waits.
    let answer = loop {
        match model.generate(short()).await {
            Err(GenerateError::Busy { .. }) => tokio::task::yield_now().await,
            done => break done.unwrap(),
        }
    };
    assert!(matches!(answer.text.as_str(), "yes" | "no"), "{answer:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_at_the_same_time_get_what_each_would_get_alone() {
    let Some(model) = tiny(4, 16) else { return };
    let mut settings = config();
    settings.server.turn_timeout_s = 600;
    let test = Arc::new(TestApp::over(app(settings, Some(model as Arc<dyn Generate>)).await));
    let body = |n: usize| {
        let text = format!("Say something about the number {n}. {}", "It is a number. ".repeat(n * 7 % 40));
        let messages = json!([{ "role": "user", "content": text }]);
        json!({ "model": "raw", "max_tokens": 12 + n, "seed": n, "temperature": 0.8, "messages": messages }).to_string()
    };
    let said = async |test: &TestApp, n: usize| {
        let reply = test.post("/v1/chat/completions", body(n), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_string()
    };
    let mut alone = Vec::new();
    for n in 0..8 {
        alone.push(said(&test, n).await);
    }
    let ask = |n: usize| {
        let (test, body) = (Arc::clone(&test), body(n));
        tokio::spawn(async move { test.post("/v1/chat/completions", body, &[]).await })
    };
    let together: Vec<_> = (0..8).map(ask).collect();
    for (n, reply) in together.into_iter().enumerate() {
        let reply = reply.await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], alone[n], "customer {n}");
    }
}
