//! The report as a table for people, as CSV and as JSON; each figure says what it means.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::costs::Costs;

/// A period's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// From this moment.
    pub from: Timestamp,
    /// To before this one.
    pub to: Timestamp,
    /// Single figures.
    pub measures: Vec<Measure>,
    /// What orders that began here brought, currency by currency.
    pub takings: Vec<Takings>,
    /// The same of the shop's other orders of these days, to set beside them.
    pub elsewhere: Vec<Takings>,
    /// What it cost; none where the merchant's rates are not known.
    pub costs: Option<Costs>,
    /// How conversations ended, for each command that occurred in them, and for all.
    pub containment: Vec<Containment>,
    /// What was asked and not answered, the most frequent first; masked.
    pub unanswered: Vec<Unanswered>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// Its stable name.
    pub name: &'static str,
    /// Its value; none when nothing was seen that could be counted.
    pub value: Option<f64>,
    /// What it is counted in.
    pub unit: &'static str,
    /// What it means.
    pub definition: &'static str,
}

/// How the conversations ended in which a command occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Containment {
    /// The command, or `all`.
    pub command: String,
    /// Conversations.
    pub conversations: usize,
    /// Ended without a person, and it is known to be well: a task was done and read back, thanks, or a score of 4 or 5.
    pub verified: usize,
    /// Ended without a person after an answer; nothing says whether it helped.
    pub assumed: usize,
    /// The shopper left an open question, a proposal or a "not found" behind, or gave a score of 1 or 2.
    pub abandoned: usize,
    /// A person was called.
    pub handed_over: usize,
}

/// What paid orders brought in a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Takings {
    /// ISO 4217.
    pub currency: &'static str,
    /// Orders placed in a conversation or over the cart's API whose payment came in within the period.
    pub orders: usize,
    /// The sum of their totals, delivery and tax included, as digits with a point. Refunds are not taken off.
    pub revenue: String,
    /// The revenue by the orders, rounded down to a minor unit.
    pub order_value: Option<String>,
}

/// A question that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// The message, masked, in lower case.
    pub text: String,
    /// How often.
    pub times: usize,
}

/// Name, unit, definition.
const DEFINITIONS: [(&str, &str, &str); 21] = [
    ("conversations", "count", "conversations with at least one message in the period"),
    ("turns", "count", "messages of shoppers"),
    ("answer_p50", "ms", "time from a message to its checked reply, half are faster"),
    ("answer_p95", "ms", "the same, 95 of 100 are faster"),
    ("generated_share", "share", "answered messages for which the language model was asked"),
    ("repaired_share", "share", "answered messages whose first draft the guard refused"),
    ("tasks_done", "count", "operations on orders that were confirmed, written and read back"),
    ("orders_placed", "count", "orders that were confirmed out of a cart, written and read back"),
    ("orders_paid", "count", "such orders whose payment came in within the period, as the provider said"),
    ("conversion", "share", "conversations of the period in which an order was placed, of all conversations"),
    ("carts_reminded", "count", "messages about an abandoned cart that were decided in the period and sent"),
    (
        "carts_recovered",
        "count",
        "of these, the ones after which the same customer or conversation placed an order within 7 days that was paid",
    ),
    (
        "carts_recovered_assumed",
        "count",
        "the same without a payment that was seen: paid in cash, or not at all; not part of carts_recovered",
    ),
    (
        "cart_recovery",
        "share",
        "carts_recovered of carts_reminded; whether the order would have come anyway is not known",
    ),
    ("cases", "count", "conversations for which a person was called"),
    ("escalated_share", "share", "of these, the ones that waited longer than data/rules/handover.toml allows"),
    ("person_answer_p50", "s", "from calling a person to that person's first words, half are faster"),
    ("person_answer_p95", "s", "the same, 95 of 100 are faster"),
    ("person_resolve_p50", "s", "from calling a person to giving back or closing, half are faster"),
    ("scores", "count", "conversations that a shopper scored"),
    ("csat", "share", "of these, scores of 4 or 5"),
];

impl Measure {
    /// A figure by its name.
    pub(super) fn new(name: &'static str, value: Option<f64>) -> Measure {
        let known = DEFINITIONS.iter().find(|(known, ..)| *known == name);
        let (_, unit, definition) = known.copied().unwrap_or((name, "", ""));
        Measure { name, value, unit, definition }
    }

    pub(super) fn count(name: &'static str, count: usize) -> Measure {
        Measure::new(name, Some(count as f64))
    }

    fn written(&self) -> String {
        match (self.value, self.unit) {
            (None, _) => String::new(),
            (Some(value), "count") => format!("{value:.0}"),
            (Some(value), "share") => format!("{value:.3}"),
            (Some(value), _) => format!("{value:.1}"),
        }
    }
}

