//! What is meant with a cart besides putting something in: looking, taking out, another number, a promotion's code. In: the words of
//! `data/rules/cart.toml` and a message. Out: what is meant, or nothing. Which line is meant is for whoever knows the cart.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::folded::{Folded, Lexicon, fold, is_han};
use crate::domain::Language;

type Words = BTreeMap<Language, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    cart: Words,
    show: Words,
    clear: Words,
    remove: Words,
    set: Words,
    code: Words,
    no_code: Words,
    known: Words,
    again: Words,
    with_delivery: Words,
    how_much: Words,
    difference: Words,
    together: Words,
    sum: Words,
    adds: Words,
    correct: Words,
    beside: Words,
    number: BTreeMap<Language, BTreeMap<String, u32>>,
}

/// A part of a message about the thing that was put in just now.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Set,
    Remove,
    Correct,
    Beside,
    Number(u32),
}

/// The compiled words.
pub struct CartWords {
    cart: Lexicon<()>,
    show: Lexicon<()>,
    clear: Lexicon<()>,
    remove: Lexicon<()>,
    set: Lexicon<()>,
    code: Lexicon<()>,
    no_code: Lexicon<()>,
    known: Vec<String>,
    again: Lexicon<()>,
    with_delivery: Lexicon<()>,
    how_much: Lexicon<()>,
    difference: Lexicon<()>,
    together: Lexicon<()>,
    sum: Lexicon<()>,
    adds: Lexicon<()>,
    parts: Lexicon<Part>,
}

/// What is meant with the cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CartAsk {
    /// What is in it.
    Show,
    /// Everything out.
    Clear,
    /// Something out.
    Remove,
    /// So many of something.
    Set(u32),
    /// This code.
    Code(String),
    /// No code.
    NoCode,
    /// What was ordered last time.
    Again,
}

impl CartWords {
    /// Reads `data/rules/cart.toml`.
    ///
    /// # Errors
    /// Not its shape, with the line.
    pub fn parse(text: &str) -> Result<CartWords, toml::de::Error> {
        let raw: Raw = toml::from_str(text)?;
        let parts = parts(&raw);
        let lexicon = |words: Words| Lexicon::new(words.into_values().flatten().map(|word| (word, ())));
        Ok(CartWords {
            cart: lexicon(raw.cart),
            show: lexicon(raw.show),
            clear: lexicon(raw.clear),
            remove: lexicon(raw.remove),
            set: lexicon(raw.set),
            code: lexicon(raw.code),
            no_code: lexicon(raw.no_code),
            again: lexicon(raw.again),
            with_delivery: lexicon(raw.with_delivery),
            how_much: lexicon(raw.how_much),
            difference: lexicon(raw.difference),
            together: lexicon(raw.together),
            sum: lexicon(raw.sum),
            adds: lexicon(raw.adds),
            parts: Lexicon::new(parts),
            known: raw.known.into_values().flatten().map(|word| fold(&word)).collect(),
        })
    }

    /// What is meant; none when the message says nothing of the kind.
    pub fn read(&self, text: &str) -> Option<CartAsk> {
        let folded = fold(text);
        let has = |lexicon: &Lexicon<()>| !lexicon.find(&folded).is_empty();
        if has(&self.again) && is_short(&folded) {
            return Some(CartAsk::Again);
        }
        if has(&self.no_code) {
            return Some(CartAsk::NoCode);
        }
        if let Some(code) = self.named_code(text) {
            return Some(CartAsk::Code(code));
        }
        if has(&self.clear) {
            return Some(CartAsk::Clear);
        }
        if !has(&self.cart) {
            return None;
        }
        if has(&self.remove) {
            return Some(CartAsk::Remove);
        }
        if let (true, Some(number)) = (has(&self.set), self.number(&folded)) {
            return Some(if number == 0 { CartAsk::Remove } else { CartAsk::Set(number) });
        }
        has(&self.show).then_some(CartAsk::Show)
    }

    /// True when something is to be taken out, though nobody says of what.
    pub fn removes(&self, text: &str) -> bool {
        !text.contains(['?', '？']) && !self.remove.find(&fold(text)).is_empty()
    }

    /// True when a price is asked for together with the delivery.
    pub fn with_delivery(&self, text: &str) -> bool {
        !self.with_delivery.find(&fold(text)).is_empty()
    }

