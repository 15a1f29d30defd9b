//! How often products stand in one order, and how much oftener than by chance. In: baskets, those of a buyer one after another.
//! Out: companions of each product. Pure; whole numbers all along.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::ProductId;
use crate::domain::together::{Companion, Counted, Popular, TogetherRules};

/// More than so many are no longer what is bought most.
const MOST_POPULAR: usize = 200;
/// A basket of more kinds is a stock-up that says nothing of what goes with what.
const MOST_KINDS: usize = 30;

/// How often a pair was bought, and by how many.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    orders: u32,
    buyers: u32,
    last: usize,
}

/// The counts over all baskets so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    baskets: u64,
    alone: HashMap<ProductId, u64>,
    pairs: HashMap<(ProductId, ProductId), Pair>,
    buyer: String,
    buyers: usize,
}

impl Counts {
    /// One more basket. Who buys under no name is somebody else each time.
    pub fn add(&mut self, buyer: &str, kinds: &BTreeSet<ProductId>) {
        if kinds.is_empty() || kinds.len() > MOST_KINDS {
            return;
        }
        if self.buyers == 0 || buyer.is_empty() || buyer != self.buyer {
            self.buyers += 1;
            self.buyer = buyer.to_string();
        }
        self.baskets += 1;
        for kind in kinds {
            *self.alone.entry(kind.clone()).or_default() += 1;
        }
        for (at, one) in kinds.iter().enumerate() {
            for other in kinds.iter().skip(at + 1) {
                let pair = self.pairs.entry((one.clone(), other.clone())).or_default();
                pair.orders += 1;
                if pair.last != self.buyers {
                    (pair.buyers, pair.last) = (pair.buyers + 1, self.buyers);
                }
            }
        }
    }

    /// All that the rules take from the counts.
    pub fn by(&self, rules: &TogetherRules) -> Counted {
        Counted { companions: self.companions(rules), popular: self.popular(rules) }
    }

    /// What stands in the most orders, the oftenest first; fewer than the rules want are chance.
    fn popular(&self, rules: &TogetherRules) -> Vec<Popular> {
        let often = |(product, orders): (&ProductId, &u64)| {
            let orders = u32::try_from(*orders).unwrap_or(u32::MAX);
            (orders >= rules.least_orders).then(|| Popular { product: product.clone(), orders })
        };
        let mut popular: Vec<Popular> = self.alone.iter().filter_map(often).collect();
        popular.sort_by(|a, b| b.orders.cmp(&a.orders).then_with(|| a.product.cmp(&b.product)));
        popular.truncate(MOST_POPULAR);
        popular
    }

    /// What is bought with each product by the rules, the oftenest first, then what is least by chance.
    fn companions(&self, rules: &TogetherRules) -> BTreeMap<ProductId, Vec<Companion>> {
        let mut found: BTreeMap<ProductId, Vec<Companion>> = BTreeMap::new();
        for ((one, other), pair) in &self.pairs {
            let lift = self.lift(one, other, pair.orders);
            if pair.orders < rules.least_orders || pair.buyers < rules.least_buyers || lift < rules.least_lift {
                continue;
            }
            for (product, with) in [(one, other), (other, one)] {
                let companion = Companion { product: with.clone(), orders: pair.orders, lift };
                found.entry(product.clone()).or_default().push(companion);
            }
        }
        for all in found.values_mut() {
            all.sort_by(|a, b| (b.orders, b.lift, &a.product).cmp(&(a.orders, a.lift, &b.product)));
            all.truncate(rules.companions as usize);
        }
        found.retain(|_, all| !all.is_empty());
        found
    }

    /// Orders with both, beside those that chance would make of how often each is bought; in percent.
    fn lift(&self, one: &ProductId, other: &ProductId, orders: u32) -> u32 {
        let bought = |product| u128::from(self.alone.get(product).copied().unwrap_or(1).max(1));
        let percent = u128::from(orders) * u128::from(self.baskets) * 100 / (bought(one) * bought(other));
        u32::try_from(percent).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> TogetherRules {
        toml::from_str(include_str!("../../data/rules/together.toml")).unwrap()
    }

    /// Baskets as `buyer: kinds`, and what is bought with the first product named.
    fn check(baskets: &[(&str, &str)], of: &str, expected: &[(&str, u32, u32)]) {
        let mut counts = Counts::default();
        for (buyer, kinds) in baskets {
            counts.add(buyer, &kinds.split_whitespace().map(ProductId::from).collect());
        }
        let found = counts.companions(&rules()).remove(&ProductId::from(of)).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|found| (found.product.as_str(), found.orders, found.lift)).collect();
        assert_eq!(found, expected, "{baskets:?}");
    }

    #[test]
    fn what_stands_in_few_orders_is_chance() {
        check(&[("1", "A B"), ("2", "A B"), ("3", "C"), ("4", "D")], "A", &[]);
        check(&[("1", "A B"), ("2", "A B"), ("3", "B A"), ("4", "C"), ("5", "D")], "A", &[("B", 3, 166)]);
    }

    #[test]
    fn one_buyer_is_not_several() {
        check(&[("1", "A B"), ("1", "A B"), ("1", "A B"), ("4", "C"), ("5", "D")], "A", &[]);
        check(&[("1", "A B"), ("1", "A B"), ("2", "A B"), ("4", "C"), ("5", "D")], "A", &[("B", 3, 166)]);
        check(&[("", "A B"), ("", "A B"), ("", "A B"), ("4", "C"), ("5", "D")], "A", &[("B", 3, 166)]);
    }

    #[test]
    fn what_stands_in_most_orders_is_popular() {
        let mut counts = Counts::default();
        for (buyer, kinds) in [("1", "A B"), ("2", "A"), ("3", "A C"), ("4", "C"), ("5", "C"), ("6", "A"), ("7", "B")] {
            counts.add(buyer, &kinds.split_whitespace().map(ProductId::from).collect());
        }
        let popular = counts.by(&rules()).popular;
        let popular: Vec<_> = popular.iter().map(|one| (one.product.as_str(), one.orders)).collect();
        assert_eq!(popular, [("A", 4), ("C", 3)]);
    }

    #[test]
    fn what_everybody_buys_goes_with_nothing_in_particular() {
        let baskets: Vec<(&str, &str)> = (0..8).map(|n| (["1", "2", "3", "4"][n / 2], "BAG A")).collect();
        check(&baskets, "A", &[]);
        let mut mixed = baskets.clone();
        mixed.extend([("5", "BAG C"), ("6", "BAG C"), ("7", "BAG D"), ("8", "E")]);
        check(&mixed, "A", &[]);
    }

    #[test]
    fn the_oftenest_comes_first_and_stock_ups_do_not_count() {
        let rest = ["5", "6", "7", "8", "9"].map(|buyer| (buyer, "Z"));
        let mut baskets = vec![("1", "A B C"), ("2", "A B C"), ("3", "A B C"), ("4", "A B")];
        baskets.extend(rest);
        check(&baskets, "A", &[("B", 4, 225), ("C", 3, 225)]);
        let many: String = (0..40).map(|n| format!("K{n} ")).collect();
        check(&[("1", &many), ("2", &many), ("3", &many), ("4", "Z")], "K1", &[]);
    }
}
