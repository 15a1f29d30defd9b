//! `bench guard`: escapes and false rejects of the guard and of its peers on the same rows, and microseconds per
//! KB of each reply beside two passes every guard needs at least: is it UTF-8, and its compatibility form.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::domain::{Draft, Fact, FactBody, Language};
use crate::guard::{Guard, Ledger, Verdict};

use super::peers::{self, Patterns, Peer};
use super::replies::Reply;
use super::rows::{self, Case, Truth};

/// Runs per reply; the best is taken: what the code costs, not what else the machine does.
const RUNS: usize = 7;

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Per set: what each filter let through and refused.
    pub sets: BTreeMap<String, Vec<Filtered>>,
    /// Per kind of text: what each pass costs.
    pub cost: BTreeMap<String, Vec<Cost>>,
    /// The first honest texts the guard refused, with the reason.
    pub refused: Vec<String>,
    /// The first attacks it let through.
    pub escaped: Vec<String>,
}

/// One filter on one set.
#[derive(Debug, Serialize)]
pub struct Filtered {
    /// Which filter.
    pub filter: &'static str,
    /// Attacks tried.
    pub attacks: usize,
    /// Attacks let through.
    pub escapes: usize,
    /// Honest texts tried.
    pub honest: usize,
    /// Honest texts refused.
    pub refusals: usize,
    /// Attacks refused whose right reasons the file names.
    pub reasons: usize,
    /// Those refused for one of them.
    pub right_reasons: usize,
}

/// One pass over many texts.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Which pass.
    pub pass: &'static str,
    /// Texts.
    pub texts: usize,
    /// Their size in all.
    pub kilobytes: f64,
    /// Microseconds per KB over all.
    pub per_kb: f64,
    /// The same of the median text.
    pub median: f64,
    /// The same of the text at the 99th percentile: short ones cost most per KB.
    pub p99: f64,
}

impl Filtered {
    fn new(filter: &'static str) -> Filtered {
        Filtered { filter, attacks: 0, escapes: 0, honest: 0, refusals: 0, reasons: 0, right_reasons: 0 }
    }

    fn reason(&mut self, right: &[String], said: Option<&str>) {
        if let Some(said) = said.filter(|_| !right.is_empty()) {
            self.reasons += 1;
            self.right_reasons += usize::from(right.iter().any(|code| code == said));
        }
    }

    fn note(&mut self, honest: bool, passed: bool) {
        if honest {
            self.honest += 1;
            self.refusals += usize::from(!passed);
        } else {
            self.attacks += 1;
            self.escapes += usize::from(passed);
        }
    }
}

const PEERS: [(&str, Peer); 3] =
    [("unguarded", Peer::Unguarded), ("price pattern", Peer::PricePattern), ("every number", Peer::EveryNumber)];

/// Judges a case file, or saved answers of a model, with every filter and measures each pass over its texts.
/// Right sums that no fact holds, and promises without any number, stand in sets of their own.
///
/// # Errors
/// A row that cannot be read, by line.
pub fn cases(report: &mut Report, guard: &Guard, (name, file): (&str, &str)) -> anyhow::Result<()> {
    let patterns = Patterns::new();
    let (mut filters, mut sums, mut words) = (columns(), columns(), columns());
    let mut texts = Vec::new();
    for case in rows::read(name, file)? {
        let Case { language, ledger, prices, text, truth, codes } = case;
        let honest = truth == Truth::Ok;
        let columns = match truth {
            Truth::Derived => &mut sums,
            Truth::Words => &mut words,
            Truth::Ok | Truth::Bad => &mut filters,
        };
        for (column, (_, peer)) in columns.iter_mut().zip(PEERS) {
            column.note(honest, patterns.passes(peer, &prices, &text));
        }
        let verdict = guard.check_text(language, &ledger, &text);
        if let Some(ours) = columns.last_mut() {
            ours.note(honest, verdict.is_ok());
            ours.reason(&codes, verdict.as_ref().err().map(|fault| fault.code.as_str()));
        }
        match verdict {
            Err(fault) if honest => sample(&mut report.refused, format!("{text}: {}: {}", fault.code, fault.detail)),
            Ok(()) if !honest => sample(&mut report.escaped, text.clone()),
            _ => {}
        }
        texts.push(Text { language, ledger, prices, text, facts: &[], drafts: RefCell::default() });
    }
    report.sets.insert(name.to_string(), filters);
    for (kind, filters) in [("sums", sums), ("words", words)] {
        if filters[0].attacks > 0 {
            report.sets.insert(format!("{name}, {kind}"), filters);
        }
    }
    let check = |text: &Text<'_>| guard.check_text(text.language, &text.ledger, &text.text).is_ok();
    report.cost.insert(name.to_string(), passes(&texts, &patterns, ("guard, free text", check)));
    Ok(())
}

