use quorate_core::{Instant, NodeId};

use super::{Config, Layout, Membership};

/// Numbers of its messages have the second highest bit, and not the highest.
pub(crate) const REBUILD: u64 = 1 << 62;

/// What a member without records does before it takes part: it may have been erased, and then it does not know what it promised.
///
/// It asks all other members, one after the other, for a sweep with it. When all of those have gone through, it has what they have.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Rebuild {
    asked: Option<NodeId>,
    sequence: u64,
    due: bool,
    at: Instant,
}

impl Rebuild {
    pub(crate) const fn deadline(&self) -> Instant {
        self.at
    }

    /// It begins anew.
    pub(crate) fn restart(&mut self, now: Instant) {
        *self = Self { sequence: self.sequence, at: now, ..Self::default() };
    }

    /// True if all have been asked and have done it.
    pub(crate) fn tick<L: Layout>(
        &mut self,
        now: Instant,
        own: NodeId,
        layout: &L,
        config: &Config,
    ) -> bool {
        if self.at > now {
            return false;
        }
        self.at = now.after(config.retry_us);
        if self.asked.is_none() {
            return self.ask_next(own, layout);
        }
        self.due = true;
        false
    }

    /// Whether it is this node that was asked last, with this number.
    pub(crate) fn has_asked(&self, node: NodeId, number: u64) -> bool {
        self.asked == Some(node) && number == REBUILD | self.sequence
    }

    /// The sweep of the node that was asked is over. True if it was the last one.
    pub(crate) fn on_swept<L: Layout>(&mut self, own: NodeId, layout: &L) -> bool {
        self.ask_next(own, layout)
    }

    fn ask_next<L: Layout>(&mut self, own: NodeId, layout: &L) -> bool {
        let mut next = layout.node_after(self.asked);
        // who joins may wait for this node to tell it the floor; what it was written, a quorum of the members was too
        let is_passed_over = |node| node == own || layout.membership(node) == Membership::Joining;
        while next.is_some_and(is_passed_over) {
            next = layout.node_after(next);
        }
        self.asked = next;
        self.sequence = self.sequence.saturating_add(1);
        self.due = next.is_some();
        next.is_none()
    }

    /// Whom a message is due to, and its number; it is due no longer.
    pub(crate) fn take_due(&mut self) -> Option<(NodeId, u64)> {
        core::mem::take(&mut self.due).then_some((self.asked?, REBUILD | self.sequence))
    }
}
