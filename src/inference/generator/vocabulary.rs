//! The model's own tokenizer, rebuilt from its file: byte-level BPE or SentencePiece's, control tokens kept apart.
//! In: text. Out: ids. Text never becomes a control token: the encoder of text does not know them.

use std::collections::HashMap;

use anyhow::{Context, anyhow, bail, ensure};
use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use super::super::weights::Weights;
use super::sentencepiece;

const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokens of a model.
pub struct Vocabulary {
    text: Tokenizer,
    bytes: Vec<Vec<u8>>,
    control: HashMap<String, u32>,
    is_control: Vec<bool>,
    /// Whether a text behind a control token of the template begins with a space of its own.
    spaced: bool,
    end: u32,
    begin: Option<u32>,
}

/// What a model file says of its tokens.
pub struct Listed {
    tokens: Vec<String>,
    is_control: Vec<bool>,
    pieces: Pieces,
    end: u32,
    begin: Option<u32>,
}

/// How text falls into tokens.
enum Pieces {
    /// By merges in their order, over bytes, within words.
    Merged { merges: Vec<String>, split: PreTokenizerWrapper, composed: bool },
    /// By the scores of the tokens.
    Scored { scores: Vec<f32>, spaced: bool },
}

impl Listed {
    /// Takes it out of a model file.
    pub fn take(weights: &mut Weights) -> anyhow::Result<Listed> {
        let merged = match weights.text("tokenizer.ggml.model")? {
            "gpt2" => true,
            "llama" => false,
            kind => bail!(
                "its tokenizer is of kind `{kind}`; supported are gpt2 (byte-level BPE) and llama (SentencePiece)"
            ),
        };
        let pieces = match merged {
            true => {
                let split = splitter(weights.text("tokenizer.ggml.pre").unwrap_or("gpt-2"))?;
                let composed = weights.text("tokenizer.ggml.pre").is_ok_and(|p| p == "qwen2");
                Pieces::Merged { merges: weights.take_texts("tokenizer.ggml.merges")?, split, composed }
            }
            false => {
                let spaced = weights.value("tokenizer.ggml.add_space_prefix");
                Pieces::Scored { scores: scores(weights)?, spaced: !matches!(spaced, Ok(Value::Bool(false))) }
            }
        };
        let tokens = weights.take_texts("tokenizer.ggml.tokens")?;
        let is_control = control_flags(weights, &tokens, merged)?;
        let id = |key: &str| weights.number(key).ok().and_then(|n| u32::try_from(n).ok());
        // What ends a text is not always what ends a turn.
        let turn = ["<end_of_turn>", "<|end|>"].into_iter().find_map(|name| tokens.iter().position(|t| t == name));
        let turn = turn.filter(|at| !merged && is_control[*at]).and_then(|at| u32::try_from(at).ok());
        let end = id("tokenizer.ggml.eot_token_id").or(turn).or(id("tokenizer.ggml.eos_token_id"));
        let end = end.context("it names no token that ends a text")?;
        ensure!((end as usize) < tokens.len(), "its end token {end} is outside the vocabulary");
        let begin = id("tokenizer.ggml.bos_token_id").filter(|b| (*b as usize) < tokens.len());
        Ok(Listed { tokens, is_control, pieces, end, begin })
    }
}

impl Vocabulary {
    /// Rebuilds the tokenizer from a model file.
    pub fn load(weights: &mut Weights) -> anyhow::Result<Vocabulary> {
        Self::new(Listed::take(weights)?)
    }

    /// Rebuilds the tokenizer.
    pub fn new(listed: Listed) -> anyhow::Result<Vocabulary> {
        let Listed { tokens, is_control, pieces, end, begin } = listed;
        let map = byte_of_char();
        let of_bytes = |token: &str| {
            let bytes: Option<Vec<u8>> = token.chars().map(|c| map.get(&c).copied()).collect();
            bytes.unwrap_or_else(|| token.as_bytes().to_vec())
        };
        let spaced = matches!(pieces, Pieces::Scored { spaced: true, .. });
        let (text, said): (Tokenizer, &dyn Fn(&str) -> Vec<u8>) = match pieces {
            Pieces::Merged { merges, split, composed } => {
                (merged(bpe(&tokens, &is_control, merges)?, split, composed)?, &of_bytes)
            }
            Pieces::Scored { scores, .. } => (scored(&tokens, &is_control, &scores)?, &sentencepiece::bytes_of),
        };
        let bytes = |(token, control): (&String, &bool)| match control {
            true => [&[0xff], token.as_bytes()].concat(),
            false => said(token),
        };
        let bytes = tokens.iter().zip(&is_control).map(bytes).collect();
        let control = tokens.into_iter().zip(0..).filter(|(_, id)| is_control[*id as usize]).collect();
        Ok(Vocabulary { text, bytes, control, is_control, spaced, end, begin })
    }

