//! Opening what a command needs: models, index, stores. Each failure names its fix.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use crate::app::{App, Engines};
use crate::config::{self, Config};
use crate::domain::vectors::VectorHome;
use crate::engine::{Catalog, Embed, Generate, Search};
use crate::index::Index;
use crate::index::qdrant::Server;
use crate::inference::{DeviceChoice, Embedder, EmbedderSettings, Generator, GeneratorSettings, threads};
use crate::live::{Live, Open, Serving};
use crate::pull::folders::Folders;
use crate::pull::{Models, PullRequest, VerifiedModel};
use crate::remote::Remote;
use crate::shop::Shop;
use crate::sources::live::LiveCatalog;
use crate::store::{CatalogSettings, CatalogStore, OrderBook, StateStore};

/// The whole assistant.
pub(super) async fn app(config: Config) -> anyhow::Result<App> {
    Ok(serving(config).await?.0)
}

/// The whole assistant, and its index, which can be exchanged while it serves.
pub(super) async fn serving(config: Config) -> anyhow::Result<(App, Arc<Live>)> {
    let embed = embedder(&config)?;
    let state = state(&config).await?;
    let opener = Opener { config: config.clone(), embed: Arc::clone(&embed), state: state.clone() };
    let live = Arc::new(Live::start(config.paths.index.clone(), Box::new(opener)).await?);
    let generate: Option<Arc<dyn Generate>> = generator(&config)?;
    let aside = state.take_orders(&OrderBook::load(&config.paths.data.join("orders"))?).await?;
    if aside > 0 {
        tracing::warn!(aside, "orders changed here since they were read keep their state; see data/orders");
    }
    let catalog = LiveCatalog::over(Arc::clone(&live) as Arc<dyn Catalog>, &config, Arc::new(Timestamp::now))?;
    let engines = Engines {
        search: Arc::clone(&live) as Arc<dyn Search>,
        catalog,
        orders: Arc::new(state.clone()),
        embed,
        generate,
        state,
    };
    Ok((App::assemble(config, engines).await?, live))
}

/// The database of `[store]`.
pub(super) async fn state(config: &Config) -> anyhow::Result<StateStore> {
    match config.store.url.0.as_str() {
        "" => StateStore::open(&config.paths.state).await,
        url => StateStore::connect(url, config.store.connections).await,
    }
}

/// Opens the generation that `index/current` names, under the prices told since.
struct Opener {
    config: Config,
    embed: Arc<dyn Embed>,
    state: StateStore,
}

#[async_trait]
impl Open for Opener {
    async fn open(&self) -> anyhow::Result<Serving> {
        let index = index(&self.config, &*self.embed).await?;
        let shop = Shop::load(&self.config.paths.data)?;
        let folder = index.folder().to_path_buf();
        let catalog = catalog(&self.config, &folder, &shop).await?.under(self.state.clone());
        Ok(Serving { folder, search: Arc::new(index), catalog: Arc::new(catalog) })
    }
}

/// Gives the assistant a state of its own with the merchant's orders as they are in the files: what is rehearsed there never
/// reaches the shop's own.
pub(super) async fn rehearsal(app: &mut App) -> anyhow::Result<()> {
    let state = StateStore::in_memory().await?;
    state.take_orders(&OrderBook::load(&app.config.paths.data.join("orders"))?).await?;
    app.orders = Arc::new(state.clone());
    app.state = state;
    Ok(())
}

/// The folders and the manifest of the configured models.
pub(super) fn models(config: &Config) -> anyhow::Result<Models> {
    Ok(Models::open(Folders { models: config.models_dir(), ..Folders::from_env() })?)
}

/// The embedder.
pub(super) fn embedder(config: &Config) -> anyhow::Result<Arc<dyn Embed>> {
    let model = models(config)?.locate("embedder")?;
    let present = |file: &str| Some(config.paths.data.join("rules").join(file)).filter(|path| path.exists());
    let (tuned, marks, wishes) =
        (present(crate::app::TUNED_LAYERS[0]), present(crate::app::WORD_MARKS), present(crate::app::WISHES));
    let plain = EmbedderSettings::default();
    let whole = EmbedderSettings { tuned, marks, wishes, ..plain.clone() };
    if let Ok(embed) = Embedder::load(&model, whole.clone()) {
        return Ok(Arc::new(embed));
    }
    // What does not fit must not keep the shop closed: it understands somewhat less without it.
    let mut embed = Embedder::load(&model, plain.clone())?;
    let mut fitting = plain;
    let EmbedderSettings { tuned, marks, wishes, .. } = whole;
    let with: [&dyn Fn(EmbedderSettings) -> EmbedderSettings; 3] = [
        &|settings| EmbedderSettings { tuned: tuned.clone(), ..settings },
        &|settings| EmbedderSettings { marks: marks.clone(), ..settings },
        &|settings| EmbedderSettings { wishes: wishes.clone(), ..settings },
    ];
    for part in with {
        let settings = part(fitting.clone());
        match Embedder::load(&model, settings.clone()) {
            Ok(better) => (embed, fitting) = (better, settings),
            Err(fault) => tracing::warn!(fault = format!("{fault:#}"), "going on without it"),
        }
    }
    Ok(Arc::new(embed))
}

