//! The order desk in a conversation: what is still missing is asked for, the proposal is shown, yes or no ends it. In: a wish or
//! an answer, and what is known so far. Out: what to say, and what is known now. It writes through the desk alone, and only on
//! the token of the very proposal that was shown.

pub(super) mod address;
pub(super) mod pieces;
mod said;

use anyhow::Context;
use jiff::SignedDuration;
use jiff::civil::Date;

use crate::domain::desk::{Operation, RefusalCode, ReturnReason, Shown, Slip, Talk, Task, TaskFact, TaskState, Wish};
use crate::domain::order::{Order, means_number};
use crate::domain::photo;
use crate::domain::plan::{Ask, TaskLine};
use crate::domain::{Command, Fact, FactBody, FactId, Localised, Move, Sku};

use super::desk::Desk;
use super::identity::{Door, Identity};
use super::{Outcome, order};
use said::{
    MOST_FAILED, again, ask, command_of, dropped, gave_up, is_final, no_order, on_another_day, other_way, shown,
    unproved,
};

/// Times an open question is repeated after something else was asked.
const MOST_REMINDED: u8 = 2;

/// What the desk works with in a conversation.
#[derive(Clone, Copy)]
pub struct Counter<'a> {
    /// The desk.
    pub desk: Desk<'a>,
    /// Where proofs are looked at.
    pub door: Door<'a>,
    /// A colour's name per language.
    pub colour: &'a (dyn Fn(&str) -> Localised + Sync),
}

/// A wish as it was said, or more about one.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The command with its slots.
    pub command: &'a Command,
    /// What is wanted.
    pub wish: Wish,
    /// The message with personal data in place.
    pub text: &'a str,
    /// True when every piece is meant.
    pub all: bool,
    /// The part of it that says what is kept; empty where nothing is.
    pub kept: &'a str,
    /// The names of the town in the message.
    pub town: &'a Localised,
    /// It says that something is broken or not what was ordered.
    pub defective: bool,
    /// The day it names.
    pub day: Option<Date>,
    /// Photos that came since one was asked for.
    pub photos: &'a [String],
    /// Who says it.
    pub who: &'a Identity,
}

/// Either what is needed, or what to say because it is missing.
type Step<T> = Result<T, Box<Outcome>>;

