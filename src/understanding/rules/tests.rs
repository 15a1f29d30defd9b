use super::super::definitions::tests::rules;
use super::*;
use crate::domain::message::Marks;
use crate::domain::plan::Ask;
use crate::domain::session::{Pending, Session};
use crate::domain::{Language, Screened};

pub(super) fn screened(text: &str) -> Screened {
    Screened {
        text: text.into(),
        private: text.into(),
        language: crate::screening::tests::screening().screen(text, Language::En, None).language,
        pii: Vec::new(),
        injection: 0.0,
        spam: 0.0,
        marks: Marks::default(),
    }
}

/// The commands in short: `price(product=kettle)+stock`, or `-` when the rules are not sure.
pub(super) fn short(sure: Option<Sure>) -> String {
    let Some(sure) = sure else { return "-".into() };
    let one = |command: &Command| {
        let slots = serde_json::to_value(&command.slots).unwrap();
        let mut slots: Vec<String> = slots
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => format!("{name}={text}"),
                serde_json::Value::Object(budget) => format!(
                    "{name}={}{}",
                    budget["amount"].as_str().unwrap(),
                    budget.get("currency").map_or("", |code| code.as_str().unwrap())
                ),
                other => format!("{name}={other}"),
            })
            .collect();
        // The order of a JSON map depends on features of the build.
        slots.sort();
        if slots.is_empty() { command.name.to_string() } else { format!("{}({})", command.name, slots.join(",")) }
    };
    sure.commands.iter().map(one).collect::<Vec<_>>().join("+")
}

