//! The order desk in the chat, through the router: what is shown, what counts as a yes, what is written and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use truetill::app::App;
use truetill::domain::order::OrderState;
use truetill::domain::session::TurnId;
use truetill::store::OrderBook;

use crate::common::{TestApp, app, clock, config, text};

/// A conversation over HTTP.
struct Chat<'a> {
    app: &'a TestApp,
    locale: &'a str,
    reply: Value,
}

impl<'a> Chat<'a> {
    fn new(app: &'a TestApp, locale: &'a str) -> Chat<'a> {
        Chat { app, locale, reply: Value::Null }
    }

    async fn say(&mut self, line: &str) -> String {
        let who = json!({"locale": self.locale, "session_id": self.reply["session_id"]});
        self.reply = self.app.say(who, None, line).await;
        text(&self.reply).to_string()
    }

    /// Says all of it and gives the last reply.
    async fn say_all(&mut self, lines: &[&str]) -> String {
        let mut last = String::new();
        for line in lines {
            last = self.say(line).await;
        }
        last
    }
}

/// An assistant to look into, and the router before it.
async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

async fn state(app: &App, number: &str) -> OrderState {
    app.orders.find(number).await.unwrap().unwrap().state
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in: {text}");
}

#[tokio::test]
async fn a_yes_in_ones_own_words_is_done_once_and_read_back() {
    for (locale, opening, proof, number, yes, refund, done) in [
        (
            "ru",
            "отмените заказ TT-10454",
            "+7 900 000-01-22",
            "TT-10454",
            "да, отменяйте",
            "3\u{a0}080\u{a0}₽",
            "Готово",
        ),
        ("sk", "zrušte objednávku TT-10452", "martin.balog@example.sk", "TT-10452", "áno", "119,90\u{a0}€", "Hotovo"),
        ("zh", "取消订单TT-10456", "huang.qiang@example.cn", "TT-10456", "好的", "¥181", "已取消"),
        ("en", "cancel my order TT-10443", "+421 900 000 102", "TT-10443", "yes please", "€129.90", "Done"),
    ] {
        let (app, door) = shop().await;
        let mut chat = Chat::new(&door, locale);
        has(&chat.say_all(&[opening, proof]).await, refund);
        assert_eq!((state(&app, number).await, app.state.events().await.unwrap()), (OrderState::Processing, 0));
        let text = chat.say(yes).await;
        has(&text, done);
        has(&text, refund);
        assert_eq!(state(&app, number).await, OrderState::Cancelled);
        chat.say(yes).await;
        assert_eq!(app.state.events().await.unwrap(), 1, "{locale}");
    }
}

#[tokio::test]
async fn a_no_and_an_unclear_answer_write_nothing() {
    let (app, door) = shop().await;
    for (locale, answer, told) in [
        ("en", "no, leave it", "stays as it is"),
        ("ru", "не надо, передумала", "остаётся как есть"),
        ("sk", "nie, rozmyslel som si to", "zostáva"),
        ("zh", "算了，留着吧", "保持不变"),
        ("en", "cancel", "clear yes or no"),
        ("ru", "подождите", "чёткое"),
        ("en", "what about the weather", "still open"),
    ] {
        let mut chat = Chat::new(&door, locale);
        let opening = if locale == "zh" { "取消订单TT-10452" } else { "cancel my order TT-10452" };
        has(&chat.say_all(&[opening, "martin.balog@example.sk", answer]).await, told);
        assert_eq!(state(&app, "TT-10452").await, OrderState::Processing, "{answer}");
    }
    assert_eq!(app.state.events().await.unwrap(), 0);
}

#[tokio::test]
async fn a_yes_is_heard_only_to_the_question_that_stands_there() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say_all(&["cancel my order TT-10452", "martin.balog@example.sk"]).await;
    let question = "How much is the Volna electric kettle 1.7 l?";
    for _ in 0..2 {
        let text = chat.say(question).await;
        has(&text, "€39.90");
        has(&text, "still open");
    }
    // It is not repeated for ever; then a yes belongs to something else and the proposal is shown anew.
    assert!(!chat.say(question).await.contains("still open"));
    has(&chat.say("yes").await, "clear yes or no");
    assert_eq!(state(&app, "TT-10452").await, OrderState::Processing);
    has(&chat.say("yes").await, "Done");
}

