//! What the assistant achieved, counted from what was recorded: turns, cases that persons had, scores that shoppers gave. In:
//! records. Out: a report with the definition of every figure. What cannot be known is left out, never estimated.

mod costs;
mod recovery;
mod report;
mod sales;
mod tally;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::domain::handover::Case;
use crate::domain::outreach::Kind;
use crate::store::StateStore;

pub use costs::{Costs, Rates};
pub use recovery::Recovery;
pub use report::{Containment, Measure, Report, Takings, Unanswered};
pub use sales::{Others, Sales};
pub use tally::Tally;

/// Turns read at once.
const PAGE: u32 = 500;
/// Days looked back when nothing is said.
const DAYS: i64 = 30;

/// From a moment to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl Period {
    /// Between two days (`2026-11-01`) or moments, the last day included; the last thirty days when nothing is said.
    ///
    /// # Errors
    /// Which of the two is neither a day nor a moment, or that they are the wrong way round.
    pub fn between(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Period, (&'static str, String)> {
        let to = to.map(|text| moment(text, true).ok_or(("to", wrong(text)))).transpose()?.unwrap_or(now);
        let start = || to.to_zoned(TimeZone::UTC).checked_sub(DAYS.days()).map_or(to, |zoned| zoned.timestamp());
        let from = from.map(|text| moment(text, false).ok_or(("from", wrong(text)))).transpose()?;
        let from = from.unwrap_or_else(start);
        if from >= to {
            return Err(("from", "It lies after `to`.".to_string()));
        }
        Ok(Period { from, to })
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

fn wrong(text: &str) -> String {
    format!("`{text}` is neither a day (2026-11-01) nor a moment (2026-11-01T08:00:00Z).")
}

/// A day begins at midnight UTC; as the last day it counts whole.
fn moment(text: &str, last: bool) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    let day = if last { day.tomorrow().ok()? } else { day };
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Orders read at once.
const ORDERS: i64 = 500;

/// Counts a period.
///
/// # Errors
/// The store cannot be read.
pub async fn report(state: &StateStore, period: Period, rates: &Rates) -> anyhow::Result<Report> {
    let mut tally = Tally::default();
    let mut after = String::new();
    loop {
        let page = state.turns_between((period.from, period.to), &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.0);
        page.iter().for_each(|(_, session, record)| tally.add(session, record));
    }
    for (session, score) in state.scores_between(period.from, period.to).await? {
        tally.score(&session, score);
    }
    // An order may follow a message of the period's last day.
    let until = period.to.checked_add(recovery::PATIENCE).unwrap_or(period.to);
    let events = state.events_between(period.from, until).await?;
    for (_, document) in events.iter().filter(|(at, _)| period.holds(*at)) {
        tally.sales.add(document);
    }
    let reminders = state.sent_between(Kind::AbandonedCart, (period.from, period.to)).await?;
    tally.recovery = Recovery::of(&reminders, &events);
    let cases = state.all_cases().await?;
    let cases: Vec<Case> = cases.into_iter().filter(|case| period.holds(case.opened)).collect();
    let elsewhere = elsewhere(state, period).await?;
    let mut report = tally.report(period, &cases);
    let verified = report.containment.iter().find(|row| row.command == "all").map_or(0, |row| row.verified);
    report.costs = rates.of(period, (&cases, verified));
    report.elsewhere = elsewhere;
    Ok(report)
}

/// The shop's other orders of a period: neither placed here, nor called off, nor waiting for their money.
async fn elsewhere(state: &StateStore, period: Period) -> anyhow::Result<Vec<Takings>> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (first, last) = (day(period.from), day(period.to.checked_sub(1.nanoseconds()).unwrap_or(period.to)));
    let (mut others, mut after) = (Others::default(), String::new());
    loop {
        let page = state.orders_after(&after, ORDERS).await?;
        let Some((number, _)) = page.last() else { break };
        after.clone_from(number);
        for (_, order) in page.iter().filter(|(_, order)| (first..=last).contains(&order.placed)) {
            if !state.placed_here(&order.number).await? {
                others.add(order);
            }
        }
    }
    Ok(others.takings())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: Option<&str>, to: Option<&str>, expected: Result<(&str, &str), &str>) {
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let found = Period::between(from, to, now).map(|period| (period.from.to_string(), period.to.to_string()));
        let expected = expected.map(|(from, to)| (from.to_string(), to.to_string()));
        assert_eq!(found.map_err(|(field, _)| field), expected);
    }

    #[test]
    fn a_period_is_days_or_moments() {
        check(Some("2026-11-01"), Some("2026-11-02"), Ok(("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z")));
        check(None, None, Ok(("2026-10-24T09:00:00Z", "2026-11-23T09:00:00Z")));
        check(Some("2026-11-01T08:00:00Z"), None, Ok(("2026-11-01T08:00:00Z", "2026-11-23T09:00:00Z")));
        check(Some("yesterday"), None, Err("from"));
        check(None, Some("x"), Err("to"));
        check(Some("2026-12-01"), Some("2026-11-01"), Err("from"));
    }
}
