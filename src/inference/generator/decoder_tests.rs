//! The own decoder against candle's model, and a remembered prompt against a fresh one.

use super::core::Core;
use super::decoder::{Decoder, Room, Run, Wanted};
use super::made;
use super::memory::Sequence;
use super::*;
use crate::engine::{PromptTurn, Speaker};
use crate::inference::weights::Weights;
use crate::pull::VerifiedModel;
use candle_core::Device;

const TEXTS: [&str; 12] = [
    "The kettle holds 1.7 litres and is made of steel. Delivery to the capital takes",
    "Чайник на 1,7 литра сделан из стали. Доставка в столицу занимает",
    "Kanvica má objem 1,7 litra a je z ocele. Doručenie do hlavného mesta trvá",
    "这款水壶容量为1.7升，由不锈钢制成。送货到首都需要",
    "You can return the shoes within 14 days, if they",
    "Если размер не подошёл, обувь можно вернуть в",
    "Ak vám veľkosť nesedí, topánky môžete vrátiť do",
    "如果尺码不合适，您可以在",
    "1. Lumen desk lamp [lamps, available]\n2. Tatry mug 350 ml [mugs, sold out]\nCustomer: a lamp, please",
    "fn main() {\n    let prices = vec![1290, 450];\n    let total: i64 =",
    "Once upon a time there was a small shop at the foot of the mountains, and its keeper",
    "Гарантия два года; чек нужен. Оплата картой или",
];
/// Texts that are enough where every test runs; sums of floats are slow. All of them for a model that is named.
const FEW: usize = 4;
/// Scores compared after each text.
const STEPS: usize = 3;

