use std::fmt;
use std::sync::Arc;

use quorate_core::{NodeId, Wire};

use super::link::Link;
use super::links::Links;
use crate::priority::Priority;

/// Where an application puts what goes to other nodes' applications, and says which nodes there are.
pub struct Outbox {
    links: Arc<Links>,
    /// The links as they were last looked at, and which of them got something since the last flush.
    known: Arc<[Arc<Link>]>,
    dirty: Vec<bool>,
}

impl Outbox {
    pub(crate) fn new(links: Arc<Links>) -> Self {
        let known = links.all();
        let dirty = vec![false; known.len()];
        Self { links, known, dirty }
    }

    /// Sends bytes to a node's application, best effort: they are dropped when its link is down or its queue is full, and may get
    /// lost on the way. Tells whether they were queued.
    pub fn send(&mut self, to: NodeId, bytes: &[u8]) -> bool {
        self.push(to, |link| link.push_application(bytes))
    }

    /// There is a peer at this address, `host:port`: connects to it, and lets it in. One that is there already is moved to the
    /// address if it is another. A peer on a serial line stays there.
    pub fn connect(&mut self, id: NodeId, address: &str) {
        self.flush();
        self.links.connect(id, address);
        self.refresh();
    }

    /// The peers there are, those that came by themselves among them, in the order of their ids.
    pub fn peers(&mut self) -> Vec<NodeId> {
        self.refresh().iter().map(|link| link.id).collect()
    }

    /// A peer is none any more: its connections are closed, and it is turned away for ten seconds, unless it is connected to
    /// again.
    pub fn disconnect(&mut self, id: NodeId) {
        self.flush();
        self.links.disconnect(id);
        self.refresh();
    }

    pub(crate) fn message<'a>(
        &mut self,
        to: NodeId,
        message: &impl Wire<'a>,
        priority: Priority,
    ) -> bool {
        self.push(to, |link| link.push_message(message, priority))
    }

    /// The links as they are now; peers that nobody named may have come.
    pub(crate) fn refresh(&mut self) -> &Arc<[Arc<Link>]> {
        let all = self.links.all();
        if !Arc::ptr_eq(&all, &self.known) {
            self.flush();
            self.dirty = vec![false; all.len()];
            self.known = all;
        }
        &self.known
    }

    /// Lets what was queued go.
    pub(crate) fn flush(&mut self) {
        for (link, dirty) in self.known.iter().zip(&mut self.dirty) {
            if core::mem::take(dirty) {
                link.flush();
            }
        }
    }

    fn push(&mut self, to: NodeId, push: impl FnOnce(&Link) -> bool) -> bool {
        let Ok(at) = self.known.binary_search_by_key(&to, |link| link.id) else {
            tracing::debug!(%to, "nothing can be sent to a node that is not a peer");
            return false;
        };
        let pushed = push(&self.known[at]);
        self.dirty[at] |= pushed;
        pushed
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
