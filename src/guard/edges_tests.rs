//! Single words and signs on which a rule turns: each row is judged otherwise when one comparison of the licence and
//! binding code is turned round.

use crate::domain::Language;

use super::rules_tests::all;

const SHOP: &str = r#"[{"sku":"KT-100","name":"Volt kettle","price":"24.90","currency":"EUR","attrs":["gu11","1.7 l","2 kg"]},
    {"sku":"LP-2","name":"Steam lamp","price":"60.00","currency":"EUR","old_price":"75.00"},
    {"sku":"BK-9","name":"Harrow bike","price":"720","currency":"EUR"},
    {"sku":"@instalment:BK-9","name":"plan","price":"60","currency":"EUR","months":12},
    {"sku":"@promo:LEAF12","name":"LEAF12","percent":"12"},
    {"sku":"@ship","name":"delivery","price":"3.90","currency":"EUR"},
    {"sku":"@free_ship_from","name":"free delivery from","price":"50","currency":"EUR"},
    {"sku":"@user","name":"message","text":"I have 80 EUR"}]"#;

#[test]
fn numbers() {
    all(
        Language::En,
        SHOP,
        &[
            ("We open at 14:50 EUR.", "unbound_price"),
            ("The price of 3 kettles is a nice one.", "unlicensed_number"),
            ("We have two Volts.", "number_word"),
            ("It arrives on the ninth May.", "ok"),
            ("The price. 5. It is.", "unlicensed_number"),
            ("The Volt kettle is 24.90 EUR for 12 months.", "unit_mismatch"),
            ("The Harrow bike is 720 EUR, or 60 EUR price a month.", "ok"),
        ],
    );
    all(
        Language::Sk,
        SHOP,
        &[("Otvorené máme 3 od 9:00 do 18:00.", "unlicensed_number"), ("Päť a krát.", "number_word")],
    );
    all(
        Language::Ru,
        SHOP,
        &[
            ("Мы открыты с 9:00 рублей до 21:00.", "unbound_price"),
            ("У лампы 3 и режима яркости.", "unlicensed_number"),
        ],
    );
    all(Language::Zh, SHOP, &[("2灯座E27。", "unlicensed_number")]);
    const KETTLE: &str = r#"[{"sku":"A","name":"Marlin kettle","price":"54","currency":"EUR","attrs":["1.7 l"]}]"#;
    all(Language::En, KETTLE, &[("The Marlin 2 boils 1.7 l.", "unlicensed_number")]);
    const TERMS: &str = r#"[{"sku":"@policy:t","name":"Terms","text":"You can exchange goods within 30 days."}]"#;
    all(Language::En, TERMS, &[("There are 30 days to exchange either half.", "ok")]);
}

#[test]
fn whose_amount_it_is() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle with LEAF12 is 24.90 EUR.", "ok"),
            ("Promo LEAF12. It is 24.90 EUR.", "unbound_price"),
            ("For delivery in the cart: Volt kettle, total 24.90 EUR.", "unbound_price"),
            ("Here is 24.90 EUR: Volt kettle, Steam lamp.", "unbound_price"),
            ("24.90 EUR: the Volt kettle, the Volt kettle.", "ok"),
            ("The Harrow bike: deposit 60 EUR.", "role_mismatch"),
            ("The Volt kettle is 60 EUR.", "price_mismatch"),
            ("Prices are from 24.90 EUR to 720 EUR for delivery.", "unbound_price"),
            ("The Steam lamp is less than 70 EUR.", "price_talk"),
            ("The Steam lamp is 60 EUR. More than your 80 EUR.", "price_mismatch"),
            ("The cheapest is here.", "comparison"),
            ("Is the cheapest one here?", "ok"),
            ("It is light and -free.", "zero_price"),
            ("It is light.free", "zero_price"),
        ],
    );
    all(
        Language::Sk,
        SHOP,
        &[
            ("Volt kettle nestojí len 24,90 €.", "price_talk"),
            ("Volt kettle stojí 24,90 € od a Steam lamp stojí 60 €.", "price_talk"),
        ],
    );
    all(Language::Ru, SHOP, &[("Бесплатной сегодня доставки нет.", "ok")]);
}

