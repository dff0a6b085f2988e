//! Registers in the simulator: clients change, delete and read them at any node, ask again for what they do not know, and an operator collects
//! what was deleted and changes the acceptors. The history of each key is linearizable, what leaves a node is on its disk, and once
//! faults stop all requests are answered.

mod disk;
mod history;
pub mod hostile;
mod operator;
mod protocol;
mod subject;

pub use protocol::RegisterProtocol;
pub use subject::{RegisterSubject, Update};

use quorate_paxos::register::{Config, Heap, Inline};

/// Registers on the heap.
pub type RegisterOnHeap = RegisterSubject<Heap>;

/// Registers in the machines.
pub type RegisterOnInline =
    RegisterSubject<Inline<7, { subject::KEYS }, 3, { subject::KEY }, { subject::VALUE }>>;

/// How long it may take, once faults stop, until requests are answered, in µs: a back-off that has begun lasts 64 times
/// [`backoff_us`](Config::backoff_us) at most, and after it come two ballots, each of which repeats each phase once.
#[must_use]
pub const fn settle_us(config: &Config) -> u64 {
    64 * config.backoff_us + 6 * config.retry_us
}

/// What must happen in a campaign of registers of some length.
pub const REGISTER_MARKS: &[&str] = &[
    "a node enters",
    "acceptors changed",
    "all keys were read",
    "already applied",
    "asked again",
    "collected",
    "conflict",
    "crash when attempted",
    "disk damaged",
    "disk erased in the middle",
    "not collected",
    "outcome unknown",
    "refused",
];
