//! Whether the shop sells what a question names. A search always finds something nearest; who asks for a laptop in a shop of
//! kettles is told that there is none. In: how well the shop knows the words. Out: yes or no.

use crate::domain::Language;
use crate::engine::Familiar;

/// The nearest product is of the kind in meaning alone from this cosine on; texts in Chinese lie nearer to one another.
const NEAR: f32 = 0.86;
const NEAR_ZH: f32 = 0.89;
/// The same where some of the words are known, but less than half of them, or may be misspelt.
const HALF_NEAR: f32 = 0.83;
const HALF_NEAR_ZH: f32 = 0.872;

/// True when the words name something the shop has, as far as they and their meaning tell.
pub(super) fn carried(familiar: Familiar, language: Language) -> bool {
    let Familiar { words, known, guessed, nearest } = familiar;
    let zh = language == Language::Zh;
    let needed = match known + guessed {
        _ if known * 2 >= words => return true,
        0 if zh => NEAR_ZH,
        0 => NEAR,
        _ if zh => HALF_NEAR_ZH,
        _ => HALF_NEAR,
    };
    nearest.is_some_and(|nearest| nearest >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: usize, (known, guessed): (usize, usize), nearest: impl Into<Option<f32>>, expected: bool) {
        let familiar = Familiar { words, known, guessed, nearest: nearest.into() };
        assert_eq!(carried(familiar, Language::En), expected, "{familiar:?}");
    }

    #[test]
    fn words_of_the_shop_are_enough() {
        check(1, (1, 0), 0.80, true);
        check(2, (1, 0), 0.80, true);
        check(0, (0, 0), None, true);
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
