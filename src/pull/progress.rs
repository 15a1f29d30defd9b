//! How a download is shown: a bar on a terminal, plain lines elsewhere, nothing in tests.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

/// Told what `pull` is doing.
pub trait Progress: Send + Sync {
    /// A step begins; `done` of `total` bytes are there already.
    fn start(&self, what: &str, total: u64, done: u64);
    /// So many more bytes.
    fn advance(&self, bytes: u64);
    /// The step is over.
    fn finish(&self);
    /// One line for the reader.
    fn note(&self, line: &str);
}

/// A bar when standard error is a terminal, plain lines otherwise.
pub fn for_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar(Mutex::new(ProgressBar::hidden())))
    } else {
        Box::new(Lines::default())
    }
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, _: &str) {}
}

struct Bar(Mutex<ProgressBar>);

impl Bar {
    fn bar(&self) -> ProgressBar {
        self.0.lock().map(|b| b.clone()).unwrap_or_else(|broken| broken.into_inner().clone())
    }
}

impl Progress for Bar {
    fn start(&self, what: &str, total: u64, done: u64) {
        let bar = ProgressBar::new(total).with_position(done).with_message(what.to_owned());
        let shape = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.reset_eta();
        if let Ok(mut current) = self.0.lock() {
            *current = bar;
        }
    }

    fn advance(&self, bytes: u64) {
        self.bar().inc(bytes);
    }

    fn finish(&self) {
        self.bar().finish_and_clear();
    }

    fn note(&self, line: &str) {
        self.bar().suspend(|| say(line));
    }
}

#[derive(Default)]
struct Lines(Mutex<Step>);

#[derive(Default)]
struct Step {
    what: String,
    total: u64,
    done: u64,
    tenths_said: u64,
}

impl Progress for Lines {
    fn start(&self, what: &str, total: u64, done: u64) {
        say(&format!("{what}: {} MB{}", total / 1_000_000, resumed(done)));
        if let Ok(mut step) = self.0.lock() {
            let tenths_said = (done * 10).checked_div(total).unwrap_or(0);
            *step = Step { what: what.to_owned(), total, done, tenths_said };
        }
    }

    fn advance(&self, bytes: u64) {
        let Ok(mut step) = self.0.lock() else { return };
        step.done += bytes;
        let tenths = (step.done * 10).checked_div(step.total).unwrap_or(0);
        if tenths > step.tenths_said {
            step.tenths_said = tenths;
            say(&format!("{}: {} %", step.what, tenths * 10));
        }
    }

    fn finish(&self) {}

    fn note(&self, line: &str) {
        say(line);
    }
}

fn resumed(done: u64) -> String {
    match done {
        0 => String::new(),
        n => format!(", {} MB already here", n / 1_000_000),
    }
}

fn say(line: &str) {
    // A closed standard error is no reason to stop a download.
    let _ = writeln!(std::io::stderr(), "{line}");
}
