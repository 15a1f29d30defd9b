//! All integration tests in one binary, a line per file.
// A test that cannot go on ends where it stands.
#![allow(clippy::unwrap_used)]

#[cfg(all(feature = "inference", feature = "search"))]
mod binary; // the command line, typed as an operator would
mod booking; // a quiz that adds up, a time that is booked
mod carriers; // what carriers tell, and carriers that are asked
mod carriers_crash; // a process killed at each write of a carrier's word
mod cart; // carts and checkouts over HTTP and in the chat
mod catalog; // fresh prices through the router, an index that is exchanged while it serves
mod clients; // the official OpenAI client against our server
mod cluster; // a PostgreSQL server of the tests' own
mod codes_crash; // a process killed on the way to a one-time code and past it
mod common;
mod crash; // kill -9 at each step of the order desk
mod desk; // the order desk over HTTP
mod engines; // another engine in the place of our own: a server that answers as it is told, and a real one
mod fakes;
mod feeds; // feeds fetched over the wire, by schedule
mod flows_crash; // a process killed at each commit of every flow
mod handover; // a person takes over
mod http; // the API through the router
mod idempotency; // Idempotency-Key wherever a caller writes
mod identity; // tokens, codes, and carts that follow
mod killed; // a process that is killed on purpose
mod known; // a known customer: the last order again, language, sizes
mod lacking; // "I don't have it" to a question of the assistant's
mod layers; // who may use whom, and how long a file may be
mod leads; // contacts, consent, and the figures
mod live; // live sources: confirmed prices or none
#[cfg(feature = "inference")]
mod model; // a real model: full queue, a client that leaves, too long a turn
mod openapi; // the description and the routes agree
mod outreach; // messages the shop starts: consent, caps, quiet hours, once
mod outreach_crash; // two servers, and a process killed at each of its writes
mod pay; // payment providers over the wire
mod photos; // a photo where a rule asks for one
mod pii; // personal data made up by the thousand
mod postgres; // the flows once more, with their state in PostgreSQL
mod properties; // goods chosen by their properties; a size that stays told
mod prose; // replies in the model's own words
#[cfg(feature = "search")]
mod qdrant; // vectors in a Qdrant server, over the wire
mod races; // eight requests at the same moment, from two programs
mod retail; // the public retail world: every write the policy forbids is refused
mod returns; // parcels that come back: label, link, steps
mod scenarios; // the flows of data/scenarios, without a model
mod screening; // public sets of attacks, advertisements and personal data
mod socket; // raw bytes against a listening server
mod streams; // a stream cut anywhere: the same text, nothing taken back
mod talk; // the order desk in the chat
mod together; // what is bought together, from orders to the reply
mod turns; // whole conversations over the demo shop
#[cfg(feature = "inference")]
mod understanding; // all tiers over the labelled examples
mod wire;
mod wishes; // a small server that answers as it is told
