//! Vectors on disk and their exact search: int8 rows scanned whole, the best re-scored in floats.
//! `NAME.i8` holds rows of int8 with their scale, `NAME.f32` the same rows in floats, `NAME.keys` a digest of each text.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, ensure};
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use simsimd::SpatialSimilarity;

use super::sketch::Sketches;

/// From so many rows on, sketches tell which of them are read; below, reading all takes no longer than two milliseconds.
const SKETCHED: usize = 60_000;
/// So many times the rows wanted are read: what a sketch puts further down is hardly ever among the best ...
const WORTH_READING: usize = 8;
/// ... up to so many rows wanted; of a longer list the end counts little, and twice as many do.
const FIRST_WANTED: usize = 500;
/// So many rows more than wanted are compared in floats: the int8 order is right to within its rounding.
const BEYOND: usize = 200;

/// The digest by which a text's vector is found again in the next generation.
pub type Key = [u8; 16];

/// The digest of a text.
pub fn key_of(text: &str) -> Key {
    let digest = Sha256::digest(text.as_bytes());
    let mut key = Key::default();
    key.copy_from_slice(&digest[..16]);
    key
}

/// Writes vectors, row after row.
pub struct VectorWriter {
    quantised: BufWriter<File>,
    exact: BufWriter<File>,
    keys: BufWriter<File>,
    dimensions: usize,
    rows: usize,
}

impl VectorWriter {
    /// Creates the three files.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn create(folder: &Path, name: &str, dimensions: usize) -> anyhow::Result<Self> {
        let file = |extension| {
            let path = folder.join(format!("{name}.{extension}"));
            File::create(&path).map(BufWriter::new).with_context(|| format!("writing {}", path.display()))
        };
        Ok(VectorWriter { quantised: file("i8")?, exact: file("f32")?, keys: file("keys")?, dimensions, rows: 0 })
    }

    /// Adds a unit-length vector.
    ///
    /// # Errors
    /// When its length is wrong, it holds no number, or the file cannot be written.
    pub fn add(&mut self, key: &Key, vector: &[f32]) -> anyhow::Result<()> {
        ensure!(vector.len() == self.dimensions, "a vector of {} instead of {} numbers", vector.len(), self.dimensions);
        ensure!(vector.iter().all(|value| value.is_finite()), "the embedder gave a vector that is not finite");
        let (row, scale) = quantise(vector);
        let bytes: Vec<u8> = row.iter().map(|value| value.cast_unsigned()).collect();
        self.quantised.write_all(&bytes)?;
        self.quantised.write_all(&scale.to_le_bytes())?;
        for value in vector {
            self.exact.write_all(&value.to_le_bytes())?;
        }
        self.keys.write_all(key)?;
        self.rows += 1;
        Ok(())
    }

    /// Flushes the files; how many rows there are.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(mut self) -> anyhow::Result<usize> {
        self.quantised.flush()?;
        self.exact.flush()?;
        self.keys.flush()?;
        Ok(self.rows)
    }
}

