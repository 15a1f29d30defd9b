//! A conversation: its id and what is remembered between messages.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cart::{CheckoutTalk, Held};
use super::command::{Command, Pick, Slots};
use super::desk::Talk;
use super::identity::Login;
use super::language::Language;
use super::lead::Consent;
use super::menu::MenuTalk;
use super::narrowing::Narrowing;
use super::plan::Ask;
use super::product::{ProductId, Sku};

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id that sorts by time.
            pub fn fresh() -> Self {
                $name(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

uuid_id!(
    /// A conversation's id.
    SessionId
);
uuid_id!(
    /// A turn's id.
    TurnId
);

/// What a conversation remembers. Messages themselves live in the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The customer whose identity the shop has checked.
    pub customer: Option<String>,
    /// What else is known of who they are.
    #[serde(skip_serializing_if = "is_nobody")]
    pub login: Login,
    /// The language of the last message.
    pub language: Language,
    /// Messages answered so far.
    pub turns: u32,
    /// Products shown in the last reply that showed any, in that order.
    pub focus: Vec<ProductId>,
    /// Products that replies were about of late, each alone or in a list as short as one can speak of, the last one last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spoken_of: Vec<Spoken>,
    /// What the last sum was of, until something else is spoken of: "put both in the cart", "let's order".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub summed: Vec<Summand>,
    /// The last list of several: who looks closer at one of them may still ask for "the last one".
    pub listed: Vec<ProductId>,
    /// Products that were put forward unasked: once is enough.
    pub pushed: Vec<ProductId>,
    /// What would narrow the last search down, the question that was asked first: any of the choices may be named next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub narrowing: Vec<Narrowing>,
    /// What was asked to narrow searches down: nothing is asked of the same kind of goods twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<String>,
    /// The document of the rules told last: "and who pays for that?" goes on with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The town named last.
    pub town: Option<String>,
    /// A command that waits for the answer to a clarifying question.
    pub pending: Option<Pending>,
    /// Commands about other orders that wait for the same answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Command>,
    /// An operation on an order that is being arranged.
    pub talk: Option<Talk>,
    /// A contact that waits for a yes.
    pub consent: Option<Consent>,
    /// A menu that waits for a choice.
    pub menu: Option<MenuTalk>,
    /// An order that waits for a yes.
    pub checkout: Option<CheckoutTalk>,
    /// What was put into the cart or counted anew there last, until something else is spoken of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_hand: Option<Sku>,
    /// The product question answered last, for messages that only add to it.
    pub last: Option<Command>,
    /// A person was called to it, so a person may have it now.
    pub handed_over: bool,
    /// Complaints so far.
    pub complaints: u8,
    /// Messages in a row that nobody was sure about.
    pub unsure: u8,
    /// The last few messages, masked: the model's memory.
    pub recent: Vec<Exchange>,
}

/// A line of a sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summand {
    /// What, and how many.
    pub held: Held,
    /// Its variant was named, or there is no other: it can be put into a cart.
    pub chosen: bool,
    /// It lies in the cart.
    pub in_cart: bool,
}

impl Summand {
    /// The same line, so many of it.
    pub fn of(mut self, quantity: u32) -> Self {
        self.held.quantity = quantity;
        self
    }
}

/// A product that was spoken of, and in which size and colour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// Which.
    pub product: ProductId,
    /// The size that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The colour that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

fn is_nobody(login: &Login) -> bool {
    *login == Login::default()
}

/// So many products spoken of are remembered.
const SPOKEN: usize = 8;
/// A longer list is looked through, not spoken of.
const SHORT_LIST: usize = 2;

impl Session {
    /// Notes what a reply was about; a size or colour is that of the only one. What was said of it before stands until something else is.
    pub fn speaks_of(&mut self, products: &[ProductId], size: Option<&str>, colour: Option<&str>) {
        if products.len() > SHORT_LIST {
            return;
        }
        let alone = products.len() == 1;
        let note = |product: &ProductId| {
            let before = self.remembered(product);
            let said = |now: Option<&str>, before: Option<String>| now.filter(|_| alone).map(str::to_string).or(before);
            Spoken {
                product: product.clone(),
                size: said(size, before.and_then(|one| one.size.clone())),
                colour: said(colour, before.and_then(|one| one.colour.clone())),
            }
        };
        let notes: Vec<Spoken> = products.iter().map(note).collect();
        self.spoken_of.retain(|known| !products.contains(&known.product));
        self.spoken_of.extend(notes);
        let surplus = self.spoken_of.len().saturating_sub(SPOKEN);
        self.spoken_of.drain(..surplus);
    }

