//! The lexical half: one tantivy index with a field per language for names, kinds and texts, and one for codes and brand.
//! Words that no text holds are matched with a typo; nothing else is guessed.

use std::path::Path;

use anyhow::Context;
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::SingleSegmentIndexWriter;
use tantivy::query::{BooleanQuery, BoostQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher, TantivyDocument, Term};

use crate::domain::Language;

use super::analysis::{Analyzer, Word, words};
use super::concepts::Met;
use super::heads::Heads;
use super::terms::{TermGroup, Terms, Vocabulary};
use super::translit;

const WRITER_BYTES: usize = 64 << 20;
/// A shorter word is never matched with a typo: too many words are one letter apart.
const SHORTEST_FUZZY: usize = 4;
/// A shorter word is not looked for in the other alphabet.
const SHORTEST_OTHER: usize = 3;
/// From this length on, two typos are allowed.
const TWO_TYPOS: usize = 8;
/// Spellings tried for one mistyped word.
const SPELLINGS: usize = 6;

/// What a match in each field is worth.
#[derive(Clone, Copy, Debug)]
pub struct Boosts {
    /// The name.
    pub name: f32,
    /// Category and its synonyms.
    pub kind: f32,
    /// Description and attributes.
    pub text: f32,
    /// Brand and codes.
    pub label: f32,
    /// What fields other than the best one add.
    pub tie: f32,
    /// A spelling that had to be guessed.
    pub typo: f32,
    /// Another word for the same thing.
    pub same: f32,
}

#[derive(Clone, Copy)]
struct LanguageFields {
    language: Language,
    name: Field,
    kind: Field,
    text: Field,
}

#[derive(Clone)]
struct Fields {
    by_language: Vec<LanguageFields>,
    label: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs);
    let options = TextOptions::default().set_indexing_options(indexing);
    let by_language = Language::ALL
        .into_iter()
        .map(|language| LanguageFields {
            language,
            name: builder.add_text_field(&format!("name_{language}"), options.clone()),
            kind: builder.add_text_field(&format!("kind_{language}"), options.clone()),
            text: builder.add_text_field(&format!("text_{language}"), options.clone()),
        })
        .collect();
    let label = builder.add_text_field("label", options);
    builder.add_u64_field("row", FAST);
    (builder.build(), Fields { by_language, label })
}

/// One entry to be found, its texts by language.
#[derive(Default)]
pub struct Entry {
    /// Names, or a passage's heading.
    pub names: Vec<(Language, String)>,
    /// Category words.
    pub kinds: Vec<(Language, String)>,
    /// Everything else that is said.
    pub texts: Vec<(Language, String)>,
    /// Brand and codes, the same in every language.
    pub label: String,
}

/// Writes a lexical index; entries are numbered in the order added.
pub struct LexicalWriter<'a> {
    writer: SingleSegmentIndexWriter,
    fields: Fields,
    row: Field,
    rows: u64,
    analyzer: &'a Analyzer,
}

impl<'a> LexicalWriter<'a> {
    /// Creates the index in a new folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(folder: &Path, analyzer: &'a Analyzer) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let (schema, fields) = schema();
        let row = schema.get_field("row")?;
        let directory = MmapDirectory::open(folder)?;
        let writer = Index::builder().schema(schema).single_segment_index_writer(directory, WRITER_BYTES)?;
        Ok(LexicalWriter { writer, fields, row, rows: 0, analyzer })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let mut document = TantivyDocument::default();
        for fields in &self.fields.by_language {
            let texts = [(fields.name, &entry.names), (fields.kind, &entry.kinds), (fields.text, &entry.texts)];
            for (field, list) in texts {
                for (_, text) in list.iter().filter(|(language, _)| *language == fields.language) {
                    document.add_pre_tokenized_text(field, pre_tokenized(self.analyzer.tokens(fields.language, text)));
                }
            }
        }
        let label = words(&entry.label).into_iter().map(|word| word.text).collect();
        document.add_pre_tokenized_text(self.fields.label, pre_tokenized(label));
        document.add_u64(self.row, self.rows);
        self.rows += 1;
        self.writer.add_document(document).context("adding to the lexical index")
    }

    /// Closes the index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        self.writer.finalize().context("closing the lexical index")?;
        Ok(())
    }
}

