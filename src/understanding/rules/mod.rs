//! The first tier: answers to a clarifying question, whole phrases, order numbers, codes, contacts and cues.
//! It speaks only when it is sure; everything else is left to the examples.

use std::ops::Range;

mod asked;
mod bare;
mod follow_up;
mod suspicion;

use super::Input;
use super::clauses;
use super::definitions::{CommandRules, Meaning};
use super::folded::{fold, is_han};
use super::slots::{Passage, relevant};
use crate::domain::command::Pick;
use crate::domain::{Command, CommandName, Language, Screened, Slots, Wish};

/// What the rules are sure of.
pub(super) struct Sure {
    pub(super) commands: Vec<Command>,
    pub(super) confidence: f32,
    pub(super) notes: Vec<String>,
    pub(super) firm: Firm,
}

/// Whether the other tiers are heard as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firm {
    /// No.
    Final,
    /// A part of the message decided: another part may hold another wish, and the whole may mean something else.
    Cued,
    /// Words without a cue were taken for a product's name.
    Named,
    /// A place in a list, and no word of what is wanted with it.
    Pointed,
    /// Screening's score.
    Suspected,
}

impl CommandRules {
    /// The commands, when a rule is sure.
    pub(super) fn decide(&self, input: Input<'_>) -> Option<Sure> {
        self.answer(input)
            .or_else(|| self.whole_phrase(input))
            .or_else(|| suspicion::bending(input))
            .or_else(|| self.surely_advertising(input))
            .or_else(|| self.by_cues(input))
            .or_else(|| self.follow_up(input))
            .or_else(|| self.by_numbers(input))
            .or_else(|| self.advertising(input))
    }

    /// True when a word of a message points at what was shown before.
    pub(super) fn points(&self, message: &Screened) -> bool {
        let folded = fold(&message.text);
        let own = |word: &str| message.language == Language::Sk || !self.slovak_pointers.contains(word);
        self.pointers.find(&folded).into_iter().any(|hit| own(&folded[hit.range]))
    }

    /// A message that is nothing but set phrases.
    fn whole_phrase(&self, input: Input<'_>) -> Option<Sure> {
        let folded = fold(&input.message.text);
        if folded.len() == 1 && folded.starts_with(|c: char| c.is_ascii_digit() && c != '0') {
            let slots = Slots { quantity: folded.parse().ok(), ..Slots::default() };
            return Some(Sure {
                commands: vec![Command { name: CommandName::Menu, slots }],
                confidence: 0.9,
                notes: vec!["menu digit".into()],
                firm: Firm::Final,
            });
        }
        let meaning = self.phrases.get(&folded).or_else(|| self.only_phrases(&folded))?;
        Some(Sure {
            commands: vec![meant(meaning)],
            confidence: 0.98,
            notes: vec![format!("phrase `{folded}`")],
            firm: Firm::Final,
        })
    }

    /// "ok, thanks, bye" is made of phrases alone; the one that says most decides.
    fn only_phrases(&self, folded: &str) -> Option<&Meaning> {
        let mut hits = self.phrase_parts.find(folded);
        // Spellings with and without marks fold to one stretch, which covers its letters once.
        hits.dedup_by(|later, earlier| later.range == earlier.range && later.value == earlier.value);
        let covered: usize = hits.iter().map(|hit| hit.range.len()).sum();
        let letters = folded.chars().filter(|c| !c.is_whitespace()).map(char::len_utf8).sum::<usize>();
        let spaces = |range: &Range<usize>| folded[range.clone()].matches(' ').count();
        let covered_letters = covered - hits.iter().map(|hit| spaces(&hit.range)).sum::<usize>();
        if hits.len() < 2 || covered_letters < letters {
            return None;
        }
        let distinct: Vec<CommandName> =
            hits.iter().map(|hit| hit.value.name).filter(|name| *name != CommandName::Smalltalk).collect();
        match distinct.as_slice() {
            [] => hits.last().map(|hit| hit.value),
            [first, rest @ ..] if rest.iter().all(|name| name == first) => {
                hits.iter().map(|hit| hit.value).find(|meaning| meaning.name == *first)
            }
            _ => None,
        }
    }

