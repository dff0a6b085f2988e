use quorate_core::{Instant, Ticket};

/// Why a node sends a value that no client writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Handing {
    /// A sweep found it wanting.
    Repair {
        /// The incarnation and number with which the receiver asked for that sweep; zeros if it did not.
        asked: (u64, u64),
    },
    /// It was kept for another node.
    Hint {
        /// The place of the hint.
        place: u32,
        /// The record with the value that is handed over: a later one has another.
        ticket: Ticket,
    },
}

/// Hands the writes that were kept for other nodes over, some at a time (DeCandia et al., "Dynamo", SOSP 2007, section 4.6).
///
/// One at a time to begin with, and one more for each that was taken. A pause after one that failed, and one at a time again: a node that refuses
/// is asked no faster than it is worth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Handoff {
    /// How many may be under way at most.
    most: u8,
    /// How many may be under way now.
    window: u8,
    under_way: u8,
    /// How many hints were looked at in a row, none of which can be handed over.
    in_vain: usize,
    /// When the next one begins; `None` where there are none.
    next_at: Option<Instant>,
}

impl Handoff {
    pub(crate) const fn new(most: u8) -> Self {
        Self { most, window: 1, under_way: 0, in_vain: 0, next_at: None }
    }

    /// There is a hint that can be handed over then.
    pub(crate) fn wake(&mut self, at: Instant) {
        if self.next_at.is_none_or(|next| at < next) {
            (self.next_at, self.in_vain) = (Some(at), 0);
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        if self.under_way < self.window { self.next_at } else { None }
    }

    /// One more is under way.
    pub(crate) const fn begin(&mut self) {
        self.under_way = self.under_way.saturating_add(1);
        self.in_vain = 0;
    }

    /// So many hints were looked at, of so many, and none can be handed over. True if that was all of them.
    pub(crate) const fn look_in_vain(&mut self, looked_at: usize, hints: usize) -> bool {
        self.in_vain = self.in_vain.saturating_add(looked_at);
        let all = looked_at == 0 || self.in_vain >= hints;
        if all {
            self.in_vain = 0;
        }
        all
    }

    /// Nothing can be handed over until then.
    pub(crate) const fn pause(&mut self, until: Option<Instant>) {
        self.next_at = until;
    }

    /// One was handed over, or failed.
    pub(crate) fn end(&mut self, failed: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.window = if failed { 1 } else { self.window.saturating_add(1).min(self.most) };
    }

    /// None is under way any more.
    pub(crate) const fn cancel(&mut self) {
        (self.under_way, self.window) = (0, 1);
    }
}
