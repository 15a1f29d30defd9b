//! The embedder against the reference library's own vectors, in four languages.

use std::path::Path;

use super::*;
use crate::engine::Mark;
use sha2::{Digest, Sha256};

fn core() -> Option<Core> {
    match crate::pull::locate("embedder") {
        Ok(model) => Some(Core::load(&model, EmbedderSettings::default()).unwrap()),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn file(path: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    text
}

/// Base64 of int8 components.
fn unpacked(text: &str) -> Vec<f32> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes: Vec<u8> = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0u32, |b, c| b << 6 | u32::from(digit(*c))) << (6 * (4 - four.len()));
        bytes.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes.iter().map(|b| f32::from(*b as i8)).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn vectors_agree_with_the_reference() {
    let (Some(core), Some(sentences), Some(reference)) =
        (core(), file("data/eval/embedding_sentences.txt"), file("tests/data/embedding_reference.tsv"))
    else {
        return;
    };
    let expected: std::collections::HashMap<_, _> = reference.lines().filter_map(|l| l.split_once('\t')).collect();
    let mut cosines = Vec::new();
    for line in sentences.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let (language, rest) = line.split_once('\t').unwrap();
        let (kind, text) = rest.split_once('\t').unwrap();
        let input = if kind == "query" { EmbedInput::Query } else { EmbedInput::Passage };
        let key = &hex::encode(Sha256::digest(rest))[..16];
        let reference = expected
            .get(key)
            .unwrap_or_else(|| panic!("no reference for `{text}`; run scripts/embedding_reference.py"));
        let vector = core.embed(input, &[text.to_owned()]).unwrap().remove(0);
        cosines.push((cosine(&vector, &unpacked(reference)), language, text));
    }
    cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = cosines.iter().map(|c| c.0).sum::<f64>() / cosines.len() as f64;
    eprintln!("{} sentences, cosine min {:.6} mean {mean:.6}", cosines.len(), cosines[0].0);
    assert!(cosines.len() >= 200 && cosines[0].0 >= 0.999, "{:?}", &cosines[..5.min(cosines.len())]);
}

