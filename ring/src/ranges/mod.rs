//! Partitioning by ranges of ordered keys.
//!
//! [`Ranges`] keeps who holds which range, and is changed by splits, merges and assignments. [`SplitFinder`] watches the keys of one busy
//! range, and finds where to split it.

mod error;
mod key_range;
mod split_finder;
mod storage;
mod table;

pub use error::RangeError;
pub use key_range::KeyRange;
pub use split_finder::{NoSplit, SplitFinder, may_merge};
pub use storage::{Inline, Storage};
pub use table::Ranges;
