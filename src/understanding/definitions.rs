//! The data behind understanding, read once: commands with their examples, phrases, cues, stop words, towns, colours, slots.
//! Files in (as text), lookups out; a mistake in a file is an error that names file and entry.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::folded::{Lexicon, fold};
use super::slot_rules::{HanEdges, SlotRules, SlotTable};
use super::weighing::Weighing;
use crate::domain::command::Pick;
use crate::domain::{CommandName, Language, Wish};

/// The texts of the rule files.
#[derive(Clone, Copy, Debug)]
pub struct RuleTexts<'a> {
    /// `data/rules/commands.toml`.
    pub commands: &'a str,
    /// `data/rules/examples/LANG.toml`, in the order of [`Language::ALL`].
    pub examples: [&'a str; 4],
    /// `data/rules/phrases.toml`.
    pub phrases: &'a str,
    /// `data/rules/slots.toml`.
    pub slots: &'a str,
    /// `data/rules/places.toml`.
    pub places: &'a str,
    /// `data/rules/colours.toml`.
    pub colours: &'a str,
    /// `data/rules/details.toml`.
    pub details: &'a str,
    /// `data/rules/search.toml`.
    pub search: &'a str,
    /// `data/rules/shown.toml`.
    pub shown: &'a str,
    /// `data/rules/weighing.toml`.
    pub weighing: &'a str,
}

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not the file's shape.
    #[error("data/rules/{file}: {source}")]
    Shape {
        /// Which file.
        file: &'static str,
        /// What is wrong, with its line.
        source: Box<toml::de::Error>,
    },
    /// Examples of a command that `commands.toml` does not define.
    #[error("data/rules/{file}: `{name}` is not in data/rules/commands.toml; define it there or take its examples out")]
    Undefined {
        /// Which file.
        file: &'static str,
        /// Which command.
        name: CommandName,
    },
    /// A place in a list that is none.
    #[error("data/rules/slots.toml, [list_places]: {reason}")]
    Place {
        /// What is wrong with it.
        reason: String,
    },
    /// A wish that nothing can fulfil.
    #[error(
        "data/rules/phrases.toml, [cues.find_product.{topic}]: a wish is one of cheaper, dearer, goes_with, on_sale"
    )]
    Wish {
        /// What stands there.
        topic: String,
    },
    /// A pattern that does not compile.
    #[error("data/rules/slots.toml, `{rule}`: {source}; mend the pattern")]
    Pattern {
        /// Which entry.
        rule: &'static str,
        /// What the pattern engine says.
        source: Box<regex::Error>,
    },
}

/// A command as the data defines it.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// Its name.
    pub name: CommandName,
    /// When it applies, for the model.
    pub about: String,
    /// Labelled messages.
    pub examples: Vec<(Language, String)>,
}

/// What a phrase or cue means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meaning {
    pub(super) name: CommandName,
    /// A policy's topic, or which courtesy.
    pub(super) topic: Option<String>,
}

impl Meaning {
    /// How what is looked for stands to what the talk is about.
    pub(super) fn wish(&self) -> Option<Wish> {
        let topic = self.topic.as_deref().filter(|_| self.name == CommandName::FindProduct)?;
        WISHES.iter().find(|(name, _)| *name == topic).map(|(_, wish)| *wish)
    }
}

/// The topics of `cues.find_product`.
const WISHES: [(&str, Wish); 6] = [
    ("cheaper", Wish::Cheaper),
    ("dearer", Wish::Dearer),
    ("goes_with", Wish::GoesWith),
    ("on_sale", Wish::OnSale),
    ("popular", Wish::Popular),
    ("range", Wish::Range),
];

