use quorate_core::{Instant, Ticket};

/// Hands the writes that were kept for other nodes over, one at a time (DeCandia et al., "Dynamo", SOSP 2007, section 4.6).
///
/// One at a time, and a pause after each that failed: a node that refuses is asked no faster than it is worth.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Handoff {
    current: Option<Handing>,
    /// When the next one begins; `None` where there are none.
    next_at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Handing {
    /// The request that hands it over.
    pub(crate) request: u64,
    /// The place of the hint.
    pub(crate) place: u32,
    /// The record with the value that is handed over: a later one has another.
    pub(crate) ticket: Ticket,
}

impl Handoff {
    /// There is a hint: it is handed over after a pause, if nothing is under way.
    pub(crate) fn wake(&mut self, at: Instant) {
        if self.current.is_none() {
            self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_at.is_some_and(|at| at <= now)
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.next_at
    }

    pub(crate) fn begin(&mut self, handing: Handing) {
        *self = Self { current: Some(handing), next_at: None };
    }

    /// Nothing can be handed over now.
    pub(crate) fn pause(&mut self, until: Option<Instant>) {
        *self = Self { current: None, next_at: until };
    }

    /// What is being handed over, if it is by this request; it is no longer.
    pub(crate) fn end(&mut self, request: u64) -> Option<Handing> {
        self.current.take_if(|current| current.request == request)
    }

    pub(crate) fn cancel(&mut self) -> Option<Handing> {
        self.current.take()
    }
}