#[test]
fn batches_and_order_change_nothing() {
    let Some(core) = core() else { return };
    let texts: Vec<String> = (1..60).map(|n| "modrá zimná bunda ".repeat(n % 7 + 1) + &n.to_string()).collect();
    let together = core.embed(EmbedInput::Passage, &texts).unwrap();
    for (text, vector) in texts.iter().zip(&together).step_by(9) {
        let alone = core.embed(EmbedInput::Passage, std::slice::from_ref(text)).unwrap().remove(0);
        assert!(cosine(&alone, vector) > 0.999_99, "{text}");
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn odd_texts_have_vectors() {
    let Some(core) = core() else { return };
    let long = "очень длинный текст ".repeat(5000);
    let texts = ["", " ", "\0\u{1}", "🦊🦊", "<s></s>", &long].map(str::to_owned);
    let vectors = core.embed(EmbedInput::Query, &texts).unwrap();
    assert!(vectors.iter().all(|v| v.len() == 384 && v.iter().all(|x| x.is_finite())));
    assert!(core.embed(EmbedInput::Query, &[]).unwrap().is_empty());
    let ids = core.tokens(EmbedInput::Query, "<s></s><unk>");
    assert_eq!(ids.iter().filter(|id| **id == core.begin || **id == core.end).count(), 2);
}

#[tokio::test]
async fn the_seam_answers_in_order() {
    let Ok(model) = crate::pull::locate("embedder") else {
        return eprintln!("skipped: run `truetill pull embedder`");
    };
    let embedder = Embedder::load(&model, EmbedderSettings::default()).unwrap();
    assert_eq!((embedder.dimensions(), embedder.model().name.as_str()), (384, "multilingual-e5-small"));
    let texts = ["сколько стоит доставка", "koľko stojí doručenie", "red running shoes"].map(str::to_owned);
    let v = embedder.embed(EmbedInput::Query, texts.to_vec()).await.unwrap();
    assert!(cosine(&v[0], &v[1]) > cosine(&v[0], &v[2]));
}

/// The tuned layers that come with the labelled examples.
fn tuned() -> Option<Core> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rules/examples/tuned.gguf");
    let model = crate::pull::locate("embedder").map_err(|error| eprintln!("skipped: {error}")).ok()?;
    Some(Core::load(&model, EmbedderSettings { tuned: Some(path), ..EmbedderSettings::default() }).unwrap())
}

#[test]
fn tuned_layers_tell_wishes_apart_and_leave_vectors_alone() {
    let (Some(core), Some(plain)) = (tuned(), core()) else { return };
    let about = &core.head.as_ref().unwrap().about;
    let check = |text: &str, expected: &str| {
        let texts = [text.to_string()];
        let read = core.read(&texts).unwrap().remove(0);
        assert_eq!(read.vector, plain.embed(EmbedInput::Query, &texts).unwrap()[0], "{text}");
        let best = (0..read.opinion.len()).max_by(|a, b| read.opinion[*a].total_cmp(&read.opinion[*b])).unwrap();
        assert_eq!(about.labels[best], expected, "{text}");
    };
    check("how much does this kettle cost", "price");
    check("где мой заказ, когда его привезут", "order_status");
    check("chcem vrátiť topánky, nesedia mi", "return_item");
    check("这款还有货吗", "stock");
    check("let me talk to a real person please", "human");
    assert_eq!(plain.read(&["?".to_string()]).unwrap()[0].opinion, Vec::<f32>::new());
}

#[test]
fn words_that_name_goods_are_told_from_others() {
    let path = |file: &str| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rules/examples").join(file));
    let Ok(model) = crate::pull::locate("embedder") else {
        return eprintln!("skipped: run `truetill pull embedder`");
    };
    // With tuned layers beside and without, in passes of several texts and of one.
    for tuned in [None, path("tuned.gguf")] {
        let settings = EmbedderSettings { tuned, marks: path("marks.gguf"), ..EmbedderSettings::default() };
        let core = Core::load(&model, settings).unwrap();
        let check = |text: &str, names: &[&str], aside: &[&str]| {
            let texts = [text.to_string(), "a longer text that shares the pass with it, as it may happen".to_string()];
            let together = core.read(&texts).unwrap().remove(0).marks;
            let marks = core.read(&texts[..1]).unwrap().remove(0).marks;
            let names_of = |marks: &[Mark], word: &str| {
                let at = text.find(word).unwrap();
                let within = marks.iter().filter(|mark| mark.range.start < at + word.len() && at < mark.range.end);
                within.map(|mark| mark.names).fold(0.0, f32::max)
            };
            for (words, expected) in [(names, true), (aside, false)] {
                for word in words {
                    let chance = names_of(&marks, word);
                    assert_eq!(chance > 0.5, expected, "{word} of {text}: {chance}");
                    assert!((chance - names_of(&together, word)).abs() < 0.02, "{word} of {text}");
                }
            }
        };
        check("aha skoda. a zehlicku?", &["zehlicku"], &["aha"]);
        check("понял. а кроссовки 43 есть?", &["кроссовки"], &["понял", "есть"]);
        check("right, i want the robot vacuum", &["vacuum"], &["right", "want"]);
        check("在吗 想买个电热水壶", &["电热水壶"], &["在吗"]);
        assert!(core.read(&[String::new()]).unwrap()[0].marks.is_empty());
    }
}

#[test]
fn a_message_is_parted_into_its_wishes() {
    let path = |file: &str| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rules/examples").join(file));
    let Ok(model) = crate::pull::locate("embedder") else {
        return eprintln!("skipped: run `truetill pull embedder`");
    };
    // Alone and beside the other tuned layers, which stay as they are.
    for tuned in [None, path("tuned.gguf")] {
        let settings = EmbedderSettings { wishes: path("wishes.gguf"), tuned, ..EmbedderSettings::default() };
        let core = Core::load(&model, settings).unwrap();
        let check = |text: &str, expected: &[(&str, &str)]| {
            let read = core.read(&[text.to_string()]).unwrap().remove(0);
            let told: Vec<(&str, &str)> =
                read.wishes.iter().map(|stretch| (stretch.wish.as_str(), text[stretch.range.clone()].trim())).collect();
            assert_eq!(told, expected, "{text}");
        };
        check("how much is the kettle", &[("price", "how much is the kettle")]);
        check(
            "put the red one in my cart and how long is the warranty?",
            &[("cart_add", "put the red one in my cart"), ("policy", "and how long is the warranty?")],
        );
        check(
            "она не промокает? и 43 есть в москве?",
            &[("about", "она не промокает?"), ("stock", "и 43 есть в москве?")],
        );
        check("这款能机洗吗，寄到杭州要几天", &[("about", "这款能机洗吗，"), ("delivery_info", "寄到杭州要几天")]);
        check("", &[]);
    }
}

#[test]
fn what_was_made_for_another_embedder_is_refused() {
    let Ok(mut model) = crate::pull::locate("embedder") else { return };
    model.id.sha256 = "0".repeat(64);
    let path = |file: &str| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rules/examples").join(file));
    for settings in [
        EmbedderSettings { tuned: path("tuned.gguf"), ..EmbedderSettings::default() },
        EmbedderSettings { marks: path("marks.gguf"), ..EmbedderSettings::default() },
        EmbedderSettings { wishes: path("wishes.gguf"), ..EmbedderSettings::default() },
    ] {
        let fault = Core::load(&model, settings).map(|_| ()).unwrap_err();
        assert!(format!("{fault:#}").contains("another embedder"), "{fault:#}");
    }
}
