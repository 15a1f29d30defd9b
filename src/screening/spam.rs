//! How likely a text advertises something to the shop instead of asking for something.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::ScreeningError;
use super::signals::{Rule, Signals, combine};
use super::weights::Weights;
use crate::domain::Language;
use crate::domain::language::fold;

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)https?://|\bwww\.|\b[a-z0-9-]{2,}\.(?:com|net|biz|info|co\.uk|org|tv|xyz|top|club|shop|site|online|ru|cn)\b|\bt\.me/|\bwa\.me/").expect("invariant: a constant pattern")
});

/// Rules of spam, section `spam`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpamRules {
    link: f32,
    shouting: f32,
    exclamations: f32,
    rules: Vec<Rule>,
}

pub(super) struct SpamScorer {
    phrases: Signals,
    fitted: Weights,
    rules: SpamRules,
}

impl SpamScorer {
    pub(super) fn new(rules: SpamRules) -> Result<Self, ScreeningError> {
        Ok(SpamScorer {
            phrases: Signals::new(&rules.rules, &HashMap::new())?,
            fitted: Weights::of_kind("spam"),
            rules,
        })
    }

    /// 0 to 1. The fitted words are those of English advertisements: of other languages they know too few to judge.
    pub(super) fn score(&self, text: &str, language: Language) -> f32 {
        let mut weights = self.phrases.fired(&fold(text));
        weights.extend(LINK.is_match(text).then_some(self.rules.link));
        weights.extend(shouts(text).then_some(self.rules.shouting));
        weights.extend((text.matches(['!', '！']).count() >= 2).then_some(self.rules.exclamations));
        let fitted = if language == Language::En { self.fitted.chance(text) } else { 0.0 };
        combine(weights).max(fitted)
    }
}

/// Three or more words in capitals: one is a size or a brand.
fn shouts(text: &str) -> bool {
    let capitals = |word: &&str| {
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        letters >= 3 && word.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase)
    };
    let words = text.split_whitespace().count();
    let loud = text.split_whitespace().filter(capitals).count();
    loud >= 3 && loud * 2 < words * 3 && words >= 6
}

#[cfg(test)]
mod tests {
    use super::super::tests::screening;
    use crate::domain::Language;

    fn check(cases: &[(&str, bool)]) {
        let screening = screening();
        for (text, spam) in cases {
            let score = screening.screen(text, Language::En, None).spam;
            assert_eq!(score >= 0.5, *spam, "{text}: {score}");
        }
    }

    #[test]
    fn advertisements_are_seen_in_four_languages() {
        check(&[
            ("We offer SEO and backlinks to rank on Google, visit www.seo-best.com", true),
            ("Предлагаем продвижение сайтов и контекстную рекламу", true),
            ("Ponúkame vám tvorbu webov a SEO optimalizáciu", true),
            ("专业代运营刷单，加微信详谈", true),
            ("Поздравляем, вы выиграли приз! Переходите по ссылке", true),
            ("WINNER!! You have been selected to receive a £900 prize, call 09061701461", true),
            ("Зарабатывай от 5000 в день без вложений, казино", true),
        ]);
    }

    #[test]
    fn shoppers_are_left_alone() {
        check(&[
            ("Is delivery free over 50 euro?", false),
            ("Есть бесплатная доставка?", false),
            ("Máte tento kabát aj v čiernej?", false),
            ("这个有优惠吗", false),
            ("I saw it on https://example.com, do you have it?", false),
            ("Можно оплатить в кредит?", false),
            ("Call me back please, my phone does not work", false),
            ("Where is my order TT-10231?!", false),
            ("Do you have gift vouchers?", false),
        ]);
    }
}
