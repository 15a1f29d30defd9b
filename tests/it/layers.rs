//! The walls of the house: which module may use which, and what may never stand where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Module, and the modules of ours its files may name. `domain` may be used by all but itself needs nothing.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("engine", &["domain"]),
    ("config", &["domain"]),
    ("screening", &["domain", "config"]),
    ("learnt", &[]),
    ("understanding", &["domain", "engine", "config", "learnt"]),
    ("retrieval", &["domain", "engine", "config", "shop"]),
    ("plan", &["domain", "engine", "config"]),
    ("tasks", &["domain", "engine", "config"]),
    ("render", &["domain"]),
    ("guard", &["domain"]),
    ("shop", &["domain", "engine"]),
    ("courier", &["config", "pay"]),
    ("outreach", &["app", "courier", "domain", "engine", "guard", "render", "store", "tasks"]),
    ("pay", &["config", "domain", "engine"]),
    ("carriers", &["config", "domain", "engine", "pay"]),
    ("tracking", &["app", "carriers", "domain", "engine", "store"]),
    ("identity", &["config", "domain", "engine"]),
    ("sources", &["config", "domain", "engine", "ingest", "store"]),
    ("label", &[]),
    ("together", &["domain", "engine", "store"]),
    ("store", &["domain", "engine"]),
    ("generation", &["engine"]),
    ("live", &["domain", "engine", "generation"]),
    ("index", &["domain", "engine", "generation", "learnt", "store"]),
    ("ingest", &["domain", "engine", "generation", "index", "store"]),
    ("pull", &["engine"]),
    ("inference", &["engine", "pull"]),
    ("remote", &["config", "domain", "engine"]),
    ("bench", &["domain", "guard", "render", "shop"]),
    ("audit", &["domain", "guard", "turn"]),
    ("handover", &["app", "domain", "guard"]),
    ("kpi", &["domain", "store"]),
    (
        "app",
        &[
            "carriers",
            "config",
            "courier",
            "domain",
            "engine",
            "guard",
            "identity",
            "pay",
            "render",
            "screening",
            "shop",
            "store",
            "together",
            "understanding",
        ],
    ),
    (
        "turn",
        &[
            "app",
            "audit",
            "domain",
            "engine",
            "guard",
            "handover",
            "identity",
            "outreach",
            "plan",
            "render",
            "retrieval",
            "tasks",
            "understanding",
        ],
    ),
    ("scenario", &["app", "domain", "outreach", "tracking", "turn"]),
    (
        "http",
        &[
            "app", "carriers", "config", "domain", "engine", "guard", "handover", "identity", "kpi", "label",
            "outreach", "sources", "store", "tasks", "tracking", "turn",
        ],
    ),
];

/// A crate, and the only modules that may name it.
const OWNED: &[(&str, &str)] = &[
    ("axum", "http"),
    ("hyper", "http"),
    ("sqlx", "store"),
    ("tantivy", "index"),
    ("simsimd", "index"),
    ("qdrant_client", "index"),
    ("candle_core", "inference"),
    ("candle_nn", "inference"),
    ("candle_transformers", "inference"),
    ("llguidance", "inference"),
    ("ureq", "pull|pay|identity|courier|carriers|sources|remote"),
    ("ring", "identity"),
    ("pdf_writer", "label"),
    ("hayro_syntax", "ingest"),
    ("quick_xml", "ingest"),
    ("flate2", "ingest"),
    ("encoding_rs", "ingest"),
    ("clap", "cli"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its module's name and text.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
    };
    found.into_iter().map(|path| (path.clone(), module(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

fn is_test(path: &Path, text: &str) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.contains("tests") || name == "mutants.rs" || text.starts_with("#![cfg(test)]")
}

/// The code before the inline tests.
fn code(text: &str) -> &str {
    let inline = |at: &usize| text[*at..].lines().nth(1).is_some_and(|line| line.ends_with('{'));
    let end = text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(inline);
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn each_module_uses_only_what_its_layer_allows() {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut faults = Vec::new();
    for (path, module, text) in sources() {
        let Some(allowed) = table.get(module.as_str()) else { continue };
        if is_test(&path, &text) {
            continue;
        }
        for line in code(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.match_indices("crate::").map(|(at, _)| &line[at + "crate::".len()..]) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let ours = used.chars().next().is_some_and(char::is_lowercase);
                if ours && used != module && !allowed.contains(&used.as_str()) {
                    faults.push(format!("{}: `{module}` may not use `{used}`", path.display()));
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_heavy_crate_has_one_owner() {
    let mut faults = Vec::new();
    for (path, module, text) in sources() {
        for (owned, owner) in OWNED {
            let named = [format!("use {owned}::"), format!(" {owned}::")];
            if !owner.split('|').any(|owner| module == owner)
                && module != "main"
                && named.iter().any(|named| code(&text).contains(named.as_str()))
            {
                faults.push(format!("{}: only `{owner}` may name `{owned}`", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_guard_and_screening_are_pure() {
    for (path, module, text) in sources() {
        if !matches!(module.as_str(), "guard" | "screening") || is_test(&path, &text) {
            continue;
        }
        for impure in ["tokio", "std::fs", "Timestamp::now", "SystemTime", "async fn", "std::net"] {
            assert!(!code(&text).contains(impure), "{} names {impure}", path.display());
        }
    }
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    for (path, _, text) in sources() {
        assert!(text.starts_with("//!") || is_test(&path, &text), "{} lacks a //! header", path.display());
        let lines = code(&text).lines().count();
        assert!(lines <= 420, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_map_names_only_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let looks_like_a_path =
                ["src/", "data/", "scripts/", "tests/", "models/"].iter().any(|p| quoted.starts_with(p));
            if looks_like_a_path && !quoted.contains(['{', '*', '<', ' ']) {
                assert!(root.join(quoted).exists(), "{document} names `{quoted}`, which is not there");
            }
        }
    }
}
