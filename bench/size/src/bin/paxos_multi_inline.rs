//! The node of `paxos_multi` with the storage of a log whose members change.
#![no_std]
#![no_main]

use quorate_paxos::multi::Inline as Kind;

include!("../paxos_multi.rs");
