//! Who may be written to, where and in which language; and what a wish to be left alone comes to.

use jiff::Timestamp;

use crate::app::App;
use crate::domain::Language;
use crate::domain::order::Order;
use crate::domain::outreach::{self, Basis, Contact, Kind, Permission, Topic, Withdrawn};
use crate::domain::session::SessionId;

/// Orders of nobody the shop knows bear this customer.
const GUEST: &str = "guest";

/// Somebody a message may go to.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub key: String,
    pub customer: Option<String>,
    pub session: Option<SessionId>,
    pub contact: Contact,
    pub language: Language,
    words: Vec<Permission>,
}

impl Person {
    /// Whether they may get a message of a kind.
    pub fn may_get(&self, kind: Kind) -> Result<(), Withdrawn> {
        allowed(kind, &self.words)
    }
}

/// Whether a kind may be sent to somebody who said this.
fn allowed(kind: Kind, words: &[Permission]) -> Result<(), Withdrawn> {
    let said = |topic: Topic, granted: bool| words.iter().any(|word| word.topic == topic && word.granted == granted);
    match kind.basis() {
        // One no, to whichever of a person's addresses it was said, outweighs every yes.
        Basis::Permission if said(Topic::Marketing, false) => Err(Withdrawn::Revoked),
        Basis::Permission if said(Topic::Marketing, true) => Ok(()),
        Basis::Permission => Err(Withdrawn::NoPermission),
        Basis::Service if said(Topic::Service, false) => Err(Withdrawn::Revoked),
        Basis::Service | Basis::Wish => Ok(()),
    }
}

/// Everything said under any of these names.
pub(super) async fn words(app: &App, keys: &[String]) -> anyhow::Result<Vec<Permission>> {
    let mut words = Vec::new();
    for key in keys {
        words.extend(app.state.permissions(key).await?);
    }
    Ok(words)
}

/// Whether somebody known by these names may get a message of a kind now.
pub(super) async fn still_may_get(app: &App, kind: Kind, keys: &[String]) -> anyhow::Result<Result<(), Withdrawn>> {
    Ok(allowed(kind, &words(app, keys).await?))
}

/// The owner of a cart: a customer, or a conversation. None without an address to write to.
pub(super) async fn owner(app: &App, owner: &str, language: Option<Language>) -> anyhow::Result<Option<Person>> {
    let customer = owner.strip_prefix("customer:").map(str::to_string);
    let session = owner.strip_prefix("session:").and_then(|session| session.parse().ok());
    let last = match &customer {
        Some(customer) => app.orders.of_customer(customer).await?.into_iter().next(),
        None => None,
    };
    let contact = last.as_ref().map(contact_of).unwrap_or_default();
    let language = language.or(last.map(|order| order.language)).unwrap_or(Language::En);
    known(app, (customer, session), (contact, language)).await
}

/// Who placed an order. None without an address to write to.
pub(super) async fn buyer(app: &App, order: &Order) -> anyhow::Result<Option<Person>> {
    let customer = Some(order.customer.clone()).filter(|customer| !customer.is_empty() && customer != GUEST);
    known(app, (customer, None), (contact_of(order), order.language)).await
}

async fn known(
    app: &App,
    (customer, session): (Option<String>, Option<SessionId>),
    (contact, language): (Contact, Language),
) -> anyhow::Result<Option<Person>> {
    let Some(key) = outreach::person(customer.as_deref(), session).or_else(|| contact.key()) else { return Ok(None) };
    let own = app.state.permissions(&key).await?;
    // Where and how they want to be written to goes before what an order says.
    let wanted = own.iter().filter(|word| word.granted && word.contact != Contact::default());
    let contact = wanted.max_by_key(|word| word.at).map(|word| word.contact.clone()).unwrap_or(contact);
    let language = own.iter().max_by_key(|word| word.at).and_then(|word| word.language).unwrap_or(language);
    if contact.key().is_none() {
        return Ok(None);
    }
    let mut all = own;
    all.extend(words(app, &contact.keys()).await?);
    Ok(Some(Person { key, customer, session, contact, language, words: all }))
}

/// The language a customer wants to be spoken to in: what they said, else that of their last order.
///
/// # Errors
/// The store does not answer.
pub async fn language(app: &App, customer: &str) -> anyhow::Result<Option<Language>> {
    let words = app.state.permissions(&format!("customer:{customer}")).await?;
    let said = words.iter().filter(|word| word.language.is_some()).max_by_key(|word| word.at);
    if let Some(language) = said.and_then(|word| word.language) {
        return Ok(Some(language));
    }
    Ok(app.orders.of_customer(customer).await?.first().map(|order| order.language))
}

