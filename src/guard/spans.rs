//! Re-reads each rendered stretch of a draft and compares it with its fact, without the renderer's help:
//! amounts are parsed back, names and codes must be the fact's own strings, counts and dates must be equal.

use jiff::civil::{Date, Time};

use crate::domain::menu::MenuFact;
use crate::domain::product::Quote;
use crate::domain::{Fact, FactBody, Language, Localised, Money, Role};

use super::cart;
use super::lex;
use super::lexicon::{Class, Lexicon};
use super::money::{Item, ItemKind, Reading};
use super::norm;
use super::numeral::ONE;
use super::task;

/// Compares `text` with the value `role` of `fact`; the error says what the value is.
pub(super) fn verify(
    lexicon: &Lexicon,
    fact: &Fact,
    (role, language, text): (Role, Language, &str),
) -> Result<(), String> {
    let span = Span { lexicon, language, text };
    match role {
        Role::Price
        | Role::OldPrice
        | Role::Total
        | Role::DeliveryCost
        | Role::FreeFrom
        | Role::Refund
        | Role::Due
        | Role::Goods
        | Role::Discount
        | Role::Tax => span.money(amount(fact, role).ok_or("the fact has no such amount")?),
        Role::LineTotal => span.line_total(fact),
        Role::Choice => choice(fact, text),
        Role::Stock | Role::Quantity | Role::Pieces => span.count(&counts(fact, role)),
        Role::SaleUntil
        | Role::Earliest
        | Role::Latest
        | Role::Promised
        | Role::FirstPromised
        | Role::Scanned
        | Role::BackOn
        | Role::Delivered => span.date(date(fact, role).ok_or("the fact has no such day")?),
        Role::Cutoff => match &fact.body {
            FactBody::Delivery(delivery) => span.time(delivery.cutoff),
            _ => Err("the fact has no cut-off".to_string()),
        },
        Role::Citation => span.citation(fact),
        Role::Place if matches!(fact.body, FactBody::Order(_)) => span.plain(),
        Role::Address => address(fact, text),
        _ => own(fact, role, text),
    }
}

/// The text must be a line of the menu, or a choice alone: told in a row they have no numbers.
fn choice(fact: &Fact, text: &str) -> Result<(), String> {
    let FactBody::Menu(menu) = &fact.body else { return Err("the fact has no choices".to_string()) };
    let lines = menu.choices.iter().enumerate();
    let lines = lines.flat_map(|(at, label)| label.all().map(move |(_, label)| MenuFact::line(at, label)));
    let labels = menu.choices.iter().flat_map(|label| label.all().map(|(_, label)| label.to_string()));
    one_of(text, &lines.chain(labels).collect::<Vec<String>>())
}

/// The text must be the address goods go to.
fn address(fact: &Fact, text: &str) -> Result<(), String> {
    let line = match &fact.body {
        FactBody::Task(task) => task.address().map(|address| address.line()),
        FactBody::Cart(cart) => cart.address.as_ref().map(|address| address.line()),
        _ => return Err("the fact has no address".to_string()),
    };
    one_of(text, line.as_slice())
}

/// The text must be one of the fact's own strings in this role.
fn own(fact: &Fact, role: Role, text: &str) -> Result<(), String> {
    if !text.trim().is_empty() && strings(fact, role, &mut |known| same(known, text)) {
        return Ok(());
    }
    let mut known = Vec::new();
    strings(fact, role, &mut |one| {
        known.push(one);
        false
    });
    Err(format!("the fact has {known:?}"))
}

/// The same but for the spaces around.
fn same(known: &str, text: &str) -> bool {
    known == text || known.trim() == text.trim()
}

/// The text must be one of these.
fn one_of(text: &str, known: &[String]) -> Result<(), String> {
    let stands = !text.trim().is_empty() && known.iter().any(|known| same(known, text));
    if stands { Ok(()) } else { Err(format!("the fact has {known:?}")) }
}

