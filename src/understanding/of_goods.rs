//! Of the words that are left of a message when everything else is taken out of it, those that may say something of goods: "aha skoda", «понял»
//! and 我想问一下 name nothing that a search should look for. In: words, and what they are as the embedder read them. Out: fewer words.

use std::ops::Range;

use super::folded::is_han;
use super::slots::Passage;
use crate::domain::{CommandName, Screened};

/// From this chance on a word says nothing of goods. Chosen on `data/eval/understanding/marked.tsv`, where one word in a hundred that does
/// lies beyond it.
const SURELY_ASIDE: f32 = 0.9;
/// The same of a Chinese character: what is cut out of a run of them parts it.
const HAN_SURELY_ASIDE: f32 = 0.95;
/// From this chance on one of several names may be one of goods.
const NAMES: f32 = 0.15;
/// From this chance on a character alone says something of goods.
const LIKELY: f32 = 0.5;

/// Of some words those that may say something of goods. Chinese has no spaces: of a run of characters what says nothing is cut out.
pub(super) fn of_goods(passage: Passage<'_>, words: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if passage.about == Some(CommandName::DeliveryInfo) {
        // Where it goes is no matter of goods, and the shop may know the place by the words that are left.
        return words;
    }
    let kept = |place: Range<usize>| {
        let word = &passage.text[place.clone()];
        let chances = passage.message.marks.chances(word);
        if !word.chars().any(is_han) {
            return Vec::from_iter(may_speak_of_goods(word, &chances).then_some(place));
        }
        spoken_runs(word, &chances).into_iter().map(|run| place.start + run.start..place.start + run.end).collect()
    };
    words.into_iter().flat_map(kept).collect()
}

/// True where one of some words names goods, and where nobody has read them.
pub(super) fn names_goods(message: &Screened, words: &str) -> bool {
    message.marks.naming(words).is_none_or(|chance| chance >= NAMES)
}

/// True unless all parts of a word surely say nothing of goods. The 28 of "the 24 and the 28" stands in a name, or is a size.
pub(super) fn may_speak_of_goods(word: &str, chances: &[f32]) -> bool {
    let surely = if word.chars().any(is_han) { HAN_SURELY_ASIDE } else { SURELY_ASIDE };
    word.contains(|sign: char| sign.is_ascii_digit()) || chances.iter().any(|chance| *chance > 1.0 - surely)
}

/// Of a run of Chinese characters what is left when what surely says nothing of goods is cut out; one character alone is no word, neither to
/// be cut out beside what is left nor to be left.
fn spoken_runs(word: &str, chances: &[f32]) -> Vec<Range<usize>> {
    let signs: Vec<(usize, char)> = word.char_indices().collect();
    let speaks = |at: usize| may_speak_of_goods(&signs[at].1.to_string(), &chances[at..=at]);
    let start_of = |at: usize| signs.get(at).map_or(word.len(), |(start, _)| *start);
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while from < signs.len() {
        let of_goods = speaks(from);
        let to = (from..signs.len()).find(|at| speaks(*at) != of_goods).unwrap_or(signs.len());
        let alone = |from: usize, to: usize| to - from == 1;
        let kept = |from: usize, to: usize| {
            to - from == signs.len() || !alone(from, to) || chances[from] >= LIKELY || signs[from].1.is_ascii_digit()
        };
        let left = match of_goods {
            true => kept(from, to),
            // The second sign of 短款 belongs to the first.
            false => {
                let next = (to..signs.len()).find(|at| !speaks(*at)).unwrap_or(signs.len());
                let beside = runs.last().is_some_and(|run| run.end == start_of(from));
                alone(from, to) && (beside || to < next && kept(to, next))
            }
        };
        if left {
            match runs.last_mut() {
                Some(run) if run.end == start_of(from) => run.end = start_of(to),
                _ => runs.push(start_of(from)..start_of(to)),
            }
        }
        from = to;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;
    use crate::domain::message::{Mark, Marks};

    /// What is left of a message of which `goods` were read as speaking of goods, and nothing else was.
    fn check(text: &str, goods: &[&str], expected: &[&str]) {
        let mut marks = vec![Mark { range: 0..text.len(), names: 0.0, describes: 0.0 }];
        marks.extend(goods.iter().map(|word| {
            let start = text.find(word).unwrap();
            Mark { range: start..start + word.len(), names: 0.6, describes: 0.3 }
        }));
        let message = Screened {
            text: text.into(),
            private: text.into(),
            language: Language::En,
            pii: Vec::new(),
            injection: 0.0,
            spam: 0.0,
            marks: Marks::new(text.into(), &marks),
        };
        let passage = |about| Passage { message: &message, text, about };
        let mut at = 0;
        let words: Vec<Range<usize>> = text
            .split(' ')
            .map(|word| {
                let place = at..at + word.len();
                at = place.end + 1;
                place
            })
            .collect();
        let left: Vec<&str> = of_goods(passage(None), words.clone()).into_iter().map(|place| &text[place]).collect();
        assert_eq!(left, expected, "{text}");
        assert_eq!(
            of_goods(passage(Some(CommandName::DeliveryInfo)), words.clone()),
            words,
            "a place may be among them"
        );
    }

    #[test]
    fn words_that_say_nothing_of_goods_are_left_out() {
        check("aha shame and an iron", &["iron"], &["iron"]);
        check("the 24 and the 28", &[], &["24", "28"]);
        check("thanks", &[], &[]);
        check("我想买个防水的包", &["防水", "包"], &["防水的包"]);
        check("四件套有没有便宜的", &["四件套"], &["四件套"]);
        check("洗澡时候能听的音箱", &["洗澡", "音箱"], &["洗澡", "音箱"]);
        check("谢谢你们了", &[], &[]);
        check("有短款的吗", &["短"], &["有短"]);
        check("要短款", &["短"], &["要短款"]);
    }
}
