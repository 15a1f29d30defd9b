//! Model files of a few random numbers, the same at every run: of some families no model is small enough to be fetched for a
//! test. Their words are SentencePiece's, so that llama.cpp reads them, too.

use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::engine::ModelId;
use crate::pull::VerifiedModel;

const WIDTH: usize = 64;
const INNER: usize = 96;
const WORDS: usize = 384;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;

/// What is special about a family.
struct Family {
    name: &'static str,
    layers: usize,
    head: usize,
    /// Queries, keys and values in one matrix, gate and up in another.
    joined: bool,
    head_norms: bool,
    norms_after: bool,
    own_output: bool,
    /// Divisors of the turning, for long and for short contexts.
    factors: bool,
    kind: GgmlDType,
}

fn family(name: &str) -> Family {
    let plain = Family {
        name: "qwen3",
        layers: 2,
        head: 32,
        joined: false,
        head_norms: true,
        norms_after: false,
        own_output: true,
        factors: false,
        kind: GgmlDType::Q8_0,
    };
    match name {
        "qwen3" => plain,
        // Of seven layers the sixth sees everything.
        "gemma3" => {
            Family { name: "gemma3", layers: 7, norms_after: true, own_output: false, kind: GgmlDType::F32, ..plain }
        }
        "phi3" => Family {
            name: "phi3",
            layers: 3,
            head: WIDTH / HEADS,
            joined: true,
            head_norms: false,
            factors: true,
            kind: GgmlDType::F32,
            ..plain
        },
        other => panic!("no family {other}"),
    }
}

/// Numbers that are the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }

    /// Rows of numbers around zero, or single ones around one.
    fn tensor(&mut self, shape: &[usize], kind: GgmlDType) -> QTensor {
        let (around, wide, kind) = if shape.len() == 1 { (1.0, 0.4, GgmlDType::F32) } else { (0.0, 0.4, kind) };
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| around + self.next() * wide).collect();
        let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap();
        QTensor::quantize(&tensor, kind).unwrap()
    }
}

/// Writes the file of a family.
pub(super) fn model(name: &str, folder: &Path) -> VerifiedModel {
    let family = family(name);
    let mut metadata = sizes(&family);
    metadata.extend(words());
    let tensors = tensors(&family);
    let path = folder.join(format!("{name}.gguf"));
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(&path).unwrap(), &metadata, &tensors).unwrap();
    let id = ModelId { name: format!("{name} of random numbers"), sha256: String::new() };
    VerifiedModel { bytes: std::fs::metadata(&path).unwrap().len(), path, id, entry: None }
}

fn sizes(family: &Family) -> Vec<(String, Value)> {
    let number = |key: &str, value: usize| (format!("{}.{key}", family.name), Value::U32(value as u32));
    let float = |key: &str, value: f32| (format!("{}.{key}", family.name), Value::F32(value));
    let mut all = vec![
        ("general.architecture".to_string(), Value::String(family.name.into())),
        number("attention.head_count", HEADS),
        number("attention.head_count_kv", KV_HEADS),
        number("attention.key_length", family.head),
        number("attention.value_length", family.head),
        number("block_count", family.layers),
        number("embedding_length", WIDTH),
        number("feed_forward_length", INNER),
        number("context_length", 512),
        number("rope.dimension_count", family.head),
        float("attention.layer_norm_rms_epsilon", 1e-6),
        float("rope.freq_base", 1e6),
    ];
    match family.name {
        "gemma3" => all.extend([
            number("attention.sliding_window", 8),
            ("gemma3.rope.scaling.type".to_string(), Value::String("linear".into())),
            float("rope.scaling.factor", 8.0),
        ]),
        "phi3" => {
            all.extend([number("rope.scaling.original_context_length", 256), float("rope.scaling.attn_factor", 1.19)])
        }
        _ => {}
    }
    all
}

