//! All that is built once at start-up, and the only file that picks real or fake.

use crate::config::Config;
use crate::engine::Generate;
use crate::guard::Guard;
use crate::render::Renderer;
use crate::shop::Shop;

/// The assistant, ready to answer.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The shop's rules.
    pub shop: Shop,
    /// Facts to words.
    pub renderer: Renderer,
    /// The output guard.
    pub guard: Guard,
}

impl App {
    /// Why traffic should not come yet; empty when it may.
    pub fn unready(&self) -> Vec<String> {
        Vec::new()
    }

    /// The bare language model, when one is loaded.
    pub fn generator(&self) -> Option<&dyn Generate> {
        None
    }
}
