//! Model checking: every order of everything that may happen to a few nodes, within bounds, by `stateright`.
//!
//! The machines run as they are; messages and records go through their encoded form; what is explored is what the world does to
//! them. A [`Modelled`] says how machines boot, which commands an application may give, and what must hold; [`Bounds`] say how
//! much may go wrong; [`Model`] is the `stateright` model of it.
//!
//! | what may happen next | bound |
//! |---|---|
//! | a message in flight arrives (in any order; late is the same as in flight) | none |
//! | a message in flight is lost, or arrives and stays in flight (a duplicate) | `losses`, `duplicates` |
//! | a node's deadline comes, however early: clocks are not compared | `timeouts` |
//! | a write becomes durable | none; at once unless `slow_disks` |
//! | a node crashes, and any prefix of what was not durable survives | `crashes` |
//! | a crashed node comes back | none |
//! | a node loses all that is on its disk, and what it sent and was sent is lost with it | `erasures` |
//! | the application gives a command | `commands` |
//!
//! What is in flight is a set: two equal messages between the same nodes are one, which a duplicate covers.
//!
//! After every step [`Modelled::check`] judges the whole system. From every state a second question is asked, if
//! [`Modelled::healed`] has an opinion: faults stop for good, messages arrive at once and clocks run evenly; does the system get
//! where it should within [`Modelled::max_healing_us`]?

mod check;
mod heal;
mod system;

pub use check::{Exploration, Model, State, explore};
pub use system::{Action, Bounds, Envelope, Node, System};

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use quorate_core::{Instant, Machine, Rejected};

/// A protocol for the model checker.
pub trait Modelled: Sized + Sync + Send {
    /// The machine. Equal hashes must mean equal futures: see [`hash_state`](Self::hash_state).
    type Machine: Machine + Clone + PartialEq + Debug + Send + Sync;

    /// What an application may do.
    type Command: Clone + PartialEq + Debug + Send + Sync;

    /// What is remembered of the past, for [`check`](Self::check): keep it small, it is part of the state.
    type Memory: Clone + PartialEq + Debug + Hash + Default + Send + Sync;

    /// How many nodes there are.
    fn nodes(&self) -> usize;

    /// A machine without a past for a node, from 0, whose id is `node + 1`.
    ///
    /// # Errors
    ///
    /// Why there is none, which is a violation.
    fn boot(&self, node: usize) -> Result<Self::Machine, String>;

    /// The records on the disk of a node before its first start.
    fn initial_disk(&self, _node: usize) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// For how long, in µs, nodes run before anything is explored: messages arrive at once, writes are durable, clocks run evenly.
    fn warm_up_us(&self) -> u64 {
        0
    }

    /// Whether a node may crash. Of a crash it knows only what it finds on its disk.
    fn may_crash(&self, _node: usize) -> bool {
        true
    }

    /// The commands an application may give this machine now.
    fn commands(&self, _node: usize, _machine: &Self::Machine) -> Vec<Self::Command> {
        Vec::new()
    }

    /// Gives one of them.
    fn command(&self, _machine: &mut Self::Machine, _now: Instant, _command: &Self::Command) {}

    /// Feeds what decides the machine's future to a hasher: whatever differs only in the clock's zero or in statistics should
    /// be the same, or the state space has no end.
    fn hash_state<H: Hasher>(&self, machine: &Self::Machine, now: Instant, state: &mut H);

    /// Whether a node may reject an honest message for this reason.
    fn may_reject(&self, _reason: Rejected) -> bool {
        false
    }

    /// The machine emitted an event.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn handle_event(
        &self,
        _memory: &mut Self::Memory,
        _node: usize,
        _event: <Self::Machine as Machine>::Event<'_>,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Checks what must hold after every step; it may remember something for later steps.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn check(&self, memory: &mut Self::Memory, nodes: &[Node<Self>]) -> Result<(), String>;

    /// Whether the system has reached the state it must reach once faults have stopped. Crashed
    /// nodes stay down.
    ///
    /// # Errors
    ///
    /// What is missing.
    fn healed(&self, _nodes: &[Node<Self>]) -> Result<(), String> {
        Ok(())
    }

    /// How long it may take to get there, in µs.
    fn max_healing_us(&self) -> u64 {
        0
    }
}