/// The language model of this process or of a server, unless `generation.model` is `none`.
fn generator(config: &Config) -> anyhow::Result<Option<Arc<dyn Generate>>> {
    if config.generation.model == "none" {
        return Ok(None);
    }
    if config.generation.threads > 0 {
        threads::restart_with(config.generation.threads).context("setting generation.threads")?;
    }
    if config.generation.engine == config::Engine::OpenAi {
        return Ok(Some(Arc::new(Remote::open(&config.generation)?)));
    }
    let model = language_model(config, &config.generation.model)?;
    let settings = generator_settings(config)?;
    Ok(Some(Arc::new(Generator::load(&model, settings)?)))
}

/// Says which model there is, whether its file is whole or its server answers.
pub(super) async fn model_in_words(config: &Config) -> anyhow::Result<String> {
    match (config.generation.model.as_str(), config.generation.engine) {
        ("none", _) => Ok("none: rules and templates alone".to_string()),
        (_, config::Engine::OpenAi) => Remote::open(&config.generation)?.check().await,
        (name, config::Engine::Local) => Ok(language_model(config, name)?.id.name),
    }
}

/// The model's settings of `[generation]`.
pub(super) fn generator_settings(config: &Config) -> anyhow::Result<GeneratorSettings> {
    let device = match config.generation.device.as_str() {
        "cpu" => DeviceChoice::Cpu,
        "cuda" => DeviceChoice::Cuda(0),
        "auto" if cfg!(feature = "cuda") => DeviceChoice::Cuda(0),
        "auto" => DeviceChoice::Cpu,
        other => bail!("generation.device = \"{other}\": use auto, cpu or cuda"),
    };
    let (queue, sessions, context) = (config.generation.queue, config.generation.sessions, config.generation.context);
    Ok(GeneratorSettings {
        queue,
        sessions,
        memory: config.generation.memory_mb << 20,
        context,
        device,
        drafts: false,
        stock: false,
    })
}

/// The verified file behind a role, a name or a path.
pub(super) fn language_model(config: &Config, name: &str) -> anyhow::Result<VerifiedModel> {
    let known = match name.parse()? {
        PullRequest::Path(path) => {
            let file = path.file_name().and_then(|file| file.to_str()).context("the model's path names no file")?;
            file.to_string()
        }
        _ => name.to_string(),
    };
    Ok(models(config)?.locate(&known)?)
}

/// The generation that serves.
pub(super) async fn index(config: &Config, embed: &dyn Embed) -> anyhow::Result<Index> {
    let (folder, model) = (config.paths.index.clone(), embed.model());
    match config.index.vectors {
        VectorHome::Qdrant => Index::open_beside(&folder, &model, &Server::new(&config.index.qdrant)?).await,
        // Reading and checking files takes a while: not on the threads that serve connections.
        VectorHome::Embedded => Ok(tokio::task::spawn_blocking(move || Index::open(&folder, &model)).await??),
    }
}

/// The catalog of a generation.
pub(super) async fn catalog(config: &Config, folder: &Path, shop: &Shop) -> anyhow::Result<CatalogStore> {
    let max_age = i64::try_from(config.shop.max_price_age_s).context("shop.max_price_age_s is too large")?;
    let settings = CatalogSettings {
        max_age: config.shop.live_prices.then(|| SignedDuration::from_secs(max_age)),
        time_zone: shop.time_zone(),
        clock: Arc::new(Timestamp::now),
    };
    CatalogStore::open(&folder.join(crate::generation::CATALOG), &generation_of(folder), settings).await
}

fn generation_of(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A progress bar on a terminal, nothing for programs.
pub(super) fn bar(json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::new(0).with_message("indexing");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Moves a bar.
pub(super) fn advance(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}
