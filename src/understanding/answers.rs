//! Yes or no to a proposal, by rule alone: a message is a yes only when every word of it is accounted for. In: the words of
//! `data/rules/desk.toml` and a message. Out: an answer, or that it is none. It never asks examples or the model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::folded::{Lexicon, fold, is_han};
use crate::domain::Language;
use crate::domain::desk::Wish;

type Words = BTreeMap<Language, Vec<String>>;

/// What joins what is sent back and what is kept.
static CONJUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\s(?:and|but|а|и|но|a|ale)\s|但是|但|而").expect("invariant: a constant pattern")
});

/// What a question ends on that has no mark.
const ASKS: [char; 5] = ['吗', '呢', '么', '不', '吧'];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    yes: Words,
    no: Words,
    filler: Words,
    wait: Words,
    taken_back: Words,
    call: Words,
    order: Words,
    act: BTreeMap<Wish, Words>,
    unclear: BTreeMap<Wish, Words>,
    all: Words,
    exchange: Words,
    swap: Words,
    what_if: Words,
    perhaps: Words,
    keep: Words,
    address: Words,
    defective: Words,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Yes,
    No,
    Filler,
    Wait,
    Call,
    Order,
    Act(Wish),
    Unclear(Wish),
}

/// What the question was about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Wish(Wish),
    Contact,
    Order,
}

/// The compiled words.
pub struct Answers {
    parts: Lexicon<Part>,
    /// True for words that take back; false for those that may stand beside them.
    taken_back: Lexicon<bool>,
    all: Lexicon<()>,
    exchange: Lexicon<()>,
    swap: Lexicon<()>,
    what_if: Lexicon<()>,
    perhaps: Lexicon<()>,
    keep: Lexicon<()>,
    address: Lexicon<()>,
    defective: Lexicon<()>,
}

/// What was answered to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes,
    /// Leave it.
    No,
    /// An answer, but not a clear one.
    Unclear,
}

impl Answers {
    /// Reads `data/rules/desk.toml`.
    ///
    /// # Errors
    /// Not its shape, with the line.
    pub fn parse(text: &str) -> Result<Answers, toml::de::Error> {
        let raw: Raw = toml::from_str(text)?;
        let mut parts: Vec<(String, Part)> = Vec::new();
        let beside = [&raw.no, &raw.wait, &raw.filler].into_iter().flat_map(|words| flat(words.clone()));
        let taken_back =
            Lexicon::new(flat(raw.taken_back).map(|word| (word, true)).chain(beside.map(|word| (word, false))));
        let mut add = |words: Words, part: Part| parts.extend(flat(words).map(|word| (word, part)));
        add(raw.yes, Part::Yes);
        add(raw.no, Part::No);
        add(raw.filler, Part::Filler);
        add(raw.wait, Part::Wait);
        add(raw.call, Part::Call);
        add(raw.order, Part::Order);
        raw.act.into_iter().for_each(|(wish, words)| add(words, Part::Act(wish)));
        raw.unclear.into_iter().for_each(|(wish, words)| add(words, Part::Unclear(wish)));
        let lexicon = |words: Words| Lexicon::new(flat(words).map(|word| (word, ())));
        Ok(Answers {
            parts: Lexicon::new(parts),
            taken_back,
            all: lexicon(raw.all),
            exchange: lexicon(raw.exchange),
            swap: lexicon(raw.swap),
            what_if: lexicon(raw.what_if),
            perhaps: lexicon(raw.perhaps),
            keep: lexicon(raw.keep),
            address: lexicon(raw.address),
            defective: lexicon(raw.defective),
        })
    }

    /// The answer to a proposal of `wish`; none when the message says something else.
    pub fn read(&self, text: &str, wish: Wish) -> Option<Answer> {
        self.judge(text, Asked::Wish(wish))
    }

    /// The answer to the question whether a contact may be used.
    pub fn consent(&self, text: &str) -> Option<Answer> {
        self.judge(text, Asked::Contact)
    }

    /// The answer to the question whether an order may be placed.
    pub fn order(&self, text: &str) -> Option<Answer> {
        self.judge(text, Asked::Order)
    }