    /// Cues, clause by clause; a clause without one belongs to the clause before it.
    fn by_cues(&self, input: Input<'_>) -> Option<Sure> {
        let text = &input.message.text;
        let mut groups: Vec<(Range<usize>, Vec<Meaning>)> = Vec::new();
        let mut opening: Option<usize> = None;
        for piece in clauses::split(text, input.message.language) {
            let cued = self.ranked(&text[piece.clone()])?;
            match (cued.is_empty(), groups.last_mut()) {
                (true, Some((range, _))) => range.end = piece.end,
                (true, None) => opening = opening.or((!self.is_phrase(&text[piece.clone()])).then_some(piece.start)),
                (false, last) => match last {
                    Some((range, meanings)) if *meanings == cued && !self.names_product(input, piece.clone()) => {
                        range.end = piece.end
                    }
                    _ => groups
                        .push((opening.take().filter(|_| groups.is_empty()).unwrap_or(piece.start)..piece.end, cued)),
                },
            }
        }
        if groups.is_empty() {
            return None;
        }
        let notes = vec![format!(
            "cues {}",
            groups.iter().flat_map(|(_, all)| all).map(|one| one.name.as_str()).collect::<Vec<_>>().join("+")
        )];
        let commands =
            tidy(groups.into_iter().flat_map(|(range, meanings)| self.commands(input, range, &meanings)).collect());
        // "The link to pay for TT-1": nothing else in the message says more.
        let pays = |command: &Command| command.name == CommandName::Checkout && command.slots.order_number.is_some();
        let final_word = commands.len() != 1 || commands.iter().any(pays);
        Some(Sure { firm: if final_word { Firm::Final } else { Firm::Cued }, commands, confidence: 0.9, notes })
    }

    fn commands(&self, input: Input<'_>, range: Range<usize>, meanings: &[Meaning]) -> Vec<Command> {
        let text = &input.message.text[range];
        let command = |meaning: &Meaning| {
            let found = self.fill(Passage { message: input.message, text, about: Some(meaning.name) });
            let mut slots = relevant(meaning.name, found.slots);
            match meaning.name {
                CommandName::Policy => slots.topic = meaning.topic.clone(),
                CommandName::FindProduct => slots.wish = meaning.wish(),
                CommandName::OrderStatus => slots.topic = meaning.topic.clone().filter(|topic| topic == "back"),
                _ => {}
            }
            Command { name: meaning.name, slots }
        };
        let commands: Vec<Command> = meanings.iter().map(command).collect();
        reduced_price(commands)
    }

    /// The meanings of a clause's cues that outrank the others; none when it has no cue, nothing when they disagree.
    fn ranked(&self, clause: &str) -> Option<Vec<Meaning>> {
        let mut meanings = self.cue_meanings(clause);
        // How long one may send something back is a question about the rule, not the sending back itself.
        if meanings.iter().any(|meaning| meaning.topic.as_deref() == Some("returns")) {
            meanings.retain(|meaning| meaning.name != CommandName::ReturnItem);
        }
        // "Is there a cheaper one?" asks for another one, not for stock; "which is cheaper" and "how much is it reduced"
        // ask about those at hand.
        let named = |name| meanings.iter().any(|meaning: &Meaning| meaning.name == name);
        if named(CommandName::Compare) {
            meanings.retain(|meaning| meaning.wish().is_none());
        } else if named(CommandName::Price) {
            meanings.retain(|meaning| meaning.wish().is_none_or(|wish| wish == Wish::OnSale));
        } else if meanings.iter().any(|meaning| meaning.wish().is_some()) {
            meanings.retain(|meaning| meaning.name != CommandName::Stock);
        }
        // A question about what was sent back is no question about the order on its way.
        if meanings.iter().any(|meaning| meaning.topic.as_deref() == Some("back")) {
            meanings.retain(|meaning| meaning.topic.as_deref() != Some("parcel"));
        }
        let top = meanings.iter().map(|meaning| rank(meaning.name)).max().unwrap_or(0);
        meanings.retain(|meaning| rank(meaning.name) == top);
        meanings.sort();
        meanings.dedup_by_key(|meaning| meaning.name);
        if meanings.iter().any(|meaning| meaning.name == CommandName::Compare) {
            meanings.retain(|meaning| meaning.name == CommandName::Compare);
        }
        // Delivery to another country is a matter of the rules: the table of prices knows towns.
        let abroad =
            |meaning: &Meaning| matches!(meaning.topic.as_deref(), Some("delivery.abroad" | "delivery.country"));
        if !meanings.iter().any(|meaning| meaning.name == CommandName::DeliveryInfo) {
            meanings.retain(|meaning| meaning.topic.as_deref() != Some("delivery.country"));
        } else if meanings.iter().any(abroad) {
            meanings.retain(|meaning| meaning.name != CommandName::DeliveryInfo);
        }
        // A rule about delivery and a question about it are the same question.
        if meanings.iter().any(|meaning| meaning.name == CommandName::DeliveryInfo) {
            meanings.retain(|meaning| meaning.topic.as_deref() != Some("delivery"));
        }
        (meanings.len() < 2 || top == 1).then_some(meanings)
    }

