//! Whose order it is. A foreign order looks exactly like a missing one, and guessing ends: after five wrong proofs within an
//! hour the one who guesses is not heard any more about that order, and after fifty nobody is who has only guesses to offer.

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::Contact;
use crate::domain::order::Order;
use crate::engine::{Orders, Proofs};

/// Wrong proofs of one order within an hour after which its caller is not heard.
const MOST_WRONG: i64 = 5;
/// The same for all callers together: far beyond what slips of the owner and a household come to.
const MOST_WRONG_BY_ALL: i64 = 50;
/// Wrong proofs of one conversation about whatever orders.
const MOST_WRONG_OF_CALLER: i64 = 15;
/// The same of one client: several people may sit behind it.
const MOST_WRONG_OF_CLIENT: i64 = 40;
/// Stands for every order where attempts of somebody are counted.
const ANY: &str = "";

/// What the shopper has proved or claims about who they are.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// A customer whose identity the shop has checked.
    pub customer: Option<String>,
    /// A phone number from this message, E.164.
    pub phone: Option<String>,
    /// An e-mail address from this message.
    pub email: Option<String>,
    /// A contact that was proved with a code.
    pub proved: Option<Contact>,
    /// A contact alone may be proved with a code.
    pub codes: bool,
    /// They say that they do not have what was asked for.
    pub lacks: bool,
    /// Wrong proofs given before in this conversation for this request.
    pub failed: u8,
}

impl Identity {
    /// True when the order is theirs. An order without phone or e-mail cannot be proved by the lack of one.
    pub fn owns(&self, order: &Order) -> bool {
        self.is_customer_of(order) || self.has_proved(order) || self.proves(order)
    }

    /// True when nothing is known about them.
    pub fn is_unknown(&self) -> bool {
        self.customer.is_none() && self.proved.is_none() && !self.claims()
    }

    fn is_customer_of(&self, order: &Order) -> bool {
        self.customer.as_ref().is_some_and(|customer| !customer.is_empty() && *customer == order.customer)
    }

    /// The contact that a code would prove, where nothing better is known.
    pub fn provable(&self) -> Option<Contact> {
        Contact::of(self.phone.as_deref(), self.email.as_deref()).filter(|_| self.codes)
    }

    fn has_proved(&self, order: &Order) -> bool {
        let own = |proved: &Contact| Contact::of_order(&order.phone, &order.email).any(|one| one.key() == proved.key());
        self.proved.as_ref().is_some_and(own)
    }

    fn claims(&self) -> bool {
        self.phone.is_some() || self.email.is_some()
    }

    fn proves(&self, order: &Order) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let same = |mine: String, theirs: String| !theirs.is_empty() && mine == theirs;
        let email = |text: &str| text.trim().to_ascii_lowercase();
        self.phone.as_deref().is_some_and(|phone| same(digits(phone), digits(&order.phone)))
            || self.email.as_deref().is_some_and(|mine| same(email(mine), email(&order.email)))
    }
}

/// Where proofs are looked at.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    /// The orders.
    pub orders: &'a dyn Orders,
    /// The wrong proofs.
    pub proofs: &'a dyn Proofs,
    /// Who asks, as far as one can tell callers apart: a key, an address, a conversation.
    pub caller: &'a str,
    /// The client behind a conversation; empty when clients cannot be told apart.
    pub client: &'a str,
    /// What the shop's numbers begin with: who types the figures alone means an order of the shop.
    pub prefix: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl Door<'_> {
    /// The order with a number, or with its figures.
    async fn find(&self, number: &str) -> anyhow::Result<Option<Order>> {
        let found = self.orders.find(number).await?;
        let figures = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if found.is_some() || !figures || self.prefix.is_empty() {
            return Ok(found);
        }
        self.orders.find(&format!("{}{number}", self.prefix)).await
    }

    /// The order, when it is theirs and the proof was not guessed at too often.
    ///
    /// # Errors
    /// The orders or the proofs cannot be read or written.
    pub async fn owned(&self, who: &Identity, number: &str) -> anyhow::Result<Option<Order>> {
        let found = self.find(number).await?;
        // However it was typed, wrong proofs are counted for one number.
        let number = found.as_ref().map_or(number, |order| &order.number).to_string();
        let number = number.as_str();
        if let Some(order) = found.as_ref().filter(|order| who.is_customer_of(order) || who.has_proved(order)) {
            return Ok(Some(order.clone()));
        }
        if !who.claims() {
            return Ok(None);
        }
        if self.is_guessing(number).await? {
            return Ok(None);
        }
        let owned = found.filter(|order| who.proves(order));
        if owned.is_none() {
            self.note(number).await?;
        }
        Ok(owned)
    }

    async fn is_guessing(&self, number: &str) -> anyhow::Result<bool> {
        let since = self.now - SignedDuration::from_hours(1);
        let here = self.proofs.wrong(number, self.caller, since).await?;
        let anywhere = self.proofs.wrong(ANY, &format!("all:{}", self.caller), since).await?.own;
        let client = match self.client {
            "" => 0,
            client => self.proofs.wrong(ANY, &format!("client:{client}"), since).await?.own,
        };
        Ok(here.own >= MOST_WRONG
            || here.all >= MOST_WRONG_BY_ALL
            || anywhere >= MOST_WRONG_OF_CALLER
            || client >= MOST_WRONG_OF_CLIENT)
    }

    async fn note(&self, number: &str) -> anyhow::Result<()> {
        self.proofs.note(number, self.caller, self.now).await?;
        self.proofs.note(ANY, &format!("all:{}", self.caller), self.now).await?;
        if !self.client.is_empty() {
            self.proofs.note(ANY, &format!("client:{}", self.client), self.now).await?;
        }
        Ok(())
    }
}
