//! kill -9 before and after every step of the desk and of buying, then the client's retry: one write, one event, and no "done"
//! that was not written. The dying half is this test binary, started again by the living half.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use truetill::domain::cart::{
    Buyer, Cart, CartRules, Checkout, CheckoutState, Edit, Owner, Paid, PaymentRecord, Settled,
};
use truetill::domain::desk::{Customer, Decision, Operation, OrderRules, Task, TaskState, Versioned};
use truetill::domain::order::{Order, OrderState};
use truetill::domain::{Language, Money};
use truetill::engine::{Applied, Carts, Numbers, OrderDesk, Seen};
use truetill::pay::Template;
use truetill::shop::Shop;
use truetill::store::{OrderBook, StateStore};
use truetill::tasks::cart::{Cashier, Till, Visit};
use truetill::tasks::desk::Desk;

use crate::cluster::state_in;
use crate::common::{TestApp, app_keeping, clock, config, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, lease_over, step, told_to_die};

const ORDER: &str = r##"{"number":"G-1","customer":"C-1","name":"N","phone":"","email":"n@example.sk","language":"en","place":"store","placed":"2026-11-01","state":"processing","currency":"EUR","items":[{"sku":"A","quantity":1,"price":"5.00"}],"shipping":"0","total":"5.00","payments":[{"amount":{"minor":500,"currency":"EUR"},"method":"gift"}]}"##;
const CUSTOMER: &str =
    r#"{"id":"C-1","methods":[{"id":"gift","kind":"gift_card","balance":{"minor":100,"currency":"EUR"}}]}"#;

/// A book that kills its process at one of its steps.
struct Dying {
    book: StateStore,
    at: usize,
    step: AtomicUsize,
}

impl Dying {
    fn step(&self) {
        step(&self.step, self.at);
    }
}

macro_rules! dying {
    ($self:ident, $call:expr) => {{
        $self.step();
        let outcome = $call.await;
        $self.step();
        outcome
    }};
}

#[async_trait]
impl OrderDesk for Dying {
    async fn order(&self, number: &str) -> anyhow::Result<Option<Versioned<Order>>> {
        dying!(self, OrderDesk::order(&self.book, number))
    }
    async fn customer(&self, id: &str) -> anyhow::Result<Versioned<Customer>> {
        dying!(self, self.book.customer(id))
    }
    async fn task(&self, id: &str) -> anyhow::Result<Option<Task>> {
        dying!(self, self.book.task(id))
    }
    async fn propose(&self, task: &Task) -> anyhow::Result<()> {
        dying!(self, self.book.propose(task))
    }
    async fn close(&self, task: &Task) -> anyhow::Result<bool> {
        dying!(self, self.book.close(task))
    }
    async fn apply(&self, task: &Task, decision: &Decision, seen: Seen) -> anyhow::Result<Applied> {
        dying!(self, self.book.apply(task, decision, seen))
    }
}

fn rules() -> OrderRules {
    toml::from_str(include_str!("../data/retail_returns.toml")).unwrap()
}

/// What the client knows is in `client`: the task and its token once proposed, `done` once told.
async fn cancel(book: &dyn OrderDesk, folder: &Path) {
    let (front, rules) = (ShopFront::load(&config().paths.data), rules());
    let shop = Shop::load(&config().paths.data).unwrap();
    let desk = Desk { book, catalog: &front, rules: &rules, terms: &shop, now: clock() };
    let known = std::fs::read_to_string(folder.join("client")).unwrap_or_default();
    let (id, token) = match known.split_whitespace().collect::<Vec<_>>()[..] {
        [id, token, ..] => (id.to_string(), token.to_string()),
        _ => {
            let operation = Operation::CancelOrder { order: "G-1".into(), reason: "no longer needed".into() };
            let task = desk.propose("C-1", operation).await.unwrap();
            std::fs::write(folder.join("client"), format!("{} {}", task.id, task.token)).unwrap();
            (task.id, task.token)
        }
    };
    let task = desk.confirm(&id, &token).await.unwrap().unwrap();
    assert_eq!(task.state, TaskState::Done);
    std::fs::write(folder.join("client"), format!("{id} {token} done")).unwrap();
}

#[tokio::test]
async fn child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    let book = state_in(&folder).await;
    let dying = Dying { book, at, step: AtomicUsize::new(0) };
    cancel(&dying, &folder).await;
}

