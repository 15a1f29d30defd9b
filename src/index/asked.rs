//! Which section of the rules answers a question, where questions stand with the sections (`<!-- asked`). In: the questions, the texts of the
//! sections and messages that ask for something else, each with its vector. Out: how far each section stands out for a question: the side
//! of a line learnt over what is asked (`src/learnt`), and how near its own questions and its text are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::domain::Language;
use crate::domain::fact::FEWEST_QUESTIONS;
use crate::learnt::{Learnt, Shape};

use super::builder::{PassageEntry, layout};
use super::vectors::{Stored, Vectors};

/// So many of all questions are compared in full; what lies behind them is taken to be as near as the last.
const COMPARED: usize = 64;
/// So many of a section's questions are looked at: one may be an odd one.
const NEAREST: usize = 2;
/// What nearness counts beside the line. Chosen, as the rest here, on `data/eval/talk/labels.tsv` and `data/eval/policies/questions.tsv`.
const NEARNESS: f32 = 20.0;
/// How near to one another texts are that have little in common.
const USUAL: f32 = 0.88;
/// Every so many-th question is kept back once, to see how far a section stands out for a question it has not seen.
const KEPT_BACK: usize = 4;
/// The share of questions kept back that may be taken to be answered nowhere: more than of those that will be asked, for each of which all that
/// stand with its section are known.
const LOST: f32 = 0.1;
/// Of fewer questions kept back one that is odd would set it.
const TELLING: usize = 25;

/// Where a generation does not say: as the demo shop's questions have it.
fn usual_least(language: Language) -> f32 {
    match language {
        Language::En | Language::Ru | Language::Sk => -0.6,
        Language::Zh => 0.1,
    }
}

/// The questions of a generation, open.
pub(super) struct Asked {
    vectors: Vectors,
    /// The text of the rules each question stands with; none for messages that ask for something else.
    owners: Vec<Option<usize>>,
    /// The class of each text.
    classes: Vec<usize>,
    languages: BTreeSet<Language>,
    learnt: Learnt,
    least: BTreeMap<Language, f32>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    shape: Shape,
    /// What stands out less is answered nowhere.
    #[serde(default)]
    least: BTreeMap<Language, f32>,
}

/// The languages in which every section has its questions: a section without would never be told beside the others.
pub(super) fn languages(texts: &[PassageEntry]) -> BTreeSet<Language> {
    let all: BTreeSet<Language> = texts.iter().map(|entry| entry.passage.language).collect();
    let bare = |language: &Language| {
        texts.iter().any(|entry| entry.passage.language == *language && entry.asked.len() < FEWEST_QUESTIONS)
    };
    all.into_iter().filter(|language| !bare(language)).collect()
}

/// The class of each text, and how many there are. The n-th sections of a document that has as many in each language say the same, and are
/// learnt together.
fn classes(texts: &[PassageEntry]) -> (Vec<usize>, usize) {
    let mut sections: BTreeMap<(&str, Language), Vec<&str>> = BTreeMap::new();
    for entry in texts {
        let section = entry.id.rsplit_once('#').map_or("", |(_, section)| section);
        sections.entry((&entry.passage.document, entry.passage.language)).or_default().push(section);
    }
    let alike = |document: &str| {
        let mut of = sections.iter().filter(|((name, _), _)| *name == document).map(|(_, sections)| sections);
        let first = of.next();
        of.all(|sections| Some(sections) == first)
    };
    let name = |entry: &PassageEntry| match entry.id.rsplit_once('#') {
        Some((_, section)) if alike(&entry.passage.document) => format!("{}#{section}", entry.passage.document),
        _ => entry.id.clone(),
    };
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut class = |name: String| {
        let next = names.len();
        *names.entry(name).or_insert(next)
    };
    let classes = texts.iter().map(|entry| class(name(entry))).collect();
    (classes, names.len())
}

/// The text each question stands with, then nothing for each of the other messages.
fn owners(texts: &[PassageEntry], others: usize) -> Vec<Option<usize>> {
    let asked = texts.iter().enumerate().flat_map(|(row, entry)| std::iter::repeat_n(Some(row), entry.asked.len()));
    asked.chain(std::iter::repeat_n(None, others)).collect()
}

