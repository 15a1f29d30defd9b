//! Who a shopper is: tokens through every API, codes in the chat and over HTTP, carts that follow, and what strangers cannot tell.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use truetill::app::App;
use truetill::config::Config;
use truetill::engine::{CodeLetter, CodeSender};
use truetill::identity::Codes;

use crate::common::{Reply, TestApp, app, clock, config, text};

const SECRET: &str = "the secret that shop and assistant share";
/// Of TT-10443 in `data/orders`.
const PHONE: &str = "+421 900 000 102";

struct Post(UnboundedSender<CodeLetter>);

#[async_trait]
impl CodeSender for Post {
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()> {
        Ok(self.0.send(letter.clone())?)
    }
}

fn settings() -> Config {
    let mut config = config();
    config.identity.token.algorithm = "HS256".to_string();
    config.identity.token.secret.0 = SECRET.to_string();
    config
}

/// An assistant that sends codes to us.
async fn shop() -> (Arc<App>, TestApp, UnboundedReceiver<CodeLetter>) {
    let mut app = Arc::into_inner(app(settings(), None).await).unwrap();
    let (sender, letters) = unbounded_channel();
    app.codes = Codes::over(&app.config.identity.code, Some(Arc::new(Post(sender)))).unwrap();
    let app = Arc::new(app);
    (Arc::clone(&app), TestApp::over(app), letters)
}

fn token_until(customer: &str, until: Timestamp) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message =
        format!("{}.{}", part(json!({"alg": "HS256"})), part(json!({"sub": customer, "exp": until.as_second()})));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

fn token(customer: &str) -> String {
    token_until(customer, clock() + SignedDuration::from_mins(10))
}

async fn send(door: &TestApp, (session, token): (Option<&Value>, Option<&str>), text: &str, locale: &str) -> Reply {
    let mut body = json!({"message": text, "locale": locale});
    if let Some(session) = session {
        body["session_id"] = session["session_id"].clone();
    }
    let headers: Vec<(&str, &str)> = token.map(|token| ("x-customer-token", token)).into_iter().collect();
    door.post("/api/v1/chat", body.to_string(), &headers).await
}

async fn say(door: &TestApp, who: (Option<&Value>, Option<&str>), text: &str) -> Value {
    let reply = send(door, who, text, "en").await.json();
    assert_eq!(reply["check"]["rejected"], json!([]), "{reply}");
    reply
}

fn has(reply: &Value, part: &str) {
    assert!(text(reply).contains(part), "`{part}` is missing in: {}", text(reply));
}

#[tokio::test]
async fn a_token_opens_the_customers_own_orders_and_no_others() {
    let (app, door, _letters) = shop().await;
    let own = app.orders.find("TT-10443").await.unwrap().unwrap();
    let told = say(&door, (None, Some(&token(&own.customer))), "where is my order TT-10443?").await;
    has(&told, "TT-10443");
    let other = say(&door, (None, Some(&token("C-nobody"))), "where is my order TT-10443?").await;
    has(&other, "could not find an order");
    let body = json!({"number": "TT-10443"}).to_string();
    let mine = token(&own.customer);
    let found = door.post("/api/v1/orders/find", body.clone(), &[("x-customer-token", &mine)]).await;
    assert_eq!((found.status.as_u16(), &found.json()["order"]["number"]), (200, &json!("TT-10443")));
    let foreign = token("C-nobody");
    let foreign = door.post("/api/v1/orders/find", body, &[("x-customer-token", &foreign)]).await;
    let missing = json!({"number": "TT-99999"}).to_string();
    let missing = door.post("/api/v1/orders/find", missing, &[("x-customer-token", &mine)]).await;
    let plain = |reply: &Reply| {
        let mut body = reply.json();
        body["request_id"] = Value::Null;
        (reply.status, body)
    };
    assert_eq!(plain(&foreign), plain(&missing), "a foreign order looks like a missing one");
}

