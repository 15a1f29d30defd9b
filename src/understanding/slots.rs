//! Slots out of a message: size, colour, budget, quantity, town, order number, code, contact, and the words that are left,
//! which name the product. What a command has no use for is dropped.

use std::ops::Range;

use regex::{Captures, Regex};

use super::amounts::{amount, chinese};
use super::definitions::CommandRules;
use super::folded::{Folded, fold, is_han, whole_words};
use super::of_goods::{names_goods, of_goods};
use super::slot_rules::SlotTable;
use super::values::{order_value, size_value};
use crate::domain::command::{Budget, EVERY_DETAIL, Pick};
use crate::domain::message::PiiKind;
use crate::domain::{CommandName, Language, Screened, Slots};

/// What a stretch of a message says, besides which command it is.
pub(super) struct Filled {
    /// Every slot found.
    pub(super) slots: Slots,
    /// Words left after commands, stop words and slots were taken out.
    pub(super) rest: usize,
}

/// A message or a clause of it.
#[derive(Clone, Copy)]
pub(super) struct Passage<'a> {
    /// The whole message: contacts stand in its private text.
    pub(super) message: &'a Screened,
    /// The masked text of the passage.
    pub(super) text: &'a str,
    /// The command it was found to be; it tells what a bare number means.
    pub(super) about: Option<CommandName>,
}

impl CommandRules {
    /// Fills every slot that a passage speaks of.
    pub(super) fn fill(&self, passage: Passage<'_>) -> Filled {
        let affirmed = self.slots.affirmed(passage);
        let passage = Passage { text: &affirmed, ..passage };
        let folded = Folded::new(passage.text);
        let mut taken = Taken { text: &folded.text, ranges: Vec::new() };
        let mut slots = self.slots.contacts(passage, &mut taken);
        slots.detail = self.detail(&mut taken);
        // Before numbers: the ten of "ten druhý" is no ten.
        slots.pick = first(&self.places_in_list, &mut taken);
        self.slots.numbers(&mut taken, &mut slots, passage);
        slots.town = first(&self.places, &mut taken);
        slots.colour = self.colour(&mut taken);
        let kept = || fold(&self.slots.without_refused(passage.text));
        if slots.colour.as_ref().is_some_and(|colour| !self.colours.find(&kept()).iter().any(|hit| hit.value == colour))
        {
            // "Anything but black" asks for no black.
            slots.colour = None;
        }
        for hit in self.cues.find(&folded.text) {
            slots.topic = slots.topic.or_else(|| hit.value.topic.clone());
            taken.ranges.push(hit.range);
        }
        // The v of V-300 is no preposition.
        let joined = |range: &std::ops::Range<usize>| {
            let after = folded.text[range.end..].strip_prefix('-').and_then(|rest| rest.chars().next());
            after.is_some_and(|c| c.is_ascii_digit())
        };
        // "mat" is no stop word of English, though "mať" is one of Slovak; English ones stand in every language.
        let spoken = |of: &Option<Language>| of.is_none_or(|of| of == Language::En || of == passage.message.language);
        let stops = self.stop.find(&folded.text).into_iter().filter(|hit| spoken(hit.value)).map(|hit| hit.range);
        taken.ranges.extend(stops.filter(|range| !joined(range)));
        let left = taken.left();
        let found = product_words(passage.text, &folded, &left);
        let kept = of_goods(passage, found.clone());
        let words_of = |places: &[Range<usize>]| {
            self.without_edges(places.iter().map(|place| passage.text[place.clone()].to_string()).collect())
        };
        // "And is there 43?" names a size of what is spoken of.
        let asks = matches!(passage.about, Some(CommandName::Stock | CommandName::CartAdd | CommandName::Correct));
        let bare = [&found, &kept].into_iter().find_map(|places| self.bare_size(&words_of(places).join(" ")));
        let bare = bare.filter(|_| asks && slots.size.is_none());
        let found = if bare.is_some() { Vec::new() } else { kept };
        slots.size = slots.size.take().or(bare);
        slots.names = self.names(passage.text, &found);
        // The guests and the gift box of "tea bowls for guests, in a gift box" are no goods beside the bowls.
        slots.names.retain(|name| names_goods(passage.message, name));
        if slots.names.len() < 2 {
            slots.names.clear();
        }
        let words = words_of(&found);
        slots.product = (!words.is_empty()).then(|| words.join(" "));
        // Among kettles there is a cheapest one; a second one is of a list.
        let named = slots.product.is_some() || slots.sku.is_some();
        slots.pick = slots.pick.filter(|pick| !named || matches!(pick, Pick::Price(_)) && slots.sku.is_none());
        Filled { rest: words.len(), slots }
    }

