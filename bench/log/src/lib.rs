//! What a committed proposal costs a whole cluster: three nodes of Raft, or of Multi-Paxos, on the heap and in one thread.
//!
//! A round proposes `batch` commands on the leader and runs until every node is quiet. Nothing is left out that a driver does:
//! every message and every record is encoded and decoded, the ticket of a record comes back, committed entries are read, and
//! every so often the application says that it took a snapshot, so that the log keeps its size.
//!
//! | module | what it is |
//! |---|---|
//! | [`Cluster`] | the nodes, the wire between them and their disks |
//! | [`Replica`] | what differs between the protocols |
//! | [`Case`] | a row of the table: bytes a command, commands a round |
//! | [`Count`] | messages and allocations of some rounds |
//!
//! A program that wants allocations counted makes [`ALLOCATOR`] its global allocator.

mod case;
mod cluster;
mod count;
mod error;
mod replica;

pub use case::Case;
pub use cluster::Cluster;
pub use count::{ALLOCATOR, Count};
pub use error::Failure;
pub use replica::Replica;

/// The example of the README, which must compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// A transport, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../../../drivers/README.md")]
pub struct Transport;
