//! What a node says, made when it is asked: nothing is queued.

use quorate_core::{Fatal, List, NodeId, Output, Ticket};

use crate::beyond::{Beyond, News};
use crate::entry::{Encoded, Header};
use crate::extras::Extra;
use crate::log::{Log, Span, TermLog};
use crate::peer::{Peer, Reply, Stage, Transfer, VoteReply};
use crate::raft::{Raft, succ};
use crate::storage::Storage;
use crate::{
    EntryKind, Event, Index, Members, Membership, Message, ReadId, Replication, Role, Term,
};
use quorate_log::{Header as _, Held};

/// An output that was decided on, and not made yet: it borrows nothing.
enum Plan {
    Founders(Ticket),
    Vote(Ticket),
    Members(Ticket),
    Snapshot(Ticket),
    Entries(Ticket, Span),
    Send(NodeId, Draft),
    Role,
    NewMembers,
    LogFull,
    PeerLostEntries(usize),
    News(News),
    Committed(Span),
    Read(ReadId),
    PartWanted(usize),
    Part { index: Index, index_term: Term, offset: u64, done: bool },
}

pub(crate) enum Draft {
    RequestVote {
        pre: bool,
    },
    TakeOver,
    TimeoutNow,
    Vote(VoteReply),
    Append {
        span: Span,
        hollow: bool,
    },
    Part {
        peer: usize,
        offset: u64,
        done: bool,
    },
    SnapshotProbe {
        peer: usize,
    },
    /// All that a witness needs of a snapshot.
    Whole {
        peer: usize,
    },
    Accept,
    Stale,
    Reject {
        prev_index: Index,
        prev_term: Term,
        round: u64,
    },
    PartAck {
        index: Index,
    },
    Removed,
    Beyond(Beyond),
}

