//! A contact is left: nothing is kept before a yes, one event after it, and the figures that count what happened.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;

use crate::common::{TestApp, app, config, text};

async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

async fn say(door: &TestApp, (locale, before): (&str, Option<&Value>), text: &str) -> Value {
    door.say(json!({"locale": locale}), before, text).await
}

#[tokio::test]
async fn a_contact_is_kept_after_a_yes_and_only_then() {
    for (locale, opening, phone, yes, no, asked, kept) in [
        ("en", "please call me back", "+421 900 000 555", "yes please", "no thanks", "yes or no", "passed it on"),
        ("ru", "перезвоните мне пожалуйста", "+7 900 000-05-55", "да, звоните", "нет", "«да» или «нет»", "передаю"),
        ("sk", "zavolajte mi prosím", "+421 900 000 555", "áno", "nie, netreba", "áno alebo nie", "odovzdané"),
        ("zh", "请给我回个电话", "+86 138 0000 0555", "好的", "不用了", "“是”或“否”", "已经转达"),
    ] {
        for (answer, events) in [(no, 0), (yes, 1)] {
            let (app, door) = shop().await;
            let first = say(&door, (locale, None), opening).await;
            let asked_reply = say(&door, (locale, Some(&first)), phone).await;
            assert!(text(&asked_reply).contains(asked), "{}", text(&asked_reply));
            assert_eq!(app.state.events().await.unwrap(), 0, "nothing is kept before a yes");
            let reply = say(&door, (locale, Some(&first)), answer).await;
            assert_eq!(text(&reply).contains(kept), events == 1, "{}", text(&reply));
            say(&door, (locale, Some(&first)), answer).await;
            assert_eq!(app.state.events().await.unwrap(), events, "{locale} {answer}");
            if let Some(event) = app.state.latest_events(1).await.unwrap().first() {
                let lead: Value = serde_json::from_str(&event.document).unwrap();
                assert_eq!((&lead["event"], &lead["language"]), (&json!("lead"), &json!(locale)));
                let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
                assert_eq!(lead["consent"]["phone"].as_str().unwrap().trim_start_matches('+'), digits);
                assert!(lead["summary"].as_array().is_some_and(|summary| !summary.is_empty()), "{lead}");
                assert!(!lead["summary"].to_string().contains(phone), "the summary is masked: {lead}");
            }
        }
    }
}

#[tokio::test]
async fn a_quiz_leads_to_products_and_a_menu_to_a_call_with_what_was_chosen() {
    for (locale, opening, find, morning, phone, yes, question) in [
        ("en", "menu", "kettle", "in the morning", "+421 900 000 555", "yes please", "When may"),
        ("ru", "меню", "чайник", "утром", "+7 900 000-05-55", "да, звоните", "Когда"),
        ("sk", "menu", "kanvica", "doobeda", "+421 900 000 555", "áno", "Kedy"),
        ("zh", "菜单", "水壶", "上午", "+86 138 0000 0555", "好的", "什么时候"),
    ] {
        let (app, door) = shop().await;
        let first = say(&door, (locale, None), opening).await;
        assert!(text(&first).contains("1. ") && text(&first).contains("5. "), "{}", text(&first));
        let kind = say(&door, (locale, Some(&first)), "1").await;
        assert!(text(&kind).contains("4. "), "{}", text(&kind));
        let budget = say(&door, (locale, Some(&first)), find).await;
        assert!(text(&budget).contains("3. "), "{}", text(&budget));
        let shown = say(&door, (locale, Some(&first)), "3").await;
        assert_eq!(shown["commands"][0]["name"], "find_product", "{shown}");
        // The search of tests knows words between spaces only.
        assert!(shown["reply"]["segments"][0]["kind"] == "offer" || locale == "zh", "{shown}");

        let first = say(&door, (locale, None), opening).await;
        let when = say(&door, (locale, Some(&first)), "5").await;
        assert!(text(&when).contains(question), "{}", text(&when));
        say(&door, (locale, Some(&first)), morning).await;
        say(&door, (locale, Some(&first)), phone).await;
        assert_eq!(app.state.events().await.unwrap(), 0, "nothing is kept before a yes");
        say(&door, (locale, Some(&first)), yes).await;
        let event = app.state.latest_events(1).await.unwrap().remove(0);
        let lead: Value = serde_json::from_str(&event.document).unwrap();
        let answers = lead["consent"]["answers"].as_array().unwrap_or_else(|| panic!("{lead}"));
        assert_eq!(answers.len(), 2, "{lead}");
        assert!(answers[1][1].as_str().unwrap().to_lowercase().contains(morning), "{lead}");
        // A question of another kind lets the menu go; its numbers mean nothing then.
        let open = say(&door, (locale, None), opening).await;
        let other = say(&door, (locale, Some(&open)), "How much is the Volna electric kettle 1.7 l?").await;
        assert!(
            text(&other).contains("39.90")
                || text(&other).contains("3\u{a0}490")
                || text(&other).contains("249")
                || text(&other).contains("39,90"),
            "{}",
            text(&other)
        );
    }
}

