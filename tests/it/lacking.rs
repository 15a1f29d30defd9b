//! "I don't have it" to a question of the assistant's: another way is told, then a person helps; and a wrong phone keeps the number.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::state;
use crate::common::{TestApp, app_keeping, quick_config};
use crate::fakes::ShopFront;

async fn shop(codes: bool) -> (TempDir, TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = quick_config(folder.path());
    if codes {
        config.identity.code.sender = "log".to_string();
    }
    let front = ShopFront::load(&config.paths.data);
    let door = TestApp::over(app_keeping(config, None, (front, state().await)).await);
    (folder, door)
}

/// Says the lines one after another; the replies' texts, and the last reply whole.
async fn talk(door: &TestApp, lines: &[&str]) -> (Vec<String>, Value) {
    let (mut session, mut texts, mut last) = (Value::Null, Vec::new(), Value::Null);
    for line in lines {
        let mut body = json!({"message": line});
        if !session.is_null() {
            body["session_id"] = session.clone();
        }
        last = door.post("/api/v1/chat", body.to_string(), &[]).await.json();
        assert_eq!(last["check"]["rejected"], json!([]), "{last}");
        session = last["session_id"].clone();
        texts.push(last["reply"]["text"].as_str().unwrap().to_string());
    }
    (texts, last)
}

#[tokio::test]
async fn who_does_not_have_the_number_is_told_where_it_stands_then_a_person_helps() {
    let (_folder, door) = shop(false).await;
    for (wish, lacks, elsewhere) in [
        ("where is my order", "I don't have the order number", "confirmation e-mail or in your account"),
        ("cancel my order", "sorry, I can't find it", "confirmation e-mail or in your account"),
        ("где мой заказ", "у меня нет номера заказа", "в личном кабинете"),
        ("где мой заказ", "не знаю", "в личном кабинете"),
        ("kde je moja objednávka", "nemám číslo objednávky", "vo svojom účte"),
        ("kde je moja objednávka", "neviem ho, stratil som e-mail", "vo svojom účte"),
        ("我的订单到哪了", "我没有订单号", "您的账户中"),
        ("我的订单到哪了", "订单号忘了", "您的账户中"),
    ] {
        let (texts, last) = talk(&door, &[wish, lacks, lacks]).await;
        assert!(texts[1].contains(elsewhere), "{wish}, {lacks}: {}", texts[1]);
        assert_eq!(last["handover"]["reason"], "task", "{wish}, {lacks}: {}", texts[2]);
    }
    // What it was asked for still answers; a plain no still ends it.
    let (texts, _) = talk(&door, &["where is my order", "I don't have it", "TT-10402", "+421900000101"]).await;
    assert!(texts[3].contains("delivered on 8 September"), "{texts:?}");
    let (texts, last) = talk(&door, &["where is my order", "no"]).await;
    assert!(last["handover"].is_null() && !texts[1].contains("account"), "{texts:?}");
    // Neither phone nor e-mail of the order: nothing is left but a person.
    let (texts, last) = talk(&door, &["where is order TT-10402", "I don't have that phone anymore"]).await;
    assert_eq!(last["handover"]["reason"], "task", "{texts:?}");
}

#[tokio::test]
async fn where_codes_are_sent_the_phone_or_e_mail_will_do() {
    let (_folder, door) = shop(true).await;
    for (wish, lacks, instead) in [
        ("where is my order", "I don't have the order number", "the phone number or e-mail of the order will do"),
        ("где мой заказ", "номера нет", "подойдёт телефон или почта"),
        ("kde je moja objednávka", "nemám ho po ruke", "stačí telefón alebo e-mail"),
        ("return my order", "I lost it", "the phone number or e-mail of the order will do"),
        ("我的订单到哪了", "没有订单号", "手机号或邮箱也可以"),
    ] {
        let (texts, _) = talk(&door, &[wish, lacks, "+421900000101"]).await;
        assert!(texts[1].contains(instead), "{wish}, {lacks}: {}", texts[1]);
        assert!(!texts[2].contains("TT-") && texts[2] != texts[1], "a code is sent first: {}", texts[2]);
    }
}

#[tokio::test]
async fn a_wrong_phone_keeps_the_number_and_three_end_with_a_person() {
    let (_folder, door) = shop(false).await;
    let wrong = ["+421900000001", "+421900000002", "+421900000003"];
    for order in ["order TT-10402", "kde je objednávka TT-10402", "cancel order TT-10402", "return order TT-10402"] {
        let (texts, _) = talk(&door, &[order, wrong[0], "+421900000101"]).await;
        assert!(texts[2].contains("TT-10402"), "the number was kept: {texts:?}");
        let (foreign, last) = talk(&door, &[order, wrong[0], wrong[1], wrong[2]]).await;
        assert_eq!(last["handover"]["reason"], "task", "{foreign:?}");
        let missing = order.replace("TT-10402", "TT-100001");
        let (missing, _) = talk(&door, &[&missing, wrong[0], wrong[1], wrong[2]]).await;
        assert_eq!(foreign, missing, "a foreign order looks like a missing one");
    }
}

#[tokio::test]
async fn what_follows_a_proved_order_is_about_it_and_in_no_other_conversation() {
    let (_folder, door) = shop(false).await;
    let proved = ["where is order TT-10402", "+421900000101"];
    let after = async |line: &'static str| talk(&door, &[proved[0], proved[1], line]).await.0.pop().unwrap();
    assert!(after("cancel my order").await.contains("TT-10402"));
    assert!(after("where is my order").await.contains("delivered on 8 September"));
    // Another order needs a proof of its own, and another conversation all of it.
    let other = after("where is order TT-10401").await;
    assert!(other.contains("phone number or e-mail"), "{other}");
    let (texts, _) = talk(&door, &["cancel my order"]).await;
    assert!(texts[0].contains("order number"), "{texts:?}");
    // What waits for its proof is not asked for anew.
    let (texts, _) = talk(&door, &[proved[0], "+421911111111", "where is my order", proved[1]]).await;
    assert!(texts[2].contains("phone number or e-mail") && texts[3].contains("8 September"), "{texts:?}");
}

#[tokio::test]
async fn the_figures_of_a_number_are_enough_and_prove_nothing() {
    let (_folder, door) = shop(false).await;
    for question in
        ["where is my order 10402?", "где мой заказ 10402?", "kde je moja objednávka 10402?", "我的订单10402到哪了"]
    {
        let (texts, _) = talk(&door, &[question, "+421900000101"]).await;
        assert!(texts[1].contains("TT-10402"), "{question}: {texts:?}");
        let (texts, _) = talk(&door, &[question, "+421900000199"]).await;
        assert!(!texts[1].contains("TT-10402"), "somebody else's phone: {texts:?}");
    }
    // Once shown it stays the one spoken of, however it is written.
    let (texts, _) = talk(&door, &["where is my order 10402?", "+421900000101", "where is order 10402 now?"]).await;
    assert!(texts[2].contains("TT-10402"), "{texts:?}");
}
