//! `eval FILE.tsv --compare`: the tiers of understanding side by side, and the models of the third.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::config::Config;
use crate::domain::Language;
use crate::engine::Embed;
use crate::inference::Generator;
use crate::understanding::Hinting;
use crate::understanding::cases::Batch;
use crate::understanding::compare::{self, Way};
use crate::understanding::measure;
use crate::{app, screening};

use super::bench::percentile;
use super::{EvalArgs, open};

/// Roles of the manifest whose models are compared, where none are named.
const MODELS: [&str; 2] = ["small", "default"];
/// What the model is given of the examples' vote: none of it, messages like this one, and the likeliest commands.
const HINTINGS: [Hinting; 5] = [
    Hinting { shots: 0, candidates: usize::MAX },
    Hinting { shots: 8, candidates: usize::MAX },
    Hinting { shots: 8, candidates: 5 },
    Hinting { shots: 8, candidates: 3 },
    Hinting { shots: 4, candidates: 3 },
];

/// Measures every way over the table, or over some messages of each language, and prints a table.
pub(super) async fn run(config: &Config, args: &EvalArgs, json: bool) -> anyhow::Result<ExitCode> {
    let path = args.path.as_path();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let rows = measure::read(&text).with_context(|| format!("in {}", path.display()))?;
    let rows = compare::sample(rows, args.sample);
    let embed: Arc<dyn Embed> = open::embedder(config)?;
    let screening: screening::Screening = app::screening(&config.paths.data)?;
    let understander = app::understander(config, &*embed).await?;
    let batch = Batch {
        understander: &understander,
        screen: &|text| screening.screen(text, Language::En, None),
        embed: Some(&*embed),
        generate: None,
        explain: false,
    };
    if !json {
        heading();
    }
    let mut ways = compare::without_model(&batch, &rows).await?;
    ways.iter_mut().for_each(|way| print(way, json));
    let named = args.models.iter().map(String::as_str);
    for name in named.chain(MODELS.into_iter().filter(|_| args.models.is_empty())) {
        let model = open::language_model(config, name)?;
        let generator = Generator::load(&model, open::generator_settings(config)?)?;
        let hintings = match (args.hints.as_slice(), args.together) {
            ([], true) => &[understander.hinting()],
            ([], false) => &HINTINGS[..],
            (named, _) => named,
        };
        for hinting in hintings.iter().copied() {
            if !args.together {
                print(&mut compare::alone(&batch, &rows, (name, &generator), hinting).await?, json);
            }
            print(&mut compare::beside(&batch, &rows, (name, &generator), hinting).await, json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn heading() {
    let languages: String = Language::ALL.iter().map(|language| format!("{:>7}", language.code())).collect();
    println!(
        "{:<44}{languages}{:>7}{:>9}{:>12}{:>9}{:>9}{:>18}",
        "way", "all", "several", "asked", "p50 ms", "p95 ms", "asked p50, p95"
    );
}

fn print(way: &mut Way, json: bool) {
    let (middle, high) = (percentile(&mut way.ms, 0.5), percentile(&mut way.ms, 0.95));
    let asked_ms = [0.5, 0.95].map(|share| percentile(&mut way.asked_ms, share));
    if json {
        println!(
            "{}",
            serde_json::json!({ "way": way, "p50_ms": middle, "p95_ms": high, "asked_p50_p95_ms": asked_ms })
        );
        return;
    }
    let share = |language: &Language| way.by_language.get(language).copied().unwrap_or_default().rate();
    let languages: String = Language::ALL.iter().map(|language| format!("{:>7.3}", share(language))).collect();
    let asked = match way.asked.all {
        0 => "-".to_string(),
        all => format!("{}/{all}", way.asked.right),
    };
    let several = format!("{}/{}", way.several.right, way.several.all);
    let asked_ms = if way.asked.all == 0 { "-".to_string() } else { format!("{:.0}, {:.0}", asked_ms[0], asked_ms[1]) };
    println!(
        "{:<44}{languages}{:>7.3}{several:>9}{asked:>12}{middle:>9.2}{high:>9.1}{asked_ms:>18}",
        way.name,
        way.all.rate()
    );
}