#[test]
fn equal_prices() {
    const MUGS: &str = r#"[{"sku":"A","name":"Alder mug","price":"10","currency":"EUR"},{"sku":"B","name":"Birch mug","price":"10","currency":"EUR"},
        {"sku":"C","name":"Cedar mug","price":"12","currency":"EUR"}]"#;
    all(
        Language::En,
        MUGS,
        &[
            ("The Alder mug and the Birch mug cost the same.", "ok"),
            ("The Alder mug and the Cedar mug cost the same.", "comparison"),
            ("The Alder mug, the Birch mug and the Cedar mug cost the same.", "comparison"),
            ("The Alder mug costs the same.", "comparison"),
            ("Does the Alder mug cost the same?", "comparison"),
            ("Do they cost the same?", "ok"),
            ("They cost the same.", "comparison"),
            ("The Alder mug is cheaper than the Birch mug.", "comparison"),
            ("The Alder mug is more expensive than the Birch mug.", "comparison"),
            ("The Alder mug is cheaper than the Cedar mug.", "ok"),
            ("The Cedar mug is more expensive than the Alder mug.", "ok"),
            ("The Alder mug is cheaper.", "comparison"),
            ("The Alder mug is cheaper, it is 10 EUR.", "comparison"),
            ("The Alder mug can't be cheaper.", "comparison"),
            ("The cheapest is the Alder mug.", "ok"),
            ("The most expensive is the Cedar mug.", "ok"),
            ("The most expensive is the Alder mug.", "comparison"),
        ],
    );
    const ALONE: &str = r#"[{"sku":"A","name":"Alder mug","price":"10","currency":"EUR"}]"#;
    all(Language::En, ALONE, &[("The Alder mug is the cheapest.", "comparison")]);
    const MIXED: &str = r#"[{"sku":"A","name":"Alder mug","price":"10","currency":"EUR"},{"sku":"B","name":"Birch mug","price":"11","currency":"USD"}]"#;
    all(
        Language::En,
        MIXED,
        &[
            ("The Alder mug is the cheapest.", "comparison"),
            ("The Birch mug is the most expensive.", "comparison"),
            ("The Alder mug is cheaper than the Birch mug.", "comparison"),
        ],
    );
}

#[test]
fn figures_and_what_stands_around_them() {
    all(
        Language::En,
        SHOP,
        &[
            ("Yours for $ 21.11.2026.", "no"),
            ("We open at 9:50.", "ok"),
            ("We open at 9:50k.", "unlicensed_number"),
            ("The lamp is 25. December is cold.", "unlicensed_number"),
            ("Yours for 50 % 9:50.", "no"),
            ("+421 2 5555 0199 is our number.", "ok"),
            ("Our number is 0199.", "malformed_number"),
            ("The price line is +421 2 5555 0199.", "ok"),
            ("We have sizes 41, 42 purple 43.", "unlicensed_number"),
            ("We have 41, 42 and 43 sizes.", "ok"),
            ("We have sizes 41 and 44.", "ok"),
            ("We have sizes 41 and 48.", "unlicensed_number"),
            ("The Volt kettle is XL 24.90 EUR.", "mixed_token"),
            ("The Volt kettle v 24.90 EUR.", "mixed_token"),
            ("24.12. That is the day.", "ok"),
            ("Both. The Volt kettle is 24.90 EUR.", "ok"),
            ("The Volt kettle is a gadget. 24.90 EUR.", "ok"),
            ("The lid is thin. 5 µm", "ok"),
            ("It is 95 % fine cotton.", "ok"),
            ("The price is 95 % cotton.", "discount"),
        ],
    );
    all(Language::Sk, SHOP, &[("Volt kettle za C 24,90 €.", "mixed_token")]);
    all(
        Language::Ru,
        SHOP,
        &[
            ("Есть два уютных варианта.", "ok"),
            ("Вернусь к 21.11.2026.", "ok"),
            ("Отдам за 5к 21.11.2026.", "no"),
            ("Отдам за € 21.11.2026.", "no"),
        ],
    );
    const LAMP: &str = r#"[{"sku":"L","name":"Orion lamp","price":"42","currency":"EUR","attrs":["150 cm"]}]"#;
    all(Language::En, LAMP, &[("The Orion is 150 cm.", "ok"), ("The Orion is 140 cm.", "unlicensed_number")]);
    all(Language::Ru, LAMP, &[("Лампа Orion: 150 см.", "ok"), ("Лампа Orion: 140 cm.", "unlicensed_number")]);
    const HELD: &str =
        r#"[{"sku":"L","name":"Orion lamp","price":"42","currency":"EUR","attrs":["1.7 l","2,5 kg","41"]}]"#;
    all(
        Language::En,
        HELD,
        &[
            ("The Orion: 1.7 l.", "ok"),
            ("The Orion: 2.5 kg.", "ok"),
            ("The Orion: 41.", "ok"),
            ("The Orion: 7.", "unlicensed_number"),
            ("The Orion: 1.", "unlicensed_number"),
            ("The Orion: 5.", "unlicensed_number"),
            ("The Orion: 4.", "unlicensed_number"),
        ],
    );
    const RUG: &str = r#"[{"sku":"L","name":"Orion rug","price":"42","currency":"EUR"}]"#;
    all(Language::En, RUG, &[("There are 15 rugs.", "ok"), ("There are 15 rug.", "unlicensed_number")]);
    const LIFE: &str = r#"[{"sku":"L","name":"Orion lamp","price":"42","currency":"EUR","attrs":["9 lifetimes"]}]"#;
    all(Language::En, LIFE, &[("The Orion: 9 lifetimes.", "ok")]);
}

