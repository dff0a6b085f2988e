//! What a node says, made when it is asked: nothing is queued.

use quorate_core::{Fatal, NodeId, Output, Ticket};
use quorate_log::{Held, ReadId, Span};

use super::peer::{Due, Stage};
use super::{Configuration, Event, Message, MultiPaxos, Record, Role, Slot, Storage};
use crate::Ballot;

/// What the application was told of the leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum View {
    Leading(Ballot),
    Following(NodeId, Ballot),
    Leaderless,
}

/// An output that was decided on, and not made yet: it borrows nothing.
enum Plan {
    Founded(Ticket),
    Promised(Ticket),
    Snapshot(Ticket),
    Arriving(Ticket),
    Reconfigured,
    Accepted(Ticket, Span),
    Send(usize, Draft),
    View(View),
    LogFull,
    Fatal(Fatal),
    Committed(Span),
    Dropped(u64, Slot),
    Read(ReadId),
    PartWanted(usize),
    Part { slot: Slot, offset: u64, done: bool },
}

enum Draft {
    Heartbeat,
    Preempted(Ballot),
    Promise(Slot),
    Accepted(Slot),
    Prepare(Slot),
    Query(u64),
    Answer(u64),
    Stand,
    Accept(Span),
    Fetch,
    Chosen(Span),
    Part { slot: Slot, offset: u64, done: bool },
}

impl<S: Storage> MultiPaxos<S> {
    pub(super) fn next_output(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan()?;
        Some(self.make(plan))
    }

