//! An operation on an order in sentences: proposed, refused, done.

use crate::domain::desk::{Effect, Operation, Payer, Piece, RefusalCode, TaskFact};
use crate::domain::plan::TaskLine;
use crate::domain::{FactBody, FactId, Money, Role, SegmentKind};

use super::Page;
use super::segment::Values;

impl Page<'_> {
    pub(super) fn task(&mut self, id: &FactId, line: TaskLine) {
        let Some(FactBody::Task(task)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        let values = self.task_values(id, task);
        let wish = wish_key(&task.task.operation);
        match line {
            TaskLine::Items => {
                self.say(SegmentKind::Task, "task_items", &values);
                self.pieces(id, &task.pieces);
            }
            TaskLine::Proposal => self.proposal(id, task),
            TaskLine::Changed => self.after("task_changed", (id, task)),
            TaskLine::Expired => self.after("task_expired", (id, task)),
            TaskLine::Unclear => self.after("task_unclear", (id, task)),
            TaskLine::Waiting => self.say(SegmentKind::Task, &format!("task_waiting_{wish}"), &values),
            TaskLine::Withdrawn => self.say(SegmentKind::Task, "task_withdrawn", &values),
            TaskLine::Done => self.done(id, task),
            TaskLine::Refused => {
                let code = task.task.refusal.as_ref().map_or(RefusalCode::NoOrder, |refusal| refusal.code);
                self.say(SegmentKind::Task, &refusal_key(code, wish), &values);
            }
        }
    }

    fn after(&mut self, key: &str, (id, task): (&FactId, &TaskFact)) {
        self.plain(SegmentKind::Task, key);
        self.proposal(id, task);
    }

    fn proposal(&mut self, id: &FactId, task: &TaskFact) {
        let values = self.task_values(id, task);
        let wish = wish_key(&task.task.operation);
        self.say(SegmentKind::Task, &format!("task_{wish}"), &values);
        self.pieces(id, &task.pieces);
        if !task.wanted.is_empty() {
            self.plain(SegmentKind::Task, "task_exchange_for");
            self.pieces(id, &task.wanted);
        }
        if let Some(key) = self.money_key(task, ["task_cancel_refund", "task_return_refund"]) {
            self.say(SegmentKind::Task, key, &values);
        }
        // What the shop pays itself is the clause's to say: a sentence of ours would promise it for every case.
        if task.task.effect.as_ref().is_some_and(|effect| effect.pays == Some(Payer::Customer)) {
            self.plain(SegmentKind::Task, "task_return_customer_pays");
        }
        self.plain(SegmentKind::Task, "task_question");
    }

    fn done(&mut self, id: &FactId, task: &TaskFact) {
        let values = self.task_values(id, task);
        let key = format!("task_done_{}", wish_key(&task.task.operation));
        let mut segment = self.book.sentence(SegmentKind::Task, &key, &values);
        if let Some(key) = self.money_key(task, ["task_cancel_refund", "task_return_refund"]) {
            segment.append(self.book.space(), self.book.sentence(SegmentKind::Task, key, &values));
        }
        self.segments.push(segment);
        if let Some(rma) = &task.rma {
            let values = Values::default().fact("rma", (rma.clone(), id, Role::Tracking));
            self.say(SegmentKind::Task, "task_rma", &values);
        }
        if let Some(label) = &task.label {
            let values = Values::default().fact("link", (label.clone(), id, Role::Link));
            self.say(SegmentKind::Task, "task_label", &values);
        }
    }

    fn pieces(&mut self, id: &FactId, pieces: &[Piece]) {
        for piece in pieces {
            let name = piece.name.get(self.scene.language).to_string();
            let values = Values::default()
                .fact("piece", (name, id, Role::Piece))
                .fact("pieces", (self.book.pieces(piece.quantity), id, Role::Pieces));
            self.say(SegmentKind::Task, "task_piece", &values);
        }
    }

    /// The sentence about the money that moves, when any does.
    fn money_key(&self, task: &TaskFact, [cancel, back]: [&'static str; 2]) -> Option<&'static str> {
        let effect = task.task.effect.as_ref()?;
        match &task.task.operation {
            Operation::CancelOrder { .. } => effect.refund.map(|_| cancel),
            Operation::ReturnItems { .. } => effect.refund.map(|_| back),
            _ => match settled(effect)? {
                (true, _) => Some("task_difference_back"),
                (false, _) => Some("task_difference_due"),
            },
        }
    }

    fn task_values(&self, id: &FactId, fact: &TaskFact) -> Values {
        let mut values = Values::default().fact("order_number", (fact.order.number.clone(), id, Role::OrderNumber));
        if let Some(address) = fact.address() {
            values = values.fact("address", (address.line(), id, Role::Address));
        }
        let year = self.scene.today.year();
        if let Some(day) = fact.day() {
            values = values.fact("promised", (self.book.date(day, year), id, Role::Promised));
        }
        if let Some(first) = fact.first_day {
            values = values.fact("earliest", (self.book.date(first, year), id, Role::Earliest));
        }
        let effect = fact.task.effect.as_ref();
        let swap = effect.filter(|effect| effect.refund.is_none()).and_then(settled);
        let refund = effect.and_then(|effect| effect.refund).or(swap.filter(|(back, _)| *back).map(|(_, money)| money));
        if let Some(refund) = refund {
            values = values.fact("refund", (self.book.money(refund), id, Role::Refund));
        }
        if let Some((false, due)) = swap {
            values = values.fact("due", (self.book.money(due), id, Role::Due));
        }
        values
    }
}

/// Whether the one payment of a swap goes back, and how much it is; none when nothing moves.
fn settled(effect: &Effect) -> Option<(bool, Money)> {
    let [payment] = effect.money.as_slice() else { return None };
    (payment.amount.minor > 0).then_some((payment.refund, payment.amount))
}

fn wish_key(operation: &Operation) -> &'static str {
    match operation {
        Operation::CancelOrder { .. } => "cancel",
        Operation::ReturnItems { .. } => "return",
        Operation::ExchangeItems { .. } | Operation::ChangeItems { .. } => "exchange",
        Operation::ChangeDate { .. } => "date",
        Operation::ChangeAddress { .. } | Operation::ChangePayment { .. } | Operation::ChangeProfile { .. } => {
            "address"
        }
    }
}

fn refusal_key(code: RefusalCode, wish: &str) -> String {
    match code {
        RefusalCode::WrongState => format!("task_no_{wish}"),
        RefusalCode::NoDelivery => "task_no_day".to_string(),
        RefusalCode::PhotoNeeded => "task_no_photo".to_string(),
        RefusalCode::TooLate => "task_no_too_late".to_string(),
        RefusalCode::NotReturnable => "task_no_returnable".to_string(),
        RefusalCode::NotAvailable => "task_no_stock".to_string(),
        RefusalCode::OtherProduct | RefusalCode::SameItem => "task_no_variant".to_string(),
        _ => "task_no_other".to_string(),
    }
}
