//! The guard beside its peers: how many attacks each lets through, how many honest texts each refuses, and what
//! each costs per KB on the same texts in the same run. In: case files and the shop's own data. Out: figures.
//! It decides nothing about a reply and is never on a turn's path.

pub mod guard;
mod peers;
pub mod replies;
mod rows;
#[cfg(test)]
mod tests;
