//! Personal data made up by the thousand: phones as people of five regions write them, and the public fillers in sentences of
//! four languages; beside them prices, codes, order numbers and dates, which must stay. Prints shares, asserts the floors.

use std::collections::BTreeMap;

use truetill::domain::Language;
use truetill::screening::Screening;

/// A small generator, so that each run makes the same numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    /// `#` becomes a digit, `N` one that is not zero, `{a|b}` one of several, `C` the check digit of a barcode.
    fn fill(&mut self, pattern: &str) -> String {
        let mut out = String::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '#' => out.push_str(&self.below(10).to_string()),
                'N' => out.push_str(&(1 + self.below(9)).to_string()),
                '{' => {
                    let (inside, after) = rest.split_once('}').unwrap();
                    out.push_str(self.pick(&inside.split('|').collect::<Vec<_>>()));
                    rest = after;
                }
                'C' => out.push_str(&check_digit(&out).to_string()),
                other => out.push(other),
            }
        }
        out
    }
}

/// The thirteenth digit of an EAN.
fn check_digit(text: &str) -> u32 {
    let digits: Vec<u32> = text.chars().rev().filter_map(|c| c.to_digit(10)).take(12).collect();
    let sum: u32 = digits.iter().enumerate().map(|(at, digit)| if at % 2 == 0 { digit * 3 } else { *digit }).sum();
    (10 - sum % 10) % 10
}

fn screening() -> Screening {
    Screening::new(include_str!("../../data/rules/screening.toml").parse().unwrap()).unwrap()
}

const CARRIERS: &[&str] = &[
    "call me on {} please",
    "перезвоните мне на {}, пожалуйста",
    "môj telefón je {} ďakujem",
    "我的电话{} 谢谢",
    "{}",
    "volajte {}",
    "мой номер {}",
];

const PHONES: &[(&str, &[&str])] = &[
    (
        "RU",
        &[
            "+7 9## ###-##-##",
            "8 (9##) ###-##-##",
            "8 9## ### ## ##",
            "89#########",
            "+79#########",
            "8-9##-###-##-##",
            "+7(9##)#######",
            "8 (495) N##-##-##",
            "9## ###-##-##",
            "+7 812 N## ## ##",
        ],
    ),
    (
        "KZ",
        &[
            "+7 7{01|02|05|07|47|71|75|77} ### ## ##",
            "8 (7{01|02|05|07|77}) ###-##-##",
            "87{01|05|77}#######",
            "+77{01|02|47}#######",
            "8 7{05|77} ### ####",
        ],
    ),
    (
        "SK",
        &[
            "+421 9{05|15|44|48|10} ### ###",
            "09{05|15|44|48|10} ### ###",
            "09{05|15|44}/### ###",
            "09{05|15|44}######",
            "00421 9{05|18} ### ###",
            "+4219{05|02}######",
            "02/N### ####",
            "09{03|11}-###-###",
        ],
    ),
    (
        "CZ",
        &[
            "+420 {602|603|724|777} ### ###",
            "{602|605|723|777} ### ###",
            "00420 {602|777} ### ###",
            "+420{602|777}######",
            "420{602|777}######",
        ],
    ),
    (
        "CN",
        &[
            "1{38|39|50|86|99}########",
            "1{38|50|86} #### ####",
            "+86 1{38|39}########",
            "+86 1{38|50}-####-####",
            "1{37|77}-####-####",
            "010-8#######",
            "021 6### ####",
        ],
    ),
];

#[test]
fn phones_of_five_regions() {
    let (screening, mut dice) = (screening(), Dice(7));
    for (region, patterns) in PHONES {
        let (mut masked, mut all) = (0, 0);
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for pattern in patterns.iter().cycle().take(2000) {
            let phone = dice.fill(pattern);
            let text = CARRIERS[dice.below(CARRIERS.len() as u64) as usize].replace("{}", &phone);
            all += 1;
            // Twelve bare digits may pass for a card as well: what counts is that they are gone.
            if !screening.screen(&text, Language::En, None).text.contains(&phone) {
                masked += 1;
            } else {
                *left.entry(pattern).or_default() += 1;
            }
        }
        let share = f64::from(masked) / f64::from(all);
        eprintln!("phones {region}: {masked} of {all} masked {share:.4}; left {left:?}");
        // A Czech number as twelve bare digits stays where its last digit fits a barcode: one in ten of them.
        assert!(share >= if *region == "CZ" { 0.97 } else { 0.98 }, "{region}");
    }
}

