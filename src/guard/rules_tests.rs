//! Each rule of free text with what it lets stand and what it refuses, and for which reason: where a second rule would
//! refuse the same text, the reason tells them apart.

use crate::domain::Language;

use super::Ledger;
use super::tests::GUARD;

const SHOP: &str = r#"[{"sku":"KT-100","name":"Volt kettle","price":"24.90","currency":"EUR","attrs":["gu11","1.7 l"]},
    {"sku":"LP-2","name":"Steam lamp","price":"60.00","currency":"EUR","old_price":"75.00"},
    {"sku":"@ship","name":"delivery","price":"3.90","currency":"EUR"},
    {"sku":"@free_ship_from","name":"free delivery from","price":"50","currency":"EUR"},
    {"sku":"@user","name":"message","text":"I have 80 EUR"}]"#;

/// What is judged otherwise than expected: `ok`, a reason, or `no` for any.
fn wrong(language: Language, ledger: &Ledger, (text, expected): (&str, &str)) -> Option<String> {
    let found = GUARD.check_text(language, ledger, text);
    let said = found.as_ref().map_or_else(|fault| fault.code.as_str(), |()| "ok");
    let right = said == expected || (expected == "no" && said != "ok");
    (!right).then(|| format!("{text}: {found:?}, not {expected}"))
}

pub(super) fn all(language: Language, facts: &str, rows: &[(&str, &str)]) {
    let ledger = Ledger::from_case(facts).unwrap();
    let wrong: Vec<String> = rows.iter().filter_map(|row| wrong(language, &ledger, *row)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_beside_an_amount() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle is 24.90 EUR.", "ok"),
            ("The Volt kettle is about 24.90 EUR.", "price_mismatch"),
            ("The Volt kettle is not 24.90 EUR.", "price_talk"),
            ("The Volt kettle is 24.90 EUR for half.", "price_talk"),
            ("The Volt kettle is 24.90 EUR next week.", "price_talk"),
            ("The deposit for the Volt kettle is 24.90 EUR.", "role_mismatch"),
            ("The Volt lamp is 24.90 EUR.", "unbound_price"),
            ("Our lamp, the Steam lamp, is 60 EUR.", "ok"),
            ("A nice gadget: the Volt kettle is 24.90 EUR.", "unbound_price"),
            ("The Volt kettle is ~ 24.90 EUR.", "price_talk"),
            ("The Volt kettle is less than 24.90 EUR.", "price_talk"),
            ("We have 24.90 EUR left of the Volt kettle.", "role_mismatch"),
            ("The Volt kettle of 1.7 l is 24.90 EUR.", "ok"),
            ("The Volt kettle and the Steam lamp are 24.90 EUR.", "unbound_price"),
            ("The Volt kettle is 24.90 EUR and the Steam lamp.", "unbound_price"),
            ("The two Volt kettles are 24.90 EUR.", "unit_mismatch"),
            ("1 Volt kettle is 24.90 EUR.", "ok"),
            ("The Volt kettle is 24.90 EUR per kg.", "unit_mismatch"),
        ],
    );
}

#[test]
fn delivery_beside_an_amount() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle with delivery is 3.90 EUR.", "price_mismatch"),
            ("The Volt kettle, delivery: 3.90 EUR.", "ok"),
            ("Delivery of the Volt kettle is 3.90 EUR.", "ok"),
            ("The Volt kettle: 3.90 EUR, the Steam lamp 60 EUR with delivery.", "no"),
            ("Delivery is free from 50 EUR.", "ok"),
            ("Delivery is free from 3.90 EUR.", "price_mismatch"),
            ("Delivery is 50 EUR.", "price_mismatch"),
            ("The Volt kettle is free, delivery from 50 EUR.", "no"),
        ],
    );
}

#[test]
fn the_shoppers_budget() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle fits your 80 EUR budget.", "ok"),
            ("The Volt kettle fits your 90 EUR budget.", "no"),
            ("The Volt kettle fits the 80 EUR budget.", "no"),
            ("For 80 EUR you could take the Volt kettle at 24.90 EUR.", "ok"),
            ("For 90 EUR you could take the Volt kettle at 24.90 EUR.", "no"),
            ("For 80 EUR you could take the Volt kettle.", "no"),
        ],
    );
}

#[test]
fn what_is_said_of_the_sentence_before() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle is here. It is 24.90 EUR.", "ok"),
            ("The Volt kettle is here. It is 60 EUR.", "price_mismatch"),
            ("The Volt kettle and the Steam lamp are here. It is 24.90 EUR.", "unbound_price"),
            ("The Volt kettle is 24.90 EUR. Forget that.", "price_talk"),
            ("The Volt kettle is 24.90 EUR. It is half that.", "price_talk"),
            ("The Volt kettle is 24.90 EUR. Half of the lid is glass, 3 cm wide.", "no"),
            ("The Volt kettle is 24.90 EUR. The Steam lamp is quiet.", "ok"),
        ],
    );
}