fn sort(scored: &mut [(usize, f32)]) {
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

fn quantise(vector: &[f32]) -> (Vec<i8>, f32) {
    let largest = vector.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let scale = largest / 127.0;
    (vector.iter().map(|value| (value / scale).round() as i8).collect(), scale)
}

/// The rows of a generation in floats, on disk: pages of the file, which the system keeps as long as it has room. A search compares thousands
/// of rows, and asking the system for each of them took most of its time.
pub struct Stored {
    pages: Option<Mmap>,
    rows: usize,
    dimensions: usize,
}

impl Stored {
    /// Opens the rows written under a name.
    ///
    /// # Errors
    /// When the file is missing or does not hold whole rows.
    pub fn open(folder: &Path, name: &str, dimensions: usize) -> anyhow::Result<Self> {
        let path = folder.join(format!("{name}.f32"));
        let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
        let (bytes, stride) = (file.metadata()?.len(), (dimensions * size_of::<f32>()) as u64);
        ensure!(bytes.checked_rem(stride) == Some(0), "{} does not hold whole rows: run make index", path.display());
        // SAFETY: files of a generation are written once, before it is switched to, and removed, never shortened, after it.
        #[allow(unsafe_code)]
        let pages = if bytes > 0 {
            Some(unsafe { Mmap::map(&file) }.with_context(|| format!("reading {}", path.display()))?)
        } else {
            None
        };
        Ok(Stored { pages, rows: (bytes / stride) as usize, dimensions })
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.rows
    }

    /// The vector of a row.
    ///
    /// # Errors
    /// There is no such row.
    pub fn row(&self, row: usize) -> anyhow::Result<Vec<f32>> {
        let mut values = vec![0.0; self.dimensions];
        self.read(row, &mut values)?;
        Ok(values)
    }

    fn read(&self, row: usize, values: &mut [f32]) -> anyhow::Result<()> {
        let stride = self.dimensions * size_of::<f32>();
        let bytes = self.pages.as_ref().and_then(|pages| pages.get(row * stride..(row + 1) * stride));
        let (bytes, _) = bytes.with_context(|| format!("there is no vector {row}"))?.as_chunks::<4>();
        values.iter_mut().zip(bytes).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
        Ok(())
    }

    /// Puts the exact cosine with a question in the place of a rough one.
    fn rescore(&self, question: &[f32], scored: &mut [(usize, f32)]) -> anyhow::Result<()> {
        let mut values = vec![0.0; self.dimensions];
        for (row, score) in scored {
            self.read(*row, &mut values)?;
            *score = f32::dot(&values, question).unwrap_or_default() as f32;
        }
        Ok(())
    }

    /// Every row compared, the best first.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn compared(&self, question: &[f32], limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        let mut scored: Vec<(usize, f32)> = (0..self.rows).map(|row| (row, 0.0)).collect();
        self.rescore(question, &mut scored)?;
        keep_best(&mut scored, limit);
        Ok(scored)
    }
}

/// A question, and which rows will do: all of them when nothing is said.
pub type Question<'a> = (&'a [f32], Option<&'a [bool]>);

/// Vectors of a generation, open for search.
pub struct Vectors {
    rows: Vec<i8>,
    scales: Vec<f32>,
    /// Of many rows: which of them are worth reading.
    sketches: Option<Sketches>,
    exact: Stored,
    dimensions: usize,
}

impl Vectors {
    /// Opens the files written under a name.
    ///
    /// # Errors
    /// When one is missing or has another length than its rows need.
    pub fn open(folder: &Path, name: &str, dimensions: usize) -> anyhow::Result<Self> {
        let path = folder.join(format!("{name}.i8"));
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let stride = dimensions + size_of::<f32>();
        ensure!(bytes.len() % stride == 0, "{} does not hold whole rows: run make index", path.display());
        let count = bytes.len() / stride;
        let (mut rows, mut scales) = (Vec::with_capacity(count * dimensions), Vec::with_capacity(count));
        for row in bytes.chunks_exact(stride) {
            let (values, scale) = row.split_at(dimensions);
            rows.extend(values.iter().map(|value| value.cast_signed()));
            scales.push(f32::from_le_bytes(scale.try_into().expect("invariant: the stride leaves four bytes")));
        }
        let exact = Stored::open(folder, name, dimensions)?;
        ensure!(exact.count() == count, "{name}.f32 does not match {}: run make index", path.display());
        let sketches = (count >= SKETCHED).then(|| Sketches::new(&rows, &scales, dimensions));
        Ok(Vectors { rows, scales, sketches, exact, dimensions })
    }

    /// The `limit` rows nearest to a unit-length question with their cosine, best first.
    ///
    /// # Errors
    /// When the question has another length or the file cannot be read.
    pub fn exactly_nearest(&self, question: Question<'_>, limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        let mut scored = self.roughly_nearest(question, limit + limit.min(BEYOND))?;
        self.exact.rescore(question.0, &mut scored)?;
        sort(&mut scored);
        scored.truncate(limit);
        Ok(scored)
    }

    /// The same with the cosine as the int8 rows give it, off by about a hundredth: for a pass that another follows.
    ///
    /// # Errors
    /// When the question has another length.
    pub fn roughly_nearest(&self, question: Question<'_>, limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        let (query, only) = question;
        ensure!(
            query.len() == self.dimensions,
            "a query vector of {} instead of {} numbers",
            query.len(),
            self.dimensions
        );
        let (quantised, query_scale) = quantise(query);
        let score = |row: usize| {
            let values = &self.rows[row * self.dimensions..][..self.dimensions];
            (row, i8::dot(values, &quantised).unwrap_or_default() as f32 * self.scales[row] * query_scale)
        };
        let all = 0..self.scales.len();
        let mut scored: Vec<(usize, f32)> = match (&self.sketches, only) {
            (Some(sketches), only) => {
                let worth = limit.min(FIRST_WANTED) * WORTH_READING + limit.saturating_sub(FIRST_WANTED) * 2;
                let mut rows = sketches.nearest(query, only, worth);
                // In the order in which they lie in memory.
                rows.sort_unstable();
                rows.into_iter().map(score).collect()
            }
            (None, None) => all.map(score).collect(),
            (None, Some(only)) => all.filter(|row| only[*row]).map(score).collect(),
        };
        keep_best(&mut scored, limit);
        Ok(scored)
    }
}