#[tokio::test]
async fn what_changed_is_shown_again_before_anything_is_done() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say_all(&["cancel my order TT-10452", "martin.balog@example.sk"]).await;
    let address = json!({"line1": "Hlavna 1", "city": "Kosice", "postcode": "04001"});
    let operation = json!({"do": "change_address", "order": "TT-10452", "address": address});
    let body = json!({"email": "martin.balog@example.sk", "operation": operation}).to_string();
    let task = door.post("/api/v1/tasks", body, &[]).await.json();
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let ended = door.post(&path, json!({"token": task["token"]}).to_string(), &[]).await.json();
    assert_eq!(ended["state"], "done");
    let text = chat.say("yes").await;
    has(&text, "has changed since");
    has(&text, "€119.90");
    assert_eq!(state(&app, "TT-10452").await, OrderState::Processing);
    has(&chat.say("yes").await, "Done");
    assert_eq!(state(&app, "TT-10452").await, OrderState::Cancelled);
}

static LATER_S: AtomicI64 = AtomicI64::new(0);

fn later() -> Timestamp {
    clock() + SignedDuration::from_secs(LATER_S.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_proposal_runs_out() {
    let mut app = Arc::into_inner(app(config(), None).await).unwrap();
    app.clock = later;
    let app = Arc::new(app);
    let door = TestApp::over(Arc::clone(&app));
    let mut chat = Chat::new(&door, "sk");
    chat.say_all(&["zrušte objednávku TT-10452", "martin.balog@example.sk"]).await;
    LATER_S.store(31 * 60, Ordering::SeqCst);
    has(&chat.say("áno").await, "Čas na odpoveď už uplynul");
    assert_eq!(state(&app, "TT-10452").await, OrderState::Processing);
    LATER_S.store(40 * 60, Ordering::SeqCst);
    has(&chat.say("áno").await, "Hotovo");
    chat.say_all(&["zrušte objednávku TT-10443", "peter.horvath@example.sk"]).await;
    LATER_S.store(90 * 60, Ordering::SeqCst);
    assert!(!chat.say("dobrý deň").await.contains("TT-10443"), "an old question is let go");
}

#[tokio::test]
async fn a_process_that_died_after_the_write_says_done_and_writes_no_more() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say_all(&["cancel my order TT-10452", "martin.balog@example.sk"]).await;
    let id = chat.reply["session_id"].as_str().unwrap().parse().unwrap();
    let before = app.state.session(id).await.unwrap().unwrap();
    has(&chat.say("yes").await, "Done");
    // The conversation as it stood before: the write was kept, the turn was not.
    app.state.record(&before, TurnId::fresh(), &json!({})).await.unwrap();
    has(&chat.say("yes").await, "Done");
    assert_eq!(app.state.events().await.unwrap(), 1);
    app.state.record(&before, TurnId::fresh(), &json!({})).await.unwrap();
    has(&chat.say("no, leave it").await, "Done");
    assert_eq!(state(&app, "TT-10452").await, OrderState::Cancelled);
}

#[tokio::test]
async fn a_return_names_pieces_and_money_and_a_refusal_its_rule() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "sk");
    let asked = chat.say_all(&["chcem vrátiť tovar z objednávky TT-10436", "ondrej.polak@example.sk"]).await;
    has(&asked, "Poháre s dvojitou stenou");
    let text = chat.say("tie poháre").await;
    has(&text, "37,80\u{a0}€");
    has(&text, "2 kusy");
    assert!(!text.contains("káva"), "{text}");
    has(&chat.say("áno, zaevidujte vrátenie").await, "Hotovo");
    assert_eq!(state(&app, "TT-10436").await, OrderState::ReturnRequested);
    let refused = Chat::new(&door, "en")
        .say("I want to return the floor lamp from order TT-10404, james.walker@example.com")
        .await;
    has(&refused, "Source");
}

