//! Drafts built out of bytes: names, prices and raw stretches in any order, with true and false spans. The guard never
//! panics; in a draft it accepts no currency sign stands outside a span, and a price span holds its fact's figures.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use truetill::domain::fact::OfferFact;
use truetill::domain::product::Quote;
use truetill::domain::{
    Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Money, Offer, ProductId, Role, SegmentKind, Sku,
    Span,
};
use truetill::guard::{Guard, Verdict};

static GUARD: LazyLock<Guard> = LazyLock::new(Guard::new);
const NAMES: [&str; 3] = ["Volt e-bike", "чайник «Волна»", "水壶“清风”"];
const PRICES: [(i64, &str); 3] = [(2_490, "24,90 €"), (1_499_055, "14 990,55 €"), (19_999, "€199.99")];
const ROLES: [Role; 6] = [Role::Price, Role::OldPrice, Role::Name, Role::Stock, Role::Sku, Role::SaleUntil];

static FACTS: LazyLock<Vec<Fact>> = LazyLock::new(|| {
    let fact = |index: usize| {
        let product = ProductId(format!("p{index}"));
        let now = Money::new(PRICES[index].0, "EUR".parse().expect("a currency"));
        let as_of = Default::default();
        let offer = Offer {
            product: product.clone(),
            sku: Sku(format!("SKU-{index}")),
            size: None,
            colour: None,
            price: Quote::Known { now, old: None, until: None },
            stock: Vec::new(),
            as_of,
        };
        let body = OfferFact {
            product,
            name: Localised::only(Language::En, NAMES[index]),
            summary: Localised::default(),
            colour: Localised::default(),
            offer,
            places: Vec::new(),
        };
        Fact { id: FactId(format!("offer:{index}")), body: FactBody::Offer(body), source: String::new(), as_of }
    };
    (0..3).map(fact).collect()
});

fn figures(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let (mut text, mut spans, mut rest) = (String::new(), Vec::<Span>::new(), bytes);
    while let [order, tail @ ..] = rest {
        let index = usize::from(order % 3);
        let (raw, after) = tail.split_at(tail.len().min(usize::from(order >> 5) * 3));
        let raw = String::from_utf8_lossy(raw);
        rest = after;
        let (piece, role) = match order / 3 % 5 {
            0 => (NAMES[index].to_string(), Some(Role::Name)),
            1 => (PRICES[index].1.to_string(), Some(Role::Price)),
            2 => (raw.to_string(), Some(ROLES[usize::from(order / 15 % 6)])),
            _ => (raw.to_string(), None),
        };
        let start = text.len();
        text.push_str(&piece);
        if let Some(role) = role {
            spans.push(Span { range: start..text.len(), fact: FactId(format!("offer:{index}")), role });
        }
    }
    let segment = DraftSegment { kind: SegmentKind::Offer, text: text.clone(), spans: spans.clone() };
    let draft = Draft { language: Language::Sk, segments: vec![segment] };
    if let Verdict::Accepted(reply) = GUARD.check(draft, &FACTS, "") {
        assert_eq!(reply.text(), text);
        let outside = |at: usize| !spans.iter().any(|span| span.range.contains(&at));
        let sign = |sign: char| matches!(sign, '$' | '€' | '£' | '¥' | '₽' | '₸');
        assert!(!text.char_indices().any(|(at, c)| sign(c) && outside(at)), "a currency outside every span: {text:?}");
        for span in spans.iter().filter(|span| span.role == Role::Price) {
            let index = span.fact.0.bytes().last().map_or(0, |byte| usize::from(byte - b'0'));
            let told = figures(&text[span.range.clone()]);
            assert!(told.is_empty() || told == PRICES[index].0.to_string(), "{told} for {:?}", PRICES[index]);
        }
    }
});
