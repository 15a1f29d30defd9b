//! Generated attacks: accepted replies with one thing changed - a digit, the currency, the role, the product -
//! under many disguises. Every mutant must be refused and every twin without a change accepted.
//! `TRUETILL_MUTANTS=100000` runs more of them.

use jiff::civil::date;

use crate::domain::fact::OfferFact;
use crate::domain::product::Quote;
use crate::domain::{
    Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Money, Offer, ProductId, Role, SegmentKind, Sku,
    Span,
};

use super::{Ledger, Verdict, tests::GUARD};

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

struct Shop {
    language: Language,
    code: &'static str,
    names: [&'static str; 6],
    lines: &'static [&'static str],
    swapped: &'static [&'static str],
}

const SHOPS: [Shop; 4] = [
    Shop {
        language: Language::Ru,
        code: "KZT",
        names: [
            "чайник «Волна»",
            "чайник «Бриз»",
            "термос «Алтай»",
            "кастрюля «Искра»",
            "утюг «Метель»",
            "миксер «Вихрь»",
        ],
        lines: &["{n} — {p}.", "{n} стоит {p}.", "Цена: {n} — {p}.", "Сейчас {n} за {p}."],
        swapped: &["{n} — {q}, а {m} — {p}.", "{n}: {q}\n{m}: {p}", "| {n} | {q} |\n| {m} | {p} |"],
    },
    Shop {
        language: Language::Sk,
        code: "EUR",
        names: ["hrnček Tatry", "hrnček Dunaj", "čajník Poprad", "lampa Orava", "deka Liptov", "taška Zemplín"],
        lines: &["{n} — {p}.", "{n} stojí {p}.", "{n} je za {p}.", "{n}: {p}"],
        swapped: &["{n} stojí {q} a {m} stojí {p}.", "{n}: {q}\n{m}: {p}"],
    },
    Shop {
        language: Language::En,
        code: "USD",
        names: [
            "Trailhead 45 backpack",
            "Summit 60 backpack",
            "Volt e-bike",
            "Harbor lamp",
            "Cedar desk",
            "Ridge tent",
        ],
        lines: &["{n} — {p}.", "The {n} costs {p}.", "The {n} is {p} now.", "{n}: {p}"],
        swapped: &["The {n} is {q} and the {m} is {p}.", "{n}: {q}\n{m}: {p}"],
    },
    Shop {
        language: Language::Zh,
        code: "CNY",
        names: ["水壶“清风”", "水壶“云海”", "台灯“月光”", "背包“远山”", "雨伞“江南”", "茶杯“竹影”"],
        lines: &["{n}售价{p}。", "{n}：{p}。", "{n}的价格是{p}。"],
        swapped: &["{n}{q}，{m}{p}。", "{n}和{m}分别是{q}和{p}。"],
    },
];

fn written(language: Language, minor: i64) -> String {
    let (whole, cents) = (minor / 100, minor % 100);
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(if matches!(language, Language::En | Language::Zh) { ',' } else { '\u{a0}' });
        }
        grouped.push(digit);
    }
    match language {
        Language::Ru => format!("{grouped} ₸"),
        Language::Sk => format!("{grouped},{cents:02} €"),
        Language::En => format!("${grouped}.{cents:02}"),
        Language::Zh => format!("{grouped}元"),
    }
}

fn prices(shop: &Shop, dice: &mut Dice) -> Vec<Money> {
    let currency = shop.code.parse().unwrap();
    let mut found: Vec<i64> = Vec::new();
    while found.len() < shop.names.len() {
        let whole = (dice.roll(89_000) + 11) as i64 * 100;
        let minor =
            if matches!(shop.language, Language::Sk | Language::En) { whole + dice.roll(99) as i64 + 1 } else { whole };
        if !found.contains(&minor) {
            found.push(minor);
        }
    }
    found.into_iter().map(|minor| Money::new(minor, currency)).collect()
}

