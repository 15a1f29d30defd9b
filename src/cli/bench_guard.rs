//! `bench guard`: what the guard lets through, what it refuses and what it costs, beside its peers in the same run.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::bench::guard::{self as bench, Report};
use crate::bench::replies::Shelf;
use crate::config::Config;
use crate::guard::Guard;

/// Judges the case files and the assistant's own replies over the data folder, and prints the figures.
pub(super) fn run(config: &Config, cases: &[PathBuf], json: bool) -> anyhow::Result<()> {
    let guard = Guard::new();
    let mut report = Report::default();
    for path in cases {
        let file = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        bench::cases(&mut report, &guard, (name(path), &file)).with_context(|| format!("in {}", path.display()))?;
    }
    let shelf = Shelf::load(&config.paths.data)?;
    let replies = shelf.replies(|language| config.shop.currency_of(language), jiff::Timestamp::now());
    bench::replies(&mut report, &guard, ("own replies", replies));
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn name(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("cases")
}

fn print(report: &Report) {
    println!("{:<24} {:<16} {:>10} {:>10} {:>10} {:>10}", "set", "filter", "attacks", "escapes", "honest", "refused");
    for (set, filters) in &report.sets {
        for row in filters {
            let counts = [row.attacks, row.escapes, row.honest, row.refusals].map(|count| format!("{count:>10}"));
            let reasons = match row.reasons {
                0 => String::new(),
                all => format!("  reasons right {} of {all}", row.right_reasons),
            };
            println!("{set:<24} {:<16} {}{reasons}", row.filter, counts.join(" "));
        }
    }
    println!("\n{:<16} {:<16} {:>10} {:>10} {:>10} {:>10}", "set", "us per KB", "texts", "all", "median", "p99");
    for (set, passes) in &report.cost {
        for row in passes {
            println!(
                "{set:<16} {:<16} {:>10} {:>10.1} {:>10.1} {:>10.1}",
                row.pass, row.texts, row.per_kb, row.median, row.p99
            );
        }
    }
    report.escaped.iter().for_each(|text| println!("let through: {text}"));
    report.refused.iter().for_each(|text| println!("refused though honest: {text}"));
}
