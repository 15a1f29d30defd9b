//! `bench quality`: what the packed weights and the kernels' rounding cost, on real text. In: a checked model and texts. Out: for each
//! text the perplexity by sums of floats over the file's own weights and by ours, and how far the scores are apart at each place.

use anyhow::{Context, ensure};
use candle_core::Device;
use serde::Serialize;

use super::generator::{Decoder, Room, Run, Vocabulary, Wanted};
use super::weights::Weights;
use crate::pull::VerifiedModel;

/// Tokens read at once; so many rows of scores are held.
const PART: usize = 32;

/// A text under both.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// Which text.
    pub text: String,
    /// Tokens whose chance was measured.
    pub tokens: usize,
    /// Perplexity by sums of floats.
    pub perplexity_floats: f64,
    /// Perplexity as it is served.
    pub perplexity: f64,
    /// The mean cosine of the scores, over all tokens that could follow.
    pub cosine: f64,
    /// The lowest.
    pub cosine_lowest: f64,
    /// The share of places where both think the same token likeliest.
    pub same_best: f64,
}

/// Reads the first `most` tokens of each text with both.
///
/// # Errors
/// The model cannot be loaded, or a text is too short to measure.
pub fn quality(model: &VerifiedModel, texts: &[(String, String)], most: usize) -> anyhow::Result<Vec<Quality>> {
    let room = Room { context: most, bytes: 1 << 30 };
    let open = || Weights::open(&model.path);
    let vocabulary = Vocabulary::load(&mut open()?)?;
    let mut ours = Decoder::load(open()?, &Device::Cpu, room)?;
    let mut floats = Decoder::load_exact(open()?, room)?;
    let one = |(name, text): &(String, String)| {
        let mut tokens = vocabulary.encode_text(text)?;
        tokens.truncate(most.min(ours.context()));
        ensure!(tokens.len() > PART, "`{name}` has only {} tokens", tokens.len());
        compare(name, &tokens, [&mut ours, &mut floats])
    };
    texts.iter().map(one).collect()
}

fn compare(name: &str, tokens: &[u32], mut decoders: [&mut Decoder; 2]) -> anyhow::Result<Quality> {
    let mut sequences = Vec::new();
    for decoder in &mut decoders {
        sequences.push(decoder.open(tokens, 0).context("no room for the text")?);
    }
    let (mut losses, mut cosines, mut same) = ([0.0; 2], Vec::new(), 0);
    for (part, tokens_of_part) in tokens.chunks(PART).enumerate() {
        let mut scores = Vec::new();
        for (decoder, sequence) in decoders.iter_mut().zip(&mut sequences) {
            let run = Run { sequence, tokens: tokens_of_part, wanted: Wanted::Last(PART) };
            scores.push(decoder.step(&mut [run])?.pop().context("no scores")?);
        }
        for (at, (ours, floats)) in scores[0].iter().zip(&scores[1]).enumerate() {
            let Some(next) = tokens.get(part * PART + at + 1) else { break };
            for (loss, scores) in losses.iter_mut().zip([ours, floats]) {
                *loss += surprise(scores, *next as usize).context("a token without a score")?;
            }
            cosines.push(cosine(ours, floats));
            same += usize::from(likeliest(ours) == likeliest(floats));
        }
    }
    decoders.into_iter().zip(sequences).for_each(|(decoder, sequence)| decoder.close(sequence));
    let count = cosines.len() as f64;
    let [perplexity, perplexity_floats] = losses.map(|loss: f64| (loss / count).exp());
    Ok(Quality {
        text: name.to_string(),
        tokens: cosines.len(),
        perplexity_floats,
        perplexity,
        cosine: cosines.iter().sum::<f64>() / count,
        cosine_lowest: cosines.iter().copied().fold(1.0, f64::min),
        same_best: f64::from(u32::try_from(same)?) / count,
    })
}

/// The negative logarithm of a token's chance.
fn surprise(scores: &[f32], token: usize) -> Option<f64> {
    let most = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = scores.iter().map(|score| (f64::from(*score) - most).exp()).sum();
    Some(most + sum.ln() - f64::from(*scores.get(token)?))
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn likeliest(scores: &[f32]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_near_to_the_file() {
        let model = match crate::pull::locate("tiny") {
            Ok(model) => model,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let text = "You can return the shoes within fourteen days if they have not been worn outside. Write to us first, \
                    then send the parcel with the label that we give you; the money comes back to the same card.";
        let report = quality(&model, &[("en".into(), text.into())], 64).unwrap().remove(0);
        eprintln!("{report:?}");
        assert!(report.tokens > 32 && report.cosine > 0.99 && report.same_best > 0.85, "{report:?}");
        assert!((report.perplexity / report.perplexity_floats - 1.0).abs() < 0.1, "{report:?}");
        assert!((surprise(&[0.0, 0.0], 1).unwrap() - 2f64.ln()).abs() < 1e-9 && surprise(&[0.0], 1).is_none());
    }
}