    /// Records first, then messages, then events.
    #[inline]
    fn plan(&mut self) -> Option<Plan> {
        if !self.work.any() {
            return None;
        }
        if let Some(reason) = self.fatal {
            return core::mem::take(&mut self.is_fatal_owed).then_some(Plan::Fatal(reason));
        }
        if self.work.has_records() {
            let plan = self.plan_record();
            if plan.is_some() {
                return plan;
            }
            self.work.records_done();
        }
        let plan = self.plan_message();
        if plan.is_some() {
            return plan;
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
        if let Some(ticket) = self.disk.take_founding() {
            return Some(Plan::Founded(ticket));
        }
        if let Some(ticket) = self.disk.take_promise() {
            return Some(Plan::Promised(ticket));
        }
        if let Some(ticket) = self.disk.take_snapshot(self.slots.snapshot()) {
            return Some(Plan::Snapshot(ticket));
        }
        if S::CHANGES
            && let Some(ticket) = self.disk.take_arriving()
        {
            return Some(Plan::Arriving(ticket));
        }
        // a candidate votes for all of it, or for nothing
        if self.disk.issued() >= self.slots.last()
            || !self.disk.may_write()
            || self.role == Role::Candidate
        {
            return None;
        }
        let span = self.slots.unwritten(self.disk.issued())?;
        Some(Plan::Accepted(self.disk.issue_through(span.last()), span))
    }

    /// Nothing is said before what was promised is durable.
    #[inline]
    fn plan_message(&mut self) -> Option<Plan> {
        if !self.disk.is_open() {
            return None;
        }
        if self.reads.is_due() {
            self.ask();
        }
        while let Some(index) = self.work.next_member() {
            if let Some(draft) = self.plan_for(index) {
                return Some(Plan::Send(index, draft));
            }
            self.work.member_done(index);
        }
        None
    }

    #[inline]
    fn plan_for(&mut self, index: usize) -> Option<Draft> {
        if !self.peers.get(index)?.owed.is_nothing()
            && let Some(draft) = self.plan_owed(index)
        {
            return Some(draft);
        }
        if self.role == Role::Leader
            && let Some(span) = self.plan_accept(index)
        {
            return Some(Draft::Accept(span));
        }
        self.plan_part(index)
    }

    fn plan_owed(&mut self, index: usize) -> Option<Draft> {
        let owed = &mut self.peers.get_mut(index)?.owed;
        if owed.has(Due::Accepted)
            && let Some(through) = self.plan_accepted(index)
        {
            return Some(Draft::Accepted(through));
        }
        let is_written = self.disk.durable() >= self.slots.last();
        let (commit, max_bytes) = (self.slots.commit(), self.config.max_accept_bytes);
        let peer = self.peers.get_mut(index)?;
        let owed = &mut peer.owed;
        if owed.take(Due::Heartbeat) {
            return Some(Draft::Heartbeat);
        }
        if owed.take(Due::Preempted) {
            return Some(Draft::Preempted(owed.preempted));
        }
        if is_written && owed.take(Due::Promise) {
            return Some(Draft::Promise(owed.promise));
        }
        if owed.take(Due::Prepare) {
            peer.page.next = peer.page.next.max(commit.saturating_add(1));
            return Some(Draft::Prepare(peer.page.next));
        }
        if owed.take(Due::Query)
            && let Some(question) = self.reads.question
        {
            return Some(Draft::Query(question.number));
        }
        if owed.take(Due::Answer) {
            return Some(Draft::Answer(owed.answer));
        }
        if owed.take(Due::Stand) && self.handover.is_some() {
            return Some(Draft::Stand);
        }
        if owed.take(Due::Fetch) {
            return Some(Draft::Fetch);
        }
        if owed.take(Due::Chosen) {
            let span = self.slots.span(owed.chosen, commit, max_bytes);
            return (!span.is_empty()).then_some(Draft::Chosen(span));
        }
        None
    }

    /// What was received goes to the disk first; what came before is acknowledged meanwhile.
    fn plan_accepted(&mut self, index: usize) -> Option<Slot> {
        let ready = self.durable_votes();
        let voted = self.slots.voted_through(self.election.promised());
        if ready <= self.acknowledged && ready < voted {
            return None;
        }
        self.acknowledged = ready;
        self.peers.get_mut(index)?.owed.set(Due::Accepted, ready < voted);
        Some(ready)
    }

    fn plan_part(&mut self, index: usize) -> Option<Draft> {
        let peer = self.peers.get_mut(index)?;
        if peer.transfer.stage == Stage::Ready
            && let Held::Outgoing { offset, done } = self.chunk.held()
        {
            self.chunk.release();
            self.work.events(); // the buffer is free for another
            peer.transfer.stage = Stage::Idle;
            return Some(Draft::Part { slot: peer.transfer.slot, offset, done });
        }
        None
    }

    fn plan_event(&mut self) -> Option<Plan> {
        if core::mem::take(&mut self.is_view_old)
            && let Some(view) = self.new_view()
        {
            self.told = view;
            return Some(Plan::View(view));
        }
        if S::CHANGES && core::mem::take(&mut self.reconfiguration.is_news) {
            return Some(Plan::Reconfigured);
        }
        if core::mem::take(&mut self.is_full_owed) {
            return Some(Plan::LogFull);
        }
        // who the members are then is on the disk before the snapshot can be
        if let Held::Incoming { snapshot: slot, offset, done } = self.chunk.held()
            && (!done || self.disk.is_open())
        {
            self.chunk.release();
            self.part_given();
            return Some(Plan::Part { slot, offset, done });
        }
        let applied = self.slots.applied();
        if let Some((before, after)) = self.proposals.take_decided(applied) {
            return Some(Plan::Dropped(before, after));
        }
        // what is not on this disk yet could be missing from the log after a restart, below what was applied
        let through = self.disk.durable().min(self.proposals.limit(applied));
        if let Some(span) = self.slots.apply(through) {
            return Some(Plan::Committed(span));
        }
        if let Some(through) = self.reads.take_done(applied) {
            return Some(Plan::Read(through));
        }
        self.part_wanted().map(Plan::PartWanted)
    }

    /// What is to be told of the leader, if it is something else than before.
    #[cold]
    fn new_view(&self) -> Option<View> {
        let view = match (self.role, self.election.leader()) {
            (Role::Leader, _) => View::Leading(self.election.promised()),
            (_, Some((index, ballot))) => View::Following(self.group.id(index), ballot),
            _ => View::Leaderless,
        };
        (view != self.told).then_some(view)
    }

    fn make(&self, plan: Plan) -> Output<'_, Self> {
        let promised = self.election.promised();
        match plan {
            Plan::Founded(ticket) => {
                Output::Persist(ticket, Record::Founded { members: self.founders })
            }
            Plan::Promised(ticket) => {
                Output::Persist(ticket, Record::Promised { ballot: promised })
            }
            Plan::Snapshot(ticket) => {
                let (slot, compacted) = (self.slots.snapshot(), self.slots.compacted());
                Output::Persist(ticket, Record::Snapshot { slot, compacted })
            }
            Plan::Arriving(ticket) => Output::Persist(ticket, self.arriving_record()),
            Plan::Reconfigured => Output::Event(Event::Reconfigured {
                number: self.reconfiguration.number,
                slot: self.reconfiguration.since,
            }),
            Plan::Accepted(ticket, span) => Output::Persist(ticket, self.slots.record(span)),
            Plan::Send(index, draft) => {
                Output::Send(self.group.id(index), self.draft(index, draft))
            }
            Plan::View(view) => Output::Event(match view {
                View::Leading(ballot) => Event::Leading { ballot, epoch: self.epoch_of(ballot) },
                View::Following(leader, ballot) => {
                    Event::Following { leader, ballot, epoch: self.epoch_of(ballot) }
                }
                View::Leaderless => {
                    Event::Leaderless { ballot: promised, epoch: self.epoch_of(promised) }
                }
            }),
            Plan::LogFull => Output::Event(Event::LogFull),
            Plan::Fatal(reason) => Output::Event(Event::Fatal(reason)),
            Plan::Committed(span) => Output::Event(Event::Committed(self.slots.slice(span))),
            Plan::Dropped(before, after) => {
                Output::Event(Event::ProposalsDropped { before, after })
            }
            Plan::Read(through) => Output::Event(Event::Read { through }),
            Plan::PartWanted(index) => {
                let transfer = self.peers.get(index).map(|peer| peer.transfer.clone());
                let transfer = transfer.unwrap_or_default();
                Output::Event(Event::SnapshotWanted {
                    to: self.group.id(index),
                    slot: transfer.slot,
                    offset: transfer.offset,
                    max_len: self.chunk.limit(),
                })
            }
            Plan::Part { slot, offset, done } => {
                Output::Event(Event::SnapshotChunk { slot, offset, data: self.chunk.bytes(), done })
            }
        }
    }