    /// The ids of a text in which nothing is special.
    pub fn encode_text(&self, text: &str) -> anyhow::Result<Vec<u32>> {
        let encoded = self.text.encode_fast(text, false).map_err(|e| anyhow!(e))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The ids of a part of the template, in which control tokens are meant.
    pub fn encode_template(&self, text: &str) -> anyhow::Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((name, id)) = self.control_at(rest) {
                ids.extend(self.encode_text(&std::mem::take(&mut plain))?);
                ids.push(id);
                rest = &rest[name.len()..];
                if self.spaced && !rest.is_empty() && self.control_at(rest).is_none() {
                    plain.push(' ');
                }
            } else {
                plain.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        ids.extend(self.encode_text(&plain)?);
        Ok(ids)
    }

    fn control_at(&self, text: &str) -> Option<(&str, u32)> {
        let starts = self.control.iter().filter(|(name, _)| !name.is_empty() && text.starts_with(name.as_str()));
        starts.max_by_key(|(name, _)| name.len()).map(|(name, id)| (name.as_str(), *id))
    }

    /// What the tokens say, control tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        let said = ids.iter().filter(|id| !self.is_control(**id));
        let bytes: Vec<u8> = said.filter_map(|id| self.bytes.get(*id as usize)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether a token is a control token; unknown ids are.
    pub fn is_control(&self, id: u32) -> bool {
        self.is_control.get(id as usize).copied().unwrap_or(true)
    }

    /// The bytes of every token; those of control tokens begin with 0xff, which no text holds.
    pub fn bytes(&self) -> &[Vec<u8>] {
        &self.bytes
    }

    /// The token that ends an answer.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The names of the begin and end tokens, for templates.
    pub fn begin_and_end(&self) -> (String, String) {
        let name = |id: u32| self.control.iter().find(|(_, i)| **i == id).map(|(n, _)| n.clone());
        (self.begin.and_then(name).unwrap_or_default(), name(self.end).unwrap_or_default())
    }
}

/// Which tokens no text may become. A kind of 1 is a normal token and 6 a single byte; the rest are control, user-defined,
/// unknown and unused ones. SentencePiece files also define runs of spaces and line ends that way: those are text.
fn control_flags(weights: &Weights, tokens: &[String], merged: bool) -> anyhow::Result<Vec<bool>> {
    let Value::Array(kinds) = weights.value("tokenizer.ggml.token_type")? else {
        bail!("`tokenizer.ggml.token_type` is not a list");
    };
    ensure!(kinds.len() == tokens.len(), "{} token types for {} tokens", kinds.len(), tokens.len());
    let blank = |token: &str| token.chars().all(|c| c.is_whitespace() || c == sentencepiece::SPACE);
    let control = |(value, token): (&Value, &String)| {
        let kind = match value {
            Value::I32(kind) => i64::from(*kind),
            Value::U32(kind) => i64::from(*kind),
            other => bail!("a token type of {other:?}"),
        };
        Ok(!(matches!(kind, 1 | 6) || kind == 4 && !merged && blank(token)))
    };
    kinds.iter().zip(tokens).map(control).collect()
}

fn scores(weights: &Weights) -> anyhow::Result<Vec<f32>> {
    let Value::Array(scores) = weights.value("tokenizer.ggml.scores")? else {
        bail!("`tokenizer.ggml.scores` is not a list");
    };
    let score = |value: &Value| match value {
        Value::F32(score) if !score.is_nan() => Ok(*score),
        other => bail!("a token's score of {other:?}"),
    };
    scores.iter().map(score).collect()
}

fn merged(bpe: BPE, split: PreTokenizerWrapper, composed: bool) -> anyhow::Result<Tokenizer> {
    let mut text = Tokenizer::new(bpe);
    text.with_pre_tokenizer(Some(split));
    if composed {
        text.with_normalizer(Some(NFC)).map_err(|e| anyhow!(e))?;
    }
    Ok(text)
}

fn scored(tokens: &[String], control: &[bool], scores: &[f32]) -> anyhow::Result<Tokenizer> {
    ensure!(scores.len() == tokens.len(), "{} scores for {} tokens", scores.len(), tokens.len());
    let piece = |at: usize| (!control[at]).then(|| (&tokens[at][..], scores[at]));
    let pieces: Vec<Option<(&str, f32)>> = (0..tokens.len()).map(piece).collect();
    sentencepiece::tokenizer(&pieces, tokens.first().map(String::as_str))
}

fn bpe(tokens: &[String], control: &[bool], merges: Vec<String>) -> anyhow::Result<BPE> {
    // Without the control tokens in its vocabulary no text can be encoded as one.
    let known = tokens.iter().zip(0u32..).filter(|(_, id)| !control[*id as usize]);
    let vocabulary = known.map(|(t, id)| (t.clone(), id)).collect();
    let pair = |m: String| {
        let (a, b) = m.split_once(' ').with_context(|| format!("the merge `{m}`"))?;
        Ok((a.to_owned(), b.to_owned()))
    };
    let merges = merges.into_iter().map(pair).collect::<anyhow::Result<_>>()?;
    BPE::builder()
        .vocab_and_merges::<tokenizers::models::bpe::Vocab>(vocabulary, merges)
        .build()
        .map_err(|e| anyhow!(e))
}

fn splitter(name: &str) -> anyhow::Result<PreTokenizerWrapper> {
    let by = |pattern: &str| -> anyhow::Result<PreTokenizerWrapper> {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        Ok(Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(|e| anyhow!(e))?.into())
    };
    let parts = match name {
        "qwen2" => vec![by(QWEN2)?, ByteLevel::new(false, false, false).into()],
        "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" => {
            vec![by(LLAMA3)?, ByteLevel::new(false, false, false).into()]
        }
        "smollm" => vec![Digits::new(true).into(), ByteLevel::new(false, false, true).into()],
        "gpt-2" | "gpt2" | "default" => vec![ByteLevel::new(false, false, true).into()],
        other => {
            bail!("its text is split by `{other}`; supported are qwen2, llama-bpe, smollm, gpt-2")
        }
    };
    Ok(Sequence::new(parts).into())
}

/// Byte-level BPE writes printable bytes as themselves and the others from U+0100 on.
fn byte_of_char() -> HashMap<char, u8> {
    let mut next = 0x100;
    let named = |b: u8| match b {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => (char::from(b), b),
        _ => {
            next += 1;
            (char::from_u32(next - 1).unwrap_or('\0'), b)
        }
    };
    (0..=255).map(named).collect()
}