fn tensors(family: &Family) -> Vec<(String, QTensor)> {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let (own, shared) = (HEADS * family.head, KV_HEADS * family.head);
    let mut shapes: Vec<(String, Vec<usize>)> =
        vec![("token_embd.weight".into(), vec![WORDS, WIDTH]), ("output_norm.weight".into(), vec![WIDTH])];
    if family.own_output {
        shapes.push(("output.weight".into(), vec![WORDS, WIDTH]));
    }
    for layer in 0..family.layers {
        let mut add = |name: &str, shape: &[usize]| shapes.push((format!("blk.{layer}.{name}.weight"), shape.to_vec()));
        add("attn_norm", &[WIDTH]);
        add("ffn_norm", &[WIDTH]);
        if family.head_norms {
            add("attn_q_norm", &[family.head]);
            add("attn_k_norm", &[family.head]);
        }
        if family.norms_after {
            add("post_attention_norm", &[WIDTH]);
            add("post_ffw_norm", &[WIDTH]);
        }
        match family.joined {
            true => {
                add("attn_qkv", &[own + 2 * shared, WIDTH]);
                add("ffn_up", &[2 * INNER, WIDTH]);
            }
            false => {
                add("attn_q", &[own, WIDTH]);
                add("attn_k", &[shared, WIDTH]);
                add("attn_v", &[shared, WIDTH]);
                add("ffn_gate", &[INNER, WIDTH]);
                add("ffn_up", &[INNER, WIDTH]);
            }
        }
        add("attn_output", &[WIDTH, own]);
        add("ffn_down", &[WIDTH, INNER]);
    }
    if family.factors {
        shapes.extend(["long", "short"].map(|kind| (format!("rope_factors_{kind}.weight"), vec![family.head / 2])));
    }
    shapes.into_iter().map(|(name, shape)| (name, chance.tensor(&shape, family.kind))).collect()
}

/// A few control tokens, all bytes, letters of three scripts and pieces of some words with their scores.
fn words() -> Vec<(String, Value)> {
    let mut tokens: Vec<(String, f32, i32)> =
        [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<end_of_turn>", 3)].map(|(t, kind)| (t.into(), 0.0, kind)).into();
    tokens.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
    tokens.extend(["\n", "\n\n"].map(|blank| (blank.to_string(), 0.0, 4)));
    let words = "\u{2581}price \u{2581}the \u{2581}цена \u{2581}kanvica 水壶 price ice the цен на van";
    let mut pieces: Vec<String> = words.chars().filter(|c| *c != ' ').map(String::from).collect();
    for word in words.split(' ') {
        let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
        pieces.extend(ends.map(|end| word[..end].to_string()));
    }
    for piece in pieces {
        if tokens.iter().all(|(known, ..)| *known != piece) {
            let score = -(tokens.len() as f32);
            tokens.push((piece, score, 1));
        }
    }
    let unused = (tokens.len()..WORDS).map(|at| (format!("<unused{at}>"), 0.0, 5));
    let unused: Vec<_> = unused.collect();
    tokens.extend(unused);
    let list = |of: &dyn Fn(&(String, f32, i32)) -> Value| Value::Array(tokens.iter().map(of).collect());
    let template = "{% for m in messages %}{{ m.content }}<end_of_turn>{% endfor %}";
    vec![
        ("tokenizer.ggml.model".into(), Value::String("llama".into())),
        ("tokenizer.ggml.tokens".into(), list(&|(token, ..)| Value::String(token.clone()))),
        ("tokenizer.ggml.scores".into(), list(&|(_, score, _)| Value::F32(*score))),
        ("tokenizer.ggml.token_type".into(), list(&|(.., kind)| Value::I32(*kind))),
        ("tokenizer.ggml.unknown_token_id".into(), Value::U32(0)),
        ("tokenizer.ggml.bos_token_id".into(), Value::U32(1)),
        ("tokenizer.ggml.eos_token_id".into(), Value::U32(2)),
        ("tokenizer.ggml.add_space_prefix".into(), Value::Bool(false)),
        ("tokenizer.ggml.add_bos_token".into(), Value::Bool(false)),
        ("tokenizer.chat_template".into(), Value::String(template.into())),
    ]
}
