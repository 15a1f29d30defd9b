//! A quiz that adds up, and a time that is held, booked once, and never given to two.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;

use crate::common::{TestApp, app, config, text};

struct Visitor<'a> {
    door: &'a TestApp,
    locale: &'a str,
    session: Value,
}

impl<'a> Visitor<'a> {
    fn new(door: &'a TestApp, locale: &'a str) -> Visitor<'a> {
        Visitor { door, locale, session: Value::Null }
    }

    async fn say(&mut self, line: &str) -> String {
        let reply = self.door.say(json!({"locale": self.locale, "session_id": self.session}), None, line).await;
        self.session = reply["session_id"].clone();
        text(&reply).to_string()
    }

    async fn say_all(&mut self, lines: &[&str]) -> String {
        let mut last = String::new();
        for line in lines {
            last = self.say(line).await;
        }
        last
    }
}

async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in: {text}");
}

#[tokio::test]
async fn a_quiz_adds_up_and_its_time_is_booked_with_a_yes() {
    for (locale, opening, sum, time, phone, held, yes, booked) in [
        (
            "en",
            "company tasting",
            "from €225.50",
            "1. 23 November, 13:00",
            "+421 900 000 555",
            "holding",
            "yes please",
            "booked",
        ),
        (
            "ru",
            "дегустация для компании",
            "от 20\u{a0}000\u{a0}₽",
            "23 ноября",
            "+7 900 000-05-55",
            "придержал",
            "да",
            "записаны",
        ),
        (
            "sk",
            "firemná ochutnávka",
            "od 225,50\u{a0}€",
            "23. novembra",
            "+421 900 000 555",
            "držím",
            "áno",
            "rezervovaný",
        ),
        ("zh", "企业品鉴会", "¥1,750起", "11月23日", "+86 138 0000 0555", "保留", "好的", "预约成功"),
    ] {
        let (app, door) = shop().await;
        let mut chat = Visitor::new(&door, locale);
        let offered = chat.say_all(&[opening, "1", "2"]).await;
        has(&offered, sum);
        has(&offered, time);
        chat.say("1").await;
        has(&chat.say(phone).await, held);
        assert_eq!(app.state.events().await.unwrap(), 0, "nothing is booked before a yes");
        has(&chat.say(yes).await, booked);
        chat.say(yes).await;
        let events = app.state.latest_events(9).await.unwrap();
        let told: Value = serde_json::from_str(&events[0].document).unwrap();
        assert_eq!((events.len(), &told["event"]), (1, &json!("visit")), "{locale}");
        assert_eq!(told["consent"]["slot"], "2026-11-23T12:00:00Z");
        assert_eq!(told["consent"]["answers"].as_array().map(Vec::len), Some(3), "{told}");
    }
}

#[tokio::test]
async fn a_time_is_nobodys_twice() {
    let (_app, door) = shop().await;
    let mut offered = Vec::new();
    for _ in 0..4 {
        let mut chat = Visitor::new(&door, "en");
        has(&chat.say("book a visit").await, "1. 23 November, 13:00");
        offered.push(chat);
    }
    // Two seats: the first two who choose have them, the others are offered the next times.
    for (at, chat) in offered.iter_mut().enumerate() {
        let told = chat.say("1").await;
        assert_eq!(told.contains("just been taken"), at >= 2, "{told}");
        if at >= 2 {
            assert!(!told.contains("23 November, 13:00\n"), "{told}");
            has(&told, "1. 23 November, 13:30");
        }
    }
    // Who lets the question go gives the time back only when the hold runs out; another choice moves it at once.
    let told = Visitor::new(&door, "en").say("book a visit").await;
    has(&told, "1. 23 November, 13:30");
}
