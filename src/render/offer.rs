//! Products in sentences: offers, stock, comparisons, totals, what goes with it.

use crate::domain::fact::{Detail, OfferFact, TotalFact};
use crate::domain::product::Quote;
use crate::domain::{Fact, FactBody, FactId, Localised, Role, SegmentKind, Wish};

use super::Page;
use super::segment::{Value, Values};

/// The variants of one product among a move's facts.
pub(super) struct Group<'a> {
    offers: Vec<(&'a FactId, &'a OfferFact)>,
}

impl<'a> Group<'a> {
    fn first(&self) -> (&'a FactId, &'a OfferFact) {
        self.offers[0]
    }

    /// The cheapest variant, with whether the others cost the same.
    pub(super) fn cheapest(&self) -> ((&'a FactId, &'a OfferFact), bool) {
        let known = self.offers.iter().filter_map(|pair| Some((pair.1.offer.price.now()?, *pair)));
        let cheapest = known.clone().min_by_key(|(money, _)| money.minor);
        let uniform = known.clone().all(|(money, _)| Some(money) == cheapest.map(|(least, _)| least))
            && known.count() == self.offers.len();
        (cheapest.map_or_else(|| self.first(), |(_, pair)| pair), uniform)
    }
}

impl<'a> Group<'a> {
    /// The one town that all of the offers speak of although the shop has others: it was asked for.
    fn asked_place(&self) -> Option<(&'a FactId, &'a Localised)> {
        let (id, fact) = self.first();
        let [(place, _)] = fact.places.as_slice() else { return None };
        let same = |other: &OfferFact| matches!(other.places.as_slice(), [(name, _)] if name == place);
        let narrowed = self.offers.iter().any(|(_, other)| other.offer.stock.len() > 1);
        (narrowed && self.offers.iter().all(|(_, other)| same(other))).then_some((id, place))
    }
}

fn offer_of(fact: &Fact) -> Option<(&FactId, &OfferFact)> {
    match &fact.body {
        FactBody::Offer(offer) => Some((&fact.id, offer)),
        _ => None,
    }
}

