//! The command line: what can be typed, and which function answers it.
//! Exit codes: 0 done, 1 done but with findings (a failed scenario, a refused index), 2 could not be done,
//! 3 an index that serves without some rows of the feeds.

#![allow(clippy::print_stdout, reason = "printing is what a command line does")]

mod bench;
mod bench_drafts;
mod bench_guard;
mod bench_masks;
mod bench_outputs;
mod bench_retrieval;
mod compare;
mod conversation;
mod data;
mod eval_page;
mod eval_talk;
mod eval_turns;
mod explain;
mod feeds;
mod load;
mod messages;
mod models;
mod open;
mod operate;
mod quality;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use data::{Home, Mode};
pub use feeds::{IndexArgs, PatchArgs};
pub use messages::MessagesArgs;

use crate::config::Config;
use crate::domain::Language;
use crate::index::batch::BatchMode;
use crate::understanding::Hinting;

/// A shop assistant that cannot quote a wrong price.
#[derive(Debug, Parser)]
#[command(name = "truetill", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  truetill pull                                   fetch and verify the models
  truetill index --catalog data/catalog           build the index and switch to it
  truetill ask \"Сколько стоит чайник «Волна»?\"    one answer on the terminal
  truetill serve                                  HTTP API and chat page on 127.0.0.1:7070";

/// What every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Settings file; default: truetill.toml when it exists.
    #[arg(long, global = true, env = "TRUETILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// Log level: error, warn, info, debug, or a tracing filter.
    #[arg(long, global = true, env = "TRUETILL_LOG", default_value = "warn", value_name = "FILTER")]
    pub log: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch, verify and unpack models: all the shop needs, one by name, hf:OWNER/REPO/FILE, or a path.
    Pull {
        /// Names or addresses; none: the default model and the embedder.
        models: Vec<String>,
    },
    /// List the models and whether they are here.
    Models,
    /// Build a new index generation beside the live one and switch to it; or go back to the one before.
    Index(IndexArgs),
    /// Let new prices and stock of delta feeds count at once, without a new index.
    Patch(PatchArgs),
    /// Serve the HTTP API and the chat page.
    Serve {
        /// Port; 0 takes a free one.
        #[arg(long)]
        port: Option<u16>,
        /// Address; other than loopback only with a key in server.keys.
        #[arg(long)]
        host: Option<String>,
        /// Messages to answer on the terminal before anything else, each in its own conversation.
        #[arg(long, value_name = "TEXT")]
        ask: Vec<String>,
    },
    /// Answer one message.
    Ask {
        /// The message.
        text: String,
        /// Who asks.
        #[command(flatten)]
        who: Who,
        /// Print what was understood and found, the plan, the verdict and the times.
        #[arg(long)]
        explain: bool,
    },
    /// Talk on the terminal.
    Chat {
        /// Who talks.
        #[command(flatten)]
        who: Who,
        /// Print what was understood and found, the plan, the verdict and the times.
        #[arg(long)]
        explain: bool,
    },
    /// Search a file of queries and write a TREC run.
    Search {
        /// Lines `qid<TAB>query`.
        #[arg(long, value_name = "TSV")]
        queries: PathBuf,
        /// Lines `qid Q0 docid rank score truetill`.
        #[arg(long, value_name = "FILE")]
        run: PathBuf,
        /// Which half of the index.
        #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
        mode: Mode,
        /// Hits per query.
        #[arg(long, default_value_t = 100)]
        k: usize,
        /// Documents of the policies instead of products.
        #[arg(long)]
        policies: bool,
    },
    /// Check texts against facts: the guard alone.
    Check(Cases),
    /// Understand one message or a file of them: commands, slots, tier; no index and no language model is needed for one.
    Understand(UnderstandArgs),
    /// Screen messages: injection, spam, personal data.
    Screen(Cases),
    /// Run scenario files and count those that pass; or measure understanding over a table of labelled messages.
    Eval(EvalArgs),
    /// Measure, beside the machine's own bounds.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: Bench,
    },
    /// List the feeds of [sources]: when they came, when they are fetched next, what became of them.
    Sources,
    /// Copy the whole state from the SQLite file into an empty PostgreSQL database; then set store.url to it.
    MoveState {
        /// Its address: postgres://...
        to: String,
    },
    /// Say what is ready and what is missing, with the fix.
    Doctor,
    /// Show a turn's record; without an id the latest turns.
    Audit {
        /// A turn's id.
        turn: Option<String>,
    },
    /// List the messages the shop started; show what is due now, or decide and carry it.
    Messages(MessagesArgs),
    /// Count what the assistant achieved, with the definition of each figure.
    Kpi {
        /// The first day (2026-11-01) or moment; default: thirty days before the last.
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// The last day; default: now.
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// How to print it; `--json` is the same as json.
        #[arg(long, value_enum, default_value_t = Shape::Table)]
        format: Shape,
    },
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// A scenario file, a folder of them, or a table such as data/eval/understanding/dev.tsv.
    pub path: PathBuf,
    /// Runs of each scenario; pass^K counts those that pass every time.
    #[arg(long, default_value_t = 1, value_name = "K")]
    pub repeat: usize,
    /// Of a table: print every message that was understood otherwise.
    #[arg(long)]
    pub faults: bool,
    /// Of a table: also write a page with figures, how far sureness can be believed, and what is taken for what.
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    pub html: Option<PathBuf>,
    /// Of a table: each tier alone and together, the small and the default model, without and with retrieved examples.
    #[arg(long, conflicts_with = "faults")]
    pub compare: bool,
    /// With --compare: so many messages of each language, spread over the table; 0 for all.
    #[arg(long, default_value_t = 0, value_name = "N", requires = "compare")]
    pub sample: usize,
    /// With --compare: a model, by role or name; may be repeated. Without it the small and the default one.
    #[arg(long = "model", value_name = "MODEL", requires = "compare")]
    pub models: Vec<String>,
    /// With --compare: how many labelled messages the model is shown and among how many of the likeliest commands it chooses,
    /// such as 8/3; may be repeated.
    #[arg(long = "hints", value_name = "SHOTS/COMMANDS", requires = "compare")]
    pub hints: Vec<Hinting>,
    /// With --compare: each model only as it is used, where rules and examples are unsure.
    #[arg(long, requires = "compare")]
    pub together: bool,
}

