//! Reads without a round of messages, as long as no other node can have been elected (Raft thesis, 6.4.1).

use quorate_core::{Drift, Instant, Phase, Rejected};

use crate::extras::Extra;
use crate::peer::Peer;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Replication, Role, Term};

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
    /// The least that a voter promised in this term, in µs; 0 for none. No longer one is of use than there is room for.
    least: u32,
    /// A follower owes its leader a promise.
    pub(crate) promise_due: bool,
}

impl<S: Storage> Raft<S> {
    /// Up to which index the application must have applied the log to be read linearizably *now*, without any message: `None` when this
    /// node does not lead, or its lease does not hold. Then [`read`](quorate_log::ReplicatedLog::read) is the way.
    ///
    /// A majority answered a message of this leader, and stated for how long it votes for nobody else after it got it: for its shortest
    /// election timeout. So counted from when that message was sent, for the least of what was stated, and for as much less as the clocks may be off by
    /// [`Config::lease_drift`](crate::Config::lease_drift), this node is the only leader. A voter that states nothing, as it has
    /// leases off or is of a version that does not know of them, does not count. There is no lease before the first
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
    /// use quorate_core::{Drift, Instant, NodeId};
    /// use quorate_raft::{Config, Inline, Raft};
    /// let config = Config { lease_drift: Drift::from_ppm(500), ..Config::lan() };
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
        let lease = self.extra.get()?.lease;
        let held = !lease.void && self.now.since(lease.from?) < self.lease_us();
        held.then_some(self.commit)
    }

    /// Whether leaders may count on a node that voted for nobody else.
    pub(crate) fn leases(&self) -> bool {
        self.extra.get().is_some() && self.config.lease_drift.is_some()
    }

    /// For how long a leader counts on the promises: the least of them, on a clock that is as fast as may be.
    fn lease_us(&self) -> u64 {
        let own = self.promise_us();
        let stated = self.extra.get().map(|extras| u64::from(extras.lease.least));
        let stated = stated.filter(|&us| us != 0);
        less(stated.map_or(own, |us| us.min(own)), self.config.lease_drift)
    }

    /// For how long this node votes for nobody else after it heard its leader: the shortest election timeout of its clock,
    /// which may be fast, in microseconds of true time.
    pub(crate) fn promise_us(&self) -> u64 {
        less(self.config.election_min_us, self.config.lease_drift)
    }

    /// A round of the leader's was heard for the first time.
    #[inline]
    pub(crate) fn owe_promise(&mut self) {
        if self.config.lease_drift.is_some()
            && let Some(extras) = self.extra.get_mut()
        {
            extras.lease.promise_due = true;
            self.work.extras();
        }
    }

    pub(crate) fn plan_promise(&mut self) -> bool {
        let Some(extras) = self.extra.get_mut() else { return false };
        core::mem::take(&mut extras.lease.promise_due)
    }

    /// A follower promises to vote for nobody else.
    #[cold]
    pub(crate) fn on_promise(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        promise_us: u64,
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if round == 0 {
            return Err(Rejected::Malformed);
        }
        if promise_us >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if !self.heeds_answer(term, round)? || !self.leases() || promise_us == 0 {
            return Ok(());
        }
        let voter = |peer: &&Peer| peer.membership.is_voter();
        let Some(peer) = self.peers.get(from).filter(voter).map(|peer| peer.id) else {
            return Ok(());
        };
        if let Some(errand) = self.errand(peer) {
            errand.promised = errand.promised.max(round);
        }
        if let Some(extras) = self.extra.get_mut() {
            let stated = u32::try_from(promise_us).unwrap_or(u32::MAX);
            let least = &mut extras.lease.least;
            *least = if *least == 0 { stated } else { stated.min(*least) };
        }
        self.settle_lease();
        Ok(())
    }

    /// A round begins with this heartbeat: its answers will extend the lease.
    pub(crate) fn renew_lease(&mut self) {
        if !self.leases() {
            return;
        }
        let (round, sent) = (self.round, self.now);
        if let Some(extras) = self.extra.get_mut()
            && extras.lease.round == 0
        {
            (extras.lease.round, extras.lease.sent) = (round, sent);
        }
        // where nobody else votes
        self.settle_lease();
    }

    /// Extends the lease if a majority has promised.
    fn settle_lease(&mut self) {
        let Some(round) = self.extra.get().map(|e| e.lease.round).filter(|&round| round != 0)
        else {
            return;
        };
        if self.is_promised(round)
            && let Some(extras) = self.extra.get_mut()
        {
            extras.lease.from = Some(extras.lease.sent);
            extras.lease.round = 0;
        }
    }

    /// Whether a majority, of both configurations if there are two (4.3), promised to vote for nobody else after it heard
    /// this round. This node itself leads.
    fn is_promised(&self, round: u64) -> bool {
        // one that lost entries may have forgotten a vote as well
        let promised = |peer: &Peer| {
            let remembers = peer.replication != Replication::Halted;
            remembers
                && self.extra.errands().iter().any(|e| e.is_of(peer.id) && e.promised >= round)
        };
        let own = core::iter::once((self.membership.in_quorums::<S>(), true));
        let others = self.peers.iter().map(|p| (p.membership.in_quorums::<S>(), promised(p)));
        self.voters.quorums::<S>().is_met(Phase::One, own.chain(others))
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

/// A time on a clock that is off by as much as may be.
fn less(us: u64, drift: Option<Drift>) -> u64 {
    match us.checked_mul(drift.unwrap_or_default().ppm().into()) {
        Some(lost) => us.saturating_sub(lost.div_ceil(1_000_000)),
        None => 0,
    }
}