#[test]
fn texts_of_the_facts() {
    const TERMS: &str = r#"[{"sku":"@policy:t","name":"Terms","text":"You can exchange goods within 30 days. We answer 95 % of questions. When a parcel is lost we pay 5 EUR for the label. Nobody may pay over 5000 EUR in cash."},
        {"sku":"@policy:w","name":"Warranty","text":"The warranty is 24 months."}]"#;
    all(
        Language::En,
        TERMS,
        &[
            ("The rule is 30", "ok"),
            ("The rule is 3", "unlicensed_number"),
            ("We answer 95 % of questions.", "ok"),
            ("We answer 95% of questions.", "ok"),
            ("We answer 96 % of questions.", "discount"),
            ("We answer 95 % of questions of price.", "discount"),
            ("When a parcel is lost we pay 5 EUR for the label.", "ok"),
            ("When a parcel is lost we pay 6 EUR for the label.", "no"),
            ("We pay 5 EUR.", "no"),
            ("over 5000 EUR", "no"),
            ("You have 5 days.", "unlicensed_number"),
        ],
    );
    const PIECES: &str =
        r#"[{"sku":"@policy:t","name":"Terms","text":"You may order up to 3 pieces. Days are long."}]"#;
    all(Language::En, PIECES, &[("It takes a couple of days.", "ok")]);
    const BOTH: &str = r#"[{"sku":"@order:7","name":"order 7","text":"Order 7 arrives on 9 May, within 30 days."}]"#;
    all(Language::En, BOTH, &[("It takes 3 hours.", "unlicensed_number")]);
    const PROMO: &str = r#"[{"sku":"@promo:A8","name":"A8","percent":"8"}]"#;
    all(Language::Zh, PROMO, &[("优惠A8打8折。", "discount")]);
    all(Language::En, PROMO, &[("The A8 promo is 8 % off.", "ok"), ("The A8 promo is 9 % off.", "discount")]);
}

#[test]
fn nothing_is_free_without_a_fact() {
    all(
        Language::En,
        SHOP,
        &[
            ("Delivery is free.", "zero_price"),
            ("The delivery is free from 50 EUR.", "ok"),
            ("What discount do you mean?", "ok"),
            ("Which discount, 5 EUR?", "no"),
        ],
    );
    const FREE: &str = r#"[{"sku":"@ship","name":"delivery","price":"0","currency":"EUR"}]"#;
    all(Language::En, FREE, &[("Delivery is free.", "ok"), ("The kettle is free.", "zero_price")]);
    const CARD: &str = r#"[{"sku":"G","name":"Sample card","price":"0","currency":"EUR"}]"#;
    all(Language::En, CARD, &[("Delivery is free.", "zero_price")]);
    const CLOTH: &str = r#"[{"sku":"FB-1","name":"亚麻布“峡湾”","price":"115","currency":"CNY","per":"1 米"}]"#;
    all(Language::Zh, CLOTH, &[("订单满300元包邮。", "zero_price")]);
}