/// All rules of understanding.
pub struct CommandRules {
    pub(super) specs: Vec<CommandSpec>,
    /// Whole messages, folded.
    pub(super) phrases: HashMap<String, Meaning>,
    /// The same inside a message.
    pub(super) phrase_parts: Lexicon<Meaning>,
    pub(super) cues: Lexicon<Meaning>,
    /// Words without product meaning, with the language they belong to; none belongs to every one.
    pub(super) stop: Lexicon<Option<Language>>,
    /// Words that a product's name neither starts nor ends with, folded.
    pub(super) edges: HashSet<String>,
    /// The same for Chinese.
    pub(super) han_edges: HanEdges,
    /// Words that point at something shown before.
    pub(super) pointers: Lexicon<()>,
    /// Those of them that point in Slovak alone.
    pub(super) slovak_pointers: HashSet<String>,
    /// "The second one": places in the list shown last.
    pub(super) places_in_list: Lexicon<Pick>,
    /// Words that say that something is looked for.
    pub(super) wish: Lexicon<()>,
    pub(super) places: Lexicon<String>,
    pub(super) colours: Lexicon<String>,
    /// Kinds of things with a colour in their name: green tea.
    pub(super) coloured: Lexicon<()>,
    /// Ways to ask for an attribute of a product, with the attribute's id.
    pub(super) details: Lexicon<String>,
    /// What stands between the names of several products.
    pub(super) between: Vec<String>,
    pub(super) slots: SlotTable,
    /// Changes when an example does.
    pub(super) examples_hash: String,
    /// Messages right after products were shown; true for those that ask about these.
    pub(super) shown: Vec<(String, bool)>,
    /// How what speaks for a command is weighed.
    pub(super) weighing: Weighing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    about: String,
    #[allow(dead_code, reason = "the plan asks for missing slots; understanding only reads the rest")]
    required: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhrases {
    phrases: BTreeMap<CommandName, Wordings>,
    cues: BTreeMap<CommandName, Wordings>,
    stop: BTreeMap<Language, Vec<String>>,
    wish: BTreeMap<Language, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wordings {
    Plain(BTreeMap<Language, Vec<String>>),
    ByTopic(BTreeMap<String, BTreeMap<Language, Vec<String>>>),
}

/// A town or a colour: its names and what else it is called.
#[derive(Deserialize)]
struct RawNamed {
    name: BTreeMap<Language, String>,
    #[serde(default)]
    also: Vec<String>,
}

impl CommandRules {
    /// Reads the rules.
    ///
    /// # Errors
    /// The first file that cannot be read, with the place in it.
    pub fn new(texts: RuleTexts<'_>) -> Result<Self, RulesError> {
        let commands: BTreeMap<CommandName, RawCommand> = parse("commands.toml", texts.commands)?;
        let phrases: RawPhrases = parse("phrases.toml", texts.phrases)?;
        let slots: SlotRules = parse("slots.toml", texts.slots)?;
        let specs = specs(commands, texts.examples)?;
        let whole = meanings(phrases.phrases);
        let cues = meanings(phrases.cues);
        let odd = cues.iter().find(|(_, meaning)| meaning.name == CommandName::FindProduct && meaning.wish().is_none());
        if let Some((_, meaning)) = odd {
            return Err(RulesError::Wish { topic: meaning.topic.clone().unwrap_or_default() });
        }
        let frame = slots.frame_words();
        let pointers = slots.pointer_words();
        let places_in_list = slots.places_in_list().map_err(|reason| RulesError::Place { reason })?;
        Ok(CommandRules {
            examples_hash: hash(&specs),
            shown: shown(texts.shown)?,
            weighing: parse("weighing.toml", texts.weighing)?,
            specs,
            phrases: whole.iter().map(|(text, meaning)| (fold(text), meaning.clone())).collect(),
            phrase_parts: Lexicon::new(whole),
            cues: Lexicon::new(cues),
            stop: Lexicon::new(stop_words(phrases.stop, frame)),
            edges: slots.edge_words().iter().map(|word| fold(word)).collect(),
            han_edges: slots.han_edges(),
            wish: Lexicon::new(phrases.wish.into_values().flatten().map(|word| (word, ()))),
            slovak_pointers: slots.slovak_pointers().into_iter().collect(),
            pointers: Lexicon::new(pointers.into_iter().map(|word| (word, ()))),
            places_in_list: Lexicon::new(places_in_list),
            places: named("places.toml", texts.places)?,
            colours: named("colours.toml", texts.colours)?,
            coloured: Lexicon::new(slots.coloured().iter().map(|words| (words.clone(), ()))),
            details: details(texts.details)?,
            between: parse::<RawSearch>("search.toml", texts.search)?.between,
            slots: SlotTable::new(slots)?,
        })
    }
}

/// The files' names in the order of [`Language::ALL`], for errors.
const EXAMPLE_FILES: [&str; 4] = ["examples/en.toml", "examples/ru.toml", "examples/sk.toml", "examples/zh.toml"];

/// Every command with its labelled messages of all languages.
fn specs(commands: BTreeMap<CommandName, RawCommand>, texts: [&str; 4]) -> Result<Vec<CommandSpec>, RulesError> {
    let empty = |(name, raw): (CommandName, RawCommand)| CommandSpec { name, about: raw.about, examples: Vec::new() };
    let mut specs: Vec<CommandSpec> = commands.into_iter().map(empty).collect();
    for (language, (file, text)) in Language::ALL.into_iter().zip(EXAMPLE_FILES.into_iter().zip(texts)) {
        let mut labelled: BTreeMap<CommandName, Vec<String>> = parse(file, text)?;
        for spec in &mut specs {
            let texts = labelled.remove(&spec.name).unwrap_or_default();
            spec.examples.extend(texts.into_iter().map(|text| (language, text)));
        }
        if let Some(name) = labelled.into_keys().next() {
            return Err(RulesError::Undefined { file, name });
        }
    }
    Ok(specs)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShown {
    shown: BTreeMap<Language, Vec<String>>,
    other: BTreeMap<Language, Vec<String>>,
}

/// Messages that ask about what was shown, and others.
fn shown(text: &str) -> Result<Vec<(String, bool)>, RulesError> {
    let RawShown { shown, other } = parse("shown.toml", text)?;
    let all = |messages: BTreeMap<Language, Vec<String>>| messages.into_values().flatten();
    Ok(all(shown).map(|text| (text, true)).chain(all(other).map(|text| (text, false))).collect())
}

/// What the vectors of the examples depend on.
fn hash(specs: &[CommandSpec]) -> String {
    let mut digest = Sha256::new();
    for (spec, (language, text)) in specs.iter().flat_map(|spec| spec.examples.iter().map(move |one| (spec, one))) {
        digest.update(format!("{}\t{language}\t{text}\n", spec.name));
    }
    hex::encode(digest.finalize())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSearch {
    between: Vec<String>,
    /// Read by the shop.
    #[serde(default, rename = "kind")]
    _kind: IgnoredAny,
    #[serde(default, rename = "turns")]
    _turns: IgnoredAny,
}

fn stop_words(
    by_language: BTreeMap<Language, Vec<String>>,
    frame: Vec<String>,
) -> impl Iterator<Item = (String, Option<Language>)> {
    let own = |(language, words): (Language, Vec<String>)| words.into_iter().map(move |word| (word, Some(language)));
    by_language.into_iter().flat_map(own).chain(frame.into_iter().map(|word| (word, None)))
}

fn meanings(all: BTreeMap<CommandName, Wordings>) -> Vec<(String, Meaning)> {
    let mut out = Vec::new();
    for (name, wordings) in all {
        match wordings {
            Wordings::Plain(texts) => add(&mut out, texts, &Meaning { name, topic: None }),
            Wordings::ByTopic(topics) => {
                for (topic, texts) in topics {
                    add(&mut out, texts, &Meaning { name, topic: Some(topic) });
                }
            }
        }
    }
    out
}

fn add(out: &mut Vec<(String, Meaning)>, texts: BTreeMap<Language, Vec<String>>, meaning: &Meaning) {
    out.extend(texts.into_values().flatten().map(|text| (text, meaning.clone())));
}

fn named(file: &'static str, text: &str) -> Result<Lexicon<String>, RulesError> {
    let all: BTreeMap<String, RawNamed> = parse(file, text)?;
    let words = all
        .into_iter()
        .flat_map(|(id, raw)| raw.name.into_values().chain(raw.also).map(move |word| (word, id.clone())));
    Ok(Lexicon::new(words))
}

#[derive(Deserialize)]
struct RawDetail {
    asks: Vec<String>,
}

fn details(text: &str) -> Result<Lexicon<String>, RulesError> {
    let all: BTreeMap<String, RawDetail> = parse("details.toml", text)?;
    Ok(Lexicon::new(all.into_iter().flat_map(|(id, raw)| raw.asks.into_iter().map(move |ask| (ask, id.clone())))))
}

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, RulesError> {
    toml::from_str(text).map_err(|source| RulesError::Shape { file, source: Box::new(source) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn texts() -> RuleTexts<'static> {
        RuleTexts {
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
        }
    }

    /// Reading the rules takes a moment, so the tests share them.
    pub(crate) fn rules() -> &'static CommandRules {
        static SHARED: std::sync::LazyLock<CommandRules> =
            std::sync::LazyLock::new(|| CommandRules::new(texts()).unwrap_or_else(|error| panic!("{error}")));
        &SHARED
    }

    #[test]
    fn every_command_has_examples_in_every_language() {
        for name in CommandName::ALL {
            let spec =
                rules().specs.iter().find(|spec| spec.name == *name).unwrap_or_else(|| panic!("{name} is missing"));
            for language in Language::ALL {
                assert!(spec.examples.iter().filter(|(other, _)| *other == language).count() >= 5, "{name} {language}");
            }
        }
    }

    #[test]
    fn a_mistake_is_named_by_file() {
        let texts = RuleTexts { colours: "[black]\nname = 5", ..texts() };
        let message = CommandRules::new(texts).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("data/rules/colours.toml"), "{message}");
    }
}
