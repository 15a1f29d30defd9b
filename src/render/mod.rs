//! Moves over facts become sentences: the only place where a fact turns into words.
//! In: moves, facts, a language. Out: a [`Draft`] whose spans say which stretch renders which value of which fact.
//! It never decides what to say and never states a value that is not in a fact.

mod cart;
mod offer;
mod order;
pub mod phrasebook;
mod prose;
mod segment;
mod task;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use jiff::civil::Date;

use crate::domain::fact::{ContactFact, DeliveryFact, Passage};
use crate::domain::identity::CodeLine;
use crate::domain::lead::Purpose;
use crate::domain::menu::MenuFact;
use crate::domain::outreach::Kind;
use crate::domain::plan::{Absence, Ask, BookingLine, ConsentLine, Courtesy, HandoverReason, OutreachLine};
use crate::domain::{
    Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Move, Role, SegmentKind, Tone, Wish,
};
use phrasebook::{Phrasebook, Template};
use segment::{Value, Values};

/// Renders replies in every language.
pub struct Renderer {
    books: HashMap<Language, Phrasebook>,
    shop: String,
}

/// What the rendering of one reply needs besides its moves.
pub struct Scene<'a> {
    /// The language to write in.
    pub language: Language,
    /// All facts of the turn.
    pub facts: &'a [Fact],
    /// Today in the shop's time zone: dates of another year are not written.
    pub today: Date,
    /// How the customer is spoken to.
    pub tone: Tone,
}

impl Scene<'_> {
    fn fact(&self, id: &FactId) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == *id)
    }
}

impl Renderer {
    /// Reads `replies/{ru,sk,zh,en}.toml` below `data`.
    ///
    /// # Errors
    /// A missing file, key or form, an unknown slot: by file and key.
    pub fn load(data: &Path, shop: &str) -> anyhow::Result<Renderer> {
        let mut books = HashMap::new();
        for language in Language::ALL {
            let path = data.join("replies").join(format!("{language}.toml"));
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let book = Phrasebook::parse(language, &text).with_context(|| format!("in {}", path.display()))?;
            books.insert(language, book);
        }
        Ok(Renderer { books, shop: shop.to_string() })
    }

    /// Every sentence with its key, for the guard's check at start-up.
    pub fn templates(&self) -> impl Iterator<Item = (Language, &str, &Template)> {
        self.books
            .iter()
            .flat_map(|(language, book)| book.templates().map(|(key, template)| (*language, key, template)))
    }

    /// Renders the moves in order. A move whose facts are not in the scene renders nothing.
    pub fn render(&self, moves: &[Move], scene: &Scene<'_>) -> Draft {
        let mut page = Page { book: self.book(scene.language), scene, segments: Vec::new(), shop: &self.shop };
        for step in moves {
            page.play(step);
        }
        Draft { language: scene.language, segments: page.segments }
    }

    /// The sentence that says a machine is talking, for the first turn of a conversation.
    pub fn disclosure(&self, language: Language) -> DraftSegment {
        self.book(language).sentence(SegmentKind::Smalltalk, "disclosure", &Values::default())
    }

    /// A day and a time as this language writes them.
    pub fn moment(&self, language: Language, at: jiff::civil::DateTime) -> String {
        let book = self.book(language);
        format!("{}, {}", book.date(at.date(), at.year()), book.time(at.time()))
    }

    /// What is written to a phone or an e-mail with a code: `{code}` and `{minutes}` are still to be filled.
    pub fn letter(&self, language: Language) -> String {
        self.book(language).source("code_letter").replace("{shop}", &self.shop)
    }

    /// What the assistant says when a person gives the chat back.
    pub fn welcome_back(&self, language: Language) -> DraftSegment {
        self.book(language).sentence(SegmentKind::Smalltalk, "handover_back", &Values::default())
    }

    fn book(&self, language: Language) -> &Phrasebook {
        self.books.get(&language).expect("invariant: load reads every language")
    }
}

/// The reply being written.
struct Page<'a> {
    book: &'a Phrasebook,
    scene: &'a Scene<'a>,
    segments: Vec<DraftSegment>,
    shop: &'a str,
}

