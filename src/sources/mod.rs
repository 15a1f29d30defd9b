//! The merchant's own systems. Feeds are fetched by a schedule, kept aside until they are whole, then indexed or counted at
//! once; live sources are asked for the price that is about to be told. In: `[sources]`. Out: files, patches, confirmed offers.
//! What is broken, late or somebody else's never takes the place of what was whole.

mod address;
mod fetch;
mod kept;
pub mod live;
mod requests;
mod schedule;
pub mod status;
mod web;

pub use fetch::{Fetched, Tries, fetch};
pub use kept::{Kept, Memory, Taken};
pub use requests::{by_address, changes_request, nothing_new, outcome, refresh, request, taken};
pub use schedule::{Build, Built, Round, Schedule};
