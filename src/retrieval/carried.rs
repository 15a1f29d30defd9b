//! Whether the shop sells what a question names. A search always finds something nearest; who asks for a laptop in a shop of
//! kettles is told that there is none. In: how well the shop knows the words. Out: yes or no.

use crate::domain::Language;
use crate::engine::Familiar;

/// The nearest product is of the kind in meaning alone from this cosine on; texts in Chinese lie nearer to one another.
const NEAR: f32 = 0.86;
const NEAR_ZH: f32 = 0.89;
/// The same where half of the words are known or more, but neither all nor the last, which says what the thing is: "shoe" of
/// shoe polish. The line lies between what is sold and what is not in `data/eval/search/half_known.tsv`.
const MOSTLY_NEAR: f32 = 0.852;
const MOSTLY_NEAR_ZH: f32 = 0.885;
/// The same where the last word is known, or fewer of the words, or some may be misspelt.
const HALF_NEAR: f32 = 0.83;
const HALF_NEAR_ZH: f32 = 0.872;

/// True when the words name something the shop has, as far as they and their meaning tell.
pub(super) fn carried(familiar: Familiar, language: Language) -> bool {
    let Familiar { words, known, last, guessed, nearest } = familiar;
    let zh = language == Language::Zh;
    let needed = match known + guessed {
        _ if known >= words => return true,
        _ if last && zh => HALF_NEAR_ZH,
        _ if last => HALF_NEAR,
        _ if known * 2 >= words && zh => MOSTLY_NEAR_ZH,
        _ if known * 2 >= words => MOSTLY_NEAR,
        0 if zh => NEAR_ZH,
        0 => NEAR,
        _ if zh => HALF_NEAR_ZH,
        _ => HALF_NEAR,
    };
    // Without vectors the words alone must do.
    nearest.map_or(known * 2 >= words, |nearest| nearest >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: usize, (known, guessed): (usize, usize), nearest: impl Into<Option<f32>>, expected: bool) {
        let familiar = Familiar { words, known, last: false, guessed, nearest: nearest.into() };
        assert_eq!(carried(familiar, Language::En), expected, "{familiar:?}");
    }

    #[test]
    fn words_of_the_shop_are_enough() {
        check(1, (1, 0), 0.80, true);
        check(2, (2, 0), 0.80, true);
        check(0, (0, 0), None, true);
    }

    #[test]
    fn one_word_of_a_name_is_not_enough() {
        check(2, (1, 0), 0.845, false);
        check(2, (1, 0), 0.86, true);
        check(3, (2, 0), 0.84, false);
        check(2, (1, 0), None, true);
    }

    #[test]
    fn the_last_word_says_what_it_is() {
        let familiar = |nearest| Familiar { words: 2, known: 1, last: true, guessed: 0, nearest: Some(nearest) };
        assert!(carried(familiar(0.84), Language::En), "a big pot");
        assert!(!carried(familiar(0.82), Language::En), "a washing machine beside a coffee machine");
    }

    #[test]
    fn unknown_words_need_a_near_meaning() {
        check(1, (0, 0), 0.83, false);
        check(1, (0, 0), 0.87, true);
        check(4, (1, 0), 0.80, false);
        check(4, (1, 0), 0.84, true);
        check(1, (0, 0), None, false);
        check(1, (0, 1), 0.82, false);
        check(1, (0, 1), 0.84, true);
    }
}