/// Where an order's buyer is reached.
pub(super) fn contact_of(order: &Order) -> Contact {
    Contact::new(Some(&order.email), Some(&order.phone))
}

/// What came of a wish to be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Noted now.
    Now,
    /// It was noted before.
    Before,
    /// Noted for this conversation, but nobody knows where messages would go to.
    HereOnly,
}

/// Somebody, by all that is known of them here.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The customer.
    pub customer: Option<String>,
    /// The conversation; it counts where no customer is known.
    pub session: Option<SessionId>,
    /// An address or a number.
    pub contact: Contact,
}

impl Named {
    /// Every name they go by: their own, and those of their orders, of their earlier words and of what they wait for.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn keys(&self, app: &App) -> anyhow::Result<Vec<String>> {
        let mut keys = self.contact.keys();
        if let Some(customer) = &self.customer {
            for order in app.orders.of_customer(customer).await? {
                keys.extend(contact_of(&order).keys());
            }
        }
        keys.extend(outreach::person(self.customer.as_deref(), self.session));
        for key in keys.clone() {
            for word in app.state.permissions(&key).await? {
                keys.extend(word.contact.keys());
            }
            for wish in app.state.wishes_of(&key).await? {
                keys.extend(wish.contact.keys());
            }
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }
}

/// Keeps a yes or no to topics under every name of somebody; a no to service takes them off the waiting list too. True when
/// something is different now.
///
/// # Errors
/// The store does not answer.
pub async fn keep(app: &App, who: &Named, (topics, word): (&[Topic], &Permission)) -> anyhow::Result<bool> {
    let keys = who.keys(app).await?;
    let mut left = 0;
    if !word.granted && topics.contains(&Topic::Service) {
        for key in &keys {
            left += app.state.unwant(key).await?;
        }
    }
    let of = |person: &String, topic: &Topic| Permission { person: person.clone(), topic: *topic, ..word.clone() };
    let said: Vec<Permission> = keys.iter().flat_map(|key| topics.iter().map(move |topic| of(key, topic))).collect();
    Ok(app.state.permit(&said).await? || left > 0)
}

/// Notes that somebody in the chat wants no messages.
///
/// # Errors
/// The store does not answer.
pub async fn heard(app: &App, who: &Named, now: Timestamp) -> anyhow::Result<Heard> {
    let word = Permission {
        person: String::new(),
        topic: Topic::Marketing,
        granted: false,
        at: now,
        source: "chat".to_string(),
        contact: Contact::default(),
        language: None,
    };
    let somewhere = who.keys(app).await?.iter().any(|key| key.starts_with("email:") || key.starts_with("phone:"));
    let different = keep(app, who, (&[Topic::Marketing, Topic::Service], &word)).await?;
    Ok(match (different, somewhere || who.customer.is_some()) {
        (false, _) => Heard::Before,
        (true, false) => Heard::HereOnly,
        (true, true) => Heard::Now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(topic: Topic, granted: bool) -> Permission {
        Permission {
            person: "customer:C".to_string(),
            topic,
            granted,
            at: Timestamp::UNIX_EPOCH,
            source: "test".to_string(),
            contact: Contact::default(),
            language: None,
        }
    }

    #[test]
    fn a_no_outweighs_every_yes_and_only_service_needs_none() {
        let check = |kind: Kind, words: &[Permission], expected: Result<(), Withdrawn>| {
            assert_eq!(allowed(kind, words), expected, "{kind:?} {words:?}");
        };
        use Topic::{Marketing, Personal, Service};
        for kind in [Kind::AbandonedCart, Kind::WinBack, Kind::ReviewRequest] {
            check(kind, &[], Err(Withdrawn::NoPermission));
            check(kind, &[word(Service, true), word(Personal, true)], Err(Withdrawn::NoPermission));
            check(kind, &[word(Marketing, true)], Ok(()));
            check(kind, &[word(Marketing, true), word(Marketing, false)], Err(Withdrawn::Revoked));
        }
        check(Kind::LateOrder, &[], Ok(()));
        check(Kind::LateOrder, &[word(Marketing, false)], Ok(()));
        check(Kind::LateOrder, &[word(Service, false)], Err(Withdrawn::Revoked));
        check(Kind::Restock, &[word(Marketing, false)], Ok(()));
    }
}
