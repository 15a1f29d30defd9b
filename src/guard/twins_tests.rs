//! Kinds of honest phrasing, each with the false twins it must not let through.

use crate::domain::Language;

use super::rules_tests::all;

const LAMPS: &str = r#"[{"sku":"LP-1","name":"Orion desk lamp","price":"42.30","currency":"EUR","attrs":["150 cm","1.7 l"]},
    {"sku":"LP-2","name":"Vesper floor lamp","price":"118.00","currency":"EUR"},
    {"sku":"LP-3","name":"Glim night light","price":"12.95","currency":"EUR"},
    {"sku":"@ship","name":"delivery","price":"4.40","currency":"EUR"},
    {"sku":"@free_ship_from","name":"free delivery from","price":"60","currency":"EUR"},
    {"sku":"@user","name":"message","text":"I have 100 EUR"}]"#;

#[test]
fn the_proper_word_of_a_name_stands_for_it() {
    all(
        Language::En,
        LAMPS,
        &[
            ("The Orion is 42.30 EUR.", "ok"),
            ("The Orion is 118 EUR.", "price_mismatch"),
            ("The Orion lamp is 42.30 EUR.", "ok"),
            ("The Orion shade is 42.30 EUR.", "unbound_price"),
            ("The desk is 42.30 EUR.", "unbound_price"),
        ],
    );
}

#[test]
fn the_role_behind_an_amount() {
    all(
        Language::En,
        LAMPS,
        &[
            ("Orion: 42.30 EUR, 4.40 EUR delivery, Vesper 118 EUR.", "ok"),
            ("Orion: 42.30 EUR, 4.40 EUR for delivery, Vesper 118 EUR.", "ok"),
            ("Orion: 42.30 EUR, 5 EUR delivery, Vesper 118 EUR.", "price_mismatch"),
            ("Orion: 42.30 EUR delivery, Vesper 118 EUR.", "price_mismatch"),
            ("Orion: 4.40 EUR delivery, Vesper 4.40 EUR.", "price_mismatch"),
            ("Orion: 4.40 EUR delivery of the lamp.", "ok"),
            ("Orion: 42.30 EUR, 4.40 delivery, Vesper 118 EUR.", "price_mismatch"),
            ("Orion: 4.40 EUR for the delivery of it, the delivery.", "ok"),
            ("Orion: 42.30 EUR delivery 4.40 EUR.", "ok"),
            ("From 60 EUR we deliver free of charge.", "ok"),
            ("From 42.30 EUR we deliver free of charge.", "price_mismatch"),
            ("The Orion is 42.30 EUR if we deliver.", "no"),
            ("We deliver the Orion free of charge from 60 EUR.", "no"),
        ],
    );
}

#[test]
fn advice_with_the_price_in_brackets() {
    all(
        Language::En,
        LAMPS,
        &[
            ("For long evenings we recommend the Orion (42.30 EUR).", "ok"),
            ("For long evenings we recommend the Orion (118 EUR).", "price_mismatch"),
            ("For long evenings the Orion (42.30 EUR).", "unbound_price"),
            ("For long evenings we recommend the “Orion” (42.30 EUR).", "ok"),
            ("For long evenings we recommend the \"Orion\" (42.30 EUR).", "ok"),
            ("For long evenings we recommend the «Orion» (42.30 EUR).", "ok"),
            ("For long evenings we recommend the “Orion shade” (42.30 EUR).", "unbound_price"),
            ("For long evenings in the kitchen or in the bedroom we recommend the Orion (42.30 EUR).", "ok"),
            ("For long evenings we recommend the Orion (42.30 EUR.", "unbound_price"),
            ("For long evenings we recommend the Orion 42.30 EUR).", "unbound_price"),
            ("(42.30 EUR) is what we recommend: the Orion.", "ok"),
            ("42.30 EUR: we recommend the Orion for evenings.", "no"),
            ("The Orion (42.30 EUR) one shade is cosy.", "unbound_price"),
            ("We recommend the shade of the Orion (42.30 EUR).", "unbound_price"),
            ("For long evenings we recommend the Orion at 42.30 EUR.", "unbound_price"),
            ("The Orion (42.30 EUR) is a cosy thing.", "ok"),
            ("The Orion (42.30 EUR) shade is cosy.", "unbound_price"),
            ("The Orion (42.30 EUR) shade.", "unbound_price"),
            ("The Orion (42.30 EUR) is cosy, the Vesper (118 EUR) roomy.", "unbound_price"),
            ("For long evenings we recommend the Orion (42.30 EUR) and the Vesper at 118 EUR.", "unbound_price"),
        ],
    );
}