/// True when the text is one of these amounts.
pub(super) fn reads(
    lexicon: &Lexicon,
    (language, text): (Language, &str),
    known: impl IntoIterator<Item = Money>,
) -> bool {
    Span { lexicon, language, text }.money_of(known)
}

/// The amount of a fact in a role.
pub(super) fn amount(fact: &Fact, role: Role) -> Option<Money> {
    match (&fact.body, role) {
        (FactBody::Offer(offer), Role::Price) => offer.offer.price.now(),
        (FactBody::Offer(offer), Role::OldPrice) => match &offer.offer.price {
            Quote::Known { old, .. } => *old,
            Quote::Stale | Quote::Missing => None,
        },
        (FactBody::Delivery(delivery), Role::DeliveryCost) => Some(delivery.cost),
        (FactBody::Delivery(delivery), Role::FreeFrom) => delivery.free_from,
        (FactBody::Total(total), Role::Total) => Some(total.total),
        (FactBody::Menu(menu), Role::Total) => super::cart::estimate(menu),
        (FactBody::Order(order), Role::Total) => Money::parse(&order.total, order.currency).ok(),
        (FactBody::Order(order), Role::Refund) => task::refunded(order),
        (FactBody::Task(task), Role::Refund | Role::Due) => task::amount(task, role),
        (FactBody::Cart(cart), _) => cart::amount(cart, role),
        (FactBody::Order(order), Role::DeliveryCost) => Money::parse(&order.shipping, order.currency).ok(),
        _ => None,
    }
}

fn counts(fact: &Fact, role: Role) -> Vec<u32> {
    match (&fact.body, role) {
        (FactBody::Offer(offer), Role::Stock) => {
            offer.offer.in_stock().into_iter().chain(offer.places.iter().map(|(_, count)| *count)).collect()
        }
        (FactBody::Total(total), Role::Quantity) => vec![total.quantity],
        (FactBody::Cart(cart), Role::Pieces) => cart.lines.iter().map(|line| line.quantity).collect(),
        (FactBody::Task(task), Role::Pieces) => {
            task.pieces.iter().chain(&task.wanted).map(|piece| piece.quantity).collect()
        }
        _ => Vec::new(),
    }
}

fn date(fact: &Fact, role: Role) -> Option<Date> {
    match (&fact.body, role) {
        (FactBody::Offer(offer), Role::SaleUntil) => match &offer.offer.price {
            Quote::Known { until, .. } => *until,
            Quote::Stale | Quote::Missing => None,
        },
        (FactBody::Delivery(delivery), Role::Earliest) => Some(delivery.earliest),
        (FactBody::Delivery(delivery), Role::Latest) => Some(delivery.latest),
        (FactBody::Cart(cart), Role::Earliest) => cart.delivery.as_ref().map(|delivery| delivery.earliest),
        (FactBody::Cart(cart), Role::Latest) => cart.delivery.as_ref().map(|delivery| delivery.latest),
        (FactBody::Order(order), Role::Promised) => {
            let told = order.parcel.as_ref().and_then(|parcel| parcel.promised);
            told.or(order.promised)
        }
        (FactBody::Task(task), Role::Promised) => task.day(),
        (FactBody::Task(task), Role::Earliest) => task.first_day,
        (FactBody::Order(order), Role::FirstPromised) => order.promised,
        (FactBody::Order(order), Role::BackOn) => order.back.as_ref().map(|back| back.day),
        (FactBody::Order(order), Role::Scanned) => order.parcel.as_ref().map(|parcel| parcel.day),
        (FactBody::Order(order), Role::Delivered) => order.delivered,
        _ => None,
    }
}

