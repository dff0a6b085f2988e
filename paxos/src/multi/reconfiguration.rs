//! Other members: a stop-sign ends a configuration, and the next one goes on after it (Lamport, Malkhi and Zhou, "Reconfiguring a State
//! Machine", 2010, section 2.2; Ng, Haridi and Carbone, "Omni-Paxos", 2023, section 6).
//!
//! A slot is decided by the members of one configuration. A node takes part in the next one from the moment on at which it knows
//! that the stop-sign is chosen, and so all that comes before it; its votes for later slots, which are of the configuration that
//! has ended, are dropped then. Prepares, accepts, heartbeats and queries carry the number of the configuration, and are heeded in that
//! alone: no quorum is made up of nodes that are in different ones.
//!
//! Members of the old configuration go on to serve what is chosen, so that those of the new one have somebody to ask. Ballots go on, too: one
//! that was used in a configuration is not used again in a later one.

use quorate_core::{Corrupt, Fatal, Full, Instant, List, NodeId, Quorums, Rejected};
use quorate_log::Proposal;

use super::entry::{self, EntryKind};
use super::kept::Kept;
use super::peer::Due;
use super::work::Work;
use super::{
    Configuration, LIMIT, Message, MultiPaxos, ProposeError, ReconfigureError, Record, Role, Slot,
    Storage, succ,
};
use crate::member::Group;
use crate::{ConfigError, Member, Roles};

/// In which configuration a node is, and what it keeps of earlier and later ones.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Reconfiguration<S: Storage> {
    /// The number of the configuration in force, and the slot of its stop-sign.
    pub(super) number: u64,
    pub(super) since: Slot,
    entered_at: Instant,
    /// The application has not been told of it.
    pub(super) is_news: bool,
    /// This leader has a stop-sign in its log, and proposes nothing after it.
    pub(super) is_ending: bool,
    /// This node has led the configuration before, and need not wait for another to lead this one.
    pub(super) leads_on: bool,
    /// Messages of other configurations.
    pub(super) foreign: u64,
    /// The configuration as of this node's snapshot.
    pub(super) base: Kept<S>,
    /// That as of a snapshot that was received, or that a record will name.
    arriving: Option<(Slot, Kept<S>)>,
}

impl<S: Storage> Reconfiguration<S> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            number: 0,
            since: 0,
            entered_at: Instant::ZERO,
            is_news: false,
            is_ending: false,
            leads_on: false,
            foreign: 0,
            base: Kept::founders(limit),
            arriving: None,
        }
    }
}

/// A configuration as the data of an entry, at most.
const MAX_LEN: usize = 32 + 11 * Work::MEMBERS;

/// A node that is no member and was not heard for so many election timeouts is forgotten.
const FORGET_AFTER: u64 = 8;