    /// True when it is asked how much two prices differ; `beside` a word for cheaper or dearer "how much" says so.
    pub fn difference(&self, text: &str, beside: bool) -> bool {
        let text = fold(text);
        !self.difference.find(&text).is_empty() || beside && !self.how_much.find(&text).is_empty()
    }

    /// True when the sum of several things is asked for.
    pub fn together(&self, text: &str) -> bool {
        !self.together.find(&fold(text)).is_empty()
    }

    /// True when it is asked what things that are named come to.
    pub fn sum(&self, text: &str) -> bool {
        !self.sum.find(&fold(text)).is_empty()
    }

    /// True when what is named comes in addition to something.
    pub fn adds(&self, text: &str) -> bool {
        !self.adds.find(&fold(text)).is_empty()
    }

    /// True when the cart itself is named.
    pub fn says_cart(&self, text: &str) -> bool {
        !self.cart.find(&fold(text)).is_empty()
    }

    /// True when it is asked what things cost, without a word for their sum.
    pub fn how_much(&self, text: &str) -> bool {
        !self.how_much.find(&fold(text)).is_empty()
    }

    /// What is meant with the thing that was put in just now: "actually make it one", "take it out". Every word of the message must
    /// be accounted for, so that a number said about something else changes no cart.
    pub fn corrected(&self, text: &str) -> Option<CartAsk> {
        if text.contains(['?', '？']) {
            return None;
        }
        let folded = fold(text);
        let (mut covered, mut end, mut found) = (0, 0, Vec::new());
        for hit in self.parts.find(&folded) {
            let first = hit.range.start >= end;
            if first {
                covered += letters(&folded[hit.range.clone()]);
                end = hit.range.end;
            }
            if first || !matches!(hit.value, Part::Beside) {
                found.push(*hit.value);
            }
        }
        let digits = folded.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
        for run in digits {
            covered += run.len();
            found.push(Part::Number(run.parse().ok().filter(|number| *number < 1000)?));
        }
        if covered != letters(&folded) {
            return None;
        }
        let numbers: Vec<u32> = found.iter().filter_map(Part::number).collect();
        match numbers.as_slice() {
            [] if found.contains(&Part::Remove) => Some(CartAsk::Remove),
            [number] if found.contains(&Part::Set) || found.contains(&Part::Correct) => {
                let nothing_else = !found.contains(&Part::Remove);
                nothing_else.then_some(if *number == 0 { CartAsk::Remove } else { CartAsk::Set(*number) })
            }
            _ => None,
        }
    }

    /// True for a short word about what was said just now: "make it ...", "no, rather ...".
    pub fn puts_right(&self, text: &str) -> bool {
        let folded = fold(text);
        let puts_right = |part: &Part| matches!(part, Part::Set | Part::Correct);
        is_short(&folded) && self.parts.find(&folded).iter().any(|hit| puts_right(hit.value))
    }

    /// The word of Latin letters or digits after a word for a code: written in capitals or with a digit in it.
    fn named_code(&self, text: &str) -> Option<String> {
        let folded = Folded::new(text);
        let cue = self.code.find(&folded.text).into_iter().last()?;
        let rest = &text[folded.source_range(&cue.range).end..];
        let words = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| !word.is_empty());
        let telling = |word: &&str| {
            let marked = word.chars().any(|c| c.is_ascii_digit()) || word.chars().all(|c| c.is_ascii_uppercase());
            (4..=20).contains(&word.len())
                && marked
                && word.chars().any(|c| c.is_ascii_alphabetic())
                && !self.known.contains(&fold(word))
        };
        words.take(4).find(telling).map(str::to_string)
    }

    /// The one number of the message.
    fn number(&self, folded: &str) -> Option<u32> {
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = folded.split(|c: char| c == ' ' || is_han(c));
        let numbers: Vec<&str> = parts.filter(is_number).collect();
        // A size may stand before it; what is wanted is said last.
        numbers.last().and_then(|number| number.parse().ok()).filter(|number| *number < 1000)
    }
}

impl Part {
    fn number(&self) -> Option<u32> {
        match self {
            Part::Number(number) => Some(*number),
            _ => None,
        }
    }
}