/// Who asks.
#[derive(Debug, Args)]
pub struct Who {
    /// The channel's language; the message's own wins when it is clear.
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Language>,
    /// A customer whose identity the shop has checked.
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
}

/// A file of cases.
#[derive(Debug, Args)]
pub struct Cases {
    /// The cases; one JSON line each goes to standard output.
    #[arg(long, value_name = "TSV")]
    pub cases: PathBuf,
}

/// A message, or a file of cases.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub struct Understood {
    /// A message.
    #[arg(group = "what")]
    pub text: Option<String>,
    /// Cases `id<TAB>text`; one JSON line each goes to standard output.
    #[arg(long, value_name = "TSV", group = "what")]
    pub cases: Option<PathBuf>,
    /// Learn data/rules/examples anew: writes the examples' vectors beside them (examples/vectors.bin), and tells how many
    /// of them the others know, per command, and what they are taken for.
    #[arg(long, group = "what")]
    pub learn: bool,
}

/// Options of `understand`.
#[derive(Debug, Args)]
pub struct UnderstandArgs {
    /// What to understand.
    #[command(flatten)]
    pub what: Understood,
    /// Also why this tier decided; of one message the nearest labelled examples too.
    #[arg(long)]
    pub explain: bool,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The language model: prefill, decode, first token, memory.
    Inference {
        /// A role, name or path.
        #[arg(long, default_value = "default")]
        model: String,
        /// Tokens to read.
        #[arg(long, default_value_t = 128)]
        prompt_tokens: usize,
        /// Tokens to write.
        #[arg(long, default_value_t = 32)]
        gen_tokens: usize,
        /// Worker threads; 0 for all cores.
        #[arg(long, default_value_t = 0)]
        threads: usize,
        /// Runs; the median is told.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Measure so many jobs of unequal length one after another and at once; 0 leaves it out.
        #[arg(long, default_value_t = 0)]
        sessions: usize,
        /// Measure candle's own model of the file beside ours, run by run.
        #[arg(long)]
        compare: bool,
    },
    /// The guard beside its peers: escapes, false rejects, microseconds per KB.
    Guard {
        /// Case files as `check --cases` reads them, besides the assistant's own replies over the data folder.
        #[arg(long, value_name = "TSV")]
        cases: Vec<PathBuf>,
    },
    /// The grammar of replies in the model's own words: milliseconds of building it and of each mask, on random walks.
    Masks {
        /// A role, name or path; only its tokenizer is read.
        #[arg(long, default_value = "default")]
        model: String,
        /// Steps under each grammar.
        #[arg(long, default_value_t = 2000)]
        steps: usize,
    },
    /// What drafts of the prompt's own words are worth: the share that was right, and the speed beside writing without.
    Drafts {
        /// A role, name or path.
        #[arg(long, default_value = "default")]
        model: String,
        /// Questions of each kind and language, times so many.
        #[arg(long, default_value_t = 1)]
        rounds: usize,
    },
    /// Perplexity and cosine of the scores as they are served beside sums of floats over the file's own weights, on the
    /// policies in each language.
    Quality {
        /// A role, name or path.
        #[arg(long, default_value = "small")]
        model: String,
        /// Tokens of each language.
        #[arg(long, default_value_t = 256)]
        tokens: usize,
    },
    /// What the language model says when it may answer freely from numbered facts: texts to try the guard on.
    Outputs {
        /// A role, name or path.
        #[arg(long, default_value = "default")]
        model: String,
        /// How often each question is asked, each time of other products.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Where the answers go, one JSON line each.
        #[arg(long, value_name = "JSONL")]
        out: PathBuf,
    },
    /// Shoppers and an operator over HTTP on a server of its own, without the language model: times, errors, memory.
    Load(load::LoadArgs),
    /// Finding products on one core as a catalog grows: embedding, words, vectors and both, beside reading the memory alone.
    Retrieval {
        /// So many products, made of those of the index; each size is built anew below paths.state.
        #[arg(long, value_delimiter = ',', default_value = "20000,100000", value_name = "N,...")]
        sizes: Vec<usize>,
        /// Questions at each size.
        #[arg(long, default_value_t = 200)]
        questions: usize,
    },
    /// Price questions over the indexed catalog: how many get the true price, how many another.
    Prices {
        /// Questions in all, spread over the four languages.
        #[arg(long, default_value_t = 100)]
        questions: usize,
        /// Which products are asked about.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Ask the questions of a table instead, such as data/eval/plan/questions.tsv: `lang`, `products`, `text`.
        #[arg(long, value_name = "TSV")]
        table: Option<PathBuf>,
    },
}