#[tokio::test]
async fn a_token_that_is_not_believed_says_why() {
    let (_app, door, _letters) = shop().await;
    let over = token_until("C-1", clock() - SignedDuration::from_mins(5));
    let bent = token("C-1").replacen('.', ".e", 1);
    for (token, code) in [("rubbish", "token_malformed"), (over.as_str(), "token_expired"), (&bent, "token_signature")]
    {
        let reply = send(&door, (None, Some(token)), "hello", "en").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (401, &json!(code)));
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    let off = TestApp::new().await;
    assert_eq!(send(&off, (None, Some(&token("C-1"))), "hello", "en").await.json()["code"], "token_not_accepted");
}

#[tokio::test]
async fn a_conversation_is_one_customers_and_nobody_elses() {
    let (app, door, _letters) = shop().await;
    let (own, other) = (token("C-1"), token("C-2"));
    let anonymous = say(&door, (None, None), "hello").await;
    let upward = say(&door, (Some(&anonymous), Some(&own)), "hello").await;
    assert_eq!(upward["session_id"], anonymous["session_id"], "logging in keeps the conversation");
    let again = say(&door, (Some(&upward), None), "hello").await;
    assert_eq!(again["session_id"], upward["session_id"]);
    let stranger = say(&door, (Some(&upward), Some(&other)), "hello").await;
    assert_ne!(stranger["session_id"], upward["session_id"], "another customer begins anew");
    let id = stranger["session_id"].as_str().unwrap().parse().unwrap();
    let fresh = app.state.session(id).await.unwrap().unwrap();
    assert_eq!((fresh.customer.as_deref(), fresh.turns, fresh.recent.len()), (Some("C-2"), 1, 1));
    let path = format!("/api/v1/cart?session_id={}", upward["session_id"].as_str().unwrap());
    let request = axum::http::Request::get(path).header("x-customer-token", &other);
    let looked = door.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(looked.json()["code"], "unknown_session");
}

#[tokio::test]
async fn what_lay_in_the_cart_goes_along_when_somebody_logs_in() {
    let (_app, door, _letters) = shop().await;
    let own = token("C-cart");
    let first = say(&door, (None, None), "put the Volna electric kettle 1.7 l in my cart").await;
    has(&say(&door, (Some(&first), None), "silver").await, "In your cart");
    let shown = say(&door, (Some(&first), Some(&own)), "show my cart").await;
    assert_eq!(shown["session_id"], first["session_id"]);
    has(&shown, "Volna");
    let elsewhere = say(&door, (None, Some(&own)), "show my cart").await;
    has(&elsewhere, "Volna");
}

#[tokio::test]
async fn a_clients_of_openai_can_carry_the_token() {
    let (app, door, _letters) = shop().await;
    let own = app.orders.find("TT-10443").await.unwrap().unwrap();
    let ask = |token: Option<&str>, history: Vec<Value>| {
        let mut body = json!({"model": "truetill", "messages": history});
        if let Some(token) = token {
            body["metadata"] = json!({"customer_token": token});
        }
        body.to_string()
    };
    let hello = json!({"role": "user", "content": "hello"});
    let mine = token(&own.customer);
    let first = door.post("/v1/chat/completions", ask(Some(&mine), vec![hello.clone()]), &[]).await.json();
    let answer = first["choices"][0]["message"]["content"].clone();
    let history = vec![
        hello,
        json!({"role": "assistant", "content": answer}),
        json!({"role": "user", "content": "where is my order?"}),
    ];
    let known = ask(Some(&mine), history.clone());
    let nobody = door.post("/v1/chat/completions", ask(None, history), &[]).await.json();
    assert!(!nobody["choices"][0]["message"]["content"].to_string().contains("TT-"), "a history alone opens nothing");
    let told = door.post("/v1/chat/completions", known, &[]).await.json();
    assert!(told["choices"][0]["message"]["content"].to_string().contains("TT-"), "{told}");
    let refused = ask(Some("rubbish"), vec![json!({"role": "user", "content": "hello"})]);
    let refused = door.post("/v1/chat/completions", refused, &[]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (401, &json!("token_malformed")));
}

