//! How a client's batch comes to the leader, and what becomes of it if it does not.

use quorate_core::{Instant, NodeId};
use quorate_raft::{Heap, ProposeError, Raft, Role, Status};
use quorate_tokio::StorageHealth;
use tokio::sync::oneshot;

use super::renewal::EXHAUSTED;
use super::{Asker, Held, NOT_ASKED, Replica, STOPPED};
use crate::apply::Entry;
use crate::batch::Batch;
use crate::forward::{Call, Frame, Refusal};
use crate::pending::{Answer, Waiting};
use crate::session::BatchId;
use crate::{limits, plausible, work};

/// How often waiting batches are gone through, in µs.
const SWEEP_US: u64 = 20_000;
/// A request to another node that was not answered for this long, in µs, is sent again; a long one later, as it takes longer.
const RESEND_US: u64 = 1_000_000;
const RESEND_US_PER_MIB: u64 = 500_000;
/// After a refusal, in µs.
const RETRY_US: u64 = 20_000;
const DISK: &str = "MISCONF the leader's disk takes no more writes, the command was not executed: free some space, it then goes on by itself";
const SPENT: &str = "TRYAGAIN the leader was lost while it had the command, perhaps because of it; it is handed to no other: ask for less at once";
const UNKNOWN_SPENT: &str = "ERR outcome unknown: several leaders in turn were lost while they had the command, perhaps because of it; it is handed to no other, and may or may not have been executed";
const IMPLAUSIBLE: &str = "ERR the leader refused the command as one that this node cannot have sent, it was not executed: see the leader's log, and the clock of this machine";
const TOO_LARGE: &str = "ERR the command is larger than the log takes";

impl Replica {
    pub(super) fn execute(
        &mut self,
        raft: &mut Raft<Heap>,
        now: Instant,
        batch: Batch,
        stale: bool,
        answer: oneshot::Sender<Answer>,
    ) {
        let slow = batch.ops.len() as u64 * 1_000_000 / limits::SLOWEST_LOG_PER_S;
        let deadline = now.after(self.policy.timeout_us.saturating_add(slow));
        let waiting = Waiting::new(batch, answer, deadline);
        if self.fatal.is_some() {
            return waiting.fail(STOPPED);
        }
        if self.is_outside() {
            return waiting.fail(Self::outside());
        }
        let crowded = self.inflight_bytes() + waiting.batch.ops.len() > limits::INFLIGHT_BYTES;
        if stale && waiting.batch.is_read_only() && !crowded {
            return self.begin_reading(waiting);
        }
        if self.exhausted && !waiting.batch.is_read_only() {
            return waiting.fail(EXHAUSTED);
        }
        if crowded || !self.writes.has_room() {
            return waiting.fail(
                "TRYAGAIN too many commands wait at this node, the command was not executed: send \
                 less at once",
            );
        }
        if waiting.batch.is_read_only() {
            let number = self.reads.insert(waiting);
            self.fresh.push_back(self.call(number, false));
        } else {
            let mut waiting = waiting;
            waiting.batch.work = self.state.work_of(&waiting.batch);
            let number = self.writes.insert(waiting);
            if self.role.0 == Role::Leader {
                self.propose(raft, now, number);
            } else {
                self.fresh.push_back(self.call(number, true));
            }
        }
    }

    /// Bytes of the batches of this node's clients and of other nodes that are on their way here.
    fn inflight_bytes(&self) -> usize {
        self.writes.bytes() + self.reads.bytes() + self.forwarded_bytes + self.readings.bytes()
    }

    /// Proposes an own batch, if this node leads: now, or when what is in flight is applied.
    pub(super) fn propose(&mut self, raft: &mut Raft<Heap>, now: Instant, number: u64) {
        let full = self.refuses_writes(raft);
        let Some(waiting) = self.writes.get_mut(number) else { return };
        if full && waiting.chances == 0 {
            if let Some(waiting) = self.writes.remove(number) {
                waiting.fail(DISK);
            }
            return;
        }
        if !self.held.is_empty() || !may_fly(self.in_flight_work, waiting.batch.work) {
            waiting.refusal = Some(Refusal::Busy);
            waiting.handed = None;
            waiting.retry_at = Instant::MAX;
            self.held.push_back(Held::Own(number));
            return;
        }
        self.propose_own(raft, now, number);
    }

