//! All that is built once at start-up, and the only file that picks real or fake.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::carriers::Carriers;
use crate::config::{self, Config};
use crate::courier::{self, Courier};
use crate::domain::Language;
use crate::domain::booking::BookingRules;
use crate::domain::cart::{CartRules, Promotion};
use crate::domain::desk::OrderRules;
use crate::domain::handover::HandoverRules;
use crate::domain::menu::Menus;
use crate::domain::outreach::{MessageRules, StopWords as Spoken};
use crate::domain::shipment::CarrierRules;
use crate::domain::together::TogetherRules;
use crate::engine::{Catalog, Embed, Generate, Orders, PaymentLinks, Search};
use crate::guard::Guard;
use crate::identity::{Codes, Verifier};
use crate::pay;
use crate::render::Renderer;
use crate::screening::Screening;
use crate::shop::Shop;
use crate::store::StateStore;
use crate::together::Shelf;
use crate::understanding::{
    Alarms, Answers, CartWords, CodeWords, CommandRules, DayWords, ExampleIndex, Hinting, MenuWords, RuleTexts,
    Shelves, StopWords, Things, Understander, UnderstandingSettings,
};

pub use crate::store::sessions::Hold;

/// The assistant, ready to answer.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The shop's rules.
    pub shop: Shop,
    /// Input guardrails.
    pub screening: Screening,
    /// Message to commands.
    pub understander: Understander,
    /// Facts to words.
    pub renderer: Renderer,
    /// The output guard.
    pub guard: Guard,
    /// The index.
    pub search: Arc<dyn Search>,
    /// Prices and stock.
    pub catalog: Arc<dyn Catalog>,
    /// The same catalog, as what is bought together is counted for it.
    pub together: Arc<Shelf>,
    /// Orders.
    pub orders: Arc<dyn Orders>,
    /// Text to vectors.
    pub embed: Arc<dyn Embed>,
    /// The language model; none when it is switched off.
    pub generate: Option<Arc<dyn Generate>>,
    /// Conversations and audit, and the desk's book.
    pub state: StateStore,
    /// What the desk may do with an order.
    pub order_rules: OrderRules,
    /// What a cart may hold and what it costs besides its goods.
    pub cart_rules: CartRules,
    /// Where orders are paid.
    pub payments: Arc<dyn PaymentLinks>,
    /// What is meant with a cart.
    pub cart_words: CartWords,
    /// Which day is meant.
    pub day_words: DayWords,
    /// Believes the shop's tokens; none when none are accepted.
    pub tokens: Option<Verifier>,
    /// Codes sent to phones and e-mails.
    pub codes: Codes,
    /// Words for another code.
    pub code_words: CodeWords,
    /// Menus and quizzes.
    pub menus: Menus,
    /// Times that can be booked.
    pub booking: BookingRules,
    /// Which of their choices is meant.
    pub menu_words: MenuWords,
    /// When a person is called, and how long nobody may be kept waiting.
    pub handover_rules: HandoverRules,
    /// Words that call a person at once.
    pub alarms: Alarms,
    /// When the shop writes first, to whom and how often.
    pub message_rules: MessageRules,
    /// Words that ask to be left alone.
    pub stop_words: StopWords,
    /// Words that agree to messages the shop starts.
    pub start_words: StopWords,
    /// Words that say one does not have what was asked for.
    pub lacking: StopWords,
    /// Words that name things, and words that do not.
    pub things: Things,
    /// Who carries events to the merchant's own system; none while no address is set.
    pub courier: Option<Arc<dyn Courier>>,
    /// Who tells where parcels are.
    pub carriers: Carriers,
    /// Yes and no to a proposal of the desk.
    pub answers: Answers,
    /// The clock: tests set it.
    pub clock: fn() -> Timestamp,
}

/// The outside things, real or fake.
pub struct Engines {
    /// The index.
    pub search: Arc<dyn Search>,
    /// Prices and stock.
    pub catalog: Arc<dyn Catalog>,
    /// Orders.
    pub orders: Arc<dyn Orders>,
    /// Text to vectors.
    pub embed: Arc<dyn Embed>,
    /// The language model.
    pub generate: Option<Arc<dyn Generate>>,
    /// Conversations and audit.
    pub state: StateStore,
}

