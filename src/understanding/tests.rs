//! The stage as a whole, over a made-up embedder: letters in threes, hashed. Slots and splitting are tested where they live.

use async_trait::async_trait;

use super::definitions::tests::{rules, texts};
use super::*;
use crate::domain::plan::Ask;
use crate::domain::session::Pending;
use crate::domain::{Language, Slots};
use crate::engine::{EmbedInput, GenerateError, Generated, Job, ModelId};

struct Letters;

#[async_trait]
impl Embed for Letters {
    async fn embed(&self, _: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| letters(text)).collect())
    }

    fn model(&self) -> ModelId {
        ModelId { name: "letters".into(), sha256: String::new() }
    }

    fn dimensions(&self) -> usize {
        128
    }
}

fn letters(text: &str) -> Vec<f32> {
    let chars: Vec<char> = format!(" {} ", folded::fold(text)).chars().collect();
    let mut vector = vec![0.0_f32; 128];
    for three in chars.windows(3) {
        let hash = three.iter().fold(2_166_136_261_u32, |hash, c| (hash ^ *c as u32).wrapping_mul(16_777_619));
        vector[(hash >> 8) as usize % 128] += 1.0;
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}

/// Says one thing, whatever it is asked.
struct Says(&'static str);

#[async_trait]
impl Generate for Says {
    async fn generate(&self, job: Job) -> Result<Generated, GenerateError> {
        assert!(job.grammar.is_some_and(|grammar| grammar.contains("command: ")));
        Ok(Generated {
            text: self.0.into(),
            prompt_tokens: 1,
            generated_tokens: 1,
            finished: true,
            queue_ms: 0.0,
            first_token_ms: 0.0,
            total_ms: 0.0,
        })
    }

    fn model(&self) -> ModelId {
        ModelId { name: "says".into(), sha256: String::new() }
    }
}

/// Few examples, so that the fit is quick.
fn few() -> CommandRules {
    let mut rules = CommandRules::new(texts()).unwrap_or_else(|error| panic!("{error}"));
    rules.specs.iter_mut().for_each(|spec| spec.examples.retain(|(language, _)| *language == Language::En));
    rules.specs.iter_mut().for_each(|spec| spec.examples.truncate(8));
    rules
}

fn screened(text: &str) -> Screened {
    Screened {
        text: text.into(),
        private: text.into(),
        language: Language::En,
        pii: Vec::new(),
        injection: 0.0,
        spam: 0.0,
        marks: Marks::default(),
    }
}

async fn understand(text: &str, generate: Option<&dyn Generate>) -> Understanding {
    let rules = few();
    let index = ExampleIndex::build(&rules, &Letters, &Shelves::default()).await.unwrap();
    let understander = Understander::new(rules, Some(index), UnderstandingSettings::default());
    let message = screened(text);
    understander.understand(Input { message: &message, session: &Session::default() }, Some(&Letters), generate).await
}

#[tokio::test]
async fn the_first_sure_tier_wins() {
    assert_eq!(understand("how much is the kettle", None).await.tier, Tier::Rules);
    let labelled = understand("I'm looking for a kettle", Some(&Says("find_product"))).await;
    assert_eq!(labelled.commands[0].name, CommandName::FindProduct, "{:?}", labelled.notes);
    let unheard = understand("zxqv wpfk jjyt", Some(&Says("policy,price"))).await;
    assert_eq!((unheard.tier, unheard.commands.len()), (Tier::Model, 2), "{:?}", unheard.notes);
}

#[tokio::test]
async fn a_model_that_rambles_or_is_missing_leaves_the_best_guess() {
    let rambling = understand("zxqv wpfk jjyt", Some(&Says("I think it is a price"))).await;
    assert_eq!(rambling.tier, Tier::Examples);
    assert!(rambling.notes.iter().any(|note| note.contains("no list of commands")));
    assert!(understand("zxqv wpfk jjyt", None).await.confidence < 0.75);
}

#[tokio::test]
async fn without_any_model_words_are_searched_for() {
    let understander = Understander::new(CommandRules::new(texts()).unwrap(), None, UnderstandingSettings::default());
    let message = screened("Makita DHR 242");
    let got = understander.understand(Input { message: &message, session: &Session::default() }, None, None).await;
    assert_eq!(
        got.commands,
        [Command {
            name: CommandName::FindProduct,
            slots: Slots { product: Some("Makita DHR 242".into()), ..Slots::default() }
        }]
    );
}

#[tokio::test]
async fn cases_come_out_as_lines() {
    let understander = Understander::new(CommandRules::new(texts()).unwrap(), None, UnderstandingSettings::default());
    let screen = |text: &str| screened(text);
    let batch =
        cases::Batch { understander: &understander, screen: &screen, embed: None, generate: None, explain: false };
    let mut out = Vec::new();
    assert_eq!(cases::run(&batch, "id\ttext\na1\tTT-10401\n".as_bytes(), &mut out).await.unwrap(), 1);
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(line["id"], "a1");
    assert_eq!(line["commands"][0]["slots"]["order_number"], "TT-10401");
    let wrong = cases::run(&batch, "no tab\n".as_bytes(), Vec::new()).await.unwrap_err();
    assert!(wrong.to_string().starts_with("row 1"));
}

#[test]
fn contacts_come_from_the_private_text() {
    use crate::domain::message::{Pii, PiiKind};
    let private = "перезвоните 8 916 123-45-67";
    let at = private.find('8').unwrap();
    let message = Screened {
        text: "перезвоните [phone]".into(),
        private: private.into(),
        pii: vec![Pii { kind: PiiKind::Phone, range: at..private.len() }],
        ..screened("")
    };
    let pending = Pending {
        command: Command { name: CommandName::LeaveContact, slots: Slots::default() },
        asked: Ask::Phone,
        failed: 0,
    };
    let session = Session { pending: Some(pending), ..Session::default() };
    let sure = rules().decide(Input { message: &message, session: &session }).unwrap();
    assert_eq!(sure.commands[0].slots.phone.as_deref(), Some("+79161234567"));
}
