//! What a request of the quorum store costs a whole cluster: three [`Node`](quorate_ring::quorum::Node)s with
//! [`Inline`](quorate_ring::quorum::Inline) storage in one thread.
//!
//! A round makes one request on the first node, which holds all keys, as the others do, and runs until every node is quiet. Two replicas must have answered
//! before it is done; all three are asked. Nothing is left out that a driver does: every message and every record is encoded and decoded, the ticket of a record
//! comes back, and the event of the request is read.
//!
//! | module | what it is |
//! |---|---|
//! | [`measure`] | runs requests of a row |
//! | [`Cluster`] | the nodes, the wire between them and their disks |
//! | [`Kind`] | the two kinds of values |
//! | [`Case`] | a row of the table: which request |
//! | [`Count`] | messages, bytes and allocations of some rounds |
//! | [`Payload`] | the sixteen bytes that are written |
//!
//! A program that wants allocations counted makes [`ALLOCATOR`] its global allocator.

mod case;
mod cluster;
mod count;
mod error;
mod payload;

pub use case::Case;
pub use cluster::{Cluster, Kind, measure};
pub use count::{ALLOCATOR, Count};
pub use error::Failure;
pub use payload::Payload;