    /// Words that order an operation on an order say nothing to another question.
    fn judge(&self, text: &str, asked: Asked) -> Option<Answer> {
        let wish = match asked {
            Asked::Wish(wish) => Some(wish),
            Asked::Contact | Asked::Order => None,
        };
        let asks = text.contains(['?', '？']);
        let folded = fold(text);
        let mut hits = self.parts.find(&folded);
        hits.retain(|hit| match hit.value {
            Part::Act(_) | Part::Unclear(_) => wish.is_some(),
            Part::Call => asked == Asked::Contact,
            Part::Order => asked == Asked::Order,
            _ => true,
        });
        let own =
            |part: Part| matches!(part, Part::Yes | Part::Call | Part::Order) || wish.map(Part::Act) == Some(part);
        let has = |wanted: &dyn Fn(Part) -> bool| hits.iter().any(|hit| wanted(*hit.value));
        // The same word may order one operation and another: its own proposal's meaning goes first.
        let foreign = |part: Part| matches!(part, Part::Act(other) | Part::Unclear(other) if Some(other) != wish);
        let foreign_only = hits.iter().any(|hit| {
            foreign(*hit.value) && !hits.iter().any(|other| other.range == hit.range && !foreign(*other.value))
        });
        let covered: usize = hits
            .iter()
            .enumerate()
            .filter(|(at, hit)| !hits[..*at].iter().any(|other| other.range == hit.range))
            .map(|(_, hit)| letters(&folded[hit.range.clone()]))
            .sum();
        let whole = covered == letters(&folded);
        if whole && has(&|part| part == Part::Wait) {
            return Some(Answer::Unclear);
        }
        let no = has(&|part| part == Part::No);
        if no || foreign_only {
            let yes = has(&|part| part == Part::Yes);
            return match (whole, yes && no) {
                (true, false) => Some(Answer::No),
                (true, true) => Some(Answer::Unclear),
                // "No, leave it, I will take it after all": what follows a no does not make it a yes.
                (false, _) => (no && self.begins_with_no(&folded) && !asks).then_some(Answer::No),
            };
        }
        if !whole || asks {
            return None;
        }
        let ordered = hits.iter().any(|hit| own(*hit.value));
        let bare = !has(&|part| part == Part::Yes) && has(&|part| wish.map(Part::Unclear) == Some(part));
        match (ordered, bare) {
            (true, false) => Some(Answer::Yes),
            (false, true) | (true, true) => Some(Answer::Unclear),
            (false, false) => None,
        }
    }

    /// True where nothing is said but that what was asked for just now shall be left: "no wait, don't". "I don't want it any more" is none: it may
    /// be why something is called off.
    pub fn takes_back(&self, text: &str) -> bool {
        let folded = fold(text);
        let mut hits = self.taken_back.find(&folded);
        let taken_back = hits.iter().any(|hit| *hit.value);
        hits.dedup_by(|later, earlier| later.range == earlier.range);
        let covered: usize = hits.iter().map(|hit| letters(&folded[hit.range.clone()])).sum();
        taken_back && covered == letters(&folded) && !text.contains(['?', '？'])
    }

    /// True for every piece.
    pub fn all(&self, text: &str) -> bool {
        !self.all.find(&fold(text)).is_empty()
    }

    /// True when something else is wanted instead of the money.
    pub fn exchange(&self, text: &str) -> bool {
        !self.exchange.find(&fold(text)).is_empty()
    }

    /// True when it is about where the order goes.
    pub fn address(&self, text: &str) -> bool {
        !self.address.find(&fold(text)).is_empty()
    }

    /// True when it is asked about goods being changed for others: "can we swap it in the shop?".
    pub fn swaps(&self, text: &str) -> bool {
        !self.swap.find(&fold(text)).is_empty()
    }

    /// True when goods are asked about that may be sent back or exchanged one day: "what if it is too small", "if it is too small, can I ...?".
    pub fn what_if(&self, text: &str) -> bool {
        let asks = text.contains(['?', '？']) || text.trim_end().ends_with(ASKS);
        let text = fold(text);
        !self.what_if.find(&text).is_empty() || asks && !self.perhaps.find(&text).is_empty()
    }

