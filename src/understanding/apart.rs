//! Several things in one message, each with what is said of it alone: "four red mugs, a lantern and socks 42-44". In: a message. Out: the
//! slots of each thing, in the order in which they are named. What stands behind them all ("…, all in grey") is said of each.

use super::definitions::CommandRules;
use super::of_goods::names_goods;
use super::slots::Passage;
use crate::domain::{CommandName, Screened, Slots};

impl CommandRules {
    /// The things a message names, each with its own size, colour and count; one where it names one, none where it names none
    /// or where a count stands apart from them.
    pub(super) fn apart(&self, message: &Screened) -> Vec<Slots> {
        let mut things: Vec<Slots> = Vec::new();
        for part in self.parts(&message.text) {
            let said = self.fill(Passage { message, text: part, about: Some(CommandName::Price) }).slots;
            let named = said.product.as_deref().is_some_and(|words| names_goods(message, words));
            if !named && said.sku.is_none() {
                if said.quantity.is_some() && !things.is_empty() {
                    // "..., four of each", "..., for 2 people": of which, is not clear.
                    return Vec::new();
                }
                things.iter_mut().for_each(|thing| add(thing, &said));
                continue;
            }
            let Slots { product, sku, size, colour, quantity, .. } = said;
            things.push(Slots { product, sku, size, colour, quantity, ..Slots::default() });
        }
        things
    }

    /// One thing in several variants, each as often as is said: "one red and two white", "the mug: two red, one blue". Its name stands before the
    /// first, if anywhere; nothing where it is another way, or no number is said.
    pub(super) fn variants(&self, message: &Screened) -> Vec<Slots> {
        let mut things: Vec<Slots> = Vec::new();
        for part in self.parts(&message.text) {
            let said = self.fill(Passage { message, text: part, about: Some(CommandName::CartAdd) }).slots;
            let Slots { product, sku, size, colour, quantity, .. } = said;
            let product = product.filter(|words| names_goods(message, words));
            let (named, varies) = (product.is_some() || sku.is_some(), size.is_some() || colour.is_some());
            if !varies || named && !things.is_empty() {
                return Vec::new();
            }
            let first = things.first().cloned().unwrap_or_default();
            let (product, sku) = (product.or(first.product), sku.or(first.sku));
            things.push(Slots { product, sku, size, colour, quantity, ..Slots::default() });
        }
        let alike =
            |at: usize| things[..at].iter().any(|one| one.size == things[at].size && one.colour == things[at].colour);
        let counted = things.iter().any(|thing| thing.quantity.is_some());
        let several = things.len() > 1 && counted && !(0..things.len()).any(alike);
        if several { things } else { Vec::new() }
    }

    /// A message cut where something stands that parts names.
    fn parts<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut cuts: Vec<(usize, usize)> = self
            .between
            .iter()
            .flat_map(|separator| text.match_indices(separator.as_str()))
            .map(|(at, separator)| (at, at + separator.len()))
            .filter(|(from, to)| !within_number(text, *from, *to))
            .collect();
        cuts.sort_unstable();
        let (mut parts, mut from) = (Vec::new(), 0);
        for (start, end) in cuts {
            if start >= from {
                parts.push(&text[from..start]);
                from = end;
            }
        }
        parts.push(&text[from..]);
        parts
    }
}

/// What is said of all of them, and of this one nothing else was.
fn add(thing: &mut Slots, said: &Slots) {
    thing.size = thing.size.take().or_else(|| said.size.clone());
    thing.colour = thing.colour.take().or_else(|| said.colour.clone());
}

/// True for the comma of `1,7 l`.
fn within_number(text: &str, from: usize, to: usize) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    digit(text[..from].chars().next_back()) && digit(text[to..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::super::definitions::tests::rules;
    use super::*;
    use crate::domain::Language;
    use crate::domain::message::Marks;

    fn check(language: Language, text: &str, expected: &[(&str, Option<u32>, Option<&str>, Option<&str>)]) {
        let (text, private) = (text.to_string(), text.to_string());
        let message =
            Screened { text, private, language, pii: Vec::new(), injection: 0.0, spam: 0.0, marks: Marks::default() };
        let things = rules().apart(&message);
        let told: Vec<_> = things
            .iter()
            .map(|one| {
                (one.product.as_deref().unwrap_or_default(), one.quantity, one.size.as_deref(), one.colour.as_deref())
            })
            .collect();
        assert_eq!(told, expected, "{}", message.text);
    }

    #[test]
    fn each_thing_has_what_is_said_of_it() {
        use Language::{En, Ru, Sk, Zh};
        check(
            En,
            "how much are 6 Dunaj dinner plates and 4 Dunaj bowls",
            &[("Dunaj dinner plates", Some(6), None, None), ("Dunaj bowls", Some(4), None, None)],
        );
        check(
            En,
            "the pink mug and the night light",
            &[("mug", None, None, Some("pink")), ("night light", None, None, None)],
        );
        check(
            Ru,
            "сколько стоят две красные кружки и чайник 1,7 л",
            &[("кружки", Some(2), None, Some("red")), ("чайник 1,7 л", None, None, None)],
        );
        check(
            Sk,
            "koľko stoja 2 taniere a 3 misky",
            &[("taniere", Some(2), None, None), ("misky", Some(3), None, None)],
        );
        check(Zh, "两个盘子和三个碗多少钱", &[("盘子", Some(2), None, None), ("碗", Some(3), None, None)]);
    }

    #[test]
    fn one_thing_in_several_variants() {
        let check = |language: Language, text: &str, expected: &[(u32, &str)]| {
            let (text, private) = (text.to_string(), text.to_string());
            let message = Screened {
                text,
                private,
                language,
                pii: Vec::new(),
                injection: 0.0,
                spam: 0.0,
                marks: Marks::default(),
            };
            let things = rules().variants(&message);
            let told: Vec<_> = things
                .iter()
                .map(|one| (one.quantity.unwrap_or(1), one.colour.as_deref().unwrap_or_default()))
                .collect();
            assert_eq!(told, expected, "{}", message.text);
        };
        check(Language::En, "one red and two white", &[(1, "red"), (2, "white")]);
        check(Language::Ru, "две красные и одну белую", &[(2, "red"), (1, "white")]);
        check(Language::Sk, "jeden červený a dva biele", &[(1, "red"), (2, "white")]);
        check(Language::Zh, "一个红的和两个白的", &[(1, "red"), (2, "white")]);
        // Another thing, one thing in two colours.
        check(Language::En, "two red mugs and a white plate", &[]);
        check(Language::En, "the red and white one", &[]);
    }

    #[test]
    fn what_stands_behind_them_all_is_said_of_each() {
        check(
            Language::En,
            "2 plates and 3 bowls, all in grey",
            &[("plates", Some(2), None, Some("grey")), ("bowls", Some(3), None, Some("grey"))],
        );
    }
}