impl<'a> Page<'a> {
    pub(super) fn groups(&self, ids: &[FactId]) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let scene = self.scene;
        for pair in ids.iter().filter_map(|id| scene.fact(id)).filter_map(offer_of) {
            match groups.iter_mut().find(|group| group.first().1.product == pair.1.product) {
                Some(group) => group.offers.push(pair),
                None => groups.push(Group { offers: vec![pair] }),
            }
        }
        groups
    }

    pub(super) fn offers(&mut self, ids: &[FactId]) {
        let groups = self.groups(ids);
        match groups.as_slice() {
            [] => {}
            [group] => self.single_offer(group),
            several => {
                self.plain(SegmentKind::Offer, "offer_several");
                several.iter().for_each(|group| self.offer_line(SegmentKind::Offer, group));
            }
        }
    }

    fn single_offer(&mut self, group: &Group<'_>) {
        let ((id, fact), uniform) = group.cheapest();
        let one_variant = group.offers.len() == 1 && has_variant(fact);
        let key = match &fact.offer.price {
            Quote::Missing => "offer_no_price",
            Quote::Stale => "offer_stale",
            Quote::Known { .. } if !uniform => "offer_from",
            Quote::Known { old: Some(_), .. } if one_variant => "offer_variant_sale",
            Quote::Known { old: Some(_), until: Some(_), .. } => "offer_sale_until",
            Quote::Known { old: Some(_), .. } => "offer_sale",
            Quote::Known { .. } if one_variant => "offer_variant",
            Quote::Known { .. } => "offer",
        };
        let mut segment = self.book.sentence(SegmentKind::Offer, key, &self.offer_values(id, fact));
        if let Some(summary) = fact.summary.0.get(&self.scene.language) {
            let values = Values::default().fact("summary", (summary.clone(), id, Role::Summary));
            segment.append(self.book.space(), self.book.sentence(SegmentKind::Offer, "summary", &values));
        }
        self.segments.push(segment);
        for detail in told(fact) {
            self.say(SegmentKind::Offer, "detail_line", &self.detail_values(detail, id));
        }
    }

    fn detail_values(&self, detail: &Detail, id: &FactId) -> Values {
        let text = |text: &Localised| text.get(self.scene.language).to_string();
        let values = Values::default().fact("attribute", (text(&detail.name), id, Role::Detail));
        values.fact("value", (text(&detail.value), id, Role::Detail))
    }

    fn offer_line(&mut self, kind: SegmentKind, group: &Group<'_>) {
        let ((id, fact), _) = group.cheapest();
        let key = match &fact.offer.price {
            Quote::Known { old: Some(_), .. } => "offer_line_sale",
            Quote::Known { .. } => "offer_line",
            Quote::Missing => "offer_line_no_price",
            Quote::Stale => "offer_line_stale",
        };
        let mut segment = self.book.sentence(kind, key, &self.offer_values(id, fact));
        for detail in told(fact) {
            segment.append("", self.book.sentence(kind, "compare_detail", &self.detail_values(detail, id)));
        }
        self.segments.push(segment);
    }

    /// All values a sentence about an offer may use.
    pub(super) fn offer_values(&self, id: &FactId, fact: &OfferFact) -> Values {
        let language = self.scene.language;
        let mut values = Values::default()
            .fact("name", (fact.name.get(language).to_string(), id, Role::Name))
            .fact("summary", (fact.summary.get(language).to_string(), id, Role::Summary))
            .with("variant", self.variant(id, fact));
        if let Quote::Known { now, old, until } = &fact.offer.price {
            values = values.fact("price", (self.book.money(*now), id, Role::Price));
            if let Some(old) = old {
                values = values.fact("old_price", (self.book.money(*old), id, Role::OldPrice));
            }
            if let Some(until) = until {
                let day = self.book.date(*until, self.scene.today.year());
                values = values.fact("sale_until", (day, id, Role::SaleUntil));
            }
        }
        if let Some(count) = fact.offer.in_stock().filter(|count| *count > 0) {
            values = values.fact("stock", (self.book.pieces(count), id, Role::Stock));
        }
        values
    }

    fn variant(&self, id: &FactId, fact: &OfferFact) -> Vec<Value> {
        let size = fact.offer.size.iter().map(|size| Value::of(size.clone(), id, Role::Size));
        let colour = fact.colour.get(self.scene.language);
        let colour = (!colour.is_empty()).then(|| Value::of(colour.to_string(), id, Role::Colour));
        Value::joined(size.chain(colour).collect(), self.book.comma())
    }

    pub(super) fn stock(&mut self, ids: &[FactId]) {
        for group in self.groups(ids) {
            self.stock_of(&group);
        }
    }

    fn stock_of(&mut self, group: &Group<'_>) {
        let available = |pair: &&(&FactId, &OfferFact)| pair.1.offer.in_stock().is_some_and(|count| count > 0);
        let known = group.offers.iter().any(|pair| pair.1.offer.in_stock().is_some());
        let (id, fact) = group.offers.iter().find(available).copied().unwrap_or_else(|| group.first());
        let there = fact.offer.in_stock().is_some_and(|count| count > 0);
        let one_variant = group.offers.len() == 1 && has_variant(fact);
        if !one_variant && there && group.offers.len() > 1 {
            return self.stock_of_variants(group);
        }
        let key = match (known, there, one_variant) {
            (false, ..) => "stock_unknown",
            (true, true, true) => "stock_variant_yes",
            (true, true, false) => "stock_yes",
            (true, false, true) => "stock_variant_no",
            (true, false, false) => "stock_no",
        };
        self.say(SegmentKind::Stock, key, &self.offer_values(id, fact));
        // That it is sold out has been said: no list of towns that have none.
        let nowhere = fact.places.len() > 1 && fact.places.iter().all(|(_, count)| *count == 0);
        for (place, count) in fact.places.iter().filter(|_| !nowhere) {
            let key = if *count > 0 { "stock_place" } else { "stock_place_none" };
            let values = Values::default()
                .fact("place", (place.get(self.scene.language).to_string(), id, Role::Place))
                .fact("stock", (self.book.pieces(*count), id, Role::Stock));
            self.say(SegmentKind::Stock, key, &values);
        }
    }

    /// A product of several variants: which sizes and colours there are.
    fn stock_of_variants(&mut self, group: &Group<'_>) {
        let (id, fact) = group.first();
        let here = group.asked_place();
        let there = |fact: &OfferFact| match here {
            Some(_) => fact.places.iter().any(|(_, count)| *count > 0),
            None => fact.offer.in_stock().is_some_and(|count| count > 0),
        };
        let available: Vec<_> = group.offers.iter().filter(|pair| there(pair.1)).collect();
        let place = here.map(|(id, place)| Value::of(place.get(self.scene.language).to_string(), id, Role::Place));
        if let (true, Some(place)) = (available.is_empty(), &place) {
            let values = self.offer_values(id, fact).with("place", vec![place.clone()]);
            return self.say(SegmentKind::Stock, "stock_no_at", &values);
        }
        let name = Value::of(fact.name.get(self.scene.language).to_string(), id, Role::Name);
        let mut listed = |slot: &'static str, key: &str, values: Vec<(String, Value)>| {
            let mut unique: Vec<(String, Value)> = Vec::new();
            for value in values {
                if !unique.iter().any(|(text, _)| *text == value.0) {
                    unique.push(value);
                }
            }
            if unique.is_empty() {
                return;
            }
            let values = unique.into_iter().map(|(_, value)| value).collect();
            let filled = Values::default().with("name", vec![name.clone()]);
            let filled = filled.with(slot, Value::joined(values, self.book.comma()));
            let filled = filled.with("place", place.iter().cloned().collect());
            self.segments.push(self.book.sentence(SegmentKind::Stock, key, &filled));
        };
        let sizes = available.iter().filter_map(|(id, fact)| {
            let size = fact.offer.size.clone()?;
            Some((size.clone(), Value::of(size, id, Role::Size)))
        });
        let key = |plain: &'static str, at: &'static str| if here.is_some() { at } else { plain };
        listed("sizes", key("stock_sizes", "stock_sizes_at"), sizes.collect());
        let language = self.scene.language;
        let colours = available.iter().filter(|(_, fact)| !fact.colour.is_empty()).map(|(id, fact)| {
            let colour = fact.colour.get(language).to_string();
            (colour.clone(), Value::of(colour, id, Role::Colour))
        });
        listed("colours", key("stock_colours", "stock_colours_at"), colours.collect());
    }

    /// What was asked of each product; where the feed does not tell it, that and the product's summary.
    pub(super) fn details(&mut self, ids: &[FactId]) {
        for group in self.groups(ids) {
            let (id, fact) = group.first();
            let language = self.scene.language;
            let value = |text: &Localised| Value::of(text.get(language).to_string(), id, Role::Detail);
            let values = |detail: &Detail| {
                let named = self.offer_values(id, fact).with("attribute", vec![value(&detail.name)]);
                named.with("value", vec![value(&detail.value)])
            };
            let mut said = Vec::new();
            match fact.details.as_slice() {
                [] => return self.single_offer(&group),
                [only] if only.value.is_empty() => {
                    let mut segment = self.book.sentence(SegmentKind::Offer, "detail_unknown", &values(only));
                    if fact.summary.0.contains_key(&language) {
                        let summary = self.book.sentence(SegmentKind::Offer, "summary", &values(only));
                        segment.append(self.book.space(), summary);
                    }
                    said.push(segment);
                }
                [only] => said.push(self.book.sentence(SegmentKind::Offer, "detail", &values(only))),
                several => {
                    let mut head = self.book.sentence(SegmentKind::Offer, "detail_list", &values(&several[0]));
                    if fact.summary.0.contains_key(&language) {
                        let summary = self.book.sentence(SegmentKind::Offer, "summary", &values(&several[0]));
                        head.append(self.book.space(), summary);
                    }
                    said.push(head);
                    let line = |detail| self.book.sentence(SegmentKind::Offer, "detail_line", &values(detail));
                    said.extend(several.iter().map(line));
                }
            }
            self.segments.extend(said);
        }
    }

    pub(super) fn compare(&mut self, ids: &[FactId]) {
        let groups = self.groups(ids);
        if groups.len() < 2 {
            return self.offers(ids);
        }
        self.plain(SegmentKind::Compare, "compare_intro");
        let differing = differing(&groups);
        for group in &groups {
            let ((id, fact), _) = group.cheapest();
            let key = match &fact.offer.price {
                Quote::Known { .. } if differing.is_empty() => "compare_line",
                Quote::Known { .. } => "compare_head",
                Quote::Missing => "offer_line_no_price",
                Quote::Stale => "offer_line_stale",
            };
            let mut segment = self.book.sentence(SegmentKind::Compare, key, &self.offer_values(id, fact));
            for detail in fact.details.iter().filter(|detail| differing.contains(&&detail.name)) {
                let values = self.detail_values(detail, id);
                segment.append("", self.book.sentence(SegmentKind::Compare, "compare_detail", &values));
            }
            self.segments.push(segment);
        }
        let prices: Option<Vec<_>> = groups
            .iter()
            .map(|group| {
                let ((id, fact), _) = group.cheapest();
                Some((fact.offer.price.now()?, id, fact))
            })
            .collect();
        let Some(mut prices) = prices else { return };
        prices.sort_by_key(|(money, ..)| money.minor);
        let same_currency = prices.iter().all(|(money, ..)| money.currency == prices[0].0.currency);
        if same_currency && prices[0].0.minor < prices[1].0.minor {
            let values = self.offer_values(prices[0].1, prices[0].2);
            self.say(SegmentKind::Compare, "compare_cheaper", &values);
        }
    }

    pub(super) fn best(&mut self, id: &FactId) {
        let Some((id, fact)) = self.scene.fact(id).and_then(offer_of) else { return };
        let Some(detail) = told(fact).next() else { return };
        let name = (fact.name.get(self.scene.language).to_string(), id, Role::Name);
        self.say(SegmentKind::Compare, "best", &self.detail_values(detail, id).fact("name", name));
    }

    pub(super) fn alternatives(&mut self, ids: &[FactId]) {
        let groups = self.groups(ids);
        if groups.is_empty() {
            return;
        }
        self.plain(SegmentKind::Alternatives, "alternatives_intro");
        groups.iter().for_each(|group| self.offer_line(SegmentKind::Alternatives, group));
    }

    pub(super) fn suggest(&mut self, wish: Wish, ids: &[FactId]) {
        let groups = self.groups(ids);
        if groups.is_empty() {
            return;
        }
        let (kind, intro) = match wish {
            Wish::Cheaper => (SegmentKind::Alternatives, "cheaper_intro"),
            Wish::Dearer => (SegmentKind::Alternatives, "dearer_intro"),
            Wish::GoesWith => (SegmentKind::Upsell, "goes_with_intro"),
            Wish::OnSale => (SegmentKind::Offer, "on_sale_intro"),
            Wish::Popular => (SegmentKind::Offer, "popular_intro"),
            Wish::Range => return self.offers(ids),
        };
        self.plain(kind, intro);
        groups.iter().for_each(|group| self.offer_line(kind, group));
    }

    pub(super) fn range(&mut self, id: &FactId) {
        let Some(fact) = self.scene.fact(id) else { return };
        let FactBody::Range(range) = &fact.body else { return };
        let kind = |kind: &Localised| Value::of(kind.get(self.scene.language).to_string(), id, Role::Kind);
        let kinds = Value::joined(range.kinds.iter().map(kind).collect(), self.book.comma());
        self.say(SegmentKind::Offer, "range", &Values::default().with("kinds", kinds));
    }

    pub(super) fn recall(&mut self, id: &FactId) {
        let Some((id, fact)) = self.scene.fact(id).and_then(offer_of) else { return };
        let Some(size) = fact.offer.size.clone() else { return };
        let values = Values::default().fact("size", (size, id, Role::Size));
        self.say(SegmentKind::Ask, "recall_size", &values);
    }

    pub(super) fn upsell(&mut self, key: &'static str, id: &FactId) {
        let priced =
            self.groups(std::slice::from_ref(id)).into_iter().find(|group| group.first().1.offer.price.now().is_some());
        let Some(group) = priced else { return };
        let (id, fact) = group.first();
        self.say(SegmentKind::Upsell, key, &self.offer_values(id, fact));
    }

    pub(super) fn total(&mut self, id: &FactId) {
        let Some(fact) = self.scene.fact(id) else { return };
        let FactBody::Total(TotalFact { offer, quantity, total }) = &fact.body else { return };
        let Some((offer_id, offer)) = self.scene.fact(offer).and_then(offer_of) else { return };
        let name = offer.name.get(self.scene.language).to_string();
        let values = Values::default()
            .fact("name", (name, offer_id, Role::Name))
            .fact("quantity", (self.book.pieces(*quantity), &fact.id, Role::Quantity))
            .fact("total", (self.book.money(*total), &fact.id, Role::Total));
        self.say(SegmentKind::Total, "total", &values);
    }
}

/// The properties beside the price that were asked for; a data sheet is not told with a price.
fn told(fact: &OfferFact) -> impl Iterator<Item = &Detail> {
    let few = fact.details.len() <= DETAILS;
    fact.details.iter().filter(move |detail| few && !detail.value.is_empty())
}

/// More details than this are a data sheet.
const DETAILS: usize = 3;
/// More differences than this are two data sheets.
const DIFFERENCES: usize = 5;

/// The properties that two or more of the products tell, and not alike.
fn differing<'a>(groups: &[Group<'a>]) -> Vec<&'a Localised> {
    let details: Vec<&Detail> = groups.iter().flat_map(|group| &group.first().1.details).collect();
    let mut names: Vec<&Localised> = Vec::new();
    for detail in &details {
        let values = || details.iter().filter(|other| other.name == detail.name && !other.value.is_empty());
        let unlike = values().any(|other| other.value != detail.value);
        if unlike && values().count() == groups.len() && !names.contains(&&detail.name) {
            names.push(&detail.name);
        }
    }
    names.truncate(DIFFERENCES);
    names
}

fn has_variant(fact: &OfferFact) -> bool {
    fact.offer.size.is_some() || !fact.colour.is_empty()
}
