//! The merchant's orders, read from `data/orders/*.jsonl` at start-up.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use async_trait::async_trait;

use crate::domain::Money;
use crate::domain::desk::Customer;
use crate::domain::identity::Contact;
use crate::domain::order::Order;
use crate::engine::Orders;

/// All orders, by number.
#[derive(Default)]
pub struct OrderBook {
    by_number: HashMap<String, Order>,
    customers: Vec<Customer>,
}

impl OrderBook {
    /// Reads every `.jsonl` file of `folder` as orders, `customers.jsonl` as customers; a folder that does not exist
    /// holds none.
    ///
    /// # Errors
    /// A line that is not an order, an amount that is not money, a number given twice: by file and line.
    pub fn load(folder: &Path) -> anyhow::Result<OrderBook> {
        let mut book = OrderBook::default();
        if !folder.exists() {
            return Ok(book);
        }
        let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        for path in files {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let customers = path.file_name().is_some_and(|name| name == "customers.jsonl");
                let added = if customers { book.add_customer(line) } else { book.add(line) };
                added.with_context(|| format!("{}:{}", path.display(), index + 1))?;
            }
        }
        Ok(book)
    }

    fn add_customer(&mut self, line: &str) -> anyhow::Result<()> {
        let customer: Customer = serde_json::from_str(line)?;
        if self.customers.iter().any(|known| known.id == customer.id) {
            bail!("customer {} is given twice", customer.id);
        }
        self.customers.push(customer);
        Ok(())
    }

    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        let order: Order = serde_json::from_str(line)?;
        Money::parse(&order.total, order.currency).context("total")?;
        Money::parse(&order.shipping, order.currency).context("shipping")?;
        for item in &order.items {
            Money::parse(&item.price, order.currency).with_context(|| format!("price of {}", item.sku))?;
        }
        let number = order.number.clone();
        if self.by_number.insert(plain(&number), order).is_some() {
            bail!("order {number} is given twice");
        }
        Ok(())
    }

    /// Every order.
    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.by_number.values()
    }

    /// Every customer of `customers.jsonl`.
    pub fn customers(&self) -> &[Customer] {
        &self.customers
    }

    /// How many orders there are.
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }
}

/// An order number without case and separators: `tt 10427` is `TT-10427`.
pub(super) fn plain(number: &str) -> String {
    number.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[async_trait]
impl Orders for OrderBook {
    async fn find(&self, number: &str) -> anyhow::Result<Option<Order>> {
        Ok(self.by_number.get(&plain(number)).cloned())
    }

    async fn of_customer(&self, customer: &str) -> anyhow::Result<Vec<Order>> {
        let mut orders: Vec<Order> =
            self.by_number.values().filter(|order| order.customer == customer).cloned().collect();
        orders.sort_by(|a, b| (b.placed, &b.number).cmp(&(a.placed, &a.number)));
        Ok(orders)
    }

    async fn of_contact(&self, contact: &Contact) -> anyhow::Result<Vec<Order>> {
        let names =
            |order: &&Order| Contact::of_order(&order.phone, &order.email).any(|own| own.key() == contact.key());
        let mut orders: Vec<Order> = self.by_number.values().filter(names).cloned().collect();
        orders.sort_by(|a, b| (b.placed, &b.number).cmp(&(a.placed, &a.number)));
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"number":"TT-1","customer":"C-1","name":"N","phone":"+421900000000","email":"n@example.sk","language":"sk","place":"bratislava","placed":"2026-11-01","state":"shipped","currency":"EUR","items":[{"sku":"A","quantity":1,"price":"5.00"}],"shipping":"3.90","total":"8.90"}"#;

    #[tokio::test]
    async fn numbers_are_found_however_they_are_typed() {
        let mut book = OrderBook::default();
        book.add(LINE).unwrap();
        for typed in ["TT-1", "tt-1", "TT 1", "tt1"] {
            assert!(book.find(typed).await.unwrap().is_some(), "{typed}");
        }
        assert!(book.find("TT-2").await.unwrap().is_none());
    }

    #[test]
    fn broken_lines_are_refused() {
        let check = |line: &str, part: &str| {
            let mut book = OrderBook::default();
            book.add(LINE).unwrap();
            let error = format!("{:#}", book.add(line).unwrap_err());
            assert!(error.contains(part), "{error}");
        };
        check(LINE, "twice");
        check(&LINE.replace("8.90", "8,90"), "8,90");
        check(&LINE.replace("\"shipped\"", "\"lost\""), "lost");
        check(&LINE.replace("\"total\"", "\"sum\""), "sum");
    }
}
