//! Runs five `quorate-kv` processes, injects faults into them as an unlucky operator would, and checks what their clients are
//! told: no acknowledged write is lost, no read goes back, there is one cluster.
//!
//! * [`history`] records what clients did; [`check`] decides whether a linearizable store can have answered so.
//! * [`workload`] is the clients, [`client`] their connections.
//! * [`network`] is a proxy before each node, which cuts, delays and resets links, each direction on its own.
//! * [`node`] is a process, [`disk`] its small file system, [`ports`] where it listens, [`cluster`] all of them.
//! * [`faults`] are what it does, [`erase`] the longest of them, [`rounds`] what it does when; [`nemesis`] runs it all, and
//!   [`report`] is the table at the end.
//!
//! `cargo xtask nemesis --help` tells how to run it.

pub mod check;
pub mod client;
pub mod cluster;
pub mod disk;
pub mod erase;
pub mod failure;
pub mod faults;
pub mod history;
pub mod nemesis;
pub mod network;
pub mod node;
pub mod options;
pub mod ports;
pub mod report;
pub mod rounds;
pub mod timeline;
pub mod workload;
