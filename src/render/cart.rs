//! A cart in sentences: its lines, what it comes to, the question before an order, the order and where it is paid.

use crate::domain::cart::{CartFact, CartNo, Line};
use crate::domain::plan::CartSay;
use crate::domain::{FactBody, FactId, Role, SegmentKind};

use super::Page;
use super::segment::Values;

const KIND: SegmentKind = SegmentKind::Cart;

impl Page<'_> {
    pub(super) fn cart(&mut self, id: &FactId, say: CartSay) {
        let Some(FactBody::Cart(cart)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        match say {
            CartSay::Added => self.added((id, cart)),
            CartSay::Changed | CartSay::Shown => self.lying((id, cart)),
            CartSay::Short => self.plain(KIND, "cart_short"),
            CartSay::Proposal => self.order_proposal((id, cart)),
            CartSay::Renewed => self.order_after("cart_renewed", (id, cart)),
            CartSay::Expired => self.order_after("cart_expired", (id, cart)),
            CartSay::Unclear => self.order_after("cart_unclear", (id, cart)),
            CartSay::Placed => {
                self.with_values("cart_placed", (id, cart));
                self.with_values("cart_total", (id, cart));
                self.pay((id, cart));
            }
            CartSay::Withdrawn => self.plain(KIND, "cart_withdrawn"),
            CartSay::Pay => self.pay((id, cart)),
            CartSay::Today => {
                self.lines((id, cart));
                self.sums((id, cart));
            }
            CartSay::Again => {
                self.plain(KIND, "cart_again");
                self.lying((id, cart));
            }
            CartSay::Lines => self.lines((id, cart)),
            CartSay::WithDelivery => {
                self.lines((id, cart));
                self.sums((id, cart));
                self.arrives((id, cart));
            }
        }
    }

    pub(super) fn cart_no(&mut self, why: CartNo) {
        self.plain(KIND, refusal_key(why));
    }

    fn added(&mut self, (id, cart): (&FactId, &CartFact)) {
        let about = cart.lines.iter().find(|line| cart.about.as_ref() == Some(&line.sku));
        if let Some(line) = about {
            let values = self.line_values(id, cart, line);
            self.say(KIND, "cart_added", &values);
        }
        if cart.lines.len() > 1 || about.is_none() {
            self.lying((id, cart));
        } else {
            self.sums((id, cart));
            self.plain(KIND, "cart_next");
        }
    }

    fn lying(&mut self, (id, cart): (&FactId, &CartFact)) {
        if cart.lines.is_empty() {
            return self.plain(KIND, "cart_empty");
        }
        self.plain(KIND, "cart_lines");
        self.lines((id, cart));
        self.sums((id, cart));
        self.plain(KIND, "cart_next");
    }

    fn lines(&mut self, (id, cart): (&FactId, &CartFact)) {
        for line in &cart.lines {
            let key = if line.offer.price.now().is_some() { "cart_line" } else { "cart_line_no_price" };
            let values = self.line_values(id, cart, line);
            self.say(KIND, key, &values);
            if line.short() {
                self.plain(KIND, "cart_line_short");
            }
        }
    }

    fn sums(&mut self, (id, cart): (&FactId, &CartFact)) {
        let Some(sums) = cart.sums else { return self.plain(KIND, "cart_no_sum") };
        let adds = sums.discount.is_some() || sums.delivery.is_some();
        if adds {
            self.with_values("cart_goods", (id, cart));
        }
        if cart.coupon.is_some() {
            self.with_values("cart_coupon", (id, cart));
        }
        if let Some(delivery) = sums.delivery {
            let free = delivery.minor == 0 && cart.delivery.as_ref().is_some_and(|known| known.cost.minor > 0);
            self.with_values(if free { "cart_delivery_free" } else { "cart_delivery" }, (id, cart));
        }
        self.with_values("cart_total", (id, cart));
        if sums.tax.is_some() {
            self.with_values("cart_tax", (id, cart));
        }
    }

    fn order_proposal(&mut self, (id, cart): (&FactId, &CartFact)) {
        self.plain(KIND, "cart_order");
        self.lines((id, cart));
        self.sums((id, cart));
        self.arrives((id, cart));
        if cart.address.is_some() {
            self.with_values("cart_address", (id, cart));
        }
        self.plain(KIND, "cart_question");
    }

    fn arrives(&mut self, (id, cart): (&FactId, &CartFact)) {
        if let Some(delivery) = &cart.delivery {
            let key = if delivery.earliest == delivery.latest { "cart_arrives_on" } else { "cart_arrives" };
            self.with_values(key, (id, cart));
        }
    }

    fn order_after(&mut self, key: &str, cart: (&FactId, &CartFact)) {
        self.plain(KIND, key);
        self.order_proposal(cart);
    }

    fn pay(&mut self, (id, cart): (&FactId, &CartFact)) {
        if cart.link.is_some() {
            self.with_values("cart_pay", (id, cart));
            self.plain(KIND, "cart_card");
        }
    }

    fn with_values(&mut self, key: &str, (id, cart): (&FactId, &CartFact)) {
        let values = self.cart_values(id, cart);
        self.say(KIND, key, &values);
    }

    fn line_values(&self, id: &FactId, cart: &CartFact, line: &Line) -> Values {
        let name = line.name.get(self.scene.language).to_string();
        let values = Values::default()
            .fact("piece", (name, id, Role::Piece))
            .fact("pieces", (self.book.pieces(line.quantity), id, Role::Pieces));
        let total = line.offer.price.now().filter(|price| price.currency == cart.currency);
        match total.and_then(|price| price.times(line.quantity)) {
            Some(total) => values.fact("line_total", (self.book.money(total), id, Role::LineTotal)),
            None => values,
        }
    }

    fn cart_values(&self, id: &FactId, cart: &CartFact) -> Values {
        let year = self.scene.today.year();
        let mut values = Values::default();
        if let Some(sums) = cart.sums {
            let amounts = [
                ("goods", Some(sums.goods), Role::Goods),
                ("discount", sums.discount, Role::Discount),
                ("delivery_cost", sums.delivery, Role::DeliveryCost),
                ("total", Some(sums.total), Role::Total),
                ("tax", sums.tax, Role::Tax),
            ];
            for (slot, money, role) in amounts.into_iter().filter_map(|(slot, money, role)| Some((slot, money?, role)))
            {
                values = values.fact(slot, (self.book.money(money), id, role));
            }
        }
        let texts = [
            ("coupon", cart.coupon.as_ref().map(|coupon| coupon.code.clone()), Role::Coupon),
            ("order_number", cart.order.clone(), Role::OrderNumber),
            ("link", cart.link.clone(), Role::Link),
            ("address", cart.address.as_ref().map(|address| address.line()), Role::Address),
        ];
        for (slot, text, role) in texts.into_iter().filter_map(|(slot, text, role)| Some((slot, text?, role))) {
            values = values.fact(slot, (text, id, role));
        }
        let Some(delivery) = &cart.delivery else { return values };
        values = values
            .fact("place", (delivery.name.get(self.scene.language).to_string(), id, Role::Place))
            .fact("earliest", (self.book.date(delivery.earliest, year), id, Role::Earliest))
            .fact("latest", (self.book.date(delivery.latest, year), id, Role::Latest));
        match delivery.free_from {
            Some(from) => values.fact("free_from", (self.book.money(from), id, Role::FreeFrom)),
            None => values,
        }
    }
}

fn refusal_key(why: CartNo) -> &'static str {
    match why {
        CartNo::UnknownProduct | CartNo::NotInCart => "cart_not_there",
        CartNo::WhichVariant => "ask_variant",
        CartNo::NotEnough => "cart_short",
        CartNo::TooMany => "cart_too_many",
        CartNo::NoSuchCode => "cart_no_code",
        CartNo::BelowMinimum => "cart_below_minimum",
        CartNo::NoDelivery | CartNo::NoPlace => "no_delivery",
        CartNo::Empty => "cart_empty",
        CartNo::NoPrice => "cart_no_sum",
        CartNo::NoContact => "ask_contact",
        CartNo::WhoseOrder => "cart_again_who",
        CartNo::NoOrderBefore => "cart_again_none",
        CartNo::NotAll => "cart_again_part",
        CartNo::Changed => "cart_renewed",
        CartNo::Expired => "cart_expired",
    }
}
