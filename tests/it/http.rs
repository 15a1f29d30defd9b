//! The native API and the OpenAI-compatible one through the real router.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::common::{Reply, TestApp, config, digest};

const CHAT: &str = "/api/v1/chat";
const COMPLETIONS: &str = "/v1/chat/completions";
const EMBEDDINGS: &str = "/v1/embeddings";
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

fn check(reply: &Reply, status: u16, code: &str, field: Option<&str>) {
    let body = reply.json();
    assert_eq!(reply.status.as_u16(), status, "{body}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.into())), "{body}");
    assert_eq!(body["field"].as_str(), field, "{body}");
    assert_eq!(body["request_id"].as_str(), Some(reply.header("x-request-id")), "{body}");
    for key in ["type", "title", "detail", "fix"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {body}");
    }
}

fn check_openai(reply: &Reply, status: u16, (code, field): (&str, Option<&str>)) {
    let error = &reply.json()["error"];
    assert_eq!(
        (reply.status.as_u16(), error["code"].as_str(), error["param"].as_str()),
        (status, Some(code), field),
        "{error}"
    );
}

#[tokio::test]
async fn a_message_gets_the_reply_of_the_contract() {
    let app = TestApp::new().await;
    let reply = app.post(CHAT, r#"{"message":"menu","locale":"sk","channel":"web"}"#, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    let mut keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["check", "commands", "handover", "reply", "session_id", "timings", "turn_id"]);
    let mut keys: Vec<&str> = body["reply"].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["actions", "citations", "segments", "text"]);
    let segment = &body["reply"]["segments"][0];
    assert!(segment["kind"].is_string() && segment["text"].is_string() && segment["facts"].is_array(), "{segment}");
    assert!(!body["reply"]["text"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_stream_tells_verified_segments_that_add_up_to_the_reply() {
    let app = TestApp::new().await;
    let reply = app.post(CHAT, r#"{"message":"menu","locale":"ru"}"#, &[EVENTS]).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/event-stream"));
    let events = reply.events();
    assert_eq!(events.first().unwrap().0, "status");
    let (last, done) = events.last().unwrap();
    assert_eq!(last, "done");
    let told: Vec<&Value> = events.iter().filter(|(name, _)| name == "segment").map(|(_, data)| data).collect();
    let said: Vec<&Value> = done["reply"]["segments"].as_array().unwrap().iter().collect();
    assert!(!told.is_empty());
    assert_eq!(told, said);
}

#[tokio::test]
async fn each_bad_body_has_its_own_code() {
    let app = TestApp::new().await;
    let post = |body: &'static [u8]| app.post(CHAT, body, &[]);
    check(&post(b"{").await, 400, "invalid_json", None);
    check(&post(b"").await, 400, "invalid_json", None);
    check(&post(b"[]").await, 400, "invalid_json", None);
    check(&post(b"{\"message\":\"\xff\"}").await, 400, "invalid_utf8", None);
    check(&post(br#"{"mesage":"hi"}"#).await, 422, "unknown_field", Some("mesage"));
    check(&post(br#"{"locale":"en"}"#).await, 422, "missing_field", Some("message"));
    check(&post(br#"{"message":"hi","locale":"de"}"#).await, 422, "invalid_field", Some("locale"));
    check(&post(br#"{"message":"hi","session_id":"7"}"#).await, 422, "invalid_field", Some("session_id"));
    check(&post(br#"{"message":"hi","channel":"Web Page"}"#).await, 422, "invalid_field", Some("channel"));
    check(&post(br#"{"message":" "}"#).await, 422, "message_empty", Some("message"));
    let long = json!({ "message": "ж".repeat(4001) }).to_string();
    check(&app.post(CHAT, long.clone(), &[]).await, 422, "message_too_long", Some("message"));
    check(&app.post(CHAT, long, &[EVENTS]).await, 422, "message_too_long", Some("message"));
    let huge = json!({ "message": "x".repeat(1 << 20) }).to_string();
    check(&app.post(CHAT, huge, &[]).await, 413, "body_too_large", None);
    let form = Request::post(CHAT).header("content-type", "text/plain").body(Body::from(r#"{"message":"hi"}"#));
    check(&app.send(form.unwrap()).await, 415, "unsupported_media_type", None);
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_too() {
    let app = TestApp::new().await;
    let chunks = std::iter::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096])).take(64);
    let body = Body::from_stream(tokio_stream::iter(chunks));
    check(&app.post(CHAT, body, &[]).await, 413, "body_too_large", None);
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let app = TestApp::new().await;
    check(&app.get("/nowhere").await, 404, "not_found", None);
    check(&app.get("/assets/../Cargo.toml").await, 404, "not_found", None);
    let reply = app.get(CHAT).await;
    check(&reply, 405, "method_not_allowed", None);
    assert_eq!(reply.header("allow"), "POST");
    let reply = app.get("/v1/nowhere").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn request_ids_are_kept_when_they_are_sound() {
    let app = TestApp::new().await;
    let ask = async |id: &str| {
        let request = Request::get("/health").header("x-request-id", id).body(Body::empty()).unwrap();
        app.send(request).await.header("x-request-id").to_string()
    };
    assert_eq!(ask("shop-7").await, "shop-7");
    assert_ne!(ask("<script>").await, "<script>");
    assert_ne!(ask(&"a".repeat(500)).await, "a".repeat(500));
    assert!(!app.get("/health").await.header("x-request-id").is_empty());
}

#[tokio::test]
async fn configured_keys_are_required() {
    let mut settings = config();
    settings.server.keys = vec![digest("shop")];
    settings.server.admin_keys = vec![digest("root")];
    let app = TestApp::with(settings).await.from_afar();
    let body = r#"{"message":"menu","customer":"c-1"}"#;
    let reply = app.post(CHAT, body, &[]).await;
    check(&reply, 401, "unauthorized", None);
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    check(&app.post(CHAT, body, &[("authorization", "Bearer wrong")]).await, 401, "unauthorized", None);
    assert_eq!(app.post(CHAT, body, &[("authorization", "Bearer shop")]).await.status, 200);
    let embeddings = r#"{"model":"hashed-letters","input":"a"}"#;
    check_openai(&app.post(EMBEDDINGS, embeddings, &[]).await, 401, ("unauthorized", None));
    assert_eq!(app.post(EMBEDDINGS, embeddings, &[("authorization", "Bearer shop")]).await.status, 200);
    for path in ["/v1/models", "/v1/models/truetill"] {
        let reply = app.get(path).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["type"]), (401, &json!("authentication_error")));
    }
    let metrics = async |key: &str| {
        let request = Request::get("/metrics").header("authorization", format!("Bearer {key}"));
        app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((metrics("shop").await, metrics("root").await), (403, 200));
    for path in ["/", "/health", "/ready", "/version", "/openapi.json", "/docs"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn without_keys_only_this_machine_names_the_customer() {
    let body = r#"{"message":"menu","customer":"c-1"}"#;
    assert_eq!(TestApp::new().await.post(CHAT, body, &[]).await.status, 200);
    let reply = TestApp::new().await.post(CHAT, body, &[("x-forwarded-for", "192.0.2.7")]).await;
    check(&reply, 403, "customer_not_trusted", Some("customer"));
    let reply = TestApp::new().await.from_afar().post(CHAT, body, &[]).await;
    check(&reply, 403, "customer_not_trusted", Some("customer"));
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let app = TestApp::new().await;
    let key = ("idempotency-key", "k-1");
    let first = app.post(CHAT, r#"{"message":"menu"}"#, &[key]).await;
    let second = app.post(CHAT, r#"{"message":"menu"}"#, &[key]).await;
    assert_eq!((first.status.as_u16(), &first.body), (200, &second.body));
    assert_eq!((first.header("idempotent-replay"), second.header("idempotent-replay")), ("", "true"));
    let streamed = app.post(CHAT, r#"{"message":"menu"}"#, &[key, EVENTS]).await;
    assert_eq!(streamed.events().last().unwrap().1, first.json());
    let other = app.post(CHAT, r#"{"message":"hello"}"#, &[key]).await;
    check(&other, 422, "idempotency_key_reused", None);
    let refused = ("idempotency-key", "k-2");
    check(&app.post(CHAT, r#"{"message":""}"#, &[refused]).await, 422, "message_empty", Some("message"));
    assert_eq!(app.post(CHAT, r#"{"message":"menu"}"#, &[refused]).await.status, 200);
    check(
        &app.post(CHAT, r#"{"message":"menu"}"#, &[("idempotency-key", "")]).await,
        400,
        "idempotency_key_invalid",
        None,
    );
}

#[tokio::test]
async fn more_turns_than_may_run_and_wait_are_refused() {
    let mut settings = config();
    (settings.server.concurrent_turns, settings.server.waiting_turns) = (0, 0);
    let app = TestApp::with(settings).await;
    for headers in [&[][..], &[EVENTS], &[("idempotency-key", "k-1")], &[("idempotency-key", "k-1")]] {
        let reply = app.post(CHAT, r#"{"message":"menu"}"#, headers).await;
        check(&reply, 503, "busy", None);
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    let body = json!({ "model": "truetill", "messages": [{ "role": "user", "content": "menu" }] }).to_string();
    let reply = app.post(COMPLETIONS, body, &[]).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["type"]), (503, &json!("server_error")));
    assert_eq!(app.get("/health").await.status, 200);
}

#[tokio::test]
async fn completions_answer_in_the_openai_shape() {
    let app = TestApp::new().await;
    let body = json!({ "model": "truetill", "messages": [{ "role": "user", "content": "menu" }] }).to_string();
    let reply = app.post(COMPLETIONS, body, &[]).await;
    let body = reply.json();
    assert_eq!((reply.status.as_u16(), &body["object"]), (200, &json!("chat.completion")), "{body}");
    assert_eq!(body["choices"][0]["message"]["content"], body["truetill"]["reply"]["text"]);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn completion_chunks_add_up_and_end_with_done() {
    let app = TestApp::new().await;
    let body = json!({
        "model": "truetill", "messages": [{ "role": "user", "content": [{ "type": "text", "text": "menu" }] }],
        "stream": true, "stream_options": { "include_usage": true },
    });
    let reply = app.post(COMPLETIONS, body.to_string(), &[]).await;
    assert!(reply.body.trim_end().ends_with("data: [DONE]"), "{}", reply.body);
    let chunks: Vec<Value> = reply.events().into_iter().map(|(_, data)| data).filter(Value::is_object).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    let last = chunks.iter().find(|chunk| chunk["choices"][0]["finish_reason"] == "stop").unwrap();
    assert_eq!(text, last["truetill"]["reply"]["text"]);
    assert!(chunks.last().unwrap()["usage"].is_object());
}

#[tokio::test]
async fn a_history_sent_back_goes_on_in_the_same_session() {
    let app = TestApp::new().await;
    let ask = async |messages: Value| {
        let body = json!({ "model": "truetill", "user": "ann", "messages": messages }).to_string();
        app.post(COMPLETIONS, body, &[]).await.json()
    };
    let first = ask(json!([{ "role": "user", "content": "menu" }])).await;
    let history = json!([
        { "role": "user", "content": "menu" },
        { "role": "assistant", "content": first["choices"][0]["message"]["content"] },
        { "role": "user", "content": "thanks" },
    ]);
    let second = ask(history.clone()).await;
    assert_eq!(first["truetill"]["session_id"], second["truetill"]["session_id"]);
    let again = ask(history).await;
    assert_ne!(first["truetill"]["session_id"], again["truetill"]["session_id"]);
}

#[tokio::test]
async fn embeddings_answer_in_the_openai_shape() {
    let app = TestApp::new().await;
    let ask = async |body: Value| app.post(EMBEDDINGS, body.to_string(), &[]).await;
    let reply = ask(json!({ "model": "hashed-letters", "input": ["red kettle", "чайник"] })).await;
    let body = reply.json();
    assert_eq!(
        (reply.status.as_u16(), &body["object"], &body["model"]),
        (200, &json!("list"), &json!("hashed-letters"))
    );
    assert_eq!((&body["data"][1]["object"], &body["data"][1]["index"]), (&json!("embedding"), &json!(1)));
    assert_eq!(body["data"][0]["embedding"].as_array().unwrap().len(), 128);
    assert_eq!(body["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
    let packed =
        ask(json!({ "model": "hashed-letters", "input": "red kettle", "encoding_format": "base64" })).await.json();
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), (128 * 4_usize).div_ceil(3) * 4, "{packed}");
    let listed = app.get("/v1/models").await.json();
    assert!(listed["data"].as_array().unwrap().iter().any(|model| model["id"] == "hashed-letters"), "{listed}");
    assert_eq!(app.get("/v1/models/hashed-letters").await.status, 200);
}

#[tokio::test]
async fn embeddings_refuse_by_name_what_they_cannot_do() {
    let app = TestApp::new().await;
    let ask = async |extra: Value| {
        let mut body = json!({ "model": "hashed-letters", "input": "kettle" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        app.post(EMBEDDINGS, body.to_string(), &[]).await
    };
    let fine = ask(json!({ "dimensions": 128, "user": "ann", "input_type": "passage" })).await;
    assert_eq!(fine.status, 200, "{}", fine.body);
    let long = "word ".repeat(513);
    for (extra, status, code, field) in [
        (json!({ "dimensions": 64 }), 400, "unsupported_field", Some("dimensions")),
        (json!({ "model": "truetill" }), 404, "model_not_found", Some("model")),
        (json!({ "input": [] }), 422, "invalid_field", Some("input")),
        (json!({ "input": vec!["a"; 257] }), 422, "invalid_field", Some("input")),
        (json!({ "input": ["a", " "] }), 422, "invalid_field", Some("input[1]")),
        (json!({ "input": ["a", long] }), 422, "invalid_field", Some("input[1]")),
        (json!({ "truncate": true }), 422, "unknown_field", Some("truncate")),
    ] {
        check_openai(&ask(extra).await, status, (code, field));
    }
    for extra in [json!({ "input": [[1, 2]] }), json!({ "encoding_format": "int8" })] {
        assert_eq!(ask(extra).await.json()["error"]["code"], "invalid_field");
    }
}

#[tokio::test]
async fn completions_refuse_by_name_what_they_would_ignore() {
    let app = TestApp::new().await;
    let check = async |extra: Value, status: u16, code: &str, param: &str| {
        let mut body = json!({ "model": "truetill", "messages": [{ "role": "user", "content": "menu" }] });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let reply = app.post(COMPLETIONS, body.to_string(), &[]).await;
        let error = &reply.json()["error"];
        assert_eq!(reply.status.as_u16(), status, "{error}");
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(param)), "{error}");
    };
    check(json!({ "temperature": 0.2 }), 400, "unsupported_field", "temperature").await;
    check(json!({ "logit_bias": {} }), 422, "unknown_field", "logit_bias").await;
    check(json!({ "model": "gpt-4o" }), 404, "model_not_found", "model").await;
    check(json!({ "model": "raw" }), 404, "model_not_found", "model").await;
    check(json!({ "messages": [] }), 422, "invalid_field", "messages").await;
    let system = json!({ "messages": [{ "role": "system", "content": "x" }, { "role": "user", "content": "menu" }] });
    check(system, 400, "unsupported_field", "messages[0].role").await;
    let image = json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }] });
    check(image, 400, "unsupported_field", "messages[0].content").await;
}

#[tokio::test]
async fn the_pages_need_nothing_from_elsewhere() {
    let app = TestApp::new().await;
    for path in ["/", "/docs"] {
        let page = app.get(path).await;
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        assert!(!page.body.contains("<style") && !page.body.contains(" style=") && !page.body.contains("onclick"));
        for script in page.body.split("<script").skip(1) {
            assert!(script.contains("src=\"/assets/") && script.contains("></script>"), "{script}");
        }
        assert!(!page.body.contains("https://") && !page.body.contains("http://"));
    }
    for name in ["chat.js", "chat.css", "docs.js", "docs.css", "icon.svg", "ui.json"] {
        let asset = app.get(&format!("/assets/{name}")).await;
        assert!(asset.status == 200 && !asset.body.is_empty(), "{name}");
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
    }
    let ui = app.get("/assets/ui.json").await.json();
    assert_eq!(ui.as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn operation_tells_state_and_counts() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/health").await.json()["status"], "ok");
    let ready = app.get("/ready").await.json();
    assert!(ready["ready"].is_boolean() && ready["reasons"].is_array());
    assert_eq!(app.get("/version").await.json()["name"], "truetill");
    app.post(CHAT, r#"{"message":"menu"}"#, &[]).await;
    let metrics = app.get("/metrics").await.body;
    for name in [
        "truetill_turns_total{tier=",
        "truetill_http_requests_total{route=\"/api/v1/chat\"",
        "truetill_turn_seconds_bucket",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}