    fn propose_own(&mut self, raft: &mut Raft<Heap>, now: Instant, number: u64) {
        let floor = self.writes.floor();
        let id = BatchId { origin: self.id, incarnation: self.incarnation.get(), number };
        let full = self.refuses_writes(raft);
        let Some(waiting) = self.writes.get_mut(number) else { return };
        if full && waiting.chances == 0 {
            if let Some(waiting) = self.writes.remove(number) {
                waiting.fail(DISK);
            }
            return;
        }
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, &waiting.batch);
        match raft.propose(&self.scratch) {
            Ok(proposal) => {
                waiting.hand_over(self.id, proposal.term, now);
                self.in_flight.push_back((proposal.index, waiting.batch.work));
                self.in_flight_work = self.in_flight_work.saturating_add(waiting.batch.work);
            }
            Err(ProposeError::TooLarge) => {
                if let Some(waiting) = self.writes.remove(number) {
                    waiting.fail(TOO_LARGE);
                }
            }
            Err(ProposeError::Busy) => {
                waiting.refusal = Some(Refusal::Busy);
                waiting.handed = None;
                waiting.retry_at = Instant::MAX;
                self.hold_first(raft, Held::Own(number));
            }
            Err(error) => {
                self.make_room |= error == ProposeError::LogFull;
                waiting.refusal = Some(refusal(error));
                waiting.handed = None;
                waiting.retry_at = now.after(RETRY_US);
            }
        }
    }

    fn propose_peer(
        &mut self,
        raft: &mut Raft<Heap>,
        id: BatchId,
        floor: u64,
    ) -> Result<(), Refusal> {
        let Some(batch) = self.forwarded.get(&id) else { return Ok(()) };
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, batch);
        match raft.propose(&self.scratch) {
            Ok(proposal) => {
                self.in_flight.push_back((proposal.index, batch.work));
                self.in_flight_work = self.in_flight_work.saturating_add(batch.work);
                Ok(())
            }
            // sending it again would cost more than keeping it
            Err(ProposeError::Busy) => {
                self.hold_first(raft, Held::Peer(id, floor));
                Ok(())
            }
            Err(error) => {
                self.make_room |= error == ProposeError::LogFull;
                if let Some(batch) = self.forwarded.remove(&id) {
                    self.forwarded_bytes -= batch.ops.len();
                }
                Err(refusal(error))
            }
        }
    }

    /// Too much is not committed: nothing more is proposed until some of it is.
    fn hold_first(&mut self, raft: &Raft<Heap>, held: Held) {
        let status = raft.status();
        self.no_room = (status.commit, status.term);
        self.held.push_front(held);
    }

    /// Proposes what has waited for the log, in its order.
    pub(super) fn propose_held(&mut self, raft: &mut Raft<Heap>, now: Instant) {
        if self.held.is_empty() {
            return;
        }
        let status = raft.status();
        while let Some(&held) = self.held.front() {
            if self.no_room == (status.commit, status.term) {
                return;
            }
            let batch = match held {
                Held::Own(number) => self.writes.get_mut(number).map(|waiting| &waiting.batch),
                Held::Peer(id, _) => self.forwarded.get(&id),
            };
            if batch.is_some_and(|batch| !may_fly(self.in_flight_work, batch.work)) {
                return;
            }
            self.held.pop_front();
            match held {
                Held::Own(number) => self.propose_own(raft, now, number),
                Held::Peer(id, floor) => {
                    if let Err(reason) = self.propose_peer(raft, id, floor) {
                        let BatchId { origin, incarnation, number } = id;
                        let call = Call { incarnation, number, write: true };
                        let refusal = Frame::Refusal { call, reason };
                        self.outgoing.push((origin, refusal.to_vec(), None));
                    }
                }
            }
        }
    }

    /// Hands an own batch over to whoever leads.
    pub(super) fn hand_over(
        &mut self,
        raft: &mut Raft<Heap>,
        now: Instant,
        status: &Status,
        call: Call,
    ) {
        let Some(leader) = status.leader else { return };
        if leader == self.id {
            if call.write {
                self.propose(raft, now, call.number);
            } else if let Some(waiting) = self.reads.get_mut(call.number) {
                waiting.hand_over(self.id, status.term, now);
                self.asked.push(Asker::Own(call.number));
            }
            return;
        }
        let floor = self.writes.floor();
        if !call.write && self.unread.is_full() {
            // what comes back may be long
            let tried = self.tried.is_some_and(|number| self.reads.is_handed(number));
            let Some(waiting) = self.reads.get_mut(call.number) else { return };
            if tried {
                waiting.retry_at = Instant::MAX;
                self.put_off.push_back(call.number);
                return;
            }
            self.tried = Some(call.number);
        }
        let pending = if call.write { &mut self.writes } else { &mut self.reads };
        let Some(waiting) = pending.get_mut(call.number) else { return };
        waiting.hand_over(leader, status.term, now);
        let Batch { protocol, ref ops, .. } = waiting.batch;
        let request = Frame::Request { call, floor, protocol, ops }.to_vec();
        self.outgoing.push((leader, request, Some(call)));
        self.counters.forwarded_out += 1;
    }

    /// Hands over the reads that were put off as clients leave too much unread: one at a time, or all when there is room.
    pub(super) fn hand_over_put_off(
        &mut self,
        raft: &mut Raft<Heap>,
        now: Instant,
        status: &Status,
    ) {
        for _ in 0..self.put_off.len() {
            let tried = self.tried.is_some_and(|number| self.reads.is_handed(number));
            if (tried && self.unread.is_full()) || status.leader.is_none() {
                return;
            }
            if let Some(number) = self.put_off.pop_front() {
                let call = self.call(number, false);
                self.hand_over(raft, now, status, call);
            }
        }
    }

    /// Takes a batch of another node's client.
    pub(super) fn request(
        &mut self,
        raft: &mut Raft<Heap>,
        from: NodeId,
        call: Call,
        floor: u64,
        batch: Batch,
    ) -> Result<(), Refusal> {
        let bytes = self.inflight_bytes() + batch.ops.len();
        let is_member = |id| raft.members().iter().any(|member| member.id == id);
        if self.role.0 != Role::Leader || !is_member(from) {
            return Err(Refusal::NotLeader);
        }
        let known = self.state.sessions.incarnation(from);
        let numbers = || match call.write {
            true => plausible::numbers(call, floor, known),
            false => Ok(()),
        };
        let sound = plausible::operations(&batch, from).and_then(|()| numbers());
        if let Err(why) = sound {
            self.implausible(from, why);
            return Err(Refusal::Implausible);
        }
        if self.forwarded.len() >= limits::FORWARDED_BATCHES || bytes > limits::INFLIGHT_BYTES {
            return Err(Refusal::Busy);
        }
        self.counters.forwarded_in += 1;
        if !call.write {
            if self.readings.enter(from, call, batch.ops.len())? {
                self.asked.push(Asker::Peer { node: from, call, batch });
            }
            return Ok(());
        }
        if batch.work > work::LARGEST {
            return Err(Refusal::TooLarge);
        }
        let id = BatchId { origin: from, incarnation: call.incarnation, number: call.number };
        if self.forwarded.contains_key(&id) {
            return Ok(());
        }
        if self.state.sessions.is_over(id) {
            return Err(Refusal::Over);
        }
        if self.refuses_writes(raft) {
            return Err(Refusal::Disk);
        }
        let mut batch = batch;
        batch.work = self.state.work_of(&batch);
        let flies = self.held.is_empty() && may_fly(self.in_flight_work, batch.work);
        self.forwarded_bytes += batch.ops.len();
        self.forwarded.insert(id, batch);
        if flies {
            return self.propose_peer(raft, id, floor);
        }
        self.held.push_back(Held::Peer(id, floor));
        Ok(())
    }

    pub(super) fn refused(&mut self, now: Instant, from: NodeId, call: Call, reason: Refusal) {
        // for an earlier life of this node
        if call.incarnation != self.incarnation.get() {
            return;
        }
        let pending = if call.write { &mut self.writes } else { &mut self.reads };
        let Some(waiting) = pending.get_mut(call.number) else { return };
        if !waiting.was_asked(from) {
            return self.implausible(from, NOT_ASKED);
        }
        if reason == Refusal::Over {
            // it is in the log: this node will come to it
            return;
        }
        waiting.refused(from, reason, now.after(RETRY_US));
        let error = match reason {
            Refusal::Disk => DISK,
            Refusal::TooLarge => TOO_LARGE,
            Refusal::Implausible => IMPLAUSIBLE,
            _ => return,
        };
        if waiting.chances == 0
            && let Some(waiting) = pending.remove(call.number)
        {
            waiting.fail(error);
        }
    }

    /// Whether so much is copied for a batch that a turn has no time for another.
    fn is_large(&self, call: Call) -> bool {
        let pending = if call.write { &self.writes } else { &self.reads };
        pending.ops_len(call.number) > limits::LARGE_BYTES
    }

    /// Goes through what waits: gives up what is too old, and hands over again what was lost.
    pub(super) fn sweep(&mut self, raft: &mut Raft<Heap>, now: Instant, status: &Status) {
        self.role_changed = false;
        self.sweep_at = now.after(SWEEP_US);
        for write in [true, false] {
            let pending = if write { &mut self.writes } else { &mut self.reads };
            for number in pending.numbers(|waiting| waiting.deadline <= now) {
                if let Some(waiting) = pending.remove(number) {
                    self.counters.timeouts += 1;
                    let error = given_up(&waiting, status, self.disk, self.policy.timeout_us);
                    waiting.fail(&error);
                }
            }
            if status.leader.is_some() {
                let ended =
                    |waiting: &Waiting| waiting.handed.is_some_and(|h| h.term != status.term);
                for number in pending.numbers(ended) {
                    if let Some(waiting) = pending.get_mut(number) {
                        waiting.leader_lost();
                    }
                }
            }
            // until something of this term is applied, a write may still be found in the log
            let searched = raft.term(self.state.applied) == Some(status.term);
            for number in pending.numbers(|w| w.is_spent() && (searched || w.batch.is_read_only()))
            {
                if let Some(waiting) = pending.remove(number) {
                    let certain = waiting.batch.is_read_only();
                    waiting.fail(if certain { SPENT } else { UNKNOWN_SPENT });
                }
            }
            let again = pending.numbers(|waiting| match waiting.handed {
                None => waiting.retry_at <= now && !waiting.is_spent(),
                Some(handed) => {
                    let mib = (waiting.batch.ops.len() >> 20) as u64;
                    let resend_us = RESEND_US + mib * RESEND_US_PER_MIB;
                    handed.to != self.id && now.since(handed.at) >= resend_us
                }
            });
            if status.leader.is_some() {
                self.counters.retries += again.len() as u64;
                for number in again {
                    let call = self.call(number, write);
                    if !self.is_large(call) {
                        self.hand_over(raft, now, status, call);
                    } else if !self.fresh.contains(&call) {
                        self.fresh.push_back(call);
                    }
                }
            }
        }
    }
}

