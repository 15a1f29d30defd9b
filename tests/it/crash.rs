//! kill -9 before and after every step of the desk, then the client's retry: one write, one event, and no "done"
//! that was not written. The dying half is this test binary, started again by the living half.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use truetill::domain::desk::{Customer, Decision, Operation, OrderRules, Task, TaskState, Versioned};
use truetill::domain::order::{Order, OrderState};
use truetill::engine::{Applied, OrderDesk, Seen};
use truetill::store::{OrderBook, StateStore};
use truetill::tasks::desk::Desk;

use crate::common::{clock, config};
use crate::fakes::ShopFront;

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
        if self.step.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            loop {
                std::thread::park();
            }
        }
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
    let desk = Desk { book, catalog: &front, rules: &rules, now: clock() };
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
    let (Ok(folder), Ok(at)) = (std::env::var("CRASH_FOLDER"), std::env::var("CRASH_AT")) else { return };
    let book = StateStore::open(Path::new(&folder)).await.unwrap();
    let dying = Dying { book, at: at.parse().unwrap(), step: AtomicUsize::new(0) };
    cancel(&dying, Path::new(&folder)).await;
}

/// Lets the child die at a step, looks at what it left, retries as the client would; false when it lived.
async fn died_and_resumed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("orders")).unwrap();
    std::fs::write(folder.path().join("orders/orders.jsonl"), ORDER).unwrap();
    std::fs::write(folder.path().join("orders/customers.jsonl"), CUSTOMER).unwrap();
    let book = StateStore::open(folder.path()).await.unwrap();
    book.take_orders(&OrderBook::load(&folder.path().join("orders")).unwrap()).await.unwrap();
    drop(book);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact"])
        .envs([("CRASH_FOLDER", folder.path().as_os_str()), ("CRASH_AT", at.to_string().as_ref())])
        .output()
        .unwrap();
    let book = StateStore::open(folder.path()).await.unwrap();
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
    !child.status.success()
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
