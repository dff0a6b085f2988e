/// How many messages a node has sent, by kind, so that they can be compared with theory. Counters stop at their maximum.
///
/// Only `election`, `answer` and `coordinator` are the algorithm's; the others are what a network that loses messages, and
/// nodes that come back, ask for on top.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counts {
    /// ELECTION of bully; tokens and probes of rings.
    pub election: u32,
    /// ANSWER of bully; replies of Hirschberg and Sinclair.
    pub answer: u32,
    /// COORDINATOR.
    pub coordinator: u32,
    /// "I still lead".
    pub alive: u32,
    /// "I accept": quorum and lease modes.
    pub accept: u32,
    /// "I know a later epoch".
    pub stale: u32,
    /// Acknowledgements of hops, in rings.
    pub ack: u32,
}

impl Counts {
    /// The algorithm's own messages: what theory counts.
    ///
    /// ```
    /// use quorate_election::Counts;
    /// assert_eq!(Counts::default().algorithm(), 0);
    /// ```
    #[must_use]
    pub const fn algorithm(&self) -> u32 {
        self.election.saturating_add(self.answer).saturating_add(self.coordinator)
    }
}

/// Adds one.
pub(crate) const fn increment(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
