use quorate_core::Instant;

use super::{Slot, succ};
use crate::Ballot;

/// What a node knows of another member, and owes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Peer {
    pub(super) link: Link,
    pub(super) flow: Flow,
    pub(super) page: Page,
    pub(super) owed: Owed,
    pub(super) transfer: Transfer,
    /// It reads, and waits to hear that all up to here is chosen; 0 if it does not.
    pub(super) awaits: Slot,
    /// The last question that it answered, by its number, and what it had promised then.
    pub(super) answered: (u64, Ballot),
}

/// What was heard of it last.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Link {
    heard_at: Option<Instant>,
    pub(super) hears_me: bool,
    pub(super) has_leader: bool,
    /// The ballot in which it leads, if it does.
    pub(super) leads: Ballot,
    pub(super) commit: Slot,
    /// The number of its configuration.
    pub(super) configuration: u64,
}

impl Link {
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// For how long it was not heard; none if it never was.
    pub(super) fn silent_us(&self, now: Instant) -> Option<u64> {
        self.heard_at.map(|at| now.since(at))
    }

    /// It was heard of late.
    pub(super) fn is_heard(&self, now: Instant, timeout_us: u64) -> bool {
        self.heard_at.is_some_and(|at| now.since(at) < timeout_us)
    }

    /// The link is good in both directions, and leads to a node in the same configuration.
    pub(super) fn is_alive(&self, now: Instant, timeout_us: u64, configuration: u64) -> bool {
        self.hears_me && self.configuration == configuration && self.is_heard(now, timeout_us)
    }
}

/// How far a leader's entries have come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Flow {
    /// What is sent next.
    pub(super) next: Slot,
    /// It has voted for everything up to here in the leader's ballot, but for what it knows to be chosen.
    pub(super) matched: Slot,
    /// What it had at the last heartbeat, plus one, if something was on its way then.
    mark: Slot,
}

impl Flow {
    pub(super) const fn new(commit: Slot) -> Self {
        Self { next: succ(commit), matched: 0, mark: 0 }
    }

    #[inline]
    pub(super) fn accepted(&mut self, through: Slot) {
        self.matched = self.matched.max(through);
        self.next = self.next.max(succ(self.matched));
    }

    pub(super) fn has_chosen(&mut self, commit: Slot) {
        self.next = self.next.max(succ(commit));
    }

    /// Once in a heartbeat interval: what was on its way for a whole one without an answer is sent again.
    pub(super) fn beat(&mut self, commit: Slot) {
        let least = succ(self.matched.max(commit));
        if self.next <= least {
            self.mark = 0;
        } else if self.mark == least {
            self.next = least;
            self.mark = 0;
        } else {
            self.mark = least;
        }
    }
}

/// How much of its votes a candidate knows.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Page {
    /// The slot that the next page begins with.
    pub(super) next: Slot,
    /// It has promised, and all its votes are known.
    pub(super) is_last: bool,
}

/// What is to be sent to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Owed {
    /// A bit for each [`Due`].
    due: u16,
    /// The ballot that was not good enough.
    pub(super) preempted: Ballot,
    /// Its votes from here on are wanted.
    pub(super) promise: Slot,
    /// What is chosen from here on is wanted.
    pub(super) chosen: Slot,
    /// The number of its question.
    pub(super) answer: u64,
}

/// Something that is to be sent to a member.
#[derive(Clone, Copy)]
pub(super) enum Due {
    Heartbeat = 1,
    Preempted = 2,
    Promise = 4,
    Accepted = 8,
    Prepare = 16,
    Query = 32,
    Answer = 64,
    Fetch = 128,
    Chosen = 256,
    Stand = 512,
}

impl Owed {
    #[inline]
    pub(super) const fn is_nothing(&self) -> bool {
        self.due == 0
    }

    #[inline]
    pub(super) const fn has(&self, what: Due) -> bool {
        self.due & what as u16 != 0
    }

    #[inline]
    pub(super) const fn owe(&mut self, what: Due) {
        self.due |= what as u16;
    }

    #[inline]
    pub(super) const fn forget(&mut self, what: Due) {
        self.due &= !(what as u16);
    }

    /// What belongs to a configuration that has ended is owed no more.
    pub(super) const fn end_configuration(&mut self) {
        self.due &= Due::Fetch as u16 | Due::Chosen as u16 | Due::Heartbeat as u16;
    }

    /// Owed if so, and not owed if not.
    pub(super) const fn set(&mut self, what: Due, is_owed: bool) {
        self.forget(what);
        if is_owed {
            self.owe(what);
        }
    }

    /// Whether it was owed; it is not any more.
    #[inline]
    pub(super) const fn take(&mut self, what: Due) -> bool {
        let is_owed = self.has(what);
        self.forget(what);
        is_owed
    }
}

/// A snapshot on its way to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Transfer {
    pub(super) slot: Slot,
    pub(super) offset: u64,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Stage {
    /// It wants nothing, as far as is known.
    #[default]
    Idle,
    /// It wants the part at the offset.
    Wanted,
    /// The application was asked for that.
    Asked,
    /// The part is in the buffer.
    Ready,
}
