//! Who the members are, and in which version of the list.
//!
//! A [`Topology`] is what nodes agree on, or gossip; placements are made of it. A [`Version`] travels with each request, so that two
//! nodes that go by different lists notice; then they merge them.

#[cfg(feature = "crdt")]
mod crdt;
mod entry;
mod error;
mod merge;
mod request_version;
mod revision;
#[cfg(feature = "serde")]
mod serde_form;
mod state;
mod table;
mod version;
mod wire;

pub use entry::Entry;
pub use error::TopologyError;
pub use state::MemberState;
pub use table::Topology;
pub use version::{Freshness, Version};