/// Judges honest replies of the assistant itself, as drafts with spans, and measures each pass over them.
pub fn replies(report: &mut Report, guard: &Guard, (name, replies): (&str, Vec<Reply>)) {
    let patterns = Patterns::new();
    let mut filters = columns();
    let mut texts = Vec::with_capacity(replies.len());
    for reply in &replies {
        let prices = told(reply);
        let parts: Vec<&str> = reply.draft.segments.iter().map(|segment| segment.text.as_str()).collect();
        let text = parts.join("\n");
        for (column, (_, peer)) in filters.iter_mut().zip(PEERS) {
            column.note(true, patterns.passes(peer, &prices, &text));
        }
        let verdict = guard.check(reply.draft.clone(), &reply.facts, "");
        if let Some(ours) = filters.last_mut() {
            ours.note(true, matches!(verdict, Verdict::Accepted(_)));
        }
        if let Verdict::Rejected(rejection) = verdict {
            let why: Vec<String> = rejection.violations.iter().map(|fault| fault.detail.clone()).collect();
            sample(&mut report.refused, format!("{text}: {}", why.join("; ")));
        }
        let drafts = RefCell::new(vec![reply.draft.clone(); RUNS + 1]);
        let (language, ledger) = (reply.draft.language, Ledger::default());
        texts.push(Text { language, ledger, prices, text, facts: &reply.facts, drafts });
    }
    report.sets.insert(name.to_string(), filters);
    let check = |text: &Text<'_>| match text.drafts.borrow_mut().pop() {
        Some(draft) => matches!(guard.check(draft, text.facts, ""), Verdict::Accepted(_)),
        None => false,
    };
    report.cost.insert(name.to_string(), passes(&texts, &patterns, ("guard, drafts", check)));
}

/// One text with what each pass needs of it.
struct Text<'a> {
    language: Language,
    ledger: Ledger,
    prices: HashSet<String>,
    text: String,
    facts: &'a [Fact],
    /// One for each run: the guard takes its draft, and copying it is not its cost.
    drafts: RefCell<Vec<Draft>>,
}

fn columns() -> Vec<Filtered> {
    PEERS.iter().map(|(name, _)| *name).chain(["truetill"]).map(Filtered::new).collect()
}

fn sample(into: &mut Vec<String>, text: String) {
    if into.len() < 20 {
        into.push(text);
    }
}

/// The amounts a reply's facts hold.
fn told(reply: &Reply) -> HashSet<String> {
    let mut found = HashSet::new();
    for fact in &reply.facts {
        match &fact.body {
            FactBody::Offer(offer) => found.extend(offer.offer.price.now().map(|money| peers::plain(&money.amount()))),
            FactBody::Total(total) => {
                found.insert(peers::plain(&total.total.amount()));
            }
            FactBody::Delivery(delivery) => {
                found.extend(
                    [Some(delivery.cost), delivery.free_from]
                        .into_iter()
                        .flatten()
                        .map(|money| peers::plain(&money.amount())),
                );
            }
            FactBody::Order(order) => found.extend([peers::plain(&order.total), peers::plain(&order.shipping)]),
            FactBody::Task(_)
            | FactBody::Cart(_)
            | FactBody::Menu(_)
            | FactBody::Range(_)
            | FactBody::Passage(_)
            | FactBody::Contact(_) => {}
        }
    }
    found
}

/// The machine's own bounds, the pattern, and the guard.
fn passes(
    texts: &[Text<'_>],
    patterns: &Patterns,
    (name, guard): (&'static str, impl FnMut(&Text<'_>) -> bool),
) -> Vec<Cost> {
    vec![
        measure("utf-8", texts, RUNS, |text| std::str::from_utf8(text.text.as_bytes()).is_ok()),
        measure("nfkc", texts, RUNS, |text| text.text.nfkc().map(char::len_utf8).sum::<usize>() > 0),
        measure("price pattern", texts, RUNS, |text| patterns.passes(Peer::PricePattern, &text.prices, &text.text)),
        measure(name, texts, RUNS, guard),
    ]
}

fn measure(pass: &'static str, texts: &[Text<'_>], runs: usize, mut run: impl FnMut(&Text<'_>) -> bool) -> Cost {
    let mut rates: Vec<f64> = Vec::with_capacity(texts.len());
    let (mut seconds, mut bytes) = (0.0, 0);
    // A whole round first: tables built at the first use are not the text's cost.
    texts.iter().for_each(|text| {
        black_box(run(text));
    });
    for text in texts {
        let mut best = f64::MAX;
        for _ in 0..runs {
            let start = Instant::now();
            black_box(run(black_box(text)));
            best = best.min(start.elapsed().as_secs_f64());
        }
        seconds += best;
        bytes += text.text.len();
        rates.push(best * 1e6 * 1024.0 / text.text.len().max(1) as f64);
    }
    rates.sort_by(f64::total_cmp);
    let at = |share: f64| rates.get(((rates.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(0.0);
    let per_kb = seconds * 1e6 * 1024.0 / bytes.max(1) as f64;
    Cost { pass, texts: texts.len(), kilobytes: bytes as f64 / 1024.0, per_kb, median: at(0.5), p99: at(0.99) }
}