    /// A bare order number, code or contact.
    fn by_numbers(&self, input: Input<'_>) -> Option<Sure> {
        let found = self.fill(Passage { message: input.message, text: &input.message.text, about: None });
        // Verbs such as "cancel" are no product words either, so the whole message has to be short.
        let words = fold(&input.message.text).split(' ').count();
        let han = input.message.text.chars().filter(|c| is_han(*c)).count();
        if found.rest > 1 || words > 2 || han > 3 {
            return None;
        }
        let slots = found.slots;
        let name = match &slots {
            Slots { order_number: Some(_), .. } => CommandName::OrderStatus,
            Slots { sku: Some(_), .. } => CommandName::FindProduct,
            Slots { phone: Some(_), .. } | Slots { email: Some(_), .. } => CommandName::LeaveContact,
            Slots { town: Some(_), product: None, .. } => CommandName::DeliveryInfo,
            _ => return None,
        };
        let command = Command { name, slots: relevant(name, slots) };
        Some(Sure {
            commands: vec![command],
            confidence: 0.9,
            notes: vec!["a number says it".into()],
            // "Cancel TT-10443": the other word may say what is wanted.
            firm: if words == 1 && han == 0 { Firm::Final } else { Firm::Cued },
        })
    }

    /// Which courtesy a message of small talk is.
    pub(super) fn courtesy(&self, text: &str) -> Option<String> {
        let folded = fold(text);
        let hits = self.phrase_parts.find(&folded);
        hits.into_iter().filter(|hit| hit.value.name == CommandName::Smalltalk).find_map(|hit| hit.value.topic.clone())
    }

    /// What stands behind the courtesies that a message opens with: "hi, do you have kettles?" is no greeting. None where it opens
    /// with none, or is made of them.
    pub(super) fn behind_courtesy<'m>(&self, message: &'m Screened) -> Option<&'m str> {
        let pieces = clauses::split(&message.text, message.language);
        let courteous = |piece: &Range<usize>| {
            let meaning = self.phrases.get(fold(&message.text[piece.clone()]).trim());
            meaning.is_some_and(|meaning| meaning.name == CommandName::Smalltalk)
        };
        if let Some(first) = pieces.iter().position(|piece| !courteous(piece)).filter(|first| *first > 0) {
            return message.text.get(pieces[first].start..).map(str::trim);
        }
        // "Ahojte máte vankúše": nobody who writes so fast sets a comma.
        let (hello, rest) = message.text.trim().split_once(char::is_whitespace)?;
        let greets = self.phrases.get(fold(hello).trim()).is_some_and(|meaning| {
            meaning.name == CommandName::Smalltalk && meaning.topic.as_deref() == Some("greeting")
        });
        let wishes = !self.phrases.contains_key(fold(rest).trim()) && rest.split_whitespace().count() > 1;
        (greets && wishes).then(|| rest.trim())
    }

    /// True when a text says that something is looked for.
    pub(super) fn wishes(&self, text: &str) -> bool {
        !self.wish.find(&fold(text)).is_empty()
    }

    fn cued(&self, text: &str) -> bool {
        !self.cue_meanings(text).is_empty()
    }

    /// A pointing word may stand inside a cue: "how much does *this* cost", "сколько *это* стоит".
    fn cue_meanings(&self, text: &str) -> Vec<Meaning> {
        let folded = fold(text);
        // "The cheaper one" points at one of those shown; it asks for no other.
        let points = self.places_in_list.find(&folded).iter().any(|hit| matches!(hit.value, Pick::Price(_)));
        let found = |text: &str| {
            let meanings = self.cues.find(text).into_iter().map(|hit| hit.value.clone());
            let wished = |meaning: &Meaning| matches!(meaning.wish(), Some(Wish::Cheaper | Wish::Dearer));
            meanings.filter(|meaning| !points || !wished(meaning)).collect::<Vec<_>>()
        };
        let meanings = found(&folded);
        if !meanings.is_empty() {
            return meanings;
        }
        let mut without = String::with_capacity(folded.len());
        let mut from = 0;
        for hit in self.pointers.find(&folded) {
            without.push_str(folded.get(from..hit.range.start).unwrap_or(""));
            from = from.max(hit.range.end);
        }
        without.push_str(&folded[from..]);
        found(&fold(&without))
    }

    fn is_phrase(&self, text: &str) -> bool {
        let folded = fold(text);
        self.phrases.contains_key(folded.trim())
    }

    fn names_product(&self, input: Input<'_>, range: Range<usize>) -> bool {
        self.fill(Passage { message: input.message, text: &input.message.text[range], about: None })
            .slots
            .product
            .is_some()
    }
}

