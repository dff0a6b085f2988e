//! The deterministic simulator: any [`Machine`](quorate_core::Machine) on virtual time, a bad network, bad disks and bad luck.
//!
//! One `u64` seed decides everything: how many nodes, which faults exist in this run and how likely each is, every delay and
//! every crash. The same seed and the same sources give the same run, byte for byte; every so many seeds are run twice to prove
//! it. A failing seed prints what was violated, the end of the trace and the command that replays it.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Subject`] | what is simulated: boots machines, plays the application and the clients, checks the invariants |
//! | [`World`] | virtual time, the nodes, the network, the disks, the faults |
//! | [`Swarm`] | the probabilities of one run, drawn from its seed |
//! | [`Marks`] | how often each rare thing happened; a campaign that never saw one is red |
//! | [`Campaign`] | many seeds on several threads, and what they amount to |
//! | [`conformance`] | the contract of [`Machine`](quorate_core::Machine), as checks that every machine must pass |
//! | [`interact`] | interaction tests: text files of commands and expected traces |
//! | `model` | model checking, with feature `model`: everything that may happen to a few nodes, within bounds |
//! | [`hostile`] | one machine against messages that are made of bytes, and what became of them |
//! | [`shrink`] | from a seed that fails to a short interaction test that fails the same way |
//!
//! # What is injected
//!
//! Network: loss, duplication, reordering, delay per link with spikes, replays of old messages from earlier terms and
//! incarnations, splits, isolation, one-way and partial (bridge, chained, quorum-loss) partitions. Time: clocks that drift by up
//! to 10 % and start anywhere, pauses. Disk: writes that take time, a crash that loses unsynced writes, keeps some of them or
//! tears one, failed syncs (the node stops, as after an error of `fsync`), a full disk, damage on a minority of disks (the node
//! stays down, and nothing that was acknowledged may be missing), checkpoint and swap with crashes in the
//! middle. Crashes: at random, aimed at semantic points (just after a send, before a sync, between a sync and its ticket, at
//! events such as leadership, commit and parts of a snapshot), of all nodes at once, one after the other.
//!
//! Then a second phase: a random majority alone is healed, and must elect a leader and commit something new within
//! [`LEADER_TIMEOUTS`] and [`COMMIT_TIMEOUTS`] election timeouts; then all are healed, and links are cut again in one of the
//! three partial partitions of Omni-Paxos, from which they must recover as fast; then all are healed and must converge. Of
//! 1,000 elections 999 must take no more than [`SLOW_ELECTION_TIMEOUTS`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod campaign;
pub mod conformance;
mod digest;
mod disk;
mod drained;
mod faults;
mod host;
pub mod hostile;
pub mod interact;
mod load;
mod marks;
#[cfg(feature = "model")]
pub mod model;
mod network;
mod outputs;
mod partition;
mod record;
mod run;
mod shrink;
mod subject;
mod swarm;
mod trace;
pub mod wire;
mod world;

pub use campaign::{Campaign, Outcome, Summary};
pub use digest::Digest;
pub use disk::Disk;
pub use drained::compare_drain;
pub use marks::Marks;
pub use run::{
    COMMIT_TIMEOUTS, LEADER_TIMEOUTS, Report, SLOW_ELECTION_TIMEOUTS, Violation, record, run,
    run_comparing_drain,
};
pub use shrink::{shrink, shrink_commands};
pub use subject::{Access, LeaderStatus, Subject};
pub use swarm::{Fault, Swarm};
pub use world::World;