#[tokio::test]
async fn the_figures_count_what_happened() {
    let (_, door) = shop().await;
    let thanked = say(&door, ("en", None), "How much is the Volna electric kettle 1.7 l?").await;
    say(&door, ("en", Some(&thanked)), "thanks").await;
    let done = say(&door, ("en", None), "cancel my order TT-10452, martin.balog@example.sk").await;
    say(&door, ("en", Some(&done)), "yes").await;
    let person = say(&door, ("en", None), "operator").await;
    let scored = json!({"session_id": person["session_id"], "score": 2}).to_string();
    assert_eq!(door.post("/api/v1/feedback", scored, &[]).await.status, 204);
    let unknown = json!({"session_id": "0198f6f2-7a3c-7c1e-9d55-0a3a52f4b8a1", "score": 2}).to_string();
    assert_eq!(door.post("/api/v1/feedback", unknown, &[]).await.status, 404);
    let wrong = json!({"session_id": person["session_id"], "score": 6}).to_string();
    assert_eq!(door.post("/api/v1/feedback", wrong, &[]).await.status, 422);

    let path = "/api/v1/kpi?from=2020-01-01&to=2100-01-01";
    let report = door.get(path).await.json();
    let measure = |name: &str| {
        let all = report["measures"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((measure("conversations"), measure("turns")), (json!(3.0), json!(5.0)), "{report}");
    assert_eq!((measure("tasks_done"), measure("cases"), measure("csat")), (json!(1.0), json!(1.0), json!(0.0)));
    let all = &report["containment"][0];
    assert_eq!((&all["command"], &all["verified"], &all["handed_over"]), (&json!("all"), &json!(2), &json!(1)));
    let csv = door.get(&format!("{path}&format=csv")).await;
    assert!(csv.header("content-type").starts_with("text/csv") && csv.body.contains("containment,price.verified,1"));
    assert!(door.get(&format!("{path}&format=table")).await.body.contains("cancel_order"));
    assert_eq!(door.get("/api/v1/kpi?from=tomorrow").await.json()["field"], "from");
}

#[tokio::test]
async fn a_notice_is_kept_for_what_is_sold_out_and_only_then() {
    let (app, door) = shop().await;
    let ask = async |text: &str| say(&door, ("en", None), text).await;
    let gone = ask("let me know when the Tatry herbal tea 50 g is available, anna@example.com").await;
    assert!(text(&gone).contains("when this item is back"), "{}", text(&gone));
    let kept = say(&door, ("en", Some(&gone)), "yes please").await;
    assert!(text(&kept).contains("we will let you know"), "{}", text(&kept));
    let event = app.state.latest_events(1).await.unwrap().remove(0);
    let wanted: Value = serde_json::from_str(&event.document).unwrap();
    assert_eq!((&wanted["event"], &wanted["consent"]["product"]), (&json!("restock_wanted"), &json!("CT-108")));
    assert_eq!(wanted["consent"]["email"], "anna@example.com");
    let there = ask("let me know when the Volna electric kettle 1.7 l is available, anna@example.com").await;
    assert!(!text(&there).contains("when this item is back"), "{}", text(&there));
    assert_eq!(app.state.events().await.unwrap(), 1);
}

#[tokio::test]
async fn an_advertisement_leaves_no_contact_whatever_was_asked_before() {
    for (locale, opening, offer, yes, refused) in [
        (
            "en",
            "please call me back",
            "We offer SEO and backlinks to rank on Google, call me back on +421 900 000 555",
            "yes please",
            "do not take business offers",
        ),
        (
            "ru",
            "перезвоните мне пожалуйста",
            "Предлагаем продвижение сайтов, перезвоните мне +7 900 000-05-55",
            "да, звоните",
            "коммерческие предложения",
        ),
        (
            "sk",
            "zavolajte mi prosím",
            "Ponúkame vám tvorbu webov a SEO optimalizáciu, zavolajte mi +421 900 000 555",
            "áno",
            "obchodné ponuky",
        ),
        ("zh", "请给我回个电话", "专业代运营刷单，请给我回个电话 +86 138 0000 0555", "好的", "商业推广"),
    ] {
        let (app, door) = shop().await;
        let asked = say(&door, (locale, None), opening).await;
        for before in [None, Some(&asked)] {
            let told = say(&door, (locale, before), offer).await;
            assert!(text(&told).contains(refused), "{offer}: {}", text(&told));
            say(&door, (locale, Some(&told)), yes).await;
            assert_eq!(app.state.events().await.unwrap(), 0, "{locale}: an advertisement became a lead");
        }
    }
}
