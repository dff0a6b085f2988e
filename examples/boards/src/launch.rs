//! What a bench starts.

use std::path::PathBuf;

use crate::{Failure, Journal};

/// How a node of some kind is started: an emulated board, a process, a thread of a test.
pub trait Launch: Send + Sync {
    /// Starts it. It plugs into its sockets by itself.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it cannot be started.
    fn launch(&self, seat: &Seat, journal: &Journal) -> Result<Box<dyn Running>, Failure>;

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

/// A node's place on the bench.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Who sits there.
    pub id: u64,
    /// Where its console plugs in.
    pub console: PathBuf,
    /// Its peers in ascending order, and where the wire to each plugs in: a board's UART1, UART2.
    pub wires: Vec<(u64, PathBuf)>,
    /// What it keeps for ever: a board's flash, or a folder of a process.
    pub storage: PathBuf,
    /// For its random numbers; another one after each start.
    pub seed: u64,
}
