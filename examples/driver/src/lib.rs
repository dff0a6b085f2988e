//! A tokio transport and a write-ahead log for any machine.

// this crate is std through and through
#![allow(clippy::std_instead_of_core)]

/// The application beside a machine.
pub mod app;
mod error;
pub mod frame;
/// What a node counts.
pub mod metrics;
pub mod node;
pub mod tcp;
pub mod wal;

pub use app::{App, Outbox, StorageHealth};
pub use error::Error;
pub use metrics::{Metrics, MetricsSnapshot};
pub use node::{Handle, Node, NodeOptions, Stopped, TrySendError, start, start_with_disk};
pub use tcp::TcpOptions;
pub use wal::WalOptions;
