//! Where a message may be cut into several wishes: sentence ends, commas and conjunctions. Cutting is only offered here;
//! whether both sides are wishes of their own is for the tiers to see.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::folded::is_han;
use crate::domain::Language;

/// Sentence marks end a clause; a conjunction or a comma starts one. A point or comma inside a number does neither.
static CUT: LazyLock<Regex> = LazyLock::new(|| {
    let marks = r"[!?;。！？；\n]+|\.(?:\s|$)|[,，、](?:\s|\p{Han}|$)";
    let words = r"(?i)\s(?:and also|and then|and|also|plus|but|then|и ещё|и еще|и потом|и|а также|а ещё|а еще|а потом|а|но|потом|ещё|еще|плюс|a tiež|a tiez|a ešte|a este|a potom|a|aj|ale|potom|tiež|tiez|zároveň)\s|还有|另外|顺便|并且|以及|然后|同时";
    Regex::new(&format!("{words}|{marks}")).expect("invariant: a constant pattern")
});

/// "And" in Slovak, an article in English.
const AND_OR_ARTICLE: &str = "a";

/// Byte ranges of the pieces between cuts, without blank ones.
pub(super) fn split(text: &str, language: Language) -> Vec<Range<usize>> {
    let article = |cut: &str| {
        language == Language::En && cut.trim_matches(char::is_whitespace).eq_ignore_ascii_case(AND_OR_ARTICLE)
    };
    let mut cuts: Vec<Range<usize>> = CUT
        .find_iter(text)
        .filter(|cut| !article(cut.as_str()))
        .map(|cut| {
            // A Chinese character caught with its comma belongs to the next piece.
            let tail =
                cut.as_str().chars().last().filter(|c| cut.as_str().starts_with([',', '，', '、']) && is_han(*c));
            cut.start()..cut.end() - tail.map_or(0, char::len_utf8)
        })
        .chain(han_spaces(text))
        .collect();
    cuts.sort_by_key(|cut| cut.start);
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        push(text, &mut pieces, from..cut.start.max(from));
        from = from.max(cut.end);
    }
    push(text, &mut pieces, from..text.len());
    pieces
}

/// Chinese is written without spaces, so one between two of its characters stands for a comma.
fn han_spaces(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(' ')
        .map(|(at, _)| at..at + 1)
        .filter(|space| text[..space.start].ends_with(is_han) && text[space.end..].starts_with(is_han))
}

fn push(text: &str, pieces: &mut Vec<Range<usize>>, range: Range<usize>) {
    if text[range.clone()].chars().any(char::is_alphanumeric) {
        pieces.push(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        check_in(Language::Sk, text, expected);
    }

    fn check_in(language: Language, text: &str, expected: &[&str]) {
        let pieces: Vec<&str> = split(text, language).into_iter().map(|range| text[range].trim()).collect();
        assert_eq!(pieces, expected, "{text}");
    }

    #[test]
    fn messages_are_cut_where_a_wish_may_end() {
        check("where is my order, and can I return the socks?", &["where is my order", "and can I return the socks"]);
        check("сколько стоит чайник и есть ли он в наличии", &["сколько стоит чайник", "есть ли он в наличии"]);
        check("koľko stojí 1,7 l kanvica a máte ju na sklade", &["koľko stojí 1,7 l kanvica", "máte ju na sklade"]);
        check("这个多少钱，有货吗", &["这个多少钱", "有货吗"]);
        check("多少钱还有能送到布拉格吗", &["多少钱", "能送到布拉格吗"]);
        check("这个多少钱 有货吗", &["这个多少钱", "有货吗"]);
        check("浪花水壶 1.7升 多少钱", &["浪花水壶 1.7升", "多少钱"]);
        check("TT-10.401 ok", &["TT-10.401 ok"]);
    }

    #[test]
    fn an_article_joins_nothing() {
        check_in(Language::En, "does it have a warranty?", &["does it have a warranty"]);
        check_in(Language::En, "A kettle and a mug", &["A kettle", "a mug"]);
        check_in(Language::Sk, "čo stojí a je skladom", &["čo stojí", "je skladom"]);
    }
}