impl Page<'_> {
    fn play(&mut self, step: &Move) {
        match step {
            Move::Offer { facts } => self.offers(facts),
            Move::Stock { facts } => self.stock(facts),
            Move::Detail { facts } => self.details(facts),
            Move::Compare { facts } => self.compare(facts),
            Move::Best { fact } => self.best(fact),
            Move::Alternatives { facts } => self.alternatives(facts),
            Move::Suggest { wish, facts } => self.suggest(*wish, facts),
            Move::Range { fact } => self.range(fact),
            Move::Prose { kind, text, facts, instead } => {
                if !self.prose(*kind, text, facts) {
                    self.play(instead);
                }
            }
            Move::Upsell { fact } => self.upsell("upsell", fact),
            Move::BoughtWith { fact } => self.upsell("bought_with", fact),
            Move::Total { fact } => self.total(fact),
            Move::Deliver { fact } => self.deliver(fact),
            Move::Policy { fact } => self.policy(fact),
            Move::Order { fact } => self.order(fact),
            Move::CancelRule { fact } => self.cancel_rule(fact),
            Move::Task { fact, say } => self.task(fact, *say),
            Move::Cart { fact, say } => self.cart(fact, *say),
            Move::Recall { fact } => self.recall(fact),
            Move::Menu { fact } => self.menu(fact),
            Move::Narrow { fact } => self.narrow(fact),
            Move::CartNo { why } => self.cart_no(*why),
            Move::Consent { purpose, say } => self.plain(SegmentKind::Task, consent_key(*purpose, *say)),
            Move::Booking { say: BookingLine::Gone } => self.plain(SegmentKind::Ask, "slot_gone"),
            Move::Booking { say: BookingLine::None } => self.plain(SegmentKind::NotFound, "slot_none"),
            Move::Code { say } => self.plain(SegmentKind::Ask, code_key(*say)),
            Move::Outreach { say } => self.outreach(*say),
            Move::Ask { what } => self.plain(SegmentKind::Ask, ask_key(*what)),
            Move::NotFound { why } => self.plain(SegmentKind::NotFound, absence_key(*why)),
            Move::Human { reason } => self.human(*reason),
            Move::Smalltalk { kind } => self.courtesy(*kind),
        }
    }

    fn plain(&mut self, kind: SegmentKind, key: &str) {
        self.say(kind, key, &Values::default());
    }

    fn say(&mut self, kind: SegmentKind, key: &str, values: &Values) {
        self.segments.push(self.book.sentence_for(self.scene.tone, kind, (key, values)));
    }

    fn courtesy(&mut self, kind: Courtesy) {
        let values = Values::default().text("shop", self.shop);
        self.say(SegmentKind::Smalltalk, courtesy_key(kind), &values);
    }

    fn outreach(&mut self, say: OutreachLine) {
        let Some(key) = outreach_key(say) else { return };
        let values = Values::default().text("shop", self.shop);
        self.say(SegmentKind::Smalltalk, key, &values);
    }

    fn deliver(&mut self, id: &FactId) {
        let Some((fact, delivery)) = self.delivery(id) else { return };
        let year = self.scene.today.year();
        let value = |text: String, role| (text, fact, role);
        let values = Values::default()
            .fact("place", value(delivery.name.get(self.scene.language).to_string(), Role::Place))
            .fact("delivery_cost", value(self.book.money(delivery.cost), Role::DeliveryCost))
            .fact("earliest", value(self.book.date(delivery.earliest, year), Role::Earliest))
            .fact("latest", value(self.book.date(delivery.latest, year), Role::Latest))
            .fact("cutoff", value(self.book.time(delivery.cutoff), Role::Cutoff));
        let key = if delivery.earliest == delivery.latest { "deliver_day" } else { "deliver" };
        let mut segment = self.book.sentence(SegmentKind::Deliver, key, &values);
        if let Some(threshold) = delivery.free_from {
            let values = Values::default().fact("free_from", value(self.book.money(threshold), Role::FreeFrom));
            segment.append(self.book.space(), self.book.sentence(SegmentKind::Deliver, "deliver_free_from", &values));
        }
        self.segments.push(segment);
    }

    fn delivery(&self, id: &FactId) -> Option<(&FactId, &DeliveryFact)> {
        let fact = self.scene.fact(id)?;
        match &fact.body {
            FactBody::Delivery(delivery) => Some((&fact.id, delivery)),
            _ => None,
        }
    }

    fn policy(&mut self, id: &FactId) {
        let Some(fact) = self.scene.fact(id) else { return };
        let FactBody::Passage(Passage { section, text, version, .. }) = &fact.body else { return };
        let quote = Values::default().fact("quote", (text.clone(), &fact.id, Role::Quote));
        let mut segment = self.book.sentence(SegmentKind::Policy, "policy", &quote);
        let citation = format!("{section}, {version}");
        let citation = Values::default().fact("citation", (citation, &fact.id, Role::Citation));
        segment.append(self.book.space(), self.book.sentence(SegmentKind::Policy, "policy_citation", &citation));
        self.segments.push(segment);
    }

    fn menu(&mut self, id: &FactId) {
        let Some(FactBody::Menu(menu)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        if let Some(estimate) = menu.estimate() {
            let values = Values::default().fact("total", (self.book.money(estimate), id, Role::Total));
            self.say(SegmentKind::Ask, "menu_estimate", &values);
        }
        let ask = menu.ask.get(self.scene.language).to_string();
        self.say(SegmentKind::Ask, "menu_ask", &Values::default().fact("question", (ask, id, Role::Question)));
        for (at, label) in menu.choices.iter().enumerate() {
            let line = MenuFact::line(at, label.get(self.scene.language));
            self.say(SegmentKind::Ask, "menu_choice", &Values::default().fact("choice", (line, id, Role::Choice)));
        }
    }

    fn narrow(&mut self, id: &FactId) {
        let Some(FactBody::Menu(menu)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        let language = self.scene.language;
        let choice = |label: &Localised| Value::of(label.get(language).to_string(), id, Role::Choice);
        let choices = Value::joined(menu.choices.iter().map(choice).collect(), self.book.comma());
        let values = Values::default()
            .fact("question", (menu.ask.get(language).to_string(), id, Role::Question))
            .with("choices", choices);
        self.say(SegmentKind::Ask, "narrow", &values);
    }

    fn human(&mut self, reason: HandoverReason) {
        self.plain(SegmentKind::Human, handover_key(reason));
        let contact = self.scene.facts.iter().find_map(|fact| match &fact.body {
            FactBody::Contact(contact) => Some((&fact.id, contact)),
            _ => None,
        });
        let Some((id, ContactFact { phone, email, hours })) = contact else { return };
        let values = Values::default()
            .fact("phone", (phone.clone(), id, Role::Phone))
            .fact("email", (email.clone(), id, Role::Email))
            .fact("hours", (hours.get(self.scene.language).to_string(), id, Role::Hours));
        self.say(SegmentKind::Human, "human_contact", &values);
    }
}

fn ask_key(what: Ask) -> &'static str {
    match what {
        Ask::Product => "ask_product",
        Ask::Size => "ask_size",
        Ask::Colour => "ask_colour",
        Ask::Town => "ask_town",
        Ask::OrderNumber => "ask_order_number",
        Ask::Identity => "ask_identity",
        Ask::Phone => "ask_phone",
        Ask::CallBack => "ask_call_back",
        Ask::Topic => "ask_topic",
        Ask::Item => "ask_item",
        Ask::Variant => "ask_variant",
        Ask::Address => "ask_address",
        Ask::Destination => "ask_destination",
        Ask::Contact => "ask_contact",
        Ask::OrderOrContact => "ask_order_or_contact",
        Ask::Code => "code_sent",
        Ask::Date => "ask_date",
        Ask::Photo => "ask_photo",
        Ask::NumberElsewhere => "ask_number_elsewhere",
        Ask::ContactInstead => "ask_contact_instead",
    }
}

