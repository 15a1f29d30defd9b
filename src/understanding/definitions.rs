//! The data behind understanding, read once: commands with their examples, phrases, cues, stop words, towns, colours, slots.
//! Files in (as text), lookups out; a mistake in a file is an error that names file and entry.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::folded::{Lexicon, fold};
use super::slots::{SlotRules, SlotTable};
use crate::domain::{CommandName, Language};

/// The texts of the rule files.
#[derive(Clone, Copy, Debug)]
pub struct RuleTexts<'a> {
    /// `data/rules/commands.toml`.
    pub commands: &'a str,
    /// `data/rules/phrases.toml`.
    pub phrases: &'a str,
    /// `data/rules/slots.toml`.
    pub slots: &'a str,
    /// `data/rules/places.toml`.
    pub places: &'a str,
    /// `data/rules/colours.toml`.
    pub colours: &'a str,
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

/// All rules of understanding.
pub struct CommandRules {
    pub(super) specs: Vec<CommandSpec>,
    /// Whole messages, folded.
    pub(super) phrases: HashMap<String, Meaning>,
    /// The same inside a message.
    pub(super) phrase_parts: Lexicon<Meaning>,
    pub(super) cues: Lexicon<Meaning>,
    /// Words without product meaning.
    pub(super) stop: Lexicon<()>,
    /// Words that point at something shown before.
    pub(super) pointers: Lexicon<()>,
    pub(super) places: Lexicon<String>,
    pub(super) colours: Lexicon<String>,
    pub(super) slots: SlotTable,
    /// Changes when an example does.
    pub(super) examples_hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    about: String,
    #[allow(dead_code, reason = "the plan asks for missing slots; understanding only reads the rest")]
    required: Vec<String>,
    examples: BTreeMap<Language, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhrases {
    phrases: BTreeMap<CommandName, Wordings>,
    cues: BTreeMap<CommandName, Wordings>,
    stop: BTreeMap<Language, Vec<String>>,
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
        let whole = meanings(phrases.phrases);
        let frame = slots.frame_words();
        let pointers = slots.pointer_words();
        Ok(CommandRules {
            specs: commands.into_iter().map(|(name, raw)| spec(name, raw)).collect(),
            phrases: whole.iter().map(|(text, meaning)| (fold(text), meaning.clone())).collect(),
            phrase_parts: Lexicon::new(whole),
            cues: Lexicon::new(meanings(phrases.cues)),
            stop: Lexicon::new(phrases.stop.into_values().flatten().chain(frame).map(|word| (word, ()))),
            pointers: Lexicon::new(pointers.into_iter().map(|word| (word, ()))),
            places: named("places.toml", texts.places)?,
            colours: named("colours.toml", texts.colours)?,
            slots: SlotTable::new(slots)?,
            examples_hash: hex::encode(Sha256::digest(texts.commands)),
        })
    }
}

fn spec(name: CommandName, raw: RawCommand) -> CommandSpec {
    let examples =
        raw.examples.into_iter().flat_map(|(language, texts)| texts.into_iter().map(move |text| (language, text)));
    CommandSpec { name, about: raw.about, examples: examples.collect() }
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

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, RulesError> {
    toml::from_str(text).map_err(|source| RulesError::Shape { file, source: Box::new(source) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn texts() -> RuleTexts<'static> {
        RuleTexts {
            commands: include_str!("../../data/rules/commands.toml"),
            phrases: include_str!("../../data/rules/phrases.toml"),
            slots: include_str!("../../data/rules/slots.toml"),
            places: include_str!("../../data/rules/places.toml"),
            colours: include_str!("../../data/rules/colours.toml"),
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
