//! Names of units: which words of the four languages measure in one and the same. In: `data/guard/units.toml` and words
//! in plain form. Out: whether two of them are names of one unit; how much it is, is not its business.

use serde::Deserialize;

use super::lexicon::is_han;
use super::norm::fold;

const TEXT: &str = include_str!("../../data/guard/units.toml");

/// The table of `units.toml`.
#[derive(Debug, Default)]
pub(super) struct Units {
    rows: Vec<Vec<Name>>,
}

/// A name of a unit, or how some names of it begin.
#[derive(Debug)]
struct Name {
    text: String,
    begins: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    same: Vec<Vec<String>>,
}

impl Units {
    /// Reads the table.
    ///
    /// # Errors
    /// Not the shape of the file.
    pub fn load() -> Result<Units, toml::de::Error> {
        let file: File = toml::from_str(TEXT)?;
        let row = |names: Vec<String>| names.iter().map(|name| Name::new(name)).collect();
        Ok(Units { rows: file.same.into_iter().map(row).collect() })
    }

    /// True for two names of one unit: `kg`, `кг` and `公斤`.
    pub fn same(&self, word: &str, unit: &str) -> bool {
        let names = |row: &[Name], word: &str| row.iter().any(|name| name.is(word));
        word == unit || self.rows.iter().any(|row| names(row, word) && names(row, unit))
    }

    /// The longest Chinese name of a unit in `words`, which no spaces part: `每平方米` is by the `平方米`, not by the `米`.
    pub fn within(&self, words: &str) -> Option<&str> {
        let names = self.rows.iter().flatten().map(|name| name.text.as_str());
        names.filter(|name| name.starts_with(is_han) && words.contains(name)).max_by_key(|name| name.len())
    }
}

impl Name {
    fn new(entry: &str) -> Name {
        let stem = entry.strip_suffix('*');
        Name { text: fold(stem.unwrap_or(entry)), begins: stem.is_some() || entry.starts_with(is_han) }
    }

