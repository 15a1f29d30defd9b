//! The `truetill` binary: reads the command line and calls the library.

use std::process::ExitCode;

use clap::Parser;
use truetill::cli::{self, Cli};

fn main() -> ExitCode {
    leave_quietly_when_nobody_reads();
    let cli = Cli::parse();
    cli::start_log(&cli.common);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("truetill: the runtime does not start: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("truetill: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `truetill ... | head` closes the pipe when it has seen enough: no fault of anybody, and nothing to trace.
fn leave_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}
