use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc::{self, error};

use crate::{App, Metrics};

/// Hands commands to a running node, from any thread or task. Cheap to clone.
pub struct Handle<A: App> {
    pub(crate) commands: mpsc::Sender<A::Command>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The node stopped; the command was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

/// Why a command was not taken; here it is again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrySendError<C> {
    /// The queue is full: the node is busy.
    Full(C),
    /// The node stopped.
    Stopped(C),
}

impl<A: App> Handle<A> {
    /// Waits for room in the queue and hands the command in.
    ///
    /// # Errors
    ///
    /// [`Stopped`] when the node is gone.
    pub async fn send(&self, command: A::Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }

    /// Hands the command in if there is room.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] gives the command back.
    pub fn try_send(&self, command: A::Command) -> Result<(), TrySendError<A::Command>> {
        self.commands.try_send(command).map_err(|error| match error {
            error::TrySendError::Full(command) => TrySendError::Full(command),
            error::TrySendError::Closed(command) => TrySendError::Stopped(command),
        })
    }

    /// What the node counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}

impl<A: App> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), metrics: self.metrics.clone() }
    }
}

impl<A: App> fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node has stopped")
    }
}

impl<C> fmt::Display for TrySendError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the node's command queue is full",
            Self::Stopped(_) => "the node has stopped",
        })
    }
}

impl std::error::Error for Stopped {}
impl<C: fmt::Debug> std::error::Error for TrySendError<C> {}