    /// The property that is asked for; of two or more all there are: "how much does it hold, and how loud is it?"
    fn detail(&self, taken: &mut Taken<'_>) -> Option<String> {
        let hits: Vec<_> = self.details.find(taken.text).into_iter().filter(|hit| taken.free(&hit.range)).collect();
        let (first, rest) = hits.split_first()?;
        let several = rest.iter().any(|hit| hit.value != first.value);
        let detail = if several { EVERY_DETAIL.to_string() } else { first.value.clone() };
        taken.ranges.extend(hits.into_iter().map(|hit| hit.range));
        Some(detail)
    }

    /// The first colour that belongs to no kind of thing.
    fn colour(&self, taken: &mut Taken<'_>) -> Option<String> {
        let kinds = self.coloured.find(taken.text);
        let within = |range: &Range<usize>| {
            kinds.iter().any(|kind| kind.range.start <= range.start && range.end <= kind.range.end)
        };
        let hits = self.colours.find(taken.text);
        let hits: Vec<_> = hits.into_iter().filter(|hit| taken.free(&hit.range) && !within(&hit.range)).collect();
        let value = hits.first().map(|hit| hit.value.clone());
        taken.ranges.extend(hits.into_iter().map(|hit| hit.range));
        value
    }

    /// The names among product words, where what stands between names stands between them; none where there is but one.
    fn names(&self, source: &str, words: &[Range<usize>]) -> Vec<String> {
        let mut names: Vec<Vec<String>> = vec![Vec::new()];
        let mut end = None;
        for word in words {
            let gap = end.map(|end| source[end..word.start].to_lowercase()).unwrap_or_default();
            if self.between.iter().any(|separator| gap.contains(separator.as_str())) {
                names.push(Vec::new());
            }
            // Chinese names stand with what is between them in one word.
            let mut parts = vec![&source[word.clone()]];
            for separator in self.between.iter().filter(|separator| separator.chars().all(is_han)) {
                parts = parts.into_iter().flat_map(|part| part.split(separator.as_str())).collect();
            }
            for (at, part) in parts.into_iter().enumerate() {
                if at > 0 {
                    names.push(Vec::new());
                }
                names.last_mut().into_iter().for_each(|name| name.push(part.to_string()));
            }
            end = Some(word.end);
        }
        let names = names.into_iter().map(|name| self.without_edges(name).join(" "));
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        if names.len() > 1 { names } else { Vec::new() }
    }

    /// Takes from both ends what no product's name starts or ends with.
    fn without_edges(&self, words: Vec<String>) -> Vec<String> {
        let mut words: std::collections::VecDeque<String> =
            words.into_iter().map(|word| self.han_edges.strip(&word)).filter(|word| !word.is_empty()).collect();
        let edge = |word: &String| self.edges.contains(&fold(word));
        while words.front().is_some_and(edge) {
            words.pop_front();
        }
        while words.back().is_some_and(edge) {
            words.pop_back();
        }
        words.into()
    }

    /// A bare size that answers a question: `42`, `XL`, `42码`.
    pub(super) fn bare_size(&self, text: &str) -> Option<String> {
        let folded = fold(text);
        let found = self.slots.bare_size.captures(&folded)?;
        Some(size_value(found.name("v")?.as_str()))
    }
}

fn first<T: Clone>(lexicon: &super::folded::Lexicon<T>, taken: &mut Taken<'_>) -> Option<T> {
    let hits: Vec<_> = lexicon.find(taken.text).into_iter().filter(|hit| taken.free(&hit.range)).collect();
    let value = hits.first().map(|hit| hit.value.clone());
    taken.ranges.extend(hits.into_iter().map(|hit| hit.range));
    value
}

/// Stretches of the folded text that some slot has already explained.
struct Taken<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
}

impl Taken<'_> {
    fn free(&self, range: &Range<usize>) -> bool {
        self.ranges.iter().all(|other| other.end <= range.start || range.end <= other.start)
    }

    fn claim(&mut self, range: Range<usize>) -> bool {
        let free = self.free(&range);
        if free {
            self.ranges.push(range);
        }
        free
    }

    /// What nobody claimed, as stretches.
    fn left(&mut self) -> Vec<Range<usize>> {
        self.ranges.sort_by_key(|range| range.start);
        let mut left = Vec::new();
        let mut from = 0;
        for range in &self.ranges {
            if range.start > from {
                left.push(from..range.start);
            }
            from = from.max(range.end);
        }
        left.push(from..self.text.len());
        left
    }
}

