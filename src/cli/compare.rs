//! `eval FILE.tsv --compare`: the tiers of understanding side by side, and the models of the third.

use std::path::Path;
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
use super::open;

/// Roles of the manifest whose models are compared.
const MODELS: [&str; 2] = ["small", "default"];
/// What the model is given of the examples' vote: none of it, messages like this one, and the likeliest commands.
const HINTINGS: [Hinting; 4] = [
    Hinting { shots: 0, candidates: usize::MAX },
    Hinting { shots: 8, candidates: usize::MAX },
    Hinting { shots: 8, candidates: 5 },
    Hinting { shots: 8, candidates: 3 },
];

/// Measures every way over the table, or over `each` messages of a language, and prints a table.
pub(super) async fn run(config: &Config, path: &Path, each: usize, json: bool) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let rows = measure::read(&text).with_context(|| format!("in {}", path.display()))?;
    let rows = compare::sample(rows, each);
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
    for name in MODELS {
        let model = open::language_model(config, name)?;
        let generator = Generator::load(&model, open::generator_settings(config)?)?;
        for hinting in HINTINGS {
            let mut found = compare::with_model(&batch, &rows, (name, &generator), hinting).await?;
            found.iter_mut().for_each(|way| print(way, json));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn heading() {
    let languages: String = Language::ALL.iter().map(|language| format!("{:>7}", language.code())).collect();
    println!("{:<44}{languages}{:>7}{:>9}{:>12}{:>9}{:>9}", "way", "all", "several", "asked", "p50 ms", "p95 ms");
}

fn print(way: &mut Way, json: bool) {
    let (middle, high) = (percentile(&mut way.ms, 0.5), percentile(&mut way.ms, 0.95));
    if json {
        println!("{}", serde_json::json!({ "way": way, "p50_ms": middle, "p95_ms": high }));
        return;
    }
    let share = |language: &Language| way.by_language.get(language).copied().unwrap_or_default().rate();
    let languages: String = Language::ALL.iter().map(|language| format!("{:>7.3}", share(language))).collect();
    let asked = match way.asked.all {
        0 => "-".to_string(),
        all => format!("{}/{all}", way.asked.right),
    };
    let several = format!("{}/{}", way.several.right, way.several.all);
    println!("{:<44}{languages}{:>7.3}{several:>9}{asked:>12}{middle:>9.2}{high:>9.1}", way.name, way.all.rate());
}