#[test]
fn a_product_is_spoken_of_again() {
    all(
        Language::En,
        LAMPS,
        &[
            ("The Orion is 42.30 EUR and the Vesper 118 EUR; the Vesper is the new one.", "ok"),
            ("The Orion is 42.30 EUR and the Vesper 118 EUR; the Orion is the new one.", "ok"),
            ("The Orion is 42.30 EUR and the Vesper 118 EUR; the Glim is the new one.", "unbound_price"),
            ("The Orion is 42.30 EUR and the Vesper 118 EUR; the Glim, the Orion.", "unbound_price"),
            ("The Orion is 118 EUR and the Vesper 42.30 EUR; the Vesper is the new one.", "price_mismatch"),
            ("The Orion 42.30 EUR 118 EUR the Vesper.", "no"),
            ("42.30 EUR: the Orion.", "ok"),
        ],
    );
}

#[test]
fn as_many_as_there_are() {
    all(
        Language::En,
        LAMPS,
        &[
            ("Of our 3 the cheapest is the Glim at 12.95 EUR.", "ok"),
            ("Of our 4 the cheapest is the Glim at 12.95 EUR.", "no"),
            ("Of our 3 the cheapest is the Orion at 42.30 EUR.", "comparison"),
            ("The cheapest: 3 Glim at 12.95 EUR.", "no"),
            ("The cheapest is the Glim at 12.95 EUR for our 3.", "no"),
            ("Of our 3 there is the Glim at 12.95 EUR.", "no"),
            ("3 the cheapest is the Glim at 12.95 EUR.", "no"),
        ],
    );
    const ONE: &str = r#"[{"sku":"A","name":"Alder mug","price":"9.80","currency":"EUR","qty":3},
        {"sku":"@total","name":"total","price":"29.40","currency":"EUR"}]"#;
    all(
        Language::En,
        ONE,
        &[
            ("3 Alder mugs at 9.80 EUR each come to 29.40 EUR.", "ok"),
            ("3 Alder mugs at 9.80 EUR come to 29.40 EUR.", "unit_mismatch"),
            ("3 Alder mugs at 9.90 EUR each come to 29.40 EUR.", "price_mismatch"),
            ("3 Alder mugs at 29.40 EUR each.", "no"),
            ("2 Alder mugs at 9.80 EUR each.", "no"),
        ],
    );
    all(Language::Sk, ONE, &[("3 Alder mugs po 9,80 EUR, spolu 29,40 EUR.", "ok")]);
    all(Language::Ru, ONE, &[("3 Alder mugs по 9,80 EUR, вместе 29,40 EUR.", "ok")]);
    all(Language::Zh, ONE, &[("3只Alder mug，每只9.80 EUR，合计29.40 EUR。", "ok")]);
}

#[test]
fn a_budget_without_an_amount() {
    all(
        Language::En,
        LAMPS,
        &[
            ("The Orion fits your budget.", "ok"),
            ("The Vesper fits your budget.", "comparison"),
            ("The Orion and the Vesper fit your budget.", "comparison"),
            ("The Vesper does not fit your budget.", "ok"),
            ("Does the Vesper fit your budget?", "ok"),
            ("What is your budget?", "ok"),
            ("Tell me your budget.", "ok"),
            ("Once you have the Vesper, you will see.", "ok"),
            ("The Vesper exceeds your budget.", "ok"),
            ("The Vesper is over your budget of 100 EUR.", "ok"),
            ("The Vesper fits your budget of 100 EUR.", "comparison"),
            ("The Orion fits your budget of 100 EUR.", "ok"),
        ],
    );
    const BROKE: &str = r#"[{"sku":"A","name":"Alder mug","price":"9.80","currency":"EUR"}]"#;
    all(Language::En, BROKE, &[("The Alder mug fits your budget.", "comparison")]);
}

#[test]
fn a_time_of_arrival_in_words() {
    all(
        Language::En,
        LAMPS,
        &[
            ("The Orion will arrive this week.", "unlicensed_number"),
            ("The Orion will arrive.", "ok"),
            ("Will the Orion arrive this week?", "ok"),
            ("Parcels arrive this week.", "ok"),
            ("The Orion is new this week.", "ok"),
            ("The Orion arrives at the end of the week.", "ok"),
            ("The Orion arrives tomorrow.", "unlicensed_number"),
            ("The Orion is new. It arrives on Friday.", "unlicensed_number"),
            ("Does the Orion arrive tomorrow?", "ok"),
            ("The Orion arrives soon.", "ok"),
            ("The Orion will arrive; all this is easy.", "ok"),
            ("The Orion is here. See you tomorrow.", "ok"),
        ],
    );
    const TERMS: &str = r#"[{"sku":"@policy:t","name":"Terms","text":"It takes 2 to 4 working days. Возврат 21 дней, 7 рабочих дней."}]"#;
    all(Language::En, TERMS, &[("Please allow 2 to 4 working days.", "ok"), ("Please allow 4 days.", "no")]);
    all(
        Language::Ru,
        TERMS,
        &[
            ("Есть 21 день.", "ok"),
            ("Есть 22 дня.", "no"),
            ("Ждать 7 рабочих дня.", "ok"),
            ("Ждать 7 дней.", "no"),
            ("Есть 21 год.", "no"),
            ("Есть 1 день.", "no"),
        ],
    );
}

