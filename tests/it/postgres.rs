//! What holds with SQLite holds with PostgreSQL: the same tests, a schema for each.

use std::path::Path;

use truetill::domain::session::{Session, SessionId, TurnId};
use truetill::engine::OrderDesk;
use truetill::store::{OrderBook, StateStore};

use crate::cluster::{Server, once_more};
use crate::common::config;

#[test]
fn every_flow_holds_with_postgres() {
    once_more(&[
        "booking::",
        "carriers::",
        "carriers_crash::",
        "cart::",
        "catalog::",
        "codes_crash::",
        "crash::",
        "desk::",
        "flows_crash::",
        "handover::",
        "http::",
        "idempotency::",
        "identity::",
        "known::",
        "leads::",
        "outreach::",
        "outreach_crash::",
        "pay::",
        "photos::",
        "races::",
        "retail::the_tasks",
        "returns::",
        "scenarios::",
        "talk::",
        "together::",
        "turns::",
        "wishes::",
    ]);
}

/// A file with a conversation and all orders of the repository's shop, moved into another store.
async fn moved_into(target: &StateStore, folder: &Path) {
    let file = StateStore::open(folder).await.unwrap();
    let book = OrderBook::load(&config().paths.data.join("orders")).unwrap();
    file.take_orders(&book).await.unwrap();
    let session = Session { id: SessionId::fresh(), ..Session::default() };
    let turn = TurnId::fresh();
    file.record(&session, turn, &serde_json::json!({"message": "čo mám v košíku?"})).await.unwrap();
    let moved = file.move_into(target).await.unwrap();
    let rows = |table: &str| moved.iter().find(|one| one.table == table).map(|one| one.rows);
    assert_eq!((rows("sessions"), rows("turns"), rows("carts")), (Some(1), Some(1), Some(0)), "{moved:?}");
    assert!(rows("orders").unwrap() > 20, "{moved:?}");
    assert_eq!(target.session(session.id).await.unwrap(), file.session(session.id).await.unwrap());
    let order = async |store: &StateStore| OrderDesk::order(store, "TT-10436").await.unwrap();
    assert_eq!(order(target).await, order(&file).await);
    let again = file.move_into(target).await.unwrap_err();
    assert!(format!("{again:#}").contains("empty database"), "{again:#}");
}

#[tokio::test]
async fn a_state_moves_whole_and_only_into_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    moved_into(&StateStore::in_memory().await.unwrap(), folder.path()).await;
    let Some(server) = Server::start() else { return eprintln!("skipped: no PostgreSQL on this machine") };
    let url = server.url().replacen("localhost?", "localhost/postgres?", 1);
    let target = StateStore::connect(&url, 4).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    moved_into(&target, folder.path()).await;
}
