//! Words written in the other alphabet: `самсунг` for Samsung, `chainik` for «чайник».
//! In: a folded word that the index does not hold. Out: how it may be spelt in the other alphabet, likeliest first.

/// Latin and the Cyrillic that shoppers write for it, the longest Latin first.
const LETTERS: [(&str, &str); 43] = [
    ("shch", "щ"),
    ("sch", "щ"),
    ("yo", "ё"),
    ("zh", "ж"),
    ("kh", "х"),
    ("ts", "ц"),
    ("ch", "ч"),
    ("sh", "ш"),
    ("yu", "ю"),
    ("ya", "я"),
    ("ju", "ю"),
    ("ja", "я"),
    ("ck", "к"),
    ("ph", "ф"),
    ("th", "т"),
    ("oo", "у"),
    ("ee", "и"),
    ("x", "кс"),
    ("qu", "кв"),
    ("a", "а"),
    ("b", "б"),
    ("c", "к"),
    ("d", "д"),
    ("e", "е"),
    ("f", "ф"),
    ("g", "г"),
    ("h", "х"),
    ("i", "и"),
    ("j", "й"),
    ("k", "к"),
    ("l", "л"),
    ("m", "м"),
    ("n", "н"),
    ("o", "о"),
    ("p", "п"),
    ("q", "к"),
    ("r", "р"),
    ("s", "с"),
    ("t", "т"),
    ("u", "у"),
    ("v", "в"),
    ("w", "в"),
    ("z", "з"),
];
/// The sound of a Cyrillic letter; what shoppers write for several Latin ones has its choices after the first.
const SOUNDS: [(char, &[&str]); 33] = [
    ('а', &["a"]),
    ('б', &["b"]),
    ('в', &["v", "w"]),
    ('г', &["g", "h"]),
    ('д', &["d"]),
    ('е', &["e"]),
    ('ё', &["yo"]),
    ('ж', &["zh", "j", "g"]),
    ('з', &["z", "s"]),
    ('и', &["i", "ee"]),
    ('й', &["y", "i", "j"]),
    ('к', &["k", "c", "ck"]),
    ('л', &["l", "ll"]),
    ('м', &["m"]),
    ('н', &["n"]),
    ('о', &["o"]),
    ('п', &["p"]),
    ('р', &["r"]),
    ('с', &["s", "c", "ss"]),
    ('т', &["t", "th"]),
    ('у', &["u", "oo", "w"]),
    ('ф', &["f", "ph"]),
    ('х', &["h", "kh"]),
    ('ц', &["ts", "c", "z"]),
    ('ч', &["ch"]),
    ('ш', &["sh"]),
    ('щ', &["shch"]),
    ('ъ', &[""]),
    ('ы', &["y"]),
    ('ь', &[""]),
    ('э', &["e", "a"]),
    ('ю', &["yu", "u"]),
    ('я', &["ya", "ia"]),
];
/// Spellings that are tried for one word.
const TRIED: usize = 24;

/// How a word may be spelt in the other alphabet; empty for other scripts and for words with digits.
pub fn other_alphabet(word: &str) -> Vec<String> {
    let cyrillic = |letter: char| SOUNDS.iter().any(|sound| sound.0 == letter);
    if word.chars().all(cyrillic) {
        latin(word)
    } else if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        vec![cyrillic_of(word)]
    } else {
        Vec::new()
    }
}

fn latin(word: &str) -> Vec<String> {
    let sounds = |letter: char| SOUNDS.iter().find(|sound| sound.0 == letter).map_or(&[][..], |sound| sound.1);
    let letters: Vec<&[&str]> = word.replace("кс", "ъкс").chars().map(sounds).collect();
    let plain: String = word.chars().filter_map(|letter| sounds(letter).first().copied()).collect();
    let mut spellings =
        vec![plain.clone(), plain.replace("ks", "x"), plain.replace("kv", "qu"), plain.replace("dzh", "j")];
    // One letter at a time, then two: most names differ from the plain spelling in one or two letters.
    let one = |at: usize, choice: &str| -> String {
        letters.iter().enumerate().map(|(other, all)| if other == at { choice } else { all[0] }).collect()
    };
    for (at, choices) in letters.iter().enumerate() {
        spellings.extend(choices.iter().skip(1).map(|choice| one(at, choice)));
    }
    let mut seen = std::collections::HashSet::new();
    spellings.retain(|spelling| seen.insert(spelling.clone()));
    spellings.truncate(TRIED);
    spellings
}

fn cyrillic_of(word: &str) -> String {
    let mut rest = word;
    let mut spelt = String::new();
    while let Some(letter) = rest.chars().next() {
        let known = LETTERS.iter().find(|(latin, _)| rest.starts_with(latin));
        let (latin, cyrillic) =
            known.copied().unwrap_or((&rest[..letter.len_utf8()], if letter == 'y' { "ы" } else { "" }));
        spelt.push_str(cyrillic);
        rest = &rest[latin.len()..];
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::other_alphabet;

    fn check(word: &str, among: &str) {
        let spellings = other_alphabet(word);
        assert!(spellings.iter().any(|spelling| spelling == among), "{word}: {spellings:?}");
    }

    #[test]
    fn names_are_spelt_as_they_sound() {
        check("самсунг", "samsung");
        check("тошиба", "toshiba");
        check("логитек", "logitec");
        check("зерокс", "zerox");
        check("кингстон", "kingston");
        check("канон", "canon");
        check("филипс", "philips");
        check("chainik", "чаиник");
        check("krossovki", "кроссовки");
    }

    #[test]
    fn codes_and_other_scripts_have_no_other_spelling() {
        for word in ["dv7", "键盘", "naïve", "1200"] {
            assert!(other_alphabet(word).is_empty(), "{word}");
        }
    }
}