#[test]
fn what_a_thing_is_made_of_reduces_no_price() {
    const SHIRT: &str = r#"[{"sku":"S-1","name":"Swift shirt","price":"17.90","currency":"EUR"},
        {"sku":"@promo:LEAF12","name":"LEAF12","percent":"12"},
        {"sku":"@policy:t","name":"Terms","text":"Members get a 5 % discount."}]"#;
    all(
        Language::En,
        SHIRT,
        &[
            ("The Swift shirt is 100% cotton.", "ok"),
            ("100% cotton on sale.", "discount"),
            ("The Swift shirt is 100% cotton, on sale.", "discount"),
            ("With LEAF12 you get a 12% discount.", "ok"),
            ("With LEAF12 you get 12% off, on sale.", "ok"),
            ("With LEAF12 you get a 13% discount.", "discount"),
            ("Members get a 5% discount.", "ok"),
            ("Members get a 6% discount.", "discount"),
            ("No discount on 100% cotton.", "ok"),
        ],
    );
    all(
        Language::Ru,
        SHIRT,
        &[
            ("100% хлопок.", "ok"),
            ("100% хлопок со скидкой.", "discount"),
            ("Хлопок со скидкой.", "discount"),
            ("Рубашка со скидкой.", "discount"),
            ("Хлопок, скидка.", "discount"),
        ],
    );
    all(Language::Sk, SHIRT, &[("Je to 100 % bavlna.", "ok"), ("100 % bavlna v zľave.", "discount")]);
    all(Language::Zh, SHIRT, &[("100%纯棉。", "ok"), ("100%纯棉，正在打折。", "discount")]);
    const SALE: &str = r#"[{"sku":"S-1","name":"Swift shirt","price":"17.90","currency":"EUR","old_price":"20"}]"#;
    all(Language::En, SALE, &[("The Swift shirt is 100% cotton, on sale.", "ok")]);
}