/// Logs go to standard error, so that standard output stays for answers.
pub fn start_log(common: &Common) {
    let filter = tracing_subscriber::EnvFilter::try_new(&common.log)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
}

/// Carries out a command.
///
/// # Errors
/// What stopped it, with the fix where there is one.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = Config::load(cli.common.config.as_deref())?;
    let json = cli.common.json;
    match cli.command {
        Command::Pull { models } => models::pull(&config, &models),
        Command::Models => models::list(&config, json),
        Command::Index(args) if args.generations => data::generations(&config, json),
        Command::Index(IndexArgs { rollback: Some(to), .. }) => data::roll_back(&config, &to).await,
        Command::Index(args) => data::index(&config, &args, json).await,
        Command::Patch(args) => data::patch(&config, &args, json).await,
        Command::Serve { port, host, ask } => operate::serve(config, (host, port), (&ask, cli.common.config)).await,
        Command::Ask { text, who, explain } => conversation::ask(config, text, &who, (explain, json)).await,
        Command::Chat { who, explain } => conversation::chat(config, &who, (explain, json)).await,
        Command::Search { queries, run, mode, k, policies } => {
            let how = BatchMode { mode: mode.into(), k, policies };
            data::search(&config, (&queries, &run), how, json).await
        }
        Command::Check(cases) => quality::check(&cases),
        Command::Understand(args) => quality::understand(config, &args, json).await,
        Command::Screen(cases) => quality::screen(&config, &cases),
        Command::Eval(args) => quality::eval(config, &args, json).await,
        Command::Bench { what } => bench::run(config, what, json).await,
        Command::Sources => feeds::list(&config, json),
        Command::MoveState { to } => operate::move_state(&config, &to).await,
        Command::Doctor => operate::doctor(&config, json).await,
        Command::Audit { turn } => operate::audit(&config, turn.as_deref(), json).await,
        Command::Messages(args) => messages::messages(config, &args, json).await,
        Command::Kpi { from, to, format } => {
            let format = if json { Shape::Json } else { format };
            operate::kpi(&config, (from.as_deref(), to.as_deref()), format).await
        }
    }
}
