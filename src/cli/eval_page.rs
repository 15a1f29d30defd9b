//! The page of `eval FILE.tsv --html`: figures per language, how far the examples' sureness can be believed, and what is taken
//! for what, as drawings inside the page. In: a report of understanding. Out: HTML that needs nothing from elsewhere.

use std::fmt::Write;

use crate::domain::CommandName;
use crate::understanding::measure::{Figures, Report};

/// Steps of sureness in the drawing.
const STEPS: usize = 10;
/// Side of the first drawing, and of a cell of the second.
const SIDE: f64 = 320.0;
const CELL: usize = 22;
/// Room for the commands' names.
const MARGIN: usize = 120;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}\
table{border-collapse:collapse}td,th{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}svg text{font:11px system-ui,sans-serif;fill:#444}";

/// The page.
pub(super) fn page(title: &str, report: &Report) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Understanding: {title}</title><style>{STYLE}</style>\
         <h1>Understanding: {title}</h1>{}<h2>How sure, and how often right</h2>\
         <p>Messages with one wish, by how sure the examples were; a dot's size is their number. On the line, sureness can be \
         believed.</p>{}<h2>What is taken for what</h2><p>Rows: wanted; columns: told.</p>{}</html>\n",
        figures(report),
        calibration(&report.sure),
        confusion(&report.taken)
    )
}

fn figures(report: &Report) -> String {
    let mut rows = String::from(
        "<table><tr><th>language<th>messages<th>rules alone<th>examples alone<th>both<th>several wishes<th>slots F1",
    );
    let one = |name: &str, figures: &Figures| {
        format!(
            "<tr><td>{name}<td>{}<td>{:.3}<td>{:.3}<td>{:.3}<td>{}/{}<td>{:.3}",
            figures.both.all,
            figures.rules.rate(),
            figures.examples.rate(),
            figures.both.rate(),
            figures.several.right,
            figures.several.all,
            figures.slots.f1()
        )
    };
    report.by_language.iter().for_each(|(language, figures)| rows.push_str(&one(language.code(), figures)));
    rows.push_str(&one("all", &report.all));
    rows.push_str("</table>");
    rows
}

/// The share that was right at each step of sureness.
fn calibration(sure: &[(f32, bool)]) -> String {
    let mut steps = [(0_usize, 0_usize); STEPS];
    for (sure, right) in sure {
        let step = &mut steps[((sure * STEPS as f32) as usize).min(STEPS - 1)];
        *step = (step.0 + usize::from(*right), step.1 + 1);
    }
    let most = steps.iter().map(|(_, all)| *all).max().unwrap_or(0).max(1) as f64;
    let mut drawing = format!(
        "<svg width=\"{0}\" height=\"{0}\" role=\"img\" aria-label=\"sureness against share right\">\
         <rect x=\"30\" y=\"0\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#ccc\"/>\
         <line x1=\"30\" y1=\"{SIDE}\" x2=\"{1}\" y2=\"0\" stroke=\"#bbb\" stroke-dasharray=\"4\"/>",
        SIDE + 40.0,
        SIDE + 30.0
    );
    for (at, (right, all)) in steps.iter().enumerate().filter(|(_, (_, all))| *all > 0) {
        let (x, share) = ((at as f64 + 0.5) / STEPS as f64, *right as f64 / *all as f64);
        let _ = write!(
            drawing,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{:.1}\" fill=\"#2b6cb0\" fill-opacity=\".7\">\
             <title>{right} of {all} right</title></circle>",
            30.0 + x * SIDE,
            SIDE - share * SIDE,
            3.0 + 9.0 * (*all as f64 / most).sqrt()
        );
    }
    for step in [0.0, 0.5, 1.0] {
        let _ = write!(
            drawing,
            "<text x=\"4\" y=\"{:.0}\">{step}</text><text x=\"{:.0}\" y=\"{:.0}\">{step}</text>",
            (SIDE - step * SIDE).max(10.0),
            24.0 + step * SIDE,
            SIDE + 16.0
        );
    }
    drawing + "</svg>"
}

fn confusion(taken: &[(CommandName, CommandName, usize)]) -> String {
    let count = CommandName::ALL.len();
    let place = |name: &CommandName| CommandName::ALL.iter().position(|other| other == name).unwrap_or(0);
    let size = MARGIN + count * CELL;
    let mut drawing =
        format!("<svg width=\"{size}\" height=\"{size}\" role=\"img\" aria-label=\"commands wanted and told\">");
    for (at, name) in CommandName::ALL.iter().enumerate() {
        let middle = MARGIN + at * CELL + CELL * 2 / 3;
        let _ = write!(
            drawing,
            "<text x=\"{0}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <text transform=\"translate({middle},{0}) rotate(-90)\">{name}</text>",
            MARGIN - 6
        );
    }
    for (wanted, told, times) in taken {
        let all: usize = taken.iter().filter(|(other, ..)| other == wanted).map(|(.., times)| times).sum();
        let (x, y) = (MARGIN + place(told) * CELL, MARGIN + place(wanted) * CELL);
        let colour = if wanted == told { "#2f855a" } else { "#c53030" };
        let _ = write!(
            drawing,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{colour}\" fill-opacity=\"{:.2}\">\
             <title>{wanted} told as {told}: {times} of {all}</title></rect><text x=\"{}\" y=\"{}\">{times}</text>",
            0.1 + 0.8 * *times as f64 / all.max(1) as f64,
            x + 3,
            y + CELL * 2 / 3
        );
    }
    drawing + "</svg>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_what_was_measured() {
        let report = Report {
            sure: vec![(0.95, true), (0.95, true), (0.35, false)],
            taken: vec![(CommandName::Price, CommandName::Price, 3), (CommandName::Price, CommandName::Stock, 1)],
            ..Report::default()
        };
        let page = page("a <b> & c", &report);
        assert!(page.contains("a &lt;b&gt; &amp; c"));
        assert!(page.contains("price told as stock: 1 of 4"));
        assert!(page.contains("2 of 2 right") && page.contains("0 of 1 right"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }
}
