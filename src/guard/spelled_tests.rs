//! Prices in words, 1 to 1,000,000, four languages: each is seen, and read as what it is or refused.
//! `TRUETILL_SPELLED=20000` tries more numbers per language; `TRUETILL_SEED` others.

use crate::domain::Language;

use super::spelled::{CASES, chinese, english, russian, russian_price, shortened, slovak};
use super::tests::GUARD;
use super::{Guard, Ledger};

struct Tally {
    tried: usize,
    read: usize,
    overlooked: Vec<String>,
    wrong: Vec<String>,
}

/// One price in words: without a fact it must be refused, with its own fact read or refused, never read as another.
fn judge(guard: &Guard, tally: &mut Tally, language: Language, (number, words, code): (usize, &str, &str)) {
    let ledger = |amount: usize| {
        let row = serde_json::json!([{"sku": "VLT", "name": "Volt", "price": amount.to_string(), "currency": code}]);
        Ledger::from_case(&row.to_string()).unwrap()
    };
    let said = format!("Volt: {words}");
    tally.tried += 1;
    if guard.check_text(language, &Ledger::default(), words).is_ok() {
        tally.overlooked.push(words.to_string());
    }
    for other in [number + 1, number * 10, number / 10 + 1000, number % 1000 + 1_000_000] {
        if other != number && guard.check_text(language, &ledger(other), &said).is_ok() {
            tally.wrong.push(format!("{words} as {other}"));
        }
    }
    tally.read += usize::from(guard.check_text(language, &ledger(number), &said).is_ok());
}

/// Everything up to 1,200, then numbers all over the range, every thousand's own among them.
fn numbers(seed: u64) -> Vec<usize> {
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let count = setting("TRUETILL_SPELLED").unwrap_or(3000) as usize;
    let mut state = seed + setting("TRUETILL_SEED").unwrap_or(0);
    let mut roll = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut found: Vec<usize> = (1..=1200).chain([10_000, 100_000, 999_999, 1_000_000]).collect();
    found.extend((0..count).map(|_| 1 + roll() % 1_000_000));
    found.extend((0..count / 4).map(|_| (1 + roll() % 999) * 10_usize.pow((roll() % 4) as u32)));
    found
}

fn report(language: Language, tally: Tally) {
    let Tally { tried, read, overlooked, wrong } = tally;
    eprintln!(
        "spelled {language}: {tried} prices, {} overlooked, {} read wrong, {read} read exactly",
        overlooked.len(),
        wrong.len()
    );
    let some = |list: &[String]| list.iter().step_by(list.len() / 12 + 1).cloned().collect::<Vec<_>>();
    assert!(overlooked.is_empty() && wrong.is_empty(), "{:#?} {:#?}", some(&overlooked), some(&wrong));
}

fn spelled(language: Language, say: impl Fn(usize, usize) -> Vec<(String, &'static str)>) {
    let guard = &GUARD;
    let mut tally = Tally { tried: 0, read: 0, overlooked: Vec::new(), wrong: Vec::new() };
    for (index, number) in numbers(language as u64).into_iter().enumerate() {
        for (words, code) in say(number, index) {
            judge(guard, &mut tally, language, (number, &words, code));
        }
    }
    report(language, tally);
}

#[test]
fn russian_prices_in_words_are_seen() {
    assert_eq!(russian(21_834, 4, 0, false), "двадцатью одной тысячей восемьюстами тридцатью четырьмя");
    assert_eq!(russian_price(41, 1, 1).0, "сорока одной кроны");
    assert_eq!(russian_price(2_519, 0, 0).0, "две тысячи пятьсот девятнадцать рублей");
    spelled(Language::Ru, |number, index| {
        let case = index % CASES;
        vec![russian_price(number, case, index / CASES % 6), russian_price(number, 0, 0)]
    });
}

#[test]
fn slovak_prices_in_words_are_seen() {
    assert_eq!(slovak(2_345, 0), "dvetisíctristoštyridsaťpäť");
    assert_eq!(slovak(27, 3), "dvadsiatich siedmich");
    assert_eq!(slovak(31_216, 2), "tridsať jeden tisíc dvesto šestnásť");
    spelled(Language::Sk, |number, index| {
        let unit = |style: usize| match (style, number) {
            (3.., _) => ["eur", "eurám", "eurách", "eurami"][style - 3],
            (_, 1) => "euro",
            (_, 2..=4) => "eurá",
            _ => "eur",
        };
        [index % 3, 3 + index % 4].map(|style| (format!("{} {}", slovak(number, style), unit(style)), "EUR")).to_vec()
    });
}

#[test]
fn english_prices_in_words_are_seen() {
    assert_eq!(english(12_345, 1), "twelve thousand three hundred and forty-five");
    assert_eq!(english(2_500, 4), "twenty five hundred");
    assert_eq!(english(100_007, 1), "one hundred thousand and seven");
    spelled(Language::En, |number, index| {
        let unit = ["dollars", "US dollars", "USD"][index % 3];
        [index % 2, 2 + index % 3].map(|style| (format!("{} {unit}", english(number, style)), "USD")).to_vec()
    });
}

#[test]
fn chinese_prices_in_words_are_seen() {
    assert_eq!(chinese(20_305, 0), "二万零三百零五");
    assert_eq!(chinese(215_000, 1), "贰拾壹万伍仟");
    assert_eq!(chinese(100_010, 0), "一十万零一十");
    assert_eq!(shortened(2_500).as_deref(), Some("二千五"));
    spelled(Language::Zh, |number, index| {
        let unit = ["元", "块钱", "块", "人民币", "元整"][index % 5];
        let mut said = vec![(format!("{}{unit}", chinese(number, index % 5)), "CNY")];
        said.push((format!("{}圆整", chinese(number, 1)), "CNY"));
        said.extend(shortened(number).map(|words| (format!("{words}块"), "CNY")));
        said
    });
}
