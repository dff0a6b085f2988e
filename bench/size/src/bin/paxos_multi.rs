//! A node of a log whose members never change.
#![no_std]
#![no_main]

use quorate_paxos::multi::Fixed as Kind;

include!("../paxos_multi.rs");