fn parts(raw: &Raw) -> Vec<(String, Part)> {
    let lists = [
        (&raw.set, Part::Set),
        (&raw.remove, Part::Remove),
        (&raw.correct, Part::Correct),
        (&raw.beside, Part::Beside),
    ];
    let words =
        lists.into_iter().flat_map(|(words, part)| words.values().flatten().map(move |word| (word.clone(), part)));
    let numbers = raw.number.values().flatten().map(|(word, number)| (word.clone(), Part::Number(*number)));
    words.chain(numbers).collect()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// A wish, not a story in which the same words may stand.
fn is_short(folded: &str) -> bool {
    folded.split(' ').count() <= 10 && folded.chars().filter(|c| is_han(*c)).count() <= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<CartAsk>) {
        let words = CartWords::parse(include_str!("../../data/rules/cart.toml")).unwrap();
        assert_eq!(words.read(text), expected, "{text}");
    }

    #[test]
    fn looking_and_taking_out_are_told_from_putting_in() {
        use CartAsk::{Clear, Remove, Set, Show};
        for text in
            ["what's in my cart?", "show me the cart", "Что у меня в корзине?", "čo mám v košíku", "购物车里有什么"]
        {
            check(text, Some(Show));
        }
        for text in [
            "remove the kettle from my cart",
            "уберите чайник из корзины",
            "odstráňte kanvicu z košíka",
            "把水壶从购物车删掉",
        ] {
            check(text, Some(Remove));
        }
        for text in ["empty my cart please", "очистите корзину", "vyprázdnite košík", "清空购物车"]
        {
            check(text, Some(Clear));
        }
        check("change the mugs in my cart to 3", Some(Set(3)));
        check("измените количество чайников в корзине на 2", Some(Set(2)));
        check("zmeňte počet kanvíc v košíku na 4", Some(Set(4)));
        check("购物车里的水壶改成3个", Some(Set(3)));
        for text in
            ["add two of these to my cart", "положите два чайника в корзину", "pridajte do košíka", "加两个到购物车"]
        {
            check(text, None);
        }
        check("remove the stain from the jacket", None);
    }

    #[test]
    fn what_was_put_in_just_now_is_corrected_by_messages_that_say_nothing_else() {
        use CartAsk::{Remove, Set};
        let words = CartWords::parse(include_str!("../../data/rules/cart.toml")).unwrap();
        let check = |text: &str, expected: Option<CartAsk>| assert_eq!(words.corrected(text), expected, "{text}");
        for text in
            ["actually make it one", "no, just one please", "нет, лучше один", "сделайте одну", "radšej len jednu"]
        {
            check(text, Some(Set(1)));
        }
        for text in ["vlastne stačí jeden kus", "还是一个吧", "改成1个", "只要一个就好", "make that 1"]
        {
            check(text, Some(Set(1)));
        }
        check("make it 3 then", Some(Set(3)));
        check("давайте всё-таки три штуки", Some(Set(3)));
        check("dajte radšej dva kusy", Some(Set(2)));
        check("改成两件吧", Some(Set(2)));
        for text in ["take it out", "remove it please", "уберите его", "vyhoď ho", "odstráňte to", "删掉吧"]
        {
            check(text, Some(Remove));
        }
        for text in [
            "one",
            "make it red",
            "make it one size larger",
            "is one enough?",
            "I need one more thing",
            "два чайника",
            "改成红色",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_price_with_the_delivery_is_a_question_of_its_own() {
        let words = CartWords::parse(include_str!("../../data/rules/cart.toml")).unwrap();
        for text in [
            "how much is the kettle with delivery to Nitra?",
            "what would it be including shipping",
            "сколько выйдет с доставкой?",
            "koľko to bude aj s dopravou?",
            "含运费一共多少钱",
        ] {
            assert!(words.with_delivery(text), "{text}");
        }
        for text in ["boots and socks, how much together", "сколько всё вместе?", "koľko spolu", "一起多少钱"]
        {
            assert!(words.together(text) && !words.with_delivery(text), "{text}");
        }
        assert!(!words.together("сколько стоит чайник") && !words.together("how much is the kettle"));
        assert!(
            !words.with_delivery("how much is delivery to Nitra?") && !words.with_delivery("сколько стоит доставка")
        );
    }

    #[test]
    fn a_code_is_a_word_of_its_own() {
        let code = |code: &str| Some(CartAsk::Code(code.to_string()));
        check("I have a promo code TEPLO10", code("TEPLO10"));
        check("промокод TEPLO10", code("TEPLO10"));
        check("mám zľavový kód VITAJTE5, prosím", code("VITAJTE5"));
        check("优惠码 TEPLO10", code("TEPLO10"));
        check("coupon: teplo10", code("teplo10"));
        check("do you have a promo code?", None);
        check("у вас есть промокод?", None);
        check("remove the code", Some(CartAsk::NoCode));
        check("what is the postcode of Nitra?", None);
    }
}
