//! Moves: what a reply does, over facts. The model or a rule picks them; code renders them.

use serde::{Deserialize, Serialize};

use super::cart::CartNo;
use super::command::Wish;
use super::fact::FactId;
use super::identity::CodeLine;
use super::lead::Purpose;
use super::order::OrderState;
use super::outreach::Kind;
use super::reply::SegmentKind;

/// One move of a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "snake_case")]
pub enum Move {
    /// States products with their prices.
    Offer {
        /// Offers, best first.
        facts: Vec<FactId>,
    },
    /// Says whether and where it is in stock.
    Stock {
        /// Offers of one product.
        facts: Vec<FactId>,
    },
    /// Tells what was asked of products: how loud they are, what they are made of.
    Detail {
        /// Offers that hold the details.
        facts: Vec<FactId>,
    },
    /// Puts two or more side by side.
    Compare {
        /// Offers.
        facts: Vec<FactId>,
    },
    /// Says which of those shown has most of what was asked for, or least where that is wanted.
    Best {
        /// An offer that holds the property as its first detail.
        fact: FactId,
    },
    /// What several pieces cost together.
    Total {
        /// A total.
        fact: FactId,
    },
    /// When and for how much it arrives.
    Deliver {
        /// A delivery.
        fact: FactId,
    },
    /// Quotes a policy with its citation.
    Policy {
        /// A passage.
        fact: FactId,
    },
    /// Offers something close, because the asked-for is not to be had.
    Alternatives {
        /// Offers.
        facts: Vec<FactId>,
    },
    /// Shows what was wished for beside a product at hand: cheaper ones, what goes with it, what is on sale.
    Suggest {
        /// The wish.
        wish: Wish,
        /// Offers, best first.
        facts: Vec<FactId>,
    },
    /// Says what kinds of things the shop sells.
    Range {
        /// The range.
        fact: FactId,
    },
    /// Asks what would narrow a search down.
    Narrow {
        /// The choices.
        fact: FactId,
    },
    /// Says offers in the model's own words; each value is a slot such as `{price1}` that code fills.
    Prose {
        /// What the words do.
        kind: SegmentKind,
        /// The words around the slots.
        text: String,
        /// Of each product, by the number in its slots: the offers meant.
        facts: Vec<Vec<FactId>>,
        /// The same from templates, for words that the guard refuses.
        instead: Box<Move>,
    },
    /// Names what goes with it.
    Upsell {
        /// An offer.
        fact: FactId,
    },
    /// Names what customers often have in one order with it.
    BoughtWith {
        /// An offer.
        fact: FactId,
    },
    /// Tells the state of an order.
    Order {
        /// An order.
        fact: FactId,
    },
    /// Says whether an order can still be called off.
    CancelRule {
        /// An order.
        fact: FactId,
    },
    /// Speaks of an operation on an order.
    Task {
        /// A task.
        fact: FactId,
        /// What to say of it.
        say: TaskLine,
    },
    /// Speaks of a cart, or of the order it becomes.
    Cart {
        /// A cart.
        fact: FactId,
        /// What to say of it.
        say: CartSay,
    },
    /// Asks a menu's question.
    Menu {
        /// A menu.
        fact: FactId,
    },
    /// Says which size was chosen before.
    Recall {
        /// An offer of that size.
        fact: FactId,
    },
    /// Says why a cart stays as it is.
    CartNo {
        /// Why.
        why: CartNo,
    },
    /// Speaks of a contact that is left.
    Consent {
        /// What it is for.
        purpose: Purpose,
        /// What to say of it.
        say: ConsentLine,
    },
    /// Speaks of times that can be booked.
    Booking {
        /// What to say of them.
        say: BookingLine,
    },
    /// Speaks of a one-time code.
    Code {
        /// What to say of it.
        say: CodeLine,
    },
    /// Speaks of a message the shop starts, or of the wish to get none.
    Outreach {
        /// What to say of it.
        say: OutreachLine,
    },
    /// One clarifying question.
    Ask {
        /// What is missing.
        what: Ask,
    },
    /// Says what could not be found, and why.
    NotFound {
        /// Which kind of absence.
        why: Absence,
    },
    /// Hands over to a person.
    Human {
        /// Why.
        reason: HandoverReason,
    },
    /// A courtesy without facts.
    Smalltalk {
        /// Which.
        kind: Courtesy,
    },
}

