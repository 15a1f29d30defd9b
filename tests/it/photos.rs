//! A photo where a rule asks for one: asked for in the chat, taken in, seen by persons of the shop, gone when its days are over.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use truetill::app::App;
use truetill::domain::session::SessionId;
use truetill::engine::OrderDesk;

use crate::cluster::state;
use crate::common::{Reply, TestApp, app_keeping, clock, config, digest, quick_config, text};
use crate::fakes::ShopFront;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF, a broken glass \x00\xff\xd9";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n the same glass from below";

async fn shop() -> (TempDir, Arc<App>, TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let config = quick_config(folder.path());
    let front = ShopFront::load(&config.paths.data);
    let app = app_keeping(config, None, (front, state().await)).await;
    (folder, Arc::clone(&app), TestApp::over(app))
}

async fn say(door: &TestApp, session: Option<&str>, text: &str) -> Value {
    door.say(json!({"session_id": session}), None, text).await
}

fn has(reply: &Value, part: &str) {
    assert!(text(reply).contains(part), "`{part}` is missing in: {}", text(reply));
}

fn may_attach(reply: &Value) -> bool {
    reply["reply"]["actions"].as_array().unwrap().iter().any(|action| action["type"] == "attach_photo")
}

async fn attach(door: &TestApp, session: &str, bytes: &[u8]) -> Reply {
    let path = format!("/api/v1/sessions/{session}/photos");
    let request = Request::post(path).header("content-type", "image/jpeg").body(Body::from(bytes.to_vec()));
    door.send(request.unwrap()).await
}

/// Talks until the photo is asked for; the conversation.
async fn asked(door: &TestApp, lines: &[&str], question: &str) -> String {
    let mut session: Option<String> = None;
    let mut last = Value::Null;
    for line in lines {
        last = say(door, session.as_deref(), line).await;
        session = last["session_id"].as_str().map(str::to_string);
    }
    has(&last, question);
    assert!(may_attach(&last), "{last}");
    session.unwrap()
}

const SK: [&str; 3] = ["chcem vrátiť pokazený tovar z objednávky TT-10436", "ondrej.polak@example.sk", "tie poháre"];

#[tokio::test]
async fn a_return_that_needs_a_photo_goes_on_with_one() {
    let (_folder, app, door) = shop().await;
    let session = asked(&door, &SK, "potrebujeme najprv fotografiu").await;
    // Words without a photo are no photo.
    let waiting = say(&door, Some(&session), "hneď ju pošlem").await;
    assert!(!text(&waiting).contains("RMA"), "{}", text(&waiting));
    let kept = attach(&door, &session, JPEG).await;
    assert_eq!((kept.status.as_u16(), &kept.json()["kind"]), (201, &json!("image/jpeg")));
    let again = attach(&door, &session, JPEG).await.json();
    assert_eq!(again["id"], kept.json()["id"], "sent twice, kept once");
    let proposal = say(&door, Some(&session), "tu je fotka").await;
    has(&proposal, "TT-10436");
    assert!(!may_attach(&proposal));
    let done = say(&door, Some(&session), "áno, zaevidujte vrátenie").await;
    has(&done, "RMA-TT-10436");
    let order = OrderDesk::order(&app.state, "TT-10436").await.unwrap().unwrap();
    assert_eq!(order.version, 2);
    // The merchant's systems and whoever looks at the task find the photo by its address.
    let event = app.state.latest_events(1).await.unwrap().remove(0);
    let event: Value = serde_json::from_str(&event.document).unwrap();
    let address = event["operation"]["photos"][0].as_str().unwrap().to_string();
    assert_eq!(address, kept.json()["address"].as_str().unwrap());
    let seen = door.send(Request::get(&address).body(Body::empty()).unwrap()).await;
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, "image/jpeg"));
    assert_eq!(seen.header("x-content-type-options"), "nosniff");
    let refused = attach(&door, &session, PNG).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("photo_not_wanted")));
}

