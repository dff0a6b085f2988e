//! Partitioning by ranges of ordered keys.
//!
//! [`Ranges`] keeps which nodes hold which range, and is changed by splits, merges and assignments. [`SplitFinder`] samples the
//! requests to one busy range, and finds the key at which to split its load. [`may_merge`] tells when two quiet neighbours may
//! become one.

mod error;
mod key_range;
#[cfg(feature = "serde")]
mod serde_form;
mod split_finder;
mod storage;
mod table;

pub use error::RangeError;
pub use key_range::KeyRange;
pub use split_finder::{NoSplit, SplitFinder, may_merge};
pub use storage::{Inline, Storage};
pub use table::Ranges;
