//! The models, run in this process through candle: the embedder and the generator.
//! In: checked files of `pull`. Out: the `Embed` and `Generate` seams. No other module knows candle.

pub mod embedder;
mod header;
pub mod threads;
mod weights;

pub use embedder::{Embedder, EmbedderSettings};
