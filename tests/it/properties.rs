//! Goods chosen by their properties, and a size that stays told, over HTTP: what a shopper who looks for glass, quiet or not plastic sees.

use serde_json::{Value, json};

use crate::common::{TestApp, app, config, text};

/// What the last of some messages is answered with.
async fn last(locale: &str, lines: &[&str]) -> String {
    let door = TestApp::over(app(config(), None).await);
    let (mut session, mut said) = (Value::Null, String::new());
    for line in lines {
        let reply = door.say(json!({"locale": locale, "session_id": session}), None, line).await;
        session = reply["session_id"].clone();
        said = text(&reply).to_string();
    }
    said
}

async fn check(locale: &str, lines: &[&str], has: &[&str], lacks: &[&str]) {
    let said = last(locale, lines).await;
    has.iter().for_each(|part| assert!(said.contains(part), "{lines:?}: `{part}` is missing in: {said}"));
    lacks.iter().for_each(|part| assert!(!said.contains(part), "{lines:?}: `{part}` stands in: {said}"));
}

#[tokio::test]
async fn goods_are_chosen_by_their_properties() {
    check("en", &["glass kettle"], &["material: borosilicate glass"], &["steel"]).await;
    check("en", &["a vacuum cleaner that is not loud"], &["noise level: 70 dB", "noise level: 74 dB"], &[]).await;
    check("en", &["dark roast coffee beans"], &["Zakat coffee beans"], &["Rassvet", "Yunnan"]).await;
    check("en", &["kettle not plastic"], &["material: stainless steel"], &["plastic"]).await;
    check("ru", &["стеклянный чайник"], &["материал: боросиликатное стекло"], &["Волна"]).await;
    check("sk", &["panvica na indukciu"], &["vrátane indukcie"], &[]).await;
}

#[tokio::test]
async fn what_no_product_has_is_said_before_what_is_near() {
    check("en", &["a down kettle"], &["nothing that meets all your conditions"], &[]).await;
    // Nobody tells how loud a kettle is: it is looked for like any.
    check("en", &["quiet kettle"], &["Volna electric kettle"], &["nothing that meets"]).await;
}

#[tokio::test]
async fn a_size_stays_told() {
    let bedding = "Pole linen bedding set 200x220";
    check("en", &[bedding, "how much is it?"], &["€169.90"], &["€139.90"]).await;
    check("en", &[bedding, "how long is delivery to Nitra?", "how much is it?"], &["€169.90"], &["€139.90"]).await;
}

#[tokio::test]
async fn something_that_came_broken_is_sent_back() {
    let said = last("en", &["my order TT-10411 came damaged"]).await;
    assert!(said.contains("sorry") && said.contains("phone number or e-mail"), "{said}");
}
