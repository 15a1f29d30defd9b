//! The goods of an earlier order as a cart of today: what the shop still sells, at whatever it costs now. Nothing is written.

use std::collections::BTreeMap;

use super::Till;
use crate::domain::Sku;
use crate::domain::cart::{Cart, Held};
use crate::domain::order::Order;

impl Till<'_> {
    /// The lines of an order that the catalog still has, each variant once.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn again(&self, order: &Order) -> anyhow::Result<Cart> {
        let mut wanted: BTreeMap<Sku, u32> = BTreeMap::new();
        for item in &order.items {
            let count = wanted.entry(item.sku.clone()).or_default();
            *count = count.saturating_add(item.quantity);
        }
        let mut lines: Vec<Held> = Vec::new();
        for item in &order.items {
            // A promotion may have split a variant into lines of several prices.
            let Some(quantity) = wanted.remove(&item.sku) else { continue };
            if let Ok(line) = self.variant(&item.sku, order.currency).await? {
                let quantity = quantity.clamp(1, self.rules.most_pieces);
                lines.push(Held { sku: line.sku, product: line.offer.product, quantity });
            }
        }
        Ok(Cart { lines, language: Some(order.language), ..Cart::default() })
    }
}