fn code_key(say: CodeLine) -> &'static str {
    match say {
        CodeLine::Sent => "code_sent",
        CodeLine::Wrong => "code_wrong",
        CodeLine::Over => "code_over",
        CodeLine::Wait => "code_wait",
        CodeLine::Many => "code_many",
    }
}

fn consent_key(purpose: Purpose, say: ConsentLine) -> &'static str {
    match (purpose, say) {
        (Purpose::Call, ConsentLine::Question) => "contact_call",
        (Purpose::Call, ConsentLine::Kept) => "contact_call_kept",
        (Purpose::Visit, ConsentLine::Question) => "contact_visit",
        (Purpose::Visit, ConsentLine::Kept) => "contact_visit_kept",
        (Purpose::Restock, ConsentLine::Question) => "contact_restock",
        (Purpose::Restock, ConsentLine::Kept) => "contact_restock_kept",
        (Purpose::Offers, ConsentLine::Question) => "contact_offers",
        (Purpose::Offers, ConsentLine::Kept) => "contact_offers_kept",
        (Purpose::Offers, ConsentLine::Declined) => "contact_offers_declined",
        (_, ConsentLine::Declined) => "contact_declined",
        (_, ConsentLine::Objected) => "contact_offers_objected",
    }
}

fn outreach_key(say: OutreachLine) -> Option<&'static str> {
    Some(match say {
        OutreachLine::Opening(Kind::AbandonedCart) => "outreach_cart",
        OutreachLine::Opening(Kind::WinBack) => "outreach_win_back",
        OutreachLine::Opening(Kind::Restock) => "outreach_restock",
        OutreachLine::Opening(Kind::LateOrder) => "outreach_late",
        OutreachLine::Opening(Kind::ReviewRequest) => "outreach_review",
        OutreachLine::Closing(Kind::AbandonedCart) => "outreach_cart_next",
        OutreachLine::Closing(Kind::WinBack) => "outreach_win_back_next",
        OutreachLine::Closing(Kind::Restock) => "outreach_restock_next",
        OutreachLine::Closing(Kind::ReviewRequest) => "outreach_review_next",
        // The order's own sentences say what can be done.
        OutreachLine::Closing(Kind::LateOrder) => return None,
        OutreachLine::Footer => "outreach_footer",
        OutreachLine::Stopped => "outreach_stopped",
        OutreachLine::StoppedBefore => "outreach_stopped_before",
        OutreachLine::StoppedHere => "outreach_stopped_here",
    })
}