fn model(name: &str) -> Option<VerifiedModel> {
    match crate::pull::locate(name) {
        Ok(model) => Some(model),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn best(scores: &[f32]) -> u32 {
    let best = scores.iter().zip(0u32..).max_by(|a, b| a.0.total_cmp(b.0));
    best.map_or(0, |(_, id)| id)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

const ROOM: Room = Room { context: 512, bytes: 1 << 26 };

/// How far a decoder is from sums of floats over the same tokens.
#[derive(Debug, Default)]
struct Nearness {
    steps: usize,
    same: usize,
    /// The mean of 1 - cosine.
    apart: f64,
    lowest: f64,
}

impl Nearness {
    fn add(&mut self, scores: &[f32], exact: &[f32]) {
        let near = cosine(scores, exact);
        self.lowest = if self.steps == 0 { near } else { self.lowest.min(near) };
        self.apart = (self.apart * self.steps as f64 + 1.0 - near) / (self.steps + 1) as f64;
        self.same += usize::from(best(scores) == best(exact));
        self.steps += 1;
    }
}

/// Ours and candle's read each text and the exact decoder's greedy answer.
fn compare(model: &VerifiedModel, texts: &[&str]) -> (Nearness, Nearness) {
    let core = Core::load(model, &GeneratorSettings::default()).unwrap();
    let weights = || Weights::open(&model.path).unwrap();
    let mut ours = core.decoder;
    let mut theirs = Decoder::load_stock(weights(), &Device::Cpu).unwrap();
    let mut exact = Decoder::load_exact(weights(), ROOM).unwrap();
    let (mut near, mut stock) = (Nearness::default(), Nearness::default());
    for text in texts {
        let mut tokens = core.vocabulary.encode_text(text).unwrap();
        let mut decoders = [&mut exact, &mut ours, &mut theirs];
        let mut sequences = decoders.each_mut().map(|d| d.open(&tokens, STEPS).unwrap());
        for _ in 0..STEPS {
            let mut each = decoders.iter_mut().zip(&mut sequences).map(|(d, s)| d.read(s, &tokens).unwrap());
            let [want, ours, theirs] = std::array::from_fn(|_| each.next().unwrap());
            near.add(&ours, &want);
            stock.add(&theirs, &want);
            tokens = vec![best(&want)];
        }
        decoders.into_iter().zip(sequences).for_each(|(d, s)| d.close(s));
    }
    (near, stock)
}

/// Ours must be as near to the exact sums as candle's model is, up to `slack` times its distance.
fn check_nearness(name: &str, texts: &[&str], (lowest, slack): (f64, f64)) {
    let Some(model) = model(name) else { return };
    let (ours, stock) = compare(&model, texts);
    eprintln!("{name}: ours {ours:?}, candle's {stock:?}");
    assert!(ours.apart <= stock.apart * slack && ours.lowest >= lowest, "{ours:?}, candle's {stock:?}");
    // Where the two best tokens are level, rounding decides: candle's own model misses some as well.
    assert!(ours.same + ours.steps / 16 >= stock.same, "{ours:?}, candle's {stock:?}");
}

#[test]
fn the_tiny_model_is_near_to_exact_sums() {
    // Both round activations to 8 bits in blocks of 32; which of them is luckier is chance.
    check_nearness("tiny", &TEXTS[..FEW], (0.99, 1.5));
}

#[test]
fn the_model_named_in_the_environment_is_near_to_exact_sums() {
    match std::env::var("TRUETILL_COMPARE") {
        Ok(name) => check_nearness(&name, &TEXTS, (0.998, 1.1)),
        Err(_) => eprintln!("skipped: TRUETILL_COMPARE names no model"),
    }
}

#[test]
fn a_remembered_prompt_gives_the_very_same_scores() {
    let Some(model) = model("tiny") else { return };
    let mut decoder = Core::load(&model, &GeneratorSettings::default()).unwrap().decoder;
    let prompt: Vec<u32> = (0..300).map(|i| 300 + i * 7 % 1000).collect();
    let mut sequence = decoder.open(&prompt, 0).unwrap();
    assert!(sequence.tokens.is_empty());
    let cold = decoder.read(&mut sequence, &prompt).unwrap();
    // 201 tokens end within a page, 224 with one.
    for kept in [201, 224, 299, 300] {
        decoder.forget();
        decoder.remember(&sequence, kept);
        let other: Vec<u32> = (0..40).map(|i| 500 + i).collect();
        let mut between = decoder.open(&other, 0).unwrap();
        assert!(between.tokens.is_empty());
        decoder.read(&mut between, &other).unwrap();
        decoder.close(between);
        let mut again = decoder.open(&prompt, 0).unwrap();
        assert_eq!(again.tokens.len(), kept.min(299));
        assert!(decoder.read(&mut again, &prompt[kept.min(299)..]).unwrap() == cold, "{kept}: the scores differ");
        decoder.close(again);
    }
    decoder.close(sequence);
    decoder.forget();
    assert_eq!(decoder.memory().0, 0, "pages were lost");
}

#[test]
fn scores_after_each_token_are_those_of_reading_one_by_one() {
    let Some(model) = model("tiny") else { return };
    let mut decoder = Core::load(&model, &GeneratorSettings::default()).unwrap().decoder;
    let prompt: Vec<u32> = (0..45).map(|i| 300 + i * 11 % 1000).collect();
    let mut sequence = decoder.open(&prompt, 0).unwrap();
    let one_by_one: Vec<_> = prompt.iter().map(|t| decoder.read(&mut sequence, &[*t]).unwrap()).collect();
    decoder.close(sequence);
    let (mut first, mut second) = (decoder.open(&prompt, 0).unwrap(), decoder.open(&prompt, 0).unwrap());
    let few = [best(&one_by_one[44]), 7, 8];
    let scores = decoder.step(&mut [
        Run { sequence: &mut first, tokens: &prompt, wanted: Wanted::Last(prompt.len()) },
        Run { sequence: &mut second, tokens: &prompt, wanted: Wanted::Few(&few) },
    ]);
    let scores = scores.unwrap();
    assert!(scores[0] == one_by_one, "the scores depend on what is read together");
    assert_eq!(scores[1][0], few.map(|id| one_by_one[44][id as usize]), "a few are scored otherwise than all");
}

#[test]
fn jobs_between_jobs_change_nothing() {
    let Some(model) = model("tiny") else { return };
    let mut core = Core::load(&model, &GeneratorSettings::default()).unwrap();
    let job = |system: &str, text: &str| Job {
        system: system.repeat(20),
        turns: vec![PromptTurn { speaker: Speaker::User, text: text.into() }],
        grammar: None,
        max_tokens: 16,
        temperature: 0.0,
        seed: 0,
    };
    let jobs = [
        job("You help in a shop. ", "Which lamp is bright?"),
        job("You answer in one word. ", "What is the capital of France?"),
        job("You help in a shop. ", "Which mug is large?"),
        job("You count. ", "One, two"),
        job("You answer in one word. ", "What is the capital of Italy?"),
        job("You help in a shop. ", "Which lamp is bright?"),
    ];
    let cold: Vec<String> = jobs
        .iter()
        .map(|job| {
            core.decoder.forget();
            core.generate(job, &|| true).unwrap().text
        })
        .collect();
    core.decoder.forget();
    let warm: Vec<String> = jobs.iter().map(|job| core.generate(job, &|| true).unwrap().text).collect();
    assert_eq!(cold, warm);
    let (prompt, fixed) = core.chat.prompt(&jobs[0], &core.vocabulary).unwrap();
    let sequence = core.decoder.open(&prompt, 0).unwrap();
    assert!(fixed > 80 && sequence.tokens.len() == fixed, "{fixed} tokens stand before the shopper's");
}

#[test]
fn qwen3_norms_its_heads_as_candle_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = made::model("qwen3", folder.path());
    let weights = || Weights::open(&model.path).unwrap();
    let mut decoders = [
        Decoder::load_exact(weights(), ROOM).unwrap(),
        Decoder::load(weights(), &Device::Cpu, ROOM).unwrap(),
        Decoder::load_stock(weights(), &Device::Cpu).unwrap(),
    ];
    let mut tokens: Vec<u32> = (0..40).map(|at| 100 + at * 37 % 200).collect();
    let mut sequences = decoders.each_mut().map(|decoder| decoder.open(&tokens, 8).unwrap());
    for step in 0..6 {
        let mut each = decoders.iter_mut().zip(&mut sequences).map(|(d, s)| d.read(s, &tokens).unwrap());
        let [exact, ours, theirs] = std::array::from_fn(|_| each.next().unwrap());
        let (near, stock) = (cosine(&ours, &exact), cosine(&theirs, &exact));
        assert!(near > 0.995 && stock > 0.995, "step {step}: ours {near}, candle's {stock}");
        tokens = vec![best(&exact)];
    }
}

const SCORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/made_model_scores.json");

/// What llama.cpp made of the same file; `scripts/made_model_scores.py` asked it.
#[derive(serde::Deserialize)]
struct Asked {
    model: String,
    context: usize,
    prompt: Vec<u32>,
    /// The likeliest tokens, one after the other.
    tokens: Vec<u32>,
    /// Logarithms of the chances of all tokens after the prompt.
    first: Vec<f32>,
    /// Texts and their tokens.
    texts: Vec<(String, Vec<u32>)>,
}

#[test]
fn families_answer_as_llama_cpp_does() {
    let asked: Vec<Asked> = serde_json::from_str(&std::fs::read_to_string(SCORES).unwrap()).unwrap();
    assert!(asked.iter().any(|asked| asked.model == "gemma3") && asked.iter().any(|asked| asked.model == "phi3"));
    let folder = tempfile::tempdir().unwrap();
    for asked in asked {
        let model = made::model(&asked.model, folder.path());
        let room = Room { context: asked.context, bytes: 1 << 26 };
        let mut weights = Weights::open(&model.path).unwrap();
        let vocabulary = Vocabulary::load(&mut weights).unwrap();
        for (text, tokens) in &asked.texts {
            assert_eq!(&vocabulary.encode_text(text).unwrap(), tokens, "{}: {text}", asked.model);
            assert_eq!(&vocabulary.decode(tokens), text);
        }
        // llama.cpp keeps keys and values, and a table of the gate's curve, in half precision.
        let exact = Decoder::load_exact(Weights::open(&model.path).unwrap(), room).unwrap();
        let ours = Decoder::load(Weights::open(&model.path).unwrap(), &Device::Cpu, room).unwrap();
        let exact = answers_as(&asked, exact);
        // Ours rounds weights and activations to 8 bits.
        let near = cosine(&scores_of(ours, &asked.prompt).1, &exact);
        assert!(near > 0.99, "{} in {}: {near}", asked.model, asked.context);
    }
}

/// What a decoder scores after a prompt that is read in two parts: the second attends to the first.
fn scores_of(mut decoder: Decoder, prompt: &[u32]) -> ((Decoder, Sequence), Vec<f32>) {
    let mut sequence = decoder.open(prompt, 16).unwrap();
    let (first, second) = prompt.split_at(prompt.len() / 3);
    decoder.read(&mut sequence, first).unwrap();
    let scores = decoder.read(&mut sequence, second).unwrap();
    ((decoder, sequence), scores)
}

/// The scores after the prompt, and the likeliest tokens one after the other.
fn answers_as(asked: &Asked, decoder: Decoder) -> Vec<f32> {
    let ((mut decoder, mut sequence), after_prompt) = scores_of(decoder, &asked.prompt);
    let mut scores = after_prompt.clone();
    let all = scores.iter().map(|s| f64::from(*s).exp()).sum::<f64>().ln() as f32;
    let apart = scores.iter().zip(&asked.first).map(|(ours, theirs)| (ours - all - theirs).abs()).fold(0.0, f32::max);
    eprintln!("{} in {}: at most {apart} apart", asked.model, asked.context);
    assert!(apart < 0.02, "{} in {}: {apart} apart", asked.model, asked.context);
    for token in &asked.tokens {
        assert_eq!(best(&scores), *token, "{} in {}", asked.model, asked.context);
        scores = decoder.read(&mut sequence, &[*token]).unwrap();
    }
    after_prompt
}

/// Not a test: writes the files that `scripts/made_model_scores.py` shows to llama.cpp.
#[test]
#[ignore = "writes files for scripts/made_model_scores.py"]
fn made_models_are_written() {
    let folder = std::env::var("TRUETILL_MADE").expect("TRUETILL_MADE names a folder");
    for name in ["gemma3", "phi3"] {
        made::model(name, std::path::Path::new(&folder));
    }
}
