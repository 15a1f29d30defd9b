//! What the guard costs: microseconds per KB of texts and drafts of every kind, and time per KB of hostile texts from
//! 1 to 64 KB. Run it in a release build, `cargo test --release --lib guard::cost -- --nocapture`; figures are printed,
//! never asserted, but that a text four times as long takes no more than eight times as long where
//! `TRUETILL_FLAT=1` says that the machine is quiet.

use std::hint::black_box;
use std::time::Instant;

use crate::domain::{Language, Role};

use super::money::Reading;
use super::sentence::Sentence;
use super::{Guard, Ledger, Verdict, cases, lex, mutants, norm, text};

/// The best of some runs in microseconds: what the code costs, not what else the machine does.
fn best(runs: usize, mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e6
    };
    (0..runs).map(|_| once(&mut run)).fold(f64::MAX, f64::min)
}

fn per_kb(microseconds: f64, bytes: usize) -> f64 {
    microseconds * 1024.0 / bytes.max(1) as f64
}

/// The median and the mean of the rates of many texts.
fn report(what: &str, measured: &[(f64, usize)]) {
    let mut rates: Vec<f64> = measured.iter().map(|&(time, bytes)| per_kb(time, bytes)).collect();
    rates.sort_by(f64::total_cmp);
    let at = |share: f64| rates[((rates.len() - 1) as f64 * share) as usize];
    let (time, bytes) = measured.iter().fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    eprintln!(
        "guard: {what}, {} texts: median {:.1} us per KB, p99 {:.1}, over all {:.1}",
        rates.len(),
        at(0.5),
        at(0.99),
        per_kb(time, bytes)
    );
}

const SETS: [(&str, &str); 4] = [
    ("free_text_odd", include_str!("../../data/eval/guard/free_text_odd.tsv")),
    ("free_text_even", include_str!("../../data/eval/guard/free_text_even.tsv")),
    ("free_text_fresh", include_str!("../../data/eval/guard/free_text_fresh.tsv")),
    ("free_text_fifth", include_str!("../../data/eval/guard/free_text_fifth.tsv")),
];

fn ledger() -> Ledger {
    let row = serde_json::json!([{"sku": "VLT", "name": "Volt", "price": "24.90", "currency": "EUR"}]);
    Ledger::from_case(&row.to_string()).unwrap()
}

const PLAIN: [(Language, &str); 4] = [
    (Language::En, "Volt is 24.90 EUR. It is available in our shop today. "),
    (Language::Ru, "Здравствуйте! Volt есть в наличии, сейчас он стоит 24,90 евро. "),
    (Language::Zh, "您好，Volt有现货，现在的价格是24.90欧元。"),
    (Language::Sk, "Dobrý deň, Volt máme na sklade, stojí 24,90 €. "),
];

#[test]
fn the_cost_of_free_text_is_known() {
    let guard = Guard::new();
    for (name, file) in SETS {
        let rows = file.lines().skip(1).map(|row| cases::parse(row).unwrap());
        let measured: Vec<(f64, usize)> = rows
            .map(|(language, ledger, text)| {
                let time = best(7, || drop(black_box(guard.check_text(language, &ledger, black_box(&text)))));
                (time, text.len())
            })
            .collect();
        report(name, &measured);
    }
    let ledger = ledger();
    for (language, sentence) in PLAIN {
        let text = sentence.repeat(1 + 1024 / sentence.len());
        assert_eq!(guard.check_text(language, &ledger, &text), Ok(()));
        let time = best(300, || drop(black_box(guard.check_text(language, &ledger, black_box(&text)))));
        report(&format!("1 KB of {language}"), &[(time, text.len())]);
    }
}

/// Where the time of free text goes: each stage with all before it.
#[test]
fn the_cost_of_each_stage_is_known() {
    let guard = Guard::new();
    let lexicon = &guard.lexicon;
    let rows: Vec<_> =
        SETS.iter().flat_map(|(_, file)| file.lines().skip(1)).map(|row| cases::parse(row).unwrap()).collect();
    let mut sums = [0.0; 6];
    let mut bytes = 0;
    for (language, ledger, text) in &rows {
        let stage = |depth: usize| {
            let normal = norm::normalise(text, &[]);
            if depth == 0 {
                return drop(black_box(normal));
            }
            let names = ledger.aliases.find(&normal.text);
            if depth == 1 {
                return drop(black_box((normal, names)));
            }
            let tokens = lex::tokens(lexicon, &normal, *language, &names);
            if depth == 2 {
                return drop(black_box((normal, names, tokens)));
            }
            let reading = Reading::new(lexicon, (&normal.text, &tokens), *language);
            for range in text::sentences(&tokens, |_| true) {
                if depth > 3 {
                    black_box(Sentence::new(&reading, range, (None, false)));
                }
            }
        };
        for (depth, sum) in sums.iter_mut().enumerate().take(5) {
            *sum += best(7, || stage(depth));
        }
        sums[5] += best(7, || drop(black_box(guard.check_text(*language, ledger, text))));
        bytes += text.len();
    }
    const STAGES: [&str; 6] = ["plain form", "names", "tokens", "sentences", "items", "rules"];
    let mut before = 0.0;
    for (stage, sum) in STAGES.iter().zip(sums) {
        eprintln!("guard: {stage}: {:.1} us per KB", per_kb(sum - before, bytes));
        before = sum;
    }
}