impl Report {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!("from {}\nto   {}\n\n", self.from, self.to);
        for measure in &self.measures {
            let value = if measure.value.is_some() { measure.written() } else { "-".to_string() };
            let _ = writeln!(text, "{:<20}{:>10} {:<6} {}", measure.name, value, measure.unit, measure.definition);
        }
        for (name, takings) in [("revenue", &self.takings), ("revenue_elsewhere", &self.elsewhere)] {
            for Takings { currency, orders, revenue, order_value } in takings {
                let each = order_value.as_deref().unwrap_or("-");
                let _ = writeln!(text, "{name:<20}{revenue:>10} {currency:<6} {orders} paid orders, {each} each");
            }
        }
        if let Some(Costs { currency, people, running, resolutions, per_resolution }) = &self.costs {
            let each = per_resolution.as_deref().unwrap_or("-");
            let of = format!("{people} of persons and {running} of running it, by {resolutions} resolutions");
            let _ = writeln!(text, "{:<20}{each:>10} {currency:<6} {of}", "cost_per_resolution");
        }
        let _ = writeln!(
            text,
            "\n{:<20}{:>14}{:>10}{:>9}{:>11}{:>13}",
            "command", "conversations", "verified", "assumed", "abandoned", "handed_over"
        );
        for row in &self.containment {
            let Containment { command, conversations, verified, assumed, abandoned, handed_over } = row;
            let _ = writeln!(
                text,
                "{command:<20}{conversations:>14}{verified:>10}{assumed:>9}{abandoned:>11}{handed_over:>13}"
            );
        }
        if !self.unanswered.is_empty() {
            text.push_str("\nnot answered\n");
        }
        for question in &self.unanswered {
            let _ = writeln!(text, "{:>6}  {}", question.times, question.text);
        }
        text
    }

    /// For spreadsheets: `kind,name,value,unit,definition`.
    pub fn csv(&self) -> String {
        let mut text = "kind,name,value,unit,definition\n".to_string();
        let mut row = |fields: [&str; 5]| {
            text.push_str(&fields.map(quoted).join(","));
            text.push('\n');
        };
        for measure in &self.measures {
            row(["measure", measure.name, &measure.written(), measure.unit, measure.definition]);
        }
        for one in &self.elsewhere {
            let of = "the shop's other orders of these days";
            row(["takings", "revenue_elsewhere", &one.revenue, one.currency, of]);
            let each = one.order_value.as_deref().unwrap_or_default();
            row(["takings", "order_value_elsewhere", each, one.currency, of]);
        }
        if let Some(costs) = &self.costs {
            let each = costs.per_resolution.as_deref().unwrap_or_default();
            row(["costs", "cost_per_resolution", each, costs.currency, "persons and running costs by the resolutions"]);
        }
        for one in &self.takings {
            row([
                "takings",
                "revenue",
                &one.revenue,
                one.currency,
                "what paid orders brought, delivery and tax included",
            ]);
            let each = one.order_value.as_deref().unwrap_or_default();
            row(["takings", "order_value", each, one.currency, "the revenue by the orders"]);
        }
        for one in &self.containment {
            let ends = [
                ("verified", one.verified),
                ("assumed", one.assumed),
                ("abandoned", one.abandoned),
                ("handed_over", one.handed_over),
            ];
            for (end, count) in ends {
                row(["containment", &format!("{}.{end}", one.command), &count.to_string(), "count", ""]);
            }
        }
        for question in &self.unanswered {
            row(["unanswered", &question.text, &question.times.to_string(), "count", ""]);
        }
        text
    }
}

/// A field as RFC 4180 has it; what a spreadsheet would run as a formula is made plain text.
fn quoted(field: &str) -> String {
    let field = if field.starts_with(['=', '+', '-', '@', '\t']) { format!("'{field}") } else { field.to_string() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_are_text() {
        let check = |field: &str, expected: &str| assert_eq!(quoted(field), expected);
        check("plain", "plain");
        check("a, b", "\"a, b\"");
        check("say \"hi\"", "\"say \"\"hi\"\"\"");
        check("=1+1", "'=1+1");
    }

    #[test]
    fn the_docs_say_what_each_figure_is() {
        let docs = include_str!("../../docs/kpi.md");
        for (name, unit, definition) in DEFINITIONS {
            assert!(docs.contains(&format!("| `{name}` | {unit} | {definition} |")), "docs/kpi.md lacks {name}");
        }
    }

    #[test]
    fn every_figure_is_defined() {
        for (name, unit, definition) in DEFINITIONS {
            let measure = Measure::new(name, None);
            assert_eq!((measure.unit, measure.definition), (unit, definition));
            assert!(!definition.is_empty());
        }
    }
}
