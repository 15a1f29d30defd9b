//! Payment providers over the wire: what is sent to them, byte for byte, and what their notices are worth. They are played by a
//! small server in this process.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use truetill::config::{Config, Payments, Secret};
use truetill::domain::cart::Bill;
use truetill::domain::order::OrderState;
use truetill::domain::{Language, Money};
use truetill::engine::{Notice, NoticeError, PaymentLinks};
use truetill::pay::{self, Stripe, YooKassa};

use crate::common::{TestApp, app, clock, config};

/// One request as the provider got it.
#[derive(Clone, Debug)]
struct Got {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

type Heard = Arc<Mutex<Vec<Got>>>;

/// A provider that answers everything with one body.
#[derive(Clone)]
struct Provider {
    heard: Heard,
    status: u16,
    answer: Value,
}

async fn answer(State(provider): State<Provider>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = to_bytes(body, 1 << 20).await.unwrap();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_string();
    provider.heard.lock().unwrap().push(Got {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    });
    let status = axum::http::StatusCode::from_u16(provider.status).unwrap();
    (status, axum::Json(provider.answer)).into_response()
}

async fn provider(status: u16, answer_body: Value) -> (String, Heard) {
    let heard = Heard::default();
    let state = Provider { heard: Arc::clone(&heard), status, answer: answer_body };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(state)).await });
    (base, heard)
}

fn settings(provider: &str, base: &str) -> Payments {
    Payments {
        provider: provider.to_string(),
        base: base.to_string(),
        key: Secret("12345:secret".to_string()),
        webhook_secret: Secret("whsec_x".to_string()),
        ..Config::defaults().payments
    }
}

fn bill(amount: &str, currency: &str) -> Bill {
    Bill {
        order: "TT-20001".to_string(),
        amount: Money::parse(amount, currency.parse().unwrap()).unwrap(),
        key: "truetill-TT-20001-7182-0".to_string(),
        language: Language::Sk,
        email: Some("eva@example.sk".to_string()),
    }
}

fn unescaped(form: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let (mut out, mut bytes) = (Vec::new(), text.bytes());
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => {
                    let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                    out.push(u8::from_str_radix(&hex, 16).unwrap());
                }
                b'+' => out.push(b' '),
                other => out.push(other),
            }
        }
        String::from_utf8(out).unwrap()
    };
    form.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (plain(a), plain(b))).collect()
}

#[tokio::test]
async fn stripe_is_asked_for_exactly_the_orders_amount() {
    let (base, heard) =
        provider(200, json!({"id": "cs_test_1", "url": "https://checkout.stripe.com/c/pay/cs_test_1"})).await;
    let link = Stripe::read(&settings("stripe", &base)).unwrap().link(&bill("71.82", "EUR")).await.unwrap();
    assert_eq!(
        (link.reference.as_str(), link.url.as_str()),
        ("cs_test_1", "https://checkout.stripe.com/c/pay/cs_test_1")
    );
    let got = heard.lock().unwrap()[0].clone();
    assert_eq!(got.line, "POST /v1/checkout/sessions");
    assert_eq!(got.header("authorization"), "Bearer 12345:secret");
    assert_eq!(got.header("idempotency-key"), "truetill-TT-20001-7182-0");
    assert_eq!(got.header("stripe-version"), "2024-06-20");
    assert_eq!(got.header("content-type"), "application/x-www-form-urlencoded");
    let form = unescaped(&got.body);
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(field("mode"), Some("payment"));
    assert_eq!(field("line_items[0][price_data][unit_amount]"), Some("7182"));
    assert_eq!(field("line_items[0][price_data][currency]"), Some("eur"));
    assert_eq!((field("client_reference_id"), field("metadata[order]")), (Some("TT-20001"), Some("TT-20001")));
    assert_eq!(field("success_url"), Some("https://horizont.example/orders/TT-20001"));
    assert_eq!((field("customer_email"), field("locale")), (Some("eva@example.sk"), Some("sk")));
    assert!(!form.iter().any(|(name, _)| name.contains("card")), "{form:?}");
}