fn absence_key(why: Absence) -> &'static str {
    match why {
        Absence::NothingFound => "not_found",
        Absence::FilteredOut => "filtered_out",
        Absence::NoVariant => "no_variant",
        Absence::SourceDown => "source_down",
        Absence::OutOfStock => "out_of_stock",
        Absence::NoPrice => "no_price",
        Absence::Unfulfilled(Wish::Cheaper) => "nothing_cheaper",
        Absence::Unfulfilled(Wish::Dearer) => "nothing_dearer",
        Absence::Unfulfilled(Wish::GoesWith) => "nothing_goes_with",
        Absence::Unfulfilled(Wish::OnSale) => "nothing_on_sale",
        Absence::Unfulfilled(Wish::Popular) => "nothing_popular",
        Absence::Unfulfilled(Wish::Range) => "not_found",
        Absence::NoPolicy => "no_policy",
        Absence::NoDelivery => "no_delivery",
        Absence::NoOrder => "no_order",
    }
}

fn handover_key(reason: HandoverReason) -> &'static str {
    match reason {
        HandoverReason::Asked => "human",
        HandoverReason::Fraud => "human",
        HandoverReason::Complaint | HandoverReason::Anger => "human_complaint",
        HandoverReason::Unsure => "human_unsure",
        HandoverReason::Task => "human_task",
        HandoverReason::GuardRejected | HandoverReason::Failure => "human_failure",
    }
}

fn courtesy_key(kind: Courtesy) -> &'static str {
    match kind {
        Courtesy::Greeting => "greeting",
        Courtesy::Thanks => "thanks",
        Courtesy::Goodbye => "goodbye",
        Courtesy::WhoAreYou => "who_are_you",
        Courtesy::Menu => "menu",
        Courtesy::Confirmed => "confirmed",
        Courtesy::Denied => "denied",
        Courtesy::OutOfScope => "out_of_scope",
        Courtesy::Spam => "spam",
        Courtesy::Unsafe => "unsafe",
        Courtesy::Sorry => "sorry",
        Courtesy::Card => "card",
    }
}
