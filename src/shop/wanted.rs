//! What a message wants of goods beyond what they are: a glass kettle, a quiet vacuum cleaner, bedding that is not linen. In: the
//! properties of `data/rules/narrowing.toml` and a message. Out: the wishes it holds with the words that are left to say what is looked
//! for, and whether a product meets them, which its own attributes tell.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::Product;
use crate::domain::fact::Detail;
use crate::domain::language::fold;

use super::Details;
use super::narrowing::{Narrowings, Property};

/// Beginnings of up to so many letters are nearly the whole word ...
const SHORT: usize = 3;
/// ... and so many letters may follow any.
const ENDING: usize = 5;
/// Marks what is the whole word.
const WHOLE: char = '=';
/// A "not" reaches over so many words.
const REACH: usize = 3;

/// Words beside what is wanted: `[turns]` of `data/rules/search.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turns {
    /// Words and signs that turn a wish round.
    nots: Vec<String>,
    /// Words and signs that say how much.
    degrees: Vec<String>,
}

/// What a message wants.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The wishes, each of one property.
    pub wishes: Vec<Wish<'a>>,
    /// The words that are left to name a thing.
    pub kind: String,
    /// The words that say the wishes.
    pub said: String,
}

/// A wish about one property.
#[derive(Debug)]
pub struct Wish<'a> {
    /// The property's table.
    pub id: &'a str,
    property: &'a Property,
    how: How,
    /// Descriptions tell it, too.
    by_texts: bool,
}

/// How a property is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// One of these values; or none of them.
    Values { groups: BTreeSet<usize>, not: bool },
    /// As little of it as there is.
    Least,
    /// As much.
    Most,
}

/// Whether a product meets a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It does.
    Yes,
    /// It tells something else.
    No,
    /// It tells nothing of it.
    Untold,
}

/// A word of a message with what stands before it.
struct Word {
    text: String,
    negated: bool,
}

impl Narrowings {
    /// The wishes of a message whose words `named` name a thing; none when it has none.
    pub(super) fn wanted<'a>(&'a self, message: &str, named: &str, turns: &Turns) -> Option<Wanted<'a>> {
        let message = fold(message);
        let mut wishes: Vec<Wish<'a>> = Vec::new();
        let mut said: Vec<String> = Vec::new();
        let mut kept: Vec<String> = Vec::new();
        for (id, property) in self.properties() {
            let Some((how, words)) = property.how(&message, &turns.nots) else { continue };
            said.extend(words);
            kept.extend(property.kept(&message));
            wishes.push(Wish { id, property, how, by_texts: false });
        }
        let kind = left(named, (&said, &kept), turns);
        (!wishes.is_empty()).then(|| Wanted { wishes, kind, said: said.join(" ") })
    }
}

impl Turns {
    /// True for the clothes of "anything but clothes", "not clothes": a word right before them turns them down.
    pub(super) fn down(&self, message: &str, thing: &str) -> bool {
        let (message, thing) = (fold(message), fold(thing));
        let Some(before) = message.find(&thing).and_then(|at| message.get(..at)) else { return false };
        let last = bare(before.split_whitespace().next_back().unwrap_or_default());
        self.nots.iter().any(|not| *not == last || han(not) && before.trim_end().ends_with(not.as_str()))
    }
}

impl Wanted<'_> {
    /// True for "a quieter one?" where so many things were shown: what it wants is of their kind. Of one thing "waterproof?" asks
    /// whether it is.
    pub fn of_those(&self, shown: usize) -> bool {
        let more_or_less = || self.wishes.iter().any(|wish| !matches!(wish.how, How::Values { .. }));
        self.kind.is_empty() && (shown > 1 || shown == 1 && more_or_less())
    }

    /// True when it says what is not wanted.
    pub fn turns_down(&self) -> bool {
        self.wishes.iter().any(Wish::turns_down)
    }

    /// True when it says nothing but what is not wanted.
    pub fn only_turns_down(&self) -> bool {
        self.wishes.iter().all(Wish::turns_down)
    }
}

impl Property {
    /// The words of a message that stand in a phrase of which none is meant.
    fn kept(&self, message: &str) -> Vec<String> {
        let never = self.never.iter().map(|phrase| fold(phrase)).filter(|phrase| message.contains(phrase));
        never.flat_map(|phrase| phrase.split(' ').map(str::to_string).collect::<Vec<_>>()).collect()
    }