#[test]
fn words_and_signs_that_claim_by_themselves() {
    all(
        Language::En,
        SHOP,
        &[
            ("Take KT-100 today.", "ok"),
            ("Take KT-101 today.", "mixed_token"),
            ("It takes a GU11.", "ok"),
            ("It takes a GU12.", "mixed_token"),
            ("Some percent are gone.", "discount"),
            ("It is %.", "discount"),
            ("We are gifting the Volt kettle.", "zero_price"),
            ("We are gifting ideas.", "ok"),
            ("The Volt kettle costs XL EUR.", "mixed_token"),
            ("The Volt kettle is C 24.90 EUR.", "mixed_token"),
            ("Henry XXIV had one.", "mixed_token"),
            ("The mix is fine.", "ok"),
            ("It has 10 stars.", "ok"),
            ("It has 11 stars.", "unlicensed_number"),
            ("It has 12 arms.", "ok"),
            ("It has 13 arms.", "unlicensed_number"),
            ("The light is 1000 K.", "ok"),
            ("The light is 999 K.", "no"),
            ("It has 3 brightness levels.", "ok"),
            ("Your order number 10421 is ready.", "ok"),
            ("Your order number 10,421 is ready.", "unlicensed_number"),
            ("Your order number twelve is ready.", "number_word"),
            ("We have sizes 41, 42 and 43.", "ok"),
            ("We have sizes 41, 42 and 79.", "unlicensed_number"),
            ("We have sizes 41, 42 and 41.", "unlicensed_number"),
        ],
    );
}

#[test]
fn figures_that_look_like_a_time() {
    all(
        Language::En,
        SHOP,
        &[
            ("We open at 14:50.", "ok"),
            ("The Volt kettle: 14:50.", "unlicensed_number"),
            ("14:50", "unlicensed_number"),
            ("Just 14:50.", "unlicensed_number"),
            ("The Volt kettle ships at 14:50.", "ok"),
            ("The price is 14:50.", "no"),
        ],
    );
}

#[test]
fn days_are_compared_however_they_are_written() {
    const ORDER: &str = r#"[{"sku":"@order:7","name":"order 7","text":"It arrives on 2026-11-24."}]"#;
    const WORDS: &str = r#"[{"sku":"@order:7","name":"order 7","text":"It arrives on 24 November."}]"#;
    for facts in [ORDER, WORDS] {
        all(
            Language::En,
            facts,
            &[
                ("It arrives on 24.11.2026.", "ok"),
                ("It arrives on 25.11.2026.", "unlicensed_number"),
                ("It arrives on 2026-11-24 at noon.", "ok"),
                ("It arrives on 2026-11-25.", "unlicensed_number"),
                ("It arrives on 24 November.", "ok"),
                ("It arrives on 24 December.", "unlicensed_number"),
                ("It arrives on 25 November 2026.", "unlicensed_number"),
            ],
        );
    }
    all(
        Language::Zh,
        ORDER,
        &[("11月24日送到。", "ok"), ("11月25日送到。", "unlicensed_number"), ("10月24日送到。", "unlicensed_number")],
    );
}

#[test]
fn units_and_numbers_of_a_measure() {
    const COFFEE: &str = r#"[{"sku":"CO","name":"Ridge coffee","price":"24","currency":"EUR","per":"1 kg"},
        {"sku":"TE","name":"Hill tea","price":"9","currency":"EUR"}]"#;
    all(
        Language::En,
        COFFEE,
        &[
            ("The Ridge coffee is 24 EUR per kg.", "ok"),
            ("The Ridge coffee is 24 EUR per kilo.", "ok"),
            ("The Ridge coffee is 24 EUR per litre.", "unit_mismatch"),
            ("The Ridge coffee is 24 EUR.", "unit_mismatch"),
            ("The Hill tea is 9 EUR.", "ok"),
            ("The Hill tea is 9 EUR per kg.", "unit_mismatch"),
            ("Prices go from 9 EUR to 24 EUR.", "ok"),
            ("Prices go from 9 EUR to 25 EUR.", "no"),
            ("Prices go from 10 EUR to 24 EUR.", "no"),
            ("Prices start at 9 EUR.", "no"),
            ("Prices are from 9 EUR.", "ok"),
            ("Prices are from 24 EUR.", "no"),
        ],
    );
}