impl Counter<'_> {
    /// Goes as far as can be gone: to the next question, a refusal, or the proposal.
    ///
    /// # Errors
    /// Orders, tasks or the catalog cannot be read or written.
    pub async fn wish(&self, said: &Said<'_>, before: Option<Talk>) -> anyhow::Result<Outcome> {
        let mut talk = self.begun(said, before).await?;
        let order = match self.order(said, &mut talk).await? {
            Ok(order) => order,
            Err(outcome) => return Ok(*outcome),
        };
        match self.operation(said, &mut talk, &order).await? {
            Ok(operation) => match self.wants_photo(said, &mut talk, &operation).await? {
                Some(asked) => Ok(asked),
                None => self.propose(talk, operation, TaskLine::Proposal).await,
            },
            Err(outcome) => Ok(*outcome),
        }
    }

    /// Asks for a photo where nothing but one is missing. Who has none is refused by the rule, and a person is called.
    async fn wants_photo(
        &self,
        said: &Said<'_>,
        talk: &mut Talk,
        operation: &Operation,
    ) -> anyhow::Result<Option<Outcome>> {
        if talk.wish != Wish::Return || !talk.photos.is_empty() || said.who.lacks {
            return Ok(None);
        }
        let customer = talk.customer.clone().unwrap_or_default();
        if self.desk.refusal(&customer, operation).await? != Some(RefusalCode::PhotoNeeded) {
            return Ok(None);
        }
        talk.photo_since.get_or_insert(self.desk.now);
        Ok(Some(again(said.command, Ask::Photo, talk.clone())))
    }

    /// Does what was shown.
    ///
    /// # Errors
    /// The desk cannot say whether it is done; the same answer may be given again.
    pub async fn yes(&self, talk: Talk) -> anyhow::Result<Outcome> {
        let Some(Shown { task, token }) = talk.shown.clone() else { return Ok(dropped()) };
        let Ok(task) = self.desk.confirm(&task, &token).await? else { return Ok(dropped()) };
        let code = task.refusal.as_ref().map(|refusal| refusal.code);
        match (task.state, code) {
            (TaskState::Done, _) => self.ended(task, TaskLine::Done).await,
            (TaskState::Refused, Some(RefusalCode::Changed)) => {
                self.propose(talk, task.operation, TaskLine::Changed).await
            }
            (TaskState::Refused, Some(RefusalCode::Expired)) => {
                self.propose(talk, task.operation, TaskLine::Expired).await
            }
            (TaskState::Refused, _) => self.refused(task).await,
            _ => self.ended(task, TaskLine::Withdrawn).await,
        }
    }

    /// Leaves everything as it is.
    ///
    /// # Errors
    /// The desk does not answer.
    pub async fn no(&self, talk: Talk) -> anyhow::Result<Outcome> {
        let Some(Shown { task, token }) = talk.shown else { return Ok(dropped()) };
        let Ok(task) = self.desk.withdraw(&task, &token).await? else { return Ok(dropped()) };
        // A proposal that was done before stays done, and that is said.
        let line = if task.state == TaskState::Done { TaskLine::Done } else { TaskLine::Withdrawn };
        self.ended(task, line).await
    }

    /// Shows the proposal again because the answer was neither yes nor no.
    ///
    /// # Errors
    /// The task cannot be read.
    pub async fn unclear(&self, mut talk: Talk) -> anyhow::Result<Outcome> {
        talk.failed = talk.failed.saturating_add(1);
        if talk.failed >= MOST_FAILED {
            return Ok(gave_up());
        }
        let line = TaskLine::Unclear;
        Ok(self.open_proposal(&talk).await?.map_or_else(dropped, |fact| shown(fact, line, talk)))
    }

    /// Keeps an open question alive after something else was answered; nothing when it is over.
    ///
    /// # Errors
    /// The task cannot be read.
    pub async fn remind(&self, mut talk: Talk) -> anyhow::Result<Option<Outcome>> {
        if self.is_over(&talk) {
            return Ok(None);
        }
        talk.reminded = talk.reminded.saturating_add(1);
        if let Some(asked) = talk.asked {
            let mut outcome = ask(&Command { name: command_of(talk.wish), slots: Default::default() }, asked, talk);
            outcome.moves.retain(|_| outcome.talk.as_ref().is_some_and(|talk| talk.reminded <= MOST_REMINDED));
            return Ok(Some(outcome));
        }
        let Some(fact) = self.open_proposal(&talk).await? else { return Ok(None) };
        let mut outcome = shown(fact, TaskLine::Waiting, talk);
        if outcome.talk.as_ref().is_some_and(|talk| talk.reminded > MOST_REMINDED) {
            outcome.moves.clear();
        }
        Ok(Some(outcome))
    }

    /// True when nobody waits for an answer any more.
    pub fn is_over(&self, talk: &Talk) -> bool {
        self.desk.now.duration_since(talk.at) > SignedDuration::from_mins(self.desk.rules.confirm_minutes)
    }

    /// The talk that goes on, or a new one; a proposal that is left behind is withdrawn.
    async fn begun(&self, said: &Said<'_>, before: Option<Talk>) -> anyhow::Result<Talk> {
        let number = said.command.slots.order_number.as_deref();
        let same_order = |talk: &Talk| {
            number.is_none_or(|number| talk.order.as_deref().is_none_or(|known| means_number(number, known)))
        };
        let goes_on =
            before.as_ref().is_some_and(|talk| talk.wish == said.wish && same_order(talk) && !self.is_over(talk));
        let mut talk = match before {
            Some(talk) if goes_on => talk,
            Some(Talk { shown: Some(Shown { task, token }), .. }) => {
                // It may have ended already; then there is nothing to withdraw.
                let _ = self.desk.withdraw(&task, &token).await?;
                Talk::new(said.wish, self.desk.now)
            }
            _ => Talk::new(said.wish, self.desk.now),
        };
        talk.defective |= said.defective;
        talk.photos
            .extend(said.photos.iter().filter(|photo| !talk.photos.contains(photo)).cloned().collect::<Vec<_>>());
        (talk.at, talk.reminded) = (self.desk.now, 0);
        if talk.customer.is_none() {
            talk.order = number.map(str::to_string).or(talk.order);
        }
        Ok(talk)
    }

    /// The order, once its owner is proved.
    async fn order(&self, said: &Said<'_>, talk: &mut Talk) -> anyhow::Result<Step<Order>> {
        if let (Some(_), Some(number)) = (&talk.customer, &talk.order) {
            let found = self.desk.book.order(number).await?;
            return Ok(found.map(|order| order.value).ok_or_else(|| Box::new(no_order())));
        }
        let found = match (&talk.order, &said.who.customer) {
            (None, None) => match (&said.who.proved, said.who.provable()) {
                (Some(contact), _) => self.likeliest(self.door.orders.of_contact(contact).await?, talk.wish),
                (None, Some(contact)) => {
                    let asked = ask(said.command, Ask::Code, talk.clone());
                    return Ok(Err(Box::new(Outcome { unproved: Some(contact), ..asked })));
                }
                (None, None) if said.who.lacks => return Ok(Err(Box::new(other_way(said, talk.clone())))),
                (None, None) => {
                    let what = if said.who.codes { Ask::OrderOrContact } else { Ask::OrderNumber };
                    return Ok(Err(Box::new(ask(said.command, what, talk.clone()))));
                }
            },
            (None, Some(customer)) => self.likeliest(self.door.orders.of_customer(customer).await?, talk.wish),
            (Some(_), _) if said.who.is_unknown() && said.who.lacks => return Ok(Err(Box::new(gave_up()))),
            (Some(_), _) if said.who.is_unknown() => {
                return Ok(Err(Box::new(ask(said.command, Ask::Identity, talk.clone()))));
            }
            (Some(number), _) => self.door.owned(said.who, number).await?,
        };
        let Some(order) = found else { return Ok(Err(Box::new(unproved(said, talk.clone())))) };
        (talk.order, talk.customer) = (Some(order.number.clone()), Some(order.customer.clone()));
        talk.failed = 0;
        Ok(Ok(order))
    }

    /// The newest order of somebody known with which this can be done, else the newest.
    fn likeliest(&self, orders: Vec<Order>, wish: Wish) -> Option<Order> {
        let fits = orders.iter().position(|order| self.is_possible(order, wish));
        orders.into_iter().nth(fits.unwrap_or(0))
    }

    fn is_possible(&self, order: &Order, wish: Wish) -> bool {
        let rules = self.desk.rules;
        let states = match wish {
            Wish::Cancel => &rules.cancel.states,
            Wish::Return => &rules.r#return.states,
            Wish::Exchange => &rules.exchange.states,
            Wish::Date if rules.change.days.is_none() => return false,
            Wish::Address | Wish::Date => &rules.change.states,
        };
        states.contains(&order.state)
    }

    /// The operation, once nothing is missing. What the order's state rules out is not asked about.
    async fn operation(&self, said: &Said<'_>, talk: &mut Talk, order: &Order) -> anyhow::Result<Step<Operation>> {
        let (number, possible) = (order.number.clone(), self.is_possible(order, talk.wish));
        if possible && matches!(talk.wish, Wish::Return | Wish::Exchange) && talk.items.is_empty() {
            talk.items = self.named_items(said, talk, order).await?;
            if talk.items.is_empty() {
                return Ok(Err(Box::new(self.ask_item(said, talk.clone(), order).await?)));
            }
        }
        if possible && talk.wish == Wish::Exchange && talk.wanted.is_empty() {
            match self.wanted(said, &talk.items).await? {
                Some(wanted) => talk.wanted = wanted,
                None => return Ok(Err(Box::new(again(said.command, Ask::Variant, talk.clone())))),
            }
        }
        if possible && talk.wish == Wish::Address && talk.address.is_none() {
            let answered = talk.asked == Some(Ask::Address);
            talk.address = address::parse(said.text, said.town).filter(|_| answered);
            if talk.address.is_none() {
                return Ok(Err(Box::new(again(said.command, Ask::Address, talk.clone()))));
            }
        }
        if talk.wish == Wish::Date {
            talk.day = said.day.or(talk.day);
        }
        let Some(day) = talk.day.or((talk.wish != Wish::Date || !possible).then_some(order.placed)) else {
            return Ok(Err(Box::new(again(said.command, Ask::Date, talk.clone()))));
        };
        let (items, wanted) = (talk.items.clone(), talk.wanted.clone());
        Ok(Ok(match talk.wish {
            Wish::Cancel => Operation::CancelOrder { order: number, reason: "asked in the chat".to_string() },
            Wish::Return => {
                let reason = if talk.defective { ReturnReason::Defective } else { ReturnReason::ChangedMind };
                let photos = talk.photos.iter().map(|id| photo::address(id)).collect();
                Operation::ReturnItems { order: number, items, method: None, reason, photos }
            }
            Wish::Exchange => Operation::ExchangeItems { order: number, items, wanted, method: None },
            Wish::Date => Operation::ChangeDate { order: number, day },
            Wish::Address => {
                let address = talk.address.clone().unwrap_or_else(address::empty);
                Operation::ChangeAddress { order: number, address }
            }
        }))
    }

    async fn ask_item(&self, said: &Said<'_>, talk: Talk, order: &Order) -> anyhow::Result<Outcome> {
        let items: Vec<Sku> = pieces::all(order);
        let reason = ReturnReason::ChangedMind;
        let number = order.number.clone();
        let operation = Operation::ReturnItems { order: number, items, method: None, reason, photos: Vec::new() };
        let customer = talk.customer.clone().unwrap_or_default();
        let fact = self.fact(self.desk.sketch(&customer, operation), order.clone()).await?;
        let mut outcome = again(said.command, Ask::Item, talk);
        if outcome.talk.is_some() {
            outcome.moves.insert(0, Move::Task { fact: fact.id.clone(), say: TaskLine::Items });
            outcome.facts.push(fact);
        }
        Ok(outcome)
    }

    async fn propose(&self, mut talk: Talk, operation: Operation, line: TaskLine) -> anyhow::Result<Outcome> {
        let customer = talk.customer.clone().unwrap_or_default();
        let task = self.desk.propose(&customer, operation).await?;
        if task.state == TaskState::Refused {
            let another_day = task.refusal.as_ref().is_some_and(|refusal| refusal.code == RefusalCode::NoDelivery);
            let outcome = self.refused(task).await?;
            return Ok(if another_day { on_another_day(outcome, talk) } else { outcome });
        }
        talk.shown = Some(Shown { task: task.id.clone(), token: task.token.clone() });
        (talk.asked, talk.failed, talk.at) = (None, 0, self.desk.now);
        let order = self.read(&task).await?.context("the order of a fresh proposal is gone")?;
        Ok(shown(self.fact(task, order).await?, line, talk))
    }

    async fn refused(&self, task: Task) -> anyhow::Result<Outcome> {
        let Some(refusal) = task.refusal.clone().filter(|refusal| refusal.code != RefusalCode::NoOrder) else {
            return Ok(no_order());
        };
        let Some(order) = self.read(&task).await? else { return Ok(no_order()) };
        let fact = self.fact(task, order.clone()).await?;
        let mut outcome = Outcome { clause: Some(refusal.clause.clone()), ..Outcome::default() };
        if refusal.code == RefusalCode::WrongState {
            let order = order::fact(order, self.desk.now);
            outcome.moves.push(Move::Order { fact: order.id.clone() });
            outcome.facts.push(order);
        }
        outcome.moves.push(Move::Task { fact: fact.id.clone(), say: TaskLine::Refused });
        outcome.facts.push(fact);
        outcome.person = !is_final(refusal.code);
        Ok(outcome)
    }

    async fn ended(&self, task: Task, line: TaskLine) -> anyhow::Result<Outcome> {
        // The order is read once more: what is said is what stands there.
        let order = self.read(&task).await?.context("the order of an ended task is gone")?;
        let fact = self.fact(task, order).await?;
        Ok(Outcome {
            moves: vec![Move::Task { fact: fact.id.clone(), say: line }],
            facts: vec![fact],
            ..Outcome::default()
        })
    }

    async fn open_proposal(&self, talk: &Talk) -> anyhow::Result<Option<Fact>> {
        let Some(Shown { task, .. }) = &talk.shown else { return Ok(None) };
        let Some(task) = self.desk.book.task(task).await? else { return Ok(None) };
        if task.state != TaskState::AwaitingConfirmation {
            return Ok(None);
        }
        let Some(order) = self.read(&task).await? else { return Ok(None) };
        Ok(Some(self.fact(task, order).await?))
    }

    async fn read(&self, task: &Task) -> anyhow::Result<Option<Order>> {
        let Some(number) = task.operation.order() else { return Ok(None) };
        Ok(self.desk.book.order(number).await?.map(|order| order.value))
    }

    /// The number of the parcel that comes back, once that is written.
    async fn slip(&self, task: &Task) -> anyhow::Result<Option<Slip>> {
        match (&task.state, &task.operation) {
            (TaskState::Done, Operation::ReturnItems { order, .. } | Operation::ExchangeItems { order, .. }) => {
                self.desk.book.slip(order).await
            }
            _ => Ok(None),
        }
    }

    async fn fact(&self, task: Task, order: Order) -> anyhow::Result<Fact> {
        let (pieces, wanted) = self.pieces_of(&task.operation, &order).await?;
        let id = FactId(format!("task:{}", task.id));
        // Facts go into the audit; what confirms a proposal does not.
        let task = Task { token: String::new(), ..task };
        let source = format!("orders@{}", task.order_version);
        let slip = self.slip(&task).await?;
        let rma = slip.as_ref().map(|slip| slip.rma.clone());
        let label = slip.and_then(|slip| slip.link(self.desk.rules.label.as_ref()?));
        let moved = matches!(task.operation, Operation::ChangeDate { .. });
        let first_day = moved.then(|| self.desk.days(&order).first().copied()).flatten();
        let body = FactBody::Task(Box::new(TaskFact { task, order, pieces, wanted, rma, label, first_day }));
        Ok(Fact { id, body, source, as_of: self.desk.now })
    }
}