fn fact(shop: &Shop, index: usize, now: Money) -> Fact {
    let product = ProductId(format!("p{index}"));
    let name = Localised::only(shop.language, shop.names[index]);
    let as_of = date(2026, 11, 21).at(10, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let old = Money::new(now.minor + 70_000, now.currency);
    let price = Quote::Known { now, old: Some(old), until: None };
    let sku = Sku(format!("SKU-{index}"));
    let offer = Offer { product: product.clone(), sku, size: None, colour: None, price, stock: Vec::new(), as_of };
    let body = OfferFact {
        product,
        name,
        summary: Localised::default(),
        colour: Localised::default(),
        offer,
        places: Vec::new(),
        details: Vec::new(),
    };
    Fact { id: FactId(format!("offer:{index}")), body: FactBody::Offer(body), source: "test".to_string(), as_of }
}

/// The facts of the English shop.
pub(super) fn facts() -> Vec<Fact> {
    let prices = prices(&SHOPS[2], &mut Dice(3));
    prices.into_iter().enumerate().map(|(index, now)| fact(&SHOPS[2], index, now)).collect()
}

/// The name and the price of an offer of [`facts`], as a reply tells them.
pub(super) fn told(fact: &Fact) -> (String, String) {
    let FactBody::Offer(offer) = &fact.body else { return (String::new(), String::new()) };
    let price = offer.offer.price.now().map(|money| written(Language::En, money.minor));
    (offer.name.get(Language::En).to_string(), price.unwrap_or_default())
}

/// Changes the amount: another digit, one less, one more.
fn edited(minor: i64, whole_only: bool, dice: &mut Dice) -> i64 {
    let unit = if whole_only { 100 } else { 1 };
    let digits: Vec<char> = (minor / unit).to_string().chars().collect();
    let at = dice.roll(digits.len());
    let mut changed = digits.clone();
    match dice.roll(4) {
        0 if digits.len() > 1 && at > 0 => {
            changed.remove(at);
        }
        1 => changed.insert(at + 1, char::from(b'0' + dice.roll(10) as u8)),
        _ => {
            let step = 1 + dice.roll(9) as u32;
            let digit = (digits[at].to_digit(10).unwrap() + step) % 10;
            changed[at] = char::from_digit(
                if at == 0 && digit == 0 { (digits[0].to_digit(10).unwrap() % 9) + 1 } else { digit },
                10,
            )
            .unwrap();
        }
    }
    changed.into_iter().collect::<String>().parse::<i64>().unwrap() * unit
}

const DISGUISES: usize = 16;

/// The same amount as it would slip past a pattern.
fn disguised(text: &str, kind: usize) -> String {
    let each = |map: &dyn Fn(char) -> String| text.chars().map(map).collect::<String>();
    let digit = |base: u32| {
        move |c: char| c.to_digit(10).map_or(c.to_string(), |d| char::from_u32(base + d).unwrap().to_string())
    };
    match kind {
        1 => each(&digit(0xFF10)),
        2 => each(&|c| if c.is_ascii_digit() { format!("{c}\u{200b}") } else { c.to_string() }),
        3 => each(&digit(0x660)),
        4 => each(&digit(0x1D7CE)),
        5 => each(&|c| if c.is_ascii_digit() { format!("&#{};", c as u32) } else { c.to_string() }),
        6 => each(&|c| if c.is_ascii_digit() { format!("&amp;#x{:x};", c as u32) } else { c.to_string() }),
        7 => text.replace(['\u{a0}', ','], "\u{2009}"),
        8 => text.replace('0', "O").replace('1', "l"),
        9 => each(&|c| if c.is_ascii_digit() { format!("{c}\u{fe0f}\u{20e3}") } else { c.to_string() }),
        10 => format!("**{text}**"),
        11 => format!("\u{202e}{text}\u{202c}"),
        12 => each(&|c| if c.is_ascii_digit() { format!("{c} ") } else { c.to_string() }),
        13 => each(&digit(0x2080)),
        14 => each(&|c| if c.is_ascii_digit() { format!("{c}\u{2060}") } else { c.to_string() }),
        15 => each(&digit(0x966)),
        _ => text.to_string(),
    }
}

fn fill(line: &str, values: [(&str, &str); 4]) -> String {
    values.iter().fold(line.to_string(), |text, (slot, value)| text.replace(slot, value))
}

fn other_currency(text: &str, dice: &mut Dice) -> String {
    let signs = ["₸", "€", "$", "元"];
    let own = signs.iter().find(|sign| text.contains(**sign)).unwrap();
    let others = ["₽", "£", "Kč", "₴", "CHF", "zł", "тенге", "eur", "USD", "руб.", "日元", "¥"];
    let alike: &[&str] = match *own {
        "₸" => &["тенге"],
        "€" => &["eur"],
        "$" => &["USD"],
        _ => &["¥"],
    };
    let fit: Vec<&str> = others.into_iter().filter(|other| !alike.contains(other)).collect();
    text.replace(*own, &format!(" {} ", fit[dice.roll(fit.len())]))
}

/// Another seed through `TRUETILL_SEED` shows mutants nobody has seen.
fn dice(seed: u64) -> Dice {
    Dice(std::env::var("TRUETILL_SEED").ok().and_then(|other| other.parse().ok()).unwrap_or(0) + seed)
}

fn count(default: usize) -> usize {
    std::env::var("TRUETILL_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(default)
}

fn report(what: &str, tried: usize, wrong: &[String]) {
    eprintln!("{what}: {tried} tried, {} wrong", wrong.len());
    let sample: Vec<&String> = wrong.iter().step_by(wrong.len() / 12 + 1).collect();
    assert!(wrong.is_empty(), "{what}: {} of {tried}: {sample:#?}", wrong.len());
}

#[test]
fn mutants_of_free_text_are_refused() {
    let (guard, mut dice) = (&GUARD, dice(7));
    let (mut escaped, mut refused, mut tried) = (Vec::new(), Vec::new(), 0);
    let total = count(20_000);
    while tried < total {
        let shop = &SHOPS[dice.roll(SHOPS.len())];
        let prices = prices(shop, &mut dice);
        let facts: Vec<Fact> = prices.iter().enumerate().map(|(index, now)| fact(shop, index, *now)).collect();
        let ledger = Ledger::from_facts(&facts, "");
        for (index, now) in prices.iter().enumerate() {
            let line = shop.lines[dice.roll(shop.lines.len())];
            let say =
                |amount: &str| fill(line, [("{n}", shop.names[index]), ("{p}", amount), ("{m}", ""), ("{q}", "")]);
            let honest = say(&written(shop.language, now.minor));
            if let Err(fault) = guard.check_text(shop.language, &ledger, &honest) {
                refused.push(format!("{honest}: {fault:?}"));
            }
            for kind in 0..DISGUISES {
                let whole = matches!(shop.language, Language::Ru | Language::Zh);
                let changed = edited(now.minor, whole, &mut dice);
                let amount = match dice.roll(8) {
                    0 => other_currency(&written(shop.language, now.minor), &mut dice),
                    1 => written(shop.language, now.minor + 70_000),
                    _ if changed == now.minor => continue,
                    _ => written(shop.language, changed),
                };
                let mutant = say(&disguised(&amount, kind));
                tried += 1;
                if guard.check_text(shop.language, &ledger, &mutant).is_ok() {
                    escaped.push(format!("{mutant} (true {now}, disguise {kind})"));
                }
            }
        }
    }
    report("mutants of free text that escaped", tried, &escaped);
    report("honest twins refused", tried / DISGUISES, &refused);
}

#[test]
fn swapped_prices_are_refused() {
    let (guard, mut dice) = (&GUARD, dice(11));
    let (mut escaped, mut refused, mut tried) = (Vec::new(), Vec::new(), 0);
    let total = count(20_000) / 10;
    while tried < total {
        let shop = &SHOPS[dice.roll(SHOPS.len())];
        let prices = prices(shop, &mut dice);
        let facts: Vec<Fact> = prices.iter().enumerate().map(|(index, now)| fact(shop, index, *now)).collect();
        let ledger = Ledger::from_facts(&facts, "");
        for first in 0..prices.len() {
            for second in (0..prices.len()).filter(|second| *second != first) {
                let line = shop.swapped[dice.roll(shop.swapped.len())];
                let (p, q) =
                    (written(shop.language, prices[first].minor), written(shop.language, prices[second].minor));
                let say = |p: &str, q: &str| {
                    fill(line, [("{n}", shop.names[first]), ("{m}", shop.names[second]), ("{p}", p), ("{q}", q)])
                };
                tried += 1;
                if guard.check_text(shop.language, &ledger, &say(&p, &q)).is_ok() {
                    escaped.push(say(&p, &q));
                }
                if let Err(fault) = guard.check_text(shop.language, &ledger, &say(&q, &p)) {
                    refused.push(format!("{}: {fault:?}", say(&q, &p)));
                }
            }
        }
    }
    report("swaps that escaped", tried, &escaped);
    report("unswapped twins refused", tried, &refused);
}

/// A draft out of pieces, each with the fact it renders.
pub(super) fn draft(language: Language, pieces: &[(&str, Option<(usize, Role)>)]) -> Draft {
    let (mut text, mut spans) = (String::new(), Vec::new());
    for (piece, origin) in pieces {
        let start = text.len();
        text.push_str(piece);
        if let Some((index, role)) = origin {
            spans.push(Span { range: start..text.len(), fact: FactId(format!("offer:{index}")), role: *role });
        }
    }
    Draft { language, segments: vec![DraftSegment { kind: SegmentKind::Offer, text, spans }] }
}

/// Two products of a shop with their prices, as drafts tell them.
struct Pair<'a> {
    shop: &'a Shop,
    a: usize,
    b: usize,
    price_a: String,
    price_b: String,
    old_a: String,
}

type Piece<'a> = (&'a str, Option<(usize, Role)>);

