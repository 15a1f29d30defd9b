//! Measures screening on public sets beside the checkout (`../shared/data`). Prints figures; skipped, visibly, where they are not.

use std::path::PathBuf;

use truetill::domain::Language;
use truetill::domain::message::PiiKind;
use truetill::screening::Screening;

fn set(name: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/data", "../../shared/data"]
        .iter()
        .find_map(|folder| std::fs::read_to_string(root.join(folder).join(name)).ok());
    if found.is_none() {
        eprintln!("skipped: ../shared/data/{name} is not there");
    }
    found
}

fn screening() -> Screening {
    Screening::new(include_str!("../../data/rules/screening.toml").parse().unwrap()).unwrap()
}

/// Prints recall and false positives of a score at several thresholds, for rows (is positive, text).
fn curve(name: &str, rows: &[(bool, String)], score: impl Fn(&str) -> f32) {
    let scored: Vec<(bool, f32)> = rows.iter().map(|(positive, text)| (*positive, score(text))).collect();
    for threshold in [0.3, 0.5, 0.7] {
        let share = |wanted: bool| {
            let of: Vec<_> = scored.iter().filter(|(positive, _)| *positive == wanted).collect();
            of.iter().filter(|(_, score)| *score >= threshold).count() as f64 / of.len().max(1) as f64
        };
        eprintln!(
            "{name} at {threshold}: recall {:.3}, false positives {:.4} ({} rows)",
            share(true),
            share(false),
            rows.len()
        );
    }
}

fn missed(rows: &[(bool, String)], score: impl Fn(&str) -> f32) {
    if std::env::var_os("SHOW").is_some() {
        for (positive, text) in rows.iter().filter(|(positive, text)| *positive != (score(text) >= 0.5)) {
            eprintln!("{} {text}", if *positive { "MISSED" } else { "FALSE" });
        }
    }
}

#[test]
fn injection_on_deepset() {
    let Some(table) = set("inj_deepset_prompt_injections.tsv") else { return };
    let screening = screening();
    let rows: Vec<(bool, String)> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            Some((*columns.get(1)? == "1", columns.get(2)?.to_string()))
        })
        .collect();
    let score = |text: &str| screening.screen(text, Language::En, None).injection;
    curve("injection, deepset", &rows, score);
    missed(&rows, score);
}

#[test]
fn spam_on_sms() {
    let Some(table) = set("spam_sms_uci.tsv") else { return };
    let screening = screening();
    let rows: Vec<(bool, String)> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once('\t'))
        .map(|(label, text)| (label == "spam", text.to_string()))
        .collect();
    let score = |text: &str| screening.screen(text, Language::En, None).spam;
    curve("spam, UCI SMS", &rows, score);
    missed(&rows, score);
}

#[test]
fn shoppers_pass() {
    let screening = screening();
    let cases = include_str!("../../data/eval/embedding_sentences.txt");
    let (mut injection, mut spam, mut pii, mut rows) = (0, 0, 0, 0);
    for text in cases.lines().filter(|line| !line.is_empty()) {
        let screened = screening.screen(text, Language::En, None);
        rows += 1;
        injection += usize::from(screened.injection >= 0.5);
        spam += usize::from(screened.spam >= 0.5);
        pii += usize::from(!screened.pii.is_empty());
    }
    eprintln!("shop sentences: injection {injection}, spam {spam}, personal data {pii} of {rows}");
}

#[test]
fn phones_on_libphonenumber() {
    let Some(table) = set("pii_phone_matcher.tsv") else { return };
    let screening = screening();
    let mut by_class: std::collections::BTreeMap<String, (usize, usize)> = Default::default();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let found = !screening.screen(columns[2], Language::En, None).pii.is_empty();
        let entry = by_class.entry(columns[0].to_string()).or_default();
        *entry = (entry.0 + usize::from(found), entry.1 + 1);
    }
    eprintln!("phone matcher, masked of all: {by_class:?}");
    assert_eq!(by_class["IMPOSSIBLE"].0, 0);
}

#[test]
fn recognizers_on_presidio() {
    let Some(table) = set("pii_presidio_recognizers.jsonl") else { return };
    let screening = screening();
    let kinds =
        [("credit_card", PiiKind::Card), ("email", PiiKind::Email), ("iban", PiiKind::Iban), ("phone", PiiKind::Phone)];
    for (recognizer, kind) in kinds {
        let (mut expected, mut found, mut extra, mut rows) = (0, 0, 0, 0);
        for line in table.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(wanted) = case["expected_len"].as_u64().filter(|_| case["recognizer"] == recognizer) else {
                continue;
            };
            let got = screening
                .screen(case["text"].as_str().unwrap(), Language::En, None)
                .pii
                .iter()
                .filter(|pii| pii.kind == kind)
                .count() as u64;
            rows += 1;
            expected += wanted;
            found += got.min(wanted);
            extra += got.saturating_sub(wanted);
            if got != wanted {
                eprintln!("  {recognizer}: {got} of {wanted} in {}", case["text"]);
            }
        }
        eprintln!("presidio {recognizer}: {found} of {expected} found, {extra} extra, {rows} rows");
    }
}

#[test]
fn spans_in_sentences() {
    let Some(table) = set("pii_presidio_synth.jsonl") else { return };
    let screening = screening();
    let mut by_type: std::collections::BTreeMap<String, (usize, usize)> = Default::default();
    for line in table.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let masked = screening.screen(case["text"].as_str().unwrap(), Language::En, None).text;
        for span in case["spans"].as_array().unwrap() {
            let (kind, value) = (span[0].as_str().unwrap(), span[3].as_str().unwrap());
            if matches!(kind, "CREDIT_CARD" | "EMAIL_ADDRESS" | "IBAN_CODE" | "PHONE_NUMBER") {
                let gone = !masked.contains(value);
                let entry = by_type.entry(kind.to_string()).or_default();
                *entry = (entry.0 + usize::from(gone), entry.1 + 1);
                if !gone && std::env::var_os("SHOW").is_some() {
                    eprintln!("LEFT {kind} {value}");
                }
            }
        }
    }
    eprintln!("presidio sentences, masked of all: {by_type:?}");
}

#[test]
fn whoever_leaves_a_contact_is_taken_for_no_advertiser() {
    let screening = screening();
    let mut wrong = Vec::new();
    for language in [Language::En, Language::Ru, Language::Sk, Language::Zh] {
        let path = format!("{}/data/rules/examples/{}.toml", env!("CARGO_MANIFEST_DIR"), language.code());
        let all: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for command in ["leave_contact", "restock_notice"] {
            let messages = all[command].as_array().unwrap().iter().filter_map(|message| message.as_str());
            wrong.extend(
                messages.filter(|text| screening.screen(text, language, None).advertises()).map(str::to_string),
            );
        }
    }
    for honest in ["call me on 0903123456", "my phone 0903555210, ring me", "加我微信吧，手机号13911112222"] {
        wrong.extend(screening.screen(honest, Language::En, None).advertises().then(|| honest.to_string()));
    }
    assert_eq!(wrong, [""; 0]);
}