#[tokio::test]
async fn guessing_ends_and_never_shuts_the_owner_out() {
    let (app, door) = shop().await;
    for _ in 0..3 {
        let mut chat = Chat::new(&door, "en");
        for _ in 0..2 {
            let text = chat.say("cancel my order TT-10452, somebody@example.org").await;
            assert!(!text.contains("119.90"), "{text}");
        }
    }
    let find = json!({"number": "TT-10452", "email": "somebody@example.org"}).to_string();
    for _ in 0..5 {
        assert_eq!(door.post("/api/v1/orders/find", find.clone(), &[]).await.status, 404);
    }
    let own = json!({"number": "TT-10452", "email": "martin.balog@example.sk"}).to_string();
    assert_eq!(door.post("/api/v1/orders/find", own.clone(), &[]).await.status, 404, "this caller guessed");
    let other = TestApp::over(Arc::clone(&app)).from_afar();
    assert_eq!(other.post("/api/v1/orders/find", own, &[]).await.status, 200, "the owner did not");
    has(&Chat::new(&door, "en").say("cancel my order TT-10452, martin.balog@example.sk").await, "€119.90");
}

#[tokio::test]
async fn neither_the_token_nor_whose_order_it_is_stands_in_the_audit() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say("cancel my order TT-10452, martin.balog@example.sk").await;
    let id = chat.reply["session_id"].as_str().unwrap().parse().unwrap();
    let shown = app.state.session(id).await.unwrap().unwrap().talk.unwrap().shown.unwrap();
    let turn = chat.reply["turn_id"].as_str().unwrap().parse().unwrap();
    let record = app.state.turn(turn).await.unwrap().unwrap().to_string();
    for secret in [shown.token.as_str(), "martin.balog", "Balog", "+421900000110"] {
        assert!(!record.contains(secret) && !chat.reply.to_string().contains(&shown.token), "{secret}: {record}");
    }
    has(&record, &shown.task);
}