/// Whether a leader may propose one more batch of writes: what is proposed, it must apply, perhaps in one turn.
const fn may_fly(in_flight: u64, more: u64) -> bool {
    in_flight == 0 || in_flight.saturating_add(more) <= work::IN_FLIGHT
}

fn refusal(error: ProposeError) -> Refusal {
    match error {
        ProposeError::Busy | ProposeError::LogFull => Refusal::Busy,
        ProposeError::TooLarge => Refusal::TooLarge,
        _ => Refusal::NotLeader,
    }
}

/// What to tell a client whose batch waited for too long.
fn given_up(waiting: &Waiting, status: &Status, disk: StorageHealth, timeout_us: u64) -> String {
    let ms = timeout_us / 1_000;
    let full = disk != StorageHealth::Good || waiting.refusal == Some(Refusal::Disk);
    if !waiting.batch.is_read_only() && waiting.chances > 0 {
        let why = if full { " and a disk takes no more" } else { "" };
        return format!(
            "ERR outcome unknown: no majority confirmed the command within {ms} ms{why}; it may or may not have been executed"
        );
    }
    match (status.leader, waiting.refusal) {
        (None, _) => {
            format!("CLUSTERDOWN no leader was found within {ms} ms, the command was not executed")
        }
        (_, Some(Refusal::Disk)) => DISK.into(),
        (_, Some(Refusal::Busy)) => {
            format!("TRYAGAIN the leader was too busy for {ms} ms, the command was not executed")
        }
        // it is heard, so the cluster is not down: it has long reads to do for others, or the way there is slow
        _ => format!(
            "TRYAGAIN the leader did not answer within {ms} ms, the command was not executed"
        ),
    }
}
