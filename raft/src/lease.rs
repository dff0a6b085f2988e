//! Reads without a round of messages, as long as no other node can have been elected (Raft thesis, 6.4.1).

use quorate_core::Instant;

use crate::extras::Extra;
use crate::raft::Raft;
use crate::storage::Storage;
use crate::{Index, Role};

/// Until when nobody else is elected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Lease {
    /// The round whose answers will extend it; 0 for none.
    round: u64,
    /// When that round began: nothing of it was sent earlier.
    sent: Instant,
    /// When the last round that a majority answered began.
    from: Option<Instant>,
    /// A node was asked to take over the lead: it may do so at any time in this term.
    pub(crate) void: bool,
}

impl<S: Storage> Raft<S> {
    /// Up to which index the application must have applied the log to be read linearizably *now*, without any message: `None` when this
    /// node does not lead, or its lease does not hold. Then [`read`](Self::read) is the way.
    ///
    /// A majority answered a message of this leader, and its nodes vote for nobody else for the shortest election timeout after they got
    /// it. So counted from when that message was sent, and for as much less as the clocks may differ by
    /// [`Config::lease_drift_ppm`](crate::Config::lease_drift_ppm), this node is the only leader. There is no lease before the first
    /// commit of the term, after a change of the members until the next heartbeat is answered, while the lead is being handed over, nor
    /// after a node was asked to take over, for the rest of the term: that message may arrive at any time.
    ///
    /// `now` must have been read from the clock after the client's request came in, and what is answered must be read from the state after
    /// this call. That the process is suspended between the two does no harm: the answer is as of `now`.
    ///
    /// This is only as safe as the clocks. Where their rates may be further apart than was configured, or stand still while a node sleeps, a
    /// read can miss what another leader has committed; a read with a round cannot.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_raft::{Config, Inline, Raft};
    /// let config = Config { lease_drift_ppm: 500, ..Config::lan() };
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// let mut raft = Raft::<Inline<3, 1024, 16, 64>>::new(ids[0], &ids, config, 42)?;
    /// assert_eq!(raft.read_lease(Instant::ZERO), None); // it does not lead
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    pub fn read_lease(&mut self, now: Instant) -> Option<Index> {
        if self.fatal.is_some() || self.role != Role::Leader || !self.leases() {
            return None;
        }
        self.now = self.now.max(now);
        if self.handover.is_some() || self.commit < self.term_start || self.awaits_snapshot() {
            return None;
        }
        if self.peers.is_empty() {
            return Some(self.commit);
        }
        self.settle_lease();
        let lease = self.extra.get()?.lease;
        let held = !lease.void && self.now.since(lease.from?) < self.lease_us();
        held.then_some(self.commit)
    }

    /// Whether leaders may count on a node that voted for nobody else.
    pub(crate) fn leases(&self) -> bool {
        self.extra.get().is_some() && self.config.lease_drift_ppm != 0
    }

    /// The shortest election timeout of a clock that is as fast as may be, on one that is as slow as may be: at least
    /// 1 - 2 * drift of it, as (1 - drift) / (1 + drift) is more.
    fn lease_us(&self) -> u64 {
        let part = u64::from(self.config.lease_drift_ppm).saturating_mul(2);
        let least = self.config.election_min_us;
        let lost = least.checked_mul(part).map_or(least, |lost| lost.div_ceil(1_000_000));
        least.saturating_sub(lost)
    }

    /// A round begins with this heartbeat: its answers will extend the lease.
    pub(crate) fn renew_lease(&mut self) {
        if !self.leases() {
            return;
        }
        self.settle_lease();
        let (round, sent) = (self.round, self.now);
        if let Some(extras) = self.extra.get_mut()
            && extras.lease.round == 0
        {
            (extras.lease.round, extras.lease.sent) = (round, sent);
        }
    }

    /// Extends the lease if a majority has answered.
    fn settle_lease(&mut self) {
        let Some(round) = self.extra.get().map(|e| e.lease.round).filter(|&round| round != 0)
        else {
            return;
        };
        let answered = self.reached(round.saturating_sub(1), u64::MAX, |peer| peer.round);
        if answered.is_some()
            && let Some(extras) = self.extra.get_mut()
        {
            extras.lease.from = Some(extras.lease.sent);
            extras.lease.round = 0;
        }
    }

    /// Other members decide from now on.
    pub(crate) fn lose_lease(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            extras.lease.round = 0;
            extras.lease.from = None;
        }
    }

    /// Somebody was asked to take over.
    pub(crate) fn void_lease(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            extras.lease.void = true;
        }
    }
}