/// One command per wish: small talk beside a wish is dropped, repeats are, and a wish that names no product means the one before.
pub(super) fn tidy(mut commands: Vec<Command>) -> Vec<Command> {
    if commands.iter().any(|command| command.name != CommandName::Smalltalk) {
        commands.retain(|command| command.name != CommandName::Smalltalk);
    }
    for command in &mut commands {
        // A price without a product but with a town is the price of getting there.
        let slots = &command.slots;
        if command.name == CommandName::Price && slots.product.is_none() && slots.sku.is_none() && slots.town.is_some()
        {
            command.name = CommandName::DeliveryInfo;
        }
    }
    // "I want to buy a present" looks for one; nothing is paid yet.
    let looks = |command: &Command| command.name == CommandName::FindProduct && command.slots != Slots::default();
    if commands.iter().any(looks) {
        commands.retain(|command| command.name != CommandName::Checkout || command.slots != Slots::default());
    }
    for at in 1..commands.len() {
        let (before, after) = commands.split_at_mut(at);
        inherit(&before[at - 1], &mut after[0]);
    }
    let mut kept: Vec<Command> = Vec::new();
    for command in commands {
        if !kept.iter().any(|other| {
            other.name == command.name && (other.slots == command.slots || command.slots == Slots::default())
        }) {
            kept.push(command);
        }
    }
    kept
}

fn inherit(from: &Command, to: &mut Command) {
    use CommandName as C;
    let about_product = |name| {
        matches!(
            name,
            C::Price | C::Stock | C::FindProduct | C::CartAdd | C::DeliveryInfo | C::Policy | C::RestockNotice
        )
    };
    let nameless = to.slots.product.is_none() && to.slots.sku.is_none();
    if from.name != to.name && nameless && about_product(to.name) && about_product(from.name) {
        to.slots.product = from.slots.product.clone();
        to.slots.sku = from.slots.sku.clone();
    }
    let about_order = |name| matches!(name, C::OrderStatus | C::CancelOrder | C::ChangeOrder | C::ReturnItem);
    if to.slots.order_number.is_none() && about_order(from.name) && about_order(to.name) {
        to.slots.order_number = from.slots.order_number.clone();
    }
}

/// "Is the kettle reduced?" asks what it costs; without a product the same words ask what is on sale.
fn reduced_price(mut commands: Vec<Command>) -> Vec<Command> {
    let on_sale = commands.iter().any(|command| command.slots.wish == Some(Wish::OnSale));
    if on_sale && let Some(price) = commands.iter().position(|command| command.name == CommandName::Price) {
        let slots = &commands[price].slots;
        if slots.product.is_some() || slots.sku.is_some() {
            commands.retain(|command| command.slots.wish != Some(Wish::OnSale));
        } else {
            commands.remove(price);
        }
    }
    commands
}

/// A cue inside the frame of a higher one gives way.
fn rank(name: CommandName) -> u8 {
    use CommandName as C;
    match name {
        C::RestockNotice | C::CancelOrder | C::ChangeOrder | C::ReturnItem | C::OrderStatus => 3,
        C::DeliveryInfo | C::Policy => 2,
        _ => 1,
    }
}

fn meant(meaning: &Meaning) -> Command {
    let slots = Slots { topic: meaning.topic.clone(), ..Slots::default() };
    Command { name: meaning.name, slots: relevant(meaning.name, slots) }
}

#[cfg(test)]
mod tests;
