//! A wish to be left alone, by rule alone: every word of the message must be accounted for. In: the words of
//! `data/rules/messages.toml` and a message. Out: whether it is one.

use super::folded::{Lexicon, fold};
use crate::domain::outreach::StopWords as Words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Always,
    Alone,
    Filler,
}

/// The compiled words.
pub struct StopWords(Lexicon<Part>);

impl StopWords {
    /// Over the merchant's words.
    pub fn new(words: &Words) -> StopWords {
        let flat = |all: &std::collections::BTreeMap<_, Vec<String>>, part: Part| {
            all.values().flatten().map(move |word| (word.clone(), part)).collect::<Vec<_>>()
        };
        let (always, alone) = (flat(&words.always, Part::Always), flat(&words.alone, Part::Alone));
        let all = always.into_iter().chain(alone).chain(flat(&words.filler, Part::Filler));
        // What stands where personal data was.
        let masked = ["[email]", "[phone]"].map(|mask| (mask.to_string(), Part::Filler));
        StopWords(Lexicon::new(all.chain(masked)))
    }

    /// True when the message asks to be left alone. While a question is open a bare "stop" is an answer to that.
    pub fn heard(&self, masked: &str, question_open: bool) -> bool {
        let folded = fold(masked);
        let hits = self.0.find(&folded);
        let mut covered = 0;
        let mut end = 0;
        for hit in &hits {
            if hit.range.start >= end {
                covered += letters(&folded[hit.range.clone()]);
                end = hit.range.end;
            }
        }
        let wanted = |part: Part| part == Part::Always || (part == Part::Alone && !question_open);
        !masked.contains(['?', '？']) && covered == letters(&folded) && hits.iter().any(|hit| wanted(*hit.value))
    }
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outreach::MessageRules;

    fn words() -> StopWords {
        let rules: MessageRules = toml::from_str(include_str!("../../data/rules/messages.toml")).unwrap();
        StopWords::new(&rules.stop)
    }

    #[test]
    fn a_wish_to_be_left_alone_is_heard_in_every_language() {
        let words = words();
        for text in [
            "STOP",
            "Stop, please!",
            "unsubscribe",
            "please unsubscribe me from your list",
            "I want to opt out",
            "stop sending me messages",
            "unsubscribe [email]",
            "отписаться",
            "Отпишите меня, пожалуйста",
            "больше не пишите мне",
            "стоп",
            "не присылайте мне больше сообщения",
            "odhlásiť",
            "Odhláste ma, prosím",
            "uz mi nepiste",
            "zrušte odber",
            "退订",
            "请退订，谢谢",
            "不要再给我发消息了",
            "TD",
        ] {
            assert!(words.heard(text, false), "{text}");
        }
    }

    #[test]
    fn a_yes_to_messages_is_heard_in_every_language_and_never_a_no() {
        let rules: MessageRules = toml::from_str(include_str!("../../data/rules/messages.toml")).unwrap();
        let (start, stop) = (StopWords::new(&rules.start), StopWords::new(&rules.stop));
        for text in [
            "yes, you may write to me about offers",
            "please send me your offers at [email]",
            "Subscribe",
            "да, можете писать мне об акциях",
            "Подпишите меня на рассылку, пожалуйста",
            "Áno, môžete mi písať o ponukách a zľavách",
            "prihláste ma na odber",
            "好的，可以给我发优惠信息",
            "有活动通知我",
        ] {
            assert!(start.heard(text, false) && !stop.heard(text, false), "{text}");
        }
        for text in [
            "send me no more",
            "send me no more offers please",
            "больше не присылайте мне акции",
            "viac mi neposielajte ponuky",
            "不要给我发广告",
            "取消订阅",
            "can you send me offers?",
            "send me the invoice",
            "пишите мне о статусе заказа",
            "píšte mi, keď príde tovar",
        ] {
            assert!(!start.heard(text, false), "{text}");
        }
        for text in
            ["send me no more", "больше не присылайте мне акции", "viac mi neposielajte ponuky", "不要给我发广告"]
        {
            assert!(stop.heard(text, false), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let words = words();
        for text in [
            "how do I unsubscribe from the newsletter in your app?",
            "stop my order TT-10452",
            "please cancel",
            "when does the bus stop here",
            "please",
            "не пишите цену на коробке",
            "как отписаться?",
            "nechcem tento tovar",
            "这个水壶会自动停止吗",
            "退货",
            "我要退订单",
        ] {
            assert!(!words.heard(text, false), "{text}");
        }
        assert!(!words.heard("stop", true) && !words.heard("стоп", true) && !words.heard("停", true));
        assert!(words.heard("unsubscribe", true) && words.heard("退订", true) && words.heard("odhlásiť", true));
    }
}
