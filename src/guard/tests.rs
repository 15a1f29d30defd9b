//! What the guard as a whole must do, beside the catalogue and the mutants: price strings nobody here wrote,
//! any text at all, and the shape of a checked reply.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::domain::{Language, Role};

use super::cases::tests::shared;
use super::{Code, Guard, Ledger, Verdict, mutants};

/// One guard for all tests: to read its tables takes longer than to judge most texts.
pub(super) static GUARD: LazyLock<Guard> = LazyLock::new(Guard::new);

fn ledger(amount: &str, currency: &str) -> Ledger {
    let row = serde_json::json!([{"sku": "VLT", "name": "Volt", "price": amount, "currency": currency}]);
    Ledger::from_case(&row.to_string()).unwrap()
}

fn language(locale: &str) -> Language {
    locale.parse().unwrap_or(Language::En)
}

#[test]
fn price_strings_of_every_locale_are_read_right_or_refused() {
    let Some(file) = shared("price_cldr.tsv") else { return };
    let guard = &GUARD;
    let (mut missed, mut wrong, mut read, mut all) = (Vec::new(), Vec::new(), 0, 0);
    for row in file.lines().skip(1) {
        let column: Vec<&str> = row.split('\t').collect();
        let [locale, currency, amount, _, text] = column.as_slice() else { panic!("{row}") };
        all += 1;
        if guard.check_text(language(locale), &Ledger::default(), text).is_ok() {
            missed.push(row.to_string());
        }
        let said = format!("Volt: {text}");
        let other = format!("{}1", amount.split('.').next().unwrap());
        if guard.check_text(language(locale), &ledger(&other, currency), &said).is_ok() {
            wrong.push(row.to_string());
        }
        // CLDR prints yen with decimals the currency does not have.
        let exact = crate::domain::Money::parse(amount, currency.parse().unwrap());
        read +=
            usize::from(exact.is_ok() && guard.check_text(language(locale), &ledger(amount, currency), &said).is_ok());
    }
    eprintln!("price_cldr: {all} strings, {read} read exactly, {} missed, {} read wrong", missed.len(), wrong.len());
    assert!(missed.is_empty() && wrong.is_empty(), "missed {missed:#?}\nwrong {wrong:#?}");
}

#[test]
fn spelled_prices_are_read_right_or_refused() {
    let Some(file) = shared("price_spelled_out.tsv") else { return };
    let guard = &GUARD;
    let (mut missed, mut wrong, mut read, mut all) = (Vec::new(), Vec::new(), 0, 0);
    for row in file.lines().skip(1) {
        let column: Vec<&str> = row.split('\t').collect();
        let [lang, currency, amount, _, text] = column.as_slice() else { panic!("{row}") };
        // A lone "one" is an article in half of these languages.
        if *amount == "1" && currency.is_empty() {
            continue;
        }
        all += 1;
        if guard.check_text(language(lang), &Ledger::default(), text).is_ok() {
            missed.push(row.to_string());
        }
        if currency.is_empty() {
            continue;
        }
        let said = format!("Volt: {text}");
        let other = format!("{}1", amount.split('.').next().unwrap());
        if guard.check_text(language(lang), &ledger(&other, currency), &said).is_ok() {
            wrong.push(row.to_string());
        }
        read += usize::from(guard.check_text(language(lang), &ledger(amount, currency), &said).is_ok());
    }
    eprintln!(
        "price_spelled_out: {all} strings, {read} read exactly, {} missed, {} read wrong",
        missed.len(),
        wrong.len()
    );
    assert!(missed.is_empty() && wrong.is_empty(), "missed {missed:#?}\nwrong {wrong:#?}");
}

#[test]
fn real_price_strings_are_never_overlooked() {
    let Some(file) = shared("price_parser_cases.jsonl") else { return };
    let guard = &GUARD;
    let (mut missed, mut all) = (Vec::new(), 0);
    for row in file.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let text = row["price_raw"].as_str().unwrap_or("");
        if row["amount"].is_null() || !text.chars().any(char::is_numeric) {
            continue;
        }
        all += 1;
        if guard.check_text(Language::En, &Ledger::default(), text).is_ok() {
            missed.push(text.to_string());
        }
    }
    eprintln!("price_parser_cases: {all} strings with an amount, {} let through without a fact", missed.len());
    assert!(missed.is_empty(), "{} of {all}: {missed:#?}", missed.len());
}

