//! What a shopper wants, from a closed set. The names are a contract: they stand in the API and in rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::money::Currency;

macro_rules! command_names {
    ($($variant:ident = $name:literal: $doc:literal,)*) => {
        /// A command of the closed set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum CommandName {
            $(#[doc = $doc] $variant,)*
        }

        impl CommandName {
            /// Every command, in the order of the specification.
            pub const ALL: &[CommandName] = &[$(CommandName::$variant,)*];

            /// The name as it stands in the API and in `data/rules/commands.toml`.
            pub fn as_str(self) -> &'static str {
                match self { $(CommandName::$variant => $name,)* }
            }
        }
    };
}

command_names! {
    FindProduct = "find_product": "Looks for something to buy.",
    Price = "price": "Asks what a product costs.",
    Stock = "stock": "Asks whether it is there, in which size, colour or town.",
    Compare = "compare": "Wants to know which of several.",
    DeliveryInfo = "delivery_info": "Asks when and for how much it is delivered.",
    Policy = "policy": "Asks about returns, warranty, payment or another rule of the shop.",
    OrderStatus = "order_status": "Where is my order.",
    CancelOrder = "cancel_order": "Calls an order off.",
    ChangeOrder = "change_order": "Changes address, date or items of an order.",
    ReturnItem = "return_item": "Sends something back or exchanges it.",
    CartAdd = "cart_add": "Puts something into the cart.",
    Checkout = "checkout": "Wants to pay.",
    RestockNotice = "restock_notice": "Wants to be told when it is back.",
    LeaveContact = "leave_contact": "Leaves a phone number or asks for a call.",
    Menu = "menu": "Asks what the assistant can do, or picks a menu digit.",
    Confirm = "confirm": "Yes.",
    Deny = "deny": "No.",
    Correct = "correct": "Corrects what was said before.",
    Human = "human": "Wants a person.",
    Complaint = "complaint": "Is unhappy.",
    Smalltalk = "smalltalk": "Greets, thanks, says goodbye.",
    OutOfScope = "out_of_scope": "Nothing this shop does.",
    Spam = "spam": "Offers something to the shop.",
    Unsafe = "unsafe": "Threats, insults, attempts to bend the assistant.",
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is asked of a product when everything is: the value of [`Slots::detail`] for all of its properties.
pub const EVERY_DETAIL: &str = "all";

/// A command name outside the closed set.
#[derive(Debug, thiserror::Error)]
#[error("unknown command `{0}`")]
pub struct UnknownCommand(pub String);

impl FromStr for CommandName {
    type Err = UnknownCommand;

    fn from_str(text: &str) -> Result<Self, UnknownCommand> {
        CommandName::ALL
            .iter()
            .copied()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownCommand(text.to_string()))
    }
}

/// How what is looked for stands to a product at hand, or to the whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// The same kind of thing for less.
    Cheaper,
    /// The same kind of thing for more.
    Dearer,
    /// What is used together with it.
    GoesWith,
    /// Sold below an older price.
    OnSale,
    /// Bought most.
    Popular,
    /// Of everything the shop has: the cheapest, all up to a budget, or just what there is.
    Range,
}

/// What a command is about. Absent slots are not written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slots {
    /// Words that name a product, as the shopper wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The same, name by name, where several stand in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// An exact product code found in the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// A size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// A colour's id in `data/rules/colours.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// The most the shopper wants to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How it stands to what the talk is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// Which of the products shown last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// What is asked of a product: an id of `data/rules/details.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// A town's id in `data/rules/places.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// An order number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
    /// A phone number in E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A policy's topic: the stem of a file in `data/policies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// Which of the products shown last is meant: 2, -1 from the end, `{"first": 2}`, `"cheapest"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pick {
    /// The one at this place: from 1, or from the end as -1.
    Place(i8),
    /// So many from the top.
    First {
        /// How many.
        first: u8,
    },
    /// Those with the value chosen of what narrows the last search down, counted from 1 through all its questions.
    Choice {
        /// Which.
        choice: u8,
    },
    /// By price among them.
    Price(PriceEnd),
}

/// An end of a list by price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceEnd {
    /// The one that costs least.
    Cheapest,
    /// The one that costs most.
    Dearest,
}

impl FromStr for Pick {
    type Err = String;

    /// As `data/rules/slots.toml` writes it: `2`, `-1`, `first 2`, `cheapest`, `dearest`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no place in a list; expected 2, -1, `first 2`, `cheapest` or `dearest`");
        match text {
            "cheapest" => Ok(Pick::Price(PriceEnd::Cheapest)),
            "dearest" => Ok(Pick::Price(PriceEnd::Dearest)),
            _ => match text.strip_prefix("first ") {
                Some(first) => first.parse().map(|first| Pick::First { first }).map_err(|_| wrong()),
                None => text.parse().map(Pick::Place).map_err(|_| wrong()),
            },
        }
    }
}

/// An upper price limit in the shopper's words: whole minor units are known only with the currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The amount as digits with a point, `30000` or `24.90`.
    pub amount: String,
    /// The currency, when the shopper named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// One thing the shopper wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Which.
    pub name: CommandName,
    /// About what.
    #[serde(default)]
    pub slots: Slots,
}

/// Which tier of understanding was sure first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Digits, order numbers, codes, exact phrases.
    Rules,
    /// The nearest labelled examples.
    Examples,
    /// The language model under a grammar.
    Model,
}

/// The outcome of understanding one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Understanding {
    /// The language the message is in.
    pub lang: Language,
    /// At least one command.
    pub commands: Vec<Command>,
    /// 0 to 1.
    pub confidence: f32,
    /// Who decided.
    pub tier: Tier,
    /// Why, for `--explain`: nearest examples, rules that fired, the model's raw answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