#[test]
fn a_code_is_a_name_where_it_is_neither_word_nor_number() {
    let shop = |code: &str| format!(r#"[{{"sku":"{code}","name":"Volt kettle","price":"24.90","currency":"EUR"}}]"#);
    for (code, text, expected) in [
        ("KT-1", "KT-1 costs 24.90 EUR.", "ok"),
        ("K7", "K7 costs 24.90 EUR.", "ok"),
        ("VLT", "VLT costs 24.90 EUR.", "ok"),
        ("A", "A costs 24.90 EUR.", "unbound_price"),
        ("A", "A lamp costs 24.90 EUR.", "unbound_price"),
        ("7", "7: it costs 24.90 EUR.", "no"),
        ("42", "It is 42.", "unlicensed_number"),
        ("NO", "No, it costs 24.90 EUR.", "no"),
        ("-", "It costs 24.90 EUR - today.", "no"),
    ] {
        all(Language::En, &shop(code), &[(text, expected)]);
    }
}

#[test]
fn amounts_one_after_another() {
    const MUGS: &str = r#"[{"sku":"A","name":"Alder mug","price":"10","currency":"EUR"},{"sku":"B","name":"Birch mug","price":"10","currency":"EUR"},
        {"sku":"C","name":"Cedar mug","price":"12","currency":"EUR"}]"#;
    all(
        Language::En,
        MUGS,
        &[
            ("The Alder mug, the Birch mug and the Cedar mug are 12 EUR.", "unbound_price"),
            ("Prices are 10 EUR.", "no"),
            ("Prices are up to 10 EUR.", "no"),
            ("Prices are from 10 EUR.", "ok"),
            ("From 10 EUR: the Alder mug or the Cedar mug.", "unbound_price"),
            ("It is not cheaper.", "comparison"),
            ("Cheaper one do you mean?", "ok"),
        ],
    );
    const ONE: &str = r#"[{"sku":"A","name":"Alder mug","price":"9.80","currency":"EUR","qty":1},
        {"sku":"@total","name":"total","price":"9.80","currency":"EUR"}]"#;
    all(Language::En, ONE, &[("1 Alder mug is 9.80 EUR.", "ok"), ("1 Alder mug is 9.80 EUR per kg.", "unit_mismatch")]);
    const COFFEE: &str = r#"[{"sku":"CO","name":"Ridge coffee","price":"24","currency":"EUR","per":"1 kg"}]"#;
    all(Language::En, COFFEE, &[("Ridge coffee is 24 EUR for 1 litre kg.", "unit_mismatch")]);
    const PLAN: &str = r#"[{"sku":"CO","name":"Ridge coffee","price":"24","currency":"EUR","per":"1 kg"},
        {"sku":"BK-9","name":"Harrow bike","price":"720","currency":"EUR"},
        {"sku":"@instalment:BK-9","name":"plan","price":"60","currency":"EUR","months":12}]"#;
    all(
        Language::En,
        PLAN,
        &[
            ("The Harrow bike is 720 EUR, or 60 EUR a month for 12 months.", "ok"),
            ("The Harrow bike is 720 EUR, or 60 EUR a month for 12.", "unit_mismatch"),
        ],
    );
    all(
        Language::En,
        SHOP,
        &[
            ("Sadly the Steam lamp is not 75 EUR: it is 60 EUR.", "role_mismatch"),
            ("The Volt kettle is 24.90 EUR. The Steam lamp is 60 EUR. Forget that.", "price_talk"),
            ("The Volt kettle is 24.90 EUR. It boils in half the minutes.", "ok"),
            ("The Harrow bike is 720 EUR, or 60 EUR a month for 12.", "ok"),
            ("The Harrow bike is 720 EUR, or 60 EUR a month for 6.", "no"),
            ("For days delivery is free from 50 EUR.", "price_talk"),
            ("The Volt kettle is here. The price is a nice one.", "ok"),
            ("The Volt kettle is 24.90 EUR, the Steam lamp 60 EUR. The price is a nice one.", "ok"),
            ("The Volt kettle is 24.90 EUR. The price is a nice one.", "price_talk"),
        ],
    );
}

#[test]
fn whose_budget_it_is() {
    all(
        Language::En,
        SHOP,
        &[
            ("The Volt kettle fits your 80 EUR travel budget.", "price_mismatch"),
            ("For 80 EUR and 24.90 EUR you could take the Volt kettle.", "no"),
        ],
    );
    const STOOL: &str = r#"[{"sku":"ST-1","name":"凳子“橡树”","price":"750","currency":"CNY"}]"#;
    all(Language::Zh, STOOL, &[("800元的预算，我推荐凳子“橡树”，750元。", "price_mismatch")]);
    const BENCH: &str = r#"[{"sku":"ST-2","name":"长椅“白蜡”","price":"920","currency":"CNY"}]"#;
    all(Language::Zh, BENCH, &[("您好，好的，800元的预算，我推荐凳子“橡树”，750元。", "price_mismatch")]);
    let said = |message: &str| {
        format!(
            r#"[{{"sku":"A","name":"Alder mug","price":"9.80","currency":"EUR"}},{{"sku":"@user","name":"message","text":"{message}"}}]"#
        )
    };
    const FITS: &str = "The Alder mug fits your budget.";
    all(Language::En, &said("I have 80"), &[(FITS, "ok")]);
    all(Language::En, &said("I have 80 EUR"), &[(FITS, "ok")]);
    all(Language::En, &said("I have 9"), &[(FITS, "comparison")]);
    all(Language::En, &said("I have 80 USD"), &[(FITS, "comparison")]);
    const TAKE: &str = "For 80 EUR you could take the Alder mug at 9.80 EUR.";
    all(Language::En, &said("I have 80 EUR"), &[(TAKE, "ok")]);
    all(Language::En, &said("I have 80 USD"), &[(TAKE, "no")]);
}