    /// How a message wants it, with the words that say so.
    fn how(&self, message: &str, nots: &[String]) -> Option<(How, Vec<String>)> {
        let message = &self.never.iter().fold(message.to_string(), |text, phrase| text.replace(&fold(phrase), " "));
        let words = &words(message, nots);
        let (mut yes, mut no, mut said): (BTreeSet<usize>, BTreeSet<usize>, Vec<String>) = Default::default();
        for (groups, word, negated) in found(&self.alike, message, words, nots) {
            if negated {
                no.extend(groups)
            } else {
                yes.extend(groups)
            }
            said.push(word);
        }
        // The linen of "linen bedding, but not linen" is no wish.
        yes.retain(|group| !no.contains(group));
        let values = |groups: BTreeSet<usize>, not: bool| (!groups.is_empty()).then_some(How::Values { groups, not });
        if let Some(how) = values(yes, false).or_else(|| values(no, true)) {
            return Some((how, said));
        }
        let ends = [self.least.clone(), self.most.clone()];
        let (end, word, negated) = found(&ends, message, words, nots).into_iter().next()?;
        Some((if end.contains(&0) != negated { How::Least } else { How::Most }, vec![word]))
    }

    /// The values that a text tells of.
    fn groups(&self, text: &str) -> BTreeSet<usize> {
        let text = fold(text);
        found(&self.alike, &text, &words(&text, &[]), &[]).into_iter().flat_map(|(groups, ..)| groups).collect()
    }

    /// What a product tells of it, in every language, by the attribute or by others that say the same.
    fn told(&self, id: &str, (details, product): (&Details, &Product)) -> Vec<String> {
        let ids = std::iter::once(id).chain(self.also.iter().map(String::as_str));
        let values = ids.filter_map(|id| details.value(product, id));
        values.flat_map(|value| value.all().map(|(_, text)| text.to_string()).collect::<Vec<_>>()).collect()
    }
}

impl Wish<'_> {
    /// True when one of some products tells it, be it by a description where none of them does by an attribute or its name: beside
    /// rain jackets, a fleece that "fits under a rain jacket" is none.
    pub fn told_by(&mut self, details: &Details, products: &[Product]) -> bool {
        let told = |wish: &Self| products.iter().any(|product| wish.met(details, product) != Met::Untold);
        if !told(self) {
            self.by_texts = self.property.in_text;
        }
        told(self)
    }

    /// Whether a product meets it. Of a wish for little or much every product does that tells how much.
    pub fn met(&self, details: &Details, product: &Product) -> Met {
        let told = self.property.told(self.id, (details, product));
        let (groups, not) = match &self.how {
            How::Values { groups, not } => (groups, *not),
            How::Least | How::Most => {
                return if self.measure(details, product).is_some() { Met::Yes } else { Met::Untold };
            }
        };
        let all = |texts: &[String]| texts.iter().flat_map(|text| self.property.groups(text)).collect::<BTreeSet<_>>();
        let mut has = all(&told);
        if told.is_empty() {
            has.extend(product.name.all().flat_map(|(_, name)| self.property.groups(name)));
        }
        if self.by_texts {
            has.extend(product.description.all().flat_map(|(_, text)| self.property.groups(text)));
        }
        let everybodys = told.iter().any(|text| self.property.suits(text)) && !self.property.is_but(groups);
        let present = self.property.has && !told.is_empty();
        let hit = everybodys || present || groups.intersection(&has).next().is_some();
        match (hit, told.is_empty() && has.is_empty()) {
            (true, _) if not => Met::No,
            (true, _) => Met::Yes,
            (false, true) => Met::Untold,
            (false, false) if not => Met::Yes,
            (false, false) => Met::No,
        }
    }

    fn turns_down(&self) -> bool {
        matches!(self.how, How::Values { not: true, .. })
    }

    /// True for what meets it, and for what may where it says what is not wanted.
    pub fn allows(&self, details: &Details, product: &Product) -> bool {
        match self.met(details, product) {
            Met::Yes => true,
            Met::Untold => self.turns_down(),
            Met::No => false,
        }
    }

    /// What a product tells of it.
    pub fn told(&self, details: &Details, product: &Product) -> Vec<Detail> {
        let ids = std::iter::once(self.id).chain(self.property.also.iter().map(String::as_str));
        let told =
            ids.map(|id| details.of(product, id)).find(|told| told.iter().any(|detail| !detail.value.is_empty()));
        told.unwrap_or_default()
    }

    /// How much a product has of it, the wanted end least; none where it does not say, or this is no matter of more and less.
    pub fn measure(&self, details: &Details, product: &Product) -> Option<f64> {
        let sign = match self.how {
            How::Least => 1.0,
            How::Most => -1.0,
            How::Values { .. } => return None,
        };
        let told = self.property.told(self.id, (details, product));
        told.iter().find_map(|text| self.property.number(text)).map(|number| sign * number)
    }
}