#[test]
fn a_number_of_another_rule() {
    const TERMS: &str = r#"[{"sku":"@policy:t","name":"Terms","text":"You can exchange goods within 30 days. Delivery takes 2 to 4 working days. The warranty is 24 months. We answer in 6 hours."}]"#;
    all(
        Language::En,
        TERMS,
        &[
            ("You have 30 days to exchange it.", "ok"),
            ("Exchange: 30 days after delivery.", "ok"),
            ("Delivery takes 30 days.", "unlicensed_number"),
            ("The warranty is 31 days.", "unlicensed_number"),
            ("There are 30 days for a refund.", "ok"),
            ("The warranty is 24 months.", "ok"),
            ("Delivery takes 4 working days, the warranty 24 months.", "ok"),
            ("We answer in 6 hours.", "ok"),
            ("We deliver in 6 hours.", "unlicensed_number"),
            ("Delivery takes 6 hours.", "unlicensed_number"),
            ("Delivery takes a day.", "unlicensed_number"),
            ("The warranty is lifelong.", "unlicensed_number"),
            ("Exchange within a fortnight.", "unlicensed_number"),
        ],
    );
    const ZH: &str =
        r#"[{"sku":"@policy:t","name":"条款","text":"商品30天内可以换货。配送需要2到4个工作日。保修24个月。"}]"#;
    all(
        Language::Zh,
        ZH,
        &[
            ("30天内可以换货。", "ok"),
            ("配送需要30天。", "unlicensed_number"),
            ("请等2到4个工作日。", "ok"),
            ("保修24个月。", "ok"),
            ("保修整整三年。", "number_word"),
        ],
    );
}

#[test]
fn a_measure_of_another_product() {
    all(
        Language::En,
        LAMPS,
        &[
            ("The Orion holds 1.7 l.", "ok"),
            ("The Vesper holds 1.7 l.", "unlicensed_number"),
            ("The Vesper holds 2 l.", "ok"),
            ("It holds 1.7 l.", "ok"),
        ],
    );
}

#[test]
fn more_than_what() {
    all(
        Language::Ru,
        LAMPS,
        &[
            ("Это больше, чем мы продаем.", "ok"),
            ("«Vesper» стоит больше, чем «Orion».", "ok"),
            ("«Orion» стоит больше, чем «Vesper».", "comparison"),
            ("Orion стоит 42,30 EUR. Это больше, чем у других.", "comparison"),
            ("Цена больше, чем раньше.", "comparison"),
        ],
    );
    all(
        Language::Sk,
        LAMPS,
        &[
            ("To je viac ako predávame.", "ok"),
            ("Vesper stojí viac ako Orion.", "ok"),
            ("Orion stojí viac ako Vesper.", "comparison"),
        ],
    );
    all(
        Language::En,
        LAMPS,
        &[("That is more than we sell.", "ok"), ("The Orion is more than 42.30 EUR.", "price_talk")],
    );
}

#[test]
fn a_measure_of_the_facts_beside_the_price() {
    const CLOTH: &str = r#"[{"sku":"F","name":"Fjord linen","price":"14.60","currency":"EUR","per":"1 m","attrs":["150 cm","160 g/m²","1.7 l"]}]"#;
    all(
        Language::En,
        CLOTH,
        &[
            ("Fjord linen is sold by the metre: 14.60 EUR per metre.", "ok"),
            ("Fjord linen is sold by the litre: 14.60 EUR per metre.", "price_talk"),
            ("Fjord linen: 14.60 EUR per metre, breadth 150 cm.", "ok"),
            ("Fjord linen: 14.60 EUR per metre, 150 cm broad.", "ok"),
            ("Fjord linen: 14.60 EUR per metre, breadth 140 cm.", "no"),
            ("Fjord linen, breadth 150 cm: 14.60 EUR per metre.", "unbound_price"),
            ("Fjord linen: 14.60 EUR per metre, broad.", "unbound_price"),
            ("Metre broad: Fjord linen, 14.60 EUR per metre.", "unbound_price"),
            ("Fjord linen 7 14.60 EUR/metre.", "unlicensed_number"),
            ("Fjord linen holds 1.7 l.", "ok"),
            ("Fjord linen holds 1.8 l.", "unlicensed_number"),
        ],
    );
    all(Language::Sk, CLOTH, &[("Fjord linen má 1,7 l.", "ok"), ("Fjord linen má 1,8 l.", "unlicensed_number")]);
    const SHIRT: &str = r#"[{"sku":"S","name":"Swift shirt","price":"17.90","currency":"EUR","attrs":["160 g/m²"]}]"#;
    all(
        Language::En,
        SHIRT,
        &[("The Swift shirt of 160 g/m² is 17.90 EUR.", "ok"), ("The Swift shirt is 17.90 EUR/m².", "unit_mismatch")],
    );
}
