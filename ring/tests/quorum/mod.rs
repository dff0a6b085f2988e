//! Requests of the quorum store, message by message.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod attack;
mod caught_up;
mod conformance;
mod coordinator;
mod floor;
mod formed;
mod hints;
mod layouts;
mod levels;
mod lost;
mod net;
mod pace;
mod pitfalls;
mod purges;
mod registers;
mod repair;
mod returns;
mod seen;
mod sessions;
mod storages;
mod sweeps;
mod walks;
