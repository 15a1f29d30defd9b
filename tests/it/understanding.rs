//! Measures understanding with the real embedder: each labelled example judged by the others, and the held-out messages.
//! Prints figures; fails only below a floor. Skipped, visibly, where the embedder is not on disk.

use std::collections::BTreeMap;
use std::path::Path;

use truetill::domain::session::Session;
use truetill::domain::{CommandName, Language};
use truetill::inference::{Embedder, EmbedderSettings};
use truetill::screening::Screening;
use truetill::understanding::cases::Batch;
use truetill::understanding::measure;
use truetill::understanding::{
    CommandRules, ExampleIndex, Input, Judged, RuleTexts, Shelves, Understander, UnderstandingSettings,
};

fn rules() -> CommandRules {
    CommandRules::new(RuleTexts {
        commands: include_str!("../../data/rules/commands.toml"),
        examples: [
            include_str!("../../data/rules/examples/en.toml"),
            include_str!("../../data/rules/examples/ru.toml"),
            include_str!("../../data/rules/examples/sk.toml"),
            include_str!("../../data/rules/examples/zh.toml"),
        ],
        phrases: include_str!("../../data/rules/phrases.toml"),
        slots: include_str!("../../data/rules/slots.toml"),
        places: include_str!("../../data/rules/places.toml"),
        colours: include_str!("../../data/rules/colours.toml"),
        details: include_str!("../../data/rules/details.toml"),
        search: include_str!("../../data/rules/search.toml"),
        shown: include_str!("../../data/rules/shown.toml"),
        weighing: include_str!("../../data/rules/weighing.toml"),
    })
    .unwrap()
}

fn embedder() -> Option<Embedder> {
    let model = truetill::pull::locate("embedder").map_err(|error| eprintln!("skipped: {error:#}")).ok()?;
    let tuned = Some(Path::new("data/rules/examples/tuned.gguf").to_path_buf()).filter(|path| path.exists());
    let wishes = Some(Path::new("data/rules/examples/wishes.gguf").to_path_buf()).filter(|path| path.exists());
    Some(Embedder::load(&model, EmbedderSettings { tuned, wishes, ..EmbedderSettings::default() }).unwrap())
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

/// The vectors that came with the examples; what else is learnt stays in a folder of its own.
fn shelves() -> Shelves {
    Shelves {
        shipped: Some("data/rules/examples/vectors.bin".into()),
        held: Some("data/rules/examples/held.bin".into()),
        own: Some(std::env::temp_dir().join("truetill-examples")),
    }
}

fn names(commands: &[truetill::domain::Command]) -> Vec<CommandName> {
    commands.iter().map(|command| command.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_examples_judged_by_the_others() {
    let Some(embed) = embedder() else { return };
    let (rules, screening) = (rules(), screening());
    let index = ExampleIndex::build(&rules, &embed, &shelves()).await.unwrap();
    let judged = index.left_out();
    let understander = Understander::new(rules, None, UnderstandingSettings::default());
    let (mut all, mut bands, mut commands) = (Tally::default(), Tally::default(), Tally::default());
    for Judged { text, label, vote } in &judged {
        let message = screening.screen(text, Language::En, None);
        let session = Session::default();
        let ruled = understander.by_rules(Input { message: &message, session: &session });
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
        let sure = by_rules.is_some() || vote.confidence >= measure::SURE;
        all.add(format!("together, sure {sure}"), by_rules.unwrap_or(by_examples));
    }
    all.print();
    bands.print();
    commands.print();
}

/// Floors below what was reached, so that a change of the rules that costs much is seen; most rows have two wishes.
#[tokio::test(flavor = "multi_thread")]
async fn labelled_messages_are_understood() {
    let Some(embed) = embedder() else { return };
    let index = ExampleIndex::build(&rules(), &embed, &shelves()).await.unwrap();
    let (whole, screening) = (Understander::new(rules(), Some(index), UnderstandingSettings::default()), screening());
    let batch = Batch {
        understander: &whole,
        screen: &|text| screening.screen(text, Language::En, None),
        embed: Some(&embed),
        generate: None,
        explain: false,
    };
    let rows = measure::read(include_str!("../../data/eval/understanding/dev.tsv")).unwrap();
    let report = measure::run(&batch, &rows).await.unwrap();
    for (language, figures) in &report.by_language {
        eprintln!("{language}: {figures:?}");
        assert!(figures.both.rate() >= 0.74, "{language}");
        assert!(figures.slots.f1() >= 0.80, "{language}");
    }
}
