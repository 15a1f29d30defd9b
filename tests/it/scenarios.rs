//! The scenarios of the shop's work, over the demo shop without a model: what a conversation must come to.

use std::path::Path;

use truetill::scenario;

use crate::common::{app, config};

#[tokio::test]
async fn every_flow_comes_to_its_end() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scenarios");
    let mut faults = Vec::new();
    let mut held = 0;
    for scenario in scenario::read(&folder).unwrap() {
        // The others ask for a product or a passage: they need the index, and `truetill eval` holds them.
        let name = scenario.path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains("flow") {
            continue;
        }
        held += 1;
        let run = scenario::run(&*app(config(), None).await, &scenario).await;
        faults.extend(run.faults.iter().map(|fault| format!("{}: {fault}", scenario.path.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(held >= 64, "only {held} scenarios");
}
