//! Replies in the model's own words: code fills the slots, the guard reads the whole, and what it refuses is said by a
//! template over the same facts. The model here follows no grammar: it may write whatever it likes.

use std::sync::Arc;

use truetill::app::App;
use truetill::config::{Composition, Config};
use truetill::domain::{Language, Message, SegmentKind};
use truetill::engine::Generate;
use truetill::turn::{self, Answer, CheckStatus, Watcher};

use crate::common::{app, config};
use crate::fakes::{Scripted, kettle};

/// The settings with the model's own words switched on.
pub fn wordy() -> Config {
    let mut config = config();
    config.generation.composition = Composition::Prose;
    config
}

async fn saying(words: &'static str) -> Arc<App> {
    app(wordy(), Some(Arc::new(Scripted::saying(&[words])) as Arc<dyn Generate>)).await
}

async fn say(app: &App, language: Language, text: &str) -> Answer {
    let message = Message {
        session: None,
        customer: None,
        text: text.to_string(),
        locale: Some(language),
        channel: "test".to_string(),
    };
    turn::answer(app, message, &Watcher::none()).await.unwrap()
}

#[tokio::test]
async fn slots_are_filled_as_templates_fill_them() {
    let words = [
        "Our {name1} costs {price1}.",
        "{name1} стоит {price1}.",
        "Rýchlovarná kanvica, to je {name1}, stojí {price1}.",
        "{name1}的价格是{price1}。",
    ];
    for (language, words) in Language::ALL.into_iter().zip(words) {
        let (question, price) = kettle()[&language];
        let app = saying(words).await;
        let answer = say(&app, language, question).await;
        let text = answer.reply.text();
        assert!(text.contains(price), "{language}: {text}");
        assert_eq!(answer.check.status, CheckStatus::Accepted, "{language}: {:?} {text}", answer.check.rejected);
        assert!(
            answer.reply.segments().iter().any(|part| part.kind() == SegmentKind::Offer && !part.facts().is_empty())
        );
    }
}

#[tokio::test]
async fn what_the_guard_refuses_is_told_by_a_template() {
    let (question, price) = kettle()[&Language::En];
    for lie in [
        "Our {name1} costs 5 EUR.",
        "Our {name1} costs five euros.",
        "Our {name1} is free of charge.",
        "{name1} costs {price1}, and you get ten percent off.",
        "{name1} was {price1}.",
        "{name1} costs less than {price1}.",
        "{name1} costs {price1} for two.",
        "{name1} costs about {price1}.",
        "It is {price1}.",
        "{name1} costs {price1}, that's a deal, I promise.",
    ] {
        let app = saying(lie).await;
        let answer = say(&app, Language::En, question).await;
        let text = answer.reply.text();
        assert_eq!(answer.check.status, CheckStatus::Repaired, "{lie} became {text}");
        assert!(text.contains(price) && !answer.check.rejected.is_empty(), "{lie} became {text}");
    }
}

#[tokio::test]
async fn words_that_cannot_be_filled_or_end_nowhere_give_way_to_the_plan() {
    let (question, price) = kettle()[&Language::En];
    for odd in
        ["{name1} costs {price2}.", "{name1} costs {sum1}.", "{name7} costs {price7}.", "I think that", "", "{oops"]
    {
        let app = saying(odd).await;
        let answer = say(&app, Language::En, question).await;
        assert!(answer.reply.text().contains(price), "{odd} became {}", answer.reply.text());
    }
}

#[tokio::test]
async fn a_busy_model_costs_no_answer() {
    let (question, price) = kettle()[&Language::En];
    let app = app(wordy(), Some(Arc::new(Scripted::default()))).await;
    let answer = say(&app, Language::En, question).await;
    assert!(answer.reply.text().contains(price), "{}", answer.reply.text());
}

#[tokio::test]
async fn the_model_is_shown_values_with_their_slots_and_chooses_whom_it_names() {
    let model = Arc::new(Scripted::saying(&["{none}", "We have {name2} for {price2}."]));
    let app = app(wordy(), Some(Arc::clone(&model) as Arc<dyn Generate>)).await;
    let nothing = say(&app, Language::En, "How much is a mug?").await;
    assert!(nothing.reply.segments().iter().all(|part| part.kind() != SegmentKind::Offer), "{}", nothing.reply.text());
    let chosen = say(&app, Language::En, "How much is a mug?").await;
    assert!(!chosen.actions.is_empty(), "{}", chosen.reply.text());
    assert_eq!(chosen.check.status, CheckStatus::Accepted, "{}", chosen.reply.text());
    for part in ["{name1} = ", "; {price1} = ", " EUR; ", "mugs, available, ", "Customer (en): How much is a mug?"] {
        assert!(model.heard().contains(part), "{part} is missing in {}", model.heard());
    }
}
