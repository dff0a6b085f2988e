//! Who belongs to the cluster, and what a decision takes (Raft thesis, chapter 4).
//!
//! The members are those of the last configuration in the log, from its append on (4.1), and otherwise those of the snapshot, before which
//! nothing is ever replaced: so a truncated log takes its configurations back by itself.

use quorate_core::{DecodeError, List, NodeId, Phase, Quorums, Rejected, Tally};

use crate::entry::Header;
use crate::log::Log;
use crate::member::Encoded;
use crate::peer::Peer;
use crate::raft::{Raft, succ};
use crate::storage::Storage;
use crate::transfer::Handover;
use crate::work::Work;
use crate::{EntryKind, Index, Members, Membership, Message, Replication, Role, Term};

/// How many voters there are: in the configuration in force, and in the one that joint consensus leaves (0 outside of it).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Voters {
    pub(crate) new: u8,
    pub(crate) old: u8,
}

impl Voters {
    /// Of a cluster that is founded.
    #[allow(clippy::cast_possible_truncation)] // there are not that many members
    pub(crate) const fn founders(count: usize) -> Self {
        Self { new: count as u8, old: 0 }
    }

    #[allow(clippy::cast_possible_truncation)] // there are not that many members
    fn of(members: Members<'_>) -> Self {
        let count = |votes: fn(Membership) -> bool| {
            members.iter().filter(|member| votes(member.membership)).count() as u8
        };
        Self { new: count(Membership::votes_next), old: count(Membership::voted) }
    }

    /// A majority, of both configurations in joint consensus (4.3). With storage whose members never change the compiler
    /// knows which.
    #[inline]
    pub(crate) const fn quorums<S: Storage>(self) -> Quorums {
        if S::CHANGES && self.old != 0 {
            Quorums::joint_majority(self.old, self.new)
        } else {
            Quorums::majority(self.new)
        }
    }
}

