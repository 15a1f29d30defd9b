//! The command line, typed as an operator would: exit codes, messages that name the fix, nothing half-written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A place of its own, with the repository's data.
struct Place {
    folder: TempDir,
    /// A models folder of its own, instead of the machine's.
    models: Option<PathBuf>,
}

impl Place {
    fn new() -> Place {
        Place { folder: TempDir::new().unwrap(), models: None }
    }

    fn with_own_models() -> Place {
        let place = Place::new();
        let models = Some(place.path("models"));
        Place { models, ..place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_truetill"))
            .args(arguments)
            .current_dir(self.folder.path())
            // Settings of whoever runs the tests are not those of this place.
            .env_remove("TRUETILL__PATHS__INDEX")
            .env_remove("TRUETILL__PATHS__STATE")
            .env_remove("TRUETILL__PATHS__MODELS")
            .env("TRUETILL__PATHS__DATA", Path::new(env!("CARGO_MANIFEST_DIR")).join("data"))
            .envs(self.models.as_ref().map(|models| ("TRUETILL_MODELS", models)))
            .output()
            .unwrap()
    }

    fn refused(&self, arguments: &[&str], parts: &[&str]) {
        let output = self.run(arguments);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{arguments:?} went through: {told}");
        for part in parts {
            assert!(told.contains(part), "{arguments:?}: `{part}` is missing in: {told}");
        }
    }
}

/// True when the embedder is on this machine; says so when it is not.
fn embedder() -> bool {
    let here = truetill::pull::locate("embedder").is_ok();
    if !here {
        eprintln!("skipped: the embedder is absent; run `truetill pull embedder`");
    }
    here
}

#[test]
fn help_has_examples_and_the_version_is_told() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("truetill index --catalog"));
    assert!(place.run(&["--version"]).status.success());
}

#[test]
fn settings_are_refused_by_name() {
    let place = Place::new();
    let file = place.write("bad.toml", "[server]\nprot = 1");
    place.refused(&["doctor", "--config", file.to_str().unwrap()], &["server.prot", "bad.toml"]);
    place.refused(&["doctor", "--config", "absent.toml"], &["absent.toml"]);
}

#[test]
fn the_guard_reads_case_files() {
    let place = Place::new();
    let facts = r#"[{"sku":"K","name":"kettle Volna","price":"24.90","currency":"EUR"}]"#;
    let rows = [("The kettle Volna costs €24.90.", "accept"), ("The kettle Volna costs €2.49.", "reject")];
    let table: String = rows.iter().map(|(text, verdict)| format!("en\t{facts}\t{text}\t{verdict}\tx\n")).collect();
    let file = place.write("cases.tsv", format!("lang\tfacts\ttext\tverdict\twhy\n{table}"));
    let output = place.run(&["check", "--cases", file.to_str().unwrap()]);
    let lines: Vec<serde_json::Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["accept", "reject"]);
}

#[test]
fn an_index_is_built_switched_and_never_replaced_by_a_bad_feed() {
    if !embedder() {
        return;
    }
    let place = Place::new();
    let good = r#"{"id":"K-1","name":{"en":"Volna kettle"},"category":"kettles","variants":[{"sku":"K-1","prices":[{"currency":"EUR","amount":"24.90"}]}]}"#;
    let feed = place.write("feed/products.jsonl", format!("{good}\n"));
    let feed = feed.to_str().unwrap();
    place.refused(&["ask", "hello"], &["index/current", "make index"]);
    assert!(place.run(&["index", "--catalog", feed, "--policies", "."]).status.success());
    let serving = std::fs::read_to_string(place.path("index/current")).unwrap();

    place.write("feed/products.jsonl", "");
    place.refused(&["index", "--catalog", feed], &["refused", "keeps serving"]);
    place.write("feed/products.jsonl", format!("{good}\n{{broken\n"));
    place.refused(&["index", "--catalog", feed, "--strict"], &["products.jsonl:2"]);
    assert_eq!(std::fs::read_to_string(place.path("index/current")).unwrap(), serving);

    let dry = place.run(&["index", "--catalog", feed, "--dry-run", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!((report["products"].as_u64(), report["errors"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_model_that_is_not_the_right_one_is_refused_by_name() {
    let place = Place::with_own_models();
    place.refused(&["pull", "no-such-model"], &["no-such-model", "default"]);
    let fake = place.write("fake.gguf", b"GGUF\x03\0\0\0");
    assert!(place.run(&["pull", fake.to_str().unwrap()]).status.success());
    // Pinned by its hash, but no model: the loader says so before candle sees it.
    place.refused(&["bench", "inference", "--model", "./fake.gguf"], &["fake"]);
    std::fs::remove_file(place.path("models/fake.gguf")).unwrap();
    place.write("models/fake.gguf", b"GGUF\x03\0\0\x01");
    place.refused(&["bench", "inference", "--model", "./fake.gguf"], &["fake", "refused"]);
}