/// Learns the lines and writes them into the folder, where the vectors of texts, questions and other messages already are.
pub(super) fn learn(folder: &Path, texts: &[PassageEntry], others: &[String], dimensions: usize) -> anyhow::Result<()> {
    let covered = languages(texts);
    if covered.is_empty() {
        return Ok(());
    }
    let (classes, count) = classes(texts);
    let told = Stored::open(folder, layout::PASSAGE_VECTORS, dimensions)?;
    let asked = Stored::open(folder, layout::ASKED_VECTORS, dimensions)?;
    let owners = owners(texts, others.len());
    ensure!(asked.count() == owners.len(), "{} questions, {} vectors", owners.len(), asked.count());
    let questions = texts.iter().flat_map(|entry| entry.asked.iter()).chain(others);
    let mut rows: Vec<Row> = Vec::new();
    let learns = |row: usize| covered.contains(&texts[row].passage.language);
    // The questions first: the middle and the words that count are theirs.
    for (at, question) in questions.enumerate() {
        let (class, of) = match owners[at] {
            Some(row) if learns(row) => (classes[row], Of::Question(row)),
            Some(_) => continue,
            None => (count, Of::Other),
        };
        rows.push(Row { text: question.clone(), vector: asked.row(at)?, class, of });
    }
    for (row, entry) in texts.iter().enumerate().filter(|(row, _)| learns(*row)) {
        rows.push(Row { text: entry.embedded(), vector: told.row(row)?, class: classes[row], of: Of::Told(row) });
    }
    let learnt = fitted(&rows, count + 1, &|_| true);
    let least = least(&rows, count + 1, &|row| texts[row].passage.language);
    let header = serde_json::to_vec(&Header { shape: learnt.shape(), least })?;
    let path = folder.join(layout::ASKED);
    std::fs::write(&path, [header.as_slice(), b"\n", &learnt.bytes()].concat())
        .with_context(|| format!("writing {}", path.display()))
}

/// A text that is learnt from.
struct Row {
    text: String,
    vector: Vec<f32>,
    class: usize,
    of: Of,
}

/// What a text is.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// A question that stands with this text of the rules.
    Question(usize),
    /// A message that asks for something else.
    Other,
    /// This text of the rules.
    Told(usize),
}

/// The lines over some of the rows, by their number.
fn fitted(rows: &[Row], classes: usize, kept: &dyn Fn(usize) -> bool) -> Learnt {
    let chosen: Vec<&Row> = rows.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, row)| row).collect();
    let own = chosen.iter().filter(|row| matches!(row.of, Of::Question(_))).count();
    let labels: Vec<usize> = chosen.iter().map(|row| row.class).collect();
    let texts: Vec<(&str, &[f32])> = chosen.iter().map(|row| (row.text.as_str(), row.vector.as_slice())).collect();
    Learnt::of(&texts, own, &labels, classes)
}

/// How little a section may stand out for a question that one of them answers, by language: as seen by questions that were kept back.
fn least(rows: &[Row], classes: usize, language: &dyn Fn(usize) -> Language) -> BTreeMap<Language, f32> {
    let back = |at: usize| !matches!(rows[at].of, Of::Told(_)) && at % KEPT_BACK == KEPT_BACK - 1;
    let learnt = fitted(rows, classes, &|at| !back(at));
    let mut best: BTreeMap<Language, Vec<f32>> = BTreeMap::new();
    for (_, row) in rows.iter().enumerate().filter(|(at, _)| back(*at)) {
        let Of::Question(own) = row.of else { continue };
        let near = nearness(rows, (&row.vector, language(own)), &|at| !back(at), language);
        let sides = learnt.linear.scores(&learnt.features(&row.text, &row.vector));
        let Some(other) = sides.last() else { continue };
        let highest = near.values().map(|(class, asked, told)| standing(sides[*class] - other, *asked, *told));
        best.entry(language(own)).or_default().push(highest.fold(f32::NEG_INFINITY, f32::max));
    }
    let lowest = |mut all: Vec<f32>| {
        if all.len() < TELLING {
            return None;
        }
        all.sort_by(f32::total_cmp);
        let at = |share: f32| all[(all.len() as f32 * share) as usize];
        tracing::debug!(hundredths = ?[0.02, 0.04, 0.06, 0.08, 0.1, 0.15].map(at), "how far rules stand out for questions kept back");
        Some(at(LOST))
    };
    best.into_iter().filter_map(|(language, all)| Some((language, lowest(all)?))).collect()
}

