//! Pieces of text become lines, paragraphs, items and sections, in the order in which they were written: columns are read one after the
//! other, as their author wrote them. Page numbers and lines that stand on every page are left out.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::page::Run;

/// A heading's letters are so much larger than the text's.
const LARGER: f64 = 1.15;
/// A bold line that is longer is a sentence.
const LONGEST_HEADING: usize = 90;
const BULLETS: [char; 9] = ['•', '◦', '▪', '■', '●', '–', '·', '-', '*'];

#[derive(Clone, Debug)]
struct Line {
    page: usize,
    y: f64,
    size: f64,
    bold: bool,
    text: String,
    end: f64,
    /// Where lines of its page end at the most.
    margin: f64,
    begin: f64,
}

/// The document as Markdown: `## Section`, items, paragraphs.
pub(super) fn markdown(pages: &[Vec<Run>]) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for (page, runs) in pages.iter().enumerate() {
        lines.extend(lines_of(page, runs));
    }
    let repeated = repeated(&lines, pages.len());
    let number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, '/' | '-' | '–' | ' '));
    lines.retain(|line| {
        !line.text.is_empty() && !repeated.contains(&line.text) && (!number(&line.text) || line.text == "---")
    });
    let (size, bold) = usual(&lines);
    let heading =
        |line: &Line| line.size >= size * LARGER || line.bold && !bold && line.text.chars().count() <= LONGEST_HEADING;
    let spacing = spacing(&lines);
    let sections = lines.iter().any(heading);
    let mut out = String::new();
    let mut before: Option<&Line> = None;
    let (mut open, mut fences) = (false, 0);
    for line in &lines {
        if line.text == "---" && fences < 2 && (fences == 1 || out.is_empty()) {
            fences += 1;
            out.push_str("---\n");
        } else if fences == 1 {
            out.push_str(&format!("{}\n", line.text));
        } else if heading(line) {
            let wrapped =
                before.is_some_and(|above| heading(above) && above.size == line.size && near(above, line, spacing));
            match wrapped {
                true => {
                    out.truncate(out.trim_end().len());
                    out.push_str(&format!(" {}\n", line.text));
                }
                false => out.push_str(&format!("\n## {}\n", line.text)),
            }
            open = true;
        } else {
            if !open || !sections && before.is_none_or(|above| above.page != line.page) {
                out.push_str(&format!("\n## p. {}\n", line.page + 1));
                open = true;
                before = None;
            }
            append(&mut out, line, before.filter(|above| !heading(above)), spacing);
        }
        before = Some(line);
    }
    out
}

/// A line of a paragraph or of an item.
fn append(out: &mut String, line: &Line, above: Option<&Line>, spacing: f64) {
    let item = line.text.strip_prefix(BULLETS).filter(|rest| rest.starts_with(' ')).map(str::trim_start);
    if let Some(item) = item {
        out.push_str(&format!("\n- {item}"));
        return;
    }
    let ended = above.is_some_and(|above| above.text.ends_with(['.', '!', '?', ':', '。', '！', '？', '：']));
    let below = |above: &Line| near(above, line, spacing) && !broken_by_hand(above);
    let goes_on = above.is_some_and(|above| below(above) || above.page != line.page && !ended);
    if !goes_on {
        out.push_str(&format!("\n\n{}", line.text));
        return;
    }
    let lower = line.text.starts_with(char::is_lowercase);
    let mut letters = out.chars().rev();
    match (letters.next(), letters.next()) {
        (Some('\u{ad}'), _) => {
            out.pop();
        }
        // A word that was divided at the end of its line.
        (Some('-' | '\u{2010}'), Some(last)) if last.is_lowercase() && lower => {
            out.pop();
        }
        (Some('-'), _) => {}
        (Some(last), _) if wide(last) && line.text.starts_with(wide) => {}
        _ => out.push(' '),
    }
    out.push_str(&line.text);
}

/// True for a line that ends far before the others: whoever wrote it wanted a new line there.
fn broken_by_hand(above: &Line) -> bool {
    above.end - above.begin < 0.6 * (above.margin - above.begin)
}

/// Signs that stand without spaces between them.
fn wide(letter: char) -> bool {
    matches!(letter, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// True when the second line is the next one of the same block.
fn near(above: &Line, line: &Line, spacing: f64) -> bool {
    let gap = above.y - line.y;
    above.page == line.page && gap > 0.0 && gap <= spacing.max(line.size) * 1.35
}

fn lines_of(page: usize, runs: &[Run]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for run in runs {
        if let Some(line) = lines.last_mut()
            && (line.y - run.y).abs() < 0.45 * line.size.max(run.size)
            && run.x >= line.end - line.size
        {
            let apart = run.x - line.end > 0.18 * run.size;
            if apart && !line.text.ends_with(' ') && !run.text.starts_with(' ') {
                line.text.push(' ');
            }
            // A raised sign is part of its line and does not make it larger or smaller.
            line.bold &= run.bold || run.text.trim().is_empty();
            line.size = line.size.max(run.size);
            line.text.push_str(&run.text);
            line.end = run.end;
            continue;
        }
        let Run { x, y, size, bold, end, .. } = *run;
        lines.push(Line { page, y, size, bold, end, text: run.text.clone(), margin: 0.0, begin: x });
    }
    let margin = lines.iter().map(|line| line.end).fold(0.0, f64::max);
    for line in &mut lines {
        line.text = letters(&line.text);
        line.margin = margin;
    }
    lines
}

/// Letters that are drawn as one are several; spaces of every kind are one.
fn letters(text: &str) -> String {
    let plain: String = text
        .chars()
        .flat_map(
            |c| if ('\u{fb00}'..='\u{fb06}').contains(&c) { std::iter::once(c).nfkc().collect() } else { vec![c] },
        )
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines that stand on most pages: heads and feet.
fn repeated(lines: &[Line], pages: usize) -> Vec<String> {
    let mut on: HashMap<&str, Vec<usize>> = HashMap::new();
    for line in lines {
        let seen = on.entry(&line.text).or_default();
        if seen.last() != Some(&line.page) {
            seen.push(line.page);
        }
    }
    on.into_iter().filter(|(_, on)| pages >= 3 && on.len() * 2 > pages).map(|(text, _)| text.to_string()).collect()
}

/// The size of most letters, and whether most are bold.
fn usual(lines: &[Line]) -> (f64, bool) {
    let mut sizes: HashMap<i64, usize> = HashMap::new();
    let (mut bold, mut all) = (0, 0);
    for line in lines {
        let letters = line.text.chars().count();
        *sizes.entry((line.size * 10.0).round() as i64).or_default() += letters;
        all += letters;
        bold += if line.bold { letters } else { 0 };
    }
    let most = sizes.into_iter().max_by_key(|(size, letters)| (*letters, -size));
    (most.map_or(1.0, |(size, _)| size as f64 / 10.0), bold * 2 > all)
}

/// The usual distance of two lines of a paragraph.
fn spacing(lines: &[Line]) -> f64 {
    let gaps = lines.windows(2).filter(|pair| pair[0].page == pair[1].page && pair[0].size == pair[1].size);
    let mut gaps: Vec<f64> = gaps.map(|pair| pair[0].y - pair[1].y).filter(|gap| *gap > 0.0).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 3).copied().unwrap_or(0.0)
}