    fn is(&self, word: &str) -> bool {
        if self.begins { word.starts_with(&self.text) } else { word == self.text }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::tests::GUARD;
    use super::*;
    use crate::domain::Language::{self, En, Ru, Sk, Zh};

    #[test]
    fn names_of_one_unit_in_four_languages() {
        let units = Units::load().unwrap();
        let check = |word: &str, unit: &str, expected: bool| {
            assert_eq!(units.same(&fold(word), &fold(unit)), expected, "{word}, {unit}");
            assert_eq!(units.same(&fold(unit), &fold(word)), expected, "{unit}, {word}");
        };
        for row in ["cm сантиметров centimetrov 厘米", "mm миллиметра milimetre 毫米", "m метров metrov 米"]
        {
            let words: Vec<&str> = row.split(' ').collect();
            words.iter().for_each(|word| check(word, words[0], true));
        }
        for row in ["in дюймов palca 英寸", "ml миллилитров mililitrov 毫升", "lm люмен lúmenov 流明"]
        {
            let words: Vec<&str> = row.split(' ').collect();
            words.iter().for_each(|word| check(word, words[0], true));
        }
        for row in ["db децибел decibelov 分贝", "v вольт voltov 伏", "hz герц hertz 赫", "h часов hodín 小时"]
        {
            let words: Vec<&str> = row.split(' ').collect();
            words.iter().for_each(|word| check(word, words[0], true));
        }
        check("mm", "m", false);
        check("lm", "l", false);
        check("m²", "m", false);
        check("毫米", "米", false);
        check("минут", "метр", false);
        check("часть", "час", false);
        check("box", "box", true);
    }

    #[test]
    fn the_longest_chinese_name_counts() {
        let units = Units::load().unwrap();
        let check = |words: &str, expected: Option<&str>| assert_eq!(units.within(words), expected, "{words}");
        check("每平方米", Some("平方米"));
        check("每米", Some("米"));
        check("每盒", None);
    }

    /// Where the facts measure the thing, another measure is not its own, in whatever language either is written.
    #[test]
    fn a_measure_is_the_facts_own() {
        let check = |language: Language, fact: &str, text: &str, expected: bool| {
            let facts = serde_json::json!([
                {"sku": "DK", "name": "Tove", "price": "240", "currency": "EUR", "attrs": [fact]},
                {"sku": "CH", "name": "Runa", "price": "90", "currency": "EUR"}
            ]);
            let ledger = Ledger::from_case(&facts.to_string()).unwrap();
            let found = GUARD.check_text(language, &ledger, text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        for fact in ["120 cm", "120 см", "120厘米", "120 centimetrov"] {
            check(En, fact, "Tove is 120 cm wide.", true);
            check(En, fact, "Tove is 140 cm wide.", false);
            check(Ru, fact, "Ширина Tove 120 см.", true);
            check(Ru, fact, "Ширина Tove 140 см.", false);
            check(Sk, fact, "Tove má šírku 120 cm.", true);
            check(Sk, fact, "Tove má šírku 140 centimetrov.", false);
            check(Zh, fact, "Tove宽120厘米。", true);
            check(Zh, fact, "Tove宽140厘米。", false);
            check(En, fact, "Runa is 140 cm wide.", true);
            check(En, fact, "Tove weighs 14 kg.", true);
        }
        check(En, "2 m", "Tove has a cord of 2 m.", true);
        check(En, "2 m", "Tove has a cord of 3 m.", false);
        check(Ru, "18 mm", "Столешница Tove 18 мм.", true);
        check(Ru, "18 mm", "Столешница Tove 22 мм.", false);
        check(Zh, "27 inch", "Tove是27英寸的。", true);
        check(Zh, "27 inch", "Tove是24英寸的。", false);
        check(Sk, "350 ml", "Tove má 350 ml.", true);
        check(Sk, "350 ml", "Tove má 500 mililitrov.", false);
        check(En, "160 g/m²", "Tove is of 160 g/m².", true);
        check(En, "160 g/m²", "Tove is of 180 g/m².", false);
        check(Ru, "800 lm", "Tove светит на 800 люмен.", true);
        check(Ru, "800 lm", "Tove светит на 900 лм.", false);
        check(Zh, "45 dB", "Tove的噪音45分贝。", true);
        check(Zh, "45 dB", "Tove的噪音40分贝。", false);
        check(Ru, "230 V", "Tove работает от 230 В.", true);
        check(Ru, "230 V", "Tove работает от 110 В.", false);
        check(En, "50 Hz", "Tove runs at 50 Hz.", true);
        check(En, "50 Hz", "Tove runs at 60 Hz.", false);
        check(Sk, "30 hours", "Tove vydrží 30 hodín.", true);
        check(Sk, "30 hours", "Tove vydrží 40 h.", false);
        check(Zh, "90 min", "Tove能用90分钟。", true);
        check(Zh, "90 min", "Tove能用120分钟。", false);
    }

    /// A price per metre is told per metre.
    #[test]
    fn a_price_is_for_the_facts_own_measure() {
        let check = |language: Language, per: &str, text: &str, expected: bool| {
            let facts =
                serde_json::json!([{"sku": "CL", "name": "Fjord", "price": "14.60", "currency": "EUR", "per": per}]);
            let ledger = Ledger::from_case(&facts.to_string()).unwrap();
            let found = GUARD.check_text(language, &ledger, text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        check(En, "1 m", "Fjord is 14.60 EUR per metre.", true);
        check(En, "1 m", "Fjord is 14.60 EUR per m².", false);
        check(En, "1 m", "Fjord is 14.60 EUR per mm.", false);
        check(Ru, "1 m", "Fjord стоит 14,60 € за метр.", true);
        check(Ru, "1 m", "Fjord стоит 14,60 € за м².", false);
        check(Sk, "1 m", "Fjord stojí 14,60 € za meter.", true);
        check(Sk, "1 m", "Fjord stojí 14,60 € za cm.", false);
        check(Zh, "1米", "Fjord每米14.60欧元。", true);
        check(Zh, "1米", "Fjord每厘米14.60欧元。", false);
        check(Zh, "1 m", "Fjord每米14.60欧元。", true);
    }
}
