//! The shelf of the real index: tantivy and vectors in the generation's folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use async_trait::async_trait;

use crate::domain::{Language, Product};
use crate::engine::{Embed, ModelId};
use crate::index::qdrant::{Server, UploadProgress};
use crate::index::{self, Analyzer, Builder, Kinds, PassageEntry, Progress, Tools};

use super::IndexRequest;
use super::policies::NamedPassage;
use super::shelf::{Shelf, Shelved, Shelves};

/// Builds the index with an embedder.
pub struct Indexed<'e> {
    embed: &'e dyn Embed,
    analyzer: Analyzer,
    progress: Progress<'e>,
    server: Option<(Server, UploadProgress<'e>)>,
}

impl<'e> Indexed<'e> {
    /// With an embedder, telling how far the work is.
    pub fn new(embed: &'e dyn Embed, progress: Progress<'e>) -> Self {
        Indexed { embed, analyzer: Analyzer::new(), progress, server: None }
    }

    /// The same, with the vectors in a Qdrant server too before a generation serves.
    pub fn with_server(self, server: Server, progress: UploadProgress<'e>) -> Self {
        Indexed { server: Some((server, progress)), ..self }
    }
}

#[async_trait]
impl Shelves for Indexed<'_> {
    fn begin<'a>(&'a self, folder: &Path, request: &IndexRequest) -> anyhow::Result<Box<dyn Shelf + 'a>> {
        let kinds = request.categories.as_deref().map(category_words).transpose()?.unwrap_or_default();
        let before = index::current(&request.index).ok();
        let others = request.messages.as_deref().map(other_messages).transpose()?.unwrap_or_default();
        let tools = Tools { analyzer: &self.analyzer, embed: self.embed, kinds, others, progress: self.progress };
        Ok(Box::new(Builder::create(folder, before, tools)?))
    }

    fn embedder(&self) -> (ModelId, usize) {
        (self.embed.model(), self.embed.dimensions())
    }

    async fn publish(&self, generation: &str, folder: &Path) -> anyhow::Result<()> {
        let Some((server, progress)) = &self.server else { return Ok(()) };
        server.put((generation, folder), self.embed.dimensions(), *progress).await.map(drop)
    }

    async fn serves(&self, generation: &str, kept: &[String]) {
        let Some((server, _)) = &self.server else { return };
        let settled = async {
            server.name(generation).await?;
            server.forget(kept).await
        };
        match settled.await {
            Ok(deleted) => tracing::info!(?deleted, "collections nobody keeps are gone"),
            // The collection is asked by its own name: neither the alias nor an old one is in its way.
            Err(error) => tracing::warn!("the generation serves, but its server is not tidy: {error:#}"),
        }
    }
}

#[async_trait(?Send)]
impl Shelf for Builder<'_> {
    async fn add(&mut self, product: &Product) -> anyhow::Result<()> {
        self.add_product(product).await
    }

    async fn finish(self: Box<Self>, passages: Vec<NamedPassage>) -> anyhow::Result<Shelved> {
        let entry = |NamedPassage { id, passage, asked }| PassageEntry { id, passage, asked };
        let passages = passages.into_iter().map(entry).collect();
        let built = Builder::finish(*self, passages).await?;
        let index::Built { products, passages, embedded, reused } = built;
        Ok(Shelved { products, passages, embedded, reused })
    }
}

/// Commands whose messages the rules of the shop may answer.
const RULED: [&str; 2] = ["policy", "delivery_info"];
/// Every n-th of the other commands' messages is enough to know what is no question about the rules.
const EVERY: usize = 24;

/// Some of the labelled messages that ask for something else than a rule: each file holds `command = ["message", ..]`.
fn other_messages(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut others = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let table: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let lists = table.into_iter().filter(|(command, _)| !RULED.contains(&command.as_str()));
        let messages = lists.filter_map(|(_, list)| list.as_array().cloned()).flatten();
        let messages = messages.filter_map(|message| message.as_str().map(str::to_string));
        others.extend(messages.step_by(EVERY));
    }
    Ok(others)
}

/// Reads `categories.toml`: `[id]` with `name = {ru = ".."}` and `also`, a list or one list per language.
fn category_words(path: &Path) -> anyhow::Result<Kinds> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(Kinds::new()) };
    let tables: BTreeMap<String, toml::Table> = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut kinds = Kinds::new();
    for (id, table) in tables {
        let mut words: BTreeMap<Language, Vec<String>> = BTreeMap::new();
        for (language, name) in table.get("name").and_then(toml::Value::as_table).into_iter().flatten() {
            let language = language.parse().with_context(|| format!("{}: [{id}] name", path.display()))?;
            words.entry(language).or_default().extend(name.as_str().map(str::to_string));
        }
        let strings = |list: &toml::Value| -> Vec<String> {
            list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_string)).collect()
        };
        match table.get("also") {
            Some(toml::Value::Table(per_language)) => {
                for (language, list) in per_language {
                    let language = language.parse().with_context(|| format!("{}: [{id}] also", path.display()))?;
                    words.entry(language).or_default().extend(strings(list));
                }
            }
            Some(list) => words.values_mut().for_each(|known| known.extend(strings(list))),
            None => {}
        }
        kinds.insert(id, words.into_iter().map(|(language, list)| (language, list.join(" ; "))).collect());
    }
    Ok(kinds)
}
