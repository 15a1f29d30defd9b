//! Any bytes, as free text in every language and as a draft: the guard never panics, always ends in a verdict, and
//! the fault it names lies in the text. A draft without a fact holds no currency sign.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use truetill::domain::{Draft, DraftSegment, Language, SegmentKind};
use truetill::guard::{Guard, Ledger, Verdict};

static GUARD: LazyLock<Guard> = LazyLock::new(Guard::new);
static LEDGER: LazyLock<Ledger> = LazyLock::new(|| {
    let facts = r#"[{"sku":"VLT","name":"Volt","price":"24.90","old_price":"31","currency":"EUR"},
        {"sku":"@ship","price":"3.90","currency":"EUR"},{"sku":"@user","text":"45 litres"}]"#;
    Ledger::from_case(facts).expect("a ledger of valid facts")
});

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(65_536)]);
    for language in Language::ALL {
        if let Err(fault) = GUARD.check_text(language, &LEDGER, &text) {
            assert!(text.get(fault.at.clone()).is_some(), "{:?} does not lie in the text", fault.at);
        }
    }
    let segment = DraftSegment { kind: SegmentKind::Offer, text: text.to_string(), spans: Vec::new() };
    let draft = Draft { language: Language::Ru, segments: vec![segment] };
    if let Verdict::Accepted(reply) = GUARD.check(draft, &[], "") {
        assert_eq!(reply.text(), text);
        let currency = |sign: char| matches!(sign, '$' | '€' | '£' | '¥' | '₽' | '₸');
        assert!(!text.contains(currency), "a currency sign without a fact: {text:?}");
    }
});