impl<S: Storage> Raft<S> {
    /// The members of the cluster, as far as this node knows: of the last configuration in its log, whether that is committed or not.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_raft::{Config, Inline, Raft};
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// let raft = Raft::<Inline<5, 1024, 16, 64>>::new(ids[0], &ids, Config::default(), 42)?;
    /// assert_eq!(raft.members().len(), 3);
    /// assert!(!raft.members().is_joint());
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    #[must_use]
    pub fn members(&self) -> Members<'_> {
        if !S::CHANGES {
            return Members::of(&self.base);
        }
        members(&self.log, &self.base, self.config_at.max(self.snapshot))
    }

    /// Whether the members of a configuration fit into the storage.
    pub(crate) fn holds(&self, members: Members<'_>) -> bool {
        if !S::CHANGES {
            return true;
        }
        let others = members.iter().filter(|member| member.id != self.id).count();
        others <= self.peers.limit().min(Work::PEERS) && members.len() <= self.base.limit()
    }

    /// Checks the configurations in a run of entries before any of it is taken.
    #[cold]
    pub(crate) fn check_configs(&self, run: &[u8]) -> Result<Result<(), Rejected>, DecodeError> {
        if !S::CHANGES {
            return Ok(Err(Rejected::Full));
        }
        for entry in crate::Entries::new(0, 0, run) {
            if entry.kind == EntryKind::Config && !self.holds(Members::decode(entry.data)?) {
                return Ok(Err(Rejected::Full));
            }
        }
        Ok(Ok(()))
    }

    /// Whether this node may lead. One that the last configuration takes the vote from may, until it knows that this is committed: those
    /// who keep theirs may lack the entry, and could not be elected without it (4.2.2).
    pub(crate) fn may_lead(&self) -> bool {
        !S::CHANGES
            || ((self.membership.may_lead() || (self.led_before && self.config_at > self.commit))
                && self.removed_by().is_none())
    }

    /// The last configuration among the entries after one index and up to another.
    fn last_config(&self, after: Index, through: Index) -> Option<Index> {
        let mut next = succ(after);
        let mut last = None;
        loop {
            let run = self.log.entries(next, through, usize::MAX);
            if run.is_empty() {
                return last;
            }
            for entry in run {
                if entry.kind == EntryKind::Config {
                    last = Some(entry.index);
                }
            }
            next = succ(run.last());
        }
    }

    /// Keeps the members as of `index`, which is where a snapshot ends now; the log still has all entries up to it.
    pub(crate) fn found_at(&mut self, index: Index) {
        if !S::CHANGES || self.config_at <= self.snapshot {
            return;
        }
        if let Some(at) = self.last_config(self.snapshot, index) {
            let known = members(&self.log, &[], at);
            self.base.clear();
            let _ = self.base.extend_from_slice(known.encoded());
        }
    }

    /// A snapshot is here whole: who its members are goes to the disk before the application is given its end.
    pub(crate) fn arrive(&mut self, snapshot: (Index, Term), members: Members<'_>) {
        self.arriving_at = snapshot;
        if S::CHANGES {
            self.arriving.clear();
            let _ = self.arriving.extend_from_slice(members.encoded());
            self.disk.members_dirty = true;
            self.work.records();
        }
    }

    /// The members as of a snapshot that came from elsewhere are those that came with it.
    pub(crate) fn found_on_arrival(&mut self) {
        if S::CHANGES && !self.arriving.is_empty() {
            core::mem::swap(&mut self.base, &mut self.arriving);
            self.arriving.clear();
        }
        self.arriving_at = (0, 0);
    }

    /// Goes by the last configuration there is: it is in force once it is in the log (4.1).
    #[inline]
    pub(crate) fn reconfigure(&mut self) {
        if S::CHANGES {
            self.go_by_the_last();
        }
    }

    #[cold]
    #[inline(never)]
    fn go_by_the_last(&mut self) {
        self.config_at = self.last_config(self.snapshot, Index::MAX).unwrap_or(self.snapshot);
        let before = self.config_at.saturating_sub(1);
        let before = self.last_config(self.snapshot, before).unwrap_or(self.snapshot);
        self.led_before = members(&self.log, &self.base, before).membership(self.id).may_lead();
        self.unsettled = true;
        self.lose_lease();
        let members = members(&self.log, &self.base, self.config_at);
        let (now, last, leads) = (self.now, self.log.last(), self.role == Role::Leader);
        let own = core::mem::replace(&mut self.membership, members.membership(self.id));
        let mut changed = own != self.membership;
        let mut at = 0;
        while let Some(peer) = self.peers.get_mut(at) {
            let before = core::mem::replace(&mut peer.membership, members.membership(peer.id));
            changed |=
                before != peer.membership && (before.is_member() || peer.membership.is_member());
            if leads && peer.membership.is_member() && !before.is_member() {
                // it comes back, maybe with an empty disk: what is known of its log is of before
                peer.lead(now, last);
            }
            if !peer.membership.is_member() {
                if leads && before != Membership::NONE {
                    // a leader lets those that are removed know it
                    peer.membership = before.departed();
                    if peer.replication == Replication::Halted {
                        // it has no vote to misuse any more
                        peer.lead(now, last);
                    }
                } else if self.leader != Some(peer.id) {
                    drop_peer(&mut self.peers, at);
                    continue;
                }
            }
            at = at.saturating_add(1);
        }
        for member in members {
            if member.id == self.id || self.peers.iter().any(|peer| peer.id == member.id) {
                continue;
            }
            changed = true;
            let mut peer = Peer::new(member.id, member.membership);
            if leads {
                peer.lead(now, last);
            }
            if self.peers.len() >= self.peers.limit()
                && let Some(stranger) = self.peers.iter().position(|p| !p.membership.is_member())
            {
                drop_peer(&mut self.peers, stranger);
            }
            let _ = self.peers.push(peer);
        }
        self.voters = Voters::of(members);
        self.members_changed |= changed;
        self.work.all();
    }

    /// The greatest value above `floor` that a quorum has reached. `own` is this node's.
    #[inline]
    pub(crate) fn reached(
        &self,
        phase: Phase,
        floor: u64,
        own: u64,
        of: fn(&Peer) -> u64,
    ) -> Option<u64> {
        let quorums = self.voters.quorums::<S>();
        let mut best = floor;
        let mut candidate = own;
        let mut others = self.peers.iter();
        loop {
            if candidate > best {
                let mut tally = Tally::default();
                tally.count(self.membership.in_quorums::<S>(), own >= candidate);
                for peer in self.peers.iter() {
                    tally.count(peer.membership.in_quorums::<S>(), of(peer) >= candidate);
                }
                if quorums.is_met_by(phase, &tally) {
                    best = candidate;
                }
            }
            match others.next() {
                Some(peer) => candidate = of(peer),
                None => return (best > floor).then_some(best),
            }
        }
    }

    /// The last configuration is committed: a leader leaves joint consensus (4.3), or leads no more if it has no vote (4.2.2).
    #[cold]
    pub(crate) fn settle(&mut self) {
        if !S::CHANGES {
            return;
        }
        if self.role != Role::Leader || self.handover.is_some() || self.commit < self.term_start {
            // the log stands still meanwhile, or is not known to be this leader's: at a later heartbeat
            return;
        }
        self.unsettled = false;
        self.farewell = succ(self.round);
        if self.voters.old != 0 {
            let holds = self.members().iter().any(|member| member.membership.holds());
            if !holds && self.put_left().is_err() {
                // no room: tried again at the next heartbeat
                self.unsettled = true;
            }
        } else if !self.membership.is_voter() {
            self.hand_on();
        }
    }

    /// Hands the lead to whoever has the most of the log.
    fn hand_on(&mut self) {
        let heirs = self.peers.iter().filter(|peer| peer.membership.may_lead());
        let Some(to) = heirs.max_by_key(|peer| peer.match_index).map(|peer| peer.id) else {
            self.follow(self.term, None);
            return;
        };
        let until = self.now.after(self.config.election_max_us);
        self.handover = Some(Handover { to, until });
        self.hand_over();
    }

    /// A heartbeat is due: those that were removed and know it, or are not there to be told, are not bothered any more. How these hear
    /// of it is in `removal.rs`.
    pub(crate) fn dismiss(&mut self) {
        if !S::CHANGES {
            return;
        }
        let settled = self.config_at <= self.commit;
        let (now, patience) = (self.now, self.config.election_max_us);
        let mut at = 0;
        while let Some(peer) = self.peers.get(at) {
            let knows = peer.match_index >= self.config_at && peer.round >= self.farewell;
            let gone = now.since(peer.heard) > patience;
            if peer.membership.departs() && settled && (knows || gone) {
                drop_peer(&mut self.peers, at);
            } else {
                at = at.saturating_add(1);
            }
        }
        self.drop_part();
    }

    /// Drops whoever is no member: a candidate or leader talks to members.
    pub(crate) fn drop_strangers(&mut self) {
        if !S::CHANGES {
            return;
        }
        let mut at = 0;
        while let Some(peer) = self.peers.get(at) {
            if peer.membership.is_member() {
                at = at.saturating_add(1);
            } else {
                drop_peer(&mut self.peers, at);
            }
        }
    }

    /// The place of the peer that leads.
    pub(crate) fn leader_at(&self) -> Option<usize> {
        self.peers.iter().position(|peer| Some(peer.id) == self.leader)
    }

    /// A message from a node that is no member, as far as this one knows. Requests are answered all the same: this node may be the one
    /// that has not heard of the latest members (4.1). There is one place for such a peer; the answers of strangers count for nothing.
    #[cold]
    pub(crate) fn admit(
        &mut self,
        from: NodeId,
        message: &Message<'_>,
    ) -> Option<(usize, Option<Peer>)> {
        // nobody is a guest of itself
        if !S::CHANGES || from == self.id {
            return None;
        }
        if !matches!(
            message,
            Message::Append { .. }
                | Message::Snapshot { .. }
                | Message::SnapshotEnd { .. }
                | Message::RequestVote { .. }
        ) {
            return None;
        }
        let guest = Peer::new(from, Membership::NONE);
        let free =
            |peer: &Peer| peer.membership == Membership::NONE && Some(peer.id) != self.leader;
        if let Some(at) = self.peers.iter().position(free) {
            let before = self.peers.get_mut(at).map(|peer| core::mem::replace(peer, guest));
            return Some((at, before));
        }
        self.peers.push(guest).ok()?;
        Some((self.peers.len().saturating_sub(1), None))
    }

    /// The stranger's message was refused, so nothing is changed by it.
    #[cold]
    pub(crate) fn turn_away(&mut self, at: usize, before: Option<Peer>) {
        match (self.peers.get_mut(at), before) {
            (Some(peer), Some(before)) => *peer = before,
            _ => self.peers.truncate(at),
        }
    }

    /// Whether a learner lacks no more than may be on its way to it: it can be given a vote without holding up commits (4.2.1).
    pub(crate) fn caught_up(&self, peer: &Peer) -> bool {
        let lacks = self.log.last().saturating_sub(peer.match_index);
        let bytes = self.log.bytes_between(peer.match_index, self.log.last());
        peer.replication == Replication::Replicate
            && self.now.since(peer.heard) < self.config.election_max_us
            && lacks <= self.config.max_inflight_entries
            && bytes <= self.config.max_inflight_bytes as u64
    }
}

/// Takes a peer off the list; the last one takes its place.
fn drop_peer(peers: &mut impl List<Peer>, at: usize) {
    if let Some((last, before)) = peers.split_last_mut()
        && let Some(peer) = before.get_mut(at)
    {
        core::mem::swap(peer, last);
    }
    peers.truncate(peers.len().saturating_sub(1));
}

/// The members that the entry at `index` lists; those of the snapshot if there is no such entry.
fn members<'a>(
    log: &'a impl Log<Header = Header>,
    base: &'a [Encoded],
    index: Index,
) -> Members<'a> {
    match log.entries(index, index, usize::MAX).iter().next() {
        Some(entry) if entry.kind == EntryKind::Config => {
            Members::decode(entry.data).unwrap_or(Members::NONE)
        }
        _ => Members::of(base),
    }
}
