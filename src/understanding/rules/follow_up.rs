//! A message that only makes sense after the one before: "and in 41?", "а в красном?", "a v Košiciach?", "那红色的呢".
//! It repeats the product question answered last with what it names anew. It looks nothing up.

use super::{Firm, Input, Passage, Sure};
use crate::domain::{Command, CommandName, Slots};
use crate::understanding::definitions::CommandRules;
use crate::understanding::folded::fold;

/// More words than this name a new wish.
const MOST_WORDS: usize = 4;

impl CommandRules {
    /// The last question again, when the message is a bare addition to it.
    pub(super) fn follow_up(&self, input: Input<'_>) -> Option<Sure> {
        let last = input.session.last.as_ref()?;
        let text = &input.message.text;
        if self.cued(text) || self.is_phrase(text) {
            return None;
        }
        let folded = fold(text);
        let opened = self.slots.after_opening(&folded);
        let rest = opened.clone().unwrap_or(folded);
        // "And the last one?": without its "one" it is no place.
        let whole = self.fill(Passage { message: input.message, text, about: None });
        let found = match whole.slots.pick {
            Some(_) => whole,
            None => self.fill(Passage { message: input.message, text: &rest, about: None }),
        };
        // A place in the list needs no "and".
        if opened.is_none() && found.slots.pick.is_none() {
            return None;
        }
        if found.rest > MOST_WORDS {
            return None;
        }
        let size = self.bare_size(&rest);
        // A bare 41 is a size here, whatever else it might name.
        let said = match size {
            Some(size) => Slots { size: Some(size), ..Slots::default() },
            None => found.slots,
        };
        if said.detail.is_some() {
            // "And is it noisy?" asks about those shown, whatever was asked of them before.
            let Slots { product, sku, pick, detail, .. } = said;
            let slots = Slots { product, sku, pick, detail, ..Slots::default() };
            return Some(Sure {
                commands: vec![Command { name: CommandName::FindProduct, slots }],
                confidence: 0.9,
                notes: vec!["asks for a property".into()],
                firm: Firm::Named,
            });
        }
        // "а скидка будет?" names something as well, but only "what about X" says that X is what the question goes on with.
        if said.product.is_some() && !self.slots.names_another(&fold(text)) {
            return None;
        }
        let another = said.product.is_some();
        let slots = continued(&last.slots, said)?;
        // "The second one, two pieces": who says how many of which wants to have them.
        let wanted = slots.pick.is_some() && slots.quantity.is_some();
        // A place in the list is no place to deliver to.
        if slots.pick.is_some() && !wanted && last.name == CommandName::DeliveryInfo {
            return None;
        }
        let pointed = slots.pick.is_some() && !wanted;
        let firm = match (another, pointed) {
            (true, _) => Firm::Named,
            (false, true) => Firm::Pointed,
            (false, false) => Firm::Final,
        };
        let command = Command { name: if wanted { CommandName::CartAdd } else { last.name }, slots };
        Some(Sure {
            commands: vec![command],
            confidence: 0.9,
            notes: vec![format!("goes on after {}", last.name)],
            firm,
        })
    }
}

/// What was said before with what is said now; another product leaves size and colour behind.
fn continued(before: &Slots, said: Slots) -> Option<Slots> {
    if said == Slots::default() {
        return None;
    }
    let another = said.product.is_some() || said.sku.is_some() || said.pick.is_some();
    let base = if another { Slots { town: before.town.clone(), ..Slots::default() } } else { before.clone() };
    Some(Slots {
        product: said.product.or(base.product),
        sku: said.sku.or(base.sku),
        pick: said.pick,
        size: said.size.or(base.size),
        colour: said.colour.or(base.colour),
        budget: said.budget.or(base.budget),
        quantity: said.quantity.or(base.quantity),
        town: said.town.or(base.town),
        ..Slots::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{screened, short};
    use super::*;
    use crate::domain::session::Session;
    use crate::understanding::definitions::tests::rules;

    fn check(text: &str, expected: &str) {
        let slots = Slots { product: Some("boots".into()), size: Some("42".into()), ..Slots::default() };
        let last = Some(Command { name: CommandName::Stock, slots });
        let session = Session { last, ..Session::default() };
        let message = screened(text);
        let got = short(rules().decide(Input { message: &message, session: &session }));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_bare_addition_goes_on_with_the_last_question() {
        check("and in 41?", "stock(product=boots,size=41)");
        check("а 41?", "stock(product=boots,size=41)");
        check("a 41?", "stock(product=boots,size=41)");
        check("41码呢", "stock(product=boots,size=41)");
        check("а в красном?", "stock(colour=red,product=boots,size=42)");
        check("and in Nitra?", "stock(product=boots,size=42,town=nitra)");
        check("a v Košiciach?", "stock(product=boots,size=42,town=kosice)");
        check("the second one?", "stock(pick=2)");
        check("а третьи?", "-");
        check("а третий?", "stock(pick=3)");
        check("a ten druhý?", "stock(pick=2)");
        check("那最后一个呢", "stock(pick=-1)");
        check("the cheaper one?", "stock(pick=cheapest)");
        check("and the last one?", "stock(pick=-1)");
        check("ok the cheaper one, 2 pieces please", "cart_add(pick=cheapest,quantity=2)");
        check("второй, две штуки", "cart_add(pick=2,quantity=2)");
        check("tú lacnejšiu, dva kusy", "cart_add(pick=cheapest,quantity=2)");
        check("便宜的那个，要两个", "cart_add(pick=cheapest,quantity=2)");
        check("what about the leather sandals", "stock(product=leather sandals)");
        check("а скидка будет", "find_product(wish=on_sale)");
        check("а шарф будет", "-");
        check("а он шумный?", "find_product(detail=noise)");
        check("and how heavy is the second one?", "find_product(detail=weight,pick=2)");
        check("and how much is it?", "price");
        check("а сколько стоит доставка в Москву", "delivery_info(town=moskva)");
    }
}
