//! A set-point and a counter that three nodes agree on: the smallest useful program on Raft, for boards without a heap and for a server.
//!
//! [`Program`] is all of it, without I/O: it takes lines that somebody typed, proposes [`Command`]s
//! to the Raft beside it, applies what is committed to [`Values`], keeps a snapshot, and answers. A
//! follower forwards commands to the leader, as often as it takes, and each is applied once.
//! `examples/firmware` runs it on a board, the program `setpoint` of this crate on a server; both
//! are nodes of one cluster, on the same bytes.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `server` | the program `setpoint`: a node on a server, on serial lines to boards. On by default |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod command;
mod program;
mod request;
mod snapshot;
mod values;

pub use command::{Change, Command};
pub use program::{Answer, Program, SNAPSHOT_EVERY, config};
pub use request::{Request, USAGE};
pub use snapshot::{MAX_SAVED_STATE, MAX_SNAPSHOT, SavedState, Snapshot};
pub use values::{MAX_NODES, Values};

/// The cluster's id in frames and logs.
pub const CLUSTER: u64 = 0x5e70;
/// Bytes of a payload on a serial line, at most: what both ends must have room for.
pub const MAX_PAYLOAD: usize = 384;
