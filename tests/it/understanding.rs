//! Measures understanding with the real embedder: each labelled example judged by the others, and the held-out messages.
//! Prints figures; fails only below a floor. Skipped, visibly, where the embedder is not on disk.

use std::collections::BTreeMap;

use truetill::domain::session::Session;
use truetill::domain::{CommandName, Language, Screened};
use truetill::engine::{Embed, EmbedInput};
use truetill::inference::{Embedder, EmbedderSettings};
use truetill::screening::Screening;
use truetill::understanding::{CommandRules, ExampleIndex, Input, RuleTexts, Understander, UnderstandingSettings};

fn rules() -> CommandRules {
    CommandRules::new(RuleTexts {
        commands: include_str!("../../data/rules/commands.toml"),
        phrases: include_str!("../../data/rules/phrases.toml"),
        slots: include_str!("../../data/rules/slots.toml"),
        places: include_str!("../../data/rules/places.toml"),
        colours: include_str!("../../data/rules/colours.toml"),
    })
    .unwrap()
}

fn embedder() -> Option<Embedder> {
    let model = truetill::pull::locate("embedder").map_err(|error| eprintln!("skipped: {error:#}")).ok()?;
    Some(Embedder::load(&model, EmbedderSettings::default()).unwrap())
}

fn screening() -> Screening {
    Screening::new(include_str!("../../data/rules/screening.toml").parse().unwrap()).unwrap()
}

/// Right and all, by key.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize)>);

impl Tally {
    fn add(&mut self, key: impl Into<String>, right: bool) {
        let entry = self.0.entry(key.into()).or_default();
        entry.0 += usize::from(right);
        entry.1 += 1;
    }

    fn print(&self) {
        for (key, (right, all)) in &self.0 {
            eprintln!("  {key:<44} {right:>4} / {all:<4} {:.3}", *right as f64 / *all as f64);
        }
    }
}

