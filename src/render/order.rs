//! An order's state in sentences.

use crate::domain::order::{Order, OrderState};
use crate::domain::{FactBody, FactId, Money, Role, SegmentKind};

use super::Page;
use super::segment::Values;

impl Page<'_> {
    pub(super) fn order(&mut self, id: &FactId) {
        let Some(fact) = self.scene.fact(id) else { return };
        let FactBody::Order(order) = &fact.body else { return };
        let values = self.order_values(id, order);
        self.say(SegmentKind::Order, order_key(order), &values);
        let on_its_way = matches!(order.state, OrderState::Processing | OrderState::Shipped);
        if on_its_way && order.promised.is_some_and(|promised| promised < self.scene.today) {
            self.plain(SegmentKind::Order, "order_late");
        }
    }

    pub(super) fn cancel_rule(&mut self, id: &FactId) {
        let Some(FactBody::Order(order)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        let key = match order.state {
            state if state.cancellable() => "order_cancellable",
            OrderState::Shipped | OrderState::ReadyForPickup | OrderState::Delivered => "order_not_cancellable",
            _ => return,
        };
        self.plain(SegmentKind::Order, key);
    }

    fn order_values(&self, id: &FactId, order: &Order) -> Values {
        let year = self.scene.today.year();
        let mut values = Values::default().fact("order_number", (order.number.clone(), id, Role::OrderNumber));
        if let Ok(total) = Money::parse(&order.total, order.currency) {
            values = values.fact("total", (self.book.money(total), id, Role::Total));
        }
        if let Some(promised) = order.promised {
            values = values.fact("promised", (self.book.date(promised, year), id, Role::Promised));
        }
        if let Some(delivered) = order.delivered {
            values = values.fact("delivered", (self.book.date(delivered, year), id, Role::Delivered));
        }
        if let Some(carrier) = &order.carrier {
            values = values.fact("carrier", (carrier.clone(), id, Role::Carrier));
        }
        if let Some(tracking) = &order.tracking {
            values = values.fact("tracking", (tracking.clone(), id, Role::Tracking));
        }
        values
    }
}

/// The sentence whose values the order has.
fn order_key(order: &Order) -> &'static str {
    match order.state {
        OrderState::Processing if order.promised.is_none() => "order_processing_plain",
        OrderState::Shipped if order.promised.is_none() || order.carrier.is_none() || order.tracking.is_none() => {
            "order_shipped_plain"
        }
        OrderState::Delivered if order.delivered.is_none() => "order_delivered_plain",
        state => state.reply_key(),
    }
}