#[tokio::test]
async fn a_code_opens_an_order_by_its_phone_alone() {
    for (locale, opening, sent, again, told) in [
        ("en", "where is my order?", "sent a code", "new code", "TT-10443"),
        ("ru", "где мой заказ?", "отправил туда код", "новый код", "TT-10443"),
        ("sk", "kde je moja objednávka?", "odoslal kód", "nový kód", "TT-10443"),
        ("zh", "我的订单在哪里？", "验证码已经发送", "重新发送", "TT-10443"),
    ] {
        let (app, door, mut letters) = shop().await;
        let say = async |before: Option<&Value>, text: &str| send(&door, (before, None), text, locale).await.json();
        let first = say(None, opening).await;
        let asked = say(Some(&first), PHONE).await;
        has(&asked, sent);
        assert!(!text(&asked).contains("TT-"), "nothing is told before the code");
        let letter = letters.recv().await.unwrap();
        assert!(letter.text.contains(&letter.code) && letter.code.len() == 6, "{letter:?}");
        let wrong = if letter.code == "000000" { "000001" } else { "000000" };
        let refused = say(Some(&first), wrong).await;
        assert!(!text(&refused).contains("TT-"), "{}", text(&refused));
        assert!(!text(&say(Some(&first), again).await).contains("TT-"));
        let typed = format!("{} {}", &letter.code[..3], &letter.code[3..]);
        let opened = say(Some(&first), &typed).await;
        has(&opened, told);
        let turn = opened["turn_id"].as_str().unwrap().parse().unwrap();
        let record = app.state.turn(turn).await.unwrap().unwrap().to_string();
        assert!(!record.contains(&typed) && record.contains("[code]"), "the audit does not hold the code");
    }
}

#[tokio::test]
async fn a_contact_without_orders_is_answered_in_the_same_words() {
    let (_app, door, mut letters) = shop().await;
    let mut replies = Vec::new();
    for phone in [PHONE, "+421 900 999 999"] {
        let first = say(&door, (None, None), "where is my order?").await;
        let asked = say(&door, (Some(&first), None), phone).await;
        let tried = say(&door, (Some(&first), None), "123456").await;
        replies.push((text(&asked).to_string(), text(&tried).to_string()));
    }
    assert_eq!(replies[0], replies[1]);
    assert_eq!(letters.recv().await.unwrap().to.key(), "phone:421900000102");
    assert!(letters.try_recv().is_err(), "nothing is sent to a phone that no order has");
}

#[tokio::test]
async fn tries_and_letters_have_their_limits() {
    let (_app, door, mut letters) = shop().await;
    let first = say(&door, (None, None), "where is my order?").await;
    say(&door, (Some(&first), None), PHONE).await;
    let code = letters.recv().await.unwrap().code;
    let wrong = if code == "111111" { "222222" } else { "111111" };
    for _ in 0..5 {
        has(&say(&door, (Some(&first), None), wrong).await, "not the code");
    }
    has(&say(&door, (Some(&first), None), &code).await, "no longer works");
    has(&say(&door, (Some(&first), None), "new code").await, "a moment ago");
    let other = say(&door, (None, None), "where is my order?").await;
    has(&say(&door, (Some(&other), None), PHONE).await, "a moment ago");
}

