//! The numbers of orders in a message. In: its text. Out: where the first one stands, or all that are named in full.

use std::ops::Range;

use regex::Regex;

use super::definitions::CommandRules;
use super::folded::Folded;
use super::slot_rules::SlotTable;
use super::values::order_value;
use crate::domain::Screened;

impl CommandRules {
    /// The numbers of orders that a message names.
    pub(super) fn order_numbers(&self, message: &Screened) -> Vec<String> {
        self.slots.orders(&Folded::new(&message.text).text)
    }
}

impl SlotTable {
    /// The numbers of orders that a text names in full, each once.
    fn orders(&self, text: &str) -> Vec<String> {
        let mut numbers: Vec<String> = Vec::new();
        for found in self.order.find_iter(text) {
            let number = order_value(found.as_str());
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers
    }

    /// Where the first stands, or the number that a word for an order announces.
    pub(super) fn order_range(&self, text: &str) -> Option<Range<usize>> {
        let near = |pattern: &Regex| pattern.captures(text)?.name("v").map(|value| value.range());
        self.order.find(text).map(|found| found.range()).or_else(|| self.order_near.iter().find_map(near))
    }
}