impl App {
    /// Reads rules and replies from `config.paths.data`, checks every sentence with the guard, and puts the
    /// engines to work.
    ///
    /// # Errors
    /// A broken rule, reply or example file; a sentence the guard would never let out: by file and key.
    pub async fn assemble(config: Config, engines: Engines) -> anyhow::Result<App> {
        let data = config.paths.data.clone();
        let shop = Shop::load(&data).context("loading the shop's rules")?;
        let renderer = Renderer::load(&data, shop.name()).context("loading the replies")?;
        let guard = Guard::new();
        check_templates(&guard, &renderer)?;
        check_questions(&guard, &shop)?;
        let screening = screening(&data)?;
        let order_rules: OrderRules = rules(&data, "returns.toml")?;
        let answers = answers(&data)?;
        let cart_rules = cart_rules(&data)?;
        let cart_words = CartWords::parse(&text(&data, "cart.toml")?).context("in rules/cart.toml")?;
        let day_words = DayWords::parse(&text(&data, "days.toml")?).context("in rules/days.toml")?;
        let menus = menus(&data, &guard)?;
        let menu_words = MenuWords::new(&menus);
        let booking: BookingRules = rules(&data, "booking.toml")?;
        booking.check().map_err(|fault| anyhow::anyhow!("in rules/booking.toml: {fault}"))?;
        let payments = pay::open(&config.payments)?;
        let tokens = Verifier::open(&config.identity.token)?;
        let codes = Codes::open(&config.identity.code)?;
        let code_words = CodeWords::parse(&text(&data, "identity.toml")?).context("in rules/identity.toml")?;
        let handover_rules: HandoverRules = rules(&data, "handover.toml")?;
        let alarms = Alarms::new(&handover_rules);
        let message_rules = message_rules(&data, &cart_rules)?;
        let stop_words = StopWords::new(&message_rules.stop);
        let start_words = StopWords::new(&message_rules.start);
        let Asked { lacks } = rules(&data, "asked.toml")?;
        let lacking = StopWords::new(&lacks);
        let things = Things::parse(&text(&data, "things_weights.tsv")?).context("in rules/things_weights.tsv")?;
        let courier = courier::open(&config.outbox)?;
        let carriers = carriers(&data, &config, &shop)?;
        let understander = understander(&config, &*engines.embed).await.context("loading commands and examples")?;
        let Engines { search, catalog, orders, embed, generate, state } = engines;
        let together = Arc::new(Shelf::over(catalog, together_rules(&data)?));
        together.recall(&state).await?;
        let catalog = Arc::clone(&together) as Arc<dyn Catalog>;
        let clock = Timestamp::now;
        Ok(App {
            config,
            shop,
            screening,
            understander,
            renderer,
            guard,
            search,
            catalog,
            together,
            orders,
            embed,
            generate,
            state,
            order_rules,
            cart_rules,
            payments,
            cart_words,
            day_words,
            tokens,
            codes,
            code_words,
            menus,
            booking,
            menu_words,
            handover_rules,
            alarms,
            message_rules,
            stop_words,
            start_words,
            lacking,
            things,
            courier,
            carriers,
            answers,
            clock,
        })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Why no message can be answered right now; empty when all is well.
    pub fn unready(&self) -> Vec<String> {
        let generation = self.search.generation();
        if generation.products == 0 {
            return vec![format!("the index {} holds no product; run `truetill index`", generation.id)];
        }
        Vec::new()
    }

    /// The language model itself, for those who may use it without the guard.
    pub fn generator(&self) -> Option<&dyn Generate> {
        self.generate.as_deref()
    }

    /// The model, where understanding may ask it.
    pub fn generate_for_understanding(&self) -> Option<&dyn Generate> {
        self.generate.as_deref().filter(|_| self.config.understanding.use_model)
    }
}

/// A file of rules below `data`.
fn rules<T: serde::de::DeserializeOwned>(data: &Path, file: &str) -> anyhow::Result<T> {
    toml::from_str(&text(data, file)?).with_context(|| format!("in {}", data.join("rules").join(file).display()))
}

fn text(data: &Path, file: &str) -> anyhow::Result<String> {
    let path = data.join("rules").join(file);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Promotions {
    #[serde(default)]
    promotion: Vec<Promotion>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    lacks: Spoken,
}

fn cart_rules(data: &Path) -> anyhow::Result<CartRules> {
    let Promotions { promotion: promotions } = rules(data, "promotions.toml")?;
    let read = CartRules { promotions, ..rules(data, "checkout.toml")? };
    read.check().map_err(|fault| anyhow::anyhow!("in rules/promotions.toml or rules/checkout.toml: {fault}"))?;
    Ok(read)
}

fn message_rules(data: &Path, cart: &CartRules) -> anyhow::Result<MessageRules> {
    let read: MessageRules = rules(data, "messages.toml")?;
    let checked = read.check(|code| cart.promotion(code).is_some());
    checked.map_err(|fault| anyhow::anyhow!("in rules/messages.toml: {fault}"))?;
    Ok(read)
}

fn together_rules(data: &Path) -> anyhow::Result<TogetherRules> {
    let read: TogetherRules = rules(data, "together.toml")?;
    read.check().map_err(|fault| anyhow::anyhow!("in rules/together.toml: {fault}"))?;
    Ok(read)
}

fn carriers(data: &Path, config: &Config, shop: &Shop) -> anyhow::Result<Carriers> {
    let read: CarrierRules = rules(data, "carriers.toml")?;
    read.check().map_err(|fault| anyhow::anyhow!("in rules/carriers.toml: {fault}"))?;
    Carriers::open(&config.carriers, read, &shop.time_zone())
}

fn menus(data: &Path, guard: &Guard) -> anyhow::Result<Menus> {
    let menus: Menus = rules(data, "menus.toml")?;
    menus.check().map_err(|fault| anyhow::anyhow!("in rules/menus.toml: {fault}"))?;
    for (language, step, text) in menus.texts() {
        // A menu is said as it stands, so it may say no more than a reply's own sentence may.
        let checked = guard.check_template(language, step, text, &[]);
        checked.map_err(|fault| anyhow::anyhow!("rules/menus.toml, step `{step}`, {language}: {fault}"))?;
    }
    Ok(menus)
}

fn answers(data: &Path) -> anyhow::Result<Answers> {
    let path = data.join("rules/desk.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Answers::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// The input guardrails with the rules of `rules/screening.toml` below `data`.
///
/// # Errors
/// The file is missing or a rule cannot be read.
pub fn screening(data: &Path) -> anyhow::Result<Screening> {
    let path = data.join("rules/screening.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let rules = text.parse().with_context(|| format!("in {}", path.display()))?;
    Screening::new(rules).with_context(|| format!("in {}", path.display()))
}

/// Vectors of the labelled examples, beside them; written by `truetill understand --learn`.
pub const SHIPPED_VECTORS: &str = "examples/vectors.bin";
/// Layers of the embedder tuned on the labelled examples, and what they think of those they had not seen; both written by
/// `scripts/tune_embedder.py`.
pub const TUNED_LAYERS: [&str; 2] = ["examples/tuned.gguf", "examples/held.bin"];
/// Lines over the embedder between words that name goods, words that describe them, and others; `scripts/train_marks.py` draws them.
pub const WORD_MARKS: &str = "examples/marks.gguf";
/// Layers of the embedder tuned for telling where a wish ends and the next begins; `scripts/train_wishes.py` tunes them.
pub const WISHES: &str = "examples/wishes.gguf";

/// Reads the rules and examples below `data/rules` and gets the examples' votes ready.
///
/// # Errors
/// A file is missing or cannot be read, or the embedder fails.
pub async fn understander(config: &Config, embed: &dyn Embed) -> anyhow::Result<Understander> {
    let rules = command_rules(config)?;
    let examples = ExampleIndex::build(&rules, embed, &shelves(config)).await?;
    let mut settings = UnderstandingSettings::default();
    if config.understanding.examples_threshold > 0.0 {
        settings.examples_sure = config.understanding.examples_threshold;
    }
    let config::Understanding { shots, candidates, .. } = config.understanding;
    settings.hinting = Hinting { shots, candidates: candidates.max(1) };
    Ok(Understander::new(rules, Some(examples), settings))
}

/// The labelled examples below `data/rules`, learnt.
///
/// # Errors
/// A file is missing or cannot be read, or the embedder fails.
pub async fn examples(config: &Config, embed: &dyn Embed) -> anyhow::Result<ExampleIndex> {
    ExampleIndex::build(&command_rules(config)?, embed, &shelves(config)).await
}

fn shelves(config: &Config) -> Shelves {
    let shipped = config.paths.data.join("rules").join(SHIPPED_VECTORS);
    let held = config.paths.data.join("rules").join(TUNED_LAYERS[1]);
    Shelves { shipped: Some(shipped), held: Some(held), own: Some(config.paths.state.join("examples")) }
}

fn command_rules(config: &Config) -> anyhow::Result<CommandRules> {
    let folder = config.paths.data.join("rules");
    let read = |file: &str| {
        let path = folder.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let labelled = |language: Language| read(&format!("examples/{language}.toml"));
    let [en, ru, sk, zh] = Language::ALL.map(labelled);
    Ok(CommandRules::new(RuleTexts {
        commands: &read("commands.toml")?,
        examples: [&en?, &ru?, &sk?, &zh?],
        phrases: &read("phrases.toml")?,
        slots: &read("slots.toml")?,
        places: &read("places.toml")?,
        colours: &read("colours.toml")?,
        details: &read("details.toml")?,
        search: &read("search.toml")?,
        shown: &read("shown.toml")?,
        weighing: &read("weighing.toml")?,
    })?)
}

/// What is asked to narrow a search down is said as it stands, so it may say no more than a reply's own sentence may.
fn check_questions(guard: &Guard, shop: &Shop) -> anyhow::Result<()> {
    for (id, property) in shop.narrowings().properties() {
        for (language, ask) in property.ask.iter().flat_map(|ask| ask.all()) {
            let checked = guard.check_template(language, id, ask, &[]);
            checked.map_err(|fault| anyhow::anyhow!("rules/narrowing.toml, [{id}], {language}: {fault}"))?;
        }
    }
    Ok(())
}

fn check_templates(guard: &Guard, renderer: &Renderer) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for (language, key, template) in renderer.templates() {
        let slots: Vec<&str> = template.slots().collect();
        if let Err(fault) = guard.check_template(language, key, template.source(), &slots) {
            faults.push(fault.to_string());
        }
    }
    if !faults.is_empty() {
        bail!("the guard refuses these sentences:\n{}", faults.join("\n"));
    }
    Ok(())
}
