//! A tokio transport and a write-ahead log for any machine.
