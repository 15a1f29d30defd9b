//! The way past the guard: the draft; else a plain template over the same facts; else another plan; else a person.
//! The true price is never withheld because a sentence around it failed.

use crate::domain::plan::HandoverReason;
use crate::domain::{Draft, FactBody, FactId, Move};
use crate::guard::{CheckedReply, Rejection, Verdict};
use crate::render::Scene;

use super::answer::{CheckStatus, CheckSummary, TurnError};
use super::respond::{Outcome, Turn, second_plan};

/// A reply that passed, and how.
pub(super) struct Settled {
    pub reply: CheckedReply,
    pub summary: CheckSummary,
    pub handover: Option<HandoverReason>,
    /// The first draft, for the audit.
    pub draft: Draft,
}

/// Renders and checks until something passes: the draft; a plain template over the same facts; one more plan of the
/// model, which is asked only then; a person.
///
/// # Errors
/// Not even the handover sentence passes: the reply files and the guard disagree, which start-up checks rule out.
pub(super) async fn settle(turn: &Turn<'_>, outcome: &mut Outcome) -> Result<Settled, TurnError> {
    let mut attempts = Attempts { turn, summary: CheckSummary::default(), first: None };
    let draft = outcome.moves.clone();
    if let Some(settled) = attempts.take(&draft, outcome, CheckStatus::Accepted) {
        return Ok(settled);
    }
    let templates = templates(outcome);
    if let Some(settled) = attempts.take(&templates, outcome, CheckStatus::Repaired) {
        return Ok(settled);
    }
    let plain = plain_offers(outcome);
    if let Some(settled) = attempts.take(&plain, outcome, CheckStatus::Repaired) {
        return Ok(settled);
    }
    let second = second_plan(turn, outcome).await;
    if let Some(settled) = attempts.take(&second, outcome, CheckStatus::Regenerated) {
        return Ok(settled);
    }
    let person = [Move::Human { reason: HandoverReason::GuardRejected }];
    if let Some(settled) = attempts.take(&person, outcome, CheckStatus::HandedOver) {
        return Ok(settled);
    }
    let rejected = attempts.summary.rejected;
    Err(TurnError::Failed(anyhow::anyhow!("the guard rejected every reply: {rejected:?}")))
}

/// What was tried so far.
struct Attempts<'a> {
    turn: &'a Turn<'a>,
    summary: CheckSummary,
    first: Option<Draft>,
}

impl Attempts<'_> {
    /// Renders the moves and asks the guard; nothing when it refuses or when there is nothing to say.
    fn take(&mut self, moves: &[Move], outcome: &Outcome, status: CheckStatus) -> Option<Settled> {
        let Turn { app, screened, session, .. } = *self.turn;
        let today = app.shop.today(outcome.now);
        let tone = app.handover_rules.tone(session.customer.as_deref());
        let scene = Scene { language: screened.language, facts: &outcome.facts, today, tone };
        let mut draft = app.renderer.render(moves, &scene);
        if moves.is_empty() || draft.segments.is_empty() {
            return None;
        }
        if session.turns == 0 {
            draft.segments.push(app.renderer.disclosure(screened.language));
        }
        self.first.get_or_insert_with(|| draft.clone());
        match app.guard.check(draft, &outcome.facts, &screened.private) {
            Verdict::Accepted(reply) => {
                let mut summary = std::mem::take(&mut self.summary);
                summary.status = status;
                let draft = self.first.take().unwrap_or(Draft { language: screened.language, segments: Vec::new() });
                Some(Settled { reply, summary, handover: super::handover(moves), draft })
            }
            Verdict::Rejected(rejection) => {
                note(&mut self.summary, &rejection);
                None
            }
        }
    }
}

fn note(summary: &mut CheckSummary, rejection: &Rejection) {
    for violation in &rejection.violations {
        tracing::warn!(code = %violation.code, detail = violation.detail, "the guard rejected a draft");
        metrics::counter!("truetill_guard_rejects_total", "code" => violation.code.as_str()).increment(1);
        summary.rejected.push(violation.code.as_str().to_string());
    }
}

/// The same reply with templates in place of the model's words; empty when there are no such words.
fn templates(outcome: &Outcome) -> Vec<Move> {
    let worded = |step: &Move| matches!(step, Move::Prose { .. });
    let plain = |step: &Move| match step {
        Move::Prose { instead, .. } => Move::clone(instead),
        step => step.clone(),
    };
    if outcome.moves.iter().any(worded) { outcome.moves.iter().map(plain).collect() } else { Vec::new() }
}

/// The same offers, one plain line each, nothing around them.
fn plain_offers(outcome: &Outcome) -> Vec<Move> {
    let mentioned = |id: &FactId| {
        outcome.moves.iter().any(|step| match step {
            Move::Offer { facts }
            | Move::Stock { facts }
            | Move::Detail { facts }
            | Move::Compare { facts }
            | Move::Alternatives { facts }
            | Move::Suggest { facts, .. } => facts.contains(id),
            Move::Prose { facts, .. } => facts.iter().flatten().any(|known| known == id),
            _ => false,
        })
    };
    let offers = outcome.facts.iter().filter(|fact| matches!(fact.body, FactBody::Offer(_)));
    let facts: Vec<FactId> = offers.map(|fact| fact.id.clone()).filter(mentioned).collect();
    if facts.is_empty() { Vec::new() } else { vec![Move::Offer { facts }] }
}
