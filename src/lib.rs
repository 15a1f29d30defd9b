//! truetill: a shop assistant that cannot quote a wrong price.

pub mod app;
pub mod config;
pub mod domain;
pub mod engine;
pub mod guard;
pub mod http;
pub mod plan;
pub mod render;
pub mod retrieval;
pub mod shop;
pub mod store;
pub mod tasks;
pub mod turn;
