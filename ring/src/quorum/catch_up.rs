use quorate_core::{InlineList, Instant, List, NodeId};

use super::{Config, Layout, Membership};
use crate::MAX_PREFERENCE;

/// Numbers of its messages have the second highest bit, and not the highest.
pub(crate) const CATCH_UP: u64 = 1 << 62;

/// How a node gets what the others have: it asks all members, one after the other, for a sweep with it. When all of those have gone through, it has what they had.
///
/// A node without records does so before it takes part, as it may have been erased, and then it does not know what it promised; and each node after a change of the
/// layout, as it may hold ranges that it did not hold before.
///
/// One that is silent is passed over, so that the others are not waited for behind it; then there is another round, until none was.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CatchUp {
    asked: Option<NodeId>,
    sequence: u64,
    due: bool,
    at: Instant,
    /// How often it was asked since it was last heard.
    attempt: u8,
    /// A node was passed over in this round.
    missed: bool,
    /// Nodes that the application has given up.
    lost: InlineList<NodeId, MAX_PREFERENCE>,
}

impl CatchUp {
    pub(crate) fn new() -> Self {
        let lost = InlineList::with_limit(MAX_PREFERENCE);
        let (due, at) = (false, Instant::ZERO);
        Self { asked: None, sequence: 0, due, at, attempt: 0, missed: false, lost }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.at
    }

    /// There is nothing to ask, until it begins anew.
    pub(crate) const fn rest(&mut self) {
        self.at = Instant::MAX;
    }

    /// It begins anew.
    pub(crate) const fn restart(&mut self, now: Instant) {
        (self.asked, self.due, self.at, self.missed) = (None, false, now, false);
    }

    /// A node is given up, or is not.
    pub(crate) fn set_lost(&mut self, node: NodeId, lost: bool) {
        let place = self.lost.iter().position(|other| *other == node);
        match (place, lost) {
            (None, true) => {
                let _ = self.lost.push(node); // of more than so many at once it waits for some
            }
            (Some(place), false) => {
                self.lost.remove(place);
            }
            _ => {}
        }
    }

    pub(crate) fn is_lost(&self, node: NodeId) -> bool {
        self.lost.contains(&node)
    }

    pub(crate) fn lost(&self) -> &[NodeId] {
        &self.lost
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
        if self.asked.is_none_or(|node| self.is_lost(node)) {
            return self.ask_next(now, own, layout, config);
        }
        if self.attempt >= config.attempts {
            self.missed = true;
            return self.ask_next(now, own, layout, config);
        }
        self.attempt = self.attempt.saturating_add(1);
        self.due = true;
        false
    }

    /// A message of a sweep comes from this node.
    pub(crate) fn hear(&mut self, node: NodeId) {
        if self.asked == Some(node) {
            self.attempt = 0;
        }
    }

    /// Whether it is this node that was asked last, with this number.
    pub(crate) fn has_asked(&self, node: NodeId, number: u64) -> bool {
        self.asked == Some(node) && number == CATCH_UP | self.sequence
    }

    /// The sweep of the node that was asked is over. True if it was the last one.
    pub(crate) fn on_swept<L: Layout>(
        &mut self,
        now: Instant,
        own: NodeId,
        layout: &L,
        config: &Config,
    ) -> bool {
        self.at = now.after(config.retry_us);
        self.ask_next(now, own, layout, config)
    }

    fn ask_next<L: Layout>(
        &mut self,
        now: Instant,
        own: NodeId,
        layout: &L,
        config: &Config,
    ) -> bool {
        let mut next = layout.node_after(self.asked);
        // who joins may wait for this node to tell it the floor; what it was written, a quorum of the members was too
        let is_passed_over = |node| {
            node == own || self.is_lost(node) || layout.membership(node) == Membership::Joining
        };
        while next.is_some_and(is_passed_over) {
            next = layout.node_after(next);
        }
        self.asked = next;
        self.sequence = self.sequence.saturating_add(1);
        (self.due, self.attempt) = (next.is_some(), 1);
        if next.is_none() && self.missed {
            self.restart(now.after(config.handoff_us));
            return false;
        }
        next.is_none()
    }

    /// Whom a message is due to, and its number; it is due no longer.
    pub(crate) fn take_due(&mut self) -> Option<(NodeId, u64)> {
        core::mem::take(&mut self.due).then_some((self.asked?, CATCH_UP | self.sequence))
    }
}
