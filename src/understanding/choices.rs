//! Which choice of a question an answer means, by the words of the choices themselves: "a glass one", "стеклянный", "玻璃的". In: the words
//! of an answer, the choices, and beginnings of words that mean the same. Out: a choice, or nothing when a word is about something else.

use super::folded::{fold, is_han};

/// Letters that two forms of one word share at least ...
const SHARED: usize = 4;
/// ... of the shorter one, in tenths.
const SHARED_TENTHS: usize = 6;

/// A choice as its words, and how many things it leads to.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Its name.
    pub label: String,
    /// How many things it leads to: of two that are meant alike, more are better.
    pub weight: usize,
}

/// The choice that `words` mean, counted from nought; nothing when a word is of no choice and of nothing in `about`, the words of
/// what was looked for.
pub fn chosen(words: &str, about: &str, (choices, alike): (&[Labelled], &[Vec<String>])) -> Option<usize> {
    let (words, about) = (fold(words), fold(about));
    let mut scores = vec![0_usize; choices.len()];
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let mut meant = false;
        for (score, choice) in scores.iter_mut().zip(choices) {
            let hit = means(word, &fold(&choice.label), alike);
            *score += usize::from(hit);
            meant |= hit;
        }
        if !meant && !about.split(' ').any(|other| one_word(word, other)) {
            return None;
        }
    }
    let best = scores.iter().copied().max().filter(|best| *best > 0)?;
    let heaviest = choices.iter().enumerate().filter(|(at, _)| scores[*at] == best).max_by_key(|(_, one)| one.weight);
    heaviest.map(|(at, _)| at)
}

/// True when a word says what a choice's name says.
fn means(word: &str, label: &str, alike: &[Vec<String>]) -> bool {
    let begins = |text: &str, start: &String| {
        let start = fold(start);
        // Chinese has no spaces to begin a word after.
        if start.chars().all(is_han) {
            text.contains(&start)
        } else {
            text.split(' ').any(|one| one.starts_with(&start))
        }
    };
    label.split(' ').any(|own| one_word(word, own))
        || alike.iter().any(|group| {
            group.iter().any(|start| begins(word, start)) && group.iter().any(|start| begins(label, start))
        })
}

/// True for two forms of one word; of Chinese words, when they share two characters.
fn one_word(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    if a.chars().chain(b.chars()).any(is_han) {
        let pairs = |text: &str| text.chars().zip(text.chars().skip(1)).collect::<Vec<_>>();
        return pairs(a).iter().any(|pair| is_han(pair.0) && pairs(b).contains(pair));
    }
    // Numbers have no forms.
    if a.chars().chain(b.chars()).any(|c| c.is_ascii_digit()) {
        return false;
    }
    let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let shorter = a.chars().count().min(b.chars().count());
    shared >= SHARED.min(shorter.max(3)) && shared * 10 >= shorter * SHARED_TENTHS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, labels: &[&str], expected: Option<&str>) {
        let alike: Vec<Vec<String>> = [
            vec!["glass", "стекл", "skl", "玻璃"],
            vec!["steel", "metal", "стал", "металл", "ocel", "kov", "金属"],
            vec!["women", "ladies", "женск", "женщин", "damsk", "zen", "女"],
            vec!["men", "мужск", "мужчин", "pansk", "muz", "男"],
        ]
        .map(|group| group.into_iter().map(str::to_string).collect())
        .into();
        let choices: Vec<Labelled> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| Labelled { label: label.to_string(), weight: labels.len() - at })
            .collect();
        let got = chosen(words, "kettle чайник kanvica 水壶", (&choices, &alike)).map(|at| labels[at]);
        assert_eq!(got, expected, "{words}");
    }

    #[test]
    fn an_answer_is_a_choice_in_any_form() {
        let en = ["stainless steel", "borosilicate glass", "cast iron"];
        check("glass", &en, Some("borosilicate glass"));
        check("glass kettle", &en, Some("borosilicate glass"));
        check("metal", &en, Some("stainless steel"));
        check("iron", &en, Some("cast iron"));
        check("toaster", &en, None);
        check("glass toaster", &en, None);
        let ru = ["нержавеющая сталь", "боросиликатное стекло", "чугун"];
        check("стеклянный", &ru, Some("боросиликатное стекло"));
        check("стальной чайник", &ru, Some("нержавеющая сталь"));
        check("чугунный", &ru, Some("чугун"));
        check("дешёвый", &ru, None);
        let sk = ["nehrdzavejúca oceľ", "borosilikátové sklo", "liatina"];
        check("sklenenú", &sk, Some("borosilikátové sklo"));
        check("oceľovú", &sk, Some("nehrdzavejúca oceľ"));
        check("liatinovú kanvicu", &sk, Some("liatina"));
        let zh = ["不锈钢", "高硼硅玻璃", "铸铁"];
        check("玻璃的", &zh, Some("高硼硅玻璃"));
        check("不锈钢", &zh, Some("不锈钢"));
    }

    #[test]
    fn men_are_not_women() {
        check("мужские", &["женские", "мужские"], Some("мужские"));
        check("для мужчин", &["женские", "мужские"], None);
        check("мужчин", &["женские", "мужские"], Some("мужские"));
        check("ladies", &["women", "men"], Some("women"));
        check("men", &["women", "men"], Some("men"));
        check("男", &["女款", "男款"], Some("男款"));
    }

    #[test]
    fn numbers_are_themselves() {
        check("1.5", &["1.5 l", "1.7 l"], Some("1.5 l"));
        check("1.7 l", &["1.5 l", "1.7 l"], Some("1.7 l"));
    }
}