#[tokio::test]
async fn yookassa_is_asked_in_its_own_words_and_asked_again_before_it_is_believed() {
    let created =
        json!({"id": "2a0f-1", "status": "pending", "confirmation": {"confirmation_url": "https://yoomoney.ru/x"}});
    let (base, heard) = provider(200, created).await;
    let link = YooKassa::read(&settings("yookassa", &base)).unwrap().link(&bill("3080.00", "RUB")).await.unwrap();
    assert_eq!((link.reference.as_str(), link.url.as_str()), ("2a0f-1", "https://yoomoney.ru/x"));
    let got = heard.lock().unwrap()[0].clone();
    assert_eq!(got.line, "POST /v3/payments");
    assert_eq!(got.header("authorization"), "Basic MTIzNDU6c2VjcmV0");
    assert_eq!(got.header("idempotence-key"), "truetill-TT-20001-7182-0");
    let body: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(body["amount"], json!({"value": "3080.00", "currency": "RUB"}));
    assert_eq!((&body["capture"], &body["confirmation"]["type"]), (&json!(true), &json!("redirect")));
    assert_eq!(body["metadata"]["order"], "TT-20001");

    let told = |event: &str, id: &str| {
        json!({"type": "notification", "event": event, "object": {"id": id, "status": "succeeded", "amount": {"value": "1.00", "currency": "RUB"}}}).to_string()
    };
    for (status, paid, expected) in
        [("succeeded", true, Some(308_000)), ("pending", false, None), ("succeeded", false, None)]
    {
        let payment =
            json!({"id": "2a0f-1", "status": status, "paid": paid, "amount": {"value": "3080.00", "currency": "RUB"}});
        let (base, heard) = provider(200, payment).await;
        let client = YooKassa::read(&settings("yookassa", &base)).unwrap();
        let body = told("payment.succeeded", "2a0f-1");
        let notice = Notice { body: body.as_bytes(), signature: None, now: clock() };
        let got = client.paid(notice).await.unwrap();
        assert_eq!(got.map(|paid| paid.amount.minor), expected, "what the notice itself says is not believed");
        assert_eq!(heard.lock().unwrap()[0].line, "GET /v3/payments/2a0f-1");
        let other = told("payment.canceled", "2a0f-1");
        assert_eq!(client.paid(Notice { body: other.as_bytes(), ..notice }).await.unwrap(), None);
        let forged = told("payment.succeeded", "../refunds/2a0f-1");
        let refused = client.paid(Notice { body: forged.as_bytes(), ..notice }).await;
        assert!(matches!(refused, Err(NoticeError::Refused(_))), "{refused:?}");
        assert_eq!(heard.lock().unwrap().len(), 1, "a forged id leads to no call");
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_told_in_words_without_its_keys() {
    let (base, _) = provider(402, json!({"error": {"message": "no such thing"}})).await;
    let error = Stripe::read(&settings("stripe", &base)).unwrap().link(&bill("1.00", "EUR")).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("402") && text.contains("no such thing") && !text.contains("secret"), "{text}");
    let (base, _) = provider(200, json!({"id": "x", "url": "http://elsewhere.example"})).await;
    assert!(Stripe::read(&settings("stripe", &base)).unwrap().link(&bill("1.00", "EUR")).await.is_err());
    let iceland = Stripe::read(&settings("stripe", &base)).unwrap().link(&bill("100", "ISK")).await;
    assert!(iceland.is_err(), "a currency that is counted otherwise there is refused");
    let check = |change: fn(&mut Payments), part: &str| {
        let mut changed = settings("stripe", "");
        change(&mut changed);
        let error = pay::open(&changed).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(part), "{error}");
    };
    check(|settings| settings.key = Secret::default(), "payments.key");
    check(|settings| settings.webhook_secret = Secret::default(), "payments.webhook_secret");
    check(|settings| settings.provider = "cash".to_string(), "payments.provider");
    check(
        |settings| (settings.provider, settings.link) = ("link".to_string(), "https://x.example/pay".to_string()),
        "{order}",
    );
    assert!(!format!("{:?}", settings("stripe", "")).contains("secret\""), "keys are not printed");
}

/// HMAC-SHA256 by its definition.
fn signature(secret: &str, message: &str) -> String {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| -> Vec<u8> {
        let key = secret.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::digest([pad(0x36), message.as_bytes().to_vec()].concat());
    hex::encode(Sha256::digest([pad(0x5c), inner.to_vec()].concat()))
}

#[tokio::test]
async fn a_signed_notice_closes_the_loop_once() {
    let session = json!({"id": "cs_9", "url": "https://checkout.stripe.com/c/pay/cs_9"});
    let (base, heard) = provider(200, session).await;
    let mut app = Arc::into_inner(app(config(), None).await).unwrap();
    app.payments = Arc::new(Stripe::read(&settings("stripe", &base)).unwrap());
    let app = Arc::new(app);
    let door = TestApp::over(Arc::clone(&app)).from_afar();
    let edit = json!({"edit": {"do": "add", "sku": "KT-101-SLV"}}).to_string();
    let cart = door.post("/api/v1/cart", edit, &[]).await.json();
    let place = json!({"session_id": cart["session_id"], "edit": {"do": "place", "town": "bratislava"}}).to_string();
    door.post("/api/v1/cart", place, &[]).await;
    let address = json!({"line1": "Hlavna 1", "city": "Bratislava", "postcode": "81101"});
    let buyer = json!({"phone": "+421900000777", "address": address});
    let body = json!({"session_id": cart["session_id"], "buyer": buyer}).to_string();
    let shown = door.post("/api/v1/checkout", body, &[]).await.json();
    let path = format!("/api/v1/checkout/{}", shown["id"].as_str().unwrap());
    let yes = json!({"token": shown["token"]}).to_string();
    for _ in 0..2 {
        let placed = door.post(&path, yes.clone(), &[]).await.json();
        assert_eq!(placed["payment"]["url"], "https://checkout.stripe.com/c/pay/cs_9", "{placed}");
    }
    assert_eq!(heard.lock().unwrap().len(), 1, "one order, one page");
    let event = json!({"type": "checkout.session.completed", "data": {"object": {"id": "cs_9", "payment_status": "paid", "amount_total": 4380, "currency": "eur"}}}).to_string();
    let stamp = clock().as_second();
    let signature = format!("t={stamp},v1={}", signature("whsec_x", &format!("{stamp}.{event}")));
    let tell = async |signature: &str| {
        door.post("/api/v1/payments/stripe", event.clone(), &[("stripe-signature", signature)]).await
    };
    assert_eq!(tell("t=1,v1=00").await.json()["code"], "notice_refused");
    assert_eq!(tell(&signature).await.json()["result"], "paid");
    assert_eq!(tell(&signature).await.json()["result"], "known");
    let order = app.orders.find("TT-20001").await.unwrap().unwrap();
    assert_eq!((order.state, order.payments.len()), (OrderState::Processing, 1));
    assert_eq!(order.payments[0].amount.minor, 4380);
    assert_eq!(door.post("/api/v1/payments/yookassa", event.clone(), &[]).await.json()["code"], "notice_refused");
    let forged = json!({"order": "TT-20001", "amount": "43.80", "currency": "EUR"}).to_string();
    assert_eq!(door.post("/api/v1/payments/link", forged, &[]).await.status, 403, "from afar nobody says so");
}