/// Lets the child die at a step, looks at what it left, retries as the client would; false when it lived.
async fn died_and_resumed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("orders")).unwrap();
    std::fs::write(folder.path().join("orders/orders.jsonl"), ORDER).unwrap();
    std::fs::write(folder.path().join("orders/customers.jsonl"), CUSTOMER).unwrap();
    let book = state_in(folder.path()).await;
    book.take_orders(&OrderBook::load(&folder.path().join("orders")).unwrap()).await.unwrap();
    drop(book);
    let died = died("crash::child", folder.path(), (0, at));
    let book = state_in(folder.path()).await;
    let told = std::fs::read_to_string(folder.path().join("client")).unwrap_or_default().ends_with("done");
    let left = OrderDesk::order(&book, "G-1").await.unwrap().unwrap();
    assert!(!told || left.value.state == OrderState::Cancelled, "step {at}: done was told before it was written");
    assert_eq!(book.events().await.unwrap(), left.version - 1, "step {at}: a write without its event, or the reverse");
    cancel(&book, folder.path()).await;
    let order = OrderDesk::order(&book, "G-1").await.unwrap().unwrap();
    assert_eq!((order.version, order.value.state), (2, OrderState::Cancelled), "step {at}");
    assert_eq!(order.value.payments.len(), 2, "step {at}");
    let gift = book.customer("C-1").await.unwrap().value.methods[0].balance.unwrap().minor;
    assert_eq!((gift, book.events().await.unwrap()), (600, 1), "step {at}");
    died
}

#[tokio::test]
async fn a_process_killed_at_any_step_writes_once() {
    let mut deaths = 0;
    while died_and_resumed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 14, "only {deaths} steps were seen");
    eprintln!("crash: killed at each of {deaths} steps, one write and one event each time");
}

/// A book of carts that kills its process at one of its steps.
struct DyingCarts {
    book: StateStore,
    at: usize,
    step: AtomicUsize,
}

impl DyingCarts {
    fn step(&self) {
        step(&self.step, self.at);
    }
}

#[async_trait]
impl Carts for DyingCarts {
    async fn cart(&self, owner: &str) -> anyhow::Result<Versioned<Cart>> {
        dying!(self, self.book.cart(owner))
    }
    async fn write_cart(&self, owner: &str, cart: &Versioned<Cart>, operation: &str) -> anyhow::Result<Applied> {
        dying!(self, self.book.write_cart(owner, cart, operation))
    }
    async fn edited(&self, owner: &str, operation: &str) -> anyhow::Result<bool> {
        dying!(self, self.book.edited(owner, operation))
    }
    async fn checkout(&self, id: &str) -> anyhow::Result<Option<Checkout>> {
        dying!(self, self.book.checkout(id))
    }
    async fn keep_checkout(&self, checkout: &Checkout) -> anyhow::Result<()> {
        dying!(self, self.book.keep_checkout(checkout))
    }
    async fn close_checkout(&self, checkout: &Checkout) -> anyhow::Result<bool> {
        dying!(self, self.book.close_checkout(checkout))
    }
    async fn place(&self, checkout: &Checkout, order: &Order, numbers: Numbers<'_>) -> anyhow::Result<Applied> {
        dying!(self, self.book.place(checkout, order, numbers))
    }
    async fn placed(&self, number: &str) -> anyhow::Result<Option<Order>> {
        dying!(self, self.book.placed(number))
    }
    async fn payment(&self, order: &str) -> anyhow::Result<Option<(PaymentRecord, i64)>> {
        dying!(self, self.book.payment(order))
    }
    async fn keep_payment(&self, payment: &PaymentRecord) -> anyhow::Result<()> {
        dying!(self, self.book.keep_payment(payment))
    }
    async fn settle(&self, provider: &str, paid: &Paid) -> anyhow::Result<Settled> {
        dying!(self, self.book.settle(provider, paid))
    }
}

