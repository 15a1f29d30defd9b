//! Other people's clients against a running server.

use std::process::Command;

use crate::common::{Server, config, digest};

/// The exit code with which the script says that the package is not there.
const ABSENT: i32 = 77;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_openai_client_works() {
    let mut settings = config();
    settings.server.keys = vec![digest("shop")];
    let server = Server::start(settings).await;
    let python = std::env::var("TRUETILL_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/openai_client.py");
    let url = format!("http://{}/v1", server.address);
    let run = tokio::task::spawn_blocking(move || Command::new(python).args([script, &url, "shop"]).output());
    match run.await.unwrap() {
        Err(error) => eprintln!("skipped: no Python to run the OpenAI client with ({error})"),
        Ok(output) if output.status.code() == Some(ABSENT) => {
            eprintln!("skipped: the Python package `openai` is not installed (pip install 'openai>=3')");
        }
        Ok(output) => {
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{out}\n{err}");
            eprintln!("{out}");
        }
    }
    server.stop().await;
}
