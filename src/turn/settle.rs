//! The way past the guard: the draft; else a plain template over the same facts; else a person.
//! The true price is never withheld because a sentence around it failed.

use crate::app::App;
use crate::domain::plan::HandoverReason;
use crate::domain::session::Session;
use crate::domain::{Draft, FactBody, FactId, Move, Screened};
use crate::guard::{CheckedReply, Rejection, Verdict};
use crate::render::Scene;

use super::answer::{CheckStatus, CheckSummary, TurnError};
use super::respond::Outcome;

/// A reply that passed, and how.
pub(super) struct Settled {
    pub reply: CheckedReply,
    pub summary: CheckSummary,
    pub handover: Option<HandoverReason>,
    /// The first draft, for the audit.
    pub draft: Draft,
}

/// Renders and checks until something passes.
///
/// # Errors
/// Not even the handover sentence passes: the reply files and the guard disagree, which start-up checks rule out.
pub(super) fn settle(app: &App, screened: &Screened, session: &Session, outcome: &Outcome) -> Result<Settled, TurnError> {
    let person = [Move::Human { reason: HandoverReason::GuardRejected }];
    let plain = plain_offers(outcome);
    let attempts: [(&[Move], CheckStatus); 4] = [
        (&outcome.moves, CheckStatus::Accepted),
        (&plain, CheckStatus::Repaired),
        (&outcome.second_plan, CheckStatus::Regenerated),
        (&person, CheckStatus::HandedOver),
    ];
    let scene = Scene { language: screened.language, facts: &outcome.facts, today: app.shop.today(outcome.now) };
    let mut summary = CheckSummary::default();
    let mut first: Option<Draft> = None;
    for (moves, status) in attempts.into_iter().filter(|(moves, _)| !moves.is_empty()) {
        let mut draft = app.renderer.render(moves, &scene);
        if draft.segments.is_empty() {
            continue;
        }
        if session.turns == 0 {
            draft.segments.push(app.renderer.disclosure(screened.language));
        }
        first.get_or_insert_with(|| draft.clone());
        match app.guard.check(draft, &outcome.facts, &screened.private) {
            Verdict::Accepted(reply) => {
                summary.status = status;
                let handover = super::handover(moves);
                let draft = first.unwrap_or(Draft { language: screened.language, segments: Vec::new() });
                return Ok(Settled { reply, summary, handover, draft });
            }
            Verdict::Rejected(rejection) => note(&mut summary, &rejection),
        }
    }
    Err(TurnError::Failed(anyhow::anyhow!("the guard rejected every reply: {:?}", summary.rejected)))
}

fn note(summary: &mut CheckSummary, rejection: &Rejection) {
    for violation in &rejection.violations {
        tracing::warn!(code = %violation.code, detail = violation.detail, "the guard rejected a draft");
        metrics::counter!("truetill_guard_rejects_total", "code" => violation.code.as_str()).increment(1);
        summary.rejected.push(violation.code.as_str().to_string());
    }
}

/// The same offers, one plain line each, nothing around them.
fn plain_offers(outcome: &Outcome) -> Vec<Move> {
    let mentioned = |id: &FactId| {
        outcome.moves.iter().any(|step| match step {
            Move::Offer { facts } | Move::Stock { facts } | Move::Compare { facts } | Move::Alternatives { facts } => {
                facts.contains(id)
            }
            _ => false,
        })
    };
    let offers = outcome.facts.iter().filter(|fact| matches!(fact.body, FactBody::Offer(_)));
    let facts: Vec<FactId> = offers.map(|fact| fact.id.clone()).filter(mentioned).collect();
    if facts.is_empty() { Vec::new() } else { vec![Move::Offer { facts }] }
}
