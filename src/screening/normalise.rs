//! Text as typed in, text fit to read out: one composed form, no invisible characters, single spaces.
//! Signs that belong to product names (™, ², ½, №) stay as they are.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// Marks stacked on one letter beyond this many are noise.
const MAX_MARKS: usize = 2;

/// NFKC but for signs of product names, without invisible and control characters, whitespace collapsed.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        if is_name_sign(c) {
            flush(&mut run, &mut out);
            out.push(c);
        } else if c.is_control() || c.is_whitespace() {
            run.push(' ');
        } else if !is_invisible(c) {
            run.push(c);
        }
    }
    flush(&mut run, &mut out);
    collapse(&out)
}

/// True for characters that show nothing: zero-width, direction marks, tags, variation selectors.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// True for characters that only an attempt to hide text needs: direction overrides and tags.
pub(super) fn hides_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0001}'..='\u{e007f}')
}

fn is_name_sign(c: char) -> bool {
    matches!(c, '™' | '®' | '©' | '²' | '³' | '¹' | '½' | '¼' | '¾' | '№' | '°' | 'º' | 'ª' | 'µ' | '…')
}

fn flush(run: &mut String, out: &mut String) {
    let mut marks = 0;
    for c in run.nfkc() {
        marks = if is_combining_mark(c) && canonical_combining_class(c) > 0 { marks + 1 } else { 0 };
        if marks <= MAX_MARKS && !is_invisible(c) {
            out.push(c);
        }
    }
    run.clear();
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(normalise(text), expected, "{text:?}");
    }

    #[test]
    fn one_form_for_what_looks_the_same() {
        check("ｉＰｈｏｎｅ　１５", "iPhone 15");
        check("cafe\u{301}", "café");
        check("  two\u{a0}\u{2009} words\n\there ", "two words here");
        check("１３８０００００００", "1380000000");
    }

    #[test]
    fn names_keep_their_signs() {
        check("Brand™ 30 m² ½ l №5 25 °C", "Brand™ 30 m² ½ l №5 25 °C");
        check("Škoda Ľ й ё", "Škoda Ľ й ё");
    }

    #[test]
    fn what_shows_nothing_goes() {
        check("ig\u{200b}no\u{ad}re", "ignore");
        check("\u{202e}abc\u{202c}", "abc");
        check("a\u{e0041}\u{e0042}b", "ab");
        check("a\u{0}b\u{7}c", "a b c");
        check("z\u{300}\u{301}\u{302}\u{303}\u{304}x", "z\u{300}\u{301}x");
    }
}
