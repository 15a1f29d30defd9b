//! The models, run in this process through candle: the embedder and the generator.
//! In: checked files of `pull`. Out: the `Embed` and `Generate` seams. No other module knows candle.

pub mod bench;
pub mod drafting;
pub mod embedder;
pub mod generator;
mod header;
pub mod masks;
mod pool;
pub mod quality;
pub mod threads;
mod weights;

pub use embedder::{Embedder, EmbedderSettings};
pub use generator::{DeviceChoice, Generator, GeneratorSettings};