/// True when the test holds for one of the strings a fact has for a role.
fn strings<'a>(fact: &'a Fact, role: Role, test: &mut dyn FnMut(&'a str) -> bool) -> bool {
    let mut all = |text: &'a Localised| text.all().any(|(_, text)| test(text));
    match (&fact.body, role) {
        (FactBody::Offer(offer), Role::Name) => all(&offer.name),
        (FactBody::Offer(offer), Role::Summary) => all(&offer.summary),
        (FactBody::Offer(offer), Role::Detail) => {
            offer.details.iter().any(|detail| all(&detail.name) || all(&detail.value))
        }
        (FactBody::Offer(offer), Role::Colour) => all(&offer.colour),
        (FactBody::Offer(offer), Role::Size) => offer.offer.size.as_deref().is_some_and(test),
        (FactBody::Offer(offer), Role::Sku) => test(offer.offer.sku.as_str()),
        (FactBody::Offer(offer), Role::Place) => offer.places.iter().any(|(name, _)| all(name)),
        (FactBody::Delivery(delivery), Role::Place) => all(&delivery.name),
        (FactBody::Cart(cart), Role::Place) => cart.delivery.iter().any(|delivery| all(&delivery.name)),
        (FactBody::Cart(cart), Role::Piece) => cart.lines.iter().any(|line| all(&line.name)),
        (FactBody::Cart(cart), Role::Coupon) => cart.coupon.iter().any(|coupon| test(coupon.code.as_str())),
        (FactBody::Cart(cart), Role::OrderNumber) => cart.order.as_deref().is_some_and(test),
        (FactBody::Cart(cart), Role::Link) => cart.link.as_deref().is_some_and(test),
        (FactBody::Passage(passage), Role::Quote) => {
            std::iter::once(passage.text.as_str()).chain(passage.text.lines()).any(test)
        }
        (FactBody::Order(order), Role::OrderNumber) => test(order.number.as_str()),
        (FactBody::Task(task), Role::OrderNumber) => test(task.order.number.as_str()),
        (FactBody::Task(task), Role::Tracking) => task.rma.as_deref().is_some_and(test),
        (FactBody::Task(task), Role::Link) => task.label.as_deref().is_some_and(test),
        (FactBody::Task(task), Role::Piece) => task.pieces.iter().chain(&task.wanted).any(|piece| all(&piece.name)),
        (FactBody::Order(order), Role::Carrier) => order.carrier.as_deref().is_some_and(test),
        (FactBody::Order(order), Role::Tracking) => order.tracking.as_deref().is_some_and(test),
        (FactBody::Order(order), Role::Link) => order.tracking_link.as_deref().is_some_and(test),
        (FactBody::Order(order), Role::ScannedAt) => {
            order.parcel.iter().filter_map(|parcel| parcel.place.as_deref()).any(test)
        }
        (FactBody::Menu(menu), Role::Question) => all(&menu.ask),
        (FactBody::Range(range), Role::Kind) => range.kinds.iter().any(all),
        (FactBody::Contact(contact), Role::Phone) => test(contact.phone.as_str()),
        (FactBody::Contact(contact), Role::Email) => test(contact.email.as_str()),
        (FactBody::Contact(contact), Role::Hours) => all(&contact.hours),
        _ => false,
    }
}

struct Span<'a> {
    lexicon: &'a Lexicon,
    language: Language,
    text: &'a str,
}

