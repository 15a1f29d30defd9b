//! Numbers in words, written by rules of grammar and not out of `data/guard`: every case and gender of Russian,
//! joined, spaced and declined Slovak, both English habits, plain, financial and shortened Chinese.

/// Cases of Russian.
pub(super) const CASES: usize = 6;

/// Russian forms by case: nominative, genitive, dative, accusative, instrumental, prepositional.
fn russian_unit(number: usize, case: usize, gender: usize) -> String {
    match russian_own(number, gender).split(' ').nth(case) {
        Some(form) if !form.is_empty() => form.to_string(),
        _ => russian_built(number, case),
    }
}

/// The forms no rule makes.
fn russian_own(number: usize, gender: usize) -> &'static str {
    match (number, gender) {
        (1, 0) => "один одного одному один одним одном",
        (1, 1) => "одна одной одной одну одной одной",
        (1, _) => "одно одного одному одно одним одном",
        (2, 1) => "две двух двум две двумя двух",
        (2, _) => "два двух двум два двумя двух",
        (3, _) => "три трёх трём три тремя трёх",
        (4, _) => "четыре четырёх четырём четыре четырьмя четырёх",
        (8, _) => "восемь восьми восьми восемь восемью восьми",
        (40, _) => "сорок сорока сорока сорок сорока сорока",
        (90, _) => "девяносто девяноста девяноста девяносто девяноста девяноста",
        (100, _) => "сто ста ста сто ста ста",
        (200, _) => "двести двухсот двумстам двести двумястами двухстах",
        (300, _) => "триста трёхсот трёмстам триста тремястами трёхстах",
        (400, _) => "четыреста четырёхсот четырёмстам четыреста четырьмястами четырёхстах",
        _ => "",
    }
}

fn russian_built(number: usize, case: usize) -> String {
    // Five to ten, and the roots the rest is made of: the nominative, the oblique root, the instrumental.
    let five = |number: usize| {
        let stem = ["пят", "шест", "сем", "вос", "девят", "десят"][number - 5];
        match number {
            8 => ("восемь".to_string(), "восьми".to_string(), "восемью".to_string()),
            _ => (format!("{stem}ь"), format!("{stem}и"), format!("{stem}ью")),
        }
    };
    let pick = |(plain, oblique, by): (String, String, String)| match case {
        0 | 3 => plain,
        4 => by,
        _ => oblique,
    };
    match number {
        5..=10 => pick(five(number)),
        11..=19 => {
            let stems = ["один", "две", "три", "четыр", "пят", "шест", "сем", "восем", "девят"];
            let stem = stems[number - 11];
            pick((format!("{stem}надцать"), format!("{stem}надцати"), format!("{stem}надцатью")))
        }
        20 | 30 => {
            let stem = if number == 20 { "двадцат" } else { "тридцат" };
            pick((format!("{stem}ь"), format!("{stem}и"), format!("{stem}ью")))
        }
        50..=80 => {
            let (plain, oblique, by) = five(number / 10);
            pick((format!("{plain}десят"), format!("{oblique}десяти"), format!("{by}десятью")))
        }
        _ => {
            let (plain, oblique, by) = five(number / 100);
            let end = ["", "сот", "стам", "", "стами", "стах"][case];
            match case {
                0 | 3 => format!("{plain}сот"),
                4 => format!("{by}{end}"),
                _ => format!("{oblique}{end}"),
            }
        }
    }
}

/// The numbers a number under a thousand is said with.
fn parts(mut number: usize) -> Vec<usize> {
    let mut found = Vec::new();
    if number >= 100 {
        found.push(number / 100 * 100);
        number %= 100;
    }
    if number >= 20 {
        found.push(number / 10 * 10);
        number %= 10;
    }
    if number > 0 {
        found.push(number);
    }
    found
}

fn russian_form(number: usize, case: usize, forms: [&str; 11]) -> String {
    // One; a few; many: and from the genitive on, singular or plural.
    let (tens, ones) = (number % 100, number % 10);
    let one = ones == 1 && tens != 11;
    let few = (2..=4).contains(&ones) && !(12..=14).contains(&tens);
    let index = match (case, one, few) {
        (0, true, _) => 0,
        (3, true, _) => 1,
        (0 | 3, _, true) => 2,
        (0 | 3, ..) => 3,
        (1, true, _) => 4,
        (1, ..) => 5,
        (2, true, _) => 6,
        (2, ..) => 7,
        (4, true, _) => 8,
        (4, ..) => 9,
        _ => 10,
    };
    forms[index].to_string()
}