impl Property {
    /// The first number of a value in the least of its units; a unit the table does not know is taken for no number, where it knows any.
    fn number(&self, text: &str) -> Option<f64> {
        let text = fold(text);
        let start = text.find(|sign: char| sign.is_ascii_digit())?;
        let rest = &text[start..];
        let end = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.' && sign != ',').unwrap_or(rest.len());
        let number: f64 = rest[..end].replace(',', ".").parse().ok()?;
        let unit: String = rest[end..].trim_start().chars().take_while(|sign| sign.is_alphabetic()).collect();
        match self.units.is_empty() {
            true => Some(number),
            false => self.units.get(&unit).map(|worth| number * worth),
        }
    }

    fn suits(&self, text: &str) -> bool {
        self.any.iter().any(|word| fold(text).contains(&fold(word)))
    }

    /// True for values that what suits everybody does not suit.
    fn is_but(&self, groups: &BTreeSet<usize>) -> bool {
        let of =
            |group: &usize| self.alike.get(*group).is_some_and(|group| self.but.iter().any(|but| group.contains(but)));
        groups.iter().all(of)
    }
}

/// The words of a folded text; a negation reaches up to the next sign of punctuation.
fn words(text: &str, nots: &[String]) -> Vec<Word> {
    let mut reach = 0;
    let mut words = Vec::new();
    for piece in text.split_whitespace() {
        let text = bare(piece);
        if text.is_empty() {
            continue;
        }
        let turns = nots.contains(&text);
        words.push(Word { text, negated: reach > 0 });
        reach = if turns { REACH } else { reach.saturating_sub(1) };
        if piece.ends_with([',', '.', ';', '!', '?']) {
            reach = 0;
        }
    }
    words
}

/// Which groups of beginnings a text holds: for each word the groups of the longest beginning it has, and whether it is turned down.
fn found(groups: &[Vec<String>], text: &str, words: &[Word], nots: &[String]) -> Vec<(Vec<usize>, String, bool)> {
    let starts = || groups.iter().enumerate().flat_map(|(at, group)| group.iter().map(move |start| (at, start)));
    let mut hits: Vec<(Vec<usize>, String, bool)> = Vec::new();
    for word in words.iter().filter(|word| !han(&word.text)) {
        let begun = || starts().filter(|(_, start)| !start.contains(' ') && begins(&word.text, &fold(start)));
        let Some(longest) = begun().map(|(_, start)| start.chars().count()).max() else { continue };
        let groups = begun().filter(|(_, start)| start.chars().count() == longest).map(|(at, _)| at).collect();
        hits.push((groups, word.text.clone(), word.negated));
    }
    for (group, start) in starts().filter(|(_, start)| start.contains(' ')) {
        let start = fold(start);
        let at = text.find(&start).filter(|at| !text[..*at].ends_with(char::is_alphanumeric));
        let Some(at) = at else { continue };
        let before = text[..at].split_whitespace().next_back().unwrap_or_default();
        hits.push((vec![group], start, nots.iter().any(|not| not == before)));
    }
    // Chinese has no spaces to begin a word after; a sign within a longer one that was found is that one's.
    let mut rest = text.to_string();
    let mut signs: Vec<(usize, &String)> = starts().filter(|(_, start)| han(start)).collect();
    signs.sort_by_key(|(_, start)| std::cmp::Reverse(start.chars().count()));
    for (group, start) in signs {
        let Some(at) = rest.find(start.as_str()) else { continue };
        let before: String = rest[..at].chars().rev().take(REACH).collect::<Vec<_>>().into_iter().rev().collect();
        let negated = nots.iter().any(|not| han(not) && before.contains(not.as_str()));
        rest = rest.replace(start.as_str(), "\u{3000}");
        hits.push((vec![group], start.clone(), negated));
    }
    hits
}

