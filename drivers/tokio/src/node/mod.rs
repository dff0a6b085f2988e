//! The loop.

mod event_loop;
mod handle;
mod options;
mod start;

pub use handle::{Handle, Stopped, TrySendError};
pub use options::{NodeOptions, QueryHandler};
pub use start::{Node, start, start_with_disk};