impl<S: Storage> MultiPaxos<S> {
    /// Replaces the members and their quorums, all at once or in part. It is on its way when this returns. When the stop-sign is chosen, the
    /// configuration ends: this node leads no more, [`Event::Reconfigured`](super::Event::Reconfigured) comes at each node, and the new
    /// members elect a leader, which is this node if it is one of them and nothing fails.
    ///
    /// A new node is made by [`join`](Self::join). It gets the log, or a snapshot, from any node that has it, and votes when it has all
    /// up to the stop-sign. Until a quorum of the new members has, nothing is chosen: let nodes learn first, as
    /// [learners](Roles::LEARNER), and give them votes in a second step.
    ///
    /// A node that is removed goes on to serve what is chosen, and may be shut down when it
    /// [hears of a leader](super::Event::Following) after the event: then a quorum of the new members has everything. An id may be given to
    /// a node with an empty disk once a configuration without it was in force.
    ///
    /// # Errors
    ///
    /// [`ReconfigureError`] tells why it was not taken; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Event, Inline, MultiPaxos}};
    /// # type Node = MultiPaxos<Inline<3, 1024, 16, 64>>;
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// let mut node = Node::new(a, [Member::new(a)], Quorums::majority(1), Config::lan(), 42)?;
    /// node.found();
    /// node.tick(Instant::ZERO);
    /// # fn drive(node: &mut Node) -> Option<u64> {
    /// #     let mut reconfigured = None;
    /// #     loop {
    /// #         let mut last = None;
    /// #         while let Some(output) = node.poll() {
    /// #             match output {
    /// #                 Output::Persist(ticket, _) => last = Some(ticket),
    /// #                 Output::Event(Event::Reconfigured { number, .. }) => reconfigured = Some(number),
    /// #                 _ => {}
    /// #             }
    /// #         }
    /// #         match last {
    /// #             Some(ticket) => node.persisted(ticket),
    /// #             None => return reconfigured,
    /// #         }
    /// #     }
    /// # }
    /// # drive(&mut node);
    /// node.reconfigure([a, b].map(Member::new), Quorums::majority(2))?;
    /// assert_eq!(drive(&mut node), Some(1)); // the event, after the disk
    /// assert_eq!(node.members().count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reconfigure(
        &mut self,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
    ) -> Result<Proposal, ReconfigureError> {
        if !S::CHANGES {
            return Err(ReconfigureError::Fixed);
        }
        self.may_propose().map_err(ReconfigureError::Propose)?;
        let limit = self.most_members();
        let number = succ(self.reconfiguration.number);
        let next = Kept::<S>::next(number, members, quorums, limit);
        let next = next.map_err(ReconfigureError::Config)?;
        let is_new = |member: &Member| self.group.index_of(member.id).is_none();
        let new = next.get().members.iter().filter(is_new).count();
        if self.group.members().count().saturating_add(new) > limit {
            return Err(ReconfigureError::Config(ConfigError::TooManyMembers));
        }
        let mut buffer = [0; MAX_LEN];
        let data = quorate_core::Wire::to_slice(&next.get(), &mut buffer);
        let too_large = ReconfigureError::Propose(ProposeError::TooLarge);
        let data = data.map_err(|_| too_large)?;
        let proposal = self.add(EntryKind::StopSign, data).map_err(ReconfigureError::Propose)?;
        self.slots.has_stop_sign();
        self.reconfiguration.is_ending = true;
        Ok(proposal)
    }

    /// The members, as far as this node knows, in the order of their ids; none at a node that has not joined yet.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # type Node = MultiPaxos<Inline<3, 1024, 16, 64>>;
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let node = Node::new(NodeId::new(1), members, Quorums::majority(3), Config::lan(), 42)?;
    /// assert!(node.members().eq(members));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.group.members()
    }

    /// The quorums of the acceptors among the [`members`](Self::members).
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # type Node = MultiPaxos<Inline<3, 1024, 16, 64>>;
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let node = Node::new(NodeId::new(1), members, Quorums::majority(3), Config::lan(), 42)?;
    /// assert_eq!(node.quorums(), Quorums::majority(3));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn quorums(&self) -> Quorums {
        self.group.quorums()
    }

    pub(super) fn most_members(&self) -> usize {
        self.config.max_members.min(S::MEMBERS).min(Work::MEMBERS)
    }

    /// Looks at entries of a peer, before any of them is taken.
    #[inline]
    pub(super) fn check_entries(&mut self, entries: &[u8]) -> Result<u64, Rejected> {
        let run = entry::check(entries, self.config.max_entry_bytes, S::CHANGES)?;
        if let Some(members) = run.members {
            if !S::CHANGES || members > self.most_members() {
                return Err(Rejected::Full);
            }
            self.slots.has_stop_sign();
        }
        Ok(run.count)
    }

    /// Everything up to here is chosen, but for what follows a stop-sign: that is not for this configuration to choose.
    #[inline]
    pub(super) fn commit_to(&mut self, slot: Slot) -> bool {
        if S::CHANGES && self.slots.may_stop() {
            return self.commit_to_stop_sign(slot);
        }
        self.slots.commit_to(slot)
    }

    #[cold]
    fn commit_to_stop_sign(&mut self, slot: Slot) -> bool {
        let (commit, end) = (self.slots.commit(), slot.min(self.slots.last()));
        let Some(at) = self.slots.stop_sign(commit, end, self.reconfiguration.number) else {
            return self.slots.commit_to(end);
        };
        self.slots.commit_to(at);
        self.end_at(at, at);
        true
    }

    /// The configuration has ended by the stop-sign in a slot; votes after `last` are of before.
    fn end_at(&mut self, at: Slot, last: Slot) {
        let limit = self.most_members();
        let next = self.slots.configuration(at).map(|next| Kept::of(next, limit));
        let Some(Ok(next)) = next else {
            // what was taken into the log was checked
            (self.fatal, self.is_fatal_owed) = (Some(Fatal::Invariant), true);
            return;
        };
        let has_led = self.role == Role::Leader;
        // ballots go on
        self.election.see_round(self.slots.epoch_at(at) >> 6);
        self.slots.cut(last);
        self.disk.changed(succ(last));
        self.enter(at, &next);
        self.reconfiguration.leads_on = has_led && self.votes();
        self.consider();
    }

    /// Goes on with these members.
    fn enter(&mut self, since: Slot, next: &Kept<S>) {
        self.resign();
        self.proposals.cut(since);
        self.reads.restart();
        self.election.forget_leader();
        self.acknowledged = 0;
        self.is_view_old = true;
        let Configuration { number, quorums, members } = next.get();
        let others = self.group.members().map(|member| member.id);
        let group = Group::entered(
            self.group.my_id(),
            (members.iter(), quorums),
            others,
            self.most_members(),
        );
        self.regroup(group);
        self.reconfiguration.number = number;
        self.reconfiguration.since = since;
        self.reconfiguration.entered_at = self.now;
        self.reconfiguration.is_news = true;
        let (me, may_be_heard) = (self.group.me(), self.may_be_heard());
        for (index, peer) in self.peers.iter_mut().enumerate() {
            peer.owed.end_configuration();
            peer.owed.set(Due::Heartbeat, index != me && may_be_heard);
        }
        self.hold_elections();
    }

    /// Other nodes are known from now on; what is known of those that stay is kept.
    fn regroup(&mut self, group: Group<S>) {
        let before = core::mem::replace(&mut self.group, group);
        let mut peers = S::Members::with_limit(self.most_members());
        for index in 0..self.group.len() {
            let peer = before.index_of(self.group.id(index)).and_then(|at| self.peers.get_mut(at));
            let _ = peers.push(peer.map(core::mem::take).unwrap_or_default()); // as many as the group
        }
        self.peers = peers;
        let place = |index| self.group.index_of(before.id(index));
        self.election.move_leader(place);
        self.catch_up.regrouped(place);
        self.work = Work::new(self.group.len(), self.group.me());
        self.work.all();
    }

    /// A node that is not known, in another configuration: one of both has something that the other one lacks.
    pub(super) fn meet(&mut self, from: NodeId, message: &Message<'_>) -> Result<usize, Rejected> {
        if !S::CHANGES {
            return Err(Rejected::UnknownSender);
        }
        let is_sound = match *message {
            Message::Heartbeat { configuration, promised, commit, last, .. } => {
                let number = self.reconfiguration.number;
                // or one that has left the same, and was away while those it knew were replaced
                let is_foreign = configuration != number || number > 0;
                let is_number = configuration < LIMIT && last < LIMIT && commit <= last;
                is_foreign && is_number && self.check_ballot(promised).is_ok()
            }
            _ => false,
        };
        if !is_sound {
            return Err(Rejected::UnknownSender);
        }
        if self.group.len() >= self.most_members() {
            let silent = self.silent(self.config.election_us).ok_or(Rejected::UnknownSender)?;
            self.forget(silent);
        }
        let others = self.strangers().map(|index| self.group.id(index)).chain([from]);
        let members = (self.group.members(), self.group.quorums());
        let me = self.group.my_id();
        let group = Group::entered(me, members, others, self.most_members());
        self.regroup(group);
        self.hold_elections();
        self.group.index_of(from).ok_or(Rejected::UnknownSender)
    }

    /// Nodes that are known, and no members.
    fn strangers(&self) -> impl Iterator<Item = usize> {
        let me = self.group.me();
        (0..self.group.len()).filter(move |&index| index != me && self.group.has_no_role(index))
    }

    /// One of them that was not heard for so long.
    fn silent(&self, timeout_us: u64) -> Option<usize> {
        let now = self.now;
        self.strangers().find(|&index| {
            self.peers.get(index).is_none_or(|peer| !peer.link.is_heard(now, timeout_us))
        })
    }

    fn forget(&mut self, index: usize) {
        let gone = self.group.id(index);
        let others = self.strangers().map(|index| self.group.id(index));
        let others = others.filter(|&other| other != gone);
        let members = (self.group.members(), self.group.quorums());
        let me = self.group.my_id();
        let group = Group::entered(me, members, others, self.most_members());
        self.regroup(group);
    }

    /// Once in a heartbeat interval: those that are no members, and have gone, are not spoken to for ever.
    pub(super) fn forget_silent(&mut self) {
        let timeout = self.config.election_us.saturating_mul(FORGET_AFTER);
        if self.now.since(self.reconfiguration.entered_at) >= timeout
            && let Some(index) = self.silent(timeout)
        {
            self.forget(index);
        }
    }

    /// A message of another configuration has no effect; but its sender lacks something, or this node does.
    #[cold]
    pub(super) fn on_foreign(&mut self, index: usize, configuration: u64) -> Result<(), Rejected> {
        let present = self.reconfiguration.number;
        if configuration >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if !S::CHANGES {
            return Err(Rejected::Impossible);
        }
        self.reconfiguration.foreign = self.reconfiguration.foreign.saturating_add(1);
        let is_ahead = configuration > present;
        if (is_ahead || self.may_be_heard())
            && let Some(peer) = self.peers.get_mut(index)
        {
            peer.owed.owe(if is_ahead { Due::Fetch } else { Due::Heartbeat });
        }
        self.work.all();
        Ok(())
    }

    #[cold]
    pub(super) fn on_foreign_heartbeat(
        &mut self,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        let &Message::Heartbeat { configuration, promised, hears_you, commit, last, .. } = message
        else {
            return Ok(());
        };
        if commit > last {
            return Err(Rejected::Malformed);
        }
        if last >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.check_ballot(promised)?;
        self.election.see(promised);
        self.reconfiguration.foreign = self.reconfiguration.foreign.saturating_add(1);
        let (now, own) = (self.now, self.slots.commit());
        let Some(peer) = self.peers.get_mut(index) else { return Ok(()) };
        let is_new = peer.link.configuration != configuration;
        peer.link.hear(now);
        peer.link.hears_me = hears_you;
        peer.link.has_leader = false;
        peer.link.leads = crate::Ballot::ZERO;
        peer.link.commit = commit;
        peer.link.configuration = configuration;
        if configuration > self.reconfiguration.number {
            if is_new && commit > own {
                peer.owed.owe(Due::Fetch);
            }
            // the stop-sign is chosen
            self.resign();
        }
        self.consider();
        Ok(())
    }

    /// A leader has found a stop-sign, and proposes it again.
    pub(super) fn finds_stop_sign(&self) -> bool {
        let (commit, last) = (self.slots.commit(), self.slots.last());
        S::CHANGES
            && self.slots.may_stop()
            && self.slots.stop_sign(commit, last, self.reconfiguration.number).is_some()
    }

    /// A snapshot is here whole: the configuration as of it goes to the disk before the application is given its end.
    pub(super) fn arrive(&mut self, snapshot: Slot, configuration: Option<Configuration<'_>>) {
        let limit = self.most_members();
        let kept = configuration.and_then(|configuration| Kept::of(configuration, limit).ok());
        self.reconfiguration.arriving = Some((snapshot, kept.unwrap_or(Kept::founders(limit))));
        self.disk.arrive();
        self.work.all();
    }

    /// A snapshot that was received is installed. Whether the configuration changed with it; none if it is not that which was received.
    pub(super) fn adopt_arriving(&mut self, snapshot: Slot) -> Option<bool> {
        let arriving = self.reconfiguration.arriving.take_if(|(slot, _)| *slot == snapshot);
        let (_, kept) = arriving?;
        let is_later = kept.number > self.reconfiguration.number;
        if is_later {
            self.enter(snapshot, &kept);
            self.consider();
        }
        if kept.number > self.reconfiguration.base.number {
            self.reconfiguration.base = kept;
            self.forget_parts();
        }
        Some(is_later)
    }

    /// Keeps the configuration as of a snapshot of this node; the log still has all entries up to it.
    pub(super) fn rebase(&mut self, snapshot: Slot) {
        let mut at = self.slots.snapshot().max(self.slots.compacted());
        let mut number = self.reconfiguration.base.number;
        if number == self.reconfiguration.number {
            return;
        }
        let mut last = None;
        while let Some(next) = self.slots.stop_sign(at, snapshot, number) {
            (at, number, last) = (next, succ(number), Some(next));
        }
        let next = last.and_then(|at| self.slots.configuration(at));
        if let Some(Ok(kept)) = next.map(|next| Kept::of(next, self.most_members())) {
            self.reconfiguration.base = kept;
            // parts of an earlier snapshot would be sent with the members of this one
            self.forget_parts();
        }
    }

    pub(super) fn arriving_record(&self) -> Record<'_> {
        match &self.reconfiguration.arriving {
            Some((slot, kept)) => record(*slot, kept),
            None => record(self.slots.snapshot(), &self.reconfiguration.base),
        }
    }

    /// What a checkpoint says of configurations: before the snapshot, and after it.
    pub(super) fn configuration_records(&self) -> (Option<Record<'_>>, Option<Record<'_>>) {
        if !S::CHANGES {
            return (None, None);
        }
        let base = &self.reconfiguration.base;
        let base = (base.number > 0).then(|| record(self.slots.snapshot(), base));
        let arriving = self.reconfiguration.arriving.as_ref();
        (base, arriving.map(|(slot, kept)| record(*slot, kept)))
    }

    pub(super) fn restore_configuration(
        &mut self,
        slot: Slot,
        configuration: Configuration<'_>,
    ) -> Result<(), Corrupt> {
        if !S::CHANGES {
            return Err(Corrupt::Full);
        }
        let is_founders = configuration.number == 0;
        if slot == 0 || slot >= LIMIT || !(is_founders || configuration.is_valid()) {
            return Err(Corrupt::Malformed);
        }
        let limit = self.most_members();
        if configuration.members.len() > limit {
            return Err(Corrupt::Full);
        }
        let kept = match is_founders {
            true => Kept::founders(limit),
            false => Kept::of(configuration, limit).map_err(|Full| Corrupt::Full)?,
        };
        self.reconfiguration.arriving = Some((slot, kept));
        Ok(())
    }

    /// Entries up to here are chosen. A record that says so has what was voted for after a stop-sign, up to `last`; everything later is
    /// of before.
    pub(super) fn restore_commit(&mut self, slot: Slot, last: Slot) {
        while S::CHANGES
            && self.slots.may_stop()
            && let (commit, number) = (self.slots.commit(), self.reconfiguration.number)
            && let Some(at) = self.slots.stop_sign(commit, slot.min(self.slots.last()), number)
        {
            self.slots.commit_to(at);
            let last = at.max(last);
            self.end_at(at, last);
            if last > at {
                self.slots.has_stop_sign(); // there may be more of them
            }
        }
        self.slots.commit_to(slot);
    }

    /// Whether it is known who the members were as of a snapshot that is later than any record tells.
    pub(super) fn knows_members_at(&self, snapshot: Slot) -> bool {
        let arriving = self.reconfiguration.arriving.as_ref();
        !S::CHANGES
            || snapshot <= self.slots.last()
            || self.reconfiguration.number == 0
            || arriving.is_some_and(|(slot, _)| *slot == snapshot)
    }

    /// The application has a snapshot: one that was received, or one of what this node has in its log. True if the configuration changed
    /// with it, and the log has nothing that counts.
    pub(super) fn restore_members_at(&mut self, snapshot: Slot) -> bool {
        if !S::CHANGES {
            return false;
        }
        if let Some(is_later) = self.adopt_arriving(snapshot) {
            return is_later;
        }
        if snapshot <= self.slots.last() {
            self.restore_commit(snapshot, snapshot);
            self.rebase(snapshot);
        }
        false
    }

    /// Whether this node has a part in the configuration.
    pub(super) fn own_roles(&self) -> Roles {
        self.group.roles(self.group.me())
    }
}

fn record<S: Storage>(slot: Slot, kept: &Kept<S>) -> Record<'_> {
    let Configuration { number, quorums, members } = kept.get();
    Record::Configuration { slot, number, quorums, members }
}