/// The words of the unclaimed stretches, where they stand in the source.
fn product_words(source: &str, folded: &Folded, left: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    for range in left {
        let mut at = range.start;
        for word in folded.text[range.clone()].split(' ') {
            let place = at..at + word.len();
            at = place.end + 1;
            let meaningful = word.chars().any(char::is_alphanumeric);
            if meaningful {
                let typed = folded.source_range(&place);
                let bare = source[typed.clone()].trim_start_matches(|c: char| !c.is_alphanumeric());
                let start = typed.end - bare.len();
                words.push(start..start + bare.trim_end_matches(|c: char| !c.is_alphanumeric()).len());
            }
        }
    }
    words
}

impl SlotTable {
    /// A correction without what it turns down; any other passage as it is.
    fn affirmed(&self, passage: Passage<'_>) -> String {
        match passage.about {
            Some(CommandName::Correct) => self.without_refused(passage.text),
            _ => passage.text.to_string(),
        }
    }

    /// A text without what it turns down.
    fn without_refused(&self, text: &str) -> String {
        let cut = |text: String, pattern: &Regex| pattern.replace_all(&text, " ").into_owned();
        self.negated.iter().fold(text.to_string(), cut)
    }

    /// Phone and e-mail come from the private text; their masks are no product words.
    fn contacts(&self, passage: Passage<'_>, taken: &mut Taken<'_>) -> Slots {
        let mut slots = Slots::default();
        for kind in [PiiKind::Phone, PiiKind::Email, PiiKind::Card, PiiKind::Iban, PiiKind::Id] {
            let Some(at) = taken.text.find(kind.mask()) else { continue };
            taken.claim(at..at + kind.mask().len());
            let Some(pii) = passage.message.pii.iter().find(|pii| pii.kind == kind) else { continue };
            let value = &passage.message.private[pii.range.clone()];
            match kind {
                PiiKind::Phone => slots.phone = Some(e164(value)),
                PiiKind::Email => slots.email = Some(value.to_string()),
                PiiKind::Card | PiiKind::Iban | PiiKind::Id => {}
            }
        }
        slots
    }

    /// Order number before code before size before budget before quantity: the more telling pattern takes the digits.
    fn numbers(&self, taken: &mut Taken<'_>, slots: &mut Slots, passage: Passage<'_>) {
        use CommandName as C;
        let (text, about, language) = (taken.text, passage.about, passage.message.language);
        let orders =
            matches!(about, Some(C::OrderStatus | C::CancelOrder | C::ChangeOrder | C::ReturnItem | C::Correct));
        let bare = || self.bare_order.find(text).filter(|_| orders).map(|found| found.range());
        if let Some(range) = self.order_range(text).or_else(bare)
            && taken.claim(range.clone())
        {
            slots.order_number = Some(order_value(&text[range]));
        }
        if let Some(code) = self.sku.iter().find_map(|pattern| pattern.find(text))
            && taken.claim(code.range())
        {
            slots.sku = Some(code.as_str().to_uppercase());
        }
        slots.budget = self.budget.iter().find_map(|pattern| self.budget(pattern.captures(text)?, taken));
        slots.size = self
            .size
            .iter()
            .find_map(|pattern| named_value(&pattern.captures(text)?, taken))
            .map(|size| size_value(&size));
        let several =
            self.quantity.iter().chain(matches!(about, Some(C::CartAdd | C::Price)).then_some(&self.bare_quantity));
        let mut quantity = |found: Captures<'_>| self.quantity(&found, (language, taken));
        slots.quantity = several.into_iter().find_map(|pattern| pattern.captures_iter(text).find_map(&mut quantity));
    }

    fn budget(&self, found: Captures<'_>, taken: &mut Taken<'_>) -> Option<Budget> {
        let whole = found.get(0)?;
        let number = found.name("n")?;
        if self.not_budget_after.is_match(&taken.text[whole.end()..]) || !whole_words(taken.text, &whole.range()) {
            return None;
        }
        let scale = found.name("k").and_then(|word| self.words.scale.get(word.as_str())).copied().unwrap_or(1);
        let currency = ["c", "c2"].into_iter().find_map(|group| self.words.currency.get(found.name(group)?.as_str()));
        let amount = amount(number.as_str(), scale)?;
        taken.claim(whole.range()).then(|| Budget { amount, currency: currency.and_then(|code| code.parse().ok()) })
    }

