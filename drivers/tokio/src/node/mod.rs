//! The loop.

mod handle;
mod options;
mod start;
mod turn;

pub use handle::{Handle, Stopped, TrySendError};
pub use options::{Answerer, NodeOptions};
pub use start::{Node, start, start_with_disk};
