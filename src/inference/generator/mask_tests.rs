//! Random walks under the prose grammar: whatever a model would like to say, no number, no sign of money and no slot but
//! those at hand comes out, and an amount only follows its own product's name. Also with tokens that are parts of a
//! character, and with more scores than the tokenizer has words.

use super::super::masks::{Masks, Walks};
use super::constraint::{Constraint, Grammars};
use super::vocabulary::Vocabulary;
use crate::domain::Language;
use crate::inference::weights::Weights;
use crate::plan::prose::{SENTENCES, Shape, Slot, grammar};
use crate::pull::VerifiedModel;

/// In each of four languages, so ten thousand with each tokenizer.
const STEPS: usize = 2_500;
/// The longest text of the grammar, in characters: runs of sixty, three products of four slots a sentence.
const LONGEST: usize = SENTENCES * (62 + 3 * 4 * (62 + 9));
const MONEY: &str = "$¢£¤¥֏؋৲৳₠₡₢₣₤₥₦₧₨₩₪₫€₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿﷼﹩＄￠￡￥￦";
const PER_CENT: &str = "%‰‱٪٫٬﹪％";
const CJK: &str = "〇零一二三四五六七八九十百千万亿两兆廿卅壹贰叁肆伍陆柒捌玖拾佰仟萬億兩半元";

fn models() -> Vec<VerifiedModel> {
    let found = ["tiny", "default"].map(crate::pull::locate);
    found.into_iter().filter_map(|model| model.map_err(|error| eprintln!("skipped: {error}")).ok()).collect()
}

fn products() -> Vec<Vec<Slot>> {
    vec![vec![Slot::Price, Slot::Old, Slot::Stock], vec![Slot::Price], vec![], vec![Slot::Price, Slot::Stock]]
}

fn shape(language: Language, products: &[Vec<Slot>]) -> String {
    grammar(Shape { language, products, exits: true })
}

/// What is wrong with a text, or with the beginning of one.
fn fault(text: &str, products: &[Vec<Slot>]) -> Option<String> {
    let mut named = None;
    let mut rest = text;
    loop {
        let (words, slot) = rest.split_once('{').unwrap_or((rest, ""));
        let cut = |sign: char| sign == char::REPLACEMENT_CHARACTER;
        if let Some(sign) = words.chars().find(|sign| {
            sign.is_numeric()
                || MONEY.contains(*sign)
                || PER_CENT.contains(*sign)
                || CJK.contains(*sign)
                || *sign == '}'
        }) {
            return Some(format!("{sign:?} in `{text}`"));
        }
        if words.contains(['.', '!', '?', '。', '！', '？']) {
            named = None;
        }
        let Some((slot, after)) = slot.split_once('}') else {
            let whole = words.trim_end_matches(cut);
            return whole.contains(cut).then(|| format!("half a character in `{text}`"));
        };
        rest = after;
        if matches!(slot, "none" | "ask" | "human") {
            continue;
        }
        let (word, number) = slot.split_at(slot.find(|sign: char| sign.is_ascii_digit()).unwrap_or(slot.len()));
        let index = number.parse::<usize>().unwrap_or(0).wrapping_sub(1);
        let Some(slots) = products.get(index) else { return Some(format!("`{slot}` in `{text}`")) };
        if word == "name" {
            named = Some(index);
        } else if named != Some(index) || !slots.iter().any(|known| known.word() == word) {
            return Some(format!("`{slot}` is not bound in `{text}`"));
        }
    }
}

fn check(walks: &Walks, products: &[Vec<Slot>]) {
    let (last, whole) = walks.texts.split_last().unwrap();
    for text in whole {
        assert!(text.ends_with(['.', '!', '?', '。', '！', '？', '}']), "no end: {text}");
        assert!(text.chars().count() <= LONGEST, "{} characters: {text}", text.chars().count());
    }
    for text in whole.iter().chain([last]) {
        assert_eq!(fault(text, products), None);
    }
}