impl<S: Storage> Raft<S> {
    /// What [`Machine::poll`](quorate_core::Machine::poll) returns.
    pub(crate) fn next_output(&mut self) -> Option<Output<'_, Self>> {
        if !self.work.any() {
            return None;
        }
        if let Some(reason) = self.fatal {
            let owed = core::mem::take(&mut self.fatal_owed);
            return owed.then_some(Output::Event(Event::Fatal(reason)));
        }
        let plan = self.plan()?;
        Some(self.make(plan))
    }

    /// Records first, then messages, then events.
    #[inline]
    fn plan(&mut self) -> Option<Plan> {
        if self.work.has_records() {
            let plan = self.plan_record();
            if plan.is_some() {
                return plan;
            }
            self.work.records_done();
        }
        if let Some(plan) = self.plan_message() {
            return Some(plan);
        }
        if self.work.has_events() {
            let plan = self.plan_event();
            if plan.is_some() {
                return plan;
            }
            self.work.events_done();
        }
        None
    }

    #[inline]
    fn plan_record(&mut self) -> Option<Plan> {
        if !self.disk.founded {
            return Some(Plan::Founders(self.disk.issue_founders()));
        }
        if self.disk.vote_dirty {
            return Some(Plan::Vote(self.disk.issue_vote()));
        }
        if S::CHANGES && self.disk.members_dirty {
            return Some(Plan::Members(self.disk.issue_members()));
        }
        if !self.disk.may_write() {
            return None;
        }
        if self.disk.snapshot_dirty {
            self.disk.snapshot_dirty = false;
            return Some(Plan::Snapshot(self.disk.issue_through(self.snapshot)));
        }
        let first = succ(self.disk.issued_index());
        if first > self.log.last() {
            return None;
        }
        let span = self.log.span(first, Index::MAX, usize::MAX);
        if span.last() == self.log.last() {
            self.work.records_done();
        }
        Some(Plan::Entries(self.disk.issue_through(span.last()), span))
    }

    /// Nothing is said while the term and vote are not durable (3.8): a node that says something in a term, and forgets the
    /// term, could take part in it twice.
    #[inline]
    fn plan_message(&mut self) -> Option<Plan> {
        if !self.disk.vote_durable() {
            return None;
        }
        if self.work.has_extras() {
            let draft = self.plan_extra();
            if let Some((to, draft)) = draft {
                return Some(Plan::Send(to, Draft::Beyond(draft)));
            }
            self.work.extras_done();
        }
        while let Some(at) = self.work.next_peer() {
            if at >= self.peers.len() {
                self.work.peers_done();
                break;
            }
            if let Some(draft) = self.plan_reply(at).or_else(|| self.plan_request(at)) {
                if self.is_told(at) {
                    self.work.peer_done(at);
                }
                let to = self.peers.get(at)?.id;
                return Some(Plan::Send(to, draft));
            }
            self.work.peer_done(at);
        }
        None
    }

    /// Whether there is nothing more to say to a peer, as far as that is easy to see: it is not looked at once more then.
    #[inline]
    fn is_told(&self, at: usize) -> bool {
        let Some(peer) = self.peers.get(at) else { return true };
        let owes = !matches!(peer.owed, Reply::Nothing) || peer.owed_vote.is_some();
        !owes
            && match self.role {
                Role::Leader => {
                    peer.replication == Replication::Replicate
                        && peer.next_index > self.log.last()
                        && !peer.heartbeat_due
                        && !peer.time_out_due
                }
                Role::Follower => true,
                _ => !peer.ask_vote,
            }
    }

    /// What is owed to a peer that asked.
    #[inline]
    fn plan_reply(&mut self, at: usize) -> Option<Draft> {
        let ready = self.acknowledgeable();
        let (acknowledged, verified) = (self.acknowledged, self.verified);
        let peer = self.peers.get_mut(at)?;
        if let Some(reply) = peer.owed_vote.take() {
            return Some(Draft::Vote(reply));
        }
        match peer.owed {
            Reply::Nothing => None,
            Reply::Stale => {
                peer.owed = Reply::Nothing;
                Some(Draft::Stale)
            }
            Reply::Accept { at_once } => {
                if !at_once && ready <= acknowledged && ready < verified {
                    // what was received is on its way to the disk, and will be acknowledged then
                    self.work.peer_waits(at);
                    return None;
                }
                peer.owed = if ready < verified {
                    Reply::Accept { at_once: false }
                } else {
                    Reply::Nothing
                };
                self.acknowledged = ready;
                Some(Draft::Accept)
            }
            Reply::Reject { prev_index, prev_term, round } => {
                peer.owed = Reply::Nothing;
                Some(Draft::Reject { prev_index, prev_term, round })
            }
            Reply::Part { index } => {
                peer.owed = Reply::Nothing;
                Some(Draft::PartAck { index })
            }
            Reply::Removed => {
                peer.owed = Reply::Nothing;
                (S::CHANGES && self.config_at <= self.commit).then_some(Draft::Removed)
            }
            Reply::PreVote => {
                peer.owed = Reply::Nothing;
                S::CHANGES.then_some(Draft::RequestVote { pre: true })
            }
        }
    }

    /// What this node wants of a peer.
    #[inline]
    fn plan_request(&mut self, at: usize) -> Option<Draft> {
        match self.role {
            Role::Leader => self.plan_append(at),
            Role::PreCandidate | Role::Candidate => {
                let peer = self.peers.get_mut(at)?;
                core::mem::take(&mut peer.ask_vote).then_some(if self.taking_over {
                    Draft::TakeOver
                } else {
                    Draft::RequestVote { pre: self.role == Role::PreCandidate }
                })
            }
            Role::Follower => None,
        }
    }

    #[inline]
    fn plan_append(&mut self, at: usize) -> Option<Draft> {
        let (snapshot, snapshot_term) = (self.snapshot, self.snapshot_term);
        let compacted = self.log.compacted();
        let peer = self.peers.get_mut(at)?;
        if S::CHANGES && peer.membership == Membership::NONE {
            return None;
        }
        if core::mem::take(&mut peer.time_out_due) {
            self.void_lease();
            return Some(Draft::TimeoutNow);
        }
        if peer.replication == Replication::Halted {
            return self.plan_halted(at);
        }
        if peer.replication != Replication::Snapshot && peer.next_index <= compacted {
            peer.start_transfer(snapshot, snapshot_term);
            peer.heartbeat_due |= S::CHANGES && peer.membership.is_witness();
            self.work.events();
        }
        let draft = if peer.replication == Replication::Snapshot {
            self.plan_part(at)
        } else {
            self.plan_entries(at)
        };
        if draft.is_some() {
            self.round_sent = true;
            self.peers.get_mut(at)?.heartbeat_due = false;
        }
        draft
    }

    /// The next entries for a peer, as many as the windows allow (10.2.2), or a heartbeat.
    #[inline]
    fn plan_entries(&mut self, at: usize) -> Option<Draft> {
        let peer = self.peers.get_mut(at)?;
        let next = peer.next_index;
        let prev = next.saturating_sub(1);
        let last = match peer.membership {
            // A peer is not sent its own removal before that is durable here: its vote may be needed for a log without that.
            membership if S::CHANGES && membership.departs() => {
                self.work.peer_waits(at);
                self.disk.durable()
            }
            _ => self.log.last(),
        };
        let span = match peer.replication {
            // one probe at a time, and no entries with one that is repeated
            Replication::Probe if peer.probing => Span::empty(next),
            _ if next > last => Span::empty(next),
            _ => {
                let inflight = prev.saturating_sub(peer.match_index);
                let room = self.config.max_inflight_entries.saturating_sub(inflight);
                let used = self.log.bytes_between(peer.match_index, prev);
                let limit = self.config.max_inflight_bytes as u64;
                let full = inflight > 0 && (room == 0 || used >= limit);
                if full && peer.replication == Replication::Replicate {
                    Span::empty(next)
                } else {
                    let bytes = usize::try_from(limit.saturating_sub(used)).unwrap_or(usize::MAX);
                    let configured = self.config.max_append_bytes;
                    // with `Fixed` storage the frames are known to be long enough
                    let limit = if S::CHANGES { peer.flow.limit(configured) } else { configured };
                    let bytes = bytes.min(limit);
                    self.log.span(next, last.min(prev.saturating_add(room.max(1))), bytes)
                }
            }
        };
        let (span, hollow) = self.for_peer(at, span);
        let peer = self.peers.get_mut(at)?;
        let probing = peer.replication == Replication::Probe;
        if span.is_empty() && !peer.heartbeat_due && (peer.probing || !probing) {
            return None;
        }
        if span.is_empty() {
            peer.probing |= probing;
            return Some(self.plan_heartbeat(at));
        }
        if probing {
            peer.probing = true;
            peer.set_probed(span.last());
        } else {
            peer.next_index = succ(span.last());
        }
        Some(Draft::Append { span, hollow })
    }

    /// A heartbeat. Where it asks for the entries on their way, it finds out at once whether some were lost; while those may still
    /// come, it asks for no more than is known to match, so that it may overtake them.
    fn plan_heartbeat(&self, at: usize) -> Draft {
        if self.asks_to_rest() {
            return Draft::Beyond(Beyond::Rest);
        }
        let next = self.peers.get(at).map_or(1, |peer| {
            let (matched, sent) = (peer.match_index, peer.next_index.saturating_sub(1));
            let streams = peer.replication == Replication::Replicate && sent > matched;
            // what is compacted away cannot be asked for
            let known = matched >= self.log.compacted();
            let waits = streams && known && !self.is_overdue(peer, sent);
            if waits { succ(matched) } else { peer.next_index }
        });
        Draft::Append { span: Span::empty(next), hollow: false }
    }

    /// A peer that lost entries hears that there is a leader, and is sent nothing else.
    #[cold]
    fn plan_halted(&mut self, at: usize) -> Option<Draft> {
        let span = Span::empty(succ(self.log.last()));
        let due = core::mem::take(&mut self.peers.get_mut(at)?.heartbeat_due);
        self.round_sent |= due;
        due.then_some(Draft::Append { span, hollow: false })
    }

    /// What a peer is given of a run of entries, and whether that is in the buffer: a witness gets of commands only that there are
    /// some (11.7.2).
    #[inline]
    fn for_peer(&mut self, at: usize, span: Span) -> (Span, bool) {
        let witness = |peer: &Peer| peer.membership.is_witness();
        if S::CHANGES && !span.is_empty() && self.peers.get(at).is_some_and(witness) {
            return self.hollow(at, span);
        }
        (span, false)
    }

    /// Writes the commands at the front of the run into the buffer for parts, without what they hold. Anything else at its front is given
    /// as it is.
    #[cold]
    fn hollow(&mut self, at: usize, span: Span) -> (Span, bool) {
        if self.chunk.held() != Held::Nothing {
            // the buffer is in use: when it is free
            return (Span::empty(span.first()), false);
        }
        // A witness may not be the only one whose disk has an entry: if the leader lost it in a crash, nobody with the commands would
        // have a log that the witness votes for.
        // The leader itself does not count as one when it has no vote any more: it will not lead again.
        let own = if self.membership.votes_next() { self.disk.durable() } else { 0 };
        let heirs =
            self.peers.iter().filter(|p| p.membership.votes_next() && p.membership.may_lead());
        let durable = heirs.map(|peer| peer.match_index).fold(own, Index::max);
        if span.first() > durable {
            self.work.peer_waits(at);
            return (Span::empty(span.first()), false);
        }
        let most = durable.saturating_sub(span.first()).saturating_add(1);
        let scratch = self.chunk.scratch();
        let mut count = 0_u64;
        for (term, entry) in Encoded::new(self.log.slice(span).bytes()) {
            if !Header::scan(entry).is_ok_and(|(header, _)| header.is_command()) {
                break;
            }
            let (head, len) = Header { term, kind: EntryKind::MetadataOnly, len: 0 }.encode();
            let head = head.get(..len).unwrap_or_default();
            if count == most || scratch.extend_from_slice(head).is_err() {
                break;
            }
            count = succ(count);
        }
        if count == 0 {
            return (self.log.span(span.first(), span.first(), usize::MAX), false);
        }
        (Span::elsewhere(span.first(), count), true)
    }

    fn plan_part(&mut self, at: usize) -> Option<Draft> {
        let (round, peers) = (self.round, self.peers_to_mark());
        let peer = self.peers.get_mut(at)?;
        if peer.transfer.stage == Stage::Ready
            && let Held::Outgoing { offset, done } = self.chunk.held()
        {
            self.chunk.release();
            // the buffer is free for another transfer
            self.work.events();
            self.work.peers(peers);
            peer.transfer.stage = Stage::Sent;
            peer.transfer.sent_round = round;
            if let Some(extras) = self.extra.get_mut() {
                extras.part_at = self.now.after(self.config.snapshot_chunk_interval_us);
            }
            return Some(Draft::Part { peer: at, offset, done });
        }
        if S::CHANGES && peer.membership.is_witness() {
            // it needs nothing of what was applied
            return peer.heartbeat_due.then_some(Draft::Whole { peer: at });
        }
        peer.heartbeat_due.then_some(Draft::SnapshotProbe { peer: at })
    }

    #[inline]
    fn plan_event(&mut self) -> Option<Plan> {
        if self.role_changed {
            self.role_changed = false;
            return Some(Plan::Role);
        }
        if S::CHANGES && core::mem::take(&mut self.members_changed) {
            return Some(Plan::NewMembers);
        }
        if core::mem::take(&mut self.full_owed) {
            return Some(Plan::LogFull);
        }
        if core::mem::take(&mut self.losses_owed)
            && let Some(at) = self.next_loss()
        {
            return Some(Plan::PeerLostEntries(at));
        }
        if let Some(news) = self.plan_news() {
            return Some(Plan::News(news));
        }
        // What is not on this disk yet could be missing from the log after a restart, below what was applied.
        let ready = self.commit.min(self.disk.durable());
        if self.applied < ready && !self.awaits_snapshot() {
            let first = succ(self.applied);
            let span = self.log.span(first, ready, usize::MAX);
            self.applied = span.last();
            self.decide_open(span.last());
            if S::CHANGES && self.applied == ready && !self.has_more_events() {
                self.work.events_done();
            }
            return Some(Plan::Committed(span));
        }
        if let Some(through) = self.readable() {
            self.reads_done = through.get();
            self.ask_leader();
            return Some(Plan::Read(through));
        }
        // who the members are then must be on the disk before the snapshot can be
        if let Held::Incoming { snapshot: (index, index_term), offset, done } = self.chunk.held()
            && (!done || self.disk.members_durable())
        {
            self.chunk.release();
            return Some(Plan::Part { index, index_term, offset, done });
        }
        if let Some(wanted) = self.part_wanted() {
            self.peers.get_mut(wanted)?.transfer.stage = Stage::Asked;
            return Some(Plan::PartWanted(wanted));
        }
        self.plan_snapshot_due()
    }

    /// Whether an event may follow the last commit. If none may, the next poll need not look.
    #[inline]
    fn has_more_events(&self) -> bool {
        self.reads_wanted > self.reads_done
            || self.chunk.held() != Held::Nothing
            || self.part_wanted().is_some()
            || self.has_news()
            || self.extra.get().is_some_and(|extras| extras.renewal.asked != 0)
    }

    #[inline]
    fn plan_snapshot_due(&mut self) -> Option<Plan> {
        let asked = &mut self.extra.get_mut()?.renewal.asked;
        (*asked != 0).then(|| Plan::News(News::SnapshotDue(core::mem::take(asked))))
    }

    #[cold]
    #[inline(never)]
    fn leadership_event(&self) -> Event<'_> {
        let term = self.term;
        match self.leader {
            Some(leader) if leader == self.id => Event::Leading { term },
            Some(leader) => Event::Following { leader, term },
            None => Event::Leaderless { term },
        }
    }

    #[inline]
    fn make(&self, plan: Plan) -> Output<'_, Self> {
        match plan {
            Plan::Vote(ticket) => Output::Persist(ticket, self.vote_record()),
            Plan::Entries(ticket, span) => Output::Persist(ticket, self.entries_record(span)),
            Plan::Snapshot(ticket) => Output::Persist(ticket, self.snapshot_record()),
            Plan::Members(ticket) => Output::Persist(ticket, self.arriving_record()),
            Plan::Founders(ticket) => Output::Persist(ticket, self.founders_record()),
            Plan::NewMembers => {
                Output::Event(Event::Members { index: self.config_at, members: self.members() })
            }
            Plan::Send(to, draft) => Output::Send(to, self.write(draft)),
            Plan::Role => Output::Event(self.leadership_event()),
            Plan::LogFull => Output::Event(Event::LogFull),
            Plan::PeerLostEntries(at) => Output::Event(self.loss_event(at)),
            Plan::News(news) => Output::Event(self.tell_news(&news)),
            Plan::Committed(span) => Output::Event(Event::Committed(self.log.slice(span))),
            Plan::Read(through) => Output::Event(Event::Read { through }),
            Plan::PartWanted(at) => Output::Event(self.part_wanted_event(at)),
            Plan::Part { index, index_term, offset, done } => Output::Event(Event::SnapshotChunk {
                index,
                index_term,
                offset,
                data: self.chunk.bytes(),
                done,
            }),
        }
    }

    fn part_wanted_event(&self, at: usize) -> Event<'_> {
        let max_len = self.chunk.limit();
        match self.peers.get(at) {
            Some(peer) => Event::SnapshotWanted {
                to: peer.id,
                index: peer.transfer.index,
                offset: peer.transfer.offset,
                max_len,
            },
            None => Event::Fatal(Fatal::Invariant),
        }
    }

    #[inline]
    fn write(&self, draft: Draft) -> Message<'_> {
        let (term, round) = (self.term, self.leader_round);
        match draft {
            Draft::Append { span, hollow } => {
                let prev_index = span.first().saturating_sub(1);
                let prev_term = self.led_term(prev_index);
                let (commit, round) = (self.commit, self.round);
                let entries =
                    if hollow { self.chunk.bytes() } else { self.log.slice(span).bytes() };
                Message::Append { term, prev_index, prev_term, commit, round, entries }
            }
            Draft::Whole { peer } => self.write_part(peer, 0, true, &[]),
            Draft::Accept => {
                Message::AppendAccepted { term, round, match_index: self.acknowledgeable() }
            }
            Draft::Stale => Message::AppendAccepted { term, round: 0, match_index: 0 },
            Draft::Reject { prev_index, prev_term, round } => {
                self.write_reject(prev_index, prev_term, round)
            }
            Draft::RequestVote { pre } => Message::RequestVote {
                pre,
                term: if pre { succ(term) } else { term },
                last_index: self.log.last(),
                last_term: self.log.last_term(),
            },
            Draft::TakeOver => Message::RequestVoteForTransfer {
                term,
                last_index: self.log.last(),
                last_term: self.log.last_term(),
            },
            Draft::TimeoutNow => Message::TimeoutNow { term },
            Draft::Vote(reply) => self.write_vote(reply),
            Draft::Part { peer, offset, done } => {
                self.write_part(peer, offset, done, self.chunk.bytes())
            }
            Draft::SnapshotProbe { peer } => self.write_part(peer, u64::MAX, false, &[]),
            Draft::PartAck { index } => Message::SnapshotAck {
                term,
                round,
                index,
                offset: self
                    .incoming
                    .filter(|i| i.snapshot().0.0 == index)
                    .map_or(0, |i| i.offset()),
            },
            Draft::Removed => self.write_removed(),
            Draft::Beyond(draft) => self.write_beyond(&draft),
        }
    }

    /// The term at an index of a leader's log: everything from its blank entry on is of its own.
    #[inline]
    fn led_term(&self, index: Index) -> Term {
        if index >= self.term_start { self.term } else { self.term_at(index) }
    }

    /// A grant says which term it is for; a refusal tells this node's own, for the candidate to catch up.
    fn write_vote(&self, reply: VoteReply) -> Message<'_> {
        let VoteReply { pre, term, granted } = reply;
        // a vote that was granted stands as long as the term does
        let granted = granted && if pre { term > self.term } else { term == self.term };
        Message::Vote { pre, term: if granted { term } else { self.term }, granted }
    }

    /// Where the logs may agree: the last entry before the conflict whose term is not above the leader's there (3.5).
    fn write_reject(&self, prev_index: Index, prev_term: Term, round: u64) -> Message<'_> {
        let before = prev_index.saturating_sub(1);
        let hint_index = self.last_at_or_below(before, prev_term).max(self.commit.min(before));
        Message::AppendRejected {
            term: self.term,
            round,
            prev_index,
            hint_index,
            hint_term: self.term_at(hint_index),
        }
    }

    #[cold]
    fn write_part<'a>(
        &'a self,
        peer: usize,
        offset: u64,
        done: bool,
        data: &'a [u8],
    ) -> Message<'a> {
        let Transfer { index, index_term, offset: reached, .. } =
            self.peers.get(peer).map(|p| p.transfer).unwrap_or_default();
        let (term, round) = (self.term, self.round);
        if done {
            // of a snapshot that is not the newest any more, these are later than its end: committed all the same
            let members = Members::of(&self.base);
            return Message::SnapshotEnd { term, round, index, index_term, offset, members, data };
        }
        Message::Snapshot {
            term,
            round,
            index,
            index_term,
            offset: if offset == u64::MAX { reached } else { offset },
            done,
            data,
        }
    }
}