    /// What is remembered of a product, where it was spoken of.
    pub fn remembered(&self, product: &ProductId) -> Option<&Spoken> {
        self.spoken_of.iter().find(|known| known.product == *product)
    }

    /// What "both of them" means: the things shown, or the one shown and the one spoken of before it.
    pub fn spoken_last(&self, shown: &[ProductId]) -> Vec<ProductId> {
        let [only] = shown else { return shown.to_vec() };
        let before = self.spoken_of.iter().rev().map(|known| &known.product).find(|known| *known != only);
        before.into_iter().chain([only]).cloned().collect()
    }

    /// The customer, while their token holds.
    pub fn customer_at(&self, now: Timestamp) -> Option<&str> {
        let over = self.login.until.is_some_and(|until| until <= now);
        self.customer.as_deref().filter(|_| !over)
    }

    /// The list that places are counted in: the last one of several, while the talk is about one of those.
    fn list(&self) -> &[ProductId] {
        match self.focus.as_slice() {
            [only] if self.listed.contains(only) => &self.listed,
            focus => focus,
        }
    }

    /// False when a command points at a place where nothing was shown: "the second one" of one.
    pub fn shows(&self, slots: &Slots) -> bool {
        let beyond = |place: i8| usize::from(place.unsigned_abs()) > self.list().len();
        match slots.pick {
            Some(Pick::Place(place)) => place != 0 && !beyond(place),
            Some(Pick::First { .. } | Pick::Price(_)) => !self.focus.is_empty(),
            Some(Pick::Choice { .. }) => !self.narrowing.is_empty(),
            None => true,
        }
    }

    /// The products that a command points at among those shown last: "the second one", or all of them.
    pub fn pointed(&self, slots: &Slots) -> &[ProductId] {
        let list = self.list();
        let shown = match slots.pick {
            Some(Pick::Place(place @ 1..)) => usize::try_from(place - 1).ok().and_then(|at| list.get(at..=at)),
            Some(Pick::Place(place)) => {
                let at = list.len().checked_sub(usize::from(place.unsigned_abs()));
                at.and_then(|at| list.get(at..=at))
            }
            Some(Pick::First { first }) => list.get(..usize::from(first)),
            Some(Pick::Choice { choice }) => {
                let choices = self.narrowing.iter().flat_map(|narrowing| &narrowing.choices);
                let mut before = choices.skip(usize::from(choice.saturating_sub(1)));
                before.next().map(|choice| choice.products.as_slice())
            }
            // What they cost now is for retrieval to see.
            Some(Pick::Price(_)) | None => None,
        };
        shown.unwrap_or(&self.focus)
    }
}

/// One message and its reply, masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What the shopper wrote.
    pub message: String,
    /// What was answered.
    pub reply: String,
}

