//! Who leads: ballot leader election by the connectivity of quorums (Ng, Haridi and Carbone, "Omni-Paxos: Breaking the Barriers of Partial
//! Connectivity", EuroSys 2023, section 5).
//!
//! Nodes exchange heartbeats that are not answered: each says whom it hears, so that both ends know whether a link is good in both directions.
//! A node becomes a candidate only if it reaches a quorum, and nobody that it reaches has a leader. So a leader emerges wherever a node
//! reaches a quorum, whatever the other links are, and no node that cannot hear a good leader disturbs it: this one has a quorum of phase 2,
//! of which the candidate reaches a member, which says so.

use core::mem;

use quorate_core::{Instant, Phase, Rejected};

use super::peer::{Due, Flow, Page};
use super::{LIMIT, Message, MultiPaxos, Role, Slot, Storage};
use crate::{Ballot, Roles};

/// What a node knows of ballots and leaders.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Election {
    promised: Ballot,
    /// The highest round that it has heard of.
    seen: u64,
    /// Who leads, by place, and in which ballot; not this node.
    leader: Option<(usize, Ballot)>,
    /// When heartbeats are due.
    beat_at: Option<Instant>,
    /// When this node becomes a candidate, if nothing happens before.
    stand_at: Option<Instant>,
    /// A candidate that was promised something is not disturbed before.
    patience: Instant,
    is_connected: bool,
}

impl Election {
    #[inline]
    pub(super) const fn promised(&self) -> Ballot {
        self.promised
    }

    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) const fn leader(&self) -> Option<(usize, Ballot)> {
        self.leader
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub(super) fn see(&mut self, ballot: Ballot) {
        self.seen = self.seen.max(ballot.round);
    }

    pub(super) const fn forget_leader(&mut self) {
        self.leader = None;
        self.stand_at = None;
    }

    /// The places of nodes are others.
    pub(super) fn move_leader(&mut self, place: impl Fn(usize) -> Option<usize>) {
        self.leader = self.leader.and_then(|(index, ballot)| Some((place(index)?, ballot)));
    }

    /// The round of an entry that is chosen, which is no further than any other that a node may name.
    pub(super) fn see_round(&mut self, round: u64) {
        self.seen = self.seen.max(round.min(self.seen.saturating_add(Ballot::MAX_AHEAD)));
    }

    pub(super) fn restore(&mut self, ballot: Ballot) {
        self.promised = self.promised.max(ballot);
        self.see(ballot);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.beat_at.into_iter().chain(self.stand_at).min()
    }
}

impl<S: Storage> MultiPaxos<S> {
    pub(super) fn start(&mut self) {
        if self.slots.finish_restoring() {
            self.disk.restored(self.slots.last());
            self.disk.snapshot();
        }
        self.work.all();
        self.hold_elections();
        self.consider();
    }

    /// Heartbeats are due from now on, if there is anybody to hear them.
    pub(super) fn hold_elections(&mut self) {
        if self.is_started() && self.group.len() > 1 && self.election.beat_at.is_none() {
            self.election.beat_at = Some(self.now);
        }
    }

    pub(super) fn election_tick(&mut self) {
        if self.election.beat_at.is_some_and(|at| at <= self.now) {
            self.election.beat_at = Some(self.now.after(self.config.heartbeat_us));
            self.work.all();
            self.beat();
        }
        if self.election.stand_at.is_some_and(|at| at <= self.now) {
            self.work.all();
            self.consider(); // what was heard may be long ago
            if mem::take(&mut self.election.stand_at).is_some() {
                self.stand();
            }
        }
    }