fn han(text: &str) -> bool {
    text.contains(|sign: char| sign >= '\u{2e80}')
}

fn begins(word: &str, start: &str) -> bool {
    if let Some(whole) = start.strip_suffix(WHOLE) {
        return word == whole;
    }
    let Some(ending) = word.strip_prefix(start) else { return false };
    let most = if start.chars().count() <= SHORT { SHORT } else { ENDING };
    ending.chars().count() <= most
}

/// The words that name a thing, without those that say a wish, turn one round or say how much.
fn left(named: &str, (said, kept): (&[String], &[String]), turns: &Turns) -> String {
    let all = || said.iter().chain(&turns.nots).chain(&turns.degrees);
    let mut signs: Vec<&String> = all().filter(|one| han(one)).collect();
    signs.sort_by_key(|sign| std::cmp::Reverse(sign.chars().count()));
    let parts: Vec<&str> = said.iter().filter(|said| !han(said)).flat_map(|said| said.split(' ')).collect();
    let spoken = |word: &str| {
        let word = bare(&fold(word));
        let beside = turns.nots.iter().chain(&turns.degrees).any(|one| *one == word);
        !kept.contains(&word) && (beside || parts.contains(&word.as_str()))
    };
    let kept = named.split_whitespace().filter_map(|word| match han(word) {
        true => {
            let rest = signs.iter().fold(word.to_string(), |word, sign| word.replace(sign.as_str(), ""));
            (!rest.is_empty()).then_some(rest)
        }
        false => (!spoken(word)).then(|| word.to_string()),
    });
    kept.collect::<Vec<_>>().join(" ")
}