#[test]
fn random_walks_never_write_a_number_nor_an_amount_of_another_product() {
    let products = products();
    for model in models() {
        let masks = Masks::open(&model).unwrap();
        for language in Language::ALL {
            let walks = masks.walk(&shape(language, &products), STEPS, 7).unwrap();
            check(&walks, &products);
            let amounts = walks.texts.iter().filter(|text| text.contains("{price")).count();
            assert!(amounts > 2, "{language}: only {amounts} of {} texts tell a price", walks.texts.len());
        }
    }
}

#[test]
fn what_is_checked_would_be_found() {
    let products = products();
    for broken in [
        "{name1} is 5.",
        "{name1} is { price1}.",
        "{name1}和{name2}{price1}。",
        "{price1} {name1}.",
        "{name1}. It is {price1}.",
        "{name3} {price3}.",
        "{name9}.",
        "{name1} ５.",
        "五 {name1}。",
        "{name1} €.",
        "{name1} ².",
    ] {
        assert!(fault(broken, &products).is_some(), "{broken}");
    }
    assert_eq!(fault("We have {name1} for {price1}, before {old1}. Or {name2}: {price2}!", &products), None);
}

/// Whether the grammar takes a text, in whole tokens and byte by byte.
fn taken(grammars: &Grammars, vocabulary: &Vocabulary, (lark, text): (&str, &str)) -> [bool; 2] {
    let follow = |mut constraint: Constraint, tokens: &[u32]| {
        tokens.iter().all(|token| {
            let fits = constraint.allowed().is_ok_and(|allowed| allowed.holds(*token));
            fits && constraint.accept(*token).is_ok()
        })
    };
    let single = |byte: u8| {
        let found = vocabulary.bytes().iter().position(|word| *word == [byte]);
        u32::try_from(found.expect("byte-level vocabularies hold every byte")).unwrap()
    };
    let bytes: Vec<u32> = text.bytes().map(single).collect();
    let words = vocabulary.encode_text(text).unwrap();
    [&words, &bytes].map(|tokens| follow(grammars.start(lark).unwrap(), tokens))
}

#[test]
fn numbers_hidden_in_parts_of_characters_are_not_taken() {
    let products = products();
    for model in models() {
        let vocabulary = std::sync::Arc::new(Vocabulary::load(&mut Weights::open(&model.path).unwrap()).unwrap());
        let grammars = Grammars::new(vocabulary.clone()).unwrap();
        let check = |language: Language, text: &str, expected: bool| {
            let lark = shape(language, &products);
            let [words, bytes] = taken(&grammars, &vocabulary, (&lark, text));
            // Where a slot is the only way on, its own tokens are asked for: single bytes of it may be refused.
            let fits = if expected { words } else { !words && !bytes };
            assert!(fits, "{language}: {text}: words {words}, bytes {bytes}");
        };
        let begun = |language: Language, text: &str| {
            let lark = shape(language, &products);
            assert_eq!(taken(&grammars, &vocabulary, (&lark, text)), [true, true], "{language}: {text}");
        };
        check(Language::En, "We have {name1} for {price1}.", true);
        check(Language::Ru, "{name1} — хороший выбор, цена {price1}.", true);
        check(Language::Sk, "Ponúkame {name4} za {price4}, kusov: {stock4}!", true);
        check(Language::Zh, "我们有{name1}，价格是{price1}。", true);
        check(Language::En, "{none}", true);
        for number in ["5", "５", "٥", "५", "²", "①", "⅓", "Ⅳ", "𝟓", "5️⃣", "€", "$", "₽", "₸", "¥", "%", "‰", "٪"]
        {
            for (language, before) in [
                (Language::En, "We have "),
                (Language::Ru, "У нас есть "),
                (Language::Sk, "Máme "),
                (Language::Zh, "我们有"),
            ] {
                begun(language, before);
                check(language, &format!("{before}{number}"), false);
            }
        }
        for number in "五十百千万亿零〇两半壹伍拾萬".chars() {
            check(Language::Zh, &format!("我们有{number}"), false);
        }
        for unbound in ["We have {price1}", "{name2} is {price1}", "{name3} is {price3}", "{name1} {old2}", "{name5}"] {
            check(Language::En, unbound, false);
        }
        for glued in ["{name1}{price1}", "{name1} is {price1}k", "{name1} is{price1}", "{name1} is {price1}{stock1}"] {
            check(Language::En, glued, false);
        }
    }
}
