//! A tokio transport and a write-ahead log for any machine.

/// The application beside a machine.
pub mod app;
mod error;
/// What a node counts.
pub mod metrics;
pub mod node;
pub mod tcp;
pub mod wal;

pub use app::{App, Outbox, StorageHealth};
pub use error::Error;
pub use metrics::{Metrics, MetricsSnapshot};
pub use node::{Handle, Node, NodeOptions, Stopped, TrySendError, start};
pub use tcp::TcpOptions;
pub use wal::WalOptions;