#[test]
fn a_checked_reply_is_the_draft_it_was() {
    let pieces = [("Voda", None), (" dobrá", None)];
    let draft = mutants::draft(Language::Sk, &pieces);
    let Verdict::Accepted(reply) = GUARD.check(draft, &[], "") else { panic!("refused") };
    assert_eq!(reply.text(), "Voda dobrá");
    assert_eq!(reply.segments().len(), 1);
    let draft = mutants::draft(Language::Sk, &[("Voda", Some((0, Role::Name)))]);
    let Verdict::Rejected(rejection) = GUARD.check(draft, &[], "") else { panic!("an unknown fact passed") };
    assert_eq!(rejection.violations[0].code, Code::BadSpan);
}

#[test]
fn stock_and_delivery_need_a_fact_where_facts_are_complete() {
    let facts = mutants::facts();
    let guard = &GUARD;
    let check = |language: Language, text: &str, expected: bool| {
        let verdict = guard.check_text(language, &Ledger::from_facts(&facts, ""), text);
        assert_eq!(verdict.is_ok(), expected, "{text}: {verdict:?}");
    };
    check(Language::En, "We have 12 pieces left.", false);
    check(Language::En, "It ships in 2 days.", false);
    check(Language::En, "Delivery in 2 days.", false);
    check(Language::Ru, "Осталось 3 штуки.", false);
    check(Language::Ru, "Доставим за 2 дня.", false);
    check(Language::Sk, "Máme 7 kusov.", false);
    check(Language::Sk, "Doručíme do 24 hodín.", false);
    check(Language::Zh, "库存还有5件。", false);
    check(Language::Zh, "3天内发货。", false);
    check(Language::En, "It has 3 pockets and holds 45 litres.", true);
}

#[test]
fn a_draft_may_repeat_the_shoppers_own_measure_and_nothing_else() {
    let guard = &GUARD;
    let check = |text: &str, shopper: &str, expected: bool| {
        let verdict = guard.check(mutants::draft(Language::En, &[(text, None)]), &[], shopper);
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), expected, "{text}: {verdict:?}");
    };
    check("You asked for 45 litres.", "a backpack of 45 litres please", true);
    check("You asked for 45 litres.", "a backpack of 40 litres please", false);
    check("It holds 45 litres.", "a backpack of 45 litres please", false);
    check("You asked for 45 dollars.", "I pay 45 dollars", false);
    check("You asked for 90 days to return it.", "90 days to return it", false);
    check("You need 2 pieces, they are in stock.", "2 pieces", false);
    check("They cost the same.", "", false);
}

#[test]
fn a_sentence_without_an_end_is_not_judged() {
    let check = |words: usize, claim: &str, expected: bool| {
        let text = format!("{claim}{}.", " light".repeat(words));
        let verdict = GUARD.check_text(Language::En, &Ledger::default(), &text);
        assert_eq!(verdict.is_ok(), expected, "{words}: {verdict:?}");
    };
    check(397, "3 pockets", true);
    check(398, "3 pockets", false);
    check(398, "Pockets", true);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_up_to_64_kb_end_in_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..65_536)) {
        let guard = &GUARD;
        let text = String::from_utf8_lossy(&bytes);
        let _ = guard.check_text(Language::Ru, &ledger("24.90", "EUR"), &text);
        let _ = guard.check(mutants::draft(Language::Zh, &[(&text, None)]), &[], &text);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), priced in "[0-9 .,$€₸тысяч百万元йa-z\u{200b}&#;<]{0,40}") {
        let guard = &GUARD;
        let ledger = ledger("24.90", "EUR");
        for said in [&text, &priced] {
            for language in Language::ALL {
                if let Err(fault) = guard.check_text(language, &ledger, said) {
                    prop_assert!(said.get(fault.at.clone()).is_some(), "{:?} of {said:?}", fault.at);
                }
            }
        }
    }

    #[test]
    fn an_accepted_draft_is_the_sum_of_its_segments(parts in prop::collection::vec("[a-zа-я€7 ]{0,8}", 1..4)) {
        let guard = &GUARD;
        let segments = parts.iter().flat_map(|part| mutants::draft(Language::Ru, &[(part, None)]).segments).collect();
        let draft = crate::domain::Draft { language: Language::Ru, segments };
        if let Verdict::Accepted(reply) = guard.check(draft, &[], "") {
            prop_assert_eq!(reply.text(), parts.join("\n"));
        }
    }
}