#[tokio::test]
async fn an_exchange_asks_which_variant_and_settles_the_difference() {
    let mut app = Arc::into_inner(app(config(), None).await).unwrap();
    app.order_rules.exchange.states = vec![OrderState::Delivered];
    let folder = tempfile::tempdir().unwrap();
    let order = r#"{"number":"TT-90001","customer":"C-9","name":"N","phone":"+421900000900","email":"n@example.sk","language":"en","place":"nitra","placed":"2026-11-01","state":"delivered","delivered":"2026-11-20","currency":"EUR","items":[{"sku":"SH-101-42-BLK","quantity":1,"price":"50.00"}],"shipping":"0","total":"50.00","payments":[{"amount":{"minor":5000,"currency":"EUR"},"method":"card-1"}]}"#;
    std::fs::write(folder.path().join("orders.jsonl"), order).unwrap();
    std::fs::write(folder.path().join("customers.jsonl"), r#"{"id":"C-9","methods":[{"id":"card-1","kind":"card"}]}"#)
        .unwrap();
    app.state.take_orders(&OrderBook::load(folder.path()).unwrap()).await.unwrap();
    let app = Arc::new(app);
    let door = TestApp::over(Arc::clone(&app));
    let mut chat = Chat::new(&door, "en");
    has(&chat.say("I want to exchange my order TT-90001 for another size, n@example.sk").await, "Which size or colour");
    let text = chat.say("43").await;
    has(&text, "In its place we will send");
    has(&text, "difference of");
    has(&chat.say("yes, exchange it").await, "Done");
    assert_eq!(state(&app, "TT-90001").await, OrderState::ExchangeRequested);
}

/// A task of each kind on an order of the demo shop.
fn tasks_on(order: &truetill::domain::order::Order) -> Vec<truetill::domain::desk::TaskFact> {
    use truetill::domain::desk::{Effect, Operation, Payment, Piece, Task, TaskFact, TaskState};
    use truetill::domain::{Language, Localised, Money};
    let items: Vec<_> = order.items.iter().map(|item| item.sku.clone()).collect();
    let price = |text: &str| Money::parse(text, order.currency).unwrap();
    let goods = order.items.iter().map(|item| price(&item.price).minor).sum();
    let number = || order.number.clone();
    let address = json!({"line1": "Dlhá 12", "city": "Nitra", "postcode": "949 01"});
    let exchange = || Operation::ExchangeItems { order: number(), items: items.clone(), wanted: vec![], method: None };
    let due = |refund: bool, minor: i64| Payment {
        refund,
        amount: Money::new(minor, order.currency),
        method: "card".to_string(),
    };
    let piece = |minor: i64| Piece {
        sku: "X".into(),
        name: Localised::only(Language::En, "Taiga 1.7 (42, black)"),
        quantity: 2,
        price: Some(Money::new(minor, order.currency)),
    };
    let cases = [
        (Operation::CancelOrder { order: number(), reason: "x".into() }, Some(price(&order.total)), None, vec![]),
        (
            Operation::ReturnItems {
                order: number(),
                items: items.clone(),
                method: None,
                reason: Default::default(),
                photos: Vec::new(),
            },
            Some(Money::new(goods, order.currency)),
            None,
            vec![],
        ),
        (exchange(), None, Some(due(false, 700)), vec![piece((goods + 700) / 2)]),
        (exchange(), None, Some(due(true, 300)), vec![piece((goods - 300) / 2)]),
        (
            Operation::ChangeAddress { order: number(), address: serde_json::from_value(address).unwrap() },
            None,
            None,
            vec![],
        ),
    ];
    let facts = cases.into_iter().map(|(operation, refund, money, wanted)| {
        let money = money.into_iter().collect();
        let effect = Effect { state: None, money, refund, pays: None, clause: "returns#1".to_string() };
        let task = Task {
            id: "t".to_string(),
            customer: order.customer.clone(),
            operation,
            state: TaskState::AwaitingConfirmation,
            token: String::new(),
            effect: Some(effect),
            refusal: None,
            order_version: 1,
            created: clock(),
        };
        TaskFact {
            task,
            order: order.clone(),
            pieces: vec![piece(goods / 2)],
            wanted,
            rma: None,
            label: None,
            first_day: None,
        }
    });
    facts.collect()
}

#[tokio::test]
async fn every_sentence_about_orders_passes_the_guard_in_every_language() {
    use truetill::domain::plan::TaskLine::*;
    use truetill::domain::{Fact, FactBody, FactId, Language, Move};
    use truetill::guard::Verdict;
    use truetill::render::Scene;
    let app = app(config(), None).await;
    let check = |language, step: Move, fact: Fact| {
        let scene = Scene {
            language,
            facts: std::slice::from_ref(&fact),
            today: jiff::civil::date(2026, 11, 23),
            tone: Default::default(),
        };
        let draft = app.renderer.render(&[step], &scene);
        let told = draft.segments.iter().map(|segment| segment.text.clone()).collect::<Vec<_>>().join("\n");
        assert!(!told.is_empty() && !told.contains("  "), "{language}: {told}");
        let verdict = app.guard.check(draft, std::slice::from_ref(&fact), "");
        assert!(matches!(verdict, Verdict::Accepted(_)), "{language}: {told}\n{verdict:?}");
    };
    let fact = |body| Fact { id: FactId("f".to_string()), body, source: "test".to_string(), as_of: clock() };
    let book = OrderBook::load(&config().paths.data.join("orders")).unwrap();
    for language in Language::ALL {
        for order in book.iter() {
            let step = Move::Order { fact: FactId("f".to_string()) };
            check(language, step, fact(FactBody::Order(Box::new(order.clone()))));
        }
        for number in ["TT-10455", "TT-10451", "TT-10456"] {
            let order = app.orders.find(number).await.unwrap().unwrap();
            for task in tasks_on(&order) {
                for say in [Items, Proposal, Changed, Expired, Unclear, Waiting, Done, Withdrawn, Refused] {
                    let step = Move::Task { fact: FactId("f".to_string()), say };
                    check(language, step, fact(FactBody::Task(Box::new(task.clone()))));
                }
            }
        }
    }
}
