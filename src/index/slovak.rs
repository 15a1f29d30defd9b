//! A light stemmer for Slovak without diacritics: the endings of nouns and adjectives, nothing derivational.
//! No stemmer of the search engine knows Slovak, and shoppers leave the diacritics out.

/// Endings, longest first within each length; what is left keeps at least three letters.
const ENDINGS: [&str; 36] = [
    "iami", "ovia", "ami", "ach", "iam", "ych", "ich", "ymi", "imi", "eho", "emu", "ovi", "iou", "iek", "och", "ov",
    "om", "am", "mi", "ou", "ej", "ym", "im", "em", "ie", "ia", "iu", "ho", "mu", "ok", "y", "i", "e", "a", "o", "u",
];

/// The stem of a folded word; words with digits stay as they are.
pub fn stem(word: &str) -> String {
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_string();
    }
    for ending in ENDINGS {
        let Some(stem) = word.strip_suffix(ending) else { continue };
        // The fleeting vowel: `topanok`, `hodiniek` beside `topanky`, `hodinky`.
        if matches!(ending, "ok" | "iek") {
            return if stem.len() >= 4 { format!("{stem}k") } else { word.to_string() };
        }
        if stem.len() >= 3 {
            return stem.to_string();
        }
    }
    word.to_string()
}

#[cfg(test)]
mod tests {
    use super::stem;

    fn check(forms: &str) {
        let stems: Vec<String> = forms.split(' ').map(stem).collect();
        assert!(stems.iter().all(|other| *other == stems[0]), "{forms}: {stems:?}");
    }

    #[test]
    fn forms_of_one_word_share_a_stem() {
        check("topanky topanok topankam topankami topankach");
        check("kanvica kanvice kanvicu kanvici kanvicou");
        check("cierny cierna cierne ciernu cierneho ciernej ciernych");
        check("tricko tricka tricku");
        check("hrnceky hrncek hrncekov");
    }

    #[test]
    fn short_words_and_codes_stay() {
        assert_eq!(stem("usb"), "usb");
        assert_eq!(stem("dv7a"), "dv7a");
    }
}
