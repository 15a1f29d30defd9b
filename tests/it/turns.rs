//! Whole turns over the demo shop: what a customer reads, with a model that may lie, be busy or be absent.

use std::sync::Arc;

use truetill::app::App;
use truetill::domain::{CommandName, Language, Message, SegmentKind, Tier};
use truetill::engine::Generate;
use truetill::turn::{self, Answer, CheckStatus, TurnError, Watcher};

use crate::common::{app, app_over, config};
use crate::fakes::{Scripted, ShopFront, kettle};

async fn with(model: Option<Scripted>) -> (Arc<App>, Option<Arc<Scripted>>) {
    let model = model.map(Arc::new);
    let seam = model.clone().map(|model| model as Arc<dyn Generate>);
    (app(config(), seam).await, model)
}

async fn say(app: &App, language: Language, text: &str, before: Option<&Answer>) -> Answer {
    let message = Message {
        session: before.map(|answer| answer.session_id),
        customer: None,
        text: text.to_string(),
        locale: Some(language),
        channel: "test".to_string(),
    };
    turn::answer(app, message, &Watcher::none()).await.unwrap()
}

fn kinds(answer: &Answer) -> Vec<SegmentKind> {
    answer.reply.segments().iter().map(|segment| segment.kind()).collect()
}

#[tokio::test]
async fn the_price_is_told_in_four_languages_without_a_model() {
    let (app, _) = with(None).await;
    for (language, (question, price)) in kettle() {
        let answer = say(&app, language, question, None).await;
        assert!(answer.reply.text().contains(price), "{}", answer.reply.text());
        assert_eq!(answer.check.status, CheckStatus::Accepted);
        assert_eq!((answer.language, answer.tier), (language, Tier::Rules));
        assert!(!answer.timings.generated);
    }
}

#[tokio::test]
async fn a_model_may_choose_but_not_invent() {
    let question = "How much is a mug?";
    for (lie, told) in [("offer 1", true), ("offer 99", false), ("it costs €1", false), ("none", false), ("", false)]
    {
        let (app, _) = with(Some(Scripted::saying(&[lie, lie]))).await;
        let answer = say(&app, Language::En, question, None).await;
        let text = answer.reply.text();
        assert!(!text.contains("€1,") && !text.contains("€1\n") && !text.contains("€1."), "{lie}: {text}");
        assert_eq!(kinds(&answer).contains(&SegmentKind::Offer), told, "{lie}: {text}");
    }
}

#[tokio::test]
async fn a_reply_the_guard_refuses_is_planned_anew_once_and_then_a_person_answers() {
    let front = || ShopFront::load(&config().paths.data).with_unspeakable_mug();
    let model = || Some(Arc::new(Scripted::saying(&["offer 2"])) as Arc<dyn Generate>);
    for (model, status, offers) in [(model(), CheckStatus::Regenerated, true), (None, CheckStatus::HandedOver, false)] {
        let app = app_over(config(), model, front()).await;
        let answer = say(&app, Language::En, "How much is the Zebra mug?", None).await;
        let told = (answer.check.status, kinds(&answer).contains(&SegmentKind::Offer));
        assert_eq!(told, (status, offers), "{:?}", answer.reply.text());
        assert!(!answer.check.rejected.is_empty() && !answer.reply.text().contains('\u{202e}'));
    }
}

#[tokio::test]
async fn a_busy_model_costs_no_answer() {
    let (app, model) = with(Some(Scripted::default())).await;
    let answer = say(&app, Language::En, "How much is a mug?", None).await;
    assert!(model.unwrap().heard().contains("mug"));
    assert!(kinds(&answer).contains(&SegmentKind::Offer), "{}", answer.reply.text());
}

#[tokio::test]
async fn the_conversation_remembers_what_it_is_about() {
    let (app, _) = with(None).await;
    let first = say(&app, Language::En, "How much is the Volna electric kettle 1.7 l?", None).await;
    let second = say(&app, Language::En, "thanks", Some(&first)).await;
    let third = say(&app, Language::En, "and how much is it?", Some(&second)).await;
    assert!(third.reply.text().contains("€39.90"), "{}", third.reply.text());
    let disclosed = |answer: &Answer| answer.reply.text().contains("virtual assistant");
    assert!(disclosed(&first) && !disclosed(&second));
}

