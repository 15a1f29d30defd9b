//! An anonymous cart becomes the customer's: both are written in one transaction on the versions that were read, or neither.

use sqlx::Row;

use crate::domain::cart::Cart;
use crate::domain::desk::Versioned;

use super::carts::put_cart;
use super::desk::versioned;
use super::state::StateStore;

/// Tries against others who write the same carts.
const TRIES: u32 = 5;

impl StateStore {
    /// Puts what lies in one cart into another by [`Cart::with`] and empties the first. Doing it again changes nothing.
    ///
    /// # Errors
    /// The database cannot be written, or others wrote the carts all the time.
    pub async fn merge_carts(&self, from: &str, to: &str) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            if self.try_to_merge(from, to).await? {
                return Ok(());
            }
        }
        anyhow::bail!("a cart was written by others {TRIES} times in a row; try again")
    }

    /// False when a cart was written meanwhile.
    async fn try_to_merge(&self, from: &str, to: &str) -> anyhow::Result<bool> {
        let rows = sqlx::query("SELECT owner, version, document FROM carts WHERE owner = $1 OR owner = $2")
            .bind(from)
            .bind(to)
            .fetch_all(&self.pool)
            .await?;
        let (mut theirs, mut own) = (None, Versioned { value: Cart::default(), version: 0 });
        for row in &rows {
            let owner: String = row.try_get("owner")?;
            match owner == from {
                true => theirs = Some(versioned::<Cart>(row)?),
                false => own = versioned(row)?,
            }
        }
        let Some(theirs) = theirs.filter(|cart| !cart.value.lines.is_empty()) else { return Ok(true) };
        let merged = Versioned { value: own.value.with(&theirs.value), version: own.version };
        let emptied = Cart { lines: Vec::new(), coupon: None, ..theirs.value };
        let mut transaction = self.write().await?;
        // A transaction dropped without a commit is rolled back.
        if !put_cart(&mut transaction, to, &merged).await?
            || !put_cart(&mut transaction, from, &Versioned { value: emptied, version: theirs.version }).await?
        {
            return Ok(false);
        }
        self.commit(transaction).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sku;
    use crate::domain::cart::Held;
    use crate::engine::Carts;

    fn cart(lines: &[(&str, u32)]) -> Cart {
        let held = |(sku, quantity): &(&str, u32)| Held {
            sku: Sku(sku.to_string()),
            product: (*sku).into(),
            quantity: *quantity,
        };
        Cart { lines: lines.iter().map(held).collect(), ..Cart::default() }
    }

    async fn put(store: &StateStore, owner: &str, lines: &[(&str, u32)]) {
        let fresh = Versioned { value: cart(lines), version: 0 };
        store.write_cart(owner, &fresh, "first").await.unwrap();
    }

    #[tokio::test]
    async fn the_greater_number_of_each_is_kept_and_nothing_is_doubled() {
        let store = StateStore::in_memory().await.unwrap();
        put(&store, "session:1", &[("A", 2), ("B", 1)]).await;
        put(&store, "customer:1", &[("C", 4), ("A", 1)]).await;
        for _ in 0..2 {
            store.merge_carts("session:1", "customer:1").await.unwrap();
            let merged = store.cart("customer:1").await.unwrap();
            assert_eq!(merged.value.lines, cart(&[("C", 4), ("A", 2), ("B", 1)]).lines);
            assert!(store.cart("session:1").await.unwrap().value.lines.is_empty());
        }
        store.merge_carts("session:2", "customer:2").await.unwrap();
        assert_eq!(store.cart("customer:2").await.unwrap().version, 0);
    }

    #[tokio::test]
    async fn a_customer_without_a_cart_gets_the_other() {
        let store = StateStore::in_memory().await.unwrap();
        put(&store, "session:1", &[("A", 2)]).await;
        store.merge_carts("session:1", "customer:1").await.unwrap();
        assert_eq!(store.cart("customer:1").await.unwrap().value.lines, cart(&[("A", 2)]).lines);
    }
}
