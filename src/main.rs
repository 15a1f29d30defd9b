//! The `truetill` binary: reads the command line and calls the library.

use std::process::ExitCode;

use clap::Parser;
use truetill::cli::{self, Cli};

fn main() -> ExitCode {
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