impl Pair<'_> {
    fn name_a(&self) -> Piece<'_> {
        (self.shop.names[self.a], Some((self.a, Role::Name)))
    }

    fn name_b(&self) -> Piece<'_> {
        (self.shop.names[self.b], Some((self.b, Role::Name)))
    }

    fn draft(&self, pieces: &[Piece<'_>]) -> Draft {
        draft(self.shop.language, pieces)
    }

    /// What is true of the two.
    fn twins(&self) -> [Draft; 3] {
        let (name_a, name_b, price_a) = (self.name_a(), self.name_b(), (&*self.price_a, Some((self.a, Role::Price))));
        let (old_a, price_b) =
            ((&*self.old_a, Some((self.a, Role::OldPrice))), (&*self.price_b, Some((self.b, Role::Price))));
        [
            self.draft(&[name_a, (" — ", None), price_a, (".", None)]),
            self.draft(&[name_a, (": ", None), price_a, (", ", None), old_a]),
            self.draft(&[name_a, (": ", None), price_a, ("; ", None), name_b, (": ", None), price_b]),
        ]
    }

    /// What is not; `lie` and `foreign` are other amounts than the price.
    fn lies(&self, lie: &str, foreign: &str) -> [Draft; 12] {
        let (a, b) = (self.a, self.b);
        let (price_a, price_b, old_a): (&str, &str, &str) = (&self.price_a, &self.price_b, &self.old_a);
        let dash = (" — ", None);
        let told = |amount, (row, role)| self.draft(&[self.name_a(), dash, (amount, Some((row, role)))]);
        let true_a = (price_a, Some((a, Role::Price)));
        [
            told(lie, (a, Role::Price)),
            told(foreign, (a, Role::Price)),
            told(price_b, (b, Role::Price)),
            told(price_b, (a, Role::Price)),
            told(old_a, (a, Role::Price)),
            told(price_a, (a, Role::OldPrice)),
            self.draft(&[self.name_b(), dash, true_a]),
            self.draft(&[
                self.name_a(),
                ("; ", None),
                self.name_b(),
                (": ", None),
                true_a,
                ("; ", None),
                (price_b, Some((b, Role::Price))),
            ]),
            self.draft(&[self.name_a(), dash, true_a, (" / ", None), (lie, None)]),
            self.draft(&[self.name_a(), dash, (price_a, None)]),
            self.draft(&[(self.shop.names[b], Some((a, Role::Name))), dash, true_a]),
            self.draft(&[true_a]),
        ]
    }
}

