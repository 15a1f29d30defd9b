//! Answers to a clarifying question: the value asked for goes to the command that waits for it. In: a message and the open question.
//! Out: that command, or nothing when the message says something else.

use super::{Firm, Sure, bare};
use crate::domain::plan::Ask;
use crate::domain::session::Pending;
use crate::domain::{Command, Slots};
use crate::understanding::Input;
use crate::understanding::definitions::CommandRules;
use crate::understanding::folded::fold;
use crate::understanding::slots::Passage;

impl CommandRules {
    /// An answer to the question asked last fills the slot of the command that waits.
    pub(in crate::understanding) fn answer(&self, input: Input<'_>) -> Option<Sure> {
        let Pending { command, asked, .. } = input.session.pending.as_ref()?;
        let text = &input.message.text;
        if self.phrases.contains_key(&fold(text)) || self.cued(text) && *asked != Ask::Topic {
            return None;
        }
        let mut slots = command.slots.clone();
        if !self.fill_asked(input, *asked, &mut slots) {
            return None;
        }
        let command = Command { name: command.name, slots };
        Some(Sure {
            commands: vec![command],
            confidence: 0.97,
            notes: vec![format!("answers {asked:?}")],
            // Any words may name a product: those of another wish, too.
            firm: if *asked == Ask::Product { Firm::Named } else { Firm::Final },
        })
    }

    fn fill_asked(&self, input: Input<'_>, asked: Ask, slots: &mut Slots) -> bool {
        let text = &input.message.text;
        let found = self.fill(Passage { message: input.message, text, about: None });
        let (said, short) = (found.slots, found.rest <= 3);
        if matches!(asked, Ask::Size | Ask::Colour | Ask::Variant) && short {
            slots.quantity = said.quantity.or(slots.quantity);
        }
        let target = match asked {
            Ask::Size => return set(&mut slots.size, self.bare_size(text).or(said.size).filter(|_| short)),
            Ask::Colour => (&mut slots.colour, said.colour.filter(|_| short)),
            Ask::Town => (&mut slots.town, said.town.filter(|_| short)),
            Ask::OrderNumber | Ask::OrderOrContact => {
                // Whoever gives the phone or e-mail first need not give it again.
                let contact = set(&mut slots.phone, said.phone) | set(&mut slots.email, said.email);
                return set(&mut slots.order_number, said.order_number.or_else(|| bare::number(text))) || contact;
            }
            Ask::Code => {
                // Instead of the code: another contact, or the number after all. Bare digits are a code, never a number.
                let contact = set(&mut slots.phone, said.phone) | set(&mut slots.email, said.email);
                return set(&mut slots.order_number, said.order_number) || contact;
            }
            Ask::Phone | Ask::CallBack | Ask::Identity | Ask::Contact => {
                let phone =
                    said.phone.or_else(|| bare::number(&input.message.private).filter(|digits| digits.len() >= 7));
                let phone = set(&mut slots.phone, phone);
                return set(&mut slots.email, said.email) || phone;
            }
            Ask::Topic => (&mut slots.topic, said.topic),
            // Which piece, and where to, is for the desk to see: it knows the order and reads the private text.
            Ask::Item => (
                &mut slots.product,
                said.product.or(said.sku).or_else(|| Some(text.clone())).filter(|_| found.rest <= 8),
            ),
            Ask::Variant => {
                let size = set(&mut slots.size, self.bare_size(text).or(said.size).filter(|_| short));
                return set(&mut slots.colour, said.colour.filter(|_| short)) || size;
            }
            Ask::Date => return found.rest <= 6,
            // What a photo or its lack answers is seen before anything reads the words.
            Ask::Photo | Ask::NumberElsewhere | Ask::ContactInstead => return false,
            Ask::Address | Ask::Destination => {
                return text.chars().any(|c| c.is_ascii_digit()) || text.contains([',', '，']);
            }
            Ask::Product => {
                let named = said.product.is_some() || said.sku.is_some();
                slots.sku = said.sku.or(slots.sku.take());
                slots.colour = said.colour.or(slots.colour.take());
                slots.size = said.size.or(slots.size.take());
                slots.pick = said.pick.or(slots.pick.take());
                slots.names = said.names;
                return named && found.rest <= 6 && set(&mut slots.product, said.product) | slots.sku.is_some();
            }
        };
        set(target.0, target.1)
    }
}

fn set(slot: &mut Option<String>, value: Option<String>) -> bool {
    let said = value.is_some();
    if said {
        *slot = value;
    }
    said
}