/// For each text of the rules in a language its class, how near its nearest questions are, and how near it is itself.
fn nearness(
    rows: &[Row],
    (vector, spoken): (&[f32], Language),
    known: &dyn Fn(usize) -> bool,
    language: &dyn Fn(usize) -> Language,
) -> BTreeMap<usize, (usize, f32, f32)> {
    let mut asked: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
    let mut told: BTreeMap<usize, (usize, f32)> = BTreeMap::new();
    for (_, row) in rows.iter().enumerate().filter(|(at, _)| known(*at)) {
        let cosine = || row.vector.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
        match row.of {
            Of::Question(of) if language(of) == spoken => asked.entry(of).or_default().push(cosine()),
            Of::Told(of) if language(of) == spoken => drop(told.insert(of, (row.class, cosine()))),
            _ => {}
        }
    }
    let nearest = |mut all: Vec<f32>| {
        all.sort_by(|a, b| b.total_cmp(a));
        all.truncate(NEAREST);
        all.iter().sum::<f32>() / all.len().max(1) as f32
    };
    let both = |(of, all): (usize, Vec<f32>)| told.get(&of).map(|(class, told)| (of, (*class, nearest(all), *told)));
    asked.into_iter().filter_map(both).collect()
}

/// How far a section stands out: by the side of its line that a question lies on, and how near its own questions and its text are.
fn standing(side: f32, asked: f32, told: f32) -> f32 {
    side + NEARNESS * ((asked + told) / 2.0 - USUAL)
}

impl Asked {
    /// Opens what was learnt; nothing where no language has its questions, or the generation is older than they are.
    pub(super) fn open(folder: &Path, texts: &[PassageEntry], dimensions: usize) -> anyhow::Result<Option<Self>> {
        let path = folder.join(layout::ASKED);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let broken = || format!("{} is not what was written: run make index", path.display());
        let end = bytes.iter().position(|byte| *byte == b'\n').with_context(broken)?;
        let Header { shape, least } = serde_json::from_slice(&bytes[..end]).with_context(broken)?;
        let learnt = Learnt::from_bytes(&bytes[end + 1..], shape).with_context(broken)?;
        let vectors = Vectors::open(folder, layout::ASKED_VECTORS, dimensions)?;
        let rows = Stored::open(folder, layout::ASKED_VECTORS, dimensions)?.count();
        let (classes, count) = classes(texts);
        ensure!(shape.dimensions == dimensions && shape.classes == count + 1, broken());
        let asked: usize = texts.iter().map(|entry| entry.asked.len()).sum();
        let owners = owners(texts, rows.saturating_sub(asked));
        ensure!(rows == owners.len(), broken());
        Ok(Some(Asked { vectors, owners, classes, languages: languages(texts), learnt, least }))
    }

    /// True when every section has its questions in this language.
    pub(super) fn speaks(&self, language: Language) -> bool {
        self.languages.contains(&language)
    }

    /// What stands out less in this language is answered nowhere.
    pub(super) fn least(&self, language: Language) -> Option<f32> {
        let least = self.least.get(&language).copied().unwrap_or_else(|| usual_least(language));
        self.speaks(language).then_some(least)
    }

    /// How far each of some texts stands out for a question, the farthest first; `told` are the texts with their cosines.
    pub(super) fn standings(
        &self,
        (question, vector): (&str, &[f32]),
        told: &[(usize, f32)],
    ) -> anyhow::Result<Vec<(usize, f32)>> {
        let sides = self.learnt.linear.scores(&self.learnt.features(question, vector));
        let other = sides.last().copied().unwrap_or_default();
        let wanted: BTreeSet<usize> = told.iter().map(|(row, _)| *row).collect();
        let only: Vec<bool> = self.owners.iter().map(|owner| owner.is_some_and(|row| wanted.contains(&row))).collect();
        let mut nearest: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        let compared = self.vectors.exactly_nearest((vector, Some(&only)), COMPARED)?;
        let least = compared.last().map_or(USUAL, |(_, cosine)| *cosine);
        for (at, cosine) in compared {
            if let Some(row) = self.owners[at] {
                let own = nearest.entry(row).or_default();
                if own.len() < NEAREST {
                    own.push(cosine);
                }
            }
        }
        let standing = |(row, cosine): &(usize, f32)| {
            let own = nearest.get(row).map(Vec::as_slice).unwrap_or_default();
            let own = (own.iter().sum::<f32>() + (NEAREST - own.len()) as f32 * least) / NEAREST as f32;
            (*row, standing(sides[self.classes[*row]] - other, own, *cosine))
        };
        let mut standings: Vec<(usize, f32)> = told.iter().map(standing).collect();
        standings.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(standings)
    }
}
