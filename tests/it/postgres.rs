//! What holds with SQLite holds with PostgreSQL: the same tests, a schema for each.

use crate::cluster::once_more;

#[test]
fn every_flow_holds_with_postgres() {
    once_more(&[
        "booking::",
        "carriers::",
        "carriers_crash::",
        "cart::",
        "catalog::",
        "crash::",
        "desk::",
        "handover::",
        "http::",
        "identity::",
        "known::",
        "leads::",
        "outreach::",
        "outreach_crash::",
        "pay::",
        "races::",
        "retail::the_tasks",
        "returns::",
        "scenarios::",
        "talk::",
        "turns::",
    ]);
}