#[test]
fn mutants_of_drafts_are_refused() {
    let (guard, mut dice) = (&GUARD, dice(13));
    let (mut escaped, mut refused, mut tried) = (Vec::new(), Vec::new(), 0);
    let total = count(20_000);
    while tried < total {
        let shop = &SHOPS[dice.roll(SHOPS.len())];
        let prices = prices(shop, &mut dice);
        let facts: Vec<Fact> = prices.iter().enumerate().map(|(index, now)| fact(shop, index, *now)).collect();
        let (a, b) = (dice.roll(3), 3 + dice.roll(3));
        let write = |minor: i64| written(shop.language, minor);
        let (price_a, price_b, old_a) =
            (write(prices[a].minor), write(prices[b].minor), write(prices[a].minor + 70_000));
        let whole = matches!(shop.language, Language::Ru | Language::Zh);
        let changed = edited(prices[a].minor, whole, &mut dice);
        let changed = if changed == prices[a].minor { changed + 100 } else { changed };
        let lie = disguised(&write(changed), dice.roll(DISGUISES));
        let foreign = other_currency(&price_a, &mut dice);
        let pair = Pair { shop, a, b, price_a, price_b, old_a };
        for twin in pair.twins() {
            if let Verdict::Rejected(rejection) = guard.check(twin, &facts, "") {
                refused.push(format!("{rejection:?}"));
            }
        }
        for mutant in pair.lies(&lie, &foreign) {
            tried += 1;
            if let Verdict::Accepted(reply) = guard.check(mutant, &facts, "") {
                escaped.push(format!("{} (true {})", reply.text(), prices[a]));
            }
        }
    }
    report("mutants of drafts that escaped", tried, &escaped);
    report("honest drafts refused", tried / 4, &refused);
}
