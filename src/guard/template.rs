//! The check of reply templates at start-up: nothing in a sentence but words and known slots.

use std::ops::Range;

use crate::domain::Language;

use super::between::bare;
use super::lexicon::{Class, Lexicon};
use super::money::{ItemKind, Reading};
use super::{Code, Guard, lex, norm, text};

/// Why a template may not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data/replies/{language}.toml: `{key}`: {problem}: {excerpt:?}; {fix}")]
pub struct TemplateFault {
    /// Whose file.
    pub language: Language,
    /// The sentence's key.
    pub key: String,
    /// What is wrong.
    pub problem: &'static str,
    /// The words at fault.
    pub excerpt: String,
    /// How to mend it.
    pub fix: &'static str,
}

/// Claims that stand beside the slot which proves them, by the slot and the fault it lifts.
const PROVED: [(&str, Code); 6] = [
    ("discount", Code::Discount),
    ("free_from", Code::ZeroPrice),
    ("old_price", Code::Discount),
    ("sale_until", Code::Discount),
    ("old_price", Code::Comparison),
    ("name", Code::Comparison),
];

impl Guard {
    /// Checks one template of `data/replies`; `slots` are the names its key may use.
    ///
    /// # Errors
    /// The first fault, with how to mend it.
    pub fn check_template(
        &self,
        language: Language,
        key: &str,
        template: &str,
        slots: &[&str],
    ) -> Result<(), TemplateFault> {
        let fault = |problem: &'static str, excerpt: &str, fix: &'static str| TemplateFault {
            language,
            key: key.to_string(),
            problem,
            excerpt: excerpt.to_string(),
            fix,
        };
        let islands = slot_ranges(template)
            .map_err(|excerpt| fault("a brace without its partner", excerpt, "write a slot as {name}"))?;
        let names: Vec<&str> = islands.iter().map(|range| &template[range.start + 1..range.end - 1]).collect();
        if let Some(unknown) = names.iter().find(|name| !slots.contains(name)) {
            return Err(fault(
                "a slot this sentence has no value for",
                unknown,
                "use one of the slots listed for the key",
            ));
        }
        let mut hidden = islands;
        loop {
            let Some((code, at, _)) = template_fault(&self.lexicon, language, template, &hidden) else {
                return Ok(());
            };
            let proved = PROVED.iter().any(|(slot, lifts)| {
                *lifts == code && names.contains(slot) && (code != Code::Comparison || key.starts_with("compare"))
            });
            if !proved || at.is_empty() {
                return Err(fault(problem(code), &template[at], "say it with a slot, or leave it out"));
            }
            // The claim is proved by its slot: look on as if its words were a slot too.
            hidden.push(at);
            hidden.sort_by_key(|range| range.start);
        }
    }
}

fn problem(code: Code) -> &'static str {
    match code {
        Code::ZeroPrice => "a word for free or half price",
        Code::Discount => "a percentage or a word for a reduction",
        Code::Commitment => "a promise that binds the shop",
        Code::Comparison => "a comparison of prices",
        Code::PriceTalk => "a currency outside a slot",
        Code::NumberWord => "a number word outside a slot",
        Code::BidiControl => "a direction control",
        Code::MixedToken => "a sign or word that could hide a number",
        _ => "a number outside a slot",
    }
}

fn slot_ranges(template: &str) -> Result<Vec<Range<usize>>, &str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = template[at..].find(['{', '}']).map(|index| at + index) {
        let close = template[open..].find('}').map(|index| open + index);
        match close {
            Some(close) if close > open && !template[open + 1..close].contains('{') => found.push(open..close + 1),
            _ => return Err(&template[open..]),
        }
        at = found.last().map_or(template.len(), |range| range.end);
    }
    Ok(found)
}

/// Faults of a template's own words; `{slots}` are the islands.
fn template_fault(
    lexicon: &Lexicon,
    language: Language,
    text: &str,
    islands: &[Range<usize>],
) -> Option<(Code, Range<usize>, u64)> {
    let normal = norm::normalise(text, islands);
    if let Some(at) = normal.bidi {
        return Some((Code::BidiControl, at, 0));
    }
    let tokens = lex::tokens(lexicon, &normal, language, &[]);
    let reading = Reading::new(lexicon, (&normal.text, &tokens), language);
    let claims = [
        (Class::Slang, Code::Slang),
        (Class::Commit, Code::Commitment),
        (Class::Zero, Code::ZeroPrice),
        (Class::Discount, Code::Discount),
        (Class::Compare, Code::Comparison),
        (Class::Dearer, Code::Comparison),
    ];
    for range in text::sentences(&tokens, |_| true) {
        let items = reading.items(range);
        for (index, item) in items.iter().enumerate() {
            let denied = items[index.saturating_sub(4)..index]
                .iter()
                .chain(items.get(index + 1))
                .any(|item| item.is(Class::Negation));
            let claim = claims
                .iter()
                .find(|(class, _)| item.kind == ItemKind::Word && item.is(*class) && !denied)
                .map(|(_, code)| *code);
            if let Some(code) = bare(item).map(|(code, _)| code).or(claim) {
                let at =
                    normal.original(tokens[item.tokens.start].range().start..tokens[item.tokens.end - 1].range().end);
                return Some((code, at, item.bits));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::GUARD;
    use super::*;

    const SLOTS: [&str; 8] = ["name", "price", "old_price", "sale_until", "free_from", "delivery_cost", "place", "n"];

    fn check(language: Language, key: &str, template: &str, expected: Option<&str>) {
        let found = GUARD.check_template(language, key, template, &SLOTS).err().map(|fault| fault.excerpt);
        assert_eq!(found.as_deref(), expected, "{template}");
    }

    #[test]
    fn templates_hold_words_and_known_slots_only() {
        use Language::{En, Ru, Sk, Zh};
        check(En, "offer", "{name} — {price}.", None);
        check(En, "deliver_free_from", "Delivery is free for orders from {free_from}.", None);
        check(En, "deliver", "Delivery to {place} is free.", Some("free"));
        check(En, "offer", "{name} — {price} or 5 %.", Some("5 %"));
        check(Ru, "offer", "{name} — {price} за два.", Some("два"));
        check(Ru, "offer", "{name} — {price} ₽", Some("₽"));
        check(Sk, "greeting", "Sľubujeme vám všetko.", Some("Sľubujeme"));
        check(Zh, "offer", "{name}打折了", Some("打折"));
        check(En, "offer", "{nam} x", Some("nam"));
        check(En, "offer", "{name x", Some("{name x"));
        check(En, "spam", "Thank you, but we do not accept offers through this chat.", None);
        check(En, "ask", "Which one would you like to know about?", None);
    }

    #[test]
    fn english_replies_pass() {
        let file: toml::Table = include_str!("../../data/replies/en.toml").parse().unwrap();
        let guard = &GUARD;
        let faults: Vec<String> = file["say"]
            .as_table()
            .unwrap()
            .iter()
            .filter_map(|(key, template)| {
                let template = template.as_str().unwrap();
                let names: Vec<&str> = slot_ranges(template)
                    .unwrap()
                    .into_iter()
                    .map(|range| &template[range.start + 1..range.end - 1])
                    .collect();
                guard.check_template(Language::En, key, template, &names).err().map(|fault| fault.to_string())
            })
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
