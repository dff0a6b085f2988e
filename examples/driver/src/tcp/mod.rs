//! The TCP transport.

mod options;
mod outbox;

pub use options::TcpOptions;
pub use outbox::Outbox;