impl Span<'_> {
    fn items(&self) -> Option<Vec<Item>> {
        let normal = norm::normalise(self.text, &[]);
        if normal.bidi.is_some() {
            return None;
        }
        let tokens = lex::tokens(self.lexicon, &normal, self.language, &[]);
        let reading = Reading::new(self.lexicon, (&normal.text, &tokens), self.language);
        // `half price` costs something.
        let free = tokens.len() == 1 && tokens[0].is(Class::Zero) && !tokens[0].is(Class::NumberLike);
        Some(if free { Vec::new() } else { reading.items(0..tokens.len()) })
    }

    fn money(&self, money: Money) -> Result<(), String> {
        if self.money_of([money]) { Ok(()) } else { Err(format!("the fact has {money}")) }
    }

    fn line_total(&self, fact: &Fact) -> Result<(), String> {
        match &fact.body {
            FactBody::Cart(cart) if self.money_of(cart::line_totals(cart)) => Ok(()),
            _ => Err("the fact has no line of this amount".to_string()),
        }
    }

    /// True for one of these amounts; for none at all, where "free" is said of nothing.
    fn money_of(&self, known: impl IntoIterator<Item = Money>) -> bool {
        let mut known = known.into_iter();
        match self.items().as_deref() {
            Some([Item { kind: ItemKind::Money(amount), .. }]) => {
                known.any(|money| amount.equals(money, self.lexicon).is_ok())
            }
            Some([]) if !self.text.trim().is_empty() => known.any(|money| money.minor == 0),
            _ => false,
        }
    }

    fn count(&self, known: &[u32]) -> Result<(), String> {
        let items = self.items().unwrap_or_default();
        let kinds = items.iter().map(|item| &item.kind);
        let numbers: Vec<&ItemKind> =
            kinds.filter(|kind| !matches!(kind, ItemKind::Word | ItemKind::Sign('.' | ','))).collect();
        let value = |item: &ItemKind| match item {
            ItemKind::Number(number) => number.value,
            _ => None,
        };
        match numbers.as_slice() {
            [only] if known.iter().any(|&count| value(only) == Some(i128::from(count) * ONE)) => Ok(()),
            _ => Err(format!("the fact has {known:?}")),
        }
    }

    /// The numbers of the text, in order, read without any lexicon.
    fn integers(&self) -> Vec<i64> {
        let folded = norm::fold(self.text);
        folded.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    }

    fn date(&self, date: Date) -> Result<(), String> {
        let (day, month, year) = (i64::from(date.day()), i64::from(date.month()), i64::from(date.year()));
        let named = self.lexicon.month_in(&norm::fold(self.text));
        let numbers = self.integers();
        let fits = match named {
            Some(found) => i64::from(found) == month && (numbers == [day] || numbers == [day, year]),
            None if self.text.contains('月') => numbers == [month, day] || numbers == [year, month, day],
            None => numbers == [day, month] || numbers == [day, month, year] || numbers == [year, month, day],
        };
        if fits && self.only_date() { Ok(()) } else { Err(format!("the fact has {date}")) }
    }

    /// A date holds no sign that could hide another number.
    fn only_date(&self) -> bool {
        let folded = norm::fold(self.text);
        !folded.contains([norm::ODD, norm::UNKNOWN, '%', '$', '€'])
    }

    fn time(&self, time: Time) -> Result<(), String> {
        let (hour, minute) = (i64::from(time.hour()), i64::from(time.minute()));
        let numbers = self.integers();
        let fits = numbers == [hour, minute] || (minute == 0 && numbers == [hour]);
        if fits && self.only_date() { Ok(()) } else { Err(format!("the fact has {time}")) }
    }

    fn citation(&self, fact: &Fact) -> Result<(), String> {
        let FactBody::Passage(passage) = &fact.body else { return Err("the fact is no passage".to_string()) };
        let mut rest = self.text.to_string();
        let mut found = false;
        for own in [&passage.section, &passage.version, &passage.document] {
            found |= !own.is_empty() && rest.contains(own.as_str());
            rest = rest.replace(own.as_str(), "");
        }
        if found && !rest.chars().any(char::is_numeric) {
            Ok(())
        } else {
            Err(format!("the fact has {} {} {}", passage.document, passage.section, passage.version))
        }
    }

    /// A word or two without any number: what the order fact itself does not hold.
    fn plain(&self) -> Result<(), String> {
        let items = self.items().unwrap_or_default();
        let words = items.iter().all(|item| matches!(item.kind, ItemKind::Word | ItemKind::Sign('-' | '.')));
        if words && !items.is_empty() { Ok(()) } else { Err("only a town's name may stand here".to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::super::tests::GUARD;
    use super::*;
    use crate::domain::FactId;
    use crate::domain::fact::{DeliveryFact, Passage, TotalFact};

    fn fact(body: FactBody) -> Fact {
        let as_of = date(2026, 11, 21).at(10, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        Fact { id: FactId("f".to_string()), body, source: "test".to_string(), as_of }
    }

    fn check(body: &FactBody, (role, language, text): (Role, Language, &str), expected: bool) {
        let found = verify(&GUARD.lexicon, &fact(body.clone()), (role, language, text));
        assert_eq!(found.is_ok(), expected, "{text} as {role:?}: {found:?}");
    }

    #[test]
    fn delivery_is_read_back() {
        use Language::{En, Ru, Sk, Zh};
        let money = |minor| Money::new(minor, "EUR".parse().unwrap());
        let delivery = FactBody::Delivery(DeliveryFact {
            place: "nitra".into(),
            name: Localised::only(Sk, "Nitra"),
            cost: money(390),
            free_from: Some(money(5000)),
            cutoff: time(14, 30, 0, 0),
            earliest: date(2026, 11, 23),
            latest: date(2026, 12, 1),
        });
        check(&delivery, (Role::DeliveryCost, Sk, "3,90\u{a0}€"), true);
        check(&delivery, (Role::DeliveryCost, Sk, "zadarmo"), false);
        check(&delivery, (Role::DeliveryCost, En, "€3.90"), true);
        check(&delivery, (Role::DeliveryCost, En, "€3.90 "), true);
        check(&delivery, (Role::DeliveryCost, En, "€3.90 or less"), false);
        check(&delivery, (Role::DeliveryCost, Sk, "50 €"), false);
        check(&delivery, (Role::FreeFrom, Ru, "50,00 €"), true);
        check(&delivery, (Role::Earliest, En, "23 November"), true);
        check(&delivery, (Role::Earliest, En, "23 December"), false);
        check(&delivery, (Role::Earliest, Zh, "11月23日"), true);
        check(&delivery, (Role::Earliest, Zh, "23月11日"), false);
        check(&delivery, (Role::Earliest, Ru, "23 ноября"), true);
        check(&delivery, (Role::Earliest, Sk, "23. novembra 2026"), true);
        check(&delivery, (Role::Latest, Sk, "1. decembra"), true);
        check(&delivery, (Role::Latest, Sk, "1.12."), true);
        check(&delivery, (Role::Latest, Sk, "2.12."), false);
        check(&delivery, (Role::Cutoff, Sk, "14:30"), true);
        check(&delivery, (Role::Cutoff, Sk, "14:00"), false);
        check(&delivery, (Role::Place, Sk, "Nitra"), true);
        check(&delivery, (Role::Place, Sk, "Trnava"), false);
        check(&delivery, (Role::Price, Sk, "3,90 €"), false);
    }

    #[test]
    fn totals_and_passages_are_read_back() {
        use Language::{En, Ru};
        let total = FactBody::Total(TotalFact {
            offer: FactId("o".to_string()),
            quantity: 3,
            total: Money::new(7470, "EUR".parse().unwrap()),
        });
        check(&total, (Role::Total, En, "€74.70"), true);
        check(&total, (Role::Total, En, "€74.07"), false);
        check(&total, (Role::Quantity, En, "3 pieces"), true);
        check(&total, (Role::Quantity, Ru, "3 шт."), true);
        check(&total, (Role::Quantity, En, "4 pieces"), false);
        check(&total, (Role::Quantity, En, "3 of 5 pieces"), false);
        let passage = FactBody::Passage(Passage {
            document: "returns".to_string(),
            section: "Money back".to_string(),
            language: En,
            version: "2026-01".to_string(),
            text: "You may return it within 14 days.\nShoes too.".to_string(),
        });
        check(&passage, (Role::Quote, En, "You may return it within 14 days."), true);
        check(&passage, (Role::Quote, En, "You may return it within 40 days."), false);
        check(&passage, (Role::Citation, En, "Money back (returns, 2026-01)"), true);
        check(&passage, (Role::Citation, En, "Money back (returns, 2025-01)"), false);
    }
}
