//! The node of `raft` with the storage of a cluster whose members change.
#![no_std]
#![no_main]

use quorate_raft::Inline as Kind;

include!("../raft.rs");