const STAYS: &[&str] = &[
    "costs N##,90 €",
    "N #90 ₽",
    "цена NN 990 руб",
    "¥N,###.00",
    "N###元",
    "do N#0 eur",
    "from N000 to N5000 rub",
    "€NN.90",
    "N.### €",
    "1 2## ###,00 Kč",
    "KT-###-SLV",
    "AX-90###-22##",
    "SKU 90###22",
    "арт. N#####",
    "V-#00",
    "ZE-1#",
    "model N###/N###",
    "EAN 4006########C",
    "590#########C",
    "order TT-1####",
    "заказ N####",
    "objednávka N#####",
    "订单号N#####",
    "#1####",
    "order N#######",
    "№ N####",
    "1{0|2}.0N.202N",
    "202{5|6}-1{0|1|2}-1#",
    "2{0|1|2}/1{0|1|2}/2026",
    "1{0|1|2}.{1|2|3|4|5|6|7|8|9}.2026 14:3#",
    "Nth of May 20{1|2}#",
    "202{5|6}年1{0|1}月2#日",
    "size 4N",
    "размер 4N-4N",
    "N#0 x 2#0 cm",
    "N## ml",
    "1.N l",
    "N000 mAh",
    "1920x1080",
    "N### W",
    "N### ks",
    "1 N## ### ₽",
    "PSČ 0NN 0#",
    "индекс 1#####",
];

#[test]
fn what_a_shop_needs_stays() {
    let (screening, mut dice) = (screening(), Dice(11));
    let carriers = ["{}", "is it {} ?", "сколько {} будет", "mám záujem {} prosím", "请问{}吗"];
    let (mut wrong, mut all) = (0, 0);
    let mut masked: BTreeMap<&str, String> = BTreeMap::new();
    for pattern in STAYS.iter().cycle().take(8800) {
        let text = dice.pick(&carriers).replace("{}", &dice.fill(pattern));
        all += 1;
        let screened = screening.screen(&text, Language::En, None);
        if !screened.pii.is_empty() {
            wrong += 1;
            masked.insert(pattern, text);
        }
    }
    let share = f64::from(wrong) / f64::from(all);
    eprintln!("prices, codes, orders, dates: {wrong} of {all} masked {share:.4}; {masked:?}");
    assert!(share < 0.01);
}

#[test]
fn public_fillers_in_sentences() {
    let table = ["../shared/data", "../../shared/data"].iter().find_map(|folder| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join(folder).join("pii_faker_values.tsv")).ok()
    });
    let Some(table) = table else { return eprintln!("skipped: ../shared/data/pii_faker_values.tsv is not there") };
    let screening = screening();
    let sentences: &[(&str, &[&str])] = &[
        ("CARD", &["заплачу картой {}", "moja karta {} nefunguje", "我的卡号{}", "card {} was declined"]),
        ("IBAN", &["верните на счёт {}", "pošlite to na účet {}", "退到{}这个账户", "my account is {}"]),
        ("EMAIL", &["пишите на {}", "môj mail je {}", "邮箱{}", "reach me at {}."]),
        ("PHONE", &["мой телефон {}", "volajte na {}", "电话{}", "call {}"]),
        ("NATIONAL_ID", &["мой инн {}", "rodné číslo {}", "身份证{}", "passport {}"]),
        ("PASSPORT", &["паспорт {}"]),
        ("SNILS", &["снилс {}"]),
    ];
    let mut shares: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (locale, kind, value) = (columns[0], columns[1], columns[2]);
        if !["ru_RU", "sk_SK", "cs_CZ", "zh_CN"].contains(&locale) {
            continue;
        }
        let Some((_, carriers)) = sentences.iter().find(|(of, _)| *of == kind) else { continue };
        for carrier in *carriers {
            let text = screening.screen(&carrier.replace("{}", value), Language::En, None).text;
            let share = shares.entry((kind.to_string(), locale.to_string())).or_default();
            share.0 += usize::from(!text.contains(value));
            share.1 += 1;
            if text.contains(value) && std::env::var_os("SHOW").is_some() {
                eprintln!("LEFT {kind} {text}");
            }
        }
    }
    for ((kind, locale), (masked, all)) in &shares {
        eprintln!("{kind} {locale}: {masked} of {all}");
    }
    let certain = |kind: &str| matches!(kind, "CARD" | "IBAN" | "EMAIL");
    for ((kind, locale), (masked, all)) in shares.iter().filter(|((kind, _), _)| certain(kind)) {
        assert_eq!(masked, all, "{kind} {locale}");
    }
}
