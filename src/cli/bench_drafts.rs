//! `bench drafts` and `bench quality`: what the model's engine makes of the shop's own prompts and texts.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::config::Config;
use crate::domain::Language;
use crate::engine::{Job, PromptTurn, Speaker};
use crate::inference::drafting::Drafter;
use crate::inference::quality::quality;
use crate::plan;
use crate::plan::prose::{Shape, Slot};

use super::bench_outputs::{Case, cases};
use super::open;

/// Measures drafts on three kinds of jobs over the same questions: a choice among products, a sentence around slots, free text.
pub(super) fn drafts(config: &Config, (model, rounds): (&str, usize)) -> anyhow::Result<()> {
    let cases = cases(config, rounds)?;
    let mut drafter = Drafter::load(&open::language_model(config, model)?, &open::generator_settings(config)?)?;
    type Kind = (&'static str, fn(&Case) -> Job);
    let kinds: [Kind; 3] = [("plan", choice), ("prose", sentence), ("free", Case::job)];
    for (name, job) in kinds {
        let jobs: Vec<Job> = cases.iter().map(job).collect();
        println!("{}", serde_json::to_string(&drafter.measure(name, &jobs)?)?);
    }
    Ok(())
}

fn choice(case: &Case) -> Job {
    let mut text: String = case.products().enumerate().map(|(at, row)| format!("{}. {}\n", at + 1, row.name)).collect();
    text.push_str(&format!("Customer (find_product): {}", case.question));
    let grammar = plan::choice_grammar(case.products().count());
    job(include_str!("../../data/prompts/plan.txt"), text, (grammar, 48))
}

fn sentence(case: &Case) -> Job {
    let mut text = String::new();
    for (at, row) in case.products().enumerate() {
        let (number, price) = (at + 1, row.price.as_deref().unwrap_or_default());
        text.push_str(&format!("{number}. {{name{number}}} = {}; {{price{number}}} = {price}", row.name));
        row.attrs.iter().for_each(|attribute| text.push_str(&format!(", {attribute}")));
        text.push('\n');
    }
    text.push_str(&format!("Customer ({}): {}", case.language, case.question));
    let slots: Vec<Vec<Slot>> = case.products().map(|_| vec![Slot::Price]).collect();
    let grammar = plan::prose::grammar(Shape { language: case.language, products: &slots, exits: false });
    job(include_str!("../../data/prompts/prose.txt"), text, (grammar, 110))
}

fn job(system: &str, text: String, (grammar, max_tokens): (String, usize)) -> Job {
    let turns = vec![PromptTurn { speaker: Speaker::User, text }];
    Job { system: system.to_string(), turns, grammar: Some(grammar), max_tokens, temperature: 0.0, seed: 0 }
}

/// Measures the weights as they are served against the file's own, on the shop's policies in each language.
pub(super) fn weights(config: &Config, (model, tokens): (&str, usize)) -> anyhow::Result<()> {
    let folder = config.paths.data.join("policies");
    let mut texts: BTreeMap<Language, String> = BTreeMap::new();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let [_, language, "md"] = name.split('.').collect::<Vec<_>>()[..] else { continue };
        let Ok(language) = language.parse::<Language>() else { continue };
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        texts.entry(language).or_default().push_str(&text);
    }
    let texts: Vec<(String, String)> = texts.into_iter().map(|(language, text)| (language.to_string(), text)).collect();
    for report in quality(&open::language_model(config, model)?, &texts, tokens)? {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}
