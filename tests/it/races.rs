//! Two programs over one state, eight requests at the same moment: what is promised once happens once, in either database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use truetill::app::App;
use truetill::domain::Money;
use truetill::domain::cart::{Buyer, CartRules, CheckoutState, Edit, Owner, Paid, PaymentLink, PaymentRecord, Settled};
use truetill::domain::desk::{Operation, TaskState};
use truetill::domain::handover::Case;
use truetill::domain::order::OrderState;
use truetill::domain::session::{Session, SessionId};
use truetill::engine::{Carts, OrderDesk};
use truetill::shop::Shop;
use truetill::store::idempotency::{Claimed, IdempotencyKey};
use truetill::store::{Batch, OrderBook, Patch, StateStore, Word};
use truetill::tasks::cart::{Till, Visit};
use truetill::tasks::desk::Desk;

use crate::cluster::state_in;
use crate::common::{TestApp, app_keeping, clock, config};
use crate::fakes::ShopFront;

const AT_ONCE: usize = 8;

/// Two programs' stores over one state.
struct Both {
    stores: [StateStore; 2],
    _folder: tempfile::TempDir,
}

impl Both {
    async fn open() -> Both {
        let folder = tempfile::tempdir().unwrap();
        let stores = [state_in(folder.path()).await, state_in(folder.path()).await];
        Both { stores, _folder: folder }
    }

    fn first(&self) -> &StateStore {
        &self.stores[0]
    }