fn names(commands: &[truetill::domain::Command]) -> Vec<CommandName> {
    commands.iter().map(|command| command.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_examples_judged_by_the_others() {
    let Some(embed) = embedder() else { return };
    let (rules, screening) = (rules(), screening());
    let index =
        ExampleIndex::build(&rules, &embed, Some(&std::env::temp_dir().join("truetill-examples"))).await.unwrap();
    let votes = index.leave_one_out();
    let texts: Vec<(String, CommandName)> = index.examples().map(|(text, name)| (text.to_string(), name)).collect();
    let understander = Understander::new(rules, None, UnderstandingSettings::default());
    let (mut all, mut bands, mut commands) = (Tally::default(), Tally::default(), Tally::default());
    for ((text, label), vote) in texts.iter().zip(&votes) {
        let message = screening.screen(text, Language::En, None);
        let session = Session::default();
        let ruled = understander.by_rules(Input { message: &message, session: &session, vector: None });
        let by_rules = ruled.as_ref().map(|sure| names(&sure.commands) == [*label]);
        let by_examples = vote.name == *label;
        all.add("examples alone", by_examples);
        bands.add(format!("confidence {:.1}", (vote.confidence * 10.0).floor() / 10.0), by_examples);
        commands.add(label.as_str(), by_examples);
        if let Some(right) = by_rules {
            all.add("rules where sure", right);
            all.add(
                format!("examples where rules sure; agree {}", vote.name == ruled.as_ref().unwrap().commands[0].name),
                by_examples,
            );
            if !right && std::env::var_os("SHOW").is_some() {
                eprintln!(
                    "RULES {label}: {text} -> {:?} ; examples {} {:.2}",
                    names(&ruled.unwrap().commands),
                    vote.name,
                    vote.confidence
                );
            }
        } else if !by_examples && std::env::var_os("SHOW").is_some() {
            eprintln!("EXAMPLES {label}: {text} -> {}", vote.explain());
        }
        all.add("together", by_rules.unwrap_or(by_examples));
        let sure = by_rules.is_some() || vote.confidence >= UnderstandingSettings::default().examples_sure;
        all.add(format!("together, sure {sure}"), by_rules.unwrap_or(by_examples));
    }
    all.print();
    bands.print();
    commands.print();
}

/// A fifth of the examples is kept from the index; singly and joined in pairs they show where messages are cut.
#[tokio::test(flavor = "multi_thread")]
async fn unseen_fifth_alone_and_in_pairs() {
    let (Some(embed), Some(_)) = (embedder(), std::env::var_os("FIFTH")) else { return };
    let mut table: toml::Table = include_str!("../../data/rules/commands.toml").parse().unwrap();
    let mut kept: Vec<(String, CommandName, String)> = Vec::new();
    for (name, spec) in &mut table {
        for (lang, texts) in spec["examples"].as_table_mut().unwrap() {
            let texts = texts.as_array_mut().unwrap();
            for at in (0..texts.len()).rev().filter(|at| at % 5 == 2) {
                kept.push((lang.clone(), name.parse().unwrap(), texts.remove(at).as_str().unwrap().to_string()));
            }
        }
    }
    let commands = toml::to_string(&table).unwrap();
    let rules = || {
        CommandRules::new(RuleTexts {
            commands: &commands,
            phrases: include_str!("../../data/rules/phrases.toml"),
            slots: include_str!("../../data/rules/slots.toml"),
            places: include_str!("../../data/rules/places.toml"),
            colours: include_str!("../../data/rules/colours.toml"),
        })
        .unwrap()
    };
    let wishes: Vec<_> =
        kept.iter().filter(|(_, name, _)| (*name as usize) <= CommandName::LeaveContact as usize).collect();
    let mut pairs: Vec<(String, Vec<CommandName>, String)> = Vec::new();
    for (at, left) in wishes.iter().enumerate() {
        let same = wishes.iter().cycle().skip(at + 17).find(|right| right.0 == left.0 && right.1 != left.1).unwrap();
        let joint = [
            [", and ", ". also ", "? "],
            [" и ", ", а ещё ", "? "],
            [" a ", ", a ešte ", "? "],
            ["，还有", "。", "？"],
        ];
        let joint = joint[["en", "ru", "sk", "zh"].iter().position(|lang| *lang == left.0).unwrap()][at % 3];
        pairs.push((
            left.0.clone(),
            vec![left.1, same.1],
            format!("{}{joint}{}", left.2.trim_end_matches(['?', '.', '？']), same.2),
        ));
    }
    let singles = kept.iter().map(|(lang, name, text)| (lang.clone(), vec![*name], text.clone()));
    let cases: Vec<_> = singles.chain(pairs).collect();
    let screening = screening();
    let folder = std::env::temp_dir().join("truetill-examples");
    for clause_sure in [0.5, 0.6, 0.7] {
        let index = ExampleIndex::build(&rules(), &embed, Some(&folder)).await.unwrap();
        let whole = Understander::new(
            rules(),
            Some(index),
            UnderstandingSettings { clause_sure, ..UnderstandingSettings::default() },
        );
        let mut tally = Tally::default();
        for (lang, wanted, text) in &cases {
            let message = screening.screen(text, lang.parse().unwrap(), None);
            let session = Session::default();
            let got = whole
                .understand(Input { message: &message, session: &session, vector: None }, Some(&embed), None)
                .await;
            let (mut wanted, mut got_names) = (wanted.clone(), names(&got.commands));
            wanted.sort();
            got_names.sort();
            got_names.dedup();
            tally.add(format!("{clause_sure}: {} wanted", wanted.len()), got_names == wanted);
            tally
                .add(format!("{clause_sure}: {} wanted, as many found", wanted.len()), got_names.len() == wanted.len());
        }
        tally.print();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn held_out_messages() {
    let (Some(embed), Some(_)) = (embedder(), std::env::var_os("HELD_OUT")) else { return };
    let (rules, screening) = (rules(), screening());
    let index =
        ExampleIndex::build(&rules, &embed, Some(&std::env::temp_dir().join("truetill-examples"))).await.unwrap();
    let whole = Understander::new(rules, Some(index), UnderstandingSettings::default());
    let mut tally = Tally::default();
    for line in include_str!("../../data/eval/understanding.tsv").lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (lang, expected, text) = (columns[0], columns[1], columns[2]);
        let message: Screened = screening.screen(text, lang.parse().unwrap(), None);
        let session = Session::default();
        let input = Input { message: &message, session: &session, vector: None };
        let mut wanted: Vec<CommandName> = expected.split(',').map(|name| name.parse().unwrap()).collect();
        wanted.sort();
        let judge = |commands: &[truetill::domain::Command]| {
            let mut got = names(commands);
            got.sort();
            got.dedup();
            got == wanted
        };
        let ruled = whole.by_rules(input);
        if let Some(sure) = &ruled {
            tally.add("rules where sure", judge(&sure.commands));
        }
        let vector = embed.embed(EmbedInput::Query, vec![message.text.clone()]).await.unwrap().remove(0);
        let got = whole.understand(Input { vector: Some(&vector), ..input }, Some(&embed), None).await;
        let vote = whole.vote(&vector).unwrap();
        tally.add("examples alone", wanted == [vote.name]);
        tally.add("language", message.language.code() == lang);
        tally.add("together", judge(&got.commands));
        tally.add(format!("together {lang}"), judge(&got.commands));
        tally.add(
            format!(
                "together tier {:?} sure {}",
                got.tier,
                got.confidence >= UnderstandingSettings::default().examples_sure
            ),
            judge(&got.commands),
        );
        tally.add(format!("together, {} wanted", wanted.len()), judge(&got.commands));
    }
    tally.print();
}
