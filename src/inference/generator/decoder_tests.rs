//! The own decoder against candle's model, and a remembered prompt against a fresh one.

use super::core::Core;
use super::decoder::Decoder;
use super::*;
use crate::inference::weights::Weights;
use crate::pull::VerifiedModel;
use candle_core::Device;

const TEXTS: [&str; 4] = [
    "The kettle holds 1.7 litres and is made of steel. Delivery to the capital takes",
    "Чайник на 1,7 литра сделан из стали. Доставка в столицу занимает",
    "Kanvica má objem 1,7 litra a je z ocele. Doručenie do hlavného mesta trvá",
    "这款水壶容量为1.7升，由不锈钢制成。送货到首都需要",
];

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

fn read(decoder: &mut Decoder, tokens: &[u32]) -> Vec<f32> {
    decoder.read(tokens, None, &|| true).unwrap().unwrap()
}

/// What came of reading the same tokens twice.
#[derive(Debug)]
struct Compared {
    steps: usize,
    same: usize,
    lowest: f64,
}

/// Both read each text and the greedy answer of the second; the scores are compared at each step.
fn compare(name: &str, core: &Core, (ours, theirs): (&mut Decoder, &mut Decoder)) -> Compared {
    let mut all = Compared { steps: 0, same: 0, lowest: 1.0 };
    for text in TEXTS {
        let mut tokens = core.vocabulary.encode_text(text).unwrap();
        ours.reset();
        theirs.reset();
        for step in 0..12 {
            let (a, b) = (read(ours, &tokens), read(theirs, &tokens));
            let near = cosine(&a, &b);
            if near < 0.995 || best(&a) != best(&b) {
                let gap = b[best(&b) as usize] - b[best(&a) as usize];
                eprintln!("{name} step {step} of `{text}`: cosine {near:.5}, gap {gap:.4}");
            }
            all.lowest = all.lowest.min(near);
            all.same += usize::from(best(&a) == best(&b));
            all.steps += 1;
            tokens = vec![best(&b)];
        }
    }
    eprintln!("{name}: {all:?}");
    all
}

fn own(model: &VerifiedModel) -> Decoder {
    Decoder::load(Weights::open(model).unwrap(), &Device::Cpu, 512).unwrap()
}

fn stock(model: &VerifiedModel) -> Decoder {
    Decoder::load_stock(Weights::open(model).unwrap(), &Device::Cpu).unwrap()
}

fn check_against_stock(name: &str, cosine_at_least: f64) {
    let Some(model) = model(name) else { return };
    let core = Core::load(&model, &GeneratorSettings::default()).unwrap();
    let found = compare(name, &core, (&mut own(&model), &mut stock(&model)));
    assert!(found.lowest >= cosine_at_least && found.same * 100 >= found.steps * 95, "{found:?}");
}

#[test]
fn the_tiny_model_is_compared_with_exact_activations() {
    let Some(model) = model("tiny") else { return };
    let core = Core::load(&model, &GeneratorSettings::default()).unwrap();
    let (mut packed, mut exact, mut stock) = (own(&model), own(&model), stock(&model));
    exact.make_exact();
    let without = compare("tiny, exact to stock", &core, (&mut exact, &mut stock));
    compare("tiny, packed to exact", &core, (&mut packed, &mut exact));
    assert!(without.lowest >= 0.999 && without.same * 100 >= without.steps * 95, "{without:?}");
}

#[test]
fn the_small_model_says_what_candles_does() {
    check_against_stock("small", 0.995);
}

#[test]
fn the_model_named_in_the_environment_says_what_candles_does() {
    match std::env::var("TRUETILL_COMPARE") {
        Ok(name) => check_against_stock(&name, 0.999),
        Err(_) => eprintln!("skipped: TRUETILL_COMPARE names no model"),
    }
}

#[test]
fn a_remembered_prompt_gives_the_same_scores() {
    let Some(model) = model("tiny") else { return };
    let mut core = Core::load(&model, &GeneratorSettings::default()).unwrap();
    let prompt: Vec<u32> = (0..300).map(|i| 300 + i * 7 % 1000).collect();
    core.decoder.reset();
    assert_eq!(core.decoder.begin(&prompt), 0);
    let cold = read(&mut core.decoder, &prompt);
    core.decoder.keep(200);
    let other: Vec<u32> = (0..40).map(|i| 500 + i).collect();
    assert_eq!(core.decoder.begin(&other), 0);
    read(&mut core.decoder, &other);
    assert_eq!(core.decoder.begin(&prompt), 200);
    let warm = read(&mut core.decoder, &prompt[200..]);
    assert!(cosine(&cold, &warm) > 0.99999, "{}", cosine(&cold, &warm));
    assert_eq!(best(&cold), best(&warm));
    let few = [best(&warm), 7, 300];
    assert_eq!(core.decoder.begin(&prompt), 299);
    let some = core.decoder.read(&prompt[299..], Some(&few), &|| true).unwrap().unwrap();
    assert_eq!(best(&some), 0);
}