#[tokio::test]
async fn a_code_over_http_opens_what_the_conversation_proved() {
    let (_app, door, mut letters) = shop().await;
    let asked = door.post("/api/v1/codes", json!({"phone": PHONE}).to_string(), &[]).await;
    let unknown = door.post("/api/v1/codes", json!({"phone": "+421 900 999 999"}).to_string(), &[]).await;
    assert_eq!((asked.status.as_u16(), unknown.status.as_u16()), (202, 202));
    let session = asked.json()["session_id"].clone();
    let find = json!({"number": "TT-10443", "session_id": session}).to_string();
    assert_eq!(door.post("/api/v1/orders/find", find.clone(), &[]).await.status.as_u16(), 404);
    let code = letters.recv().await.unwrap().code;
    let wrong = if code == "111111" { "222222" } else { "111111" };
    let check = |code: &str| json!({"session_id": session, "code": code}).to_string();
    let refused = door.post("/api/v1/codes/check", check(wrong), &[]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("code_wrong")));
    assert_eq!(door.post("/api/v1/codes/check", check(&code), &[]).await.status.as_u16(), 200);
    assert_eq!(door.post("/api/v1/orders/find", find, &[]).await.status.as_u16(), 200);
    let foreign = json!({"number": "TT-10452", "session_id": session}).to_string();
    assert_eq!(door.post("/api/v1/orders/find", foreign, &[]).await.status.as_u16(), 404);
    assert_eq!(door.post("/api/v1/codes/check", check(&code), &[]).await.json()["code"], "code_over");
    let soon = door.post("/api/v1/codes", json!({"phone": PHONE}).to_string(), &[]).await;
    assert_eq!((soon.status.as_u16(), &soon.json()["code"]), (429, &json!("code_too_soon")));
    let off = TestApp::new().await.post("/api/v1/codes", json!({"phone": PHONE}).to_string(), &[]).await;
    assert_eq!(off.json()["code"], "codes_off");
}

#[tokio::test]
async fn whoever_guesses_about_many_orders_is_not_heard() {
    let (_app, door, _letters) = shop().await;
    let find = async |number: &str, email: &str| {
        let body = json!({"number": number, "email": email}).to_string();
        door.post("/api/v1/orders/find", body, &[]).await.status.as_u16()
    };
    assert_eq!(find("TT-10452", "martin.balog@example.sk").await, 200);
    for number in 0..15 {
        assert_eq!(find(&format!("TT-{}", 90000 + number), "guess@example.sk").await, 404);
    }
    assert_eq!(find("TT-10452", "martin.balog@example.sk").await, 404);
}

#[tokio::test]
async fn with_a_token_a_customer_speaks_for_themselves_and_for_nobody_else() {
    let app = app(settings(), None).await;
    let mine = token("C-1005");
    let headers = [("x-customer-token", mine.as_str())];
    let yes = |more: Value| {
        let mut body = json!({"topic": "marketing", "granted": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    // Asked from afar without a key anybody could be the caller: only the token says who it is.
    for (door, foreign) in [(TestApp::over(Arc::clone(&app)).from_afar(), 403), (TestApp::over(Arc::clone(&app)), 200)]
    {
        let said = door.post("/api/v1/consent", yes(json!({})), &headers).await;
        assert_eq!(said.status, 200, "{}", said.body);
        assert_eq!(said.json()["now"][0]["topic"], "marketing", "{}", said.body);
        assert!(said.body.contains("customer:C-1005"), "{}", said.body);
        let named = door.post("/api/v1/consent", yes(json!({"customer": "C-1006"})), &headers).await;
        assert_eq!(named.json()["field"], "customer", "{}", named.body);
        let address = door.post("/api/v1/consent", yes(json!({"email": "other@example.com"})), &headers).await;
        assert_eq!(address.status.as_u16(), foreign, "{}", address.body);
    }
    let afar = TestApp::over(Arc::clone(&app)).from_afar();
    assert_eq!(afar.post("/api/v1/consent", yes(json!({"customer": "C-1005"})), &[]).await.status, 403);
    let request = axum::http::Request::get("/api/v1/consent").header("x-customer-token", &mine);
    let read = afar.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(read.status == 200 && read.body.contains("customer:C-1005"), "{}", read.body);
}
