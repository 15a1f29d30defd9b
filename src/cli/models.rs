//! `pull` and `models`.

use std::process::ExitCode;

use crate::config::Config;
use crate::pull::Models;
use crate::pull::folders::Folders;
use crate::pull::progress;

/// What `pull` without a name fetches: what `serve` needs.
const NEEDED: [&str; 2] = ["embedder", "default"];

/// Fetches and verifies.
pub(super) fn pull(config: &Config, names: &[String]) -> anyhow::Result<ExitCode> {
    let models = Models::open(Folders { models: config.models_dir(), ..Folders::from_env() })?;
    let shown = progress::for_stderr();
    let needed: Vec<String> = NEEDED.iter().map(|name| name.to_string()).collect();
    for name in if names.is_empty() { &needed } else { names } {
        let model = models.pull(&name.parse()?, &*shown)?;
        println!("{}  {}", model.id.name, model.path.display());
    }
    println!("next: truetill index");
    Ok(ExitCode::SUCCESS)
}

/// Lists the manifest.
pub(super) fn list(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let models = Models::open(Folders { models: config.models_dir(), ..Folders::from_env() })?;
    for model in &models.manifest().models {
        let state =
            models.locate(&model.name).map_or_else(|error| error.to_string(), |found| found.path.display().to_string());
        if json {
            let line =
                serde_json::json!({"role": model.role, "name": model.name, "bytes": model.bytes, "state": state});
            println!("{line}");
        } else {
            println!("{:<10} {:<32} {:>6} MB  {state}", model.role, model.name, model.bytes / 1_000_000);
        }
    }
    Ok(ExitCode::SUCCESS)
}
