//! What a bench starts.

use std::path::PathBuf;

use crate::{Failure, Journal};

/// How a node of some kind is started: an emulated board, a process, a thread of a test.
pub trait Launch: Send + Sync {
    /// Starts it. It connects to its sockets by itself.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it cannot be started.
    fn launch(&self, setup: &NodeSetup, journal: &Journal) -> Result<Box<dyn Running>, Failure>;

    /// What it is, in a word.
    fn kind(&self) -> &'static str;
}

/// A node that was started.
pub trait Running: Send {
    /// Takes its power away, at once.
    fn kill(&mut self);

    /// How it ended, if it ended by itself.
    fn ended(&mut self) -> Option<String>;
}

/// What a node is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSetup {
    /// Its id.
    pub id: u64,
    /// The socket of its console.
    pub console: PathBuf,
    /// Its peers in ascending order, and the socket of the wire to each: a board's UART1, UART2.
    pub wires: Vec<(u64, PathBuf)>,
    /// Its persistent storage: a board's flash, or a folder of a process.
    pub storage: PathBuf,
    /// For its random numbers; another one after each start.
    pub seed: u64,
}
