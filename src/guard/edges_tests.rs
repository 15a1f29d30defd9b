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
