//! What holds with SQLite holds with PostgreSQL: the same tests, a schema for each.

use crate::cluster::once_more;

#[test]
fn every_flow_holds_with_postgres() {
    once_more(&[
        "cart::",
        "catalog::",
        "crash::",
        "desk::",
        "handover::",
        "http::",
        "leads::",
        "pay::",
        "races::",
        "retail::the_tasks",
        "scenarios::",
        "talk::",
        "turns::",
    ]);
}
