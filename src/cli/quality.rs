//! `check`, `understand`, `screen` and `eval`: quality, measured from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::Config;
use crate::domain::session::Session;
use crate::domain::{CommandName, Language};
use crate::understanding::cases::Batch;
use crate::understanding::marked;
use crate::understanding::measure::{self, Share};
use crate::understanding::{Input, Judged};
use crate::{app, guard, scenario, screening, understanding};

use super::bench::percentile;
use super::{Cases, EvalArgs, UnderstandArgs, compare, eval_page, eval_talk, eval_turns, open};

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

/// Understanding of one message, or over a file of cases.
pub(super) async fn understand(config: Config, args: &UnderstandArgs, json: bool) -> anyhow::Result<ExitCode> {
    if let Some(text) = &args.what.text {
        return understand_one(&config, text, (args.explain, json)).await;
    }
    if args.what.learn {
        return learn(&config, json).await;
    }
    let cases = args.what.cases.as_deref().context("`truetill understand` needs a message or --cases FILE")?;
    let app = open::app(config).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let batch = Batch {
        understander: &app.understander,
        screen: &|text| app.screening.screen(text, Language::En, None),
        embed: Some(&*app.embed),
        generate: app.generate_for_understanding(),
        explain: args.explain,
    };
    understanding::cases::run(&batch, reader(cases)?, &mut out).await?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Embeds and fits the labelled examples, ships their vectors with them, and tells what the others know of each.
async fn learn(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let embed = open::embedder(config)?;
    let index = app::examples(config, &*embed).await?;
    let path = config.paths.data.join("rules").join(app::SHIPPED_VECTORS);
    let count = index.ship(&path, &*embed)?;
    let mut known: BTreeMap<CommandName, Share> = BTreeMap::new();
    let mut taken: BTreeMap<(CommandName, CommandName), usize> = BTreeMap::new();
    for Judged { label, vote, .. } in index.left_out() {
        known.entry(label).or_default().add(vote.name == label);
        if vote.name != label {
            *taken.entry((label, vote.name)).or_default() += 1;
        }
    }
    let mut taken: Vec<_> = taken.into_iter().collect();
    taken.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    if json {
        let taken: Vec<_> = taken.iter().map(|((label, name), times)| (label, name, times)).collect();
        println!("{}", serde_json::json!({ "vectors": count, "known_by_the_others": known, "taken_for": taken }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{count} vectors in {}", path.display());
    println!("of each command's examples, how many a fit without them knows:");
    for (name, share) in &known {
        println!("{:<16}{:>5} of {:<5}{:.3}", name.as_str(), share.right, share.all, share.rate());
    }
    println!("taken for another most often:");
    taken.iter().take(12).for_each(|((label, name), times)| println!("{times:>5}  {label} for {name}"));
    Ok(ExitCode::SUCCESS)
}

/// Measures how well words that say something of goods are told from others.
async fn eval_marked(batch: &Batch<'_>, table: &str, json: bool) -> anyhow::Result<ExitCode> {
    let told = marked::run(batch, table).await?;
    if json {
        println!("{}", serde_json::to_string(&told)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (language, marked::Told { of_goods, kept, aside, left_out }) in &told {
        println!("{language}: {kept} of {of_goods} words of goods kept, {left_out} of {aside} others left out");
    }
    Ok(ExitCode::SUCCESS)
}

async fn understand_one(config: &Config, text: &str, (explain, json): (bool, bool)) -> anyhow::Result<ExitCode> {
    let (embed, screening) = (open::embedder(config)?, app::screening(&config.paths.data)?);
    let understander = app::understander(config, &*embed).await?;
    let message = understander.marked(screening.screen(text, Language::En, None), &*embed).await;
    let session = Session { language: message.language, ..Session::default() };
    let input = Input { message: &message, session: &session };
    let understood = understander.understand(input, Some(&*embed), None).await;
    if json {
        println!("{}", serde_json::to_string(&understood)?);
        return Ok(ExitCode::SUCCESS);
    }
    for command in &understood.commands {
        println!("{} {}", command.name, serde_json::to_string(&command.slots)?);
    }
    println!("{}, {:?}, sure {:.2}", understood.lang, understood.tier, understood.confidence);
    if explain {
        understood.notes.iter().for_each(|note| println!("{note}"));
        for line in understander.nearest(&message, &*embed).await? {
            println!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures understanding over a table of labelled messages: each tier alone and both, slots, times.
async fn eval_understanding(config: &Config, args: &EvalArgs, json: bool) -> anyhow::Result<ExitCode> {
    let path = args.path.as_path();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    if text.lines().next() == Some(understanding::INTENTS_HEADER) {
        return eval_intents(config, &text, json).await.with_context(|| format!("in {}", path.display()));
    }
    let (embed, screening) = (open::embedder(config)?, app::screening(&config.paths.data)?);
    let understander = app::understander(config, &*embed).await?;
    let batch = Batch {
        understander: &understander,
        screen: &|text| screening.screen(text, Language::En, None),
        embed: Some(&*embed),
        generate: None,
        explain: false,
    };
    if text.lines().next() == Some(marked::HEADER) {
        return eval_marked(&batch, &text, json).await.with_context(|| format!("in {}", path.display()));
    }
    let rows = measure::read(&text).with_context(|| format!("in {}", path.display()))?;
    let mut report = measure::run(&batch, &rows).await?;
    if let Some(page) = &args.html {
        std::fs::write(page, eval_page::page(&path.display().to_string(), &report))
            .with_context(|| format!("writing {}", page.display()))?;
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<6}{:>8}{:>16}{:>10}{:>16}{:>8}{:>12}{:>9}",
        "lang", "rules", "decided", "examples", "sure", "both", "several", "slots F1"
    );
    let all = [("all".to_string(), &report.all)];
    let languages = report.by_language.iter().map(|(language, figures)| (language.to_string(), figures));
    for (name, one) in languages.chain(all) {
        let share = |share: &Share| format!("{:.3} of {}", share.rate(), share.all);
        println!(
            "{name:<6}{:>8.3}{:>16}{:>10.3}{:>16}{:>8.3}{:>12}{:>9.3}",
            one.rules.rate(),
            share(&one.rules_decided),
            one.examples.rate(),
            share(&one.examples_sure),
            one.both.rate(),
            format!("{}/{}", one.several.right, one.several.all),
            one.slots.f1()
        );
    }
    let (one, several) = (&report.all.kinds_of_one, &report.all.kinds_of_several);
    println!(
        "kinds of wishes, each once: {} of {} messages with one, {} of {} with several",
        one.right, one.all, several.right, several.all
    );
    for (tier, times) in [("rules", &mut report.rules_ms), ("examples", &mut report.examples_ms)] {
        let (middle, high) = (percentile(times, 0.5), percentile(times, 0.95));
        println!("{tier}: p50 {middle:.3} ms, p95 {high:.3} ms, {} messages", times.len());
    }
    if args.faults {
        report.faults.iter().for_each(|fault| println!("{fault}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The examples' tier alone over a public set of intents.
async fn eval_intents(config: &Config, table: &str, json: bool) -> anyhow::Result<ExitCode> {
    let report = understanding::measure_intents(table, &*open::embedder(config)?).await?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    let share = |right: usize, all: usize| right as f64 / all.max(1) as f64;
    let (accuracy, found) = (share(report.right, report.judged), share(report.foreign_found, report.foreign));
    println!("{} intents, {} messages learnt", report.intents, report.learnt);
    println!("right: {accuracy:.3} of {} judged", report.judged);
    println!("of no intent: {found:.3} of {} found where 5 % of the judged are refused", report.foreign);
    Ok(ExitCode::SUCCESS)
}

/// Runs scenarios and prints the share that passed, per language; a table of labelled messages is measured instead.
pub(super) async fn eval(config: Config, args: &EvalArgs, json: bool) -> anyhow::Result<ExitCode> {
    let (path, repeat) = (args.path.as_path(), args.repeat);
    if path.extension().is_some_and(|extension| extension == "tsv") {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        return match args.compare {
            true => compare::run(&config, args, json).await,
            false if text.lines().next() == Some(eval_talk::HEADER) => {
                eval_talk::run(config, (path, &text), (args.faults, json))
                    .await
                    .with_context(|| format!("in {}", path.display()))
            }
            false => match eval_turns::Expects::of(&text) {
                Some(expects) => eval_turns::run(config, (expects, &text), (args.faults, json))
                    .await
                    .with_context(|| format!("in {}", path.display())),
                None => eval_understanding(&config, args, json).await,
            },
        };
    }
    let mut app = open::app(config).await?;
    let mut by_language: BTreeMap<Language, (usize, usize, usize)> = BTreeMap::new();
    let (mut turn_ms, mut generated, mut rejected) = (Vec::new(), 0, 0);
    for scenario in scenario::read(path)? {
        let mut runs = Vec::new();
        for _ in 0..repeat.max(1) {
            open::rehearsal(&mut app).await?;
            runs.push(scenario::run(&app, &scenario).await);
        }
        let outcome = scenario::Outcome::of(&scenario, &runs);
        let (first, all, count) = by_language.entry(outcome.language).or_default();
        *first += usize::from(outcome.passed > 0 && outcome.faults.is_empty());
        *all += usize::from(outcome.passed == outcome.runs);
        *count += 1;
        turn_ms.extend(outcome.turn_ms.iter().copied());
        (generated, rejected) = (generated + outcome.generated, rejected + outcome.rejected);
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
        println!("turns: p50 {:.0} ms, p95 {:.0} ms", percentile(&mut turn_ms, 0.5), percentile(&mut turn_ms, 0.95));
        println!("the model was asked in {generated} of {} turns; the guard refused {rejected} drafts", turn_ms.len());
    }
    Ok(if total.1 == total.2 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
