//! What an answer that is known to have helped cost: the time persons spent, the share of what the assistant costs a month, over the
//! conversations that ended well for sure. In: the merchant's rates, cases, a period. Whole minor units; nothing where a rate is missing.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Period;
use crate::domain::handover::Case;
use crate::domain::{Currency, Money};

const MONTH_S: i128 = 30 * 24 * 3600;

/// `data/rules/kpi.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    currency: Currency,
    #[serde(default)]
    person_hour: Option<String>,
    #[serde(default)]
    month: Option<String>,
}

/// What was spent in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// ISO 4217.
    pub currency: &'static str,
    /// What the time of persons cost, from their first word to the end of a case.
    pub people: String,
    /// The period's share of what the assistant costs a month.
    pub running: String,
    /// Conversations that ended well for sure, with a person or without.
    pub resolutions: usize,
    /// Both together by the resolutions, rounded up to a minor unit; none without any.
    pub per_resolution: Option<String>,
}

impl Rates {
    /// Reads the rates below `data`.
    ///
    /// # Errors
    /// The file is missing, or cannot be read.
    pub fn load(data: &Path) -> anyhow::Result<Rates> {
        let path = data.join("rules/kpi.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let rates: Rates = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for amount in [&rates.person_hour, &rates.month].into_iter().flatten() {
            Money::parse(amount, rates.currency).with_context(|| format!("in {}", path.display()))?;
        }
        Ok(rates)
    }

    /// What a period cost; none where a rate is missing.
    pub(super) fn of(&self, period: Period, (cases, verified): (&[Case], usize)) -> Option<Costs> {
        let rate =
            |amount: &Option<String>| Some(i128::from(Money::parse(amount.as_deref()?, self.currency).ok()?.minor));
        let (hour, month) = (rate(&self.person_hour)?, rate(&self.month)?);
        let spent = |case: &Case| Some(case.ended?.duration_since(case.answered?).as_secs().max(0));
        let ended = cases.iter().filter_map(spent);
        let (seconds, closed) = ended.fold((0_i128, 0), |(sum, count), spent| (sum + i128::from(spent), count + 1));
        let people = seconds * hour / 3600;
        let running = month * i128::from(period.to.duration_since(period.from).as_secs()) / MONTH_S;
        let resolutions = verified + closed;
        let each = i128::try_from(resolutions).ok().filter(|count| *count > 0);
        let each = each.map(|count| (people + running + count - 1) / count);
        let told = |minor: i128| Some(Money::new(i64::try_from(minor).ok()?, self.currency).amount());
        Some(Costs {
            currency: self.currency.code(),
            people: told(people)?,
            running: told(running)?,
            resolutions,
            per_resolution: each.and_then(told),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::SessionId;

    fn case(answered: &str, ended: Option<&str>) -> Case {
        let mut case = serde_json::json!({
            "id": "c", "session": SessionId::fresh(), "reasons": ["asked"], "priority": "normal", "state": "closed",
            "language": "en", "opened": "2026-11-01T08:00:00Z", "answered": answered,
        });
        if let Some(ended) = ended {
            case["ended"] = ended.into();
        }
        serde_json::from_value(case).unwrap()
    }

    fn costs(rates: &str, verified: usize) -> Option<Costs> {
        let period = Period::between(Some("2026-11-01"), Some("2026-11-30"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let cases = [case("2026-11-01T08:00:00Z", Some("2026-11-01T08:30:00Z")), case("2026-11-02T08:00:00Z", None)];
        toml::from_str::<Rates>(rates).unwrap().of(period, (&cases, verified))
    }

    #[test]
    fn people_and_running_costs_are_shared_by_what_was_resolved() {
        let all = costs("currency = \"EUR\"\nperson_hour = \"18.00\"\nmonth = \"45.00\"", 5).unwrap();
        // Half an hour, thirty days, five conversations that ended well and one case that was closed.
        assert_eq!((all.people.as_str(), all.running.as_str(), all.resolutions), ("9.00", "45.00", 6));
        assert_eq!(all.per_resolution.as_deref(), Some("9.00"));
    }

    #[test]
    fn a_missing_rate_tells_nothing() {
        assert_eq!(costs("currency = \"EUR\"\nmonth = \"45.00\"", 5), None);
        assert!(Rates::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data")).is_ok());
    }
}
