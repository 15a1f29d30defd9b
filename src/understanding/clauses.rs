//! Where a message may be cut into several wishes: sentence ends, commas and conjunctions. Cutting is only offered here;
//! whether both sides are wishes of their own is for the tiers to see.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Sentence marks end a clause; a conjunction or a comma starts one. A point or comma inside a number does neither.
static CUT: LazyLock<Regex> = LazyLock::new(|| {
    let marks = r"[!?;。！？；\n]+|\.(?:\s|$)|[,，、](?:\s|\p{Han}|$)";
    let words = r"(?i)\s(?:and also|and then|and|also|plus|и ещё|и еще|и|а также|а ещё|а еще|а|ещё|еще|плюс|a tiež|a tiez|a ešte|a este|a|aj|tiež|tiez|zároveň)\s|还有|另外|顺便|并且|以及|然后|同时";
    Regex::new(&format!("{words}|{marks}")).expect("invariant: a constant pattern")
});

/// Byte ranges of the pieces between cuts, without blank ones.
pub(super) fn split(text: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in CUT.find_iter(text) {
        // A Chinese character caught with its comma belongs to the next piece.
        let tail = cut.as_str().chars().last().filter(|c| {
            cut.as_str().chars().count() > 1 && super::folded::is_han(*c) && cut.as_str().starts_with([',', '，', '、'])
        });
        push(text, &mut pieces, from..cut.start());
        from = cut.end() - tail.map_or(0, char::len_utf8);
    }
    push(text, &mut pieces, from..text.len());
    pieces
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
        let pieces: Vec<&str> = split(text).into_iter().map(|range| text[range].trim()).collect();
        assert_eq!(pieces, expected, "{text}");
    }

    #[test]
    fn messages_are_cut_where_a_wish_may_end() {
        check("where is my order, and can I return the socks?", &["where is my order", "and can I return the socks"]);
        check("сколько стоит чайник и есть ли он в наличии", &["сколько стоит чайник", "есть ли он в наличии"]);
        check("koľko stojí 1,7 l kanvica a máte ju na sklade", &["koľko stojí 1,7 l kanvica", "máte ju na sklade"]);
        check("这个多少钱，有货吗", &["这个多少钱", "有货吗"]);
        check("多少钱还有能送到布拉格吗", &["多少钱", "能送到布拉格吗"]);
        check("TT-10.401 ok", &["TT-10.401 ok"]);
    }
}
