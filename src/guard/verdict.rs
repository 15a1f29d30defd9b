//! What the guard says: a [`CheckedReply`], or a [`Rejection`] that names each fault and where it stands.
//! A `CheckedReply` has no public constructor and cannot be read from JSON: only this module's parent makes one.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::domain::reply::Citation;
use crate::domain::{Draft, FactId, Language, SegmentKind};

macro_rules! codes {
    ($($variant:ident = $name:literal: $doc:literal,)*) => {
        /// Why a text was refused. The names are a contract: they stand in metrics, the audit and `check --cases`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    BadSpan = "bad_span": "A span lies outside its text, overlaps another or names an unknown fact.",
    SpanMismatch = "span_mismatch": "A span's text is not the value of its fact.",
    SpanUnbound = "span_unbound": "A price stands without its own product's name, or after another's.",
    BidiControl = "bidi_control": "A direction control could show other digits than are written.",
    MalformedNumber = "malformed_number": "A number no locale writes so, or two locales read differently.",
    UnlicensedNumber = "unlicensed_number": "A numeral no fact allows.",
    NumberWord = "number_word": "A spelled-out number no fact allows.",
    MixedToken = "mixed_token": "Letters and digits in one word that is no known name or code.",
    PriceMismatch = "price_mismatch": "An amount that is not this product's price.",
    CurrencyMismatch = "currency_mismatch": "The amount in another currency than the fact's.",
    RoleMismatch = "role_mismatch": "An old price, a delivery cost or an instalment told as something else.",
    UnitMismatch = "unit_mismatch": "A price for another quantity or unit than the fact's.",
    UnboundPrice = "unbound_price": "An amount of money with no product to belong to.",
    PriceTalk = "price_talk": "A statement about price that no fact carries.",
    ZeroPrice = "zero_price": "Free, a gift or half price without a fact.",
    Discount = "discount": "A reduction or percentage without a fact.",
    Commitment = "commitment": "A promise that binds the shop.",
    Comparison = "comparison": "A comparison of prices that is not true of the facts.",
    Slang = "slang": "A slang word for an amount.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which rule.
    pub code: Code,
    /// In which segment; 0 for plain text.
    pub segment: usize,
    /// Byte range in that segment's text.
    pub at: Range<usize>,
    /// What stands there and what would be right, for the audit; never shown to a customer.
    pub detail: String,
}

/// A draft with its faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The draft as it was.
    pub draft: Draft,
    /// At least one.
    pub violations: Vec<Violation>,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Verdict {
    /// May be sent.
    Accepted(CheckedReply),
    /// May not.
    Rejected(Rejection),
}

/// A reply in which every numeral, price and claim is a fact's: the only thing a channel can send.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedReply {
    language: Language,
    segments: Vec<CheckedSegment>,
}

/// One part of a checked reply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedSegment {
    kind: SegmentKind,
    text: String,
    facts: Vec<FactId>,
    citations: Vec<Citation>,
}

impl CheckedReply {
    /// Seals a checked draft; the guard alone can call it.
    pub(super) fn seal(language: Language, segments: Vec<CheckedSegment>) -> Self {
        CheckedReply { language, segments }
    }

    /// The language it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Its parts, in order.
    pub fn segments(&self) -> &[CheckedSegment] {
        &self.segments
    }

    /// All of it, one segment a line.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self.segments.iter().map(|segment| segment.text.as_str()).collect();
        parts.join("\n")
    }
}

impl CheckedSegment {
    /// Seals one part; the guard alone can call it.
    pub(super) fn seal(kind: SegmentKind, text: String, facts: Vec<FactId>, citations: Vec<Citation>) -> Self {
        CheckedSegment { kind, text, facts, citations }
    }

    /// What it does.
    pub fn kind(&self) -> SegmentKind {
        self.kind
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The facts it states, each once, in order of appearance.
    pub fn facts(&self) -> &[FactId] {
        &self.facts
    }

    /// Where its quotations come from.
    pub fn citations(&self) -> &[Citation] {
        &self.citations
    }
}
