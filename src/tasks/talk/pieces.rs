//! The pieces of an order: which are meant, what they are called, which variant stands in for them.

use crate::domain::desk::{Operation, Piece, Talk};
use crate::domain::order::Order;
use crate::domain::plan::Ask;
use crate::domain::product::Variant;
use crate::domain::{Language, Localised, Money, Offer, Product, Sku};

use super::super::naming;
use super::{Counter, Said};

/// Every piece of an order, two of a kind twice.
pub(super) fn all(order: &Order) -> Vec<Sku> {
    let pieces = order.items.iter().flat_map(|item| std::iter::repeat_n(&item.sku, item.quantity as usize));
    pieces.cloned().collect()
}

impl Counter<'_> {
    /// The pieces that are meant; none when it cannot be told.
    pub(super) async fn named_items(&self, said: &Said<'_>, talk: &Talk, order: &Order) -> anyhow::Result<Vec<Sku>> {
        let [only] = order.items.as_slice() else {
            let asked = talk.asked == Some(Ask::Item);
            if said.all {
                return Ok(all(order));
            }
            let words = said.command.slots.product.as_deref().or(said.command.slots.sku.as_deref());
            let Some(words) = words.or(asked.then_some(said.text)) else { return Ok(Vec::new()) };
            let pieces = self.named(&all(order), order).await?;
            return Ok(sent_back(&all(order), (&meant(words, &pieces), &meant(said.kept, &pieces))));
        };
        let count = said.command.slots.quantity.filter(|count| (1..only.quantity).contains(count));
        Ok(vec![only.sku.clone(); count.unwrap_or(only.quantity) as usize])
    }

    /// The variants wanted instead; none when neither size nor colour is named.
    pub(super) async fn wanted(&self, said: &Said<'_>, items: &[Sku]) -> anyhow::Result<Option<Vec<Sku>>> {
        let (size, colour) = (said.command.slots.size.as_deref(), said.command.slots.colour.as_deref());
        if size.is_none() && colour.is_none() {
            return Ok(None);
        }
        let mut wanted = Vec::new();
        for sku in items {
            let instead = self.product(sku).await?.and_then(|product| instead(&product, sku, (size, colour)));
            // What is not there is left to the rules to refuse.
            wanted.push(instead.unwrap_or_else(|| sku.clone()));
        }
        Ok(Some(wanted))
    }

    /// The pieces an operation takes from an order, and those it wants instead.
    pub(super) async fn pieces_of(
        &self,
        operation: &Operation,
        order: &Order,
    ) -> anyhow::Result<(Vec<Piece>, Vec<Piece>)> {
        let none: &[Sku] = &[];
        let (items, wanted) = match operation {
            Operation::ReturnItems { items, .. } => (items.as_slice(), none),
            Operation::ExchangeItems { items, wanted, .. } | Operation::ChangeItems { items, wanted, .. } => {
                (items.as_slice(), wanted.as_slice())
            }
            _ => (none, none),
        };
        Ok((self.named(items, order).await?, self.named(wanted, order).await?))
    }

    async fn named(&self, skus: &[Sku], order: &Order) -> anyhow::Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        for sku in skus {
            if let Some(known) = pieces.iter_mut().find(|piece| piece.sku == *sku) {
                known.quantity += 1;
                continue;
            }
            let product = self.product(sku).await?;
            let name = product.as_ref().map_or_else(
                || Localised::only(Language::En, sku.as_str()),
                |product| {
                    let variant = product.variants.iter().find(|variant| variant.sku == *sku);
                    naming::of_variant(product, variant, self.colour)
                },
            );
            let held = order.items.iter().find(|item| item.sku == *sku);
            let price = match (held, &product) {
                (Some(item), _) => Money::parse(&item.price, order.currency).ok(),
                (None, Some(product)) => self.offer(product, sku, order).await?.and_then(|offer| offer.price.now()),
                (None, None) => None,
            };
            pieces.push(Piece { sku: sku.clone(), name, quantity: 1, price });
        }
        Ok(pieces)
    }

    async fn product(&self, sku: &Sku) -> anyhow::Result<Option<Product>> {
        let Some((id, _)) = self.desk.catalog.by_code(sku.as_str()).await? else { return Ok(None) };
        Ok(self.desk.catalog.products(&[id]).await?.into_iter().next())
    }

    async fn offer(&self, product: &Product, sku: &Sku, order: &Order) -> anyhow::Result<Option<Offer>> {
        let offers = self.desk.catalog.offers(std::slice::from_ref(&product.id), order.currency).await?;
        Ok(offers.into_iter().find(|offer| offer.sku == *sku))
    }
}