#[tokio::test]
async fn only_pictures_of_an_asked_conversation_are_taken_in() {
    let (_folder, app, door) = shop().await;
    let anybody = say(&door, None, "hello").await;
    let anybody = anybody["session_id"].as_str().unwrap();
    assert_eq!(attach(&door, anybody, JPEG).await.json()["code"], "photo_not_wanted", "nobody asked");
    let nowhere = SessionId::fresh().to_string();
    assert_eq!(attach(&door, &nowhere, JPEG).await.json()["code"], "unknown_session");
    let lines = ["I want to return damaged goods from order TT-10436", "ondrej.polak@example.sk", "the glasses"];
    let session = asked(&door, &lines, "we need a photo first").await;
    for bytes in [&b"<svg onload=alert(1)>"[..], b"%PDF-1.7", b"", b"GIF89a"] {
        let refused = attach(&door, &session, bytes).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (415, &json!("unsupported_media_type")));
    }
    let huge = [JPEG, &vec![0; app.order_rules.photos.bytes]].concat();
    assert_eq!(attach(&door, &session, &huge).await.json()["code"], "body_too_large");
    for (at, expected) in [201, 201, 201, 201, 201, 409].into_iter().enumerate() {
        let one = [JPEG, &[u8::try_from(at).unwrap()]].concat();
        assert_eq!(attach(&door, &session, &one).await.status.as_u16(), expected, "photo {at}");
    }
    assert_eq!(door.get(&format!("/api/v1/photos/{nowhere}")).await.json()["code"], "unknown_photo");
    let id = attach(&door, &session, &[JPEG, &[0]].concat()).await.json()["id"].as_str().unwrap().to_string();
    let later = clock() + jiff::SignedDuration::from_hours(24 * 181);
    assert_eq!(app.state.forget_photos(&app.order_rules.photos, later).await.unwrap(), 5);
    assert_eq!(door.get(&format!("/api/v1/photos/{id}")).await.status.as_u16(), 404);
}

#[tokio::test]
async fn who_has_no_photo_is_helped_by_a_person_in_every_language() {
    let (_folder, app, door) = shop().await;
    for (lines, question, lacks, told) in [
        (SK, "potrebujeme najprv fotografiu", "nemám fotku", "Postará sa o to kolega"),
        (
            ["хочу вернуть бракованный товар из заказа TT-10436", "ondrej.polak@example.sk", "стаканы"],
            "сначала нужна фотография",
            "у меня нет фото",
            "займётся сотрудник",
        ),
        (
            ["I want to return damaged goods from order TT-10436", "ondrej.polak@example.sk", "the glasses"],
            "we need a photo first",
            "sorry, I don't have a photo",
            "A colleague will take care",
        ),
        (
            ["订单TT-10436的商品坏了，我要退货", "ondrej.polak@example.sk", "玻璃杯"],
            "我们需要先看到照片",
            "我没有照片",
            "人工客服会为您办理",
        ),
    ] {
        let session = asked(&door, &lines, question).await;
        let helped = say(&door, Some(&session), lacks).await;
        has(&helped, told);
        assert_eq!(helped["handover"]["reason"], "task", "{helped}");
        assert!(!may_attach(&helped), "{helped}");
        let id = session.parse::<SessionId>().unwrap();
        let case = app.state.open_case(id).await.unwrap().unwrap();
        // The person asks for one after all, and finds it in the packet.
        let step = |step: &str| json!({"do": step, "operator": "Eva", "text": "photo please"}).to_string();
        let path = format!("/api/v1/handover/{}", case.id);
        assert_eq!(attach(&door, &session, PNG).await.status.as_u16(), 409, "nobody has the chat yet");
        assert_eq!(door.post(&path, step("take"), &[]).await.status.as_u16(), 200);
        let kept = attach(&door, &session, PNG).await.json();
        let packet = door.get(&path).await.json();
        assert_eq!(packet["photos"], json!([kept["address"]]), "{packet}");
    }
    assert_eq!(OrderDesk::order(&app.state, "TT-10436").await.unwrap().unwrap().version, 1, "nothing was written");
}

#[tokio::test]
async fn photos_are_for_persons_of_the_shop_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = quick_config(folder.path());
    settings.server = config().server;
    settings.server.keys = vec![digest("page")];
    settings.server.admin_keys = vec![digest("office")];
    let front = ShopFront::load(&settings.paths.data);
    let app = app_keeping(settings, None, (front, state().await)).await;
    let door = TestApp::over(app);
    let get = async |key: &str| {
        let request = Request::get(format!("/api/v1/photos/{}", SessionId::fresh()))
            .header("authorization", format!("Bearer {key}"));
        door.send(request.body(Body::empty()).unwrap()).await.json()["code"].clone()
    };
    assert_eq!((get("page").await, get("office").await), (json!("admin_only"), json!("unknown_photo")));
    assert_eq!(get("none").await, "unauthorized");
}