fn check(cases: &[(&str, &str)]) {
    let decide = |text: &str| {
        let message = screened(text);
        short(rules().decide(Input { message: &message, session: &Session::default() }))
    };
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, decide(text)))
        .filter(|(_, expected, got)| got != *expected)
        .map(|(text, expected, got)| format!("{text}: {got}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whole_phrases() {
    check(&[
        ("Hi!", "smalltalk(topic=greeting)"),
        ("Спасибо!", "smalltalk(topic=thanks)"),
        ("Dovidenia", "smalltalk(topic=goodbye)"),
        ("你好", "smalltalk(topic=greeting)"),
        ("ok thanks bye", "confirm"),
        ("Да, конечно", "confirm"),
        ("nie, ďakujem", "deny"),
        ("不用了", "deny"),
        ("Меню", "menu"),
        ("3", "menu(quantity=3)"),
        ("оператора", "human"),
        ("人工", "human"),
    ]);
}

#[test]
fn prices_in_four_languages() {
    check(&[
        ("How much is the Parovoz whistling kettle?", "price(product=Parovoz whistling kettle)"),
        ("Сколько стоит свистящий чайник «Паровоз»?", "price(product=свистящий чайник Паровоз)"),
        ("koľko stojí rýchlovarná kanvica Volna", "price(product=rýchlovarná kanvica Volna)"),
        ("kolko stoji toto", "price"),
        ("浪花电热水壶多少钱", "price(product=浪花电热水壶)"),
        ("and how much is it?", "price"),
        ("а сколько это стоит?", "price"),
        ("这个多少钱", "price"),
        ("how much is KT-101-SLV", "price(sku=KT-101-SLV)"),
        ("how much are two black pillows?", "price(colour=black,product=pillows,quantity=2)"),
    ]);
}

#[test]
fn several_wishes() {
    check(&[
        (
            "where is my order TT-10401, and how much is the kettle?",
            "order_status(order_number=TT-10401)+price(product=kettle)",
        ),
        ("сколько стоит чайник и есть ли он в наличии?", "price(product=чайник)+stock(product=чайник)"),
        (
            "koľko stojí kanvica a máte ju na sklade v Košiciach?",
            "price(product=kanvica)+stock(product=kanvica,town=kosice)",
        ),
        ("how much is delivery to Nitra", "delivery_info(town=nitra)"),
    ]);
}

#[test]
fn numbers_speak() {
    check(&[
        ("TT-10401", "order_status(order_number=TT-10401)"),
        ("tt 10401", "order_status(order_number=TT-10401)"),
        ("где мой заказ 10452", "order_status(order_number=10452)"),
        ("cancel my order TT-10401", "cancel_order(order_number=TT-10401)"),
        ("订单号10452", "order_status(order_number=10452)"),
        ("TT-10455到哪了", "order_status(order_number=TT-10455)"),
        ("4006381333931", "find_product(sku=4006381333931)"),
    ]);
}

#[test]
fn what_is_not_sure_is_left() {
    check(&[
        ("the same ones but the same price", "-"),
        ("I'm looking for a kettle", "-"),
        ("black jeans slim fit", "-"),
        ("Посоветуйте подарок", "-"),
        ("42", "-"),
    ]);
}

#[test]
fn questions_about_the_shop_itself_are_about_its_rules() {
    check(&[
        ("What are your opening hours?", "policy(topic=faq)"),
        ("где находится ваш магазин?", "policy(topic=faq)"),
        ("máte otvorené aj v sobotu?", "policy(topic=faq)"),
        ("你们几点关门", "policy(topic=faq)"),
        ("Do you ship to Germany?", "policy(topic=delivery.country)"),
        ("a knife made in Germany", "-"),
        ("доставляете в Польшу?", "policy(topic=delivery.country)"),
        ("posielate do zahraničia?", "policy(topic=delivery.abroad)"),
        ("能寄到国外吗", "policy(topic=delivery.abroad)"),
        ("delivery to Nitra?", "delivery_info(town=nitra)"),
    ]);
}

#[test]
fn a_short_wish_with_a_budget_is_no_advertisement() {
    let check = |text: &str, expected: &str| {
        let message = Screened { spam: 0.97, ..screened(text) };
        let got = short(rules().decide(Input { message: &message, session: &Session::default() }));
        assert_eq!(got, expected, "{text}");
    };
    check("vysavac do 300 eur", "-");
    check("пылесос до 15000 рублей", "-");
    check("吸尘器，500元以内", "-");
    check("earn up to 3000 eur at home every month, write to us", "spam");
    check("vacuum up to 300 eur, see example.com/offer", "spam");
    check("kettle", "spam");
}

fn filled(text: &str) -> String {
    let message = screened(text);
    let slots = rules().fill(Passage { message: &message, text, about: None }).slots;
    short(Some(Sure {
        commands: vec![Command { name: CommandName::Stock, slots }],
        confidence: 1.0,
        notes: Vec::new(),
        firm: Firm::Final,
    }))
}

#[test]
fn slots_in_four_languages() {
    let mut wrong = Vec::new();
    let mut check = |text: &str, expected: &str| {
        let got = filled(text);
        if got != format!("stock({expected})") {
            wrong.push(format!("{text}: {got}"));
        }
    };
    check("running shoes size 43", "product=running shoes,size=43");
    check("кроссовки 43 размера", "product=кроссовки,size=43");
    check("bežecké topánky veľkosť 42", "product=bežecké topánky,size=42");
    check("跑步鞋42码", "product=跑步鞋,size=42");
    check("jacket XL", "product=jacket,size=XL");
    check("bedding 200x220", "product=bedding,size=200×220");
    check("куртка до 30 тысяч", "budget=30000,product=куртка");
    check("kettle under 30", "budget=30,product=kettle");
    check("kanvica do 30 eur", "budget=30EUR,product=kanvica");
    check("水壶三百块以内", "budget=300CNY,product=水壶");
    check("laptop under 30k", "budget=30000,product=laptop");
    check("подарок до 3 000 рублей", "budget=3000RUB,product=подарок");
    check("doručenie do 3 dní topánky", "product=3 dní topánky");
    check("2 ks hrnček", "product=hrnček,quantity=2");
    check("три штуки кружек", "product=кружек,quantity=3");
    check("两个杯子", "product=杯子,quantity=2");
    check("красная кружка в Кошицах", "colour=red,product=кружка,town=kosice");
    check("čierne tenisky v Bratislave", "colour=black,product=tenisky,town=bratislava");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_clarifying_question_is_answered() {
    let ask = |asked, text: &str| {
        let command =
            Command { name: CommandName::Stock, slots: Slots { product: Some("boots".into()), ..Slots::default() } };
        let session = Session { pending: Some(Pending { command, asked, failed: 0 }), ..Session::default() };
        let message = screened(text);
        short(rules().decide(Input { message: &message, session: &session }))
    };
    assert_eq!(ask(Ask::Size, "42"), "stock(product=boots,size=42)");
    assert_eq!(ask(Ask::Size, "42-й"), "stock(product=boots,size=42)");
    assert_eq!(ask(Ask::Size, "XL prosím"), "stock(product=boots,size=XL)");
    assert_eq!(ask(Ask::Colour, "чёрные"), "stock(colour=black,product=boots)");
    assert_eq!(ask(Ask::Town, "v Košiciach"), "stock(product=boots,town=kosice)");
    assert_eq!(ask(Ask::Town, "布拉格"), "stock(product=boots,town=praha)");
    assert_eq!(ask(Ask::OrderNumber, "10401"), "stock(order_number=10401,product=boots)");
    assert_eq!(ask(Ask::Product, "the leather ones"), "stock(product=leather)");
    assert_eq!(ask(Ask::Size, "how much is delivery to Nitra?"), "delivery_info(town=nitra)");
    assert_eq!(ask(Ask::Size, "нет"), "deny");
}
