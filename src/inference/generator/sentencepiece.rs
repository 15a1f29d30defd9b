//! The tokenizer of models whose file lists scores instead of merges (gemma, phi3): SentencePiece's BPE.
//! Of all neighbours those are joined first whose joint piece has the highest score; what stays unknown is spelled in bytes.

use std::collections::HashMap;

use anyhow::anyhow;
use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::Replace;

/// How a space is written in a piece.
pub const SPACE: char = '\u{2581}';

/// The tokenizer of plain text over pieces with their scores; `None` for pieces that no text may become.
pub fn tokenizer(pieces: &[Option<(&str, f32)>], unknown: Option<&str>) -> anyhow::Result<Tokenizer> {
    let known = pieces.iter().zip(0_u32..).filter_map(|(piece, id)| piece.map(|(piece, _)| (piece.to_owned(), id)));
    let mut vocabulary: Vocab = known.collect();
    let merges = merges(pieces);
    let mut builder = BPE::builder().byte_fallback(true);
    if let Some(unknown) = unknown {
        // Needed by the builder; with every byte in the vocabulary no text becomes it.
        vocabulary.entry(unknown.to_owned()).or_insert(0);
        builder = builder.unk_token(unknown.to_owned()).fuse_unk(true);
    }
    let bpe = builder.vocab_and_merges(vocabulary, merges).build().map_err(|e| anyhow!(e))?;
    let mut text = Tokenizer::new(bpe);
    let spaces = Replace::new(" ", SPACE.to_string()).map_err(|e| anyhow!(e))?;
    text.with_normalizer(Some(spaces)).map_err(|e| anyhow!(e))?;
    Ok(text)
}

/// Every pair of pieces that is one, the best scores first; of equal ones the pair of lower numbers.
fn merges(pieces: &[Option<(&str, f32)>]) -> Vec<(String, String)> {
    let known = pieces.iter().zip(0_u32..).filter_map(|(piece, id)| piece.map(|(piece, _)| (piece, id)));
    let numbers: HashMap<&str, u32> = known.collect();
    let mut found = Vec::new();
    for (piece, score) in pieces.iter().flatten() {
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(first), Some(second)) = (numbers.get(left), numbers.get(right)) {
                found.push((*score, (*first, *second), (left, right)));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(_, _, (left, right))| (left.to_owned(), right.to_owned())).collect()
}

/// The bytes a piece stands for.
pub fn bytes_of(piece: &str) -> Vec<u8> {
    let single = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match single.and_then(|byte| u8::from_str_radix(byte, 16).ok()) {
        Some(byte) => vec![byte],
        None => piece.replace(SPACE, " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_scores_are_joined_first() {
        let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
        let words = [("\u{2581}", -1.0), ("a", -1.0), ("b", -1.0), ("ab", -3.0), ("ba", -2.0), ("aba", -4.0)];
        let pieces: Vec<Option<(&str, f32)>> =
            [None].into_iter().chain(words.map(Some)).chain(bytes.iter().map(|b| Some((&b[..], 0.0)))).collect();
        let text = tokenizer(&pieces, Some("<unk>")).unwrap();
        let check = |said: &str, expected: &str| {
            let encoded = text.encode_fast(said, false).unwrap();
            let name = |id: &u32| pieces[*id as usize].map_or("?", |(piece, _)| piece);
            let got: Vec<&str> = encoded.get_ids().iter().map(name).collect();
            assert_eq!(got.join(" "), expected, "{said}");
        };
        check("aba", "aba");
        check("bab", "ba b");
        check("ab ab", "ab \u{2581} ab");
        check("ц", "<0xD1> <0x86>");
        check("a\n", "a <0x0A>");
        check("<unk>", &"<unk>".bytes().map(|b| format!("<0x{b:02X}>")).collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn pieces_stand_for_bytes() {
        assert_eq!(bytes_of("\u{2581}цена"), " цена".as_bytes());
        assert_eq!(bytes_of("<0x0A>"), b"\n");
        assert_eq!(bytes_of("<0xZZ>"), b"<0xZZ>");
    }
}