fn pre_tokenized(tokens: Vec<String>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    PreTokenizedString { text: String::new(), tokens: tokens.into_iter().enumerate().map(token).collect() }
}

/// A lexical index open for search.
pub struct Lexical {
    searcher: Searcher,
    fields: Fields,
    heads: Heads,
    // Keeps the files mapped.
    _reader: IndexReader,
}

impl Lexical {
    /// Opens an index.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let index = Index::open_in_dir(folder).with_context(|| format!("opening {}", folder.display()))?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields) = schema();
        let searcher = reader.searcher();
        let names = fields.by_language.iter().find(|of| of.language == Language::Zh).map(|of| of.name);
        let heads = names.map(|field| Heads::of_names(&searcher, field)).transpose()?.unwrap_or_default();
        Ok(Lexical { searcher, fields, heads, _reader: reader })
    }

    /// Checks tantivy's own checksums.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn validate(folder: &Path) -> anyhow::Result<()> {
        let damaged = Index::open_in_dir(folder)?.validate_checksum()?;
        anyhow::ensure!(damaged.is_empty(), "{} is damaged: {damaged:?}", folder.display());
        Ok(())
    }

    /// Cuts a question into terms: stop words out unless nothing else is left, typos resolved, `cat 5e` also as `cat5e`.
    pub fn terms(&self, text: &str, vocabulary: &Vocabulary, languages: &[Language], boosts: &Boosts) -> Terms {
        let Vocabulary { analyzer, concepts } = vocabulary;
        let all: Vec<Word> = words(text)
            .into_iter()
            .flat_map(|word| if word.han { analyzer.segments(&word.text) } else { vec![word] })
            .collect();
        let mut kept: Vec<Word> = all.iter().filter(|word| !analyzer.is_stopword(word)).cloned().collect();
        if kept.is_empty() {
            kept = all;
        }
        let met = concepts.in_question(&kept, analyzer);
        let hidden = concepts.across_words(&kept);
        // What several words say together is not also said by one of them: a power bank is no rechargeable brush.
        let longer = met.iter().filter(|met| met.length > 1).chain(hidden.iter().map(|(_, met)| met));
        let taken: std::collections::HashSet<usize> = longer.flat_map(|met| met.from..met.from + met.length).collect();
        let mut seen = std::collections::HashSet::new();
        let mut groups = Vec::new();
        for (at, word) in kept.iter().enumerate() {
            if seen.insert(word.text.clone()) {
                let mut group = self.exact_group(word, analyzer, languages);
                met.iter()
                    .filter(|met| met.from == at && met.length == 1 && !taken.contains(&at))
                    .for_each(|met| self.widen(&mut group, met, languages, boosts));
                if word.han && languages.contains(&Language::Zh) {
                    let such = self.heads.of(&word.text).iter();
                    group.tokens.extend(such.map(|token| (Language::Zh, token.clone(), boosts.same)));
                }
                self.guess(&mut group, word, (analyzer, languages), boosts);
                groups.push(group);
            }
            for met in met.iter().filter(|met| met.from == at && met.length > 1) {
                let said: Vec<&str> = kept[at..at + met.length].iter().map(|word| word.text.as_str()).collect();
                let mut group = TermGroup {
                    word: said.concat(),
                    tokens: Vec::new(),
                    phrases: Vec::new(),
                    extra: true,
                    guessed: false,
                };
                self.widen(&mut group, met, languages, boosts);
                groups.push(group);
            }
            let next = kept.get(at + 1).filter(|next| !next.han && !next.joined && !word.han && !word.joined);
            let Some(next) = next else { continue };
            let pair = Word { text: format!("{}{}", word.text, next.text), han: false, joined: true };
            let group = self.exact_group(&pair, analyzer, languages);
            if !group.tokens.is_empty() && seen.insert(pair.text.clone()) {
                groups.push(group);
            }
        }
        for (said, met) in hidden {
            let mut group =
                TermGroup { word: said, tokens: Vec::new(), phrases: Vec::new(), extra: true, guessed: false };
            self.widen(&mut group, &met, languages, boosts);
            groups.push(group);
        }
        Terms { words: groups }
    }

    fn exact_group(&self, word: &Word, analyzer: &Analyzer, languages: &[Language]) -> TermGroup {
        let tokens = languages
            .iter()
            .flat_map(|language| analyzer.word_tokens(*language, word).into_iter().map(|token| (*language, token, 1.0)))
            .filter(|(language, token, _)| self.holds((*language, token), true))
            .collect();
        TermGroup { word: word.text.clone(), tokens, phrases: Vec::new(), extra: word.joined, guessed: false }
    }

    /// Adds the other words for what a group says, as far as the index holds them.
    fn widen(&self, group: &mut TermGroup, met: &Met<'_>, languages: &[Language], boosts: &Boosts) {
        for (language, tokens) in met.phrases.iter().copied().filter(|phrase| languages.contains(&phrase.0)) {
            if !tokens.iter().all(|token| self.holds((*language, token), true)) {
                continue;
            }
            match tokens.as_slice() {
                [token] if group.tokens.iter().any(|known| known.0 == *language && known.1 == *token) => {}
                [token] => group.tokens.push((*language, token.clone(), boosts.same)),
                several => group.phrases.push((*language, several.to_vec(), boosts.same)),
            }
        }
    }

    /// Looks for other spellings of a word that nothing in the index stands for.
    fn guess(&self, group: &mut TermGroup, word: &Word, from: (&Analyzer, &[Language]), boosts: &Boosts) {
        let (analyzer, languages) = from;
        let letters = word.text.chars().count();
        if !group.is_empty() || word.han || letters < SHORTEST_OTHER {
            return;
        }
        for spelling in translit::other_alphabet(&word.text) {
            let other = Word { text: spelling, ..word.clone() };
            let tokens = self.exact_group(&other, analyzer, languages).tokens;
            group.tokens.extend(tokens.into_iter().map(|(language, token, _)| (language, token, boosts.typo)));
        }
        let may_be_typo = !word.han && letters >= SHORTEST_FUZZY && word.text.chars().all(char::is_alphabetic);
        if group.is_empty() && may_be_typo {
            group.guessed = true;
            for language in languages {
                for token in self.forms(word, *language, analyzer) {
                    let spellings = self.spellings(*language, &token, letters);
                    group.tokens.extend(spellings.into_iter().map(|token| (*language, token, boosts.typo)));
                }
            }
        }
    }

    /// The tokens of a word as typed, and in the other alphabet as it sounds.
    fn forms(&self, word: &Word, language: Language, analyzer: &Analyzer) -> Vec<String> {
        let other = translit::other_alphabet(&word.text).into_iter().next();
        let other = other.map(|text| analyzer.word_tokens(language, &Word { text, ..word.clone() }));
        analyzer.word_tokens(language, word).into_iter().chain(other.into_iter().flatten()).collect()
    }

    /// The fields of a language and those of none; with or without what is told about a product.
    fn fields_of(&self, language: Language, texts: bool) -> Vec<Field> {
        let of_language = self.fields.by_language.iter().filter(|fields| fields.language == language);
        let own = of_language.flat_map(|fields| [Some(fields.name), Some(fields.kind), texts.then_some(fields.text)]);
        own.flatten().chain([self.fields.label]).collect()
    }

    fn holds(&self, (language, token): (Language, &str), texts: bool) -> bool {
        let stands = |field| self.searcher.doc_freq(&Term::from_field_text(field, token)).unwrap_or(0) > 0;
        self.fields_of(language, texts).into_iter().any(stands)
    }

    /// True when what stands for a word is in a name, a kind, a brand or a code, and not only in what is told about a product.
    pub fn names_something(&self, group: &TermGroup) -> bool {
        let named = |language: Language, token: &str| self.holds((language, token), false);
        group.tokens.iter().any(|(language, text, _)| named(*language, text))
            || group.phrases.iter().any(|(language, words, _)| words.iter().all(|word| named(*language, word)))
    }

    /// The words of the index nearest to a mistyped one: same first letter, fewest edits, then most frequent.
    fn spellings(&self, language: Language, token: &str, letters: usize) -> Vec<String> {
        let farthest = if letters >= TWO_TYPOS { 2 } else { 1 };
        for distance in 1..=farthest {
            let mut found: Vec<(u64, String)> = Vec::new();
            for field in self.fields_of(language, true) {
                found.extend(self.within(field, token, distance).unwrap_or_default());
            }
            found.retain(|(_, spelling)| spelling.chars().next() == token.chars().next());
            found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let mut seen = std::collections::HashSet::new();
            found.retain(|(_, spelling)| seen.insert(spelling.clone()));
            if !found.is_empty() {
                return found.into_iter().take(SPELLINGS).map(|(_, spelling)| spelling).collect();
            }
        }
        Vec::new()
    }

    fn within(&self, field: Field, token: &str, distance: u8) -> anyhow::Result<Vec<(u64, String)>> {
        let fuzzy = FuzzyTermQuery::new(Term::from_field_text(field, token), distance, true);
        let mut found = Vec::new();
        for segment in self.searcher.segment_readers() {
            let inverted = segment.inverted_index(field)?;
            let mut stream = inverted.terms().search(fuzzy.automaton()?).into_stream()?;
            while stream.advance() {
                let frequency = u64::from(stream.value().doc_freq);
                found.push((frequency, String::from_utf8_lossy(stream.key()).into_owned()));
            }
        }
        Ok(found)
    }

    /// The rows that hold most of the terms, best first, with their score.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn search(&self, terms: &Terms, boosts: &Boosts, limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        let clauses: Vec<(Occur, Box<dyn Query>)> = terms
            .words
            .iter()
            .filter(|group| !group.is_empty())
            .map(|group| (Occur::Should, self.clause(group, boosts)))
            .collect();
        if clauses.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let query = BooleanQuery::new(clauses);
        let found = self.searcher.search(&query, &TopDocs::with_limit(limit).order_by_score())?;
        let mut hits = Vec::with_capacity(found.len());
        for (score, address) in found {
            let rows = self.searcher.segment_reader(address.segment_ord).fast_fields().u64("row")?;
            hits.push((rows.first(address.doc_id).context("an entry without row")? as usize, score));
        }
        Ok(hits)
    }

    fn clause(&self, group: &TermGroup, boosts: &Boosts) -> Box<dyn Query> {
        let mut matches: Vec<Box<dyn Query>> = Vec::new();
        for (language, tokens, worth) in &group.phrases {
            // All of its words together are worth what one word is.
            let worth = worth / tokens.len().max(1) as f32;
            let one = |token: &String| {
                let alone = TermGroup {
                    word: token.clone(),
                    tokens: vec![(*language, token.clone(), worth)],
                    phrases: Vec::new(),
                    extra: true,
                    guessed: false,
                };
                (Occur::Must, self.clause(&alone, boosts))
            };
            matches.push(Box::new(BooleanQuery::new(tokens.iter().map(one).collect())));
        }
        let mut add = |field, token: &str, boost: f32| {
            let term = TermQuery::new(Term::from_field_text(field, token), IndexRecordOption::WithFreqs);
            matches.push(Box::new(BoostQuery::new(Box::new(term), boost)));
        };
        let mut labels = std::collections::HashSet::new();
        for (language, token, worth) in &group.tokens {
            for fields in self.fields.by_language.iter().filter(|fields| fields.language == *language) {
                add(fields.name, token, boosts.name * worth);
                add(fields.kind, token, boosts.kind * worth);
                add(fields.text, token, boosts.text * worth);
            }
            // Labels are not stemmed: the word itself is looked for, and the spelling that was found for it.
            for form in [token, &group.word] {
                if labels.insert(form.clone()) {
                    add(self.fields.label, form, boosts.label * worth);
                }
            }
        }
        Box::new(DisjunctionMaxQuery::with_tie_breaker(matches, boosts.tie))
    }
}