#[tokio::test]
async fn a_wish_is_measured_by_what_the_talk_is_about() {
    let (app, _) = with(None).await;
    for (language, (question, _)) in kettle() {
        let (cheaper, with_it) = match language {
            Language::En => ("do you have anything cheaper?", "what goes well with it?"),
            Language::Ru => ("а есть дешевле?", "какие аксессуары к нему есть?"),
            Language::Sk => ("máte niečo lacnejšie?", "čo sa k tomu hodí?"),
            Language::Zh => ("有更便宜的吗？", "可以搭配什么？"),
        };
        let first = say(&app, language, question, None).await;
        let less = say(&app, language, cheaper, Some(&first)).await;
        assert_eq!(kinds(&less)[0], SegmentKind::Alternatives, "{cheaper}: {}", less.reply.text());
        let amount = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        assert!(!less.reply.text().contains(&amount(question)), "{}", less.reply.text());
        let beside = say(&app, language, with_it, Some(&first)).await;
        let kinds = kinds(&beside);
        assert!(matches!(kinds[0], SegmentKind::Upsell | SegmentKind::NotFound), "{with_it}: {}", beside.reply.text());
    }
}

#[tokio::test]
async fn a_discount_is_only_what_the_catalog_reduces() {
    let (app, _) = with(None).await;
    for (language, question, was) in [
        (Language::En, "do you have any discounts?", "(was "),
        (Language::Ru, "есть скидки?", "(раньше "),
        (Language::Sk, "máte zľavy?", "(predtým "),
        (Language::Zh, "现在有优惠吗？", "（原价"),
    ] {
        let answer = say(&app, language, question, None).await;
        let text = answer.reply.text();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('•')).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(was)), "{text}");
    }
}

#[tokio::test]
async fn an_order_is_told_to_its_owner_alone() {
    let (app, _) = with(None).await;
    let asked = say(&app, Language::En, "Where is my order TT-10401?", None).await;
    assert_eq!(kinds(&asked)[0], SegmentKind::Ask);
    let order = app.orders.find("TT-10401").await.unwrap().unwrap();
    let stranger = say(&app, Language::En, "nobody@example.com", Some(&asked)).await;
    assert_eq!(kinds(&stranger)[0], SegmentKind::NotFound, "{}", stranger.reply.text());
    let again = say(&app, Language::En, "Where is my order TT-10401?", Some(&stranger)).await;
    let owner = say(&app, Language::En, &order.email, Some(&again)).await;
    assert_eq!(kinds(&owner)[0], SegmentKind::Order, "{}", owner.reply.text());
    assert!(owner.reply.text().contains("TT-10401"));
}

#[tokio::test]
async fn personal_data_reaches_neither_model_nor_audit() {
    let (app, model) = with(Some(Scripted::saying(&["none", "none", "none"]))).await;
    let card = "4111 1111 1111 1111";
    let text = format!("my card is {card}, mail jana@example.sk, how much is a mug?");
    let answer = say(&app, Language::En, &text, None).await;
    let record = app.state.turn(answer.turn_id).await.unwrap().unwrap().to_string();
    for secret in [card, "jana@example.sk"] {
        assert!(!record.contains(secret), "audit: {record}");
        assert!(!model.as_ref().unwrap().heard().contains(secret), "model");
        assert!(!answer.reply.text().contains(secret), "reply");
    }
}

#[tokio::test]
async fn every_turn_can_be_replayed() {
    let (app, _) = with(None).await;
    let answer = say(&app, Language::En, "How much is the Volna electric kettle 1.7 l?", None).await;
    let record = app.state.turn(answer.turn_id).await.unwrap().unwrap();
    for part in ["message", "understanding", "outcome", "draft", "check", "reply", "timings"] {
        assert!(!record[part].is_null(), "{part}");
    }
    let facts = record["outcome"]["facts"].as_array().unwrap();
    assert!(facts.iter().any(|fact| fact["id"] == "offer:KT-101-SLV" && fact["source"] == "catalog@test"));
}

#[tokio::test]
async fn the_door_refuses_before_anything_is_done() {
    let (app, _) = with(None).await;
    let refused = async |text: &str, session| {
        let message = Message { session, ..Message::anonymous(text, "test") };
        turn::answer(&app, message, &Watcher::none()).await.unwrap_err()
    };
    assert!(matches!(refused("   ", None).await, TurnError::EmptyMessage));
    assert!(matches!(refused(&"x".repeat(1_000_000), None).await, TurnError::MessageTooLong { limit: 4000, .. }));
    let unknown = truetill::domain::session::SessionId::fresh();
    assert!(matches!(refused("hi", Some(unknown)).await, TurnError::UnknownSession(id) if id == unknown));
}

#[tokio::test]
async fn a_person_is_one_word_away() {
    let (app, _) = with(None).await;
    for (language, word) in
        [(Language::En, "operator"), (Language::Ru, "оператор"), (Language::Sk, "operátor"), (Language::Zh, "转人工")]
    {
        let answer = say(&app, language, word, None).await;
        assert_eq!(answer.commands[0].name, CommandName::Human, "{word}");
        assert!(answer.handover.is_some() && kinds(&answer)[0] == SegmentKind::Human);
    }
}
