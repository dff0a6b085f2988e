//! The write-ahead log.

mod options;

pub use options::WalOptions;