/// The variant with the size and colour that are wanted, the old one's where nothing is said.
fn instead(product: &Product, old: &Sku, (size, colour): (Option<&str>, Option<&str>)) -> Option<Sku> {
    let old = product.variants.iter().find(|variant| variant.sku == *old)?;
    let same = |wanted: Option<&str>, has: &Option<String>, had: &Option<String>| match wanted {
        Some(wanted) => has.as_deref().is_some_and(|has| has.eq_ignore_ascii_case(wanted)),
        None => has == had,
    };
    let fits = |variant: &&Variant| {
        same(size, &variant.size, &old.size) && same(colour, &variant.colour, &old.colour) && variant.sku != old.sku
    };
    product.variants.iter().find(fits).map(|variant| variant.sku.clone())
}

/// The variants that words name, each by words no other shares.
pub fn named_in(words: &str, variants: &[(Sku, Localised)]) -> Vec<Sku> {
    let piece =
        |(sku, name): &(Sku, Localised)| Piece { sku: sku.clone(), name: name.clone(), quantity: 1, price: None };
    meant(words, &variants.iter().map(piece).collect::<Vec<_>>())
}

/// The pieces that are named and not kept; all the others, where only what is kept is named.
fn sent_back(all: &[Sku], (named, kept): (&[Sku], &[Sku])) -> Vec<Sku> {
    let not_kept = |sku: &&Sku| !kept.contains(sku);
    let meant: Vec<Sku> = all.iter().filter(not_kept).filter(|sku| named.contains(sku)).cloned().collect();
    if meant.is_empty() && !kept.is_empty() { all.iter().filter(not_kept).cloned().collect() } else { meant }
}

/// Pieces that words name and no other piece shares those words.
fn meant(words: &str, pieces: &[Piece]) -> Vec<Sku> {
    let mut found: Vec<Sku> = Vec::new();
    for word in split(words) {
        let named: Vec<&Piece> = pieces.iter().filter(|piece| is_named(piece, &word)).collect();
        if let [only] = named.as_slice()
            && !found.contains(&only.sku)
        {
            found.push(only.sku.clone());
        }
    }
    found
}

fn is_named(piece: &Piece, word: &str) -> bool {
    let code = piece.sku.as_str().to_lowercase();
    code == word || piece.name.all().any(|(_, name)| split(name).iter().any(|known| alike(known, word)))
}

/// Words in lower case; Chinese in pairs of characters, because it has no spaces.
fn split(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut words = Vec::new();
    for word in lower.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty()) {
        let signs: Vec<char> = word.chars().collect();
        let han = |c: &char| matches!(*c, '\u{3400}'..='\u{9fff}');
        if signs.iter().any(han) {
            words.extend(
                signs.windows(2).filter(|pair| pair.iter().all(han)).map(|pair| pair.iter().collect::<String>()),
            );
        } else if signs.len() > 2 || signs.iter().any(char::is_ascii_digit) {
            words.push(word.to_string());
        }
    }
    words
}

/// The same word, or two forms of one: long enough a beginning in common.
fn alike(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let common = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let longest = one.chars().count().max(other.chars().count());
    common >= 3 && common * 10 >= longest * 6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: &[&str]) {
        let piece = |sku: &str, ru: &str, sk: &str, zh: &str| Piece {
            sku: sku.into(),
            name: Localised(
                [(Language::Ru, ru.to_string()), (Language::Sk, sk.to_string()), (Language::Zh, zh.to_string())].into(),
            ),
            quantity: 1,
            price: None,
        };
        let pieces = [
            piece("JK-1", "Куртка «Тайга»", "Bunda Tajga", "针叶林外套"),
            piece("MG-1", "Кружка «Тайга»", "Hrnček Tajga", "针叶林马克杯"),
        ];
        let found = meant(words, &pieces);
        assert_eq!(found.iter().map(Sku::as_str).collect::<Vec<_>>(), expected, "{words}");
    }

    #[test]
    fn what_is_kept_is_not_sent_back() {
        let skus = |text: &str| -> Vec<Sku> { text.split_whitespace().map(Sku::from).collect() };
        let check = |named: &str, kept: &str, expected: &str| {
            assert_eq!(
                sent_back(&skus("hat scarf socks"), (&skus(named), &skus(kept))),
                skus(expected),
                "{named}/{kept}"
            );
        };
        check("hat scarf", "scarf", "hat");
        check("scarf", "scarf", "hat socks");
        check("hat", "", "hat");
        check("", "", "");
    }

    #[test]
    fn pieces_are_named_by_what_sets_them_apart() {
        check("куртку", &["JK-1"]);
        check("кружку тайга", &["MG-1"]);
        check("тайга", &[]);
        check("bundu", &["JK-1"]);
        check("hrnček aj bundu", &["MG-1", "JK-1"]);
        check("外套", &["JK-1"]);
        check("mg-1", &["MG-1"]);
        check("лампу", &[]);
    }
}