#[test]
fn the_cost_of_drafts_is_known() {
    let guard = Guard::new();
    let facts = mutants::facts();
    let mut measured = Vec::new();
    for (index, [before, between, after]) in DRAFTS.iter().enumerate() {
        let product = index % facts.len();
        let (name, price) = mutants::told(&facts[product]);
        let pieces = [
            (*before, None),
            (&*name, Some((product, Role::Name))),
            (*between, None),
            (&*price, Some((product, Role::Price))),
            (*after, None),
        ];
        let draft = mutants::draft(Language::En, &pieces);
        let bytes = draft.segments[0].text.len();
        let mut drafts = vec![draft; 50];
        assert!(matches!(guard.check(drafts[0].clone(), &facts, ""), Verdict::Accepted(_)), "{before}{between}{after}");
        let time = best(50, || drop(black_box(guard.check(drafts.pop().unwrap(), &facts, ""))));
        measured.push((time, bytes));
    }
    report("drafts", &measured);
}

/// The words around a name and a price.
const DRAFTS: [[&str; 3]; 6] = [
    ["", " — ", "."],
    ["", " — ", ". A robust companion for long days outside, with a rain cover and a padded back."],
    ["Hello! The ", " costs ", " today. Shall I put it in your basket?"],
    ["We have it: ", ", ", ". Made of recycled fabric, washable, in our shop and in the warehouse."],
    ["The ", " is ", " and available."],
    [
        "",
        " — ",
        ". A quiet motor, a bright display and a frame that folds. I am the shop's virtual assistant; you can ask for a person at any time.",
    ],
];

/// What repeats: figures, Chinese numerals, number words, marks, markup, codes, signs, honest offers without an end.
const HOSTILE: [&str; 34] = [
    "1",
    "1 ",
    "1.",
    "1,000 ",
    "1x",
    "9-",
    "a-",
    "a-1-",
    "+",
    "+1",
    "一",
    "一万",
    "两万五",
    "九 ",
    "壹佰",
    "two ",
    "twenty-",
    "двадцать",
    "сто ",
    "dvadsaťštyri",
    "sanshi",
    "стотысяч ",
    "\u{301}",
    "e\u{301}",
    "1\u{20e3}",
    "&amp;",
    "&#",
    "<b>",
    "<b><i>",
    "**7**",
    "Volt 24,90 €, ",
    "3 kg, ",
    "free delivery ",
    "% ",
];

#[test]
fn hostile_texts_take_the_same_time_per_kb() {
    let guard = Guard::new();
    let ledger = ledger();
    let strict = std::env::var_os("TRUETILL_FLAT").is_some();
    let sizes: &[usize] = if cfg!(debug_assertions) { &[64] } else { &[1, 4, 16, 64] };
    for part in HOSTILE {
        let mut rates = Vec::new();
        for &size in sizes {
            let text = part.repeat(size * 1024 / part.len());
            let draft = mutants::draft(Language::Sk, &[(&text, None)]);
            let runs = if cfg!(debug_assertions) { 1 } else { 5 };
            let time = best(runs, || {
                drop(black_box(guard.check_text(Language::Sk, &ledger, black_box(&text))));
                drop(black_box(guard.check(draft.clone(), &[], "")));
            });
            rates.push(per_kb(time, text.len()));
        }
        let row: Vec<String> = rates.iter().map(|rate| format!("{rate:8.1}")).collect();
        eprintln!("guard: us per KB at {sizes:?} KB: {} of {part:?}", row.join(" "));
        for pair in rates.windows(2).filter(|_| strict) {
            assert!(pair[1] <= 2.0 * pair[0] + 5.0, "{part:?}: {rates:?}");
        }
    }
}