/// A word without punctuation at its ends and apostrophes in it.
fn bare(word: &str) -> String {
    word.trim_matches(|sign: char| !sign.is_alphanumeric()).replace(['\'', '’'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties() -> Narrowings {
        toml::from_str(include_str!("../../data/rules/narrowing.toml")).unwrap()
    }

    fn turns() -> Turns {
        let search: toml::Table = toml::from_str(include_str!("../../data/rules/search.toml")).unwrap();
        search["turns"].clone().try_into().unwrap()
    }

    #[test]
    fn a_message_says_what_it_wants_of_what() {
        let properties = properties();
        let check = |message: &str, named: &str, expected: &str, kind: &str| {
            let wanted = properties.wanted(message, named, &turns());
            let told = |wish: &Wish<'_>| match &wish.how {
                How::Values { groups, not } => {
                    let first = |group: &usize| wish.property.alike[*group][0].trim_end_matches(WHOLE).to_string();
                    let sign = if *not { "-" } else { "" };
                    format!("{sign}{}", groups.iter().map(first).collect::<Vec<_>>().join("/"))
                }
                How::Least => format!("least {}", wish.id),
                How::Most => format!("most {}", wish.id),
            };
            let all = |wanted: &Wanted<'_>| wanted.wishes.iter().map(told).collect::<Vec<_>>().join(", ");
            assert_eq!(wanted.as_ref().map(all).unwrap_or_default(), expected, "{message}");
            assert_eq!(wanted.map(|wanted| wanted.kind).unwrap_or_default(), kind, "{message}");
        };
        check("glass kettle please", "glass kettle", "glass", "kettle");
        check("kettles that are not plastic", "kettles plastic", "-plastic", "kettles");
        check("quiet vacuum cleaner", "quiet vacuum cleaner", "least noise", "vacuum cleaner");
        check("a vacuum cleaner that is not loud", "vacuum cleaner loud", "least noise", "vacuum cleaner");
        check("a waterproof jacket for men", "waterproof jacket men", "men, waterproof", "jacket");
        check("bed linen, not linen", "bed linen", "-linen", "bed linen");
        check("noise cancelling headphones", "noise cancelling headphones", "noise cancelling", "headphones");
        check("wireless headphones", "wireless headphones", "wireless", "headphones");
        check("light blue towels", "light blue towels", "", "");
        check("let me see umbrellas", "umbrellas", "", "");
        check("стеклянный чайник", "стеклянный чайник", "glass", "чайник");
        check("одеяло не пуховое", "одеяло пуховое", "-down", "одеяло");
        check("перчатки", "перчатки", "", "");
        check("зимние ботинки женские", "зимние ботинки женские", "women, winter", "ботинки");
        check("panvica na indukciu", "panvica indukciu", "induction", "panvica");
        check("sklenené dózy", "sklenené dózy", "glass", "dózy");
        check("skladací stolík", "skladací stolík", "", "");
        check("pánska bunda, nie z vlny", "pánska bunda vlny", "men, -wool", "bunda");
        check("玻璃水壶", "玻璃水壶", "glass", "水壶");
        check("不要塑料的水壶", "不要塑料 水壶", "-plastic", "水壶");
        check("女式冬靴", "女式冬靴", "women, winter", "靴");
        check("静音吸尘器", "静音吸尘器", "least noise", "吸尘器");
        check("", "", "", "");
    }

    #[test]
    fn a_thing_is_turned_down_right_before_it() {
        let check = |message: &str, thing: &str, expected: bool| {
            assert_eq!(turns().down(message, thing), expected, "{message}");
        };
        check("подарок, только не одежда", "одежда", true);
        check("a gift, not socks", "socks", true);
        check("礼物，不要袜子", "袜子", true);
        check("socks, not too thick", "socks", false);
        check("", "socks", false);
    }

    #[test]
    fn a_product_meets_a_wish_by_its_own_attributes() {
        let properties = properties();
        let details: Details = toml::from_str(include_str!("../../data/rules/details.toml")).unwrap();
        let check = |message: &str, attributes: &str, expected: Met| {
            let product =
                format!(r#"{{"id":"P","name":{{"en":"thing"}},"variants":[],"attributes":{{{attributes}}}}}"#);
            let product: Product = serde_json::from_str(&product).unwrap();
            let wanted = properties.wanted(message, "thing", &turns()).unwrap();
            assert_eq!(wanted.wishes[0].met(&details, &product), expected, "{message}: {attributes}");
        };
        let glass = r#""material":{"en":"borosilicate glass","ru":"стекло"}"#;
        check("glass thing", glass, Met::Yes);
        check("стеклянный", glass, Met::Yes);
        check("steel thing", glass, Met::No);
        check("not glass", glass, Met::No);
        check("not plastic", glass, Met::Yes);
        check("glass thing", "", Met::Untold);
        check("not glass", "", Met::Untold);
        let unisex = r#""for":{"en":"unisex"}"#;
        check("for women", unisex, Met::Yes);
        check("for children", unisex, Met::No);
        check("waterproof", r#""waterproof":{"en":"10000 mm water column"}"#, Met::Yes);
        check("quiet", r#""noise":{"en":"62 dB"}"#, Met::Yes);
        check("quiet", "", Met::Untold);
        check("for induction", r#""hob":{"en":"all hobs including induction"}"#, Met::Yes);
        check("for induction", r#""hob":{"en":"gas, electric and ceramic hobs"}"#, Met::No);
        check("suede", r#""upper":{"en":"suede"}"#, Met::Yes);
    }

    #[test]
    fn much_and_little_are_compared_in_one_unit() {
        let properties = properties();
        let details: Details = toml::from_str(include_str!("../../data/rules/details.toml")).unwrap();
        let check = |message: &str, attribute: &str, value: &str, expected: Option<f64>| {
            let product = serde_json::json!({"id": "P", "name": {"en": "thing"}, "variants": [],
                "attributes": {attribute: {"en": value}}});
            let product: Product = serde_json::from_value(product).unwrap();
            let wanted = properties.wanted(message, "thing", &turns()).unwrap();
            let measures = wanted.wishes.iter().filter(|wish| wish.id == attribute);
            let measure = measures.filter_map(|wish| wish.measure(&details, &product)).next();
            assert_eq!(measure, expected, "{message}: {value}");
        };
        check("quiet", "noise", "62 dB", Some(62.0));
        check("large", "capacity", "1.7 l", Some(-1700.0));
        check("large", "capacity", "350 ml", Some(-350.0));
        check("small", "capacity", "1,5 l", Some(1500.0));
        check("small", "capacity", "5 cups", None);
        check("lightweight", "weight", "2.4 kg", Some(2400.0));
    }
}