/// What a clarifying question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Which product.
    Product,
    /// Which size.
    Size,
    /// Which colour.
    Colour,
    /// Which town.
    Town,
    /// The order number.
    OrderNumber,
    /// The phone or e-mail of the order.
    Identity,
    /// A phone number to call back.
    Phone,
    /// A phone number to call back with what could not be confirmed.
    CallBack,
    /// What the question about the rules is.
    Topic,
    /// Which piece of an order.
    Item,
    /// Which size or colour instead.
    Variant,
    /// The whole new address.
    Address,
    /// A phone number or e-mail to be told by.
    Contact,
    /// Where exactly an order goes.
    Destination,
    /// The order number, or the phone or e-mail of the order.
    OrderOrContact,
    /// The code that was sent.
    Code,
    /// The day an order should arrive on.
    Date,
    /// A photo of what is sent back.
    Photo,
    /// The order number, once more: where else it stands, and that a person finds the order without it. Said, never waited for.
    NumberElsewhere,
    /// The phone or e-mail of the order in place of its number. Said, never waited for.
    ContactInstead,
}

/// What is said of an operation on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskLine {
    /// Which pieces there are.
    Items,
    /// What would be done, and whether to do it.
    Proposal,
    /// The same, because the order is no longer what was shown.
    Changed,
    /// The same, because the proposal was not confirmed in time.
    Expired,
    /// The same, because the answer was neither yes nor no.
    Unclear,
    /// That the question is still open.
    Waiting,
    /// That it was done, as read back.
    Done,
    /// That the rules forbid it.
    Refused,
    /// That nothing was changed.
    Withdrawn,
}

/// What is said of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartSay {
    /// That the line was put in, and what lies there now.
    Added,
    /// What lies there now, after a change.
    Changed,
    /// What lies there.
    Shown,
    /// That there are not so many of the line it is about.
    Short,
    /// What would be ordered, and whether to.
    Proposal,
    /// The same, because the cart or a price is no longer what was shown.
    Renewed,
    /// The same, because the proposal was not confirmed in time.
    Expired,
    /// The same, because the answer was neither yes nor no.
    Unclear,
    /// That the order is placed, as read back, and where it is paid.
    Placed,
    /// That nothing was ordered.
    Withdrawn,
    /// Where an order that was placed before is paid.
    Pay,
    /// What the lines cost today, and all of them.
    Today,
    /// What the lines cost today.
    Lines,
    /// That the last order lies there again, at what it costs today.
    Again,
    /// What it would come to with the delivery; nothing is ordered and nothing is in the cart for it.
    WithDelivery,
}

/// What is said of times that can be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingLine {
    /// That somebody else has the chosen one.
    Gone,
    /// That there is none.
    None,
}

/// What is said of a contact that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentLine {
    /// What it would be used for, and whether it may be.
    Question,
    /// That it was passed on.
    Kept,
    /// That nothing of it is kept.
    Declined,
    /// That somebody objected at this address, which only its owner can take back.
    Objected,
}

/// What is said of a message the shop starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutreachLine {
    /// Why it is written.
    Opening(Kind),
    /// What can be done now.
    Closing(Kind),
    /// How to get no more of them.
    Footer,
    /// That nobody will be written to any more.
    Stopped,
    /// That this was noted before.
    StoppedBefore,
    /// That an address is needed to find who it is.
    StoppedHere,
}

/// The typed kinds of "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Nothing like it is sold here.
    NothingFound,
    /// There are such products, but not within the asked size, colour or budget.
    FilteredOut,
    /// The product that was meant is sold, but not in the asked size or colour.
    NoVariant,
    /// The merchant's source does not answer or is too old.
    SourceDown,
    /// Known, but sold out.
    OutOfStock,
    /// Known, but the feed gives no price.
    NoPrice,
    /// Nothing of the kind costs less, costs more, goes with it or is on sale.
    Unfulfilled(Wish),
    /// No passage of the policies answers it.
    NoPolicy,
    /// No delivery to that town.
    NoDelivery,
    /// No such order, or not this customer's: the two look alike on purpose.
    NoOrder,
}

/// Why a person takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoverReason {
    /// The shopper asked.
    Asked,
    /// The shopper is unhappy.
    Complaint,
    /// The shopper is angry.
    Anger,
    /// The message speaks of fraud or the law.
    Fraud,
    /// The assistant was not sure several times in a row.
    Unsure,
    /// The guard let no draft through.
    GuardRejected,
    /// The task needs a person's hands.
    Task,
    /// Something inside failed.
    Failure,
}

/// Sentences without facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Courtesy {
    /// Hello.
    Greeting,
    /// You are welcome.
    Thanks,
    /// Goodbye.
    Goodbye,
    /// What I am and can do.
    WhoAreYou,
    /// What I can do.
    Menu,
    /// All right (an answer to yes).
    Confirmed,
    /// All right (an answer to no).
    Denied,
    /// Not something this shop does.
    OutOfScope,
    /// No, thank you.
    Spam,
    /// I cannot help with that.
    Unsafe,
    /// I am sorry, before what is done about it.
    Sorry,
    /// Card details do not belong into a chat.
    Card,
}

impl OrderState {
    /// True while the order can still be called off by rule.
    pub fn cancellable(self) -> bool {
        matches!(self, OrderState::AwaitingPayment | OrderState::Processing)
    }
}
