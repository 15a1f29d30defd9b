//! `bench masks`: what the grammar of `prose` composition costs a token, on random walks under it.

use serde::Serialize;

use crate::config::Config;
use crate::domain::Language;
use crate::inference::masks::Masks;
use crate::plan::prose::{Shape, Slot, grammar};

use super::bench::percentile;
use super::open;

/// Products in the grammars measured: one, some, as many as the model is ever shown.
const PRODUCTS: [usize; 3] = [1, 3, 6];

/// The same walk is taken so often and each step's best time counts: a neighbour that took the processor in the middle
/// of a step is no cost of the mask.
const RUNS: usize = 5;

#[derive(Serialize)]
struct Figures {
    language: Language,
    products: usize,
    /// Texts begun.
    texts: usize,
    build_ms: Spread,
    mask_ms: Spread,
}

#[derive(Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
    most: f64,
}

/// Walks `steps` steps under each grammar and prints a JSON line for each.
pub(super) fn run(config: &Config, model: &str, steps: usize) -> anyhow::Result<()> {
    let masks = Masks::open(&open::language_model(config, model)?)?;
    for language in Language::ALL {
        for count in PRODUCTS {
            let products = vec![vec![Slot::Price, Slot::Old, Slot::Stock]; count];
            let grammar = grammar(Shape { language, products: &products, exits: true });
            let mut walks = masks.walk(&grammar, steps, 7)?;
            for _ in 1..RUNS {
                let again = masks.walk(&grammar, steps, 7)?;
                least(&mut walks.build_ms, &again.build_ms);
                least(&mut walks.mask_ms, &again.mask_ms);
            }
            let figures = Figures {
                language,
                products: count,
                texts: walks.texts.len(),
                build_ms: spread(&mut walks.build_ms),
                mask_ms: spread(&mut walks.mask_ms),
            };
            println!("{}", serde_json::to_string(&figures)?);
        }
    }
    Ok(())
}

fn least(times: &mut [f64], again: &[f64]) {
    times.iter_mut().zip(again).for_each(|(least, time)| *least = least.min(*time));
}

fn spread(values: &mut [f64]) -> Spread {
    Spread { p50: percentile(values, 0.5), p99: percentile(values, 0.99), most: percentile(values, 1.0) }
}
