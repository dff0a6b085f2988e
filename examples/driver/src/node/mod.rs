//! The loop.

mod handle;
mod options;
mod start;

pub use handle::{Handle, Stopped, TrySendError};
pub use options::NodeOptions;
pub use start::{Node, start};
