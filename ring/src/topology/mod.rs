//! Who the members are, and in which version of the list.
//!
//! A [`Topology`] is what nodes agree on, or gossip; placements are made of it. Its [`Version`] travels with each request, so that two
//! nodes that go by different lists notice.

mod error;
mod state;
mod table;
mod version;

pub use error::TopologyError;
pub use state::MemberState;
pub use table::{Entry, Topology};
pub use version::{Freshness, Version};
