//! Silence while there is nothing to do: no heartbeats, and nobody waits for them. As in CockroachDB and TiKV ("quiescence",
//! "hibernation"); the thesis has none of it.
//!
//! A leader whose members all have everything asks them to rest, round by round, and rests itself when all have agreed since it began to ask. From
//! then on silence says nothing: a leader's does not call for an election, a follower's for no stepping down. Whoever has something to
//! do wakes, and what it sends wakes the others.

use quorate_core::{Instant, Rejected};

use crate::extras::Extra;
use crate::log::Log;
use crate::peer::Peer;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Membership, Message, Replication, Role, Term};

/// Whether this node rests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Rest {
    /// A leader has had nothing to do since.
    since: Option<Instant>,
    /// The round from which on it asks all to rest; 0 for none.
    asked: u64,
    /// Nothing is sent, and nothing is waited for.
    quiet: bool,
    /// It rested, and its times are to be set anew.
    woken: bool,
}

impl<S: Storage> Raft<S> {
    /// Wakes a node that rests (see [`Config::quiesce_us`](crate::Config::quiesce_us)): a leader is heard again, and a follower waits for it as
    /// ever. Call it when something hints that others are gone, as a broken connection does. Proposals, reads and all messages wake by themselves. A node
    /// that does not rest does nothing.
    pub fn unquiesce(&mut self, now: Instant) {
        if self.fatal.is_none() && self.is_quiet() {
            self.advance(now);
            self.rouse();
            self.set_times();
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.rest.quiet)
    }

    /// There is something to do.
    #[inline]
    pub(crate) fn stir(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            (extras.rest.since, extras.rest.asked) = (None, 0);
            if extras.rest.quiet {
                self.rouse();
            }
        }
    }

    /// Others have something to say; only that they agree to rest leaves a leader at rest. Whether it rested.
    #[inline]
    pub(crate) fn rouse_by(&mut self, message: &Message<'_>) -> bool {
        let agrees =
            matches!(message, Message::AppendAccepted { .. } | Message::LeasePromise { .. });
        let wakes = self.is_quiet() && !agrees;
        if wakes {
            self.rouse();
        }
        wakes
    }

    /// What was said is refused, and so nothing is changed by it.
    #[cold]
    pub(crate) fn rest_on(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            extras.rest = Rest { quiet: true, ..Rest::default() };
            match self.role {
                Role::Leader => self.heartbeat_at = Instant::MAX,
                _ => self.election_at = Instant::MAX,
            }
        }
    }

    /// Whether it rested until now: nobody is elected before the leader that was not heard has had the time to be.
    pub(crate) fn is_waking(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.rest.woken)
    }

    #[cold]
    fn rouse(&mut self) {
        let Some(extras) = self.extra.get_mut() else { return };
        extras.rest = Rest { woken: true, ..Rest::default() };
        // due: what time it is may not be known here
        match self.role {
            Role::Leader => self.heartbeat_at = self.now,
            _ => self.election_at = self.now,
        }
    }

    /// Another role, term or leader: whoever rested waits for something again.
    pub(crate) fn forget_rest(&mut self) {
        if self.is_quiet() {
            self.restart_election_timer();
        }
        if let Some(extras) = self.extra.get_mut() {
            extras.rest = Rest::default();
        }
    }

    /// The silence meant nothing: all times begin anew.
    #[inline]
    pub(crate) fn set_times(&mut self) {
        if let Some(extras) = self.extra.get_mut()
            && core::mem::take(&mut extras.rest.woken)
        {
            let now = self.now;
            self.leader_heard = now;
            self.peers.iter_mut().for_each(|peer| peer.heard = now);
            self.restart_election_timer();
            self.wait_anew();
        }
    }

    /// A heartbeat is due: it asks all to rest, if there has been nothing to do for long enough.
    pub(crate) fn ask_to_rest(&mut self) {
        if self.extra.get().is_none() || self.config.quiesce_us == 0 {
            return;
        }
        // what could not be done for want of room is tried with each heartbeat
        let idle = self.is_idle() && !self.unsettled;
        let (now, round) = (self.now, self.round);
        let Some(Rest { since, asked, .. }) = self.extra.get_mut().map(|extras| &mut extras.rest)
        else {
            return;
        };
        if !idle {
            (*since, *asked) = (None, 0);
        } else if now.since(*since.get_or_insert(now)) >= self.config.quiesce_us && *asked == 0 {
            // answers may take longer than a heartbeat, so those to any round from here on count
            *asked = round;
        }
    }

    /// Whether heartbeats ask to rest.
    #[inline]
    pub(crate) fn asks_to_rest(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.rest.asked != 0)
    }

    /// Somebody answered: the leader rests if all do.
    #[cold]
    pub(crate) fn rest_with_all(&mut self) {
        let Some(asked) = self.extra.get().map(|extras| extras.rest.asked) else { return };
        let agrees = |peer: &Peer| peer.membership == Membership::NONE || peer.round >= asked;
        if asked != 0
            && self.peers.iter().all(agrees)
            && let Some(extras) = self.extra.get_mut()
        {
            extras.rest = Rest { quiet: true, ..Rest::default() };
            self.heartbeat_at = Instant::MAX;
        }
    }

    /// Whether everybody has everything, and was heard lately: while one is away, its return would find all at rest, and nobody would miss the
    /// leader.
    fn is_idle(&self) -> bool {
        let last = self.log.last();
        let level = |peer: &Peer| {
            peer.membership.is_member()
                && peer.replication == Replication::Replicate
                && peer.match_index == last
                && self.now.since(peer.heard) < self.config.election_min_us
        };
        self.commit == last
            && self.handover.is_none()
            && self.peers.iter().all(|peer| peer.membership == Membership::NONE || level(peer))
    }

    /// The leader has nothing to do.
    #[cold]
    pub(crate) fn on_rest(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        index: Index,
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if term == 0 || round == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || round >= LIMIT || index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if (term == self.term && round < self.leader_round) || !self.heed(from, term, round)? {
            return Ok(());
        }
        let reads = self.reads_wanted > self.reads_done;
        let waits = reads || self.awaits_snapshot() || self.awaits_answer();
        if self.acknowledgeable() != index || waits {
            // it does not answer, so the leader goes on, and finds out what this node lacks
            return Ok(());
        }
        if let Some(extras) = self.extra.get_mut() {
            // asked once more, it was woken by that: there are no times to be set
            extras.rest = Rest { quiet: true, ..Rest::default() };
        }
        // the leader has it committed
        self.commit = self.commit.max(index);
        if self.applied < self.commit {
            self.work.events();
        }
        self.election_at = Instant::MAX;
        if let Some(from) = self.leader_at() {
            self.owe_accept(from, true);
        }
        Ok(())
    }
}
