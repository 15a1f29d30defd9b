//! `/v1/embeddings`: the embedder of the index for whoever wants the same vectors, in OpenAI's shape.
//! In: one text or a list. Out: unit-length vectors as numbers or base64. A text is refused, never cut in silence.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::{Embed, EmbedInput};
use crate::http::Gate;
use crate::http::door::body::Body;
use crate::http::error::{Code, OpenAiError, Problem};

/// Texts in one request.
const MAX_INPUTS: usize = 256;
/// Texts given to the embedder at once, so that a shopper's question waits for these at most.
const TURN: usize = 16;

/// What to embed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingRequest {
    /// The embedder's name, as GET /v1/models lists it.
    #[schema(example = "multilingual-e5-small")]
    pub model: String,
    /// One text or up to 256.
    pub input: Input,
    /// `float` (default) or `base64`: little-endian 32-bit floats.
    #[serde(default)]
    pub encoding_format: Option<Encoding>,
    /// Only the model's own length.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// What the texts are: `query` (default) for questions and comparisons, `passage` for what is to be found.
    #[serde(default)]
    pub input_type: Option<InputType>,
    /// Accepted for the clients that send it; nothing is kept.
    #[serde(default)]
    #[expect(dead_code, reason = "read by nobody on purpose")]
    pub user: Option<String>,
}

/// One text or several. Lists of token numbers are not read.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "`input` must be a text or a list of texts")]
pub enum Input {
    /// One text.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Numbers.
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

/// What a text is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// A question.
    Query,
    /// Something to be found.
    Passage,
}

/// The vectors.
#[derive(Debug, Serialize, ToSchema)]
pub struct Embeddings {
    /// list
    object: &'static str,
    /// One for each text, in order.
    data: Vec<Embedding>,
    /// The model that made them.
    model: String,
    /// Tokens read.
    usage: EmbeddingUsage,
}

/// One vector.
#[derive(Debug, Serialize, ToSchema)]
struct Embedding {
    /// embedding
    object: &'static str,
    /// Which text.
    index: usize,
    /// Numbers, or base64.
    embedding: Vector,
}

/// A vector as the request wants it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    /// Numbers.
    Float(Vec<f32>),
    /// Base64 of little-endian 32-bit floats.
    Base64(String),
}

/// Token counts of an embedding.
#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingUsage {
    /// Tokens read, the model's own marks and prefix among them.
    prompt_tokens: usize,
    /// The same.
    total_tokens: usize,
}

/// Turns texts into vectors with the embedder of the index.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingRequest,
    responses(
        (status = 200, description = "One vector for each text", body = Embeddings),
        (status = 400, description = "A field asks for something this model does not do", body = OpenAiError),
        (status = 401, description = "A key is needed", body = OpenAiError),
        (status = 404, description = "No such model", body = OpenAiError),
        (status = 413, description = "The body is too large", body = OpenAiError),
        (status = 422, description = "A field is unknown, missing or unusable", body = OpenAiError),
        (status = 504, description = "No vectors in time", body = OpenAiError),
    )
)]
pub async fn embeddings(
    State(gate): State<Arc<Gate>>,
    body: Body<EmbeddingRequest>,
) -> Result<Json<Embeddings>, Problem> {
    let embed = &*gate.app.embed;
    let (texts, how) = read(body.value, embed)?;
    let tokens = count(embed, how.input, &texts)?;
    let limit = Duration::from_secs(gate.app.config.server.turn_timeout_s);
    let late = |_| Problem::new(Code::TurnTimeout, format!("The embedder took longer than {} s.", limit.as_secs()));
    let vectors = tokio::time::timeout(limit, vectors(embed, how.input, &texts)).await.map_err(late)?;
    let vectors = vectors.map_err(|cause| {
        tracing::error!("embeddings: {cause:#}");
        Problem::new(Code::Internal, "The texts could not be embedded.")
    })?;
    let data = vectors.into_iter().enumerate().map(|(index, vector)| {
        let embedding = match how.encoding {
            Encoding::Float => Vector::Float(vector),
            Encoding::Base64 => Vector::Base64(base64(vector.iter().flat_map(|x| x.to_le_bytes()))),
        };
        Embedding { object: "embedding", index, embedding }
    });
    let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
    Ok(Json(Embeddings { object: "list", data: data.collect(), model: embed.model().name, usage }))
}

struct How {
    input: EmbedInput,
    encoding: Encoding,
}

fn read(request: EmbeddingRequest, embed: &dyn Embed) -> Result<(Vec<String>, How), Problem> {
    let (name, length) = (embed.model().name, embed.dimensions());
    if request.model != name {
        let detail = format!("`{}` makes no vectors here; `{name}` does.", request.model);
        return Err(Problem::of_field(Code::ModelNotFound, "model", detail));
    }
    if request.dimensions.is_some_and(|asked| asked != length) {
        let detail = format!("The vectors of `{name}` have {length} numbers and are not shortened.");
        return Err(Problem::of_field(Code::UnsupportedField, "dimensions", detail));
    }
    let texts = match request.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    if !(1..=MAX_INPUTS).contains(&texts.len()) {
        let detail = format!("{} texts; 1 to {MAX_INPUTS} are read at once.", texts.len());
        return Err(Problem::of_field(Code::InvalidField, "input", detail));
    }
    let input = match request.input_type {
        None | Some(InputType::Query) => EmbedInput::Query,
        Some(InputType::Passage) => EmbedInput::Passage,
    };
    Ok((texts, How { input, encoding: request.encoding_format.unwrap_or(Encoding::Float) }))
}

/// The tokens of all texts; an empty or too long one is refused by its place.
fn count(embed: &dyn Embed, input: EmbedInput, texts: &[String]) -> Result<usize, Problem> {
    let limit = embed.max_tokens();
    let one = |(at, text): (usize, &String)| {
        let refuse = |detail| Err(Problem::of_field(Code::InvalidField, &format!("input[{at}]"), detail));
        if text.trim().is_empty() {
            return refuse("The text is empty.".to_string());
        }
        match embed.tokens(input, text) {
            tokens if tokens > limit => refuse(format!("{tokens} tokens; at most {limit} are read. Split the text.")),
            tokens => Ok(tokens),
        }
    };
    texts.iter().enumerate().map(one).sum()
}

async fn vectors(embed: &dyn Embed, input: EmbedInput, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for some in texts.chunks(TURN) {
        vectors.extend(embed.embed(input, some.to_vec()).await?);
    }
    anyhow::ensure!(vectors.len() == texts.len(), "{} vectors for {} texts", vectors.len(), texts.len());
    Ok(vectors)
}

fn base64(bytes: impl Iterator<Item = u8>) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = bytes.collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for (bytes, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.bytes()), want);
        }
        assert_eq!(base64([0xfb, 0xff, 0xbf].into_iter()), "+/+/");
    }
}