    fn quantity(&self, found: &Captures<'_>, (language, taken): (Language, &mut Taken<'_>)) -> Option<u32> {
        let number = found.name("n").or_else(|| found.name("v"))?;
        let text = number.as_str();
        let spoken = |text: &&str| self.words.native.get(*text).is_none_or(|own| *own == language);
        let word = Some(text).filter(spoken).and_then(|text| self.words.number.get(text).copied());
        let value = text.parse().ok().or(word);
        let value = value.or_else(|| chinese(text).and_then(|value| u32::try_from(value).ok()))?;
        let (before, after) = (&taken.text[..number.start()], &taken.text[number.end()..]);
        // The 7 of "1,7 litres", the 6 of "for 6 people".
        let fraction =
            before.ends_with(['.', ',']) && before[..before.len() - 1].ends_with(|c: char| c.is_ascii_digit());
        if fraction || self.not_quantity_after.is_match(after) {
            return None;
        }
        (value > 0 && taken.claim(number.range())).then_some(value)
    }
}

fn named_value(found: &Captures<'_>, taken: &mut Taken<'_>) -> Option<String> {
    let value = found.name("v")?;
    let whole = found.get(0)?.range();
    taken.claim(whole).then(|| value.as_str().to_string())
}

/// International form; a number that only screening's plans know stays as digits.
pub fn e164(typed: &str) -> String {
    use phonenumber::country::Id::{CN, CZ, GB, RU, SK, US};
    let regions = [None, Some(SK), Some(CZ), Some(RU), Some(CN), Some(GB), Some(US)];
    let parse = |region| phonenumber::parse(region, typed).ok().filter(phonenumber::is_valid);
    let plus = typed.trim().strip_prefix("00").and_then(|rest| phonenumber::parse(None, format!("+{rest}")).ok());
    let number = plus.or_else(|| regions.into_iter().find_map(parse));
    number.map_or_else(
        || typed.chars().filter(char::is_ascii_digit).collect(),
        |number| number.format().mode(phonenumber::Mode::E164).to_string(),
    )
}

/// Leaves a command the slots it can use.
pub(super) fn relevant(name: CommandName, slots: Slots) -> Slots {
    use CommandName as C;
    let nothing = Slots::default();
    let Slots {
        product,
        names,
        sku,
        size,
        colour,
        budget,
        wish,
        pick,
        detail,
        quantity,
        town,
        order_number,
        phone,
        email,
        topic,
    } = slots;
    match name {
        C::FindProduct | C::Price | C::Stock | C::Compare | C::CartAdd | C::Correct | C::Checkout => {
            // Paying for an order that waits needs its number and its owner.
            let told = matches!(name, C::Correct | C::Checkout);
            let order_number = order_number.filter(|_| told);
            let (phone, email) = if told { (phone, email) } else { (None, None) };
            let wish = wish.filter(|_| name == C::FindProduct);
            // "Which is the cheapest one?" compares all of them.
            let pick = pick.filter(|pick| name != C::Compare || !matches!(pick, Pick::Price(_)));
            let detail = detail.filter(|_| matches!(name, C::FindProduct | C::Price | C::Stock | C::Compare));
            Slots {
                product,
                names,
                sku,
                size,
                colour,
                budget,
                wish,
                pick,
                detail,
                quantity,
                town,
                order_number,
                phone,
                email,
                topic: None,
            }
        }
        C::RestockNotice => Slots { product, sku, size, colour, pick, town, phone, email, ..nothing },
        C::DeliveryInfo => Slots { product, sku, quantity, town, ..nothing },
        C::Policy => Slots { product, sku, town, topic, ..nothing },
        C::OrderStatus | C::CancelOrder => Slots { order_number, phone, email, ..nothing },
        C::ChangeOrder | C::ReturnItem => {
            Slots { product, sku, size, colour, quantity, town, order_number, phone, email, ..nothing }
        }
        C::LeaveContact | C::Human | C::Complaint => Slots { order_number, phone, email, ..nothing },
        C::Smalltalk => Slots { topic, ..nothing },
        C::Menu | C::Confirm | C::Deny | C::OutOfScope | C::Spam | C::Unsafe => nothing,
    }
}
