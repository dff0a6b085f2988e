use std::fmt;
use std::sync::Arc;

use quorate_core::{NodeId, Wire};

use super::link::Link;

/// Where an application puts what goes to other nodes' applications.
pub struct Outbox {
    links: Arc<[Link]>,
    /// Which links got something since the last flush.
    dirty: Vec<bool>,
}

impl Outbox {
    pub(crate) fn new(links: Arc<[Link]>) -> Self {
        let dirty = vec![false; links.len()];
        Self { links, dirty }
    }

    /// Sends bytes to a node's application, best effort: they are dropped when its link is down or its queue is full, and may get
    /// lost on the way. Tells whether they were queued.
    pub fn send(&mut self, to: NodeId, bytes: &[u8]) -> bool {
        self.push(to, |link| link.push_application(bytes))
    }

    pub(crate) fn message<'a>(&mut self, to: NodeId, message: &impl Wire<'a>) -> bool {
        self.push(to, |link| link.push_message(message))
    }

    /// Lets what was queued go.
    pub(crate) fn flush(&mut self) {
        for (link, dirty) in self.links.iter().zip(&mut self.dirty) {
            if core::mem::take(dirty) {
                link.outgoing.notify_one();
            }
        }
    }

    fn push(&mut self, to: NodeId, push: impl FnOnce(&Link) -> bool) -> bool {
        let Ok(place) = self.links.binary_search_by_key(&to, |link| link.id) else {
            tracing::debug!(%to, "nothing can be sent to a node that is not a peer");
            return false;
        };
        let pushed = push(&self.links[place]);
        self.dirty[place] |= pushed;
        pushed
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
