//! The order desk: proposal, confirmation, write, read-back. In: explicit operations of a known customer.
//! Out: tasks. It never says "done" before the written order was read again, and never writes what was not shown.

mod decide;
mod items;
mod money;
#[cfg(test)]
mod tests;

use anyhow::bail;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::desk::{Decision, Effect, Operation, OrderRules, Refusal, RefusalCode, Task, TaskState};
use crate::domain::order::Order;
use crate::domain::{Offer, Product};
use crate::engine::{Applied, Catalog, OrderDesk, Seen, Terms};

use decide::{World, decide};

/// A write that keeps meeting other writes is given up after so many tries.
const TRIES: usize = 4;

/// The desk and what it works with.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Orders, customers, tasks.
    pub book: &'a dyn OrderDesk,
    /// Prices, stock, categories.
    pub catalog: &'a dyn Catalog,
    /// The merchant's rules.
    pub rules: &'a OrderRules,
    /// Which days an order can arrive on.
    pub terms: &'a dyn Terms,
    /// Now.
    pub now: Timestamp,
}

/// A confirmation that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No such task.
    Task,
    /// Not the token of this proposal.
    Token,
}

impl Desk<'_> {
    /// Looks at what an operation would do and keeps it until it is confirmed. Nothing is written to the order.
    ///
    /// # Errors
    /// The book or the catalog does not answer.
    pub async fn propose(&self, customer: &str, operation: Operation) -> anyhow::Result<Task> {
        let (decided, seen) = self.decide(customer, &operation).await?;
        let (effect, refusal) = match decided {
            Ok(decision) => (Some(decision.effect), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let state = if refusal.is_some() { TaskState::Refused } else { TaskState::AwaitingConfirmation };
        let id = Uuid::now_v7().to_string();
        let token = token(&operation, effect.as_ref())?;
        let task = Task {
            id,
            customer: customer.to_string(),
            operation,
            state,
            token,
            effect,
            refusal,
            order_version: seen.order,
            created: self.now,
        };
        self.book.propose(&task).await?;
        Ok(task)
    }

    /// Why an operation would be refused now; none when it would not. Nothing is kept of the question.
    ///
    /// # Errors
    /// The book or the catalog does not answer.
    pub async fn refusal(&self, customer: &str, operation: &Operation) -> anyhow::Result<Option<RefusalCode>> {
        let (decided, _) = self.decide(customer, operation).await?;
        Ok(decided.err().map(|refusal| refusal.code))
    }

    /// A task that is only spoken of: neither decided nor kept.
    pub fn sketch(&self, customer: &str, operation: Operation) -> Task {
        Task {
            id: Uuid::now_v7().to_string(),
            customer: customer.to_string(),
            operation,
            state: TaskState::AwaitingConfirmation,
            token: String::new(),
            effect: None,
            refusal: None,
            order_version: 0,
            created: self.now,
        }
    }

    /// Does what was shown, once: a second confirmation gets the first one's end.
    ///
    /// # Errors
    /// The book does not answer, or does not hold what was written.
    pub async fn confirm(&self, id: &str, token: &str) -> anyhow::Result<Result<Task, Wrong>> {
        for _ in 0..TRIES {
            let Some(task) = self.book.task(id).await? else { return Ok(Err(Wrong::Task)) };
            if task.token != token {
                return Ok(Err(Wrong::Token));
            }
            if task.state != TaskState::AwaitingConfirmation {
                return Ok(Ok(task));
            }
            if let Some(task) = self.attempt(task).await? {
                return Ok(Ok(task));
            }
        }
        bail!("task {id}: its order was written by others {TRIES} times in a row; confirm again")
    }

    /// Ends a proposal that is not wanted; one that was done stays done.
    ///
    /// # Errors
    /// The book does not answer.
    pub async fn withdraw(&self, id: &str, token: &str) -> anyhow::Result<Result<Task, Wrong>> {
        let Some(task) = self.book.task(id).await? else { return Ok(Err(Wrong::Task)) };
        if task.token != token {
            return Ok(Err(Wrong::Token));
        }
        self.book.close(&Task { state: TaskState::Withdrawn, ..task }).await?;
        Ok(self.book.task(id).await?.ok_or(Wrong::Task))
    }

    /// One try at the write; none when it must be tried again.
    async fn attempt(&self, task: Task) -> anyhow::Result<Option<Task>> {
        if self.now.duration_since(task.created) > SignedDuration::from_mins(self.rules.confirm_minutes) {
            return self.refuse(task, RefusalCode::Expired).await;
        }
        let (decided, seen) = self.decide(&task.customer, &task.operation).await?;
        let decision = match decided {
            // The same effect on an order that was written to since is not what was shown.
            Ok(decision) if task.effect.as_ref() == Some(&decision.effect) && task.order_version == seen.order => {
                decision
            }
            Ok(_) => return self.refuse(task, RefusalCode::Changed).await,
            Err(refusal) => return self.refuse_with(task, refusal).await,
        };
        let done = Task { state: TaskState::Done, ..task };
        if self.book.apply(&done, &decision, seen).await? != Applied::Written {
            return Ok(None);
        }
        self.read_back(&decision, seen).await?;
        Ok(Some(done))
    }

    async fn read_back(&self, decision: &Decision, seen: Seen) -> anyhow::Result<()> {
        if let Some(order) = &decision.order {
            let found = self.book.order(&order.number).await?;
            // A later write has a later version; it is that write's business to be right. A carrier may speak at any moment.
            let fits = found.is_some_and(|found| {
                let written = order.clone().with_parcel(found.value.parcel.clone());
                found.version > seen.order + 1 || found.value == written
            });
            anyhow::ensure!(fits, "order {} does not read as it was written", order.number);
        }
        if let Some(customer) = &decision.customer {
            let found = self.book.customer(&customer.id).await?;
            let fits = found.version > seen.customer + 1 || found.value == *customer;
            anyhow::ensure!(fits, "customer {} does not read as written", customer.id);
        }
        Ok(())
    }

    async fn refuse(&self, task: Task, code: RefusalCode) -> anyhow::Result<Option<Task>> {
        let clause = task.effect.as_ref().map(|effect| effect.clause.clone()).unwrap_or_default();
        self.refuse_with(task, Refusal { code, clause, version: self.rules.version.clone() }).await
    }

    async fn refuse_with(&self, task: Task, refusal: Refusal) -> anyhow::Result<Option<Task>> {
        let task = Task { state: TaskState::Refused, effect: None, refusal: Some(refusal), ..task };
        Ok(self.book.close(&task).await?.then_some(task))
    }

    async fn decide(&self, customer: &str, operation: &Operation) -> anyhow::Result<(Result<Decision, Refusal>, Seen)> {
        let order = match operation.order() {
            Some(number) => {
                self.book.order(number).await?.filter(|order| !customer.is_empty() && order.value.customer == customer)
            }
            None => None,
        };
        let customer = self.book.customer(customer).await?;
        let seen = Seen { order: order.as_ref().map_or(0, |order| order.version), customer: customer.version };
        let (products, offers) = match &order {
            Some(order) => self.goods(operation, order.value.currency).await?,
            None => (Vec::new(), Vec::new()),
        };
        let days = order.as_ref().map(|order| self.days(&order.value)).unwrap_or_default();
        let country = order.as_ref().and_then(|order| self.terms.country(&order.value.place));
        let world = World {
            days,
            country,
            order: order.map(|order| order.value),
            customer: customer.value,
            products,
            offers,
            rules: self.rules,
            now: self.now,
        };
        Ok((decide(operation, &world), seen))
    }

    /// The days to which the arrival of an order can be moved, the first of them first.
    pub fn days(&self, order: &Order) -> Vec<Date> {
        let Some(ahead) = self.rules.change.days else { return Vec::new() };
        let Some(first) = self.terms.first_day(&order.place, order.currency, self.now) else { return Vec::new() };
        let days = first.series(1.day()).take(usize::from(ahead) + 1);
        days.filter(|day| self.terms.delivers_on(*day)).collect()
    }

    /// The products the operation names, with all their variants.
    async fn goods(
        &self,
        operation: &Operation,
        currency: crate::domain::Currency,
    ) -> anyhow::Result<(Vec<Product>, Vec<Offer>)> {
        let mut ids = Vec::new();
        for sku in operation.skus() {
            if let Some((id, _)) = self.catalog.by_code(&sku.0).await?
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        Ok((self.catalog.products(&ids).await?, self.catalog.offers(&ids, currency).await?))
    }
}

/// Stands for one proposal and what it was shown to do; nobody else can guess it.
fn token(operation: &Operation, effect: Option<&Effect>) -> anyhow::Result<String> {
    let shown = serde_json::to_string(&(Uuid::now_v7(), Uuid::now_v7(), operation, effect))?;
    Ok(hex::encode(&Sha256::digest(shown)[..16]))
}