/// Two kettles into the cart, where they go, the order, its link, its payment: each step of a client that asks again until it
/// is answered and keeps what it was told in `client`.
async fn buy(book: &dyn Carts, folder: &Path) {
    let data = config().paths.data;
    let (front, shop) = (ShopFront::load(&data), Shop::load(&data).unwrap());
    let rules: CartRules = toml::from_str(include_str!("../../data/rules/checkout.toml")).unwrap();
    let till = Till { book, catalog: &front, terms: &shop, rules: &rules, now: clock() };
    let owner = Owner { customer: Some("C-1".to_string()), session: None };
    let visit = Visit { owner: &owner, currency: "EUR".parse().unwrap(), language: Language::En };
    let told = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let keep = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    if told("shown").is_none() {
        let add = Edit::Add { sku: "KT-101-SLV".into(), quantity: 2 };
        till.edit(visit, &add, "first").await.unwrap().unwrap();
        let place = Edit::Place { town: "bratislava".into() };
        till.edit(visit, &place, "second").await.unwrap().unwrap();
        let buyer = Buyer { phone: Some("+421900000777".to_string()), ..Buyer::default() };
        let shown = till.propose(visit, buyer).await.unwrap().unwrap();
        keep("shown", &format!("{} {}", shown.id, shown.token));
    }
    let shown = told("shown").unwrap();
    let (id, token) = shown.split_once(' ').unwrap();
    let placed = till.confirm(id, token).await.unwrap().unwrap();
    assert_eq!(placed.state, CheckoutState::Placed, "{:?}", placed.refusal);
    let number = placed.order.unwrap();
    keep("placed", &number);
    let links = Template::read("https://shop.example/pay/{order}").unwrap();
    let order = book.placed(&number).await.unwrap().unwrap();
    Cashier { book, links: &links, now: clock() }.link(&order).await.unwrap();
    let paid = Paid { reference: number, amount: Money::parse("79.80", "EUR".parse().unwrap()).unwrap() };
    let settled = book.settle("link", &paid).await.unwrap();
    assert!(matches!(settled, Settled::Now | Settled::Before), "{settled:?}");
    keep("paid", "yes");
}

#[tokio::test]
async fn buying_child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    let book = state_in(&folder).await;
    let dying = DyingCarts { book, at, step: AtomicUsize::new(0) };
    buy(&dying, &folder).await;
}

/// Lets the child die at a step, looks at what it left, goes on as the client would; false when it lived.
async fn bought_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("crash::buying_child", folder.path(), (0, at));
    let book = state_in(folder.path()).await;
    let order = async || OrderDesk::order(&book, "TT-20001").await.unwrap();
    let left = order().await;
    let told = |name: &str| folder.path().join(name).exists();
    assert!(!told("placed") || left.is_some(), "step {at}: `placed` was told before it was written");
    let paid = left.as_ref().is_some_and(|order| order.value.state == OrderState::Processing);
    assert!(!told("paid") || paid, "step {at}: `paid` was told before it was written");
    let events = i64::from(left.is_some()) + i64::from(paid);
    assert_eq!(book.events().await.unwrap(), events, "step {at}: a write without its event, or the reverse");
    let held = book.cart("customer:C-1").await.unwrap().value.held(&"KT-101-SLV".into());
    assert!(held == 0 || (held == 2 && left.is_none()), "step {at}: {held} in the cart beside {left:?}");
    buy(&book, folder.path()).await;
    let order = order().await.unwrap();
    assert_eq!((order.value.state, order.value.total.as_str()), (OrderState::Processing, "79.80"), "step {at}");
    assert_eq!(order.value.items.iter().map(|item| item.quantity).sum::<u32>(), 2, "step {at}");
    assert_eq!(order.value.payments.len(), 1, "step {at}");
    assert!(OrderDesk::order(&book, "TT-20002").await.unwrap().is_none(), "step {at}: a second order");
    assert_eq!(book.events().await.unwrap(), 2, "step {at}");
    died
}

#[tokio::test]
async fn a_process_killed_at_any_step_of_buying_orders_and_takes_money_once() {
    let mut deaths = 0;
    while bought_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 30, "only {deaths} steps were seen");
    eprintln!("crash: killed at each of {deaths} steps of buying, one order and one payment each time");
}