    /// The same work many times at one moment, each time with its number and the store of one of the programs.
    async fn at_once<T: Send + 'static, F>(&self, work: impl Fn(StateStore, usize) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(AT_ONCE));
        let running: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let (start, work) = (Arc::clone(&start), work(self.stores[n % 2].clone(), n));
                tokio::spawn(async move {
                    start.wait().await;
                    work.await
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for one in running {
            outcomes.push(one.await.unwrap());
        }
        outcomes
    }
}

fn euros(amount: &str) -> Money {
    Money::parse(amount, "EUR".parse().unwrap()).unwrap()
}

/// A book of as many orders, paid by card and not sent yet.
fn orders(count: usize) -> OrderBook {
    let folder = tempfile::tempdir().unwrap();
    let order = |n: usize| {
        json!({"number": format!("G-{n}"), "customer": "C-1", "name": "N", "phone": "", "email": "n@example.sk",
            "language": "en", "place": "store", "placed": "2026-11-01", "state": "processing", "currency": "EUR",
            "items": [{"sku": "A", "quantity": 1, "price": "5.00"}], "shipping": "0", "total": "5.00",
            "payments": [{"amount": {"minor": 500, "currency": "EUR"}, "method": "gift"}]})
        .to_string()
    };
    std::fs::write(folder.path().join("orders.jsonl"), (0..count).map(order).collect::<Vec<_>>().join("\n")).unwrap();
    let customer = json!({"id": "C-1", "methods": [{"id": "gift", "kind": "gift_card",
        "balance": {"minor": 100, "currency": "EUR"}}]});
    std::fs::write(folder.path().join("customers.jsonl"), customer.to_string()).unwrap();
    OrderBook::load(folder.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn carts_become_orders_with_numbers_of_their_own_and_one_cart_one_order() {
    let both = Both::open().await;
    let data = config().paths.data;
    let (front, shop) = (Arc::new(ShopFront::load(&data)), Arc::new(Shop::load(&data).unwrap()));
    let rules: Arc<CartRules> = Arc::new(toml::from_str(include_str!("../../data/rules/checkout.toml")).unwrap());
    let placed = both.at_once(|book, n| {
        let (front, shop, rules) = (Arc::clone(&front), Arc::clone(&shop), Arc::clone(&rules));
        async move {
            let till = Till { book: &book, catalog: &*front, terms: &*shop, rules: &rules, now: clock() };
            // Two of them have one cart.
            let owner = Owner { customer: Some(format!("C-{}", n.max(1))), session: None };
            let visit =
                Visit { owner: &owner, currency: "EUR".parse().unwrap(), language: truetill::domain::Language::En };
            let add = Edit::Add { sku: "KT-101-SLV".into(), quantity: 1 };
            till.edit(visit, &add, "one operation").await.unwrap().unwrap();
            till.edit(visit, &Edit::Place { town: "bratislava".into() }, "another").await.unwrap().unwrap();
            let buyer = Buyer { phone: Some("+421900000777".to_string()), ..Buyer::default() };
            let Ok(shown) = till.propose(visit, buyer).await.unwrap() else { return None };
            let confirm = || till.confirm(&shown.id, &shown.token);
            let (one, other) = tokio::join!(confirm(), confirm());
            let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
            assert_eq!((&one.state, &one.order), (&other.state, &other.order), "confirmed twice at once");
            (one.state == CheckoutState::Placed).then(|| one.order.unwrap())
        }
    });
    let placed: Vec<String> = placed.await.into_iter().flatten().collect();
    let numbers: BTreeSet<&String> = placed.iter().collect();
    assert!(placed.len() >= AT_ONCE - 1 && numbers.len() == placed.len(), "{placed:?}");
    for number in &placed {
        let order = both.first().placed(number).await.unwrap().expect("each number has its order");
        assert_eq!(order.items.iter().map(|item| item.quantity).sum::<u32>(), 1, "added once: {order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn payments_of_one_order_are_all_booked_and_each_once() {
    let both = Both::open().await;
    both.first().take_orders(&orders(1)).await.unwrap();
    let settled = both.at_once(|book, n| async move {
        let reference = format!("p{n}");
        let link = PaymentLink { provider: "stripe".into(), reference: reference.clone(), url: String::new() };
        let record = PaymentRecord { order: "G-0".into(), link, amount: euros("5.00"), paid: false, made: clock() };
        book.keep_payment(&record).await.unwrap();
        let paid = Paid { reference, amount: euros("5.00") };
        let (one, other) = tokio::join!(book.settle("stripe", &paid), book.settle("stripe", &paid));
        (one.unwrap(), other.unwrap())
    });
    for pair in settled.await {
        assert!(matches!(pair, (Settled::Now, Settled::Before) | (Settled::Before, Settled::Now)), "{pair:?}");
    }
    let order = OrderDesk::order(both.first(), "G-0").await.unwrap().unwrap();
    assert_eq!((order.value.payments.len(), order.version), (1 + AT_ONCE, 1 + AT_ONCE as i64));
    assert_eq!(both.first().payment("G-0").await.unwrap().unwrap().1, AT_ONCE as i64 - 1, "attempts are counted");
    assert_eq!(both.first().events().await.unwrap(), AT_ONCE as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_that_is_confirmed_at_once_is_done_once() {
    let both = Both::open().await;
    both.first().take_orders(&orders(1)).await.unwrap();
    let front = Arc::new(ShopFront::load(&config().paths.data));
    let rules = Arc::new(toml::from_str(include_str!("../data/retail_returns.toml")).unwrap());
    let terms = Arc::new(truetill::shop::Shop::load(&config().paths.data).unwrap());
    let cancel = Operation::CancelOrder { order: "G-0".into(), reason: "no longer needed".into() };
    let desk = Desk { book: both.first(), catalog: &*front, rules: &rules, terms: &*terms, now: clock() };
    let task = desk.propose("C-1", cancel).await.unwrap();
    let done = both.at_once(|book, _| {
        let (front, rules, terms) = (Arc::clone(&front), Arc::clone(&rules), Arc::clone(&terms));
        let task = task.clone();
        async move {
            let desk = Desk { book: &book, catalog: &*front, rules: &rules, terms: &*terms, now: clock() };
            desk.confirm(&task.id, &task.token).await.unwrap().unwrap().state
        }
    });
    assert_eq!(done.await, [TaskState::Done; AT_ONCE]);
    let order = OrderDesk::order(both.first(), "G-0").await.unwrap().unwrap();
    assert_eq!((order.value.state, order.version), (OrderState::Cancelled, 2));
    assert_eq!(both.first().events().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_new_to_one_and_a_conversation_has_one_case() {
    let both = Both::open().await;
    let claims = both.at_once(|book, _| async move {
        let key = IdempotencyKey { caller: "c", key: "k", body: "b" };
        book.claim(key, clock(), Duration::from_secs(60)).await.unwrap()
    });
    let claims = claims.await;
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Claimed::First(_))).count(), 1, "{claims:?}");
    assert_eq!(claims.iter().filter(|claim| **claim == Claimed::InFlight).count(), AT_ONCE - 1, "{claims:?}");
    let session = SessionId::fresh();
    let opened = both.at_once(|book, n| async move {
        let case: Case = serde_json::from_value(json!({"id": format!("case-{n}"), "session": session, "reasons": [],
            "priority": "normal", "state": "waiting", "language": "en", "opened": clock()}))
        .unwrap();
        book.write_case(&case, &[], None).await.unwrap()
    });
    assert_eq!(opened.await.into_iter().filter(|written| *written).count(), 1);
    assert_eq!(both.first().all_cases().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_start_at_once_take_the_same_orders_and_patches_that_cross_all_end() {
    let both = Both::open().await;
    let book = Arc::new(orders(200));
    let taken = both.at_once(|store, _| {
        let book = Arc::clone(&book);
        async move { store.take_orders(&book).await.unwrap() }
    });
    assert_eq!(taken.await, [0; AT_ONCE]);
    let skus: Vec<String> = (0..100).map(|n| format!("SKU-{n}")).collect();
    let patched = both.at_once(|store, n| {
        let mut patches: Vec<Patch> = skus
            .iter()
            .map(|sku| serde_json::from_value(json!({"sku": sku, "stock": [{"count": n}]})).unwrap())
            .collect();
        if n % 2 == 1 {
            patches.reverse();
        }
        async move {
            let word = Word { as_of: clock(), max_age_s: None };
            store.patch(&patches, &Batch { source: "erp", word, now: clock() }).await.unwrap().len()
        }
    });
    assert_eq!(patched.await, [100; AT_ONCE]);
}

/// Two programs over one state, each behind its own door.
async fn doors(both: &Both) -> [(Arc<App>, Arc<TestApp>); 2] {
    let mut doors = Vec::new();
    for store in &both.stores {
        let mut settings = config();
        settings.session.recent = 50;
        let front = ShopFront::load(&settings.paths.data);
        let app = app_keeping(settings, None, (front, store.clone())).await;
        doors.push((Arc::clone(&app), Arc::new(TestApp::over(app))));
    }
    doors.try_into().unwrap_or_else(|_| panic!("two"))
}

fn said(session: &Value, text: &str) -> String {
    json!({"message": text, "locale": "en", "session_id": session}).to_string()
}

async fn conversation(door: &TestApp) -> (Value, SessionId) {
    let first = door.post("/api/v1/chat", json!({"message": "hello", "locale": "en"}).to_string(), &[]).await.json();
    let id = first["session_id"].as_str().unwrap().parse().unwrap();
    (first["session_id"].clone(), id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_of_one_conversation_at_one_moment_are_all_answered_each_after_the_other() {
    let both = Both::open().await;
    let doors = doors(&both).await;
    let (session, id) = conversation(&doors[0].1).await;
    // Half of them write something besides their record, and would do so once for the same count of turns.
    let texts =
        ["add the black Volna electric kettle 1.7 l to my cart", "how much is the Volna electric kettle 1.7 l?"];
    let answers = both.at_once(|_, n| {
        let (door, body) = (Arc::clone(&doors[n % 2].1), said(&session, texts[n / 2 % 2]));
        async move { door.post("/api/v1/chat", body, &[]).await }
    });
    for answer in answers.await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let held = both.first().session(id).await.unwrap().unwrap();
    assert_eq!((held.turns as usize, held.recent.len()), (1 + AT_ONCE, 1 + AT_ONCE));
    let told: BTreeSet<String> = held.recent.iter().map(|exchange| exchange.message.clone()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(both.first().turns_of(id).await.unwrap().len(), 1 + AT_ONCE);
    let owner = Owner { customer: None, session: Some(id) };
    let cart = both.first().cart(&owner.key()).await.unwrap().value;
    assert_eq!(cart.lines.iter().map(|line| line.quantity).sum::<u32>() as usize, AT_ONCE / 2, "{cart:?}");
    let read = both.first().conversation(id).await.unwrap().unwrap();
    assert!(!read.busy, "nobody holds it any more");
}

#[tokio::test]
async fn messages_that_come_one_after_another_are_answered_in_that_order() {
    let both = Both::open().await;
    let doors = doors(&both).await;
    let (session, id) = conversation(&doors[0].1).await;
    let texts: Vec<String> = (0..AT_ONCE).map(|n| format!("thanks, number {n}")).collect();
    let sent: Vec<_> = texts
        .iter()
        .map(|text| {
            let (door, body) = (Arc::clone(&doors[0].1), said(&session, text));
            tokio::spawn(async move { door.post("/api/v1/chat", body, &[]).await.status })
        })
        .collect();
    for one in sent {
        assert_eq!(one.await.unwrap(), 200);
    }
    let held = both.first().session(id).await.unwrap().unwrap();
    let heard: Vec<&String> = held.recent[1..].iter().map(|exchange| &exchange.message).collect();
    assert_eq!(heard, texts.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_conversation_that_another_program_writes_for_is_waited_for_and_then_refused() {
    let both = Both::open().await;
    let mut settings = config();
    settings.server.wait_s = 0;
    let front = ShopFront::load(&settings.paths.data);
    let door = TestApp::over(app_keeping(settings, None, (front, both.stores[0].clone())).await);
    let (session, id) = conversation(&door).await;
    let version = both.first().conversation(id).await.unwrap().unwrap().session.version;
    let lease = Duration::from_secs(600);
    assert!(both.stores[1].take_conversation(id, version, lease).await.unwrap());
    assert!(!both.stores[0].take_conversation(id, version, lease).await.unwrap(), "taken once");
    let refused = door.post("/api/v1/chat", said(&session, "hello"), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (409, Some("conversation_busy")));
    // The turn was given up: its program gives the conversation back, or its time is over.
    both.stores[1].release_conversation(id, version + 1).await.unwrap();
    assert_eq!(door.post("/api/v1/chat", said(&session, "hello"), &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_open_a_new_state_at_once_agree() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    drop(state_in(folder.path()).await);
    let nested = Arc::new(folder.path().join("fresh"));
    let opening: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let nested = Arc::clone(&nested);
            tokio::spawn(async move {
                let store = state_in(&nested).await;
                store.begin(&Session::default()).await.unwrap();
            })
        })
        .collect();
    for one in opening {
        one.await.unwrap();
    }
}
