//! Names of glyphs as letters: the names by which fonts of Slovak, Russian and English documents call them.

use unicode_normalization::char::compose;

/// The letters a glyph's name stands for.
pub(super) fn letters(name: &str) -> Option<String> {
    let name = name.split('.').next().unwrap_or_default();
    let mut letters = name.chars();
    if let (Some(one), None) = (letters.next(), letters.next()) {
        return one.is_ascii_alphabetic().then(|| one.to_string());
    }
    if let Some(digits) = name.strip_prefix("uni").filter(|digits| digits.len() >= 4 && digits.len() % 4 == 0) {
        let units: Result<Vec<u16>, _> =
            digits.as_bytes().chunks(4).map(|part| u16::from_str_radix(&String::from_utf8_lossy(part), 16)).collect();
        return String::from_utf16(&units.ok()?).ok();
    }
    if let Some(code) = name.strip_prefix('u').and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        return char::from_u32(code).map(String::from);
    }
    cyrillic(name).or_else(|| accented(name)).map(String::from).or_else(|| known(name))
}

/// `afii10017` is the first of the Cyrillic alphabet.
fn cyrillic(name: &str) -> Option<char> {
    let number: u32 = name.strip_prefix("afii")?.parse().ok()?;
    let code = match number {
        10017..=10022 => 0x410 + number - 10017,
        10023 => 0x401,
        10024..=10049 => 0x416 + number - 10024,
        10065..=10070 => 0x430 + number - 10065,
        10071 => 0x451,
        10072..=10097 => 0x436 + number - 10072,
        61352 => 0x2116,
        _ => return None,
    };
    char::from_u32(code)
}

/// `Ccaron` is a C with a caron.
fn accented(name: &str) -> Option<char> {
    let base = name.chars().next().filter(char::is_ascii_alphabetic)?;
    let mark = match &name[1..] {
        "acute" => '\u{301}',
        "grave" => '\u{300}',
        "circumflex" => '\u{302}',
        "dieresis" => '\u{308}',
        "tilde" => '\u{303}',
        "caron" => '\u{30c}',
        "ring" => '\u{30a}',
        "cedilla" => '\u{327}',
        "ogonek" => '\u{328}',
        "hungarumlaut" => '\u{30b}',
        "macron" => '\u{304}',
        "dotaccent" => '\u{307}',
        _ => return None,
    };
    compose(base, mark)
}

fn known(name: &str) -> Option<String> {
    const NAMES: &str = "space  |nbspace  |exclam !|quotedbl \"|numbersign #|dollar $|percent %|ampersand &|quotesingle '|quoteright ’|\
        quoteleft ‘|parenleft (|parenright )|asterisk *|plus +|comma ,|hyphen -|minus −|sfthyphen \u{ad}|period .|slash /|colon :|\
        semicolon ;|less <|equal =|greater >|question ?|at @|bracketleft [|backslash \\|bracketright ]|asciicircum ^|underscore _|\
        grave `|braceleft {|braceright }|asciitilde ~|zero 0|one 1|two 2|three 3|four 4|five 5|six 6|seven 7|eight 8|nine 9|\
        bullet •|endash –|emdash —|ellipsis …|quotedblleft “|quotedblright ”|quotedblbase „|quotesinglbase ‚|guillemotleft «|\
        guillemotright »|guilsinglleft ‹|guilsinglright ›|Euro €|euro €|sterling £|yen ¥|cent ¢|section §|paragraph ¶|copyright ©|\
        registered ®|trademark ™|degree °|plusminus ±|multiply ×|divide ÷|periodcentered ·|middot ·|fi fi|fl fl|ff ff|ffi ffi|\
        ffl ffl|dcroat đ|lslash ł|Lslash Ł|oslash ø|Oslash Ø|ae æ|AE Æ|oe œ|OE Œ|germandbls ß|dotlessi ı|onehalf ½|onequarter ¼|\
        threequarters ¾|onesuperior ¹|twosuperior ²|threesuperior ³|mu µ|lessequal ≤|greaterequal ≥|notequal ≠|fraction ⁄";
    NAMES.split('|').find_map(|pair| {
        let (known, letters) = pair.trim_start().split_once(' ')?;
        (known == name).then(|| letters.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(letters(name).as_deref(), expected, "{name}");
    }

    #[test]
    fn names_stand_for_letters() {
        check("A", Some("A"));
        check("ccaron", Some("č"));
        check("Lacute", Some("Ĺ"));
        check("afii10017", Some("А"));
        check("afii10049", Some("Я"));
        check("afii10097", Some("я"));
        check("afii10071", Some("ё"));
        check("uni0410", Some("А"));
        check("uni00660069", Some("fi"));
        check("u1F600", Some("😀"));
        check("five.oldstyle", Some("5"));
        check("space", Some(" "));
        check("Euro", Some("€"));
        check("g37", None);
        check("", None);
        check("cid:12", None);
    }
}