    fn draft(&self, index: usize, draft: Draft) -> Message<'_> {
        let ballot = self.election.promised();
        let (commit, last) = (self.slots.commit(), self.slots.last());
        match draft {
            Draft::Heartbeat => self.heartbeat(index),
            Draft::Preempted(low) => Message::Preempted { ballot: low, promised: ballot },
            Draft::Promise(from) => {
                let page = self.slots.page(from, self.config.max_accept_bytes);
                let entries = self.slots.slice(page.span).bytes();
                let (first, accepted) = (page.first, page.accepted);
                Message::Promise { ballot, from, first, accepted, entries, commit, last }
            }
            Draft::Accepted(through) => Message::Accepted { ballot, through },
            Draft::Prepare(from) => {
                Message::Prepare { configuration: self.reconfiguration.number, ballot, from }
            }
            Draft::Query(number) => {
                Message::Query { configuration: self.reconfiguration.number, number }
            }
            Draft::Answer(number) => Message::Answer { number, promised: ballot, last },
            Draft::Stand => Message::Stand { configuration: self.reconfiguration.number, ballot },
            Draft::Accept(span) => Message::Accept {
                configuration: self.reconfiguration.number,
                ballot,
                first: span.first(),
                commit,
                entries: self.slots.slice(span).bytes(),
            },
            Draft::Fetch => self.fetch(index),
            Draft::Chosen(span) => {
                let entries = self.slots.slice(span).bytes();
                Message::Chosen { first: span.first(), commit, entries }
            }
            Draft::Part { slot, offset, done: true }
                if S::CHANGES && self.reconfiguration.base.number > 0 =>
            {
                let Configuration { number, quorums, members } = self.reconfiguration.base.get();
                Message::LastChunk {
                    snapshot: slot,
                    offset,
                    configuration: number,
                    quorums,
                    members,
                    data: self.chunk.bytes(),
                }
            }
            Draft::Part { slot, offset, done } => {
                Message::Chunk { snapshot: slot, offset, done, data: self.chunk.bytes() }
            }
        }
    }
}
