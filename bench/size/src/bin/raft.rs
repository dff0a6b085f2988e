//! A Raft node of up to five with its codec: everything a board's program calls, in the order that a world beyond the port says.
#![no_std]
#![no_main]

use quorate_raft::Fixed as Kind;

include!("../raft.rs");
