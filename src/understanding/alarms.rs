//! Words that call a person at once: anger, and what smells of fraud or the law. In: a message. Out: which, if any.

use super::folded::{Lexicon, fold};
use crate::domain::handover::HandoverRules;
use crate::domain::plan::HandoverReason;

/// The compiled words of `data/rules/handover.toml`.
pub struct Alarms(Lexicon<HandoverReason>);

impl Alarms {
    /// Over the merchant's words.
    pub fn new(rules: &HandoverRules) -> Alarms {
        let words = |all: &std::collections::BTreeMap<_, Vec<String>>, reason: HandoverReason| {
            all.values().flatten().map(move |word| (word.clone(), reason)).collect::<Vec<_>>()
        };
        let anger = words(&rules.anger, HandoverReason::Anger);
        Alarms(Lexicon::new(anger.into_iter().chain(words(&rules.fraud, HandoverReason::Fraud))))
    }

    /// The gravest reason the message gives.
    pub fn reason(&self, text: &str) -> Option<HandoverReason> {
        let found: Vec<HandoverReason> = self.0.find(&fold(text)).into_iter().map(|hit| *hit.value).collect();
        let fraud = found.iter().find(|reason| **reason == HandoverReason::Fraud);
        fraud.or(found.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grave_words_are_heard_in_every_language() {
        let alarms = Alarms::new(&toml::from_str(include_str!("../../data/rules/handover.toml")).unwrap());
        let check = |text: &str, expected: Option<HandoverReason>| assert_eq!(alarms.reason(text), expected, "{text}");
        check("This is UNACCEPTABLE!", Some(HandoverReason::Anger));
        check("это просто безобразие", Some(HandoverReason::Anger));
        check("je to katastrofa a podvod", Some(HandoverReason::Fraud));
        check("你们是骗子吧", Some(HandoverReason::Fraud));
        check("с меня дважды списали деньги", Some(HandoverReason::Fraud));
        check("how much is the kettle", None);
        check("сколько можно купить за раз", None);
    }
}
