//! What a single word, sign or code claims: a percentage, a reduction, "free", a promise, a number in disguise.
//! In: an item of a sentence and the ledger. Out: the fault, or nothing when a fact or a licence lets it stand.

use super::bind;
use super::ledger::RowKind;
use super::lexicon::{Class, is_han};
use super::money::{Item, ItemKind};
use super::norm;
use super::numeral::{ONE, roman, roman_from_twenty};
use super::sentence::Sentence;
use super::shape::Form;
use super::text::{Checker, Fault};
use super::told;
use super::verdict::Code;

/// Words that claim something by themselves.
const TELLING: u64 = Class::Percent.bit()
    | Class::Slang.bit()
    | Class::Commit.bit()
    | Class::Zero.bit()
    | Class::Discount.bit()
    | Class::Gives.bit()
    | Class::Less.bit()
    | Class::NumberLike.bit()
    | Class::Time.bit()
    | Class::Instalment.bit()
    | Class::Ordinal.bit()
    | Class::Vague.bit();

/// What is wrong with a word, when something is.
type Claim = Option<(Code, &'static str)>;

/// A word that makes less of an amount.
fn share(sentence: &Sentence<'_>, item: &Item) -> Claim {
    if item.is(Class::Less) && sentence.of_the_amount() {
        return Some((Code::PriceTalk, "an amount told before is taken back"));
    }
    let priced = sentence.priced() || sentence.of_the_amount() || sentence.has(Class::Discount);
    let code = if item.is(Class::Discount) { Code::Discount } else { Code::PriceTalk };
    (item.is(Class::NumberLike) && priced).then_some((code, "a share of a price"))
}

impl Checker<'_> {
    /// Faults a single item shows by itself.
    pub(super) fn item(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> Result<(), Fault> {
        let found = match &item.kind {
            ItemKind::Word => self.word(sentence, index, item),
            ItemKind::Odd => Some((Code::MixedToken, "a sign or word that could hide a number")),
            ItemKind::Mixed if !self.known_code(item) && (!item.is(Class::Known) || sentence.priced()) => {
                Some((Code::MixedToken, "letters and digits that are no known code"))
            }
            ItemKind::Percent(value) if !self.percent(sentence, index, *value) => {
                Some((Code::Discount, "a percentage no fact allows"))
            }
            ItemKind::Sign('%' | '‰') => Some((Code::Discount, "a percentage without its number")),
            ItemKind::Pattern(form) if self.hides_amount(sentence, index, *form) => {
                Some((Code::UnlicensedNumber, "a time or day that could be an amount"))
            }
            ItemKind::Pattern(form) if self.differs(item, *form) => {
                Some((Code::UnlicensedNumber, "another day or phone than the facts have"))
            }
            _ => None,
        };
        found.map_or(Ok(()), |(code, why)| Err(sentence.fault(code, index, why)))
    }

    fn word(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> Claim {
        let told = || {
            let money = self.money_word(sentence, index, item);
            money.or_else(|| self.time_word(sentence, index, item)).or_else(|| share(sentence, item))
        };
        let found = if item.plain_bits() & TELLING == 0 { None } else { told() };
        found.or_else(|| self.roman(sentence, index, item).then_some((Code::MixedToken, "a Roman numeral")))
    }

    /// A word that promises, reduces or gives away.
    fn money_word(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> Claim {
        if item.is(Class::Percent) {
            Some((Code::Discount, "a percentage without its number"))
        } else if item.is(Class::Slang) {
            Some((Code::Slang, "an amount in slang"))
        } else if item.is(Class::Commit) && !sentence.negated(index, 4) {
            Some((Code::Commitment, "a promise that binds the shop"))
        } else if item.is(Class::Zero) && !self.free(sentence, index) {
            Some((Code::ZeroPrice, "free or half price without a fact"))
        } else if item.is(Class::Discount) && !self.discount(sentence, index) {
            Some((Code::Discount, "a reduction without a fact"))
        } else if item.is(Class::Gives) && sentence.names_next(index) {
            Some((Code::ZeroPrice, "a product given away without a fact"))
        } else {
            None
        }
    }

    /// A word of a day or a length of time.
    fn time_word(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> Claim {
        if item.is(Class::Ordinal) && self.spelled_day(sentence, index) {
            Some((Code::UnlicensedNumber, "a day in words where the facts give days"))
        } else if self.promised_time(sentence, index) {
            Some((Code::UnlicensedNumber, "a day of arrival no fact gives"))
        } else if self.vague_time(sentence, index) {
            Some((Code::UnlicensedNumber, "a length of time that is not the facts'"))
        } else {
            None
        }
    }

    /// "The ninth of June": no figure to compare, where the facts give days.
    fn spelled_day(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        // English `may` is a month only right beside: "the ninth of May", "May the ninth".
        let near = |item: &&Item| !matches!(self.reading.words(item.tokens.clone()), "of" | "the");
        let behind = sentence.items[index + 1..].iter().find(near);
        let before = sentence.items[..index].iter().rev().find(near);
        let month = [before, behind].into_iter().flatten().any(|item| item.is(Class::Month));
        let promised = self.ledger.complete && (sentence.has(Class::Shipping) || sentence.has(Class::Promise));
        month && (promised || !self.days().is_empty())
    }

    /// "The lamp will arrive this week", "it arrives tomorrow": a time without a number is compared with no fact, so a
    /// product that is named, or was, may not be promised for it.
    fn promised_time(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        if !sentence.has(Class::Promise) || sentence.question || (sentence.nameless() && sentence.focus.is_none()) {
            return false;
        }
        let item = &sentence.items[index];
        let vague = index.checked_sub(1).is_some_and(|at| sentence.items[at].is(Class::Vague));
        // "Tomorrow", "Friday".
        let day = item.is(Class::Changing) && item.is(Class::Vague);
        let quoted = || self.ledger.texts.iter().any(|text| text.contains(self.reading.words(item.tokens.clone())));
        (day && !quoted()) || (item.is(Class::Time) && vague)
    }

    /// "A couple of days", "one month", or "a month" beside the rules of the shop, where the facts give lengths of time.
    fn vague_time(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let item = &sentence.items[index];
        // "A month" is what an instalment is paid for, too.
        if !item.is(Class::Time) && (!item.is(Class::Instalment) || sentence.has_amount()) {
            return false;
        }
        let before = index.checked_sub(1).map(|at| &sentence.items[at]);
        let numbered = before.is_some_and(|item| matches!(item.kind, ItemKind::Number(_)));
        let words =
            |from: usize| self.reading.words(sentence.items[from].tokens.start..sentence.items[index].tokens.end);
        let quoted = || self.ledger.texts.iter().any(|text| text.contains(words(index.saturating_sub(1))));
        // A lone "one" is harmless elsewhere, but "one month" is a length.
        let vague =
            |item: &Item| item.kind == ItemKind::Word && item.bits & (Class::Vague.bit() | Class::Number.bit()) != 0;
        let near = || sentence.items[index.saturating_sub(2)..index].iter().any(vague);
        let word = |item: &Item| self.reading.words(item.tokens.clone());
        let article =
            || words(index).starts_with("a ") || before.is_some_and(|item| matches!(word(item), "an" | "one"));
        let delivery = || (sentence.has(Class::Shipping) || sentence.has(Class::Promise)) && article();
        let bare = || (sentence.has(Class::Terms) || delivery()) && !words(index).starts_with(is_han);
        !numbered && !sentence.question && (near() || bare()) && self.times() && !quoted()
    }

    /// A Roman numeral from twenty on, or any right before an amount.
    fn roman(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> bool {
        let words = || self.reading.words(item.tokens.clone());
        let own = || self.rows().any(|row| row.attributes.iter().any(|known| known == words()));
        (item.bits == 0 && roman_from_twenty(words()))
            || (sentence.roman_amount(index) && roman(words()).is_some() && !own())
    }

    /// `24.10.` and `14:50` are a day and a time only where a word says so, or no product and no price is near.
    fn hides_amount(&self, sentence: &Sentence<'_>, index: usize, form: Form) -> bool {
        let words = self.reading.words(sentence.items[index].tokens.clone());
        let short = words.contains([':', '.']) && words.bytes().filter(u8::is_ascii_digit).count() <= 4;
        let dated = [Class::Clock, Class::Time, Class::Shipping, Class::Promise, Class::Phone]
            .iter()
            .any(|&class| sentence.has(class));
        let spoken = sentence.items.iter().any(|item| item.kind == ItemKind::Word && !item.is(Class::Neutral));
        short && form != Form::List && !dated && (sentence.priced() || !spoken || !sentence.nameless())
    }

    /// Where the facts hold phones, days or times of day, another one is not theirs.
    fn differs(&self, item: &Item, form: Form) -> bool {
        let said = self.reading.words(item.tokens.clone());
        match form {
            Form::Phone => {
                let figures = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
                let said = figures(said);
                // With or without the code of the country, which may stand as a zero.
                let tail = |text: &str| text.trim_start_matches('0').to_string();
                let same = |known: &str| known.ends_with(&tail(&said)) || said.ends_with(&tail(known));
                let mut known = self.rows().filter(|row| row.kind == RowKind::Phone).map(|row| figures(&row.code));
                let first = known.next();
                first.is_some_and(|first| !same(&first) && !known.any(|other| same(&other)))
            }
            Form::Date => {
                let known = self.days();
                !known.is_empty() && told::day(self.lexicon, said).is_some_and(|day| !known.contains(&day))
            }
            Form::Time => {
                let known = self.hours();
                !known.is_empty() && told::hour(said).is_some_and(|hour| !known.contains(&hour))
            }
            Form::Rating | Form::List => false,
        }
    }

    fn known_code(&self, item: &Item) -> bool {
        let words = self.reading.words(item.tokens.clone());
        words.len() >= 4
            && self.ledger.rows.iter().any(|row| {
                norm::fold(&row.code).eq_ignore_ascii_case(words) || row.attributes.iter().any(|known| known == words)
            })
    }

    fn percent(&self, sentence: &Sentence<'_>, index: usize, value: Option<i64>) -> bool {
        let Some(value) = value.map(i128::from) else { return false };
        let named = sentence.has(Class::Discount) || sentence.items.iter().any(|item| matches!(item.kind, ItemKind::Name(row) if self.row(row).is_some_and(|row| row.kind == RowKind::Promo)));
        let zh_off = self.reading.words(sentence.items[index].tokens.clone()).ends_with('折');
        let material =
            sentence.items[index + 1..].iter().take(2).any(|item| item.is(Class::Material)) && !sentence.priced();
        let whole = value == 100 * ONE
            && ![Class::Discount, Class::Terms, Class::Zero].iter().any(|&class| sentence.has(class));
        let material = material || (whole && !sentence.priced());
        !zh_off && ((self.promoted(value) && named) || material || (self.listed(value) && !sentence.priced()))
    }

    /// True for the percentage of a promotion.
    fn promoted(&self, value: i128) -> bool {
        let written = |text: &str| text.parse::<i128>().is_ok_and(|percent| percent * ONE == value);
        self.rows().any(|row| row.percent.as_deref().is_some_and(written))
    }

    /// True for a percentage that a text of the facts gives.
    fn listed(&self, value: i128) -> bool {
        let figure = (value / ONE).to_string();
        let gives = |text: &String| text.contains(&format!("{figure}%")) || text.contains(&format!("{figure} %"));
        self.ledger.texts.iter().any(gives)
    }

    /// "Free" is true of delivery that costs nothing, or beside its threshold.
    fn free(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        if sentence.negated(index, 2) || sentence.denied_after(index) {
            return true;
        }
        let words = self.reading.words(sentence.items[index].tokens.clone());
        if self.without(sentence, index) {
            return true;
        }
        let own = words.contains("shipping") || words.contains(['运', '邮']);
        let about_delivery = own || sentence.free_delivery(index);
        let costs_nothing =
            self.rows().any(|row| row.kind == RowKind::Shipping && row.now.is_some_and(|money| money.minor == 0));
        let threshold = self.rows().any(|row| row.kind == RowKind::FreeFrom) && sentence.has_amount();
        about_delivery && (costs_nothing || threshold)
    }

    /// `tangle-free`: without tangles, which is no price.
    fn without(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let joined = |back: usize| index.checked_sub(back).map(|before| &sentence.items[before]);
        let (Some(hyphen), Some(word)) = (joined(1), joined(2)) else { return false };
        let glued = !self.reading.tokens[sentence.items[index].tokens.start].spaced
            && !self.reading.tokens[hyphen.tokens.start].spaced;
        glued
            && hyphen.kind == ItemKind::Sign('-')
            && word.kind == ItemKind::Word
            && [Class::Price, Class::Payment, Class::Shipping, Class::Promise].iter().all(|&class| !word.is(class))
            && self.reading.words(sentence.items[index].tokens.clone()) == "free"
    }

    /// A reduction is true of a product with an old price, or of a promotion named beside it.
    fn discount(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let percent = sentence.items.iter().any(|item| matches!(item.kind, ItemKind::Percent(_)));
        // "100% cotton on sale": what the thing is made of reduces no price.
        let reduces = |item: &Item| match item.kind {
            ItemKind::Percent(Some(value)) => self.promoted(i128::from(value)) || self.listed(i128::from(value)),
            _ => false,
        };
        let facts = sentence.items.iter().any(|item| match item.kind {
            ItemKind::Name(row) => self.row(row).is_some_and(|row| row.kind == RowKind::Promo || row.old.is_some()),
            _ => false,
        });
        let denied = sentence.items.iter().any(|item| item.is(Class::Negation)) && !sentence.has_amount() && !percent;
        facts
            || sentence.items.iter().any(reduces)
            || denied
            || (sentence.question && sentence.nameless() && !sentence.has_amount())
            || sentence.negated(index, 2)
            || bind::refusal(self, sentence).is_some_and(|end| index < end)
    }
}