/// A shopper who asks for a call, leaves a number, agrees, then wants a person; an operator takes the case, answers and closes
/// it. Whoever gets no answer asks again; what was answered is kept in `client`.
async fn ask_for_a_call(book: StateStore, folder: &Path) {
    let settings = quick_config(folder);
    let front = ShopFront::load(&settings.paths.data);
    let app = app_keeping(settings, None, (front, book)).await;
    let door = TestApp::over(app);
    let lines = ["please call me back", "+421 900 000 555", "yes please", "operator please", "are you there?"];
    let told = || -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("client")).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    };
    let keep = |line: &str| {
        let mut all = told();
        all.push(line.to_string());
        std::fs::write(folder.join("client"), all.join("\n")).unwrap();
    };
    for line in &lines[told().len().saturating_sub(1).min(lines.len())..] {
        if *line == "are you there?" {
            operate(&door, &["take"]).await;
        }
        let mut body = serde_json::json!({"message": line, "locale": "en"});
        if let Some(session) = told().first() {
            body["session_id"] = session.as_str().into();
        }
        let reply = door.post("/api/v1/chat", body.to_string(), &[]).await.json();
        if told().is_empty() {
            keep(reply["session_id"].as_str().unwrap_or_else(|| panic!("{reply}")));
        }
        keep(line);
    }
    operate(&door, &["take", "reply", "close"]).await;
    std::fs::write(folder.join("closed"), "yes").unwrap();
}

/// What the operator does, each step unless the case shows that it was done.
async fn operate(door: &TestApp, steps: &[&str]) {
    let listed = async |state: &str| door.get(&format!("/api/v1/handover?state={state}")).await.json()["cases"].clone();
    for step in steps {
        let (waiting, taken) = (listed("waiting").await, listed("taken").await);
        let case = [&waiting, &taken].into_iter().find_map(|cases| cases.get(0).cloned());
        let Some(case) = case else { return };
        let id = case["id"].as_str().unwrap_or_else(|| panic!("{case}"));
        let packet = door.get(&format!("/api/v1/handover/{id}")).await.json();
        let said = packet["lines"].to_string().contains("We will see to it");
        let done = match *step {
            "take" => taken.get(0).is_some(),
            "reply" => said,
            _ => false,
        };
        if done {
            continue;
        }
        let mut body = serde_json::json!({"do": step, "operator": "Jana"});
        if *step == "reply" {
            body["text"] = "We will see to it.".into();
        }
        let reply = door.post(&format!("/api/v1/handover/{id}"), body.to_string(), &[]).await;
        assert_eq!(reply.status, 200, "{step}: {}", reply.body);
    }
}

#[tokio::test]
async fn calling_child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    let (counter, at) = (AtomicUsize::new(0), at);
    let book = state_in(&folder).await.watched(Arc::new(move || step(&counter, at)));
    ask_for_a_call(book, &folder).await;
}

/// Lets the child die at a commit, goes on as shopper and operator would; false when it lived.
async fn called_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("crash::calling_child", folder.path(), (0, at));
    let told = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let book = state_in(folder.path()).await;
    let answered = told("client");
    let leads = async |book: &StateStore| {
        let events = book.latest_events(100).await.unwrap();
        events.iter().filter(|event| event.document.contains("\"event\":\"lead\"")).count()
    };
    assert!(
        !answered.contains("yes please") || leads(&book).await == 1,
        "step {at}: `passed on` was told before it was"
    );
    if let Some(session) = answered.lines().next().and_then(|session| session.parse().ok()) {
        let turns = book.turns_of(session).await.unwrap().len();
        assert!(turns + 1 >= answered.lines().count(), "step {at}: an answered message is lost");
    }
    lease_over(&book, &answered).await;
    ask_for_a_call(book.clone(), folder.path()).await;
    assert_eq!(leads(&book).await, 1, "step {at}: one lead");
    let cases = book.all_cases().await.unwrap();
    assert_eq!(cases.len(), 1, "step {at}: one case");
    let lines = book.lines(cases[0].session, "").await.unwrap();
    let said = lines.iter().filter(|line| line.text.contains("We will see to it")).count();
    assert_eq!(said, 1, "step {at}: the operator's words stand once");
    assert!(lines.iter().any(|line| line.text.contains("are you there")), "step {at}: the shopper's words are kept");
    died
}

#[tokio::test]
async fn a_process_killed_at_any_commit_keeps_one_lead_one_case_and_every_message() {
    let mut deaths = 0;
    while called_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 12, "only {deaths} commits were seen");
    eprintln!("crash: killed before and after each of {} commits, one lead, one case, no message lost", deaths / 2);
}