/// The best of many, best first.
pub fn keep_best(scored: &mut Vec<(usize, f32)>, limit: usize) {
    if limit < scored.len() {
        scored.select_nth_unstable_by(limit, |a, b| b.1.total_cmp(&a.1));
        scored.truncate(limit);
    }
    sort(scored);
}

fn read_row(file: &File, row: usize, dimensions: usize) -> anyhow::Result<Vec<f32>> {
    let mut bytes = vec![0; dimensions * size_of::<f32>()];
    let start = (row * bytes.len()) as u64;
    file.read_exact_at(&mut bytes, start).context("reading a vector")?;
    let (values, _) = bytes.as_chunks::<4>();
    Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

/// The vectors of the generation before, by the digest of their text: unchanged texts are not embedded again.
pub struct Reuse {
    rows: std::collections::HashMap<Key, usize>,
    exact: File,
    dimensions: usize,
}

impl Reuse {
    /// Opens the vectors of an earlier generation.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn open(folder: &Path, name: &str, dimensions: usize) -> anyhow::Result<Self> {
        let keys = std::fs::read(folder.join(format!("{name}.keys")))?;
        let (keys, _) = keys.as_chunks::<16>();
        let rows = keys.iter().enumerate().map(|(row, key)| (*key, row)).collect();
        Ok(Reuse { rows, exact: File::open(folder.join(format!("{name}.f32")))?, dimensions })
    }

    /// The vector of a text, when it was embedded before.
    pub fn get(&self, key: &Key) -> Option<Vec<f32>> {
        read_row(&self.exact, *self.rows.get(key)?, self.dimensions).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(seed: usize, dimensions: usize) -> Vec<f32> {
        let raw: Vec<f32> = (0..dimensions).map(|at| ((seed * 31 + at * 17) as f32 * 0.7).sin()).collect();
        let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
        raw.iter().map(|value| value / length).collect()
    }

    #[test]
    fn the_quantised_scan_finds_what_floats_find() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = VectorWriter::create(folder.path(), "v", 48).unwrap();
        let all: Vec<Vec<f32>> = (0..500).map(|seed| unit(seed, 48)).collect();
        for (row, vector) in all.iter().enumerate() {
            writer.add(&key_of(&row.to_string()), vector).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 500);
        let vectors = Vectors::open(folder.path(), "v", 48).unwrap();
        for seed in [3, 77, 400] {
            let query = unit(seed, 48);
            let found = vectors.exactly_nearest((&query, None), 5).unwrap();
            let dot = |row: usize| all[row].iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
            let mut expected: Vec<usize> = (0..500).collect();
            expected.sort_by(|a, b| dot(*b).total_cmp(&dot(*a)).then(a.cmp(b)));
            assert!((found[0].1 - dot(expected[0])).abs() < 1e-4);
            assert_eq!(found.iter().map(|hit| hit.0).collect::<Vec<_>>(), expected[..5]);
        }
        let reuse = Reuse::open(folder.path(), "v", 48).unwrap();
        assert_eq!(reuse.get(&key_of("7")), Some(all[7].clone()));
        assert_eq!(reuse.get(&key_of("other")), None);
    }

    #[test]
    fn wrong_vectors_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = VectorWriter::create(folder.path(), "v", 4).unwrap();
        assert!(writer.add(&key_of("a"), &[1.0]).is_err());
        assert!(writer.add(&key_of("a"), &[f32::NAN, 0.0, 0.0, 0.0]).is_err());
        writer.add(&key_of("a"), &[1.0, 0.0, 0.0, 0.0]).unwrap();
        writer.finish().unwrap();
        std::fs::write(folder.path().join("v.f32"), [0; 3]).unwrap();
        let error = Vectors::open(folder.path(), "v", 4).err().unwrap().to_string();
        assert!(error.contains("v.f32 does not hold whole rows: run make index"), "{error}");
    }
}