/// A command waiting for a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The command so far.
    pub command: Command,
    /// What was asked.
    pub asked: Ask,
    /// Wrong answers so far.
    #[serde(default)]
    pub failed: u8,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            id: SessionId::fresh(),
            customer: None,
            login: Login::default(),
            language: Language::En,
            turns: 0,
            focus: Vec::new(),
            listed: Vec::new(),
            spoken_of: Vec::new(),
            summed: Vec::new(),
            pushed: Vec::new(),
            narrowing: Vec::new(),
            narrowed: Vec::new(),
            rules: None,
            town: None,
            pending: None,
            waiting: Vec::new(),
            talk: None,
            consent: None,
            menu: None,
            checkout: None,
            in_hand: None,
            last: None,
            handed_over: false,
            complaints: 0,
            unsure: 0,
            recent: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_the_two_spoken_of_last() {
        let id = |name: &str| ProductId::from(name);
        let mut session = Session::default();
        assert_eq!(session.spoken_last(&[id("a")]), [id("a")], "nothing was spoken of before");
        for shown in [vec![id("a")], vec![id("b"), id("c"), id("d")], vec![id("e")], vec![id("a")]] {
            session.speaks_of(&shown, None, None);
        }
        let spoken: Vec<ProductId> = session.spoken_of.iter().map(|known| known.product.clone()).collect();
        assert_eq!(spoken, [id("e"), id("a")], "a list is looked through, not spoken of");
        assert_eq!(session.spoken_last(&[id("a")]), [id("e"), id("a")]);
        assert_eq!(session.spoken_last(&[id("b"), id("c")]), [id("b"), id("c")], "two that are shown are both");
        (0..20).for_each(|at| session.speaks_of(&[id(&at.to_string())], None, None));
        assert_eq!(session.spoken_of.len(), SPOKEN);
    }

    #[test]
    fn the_size_and_colour_of_what_was_spoken_of_stand_until_others_are_named() {
        let id = |name: &str| ProductId::from(name);
        let mut session = Session::default();
        let mut check =
            |shown: &[&str], (size, colour): (Option<&str>, Option<&str>), expected: (Option<&str>, Option<&str>)| {
                let shown: Vec<ProductId> = shown.iter().map(|name| id(name)).collect();
                session.speaks_of(&shown, size, colour);
                let known = session.remembered(&shown[0]).unwrap();
                assert_eq!((known.size.as_deref(), known.colour.as_deref()), expected, "{shown:?}");
            };
        check(&["boots"], (Some("43"), None), (Some("43"), None));
        check(&["boots"], (None, Some("brown")), (Some("43"), Some("brown")));
        check(&["socks"], (None, None), (None, None));
        check(&["socks", "boots"], (Some("39-41"), None), (None, None));
        check(&["boots"], (Some("44"), None), (Some("44"), Some("brown")));
    }

    #[test]
    fn a_place_in_the_list_points_at_one_product() {
        let session = Session { focus: ["a", "b", "c"].map(ProductId::from).into(), ..Session::default() };
        let shows = |pick: Option<&str>, expected: bool| {
            let slots = Slots { pick: pick.map(|pick| pick.parse().unwrap()), ..Slots::default() };
            assert_eq!(session.shows(&slots), expected, "{pick:?}");
        };
        shows(None, true);
        shows(Some("3"), true);
        shows(Some("-3"), true);
        shows(Some("4"), false);
        shows(Some("first 4"), true);
        shows(Some("cheapest"), true);
        let check = |pick: Option<&str>, expected: &[&str]| {
            let slots = Slots { pick: pick.map(|pick| pick.parse().unwrap()), ..Slots::default() };
            let got: Vec<&str> = session.pointed(&slots).iter().map(|id| id.0.as_str()).collect();
            assert_eq!(got, expected, "{pick:?}");
        };
        check(Some("2"), &["b"]);
        check(Some("-1"), &["c"]);
        check(None, &["a", "b", "c"]);
        check(Some("9"), &["a", "b", "c"]);
        check(Some("-9"), &["a", "b", "c"]);
        check(Some("0"), &["a", "b", "c"]);
        check(Some("first 2"), &["a", "b"]);
        check(Some("first 4"), &["a", "b", "c"]);
        check(Some("cheapest"), &["a", "b", "c"]);
    }

    #[test]
    fn a_list_stays_while_one_of_it_is_looked_at() {
        let check = |focus: &[&str], pick: &str, expected: &[&str]| {
            let ids = |all: &[&str]| all.iter().map(|id| ProductId::from(*id)).collect::<Vec<_>>();
            let session = Session { focus: ids(focus), listed: ids(&["a", "b", "c"]), ..Session::default() };
            let slots = Slots { pick: Some(pick.parse().unwrap()), ..Slots::default() };
            let got: Vec<&str> = session.pointed(&slots).iter().map(|id| id.0.as_str()).collect();
            assert_eq!(got, expected, "{pick} beside {focus:?}");
        };
        check(&["b"], "-1", &["c"]);
        check(&["b"], "1", &["a"]);
        check(&["x"], "1", &["x"]);
        check(&["x", "y"], "2", &["y"]);
    }
}