/// A number in a case and gender; `bare` leaves out the one of one thousand.
pub(super) fn russian(number: usize, case: usize, gender: usize, bare: bool) -> String {
    const THOUSAND: [&str; 11] = [
        "тысяча",
        "тысячу",
        "тысячи",
        "тысяч",
        "тысячи",
        "тысяч",
        "тысяче",
        "тысячам",
        "тысячей",
        "тысячами",
        "тысячах",
    ];
    let mut words = Vec::new();
    if number == 1_000_000 {
        words.push(
            ["один миллион", "одного миллиона", "одному миллиону", "один миллион", "одним миллионом", "одном миллионе"]
                [case]
                .to_string(),
        );
    }
    let thousands = number / 1000 % 1000;
    if thousands > 0 {
        if !(thousands == 1 && bare) {
            words.extend(parts(thousands).into_iter().map(|part| russian_unit(part, case, 1)));
        }
        let form = if case == 5 && thousands % 10 == 1 && thousands % 100 != 11 {
            "тысяче".to_string()
        } else {
            russian_form(thousands, case, THOUSAND)
        };
        words.push(form);
    }
    words.extend(parts(number % 1000).into_iter().map(|part| russian_unit(part, case, gender)));
    words.join(" ")
}

/// With its currency: masculine roubles, feminine hryvnias and crowns, a euro that never changes.
pub(super) fn russian_price(number: usize, case: usize, kind: usize) -> (String, &'static str) {
    const ROUBLE: [&str; 11] =
        ["рубль", "рубль", "рубля", "рублей", "рубля", "рублей", "рублю", "рублям", "рублём", "рублями", "рублях"];
    const CROWN: [&str; 11] =
        ["крона", "крону", "кроны", "крон", "кроны", "крон", "кроне", "кронам", "кроной", "кронами", "кронах"];
    let bare = kind >= 3;
    let (gender, forms, code) = match kind % 3 {
        0 => (0, ROUBLE, "RUB"),
        1 => (1, CROWN, "CZK"),
        _ => (0, ["евро"; 11], "EUR"),
    };
    // After thousands and millions alone the currency stands in the genitive plural, as after many.
    let round = number.is_multiple_of(1000);
    let counted = if round { 5 } else { number };
    let case_of_currency = if round { 0 } else { case };
    (format!("{} {}", russian(number, case, gender, bare), russian_form(counted, case_of_currency, forms)), code)
}

const SLOVAK: [&str; 20] = [
    "",
    "jeden",
    "dva",
    "tri",
    "štyri",
    "päť",
    "šesť",
    "sedem",
    "osem",
    "deväť",
    "desať",
    "jedenásť",
    "dvanásť",
    "trinásť",
    "štrnásť",
    "pätnásť",
    "šestnásť",
    "sedemnásť",
    "osemnásť",
    "devätnásť",
];

fn slovak_part(part: usize) -> String {
    match part {
        1..=19 => SLOVAK[part].to_string(),
        20 => "dvadsať".to_string(),
        30 => "tridsať".to_string(),
        40 => "štyridsať".to_string(),
        50..=90 => format!("{}desiat", SLOVAK[part / 10]),
        100 => "sto".to_string(),
        200 => "dvesto".to_string(),
        _ => format!("{}sto", SLOVAK[part / 100]),
    }
}

/// Declined: the genitive, dative, locative and instrumental of what declines; hundreds and thousands do not.
fn slovak_declined(part: usize, case: usize) -> String {
    let end = ["ich", "im", "ich", "imi"][case];
    let small = |forms: [&str; 4]| forms[case].to_string();
    match part {
        1 => small(["jedného", "jednému", "jednom", "jedným"]),
        2 => small(["dvoch", "dvom", "dvoch", "dvoma"]),
        3 => small(["troch", "trom", "troch", "troma"]),
        4 => small(["štyroch", "štyrom", "štyroch", "štyrmi"]),
        5..=10 => format!("{}{end}", ["piat", "šiest", "siedm", "ôsm", "deviat", "desiat"][part - 5]),
        11..=19 => {
            let stem = slovak_part(part);
            format!("{}ást{end}", stem.trim_end_matches("ásť"))
        }
        20 | 30 | 40 => format!("{}siat{end}", ["dvad", "trid", "štyrid"][part / 10 - 2]),
        50..=90 => format!("{}{end}", slovak_part(part)),
        _ => slovak_part(part),
    }
}