    /// Once in a heartbeat interval.
    fn beat(&mut self) {
        let commit = self.slots.commit();
        let is_acceptor = self.group.has_role(self.group.me(), Roles::ACCEPTOR);
        let is_member = self.may_be_heard();
        if S::CHANGES {
            self.forget_silent();
        }
        let me = self.group.me();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            if index == me {
                continue;
            }
            // learners have nothing to say to each other; those that are no members may lack something
            let is_heard = is_acceptor
                || self.group.has_role(index, Roles::ACCEPTOR)
                || (S::CHANGES && self.group.has_no_role(index));
            peer.owed.set(Due::Heartbeat, is_member && is_heard);
            match self.role {
                Role::Leader => peer.flow.beat(peer.link.commit.min(commit)),
                Role::Candidate if self.group.has_role(index, Roles::ACCEPTOR) => {
                    peer.owed.set(Due::Prepare, !peer.page.is_last);
                }
                _ => {}
            }
            let lacks_answer = self.reads.question.is_some_and(|question| {
                peer.answered.0 != question.number && self.group.has_role(index, Roles::ACCEPTOR)
            });
            if lacks_answer {
                peer.owed.owe(Due::Query);
            }
        }
        self.hand_over_again();
        self.fetch_if_behind();
        self.forget_transfers();
        self.reads.ask_anew(self.slots.applied());
        self.consider();
    }

    /// Draws the consequences of what is heard, and of what is not heard any more.
    pub(super) fn consider(&mut self) {
        let (now, timeout) = (self.now, self.config.election_us);
        let number = self.reconfiguration.number;
        let alive = |_: usize, peer: &super::peer::Peer| peer.link.is_alive(now, timeout, number);
        let can_lead = self.votes() && self.is_quorum(Phase::Two, alive);
        let can_stand = self.votes() && self.is_quorum(Phase::One, alive);
        self.election.is_connected = can_stand;
        match self.role {
            Role::Leader if !can_lead => self.resign(),
            Role::Candidate if !can_stand => self.resign(),
            _ => {}
        }
        let is_lost = self.election.leader.is_some_and(|(index, ballot)| {
            let link = self.peers.get(index).map(|peer| &peer.link);
            // its accepts may come before its first heartbeat
            !link.is_some_and(|link| link.is_heard(now, timeout) && link.leads >= ballot)
        });
        if is_lost {
            self.is_view_old = true;
            self.election.leader = None;
        }
        let is_idle = self.role == Role::Follower && self.election.leader.is_none();
        let has_none = !self.peers.iter().enumerate().any(|(index, peer)| {
            self.group.has_role(index, Roles::ACCEPTOR)
                && alive(index, peer)
                && peer.link.has_leader
        });
        if !(is_idle && can_lead && can_stand && has_none) {
            self.election.stand_at = None;
        } else if self.election.stand_at.is_none() {
            let is_alone = self.is_quorum(Phase::One, |_, _| false);
            let goes_on = S::CHANGES && self.reconfiguration.leads_on;
            let delay = if is_alone || goes_on { 0 } else { self.rng.below(timeout) };
            self.election.stand_at = Some(now.max(self.election.patience).after(delay));
        }
    }

    /// Begins a ballot of this node: phase 1 over all slots that are not known to be chosen.
    pub(super) fn stand(&mut self) {
        let round = self.election.seen.saturating_add(1);
        if round > super::node::MAX_ROUND {
            return;
        }
        self.reconfiguration.leads_on = false;
        self.promise_to(Ballot::new(round, self.group.my_id()));
        self.role = Role::Candidate;
        self.election.leader = None;
        let (next, me) = (self.slots.commit().saturating_add(1), self.group.me());
        for (index, peer) in self.peers.iter_mut().enumerate() {
            peer.page = Page { next, is_last: false };
            let votes = index != me && self.group.has_role(index, Roles::ACCEPTOR);
            peer.owed.set(Due::Prepare, votes);
        }
        self.conclude();
    }

    /// Promises a ballot that is higher than all before.
    pub(super) fn promise_to(&mut self, ballot: Ballot) {
        self.is_view_old = true;
        self.election.promised = ballot;
        self.election.see(ballot);
        self.disk.promise();
        self.acknowledged = 0;
        for peer in self.peers.iter_mut() {
            // what is owed in an earlier ballot is owed no more
            peer.owed.forget(Due::Promise);
            peer.owed.forget(Due::Accepted);
        }
    }

    /// It leads no more, or is a candidate no more.
    pub(super) fn resign(&mut self) {
        self.is_view_old = true;
        if self.role == Role::Leader {
            self.proposals.end();
            self.reads.ask_again();
            self.reads.others_await = 0;
            self.handover = None;
        }
        self.reconfiguration.is_ending = false;
        self.role = Role::Follower;
        for peer in self.peers.iter_mut() {
            peer.owed.forget(Due::Prepare);
        }
    }

    /// Another node leads in a ballot that this node has nothing against.
    pub(super) fn follow(&mut self, index: usize, ballot: Ballot) {
        if self.role != Role::Follower {
            self.resign();
        }
        self.reconfiguration.leads_on = false;
        self.is_view_old |= self.election.leader != Some((index, ballot));
        self.election.leader = Some((index, ballot));
        self.election.stand_at = None;
    }

    #[inline]
    pub(super) fn on_heartbeat(
        &mut self,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        let &Message::Heartbeat {
            configuration,
            promised,
            leads,
            has_leader,
            hears_you,
            commit,
            through,
            last,
        } = message
        else {
            return Ok(());
        };
        if configuration >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if configuration != self.reconfiguration.number {
            if !S::CHANGES {
                return Err(Rejected::Impossible);
            }
            return self.on_foreign_heartbeat(index, message);
        }
        let is_own = !promised.is_zero() && promised.node == self.group.id(index);
        if (leads && !is_own) || commit > last || through > last {
            return Err(Rejected::Malformed);
        }
        let is_learner = !self.group.has_role(index, Roles::ACCEPTOR);
        if is_learner && leads {
            return Err(Rejected::Impossible);
        }
        if last >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.check_ballot(promised)?;
        let ballot = self.election.promised;
        self.election.see(promised);
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(index) {
            peer.link.hear(now);
            peer.link.hears_me = hears_you;
            peer.link.has_leader = has_leader;
            peer.link.leads = if leads { promised } else { Ballot::ZERO };
            peer.link.commit = commit;
            peer.link.configuration = configuration;
        }
        if leads && promised >= ballot {
            self.follow(index, promised);
            if promised == ballot {
                self.commit_to(commit.min(self.slots.voted_through(ballot)));
            }
        }
        if self.role == Role::Leader {
            self.hear_follower(index, promised, (through, last));
        }
        self.consider();
        Ok(())
    }

    /// A leader learns how far another node is.
    fn hear_follower(&mut self, index: usize, promised: Ballot, (through, last): (Slot, Slot)) {
        let ballot = self.election.promised;
        let is_acceptor = self.group.has_role(index, Roles::ACCEPTOR);
        if promised > ballot {
            if is_acceptor {
                self.resign();
            }
            return;
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.flow.has_chosen(peer.link.commit);
            if promised == ballot {
                peer.flow.accepted(through.min(self.slots.last()));
            }
        }
        self.hand_over(index);
        self.advance_commit();
        if is_acceptor && self.role == Role::Leader && last > self.slots.last() {
            self.fill_to(last);
        }
    }

    /// This node became the leader.
    pub(super) fn lead(&mut self) {
        self.is_view_old = true;
        self.role = Role::Leader;
        self.reads.ask_again();
        self.proposals.begin(self.epoch_of(self.election.promised));
        self.reconfiguration.is_ending = self.finds_stop_sign();
        let commit = self.slots.commit();
        for peer in self.peers.iter_mut() {
            peer.flow = Flow::new(peer.link.commit.min(commit));
            peer.awaits = 0;
            peer.owed.owe(Due::Heartbeat);
        }
        let me = self.group.me();
        if let Some(peer) = self.peers.get_mut(me) {
            peer.owed.forget(Due::Heartbeat);
        }
        self.advance_commit();
    }

    pub(super) fn be_patient(&mut self) {
        self.election.stand_at = None;
        self.election.patience = self.now.after(self.config.election_us);
        self.consider();
    }

    /// The heartbeat for a member.
    pub(super) fn heartbeat(&self, index: usize) -> Message<'static> {
        let promised = self.election.promised;
        let timeout = self.config.election_us;
        let link = self.peers.get(index).map(|peer| &peer.link);
        Message::Heartbeat {
            configuration: self.reconfiguration.number,
            promised,
            leads: self.role == Role::Leader,
            has_leader: self.role == Role::Leader || self.election.leader.is_some(),
            hears_you: link.is_some_and(|link| link.is_heard(self.now, timeout)),
            commit: self.slots.commit(),
            through: self.durable_votes(),
            // a read waits for this slot: the leader decides what is in it
            last: self.slots.last().max(self.reads.awaited()),
        }
    }

    /// This node has durable votes in the ballot that it promised for all slots up to here that it does not know to be chosen.
    pub(super) fn durable_votes(&self) -> Slot {
        self.slots.voted_through(self.election.promised).min(self.disk.durable())
    }
}