    /// The parts of a message that say what is kept: "the scarf stays" of "return the hat, the scarf stays". Empty where nothing is.
    pub fn kept(&self, text: &str) -> String {
        let stops = [',', '，', ';', '；', '.', '。', '!', '！', '?', '？', '、', '\n'];
        let parts = text.split(stops).flat_map(|clause| CONJUNCTION.split(clause));
        parts.filter(|part| !self.keep.find(&fold(part)).is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// True when something is broken or not what was ordered.
    pub fn defective(&self, text: &str) -> bool {
        !self.defective.find(&fold(text)).is_empty()
    }

    /// True when the message opens with a no that stands alone before a stop or is short enough to be one.
    fn begins_with_no(&self, folded: &str) -> bool {
        let first = self.parts.find(folded).into_iter().find(|hit| *hit.value != Part::Filler);
        let words = folded.split(' ').count();
        let han = folded.chars().filter(|c| is_han(*c)).count();
        first.is_some_and(|hit| *hit.value == Part::No && hit.range.start == 0) && words <= 8 && han <= 14
    }
}

fn flat(words: Words) -> impl Iterator<Item = String> {
    words.into_values().flatten()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wish: Wish, text: &str, expected: Option<Answer>) {
        let answers = Answers::parse(include_str!("../../data/rules/desk.toml")).unwrap();
        assert_eq!(answers.read(text, wish), expected, "{text} to {wish:?}");
    }

    #[test]
    fn what_was_asked_for_is_taken_back() {
        let answers = Answers::parse(include_str!("../../data/rules/desk.toml")).unwrap();
        let check = |text: &str, expected: bool| assert_eq!(answers.takes_back(text), expected, "{text}");
        for text in [
            "no wait, don't",
            "actually no, leave it",
            "never mind",
            "Нет, подождите, не отменяйте",
            "хотя нет, не надо",
        ] {
            check(text, true);
        }
        for text in ["vlastne nie, nerušte ju", "nie, počkajte, nechajte to tak", "算了，不取消了", "等等，先别"]
        {
            check(text, true);
        }
        // Why something is called off, another wish, a question.
        for text in ["I don't want it", "передумал", "už ju nechcem", "不要了", "no, the red one", "don't you?"]
        {
            check(text, false);
        }
    }

    #[test]
    fn a_yes_accounts_for_every_word() {
        for text in [
            "yes",
            "Yes please",
            "ok, go ahead",
            "yes, cancel it",
            "please do",
            "sure, do it!",
            "да",
            "Да, отменяйте",
            "хорошо",
            "подтверждаю",
            "да, отмените, пожалуйста",
            "áno",
            "ano prosim",
            "áno, zrušte ju",
            "dobre, zrušte to",
            "好的",
            "是的，取消吧",
            "好的，麻烦您取消订单",
            "确认",
            "отменяйте",
            "yes thanks",
        ] {
            check(Wish::Cancel, text, Some(Answer::Yes));
        }
        check(Wish::Return, "да, оформляйте возврат", Some(Answer::Yes));
        check(Wish::Return, "áno, zaevidujte vrátenie", Some(Answer::Yes));
        check(Wish::Return, "好的，退货", Some(Answer::Yes));
        check(Wish::Address, "yes, change it", Some(Answer::Yes));
        check(Wish::Exchange, "да, меняйте", Some(Answer::Yes));
    }

    #[test]
    fn a_yes_with_anything_else_is_none() {
        for text in [
            "yes?",
            "yes but only the mug",
            "да, а когда вернут деньги?",
            "ok, and when will I get the money",
            "áno, ale len jednu",
            "好的，什么时候退款",
            "yes TT-10428",
            "да, другой заказ",
            "how much is the kettle",
            "can you?",
            "ok ale najprv zmente adresu",
        ] {
            check(Wish::Cancel, text, None);
        }
    }

    #[test]
    fn a_no_is_heard() {
        for text in [
            "no",
            "no, leave it",
            "no thanks, I'll keep it",
            "never mind",
            "нет",
            "нет, оставьте как есть",
            "не надо",
            "не отменяйте",
            "я передумала",
            "nie",
            "nie, nechajte to tak",
            "rozmyslel som si to",
            "不用了",
            "算了，留着吧",
            "别取消",
            "no, I need it after all",
            "нет, он мне всё-таки нужен",
        ] {
            check(Wish::Cancel, text, Some(Answer::No));
        }
        check(Wish::Return, "cancel", Some(Answer::No));
        check(Wish::Address, "отмена", Some(Answer::No));
    }

    #[test]
    fn an_order_is_placed_by_a_clear_yes_alone() {
        let answers = Answers::parse(include_str!("../../data/rules/desk.toml")).unwrap();
        let check = |text: &str, expected: Option<Answer>| assert_eq!(answers.order(text), expected, "{text}");
        for text in [
            "yes",
            "yes, place the order",
            "да, оформляйте",
            "оформляйте заказ",
            "áno, objednajte",
            "objednať",
            "好的，下单吧",
            "确认下单",
        ] {
            check(text, Some(Answer::Yes));
        }
        for text in ["no", "нет, не надо", "不用了"] {
            check(text, Some(Answer::No));
        }
        check("yes, but with two mugs", None);
        check("да, а доставка?", None);
        check("wait", Some(Answer::Unclear));
    }

    #[test]
    fn what_may_be_either_is_asked_again() {
        for text in
            ["cancel", "отмена", "storno", "取消", "wait", "not sure", "подождите", "počkajte", "等等", "yes no"]
        {
            check(Wish::Cancel, text, Some(Answer::Unclear));
        }
    }

    #[test]
    fn what_is_kept_is_told_by_its_clause() {
        let answers = Answers::parse(include_str!("../../data/rules/desk.toml")).unwrap();
        let check = |text: &str, expected: &str| assert_eq!(answers.kept(text), expected, "{text}");
        check("return the hat, I'll keep the scarf", " I'll keep the scarf");
        check("оформите возврат только шапки, шарф оставлю", " шарф оставлю");
        check("毯子想退，夜灯留着", "夜灯留着");
        check("ide o tie poháre, kávu si nechám", " kávu si nechám");
        check("return the hat and the scarf", "");
    }
}