/// Joined, by thousands, spaced, or declined.
pub(super) fn slovak(number: usize, style: usize) -> String {
    let (thousands, rest) = (number / 1000 % 1000, number % 1000);
    let said: Vec<String> = match style {
        3.. => parts(rest).into_iter().map(|part| slovak_declined(part, style - 3)).collect(),
        _ => parts(rest).into_iter().map(slovak_part).collect(),
    };
    let thousand = match thousands {
        0 => String::new(),
        1 => "tisíc".to_string(),
        2 => "dvetisíc".to_string(),
        _ => format!("{}tisíc", parts(thousands).into_iter().map(slovak_part).collect::<String>()),
    };
    let million = if number == 1_000_000 { "milión".to_string() } else { String::new() };
    let joined = said.concat();
    let all: Vec<String> = match style {
        0 => vec![million, format!("{thousand}{joined}")],
        1 => vec![million, thousand, joined],
        2 if thousands == 2 => vec!["dve tisíc".to_string(), said.join(" ")],
        2 if thousands > 2 => {
            let spaced: Vec<String> = parts(thousands).into_iter().map(slovak_part).collect();
            vec![spaced.join(" "), "tisíc".to_string(), said.join(" ")]
        }
        _ => vec![million, thousand, said.join(" ")],
    };
    all.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

const ONES: [&str; 20] = [
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// With and without `and` and hyphens; by hundreds.
pub(super) fn english(number: usize, style: usize) -> String {
    let british = style % 2 == 1;
    let below_hundred = |n: usize| match n {
        0..=19 => ONES[n].to_string(),
        _ if n.is_multiple_of(10) => TENS[n / 10].to_string(),
        _ => format!("{}{}{}", TENS[n / 10], if style >= 2 { " " } else { "-" }, ONES[n % 10]),
    };
    let below_thousand = |n: usize| match (n / 100, n % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", ONES[hundreds]),
        (hundreds, rest) => {
            format!("{} hundred {}{}", ONES[hundreds], if british { "and " } else { "" }, below_hundred(rest))
        }
    };
    if style == 4 && number.is_multiple_of(100) && (1100..10_000).contains(&number) && !number.is_multiple_of(1000) {
        return format!("{} hundred", below_hundred(number / 100));
    }
    let mut words = Vec::new();
    if number == 1_000_000 {
        words.push(if british { "a million".to_string() } else { "one million".to_string() });
    }
    if !(number / 1000).is_multiple_of(1000) {
        words.push(format!("{} thousand", below_thousand(number / 1000 % 1000)));
    }
    let rest = number % 1000;
    if rest > 0 {
        let and = british && rest < 100 && number > 1000;
        words.push(format!("{}{}", if and { "and " } else { "" }, below_thousand(rest)));
    }
    words.join(" ")
}

/// Plain, financial, with 两, in traditional signs, with a round zero.
pub(super) fn chinese(number: usize, style: usize) -> String {
    let digits: Vec<char> = match style {
        1 => "零壹贰叁肆伍陆柒捌玖".chars().collect(),
        4 => "〇一二三四五六七八九".chars().collect(),
        _ => "零一二三四五六七八九".chars().collect(),
    };
    let units = match style {
        1 => ["", "拾", "佰", "仟"],
        _ => ["", "十", "百", "千"],
    };
    let section = |n: usize, lead: bool| {
        let mut text = String::new();
        let mut skipped = false;
        for (place, unit) in units.iter().enumerate().rev() {
            let digit = n / 10_usize.pow(place as u32) % 10;
            if digit == 0 {
                skipped = !text.is_empty();
                continue;
            }
            if skipped || (lead && text.is_empty() && n < 1000 && place < 3) {
                if !text.is_empty() || lead {
                    text.push(digits[0]);
                }
                skipped = false;
            }
            let two = digit == 2 && place >= 2 && style == 2;
            text.push(if two { '两' } else { digits[digit] });
            text.push_str(unit);
        }
        text
    };
    let (high, low) = (number / 10_000, number % 10_000);
    let mut text = String::new();
    if high > 0 {
        text = section(high, false);
        if style == 2 && high == 2 {
            text = "两".to_string();
        }
        text.push(if style == 3 { '萬' } else { '万' });
    }
    text.push_str(&section(low, high > 0));
    if (10..20).contains(&number) && style != 1 {
        text = text.trim_start_matches(digits[1]).to_string();
    }
    text
}

/// 一百八, 两千五, 三万二: the last unit left unsaid.
pub(super) fn shortened(number: usize) -> Option<String> {
    let top = [10_000, 1000, 100].into_iter().find(|unit| number >= *unit)?;
    let (lead, next) = (number / top, number % top);
    let digits: Vec<char> = "零一二三四五六七八九".chars().collect();
    let fits = lead < 10 && next > 0 && next.is_multiple_of(top / 10);
    fits.then(|| {
        format!("{}{}{}", digits[lead], ["百", "千", "万"][top.ilog10() as usize - 2], digits[next / (top / 10)])
    })
}
