//! `check`, `understand`, `screen` and `eval`: quality, measured from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::Config;
use crate::domain::Language;
use crate::understanding::cases::Batch;
use crate::{app, guard, scenario, screening, understanding};

use super::{Cases, open};

fn reader(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).with_context(|| format!("reading {}", path.display()))?))
}

/// The guard over a file of cases.
pub(super) fn check(cases: &Cases) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    guard::cases::run(reader(&cases.cases)?, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Screening over a file of cases.
pub(super) fn screen(config: &Config, cases: &Cases) -> anyhow::Result<ExitCode> {
    let screening = app::screening(&config.paths.data)?;
    let table = std::fs::read_to_string(&cases.cases).with_context(|| format!("reading {}", cases.cases.display()))?;
    for line in screening::cases::run(&screening, &table, Language::En) {
        println!("{}", line?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Understanding over a file of cases.
pub(super) async fn understand(config: Config, cases: &Cases) -> anyhow::Result<ExitCode> {
    let app = open::app(config).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let batch = Batch {
        understander: &app.understander,
        screen: &|text| app.screening.screen(text, Language::En, None),
        embed: Some(&*app.embed),
        generate: app.generate_for_understanding(),
    };
    understanding::cases::run(&batch, reader(&cases.cases)?, &mut out).await?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Runs scenarios and prints the share that passed, per language.
pub(super) async fn eval(config: Config, path: &Path, repeat: usize, json: bool) -> anyhow::Result<ExitCode> {
    let app = open::app(config).await?;
    let mut by_language: BTreeMap<Language, (usize, usize, usize)> = BTreeMap::new();
    let mut turn_ms = Vec::new();
    for scenario in scenario::read(path)? {
        let outcome = scenario::run(&app, &scenario, repeat.max(1)).await;
        let (first, all, count) = by_language.entry(outcome.language).or_default();
        *first += usize::from(outcome.passed > 0 && outcome.faults.is_empty());
        *all += usize::from(outcome.passed == outcome.runs);
        *count += 1;
        turn_ms.extend(outcome.turn_ms.iter().copied());
        if json {
            println!("{}", serde_json::to_string(&outcome)?);
        } else {
            let mark = if outcome.passed == outcome.runs { "pass" } else { "FAIL" };
            println!("{mark}  {}  {}", outcome.path.display(), outcome.name);
            outcome.faults.iter().for_each(|fault| println!("      {fault}"));
        }
    }
    let total = by_language.values().fold((0, 0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2));
    if json {
        let summary = serde_json::json!({"pass_1": total.0, "pass_k": total.1, "k": repeat, "scenarios": total.2});
        println!("{summary}");
    } else {
        for (language, (first, all, count)) in &by_language {
            println!("{language}: pass^1 {first}/{count}, pass^{repeat} {all}/{count}");
        }
        println!("all: pass^1 {}/{}, pass^{repeat} {}/{}", total.0, total.2, total.1, total.2);
        println!(
            "turns: p50 {:.0} ms, p95 {:.0} ms",
            super::bench::percentile(&mut turn_ms, 0.5),
            super::bench::percentile(&mut turn_ms, 0.95)
        );
    }
    Ok(if total.1 == total.2 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
