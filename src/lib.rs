//! truetill: a shop assistant that cannot quote a wrong price.
//!
//! The modules in the order a message meets them:
//! [`http`] or [`cli`] take it in, [`turn`] leads it through [`screening`], [`understanding`], then a task of
//! [`tasks`] or [`retrieval`] and [`plan`]; [`render`] writes, [`guard`] checks, [`audit`] records.
//! Beside them: [`app`] builds everything once, [`engine`] holds the seams, [`index`], [`inference`], [`remote`] and
//! [`store`] stand behind the seams, [`ingest`] and [`pull`] fill them, [`generation`] switches between what was filled and
//! [`live`] follows it, [`pay`] makes links to pay by, [`label`] draws the label of a return, [`identity`] knows whose word
//! to take for who somebody is, [`together`] counts what is bought together, [`carriers`] read what carriers tell and [`tracking`] keeps where parcels are, [`sources`]
//! fetches feeds and asks the merchant's systems for the price of this moment, [`outreach`] decides which messages the shop
//! starts, [`courier`] carries events out,
//! [`shop`] is the merchant's rules, [`learnt`] draws lines between labelled texts, [`bench`] measures the guard beside its peers, [`domain`] the
//! words all of them share.

// `tests/it/cluster.rs` serves the tests inside and outside of this crate.
#[cfg(test)]
extern crate self as truetill;

pub mod app;
pub mod audit;
pub mod bench;
pub mod carriers;
#[cfg(all(feature = "inference", feature = "search"))]
pub mod cli;
pub mod config;
pub mod courier;
pub mod domain;
pub mod engine;
pub mod generation;
pub mod guard;
pub mod handover;
pub mod http;
pub mod identity;
#[cfg(feature = "search")]
pub mod index;
#[cfg(feature = "inference")]
pub mod inference;
pub mod ingest;
pub mod kpi;
pub mod label;
pub mod learnt;
pub mod live;
pub mod outreach;
pub mod pay;
pub mod plan;
pub mod pull;
pub mod remote;
pub mod render;
pub mod retrieval;
pub mod scenario;
pub mod screening;
pub mod shop;
pub mod sources;
pub mod store;
pub mod tasks;
pub mod together;
pub mod tracking;
pub mod turn;
pub mod understanding;
