//! Routes clients' batches to the leader: proposes, forwards, retries and gives up.

use quorate_core::{Instant, NodeId};
use quorate_log::Leadership;
use quorate_log::submission::Outcome;
use quorate_tokio::StorageHealth;
use tokio::sync::oneshot;

use super::forged_batches::NUMBERS_EXHAUSTED;
use super::{NOT_SENT_TO, QueuedWrite, Replica, Requester, STOPPED};
use crate::apply::Entry;
use crate::batch::Batch;
use crate::consensus::{Consensus, ProposeError, Role, Status};
use crate::forward::{Frame, Refusal, RequestId};
use crate::pending::{BatchReply, PendingBatch};
use crate::session::BatchId;
use crate::{limits, validate, work};

/// How often batches are looked for that ended several leaders, in µs.
const SWEEP_US: u64 = 20_000;
const DISK_FULL: &str = "MISCONF the leader's disk takes no more writes, the command was not executed: free some space, it then goes on by itself";
const RETRIES_EXHAUSTED: &str = "TRYAGAIN the leader was lost while it had the command, perhaps because of it; it is handed to no other: ask for less at once";
const UNKNOWN_RETRIES_EXHAUSTED: &str = "ERR outcome unknown: several leaders in turn were lost while they had the command, perhaps because of it; it is handed to no other, and may or may not have been executed";
const INVALID: &str = "ERR the leader refused the command as one that this node cannot have sent, it was not executed: see the leader's log, and the clock of this machine";
const TOO_LARGE: &str = "ERR the command is larger than the log takes";

impl<C: Consensus> Replica<C> {
    pub(super) fn execute(
        &mut self,
        log: &mut C,
        now: Instant,
        batch: Batch,
        stale: bool,
        answer: oneshot::Sender<BatchReply>,
    ) {
        let slow = batch.ops.len() as u64 * 1_000_000 / limits::MIN_LOG_PER_S;
        let deadline = now.after(self.policy.timeout_us.saturating_add(slow));
        let waiting = PendingBatch::new(batch, answer, deadline);
        if self.fatal.is_some() {
            return waiting.fail(STOPPED);
        }
        if self.is_non_member() {
            return waiting.fail(Self::non_member_error());
        }
        let crowded = self.inflight_bytes() + waiting.batch.ops.len() > limits::INFLIGHT_BYTES;
        if stale && waiting.batch.is_read_only() && !crowded {
            return self.start_read(waiting);
        }
        if self.numbers_exhausted && !waiting.batch.is_read_only() {
            return waiting.fail(NUMBERS_EXHAUSTED);
        }
        if crowded || !self.writes.has_room() {
            return waiting.fail(
                "TRYAGAIN too many commands wait at this node, the command was not executed: send \
                 less at once",
            );
        }
        if waiting.batch.is_read_only() {
            self.reads.insert(waiting);
        } else {
            let mut waiting = waiting;
            waiting.batch.work = self.state.work_of(&waiting.batch);
            if let Some(number) = self.writes.insert(waiting)
                && self.role.0 == Role::Leader
            {
                self.propose(log, now, number);
            }
        }
    }

    /// Bytes of the batches of this node's clients and of other nodes that are on their way here.
    fn inflight_bytes(&self) -> usize {
        self.writes.bytes() + self.reads.bytes() + self.forwarded_bytes + self.read_queue.bytes()
    }

    /// Proposes a local batch on the leader: now, or when what is in flight is applied.
    pub(super) fn propose(&mut self, log: &mut C, now: Instant, number: u64) {
        if self.refuse_if_disk_full(log, number) {
            return;
        }
        let Some(waiting) = self.writes.get_mut(number) else { return };
        if !self.queued_writes.is_empty()
            || !fits_in_flight(self.in_flight_work, waiting.batch.work)
        {
            waiting.refusal = Some(Refusal::Busy);
            self.writes.park(number);
            self.queued_writes.push_back(QueuedWrite::Local(number));
            return;
        }
        self.propose_local(log, now, number);
    }

    /// Refuses a local batch that the disk has no room for; not one that may be in the log already.
    fn refuse_if_disk_full(&mut self, log: &C, number: u64) -> bool {
        let refused = self.refuses_writes(log) && self.writes.is_certainly_absent(number);
        if refused && let Some(waiting) = self.writes.remove(number) {
            waiting.fail(DISK_FULL);
        }
        refused
    }

    fn propose_local(&mut self, log: &mut C, now: Instant, number: u64) {
        let floor = self.writes.floor();
        let id = BatchId { origin: self.id, incarnation: self.incarnation.get(), number };
        if self.refuse_if_disk_full(log, number) {
            return;
        }
        let Some(waiting) = self.writes.get(number) else { return };
        let work = waiting.batch.work;
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, &waiting.batch);
        match log.propose(&self.scratch) {
            Ok(index) => {
                self.writes.proposed(now, log.leadership(), number, index);
                self.in_flight.push_back((index, work));
                self.in_flight_work = self.in_flight_work.saturating_add(work);
            }
            Err(ProposeError::TooLarge) => {
                if let Some(waiting) = self.writes.remove(number) {
                    waiting.fail(TOO_LARGE);
                }
            }
            Err(ProposeError::Busy) => {
                self.writes.not_proposed(now, number, Refusal::Busy);
                self.writes.park(number);
                self.requeue(log, QueuedWrite::Local(number));
            }
            Err(error) => {
                self.writes.not_proposed(now, number, refusal(error));
            }
        }
    }

    fn propose_forwarded(&mut self, log: &mut C, id: BatchId, floor: u64) -> Result<(), Refusal> {
        let Some(batch) = self.forwarded.get(&id) else { return Ok(()) };
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, batch);
        match log.propose(&self.scratch) {
            Ok(index) => {
                self.in_flight.push_back((index, batch.work));
                self.in_flight_work = self.in_flight_work.saturating_add(batch.work);
                Ok(())
            }
            // sending it again would cost more than keeping it
            Err(ProposeError::Busy) => {
                self.requeue(log, QueuedWrite::Peer(id, floor));
                Ok(())
            }
            Err(error) => {
                if let Some(batch) = self.forwarded.remove(&id) {
                    self.forwarded_bytes -= batch.ops.len();
                }
                Err(refusal(error))
            }
        }
    }

    /// Too much is not committed: nothing more is proposed until some of it is.
    fn requeue(&mut self, log: &C, queued_write: QueuedWrite) {
        let status = log.view();
        self.log_full_at = (status.commit, status.epoch);
        self.queued_writes.push_front(queued_write);
    }

    /// Proposes what has waited for the log, in its order.
    pub(super) fn propose_queued(&mut self, log: &mut C, now: Instant) {
        if self.queued_writes.is_empty() {
            return;
        }
        let status = log.view();
        while let Some(&queued_write) = self.queued_writes.front() {
            if self.log_full_at == (status.commit, status.epoch) {
                return;
            }
            let batch = match queued_write {
                QueuedWrite::Local(number) => {
                    self.writes.get_mut(number).map(|waiting| &waiting.batch)
                }
                QueuedWrite::Peer(id, _) => self.forwarded.get(&id),
            };
            if batch.is_some_and(|batch| !fits_in_flight(self.in_flight_work, batch.work)) {
                return;
            }
            self.queued_writes.pop_front();
            match queued_write {
                QueuedWrite::Local(number) => self.propose_local(log, now, number),
                QueuedWrite::Peer(id, floor) => {
                    if let Err(reason) = self.propose_forwarded(log, id, floor) {
                        let BatchId { origin, incarnation, number } = id;
                        let request_id = RequestId { incarnation, number, write: true };
                        let refusal = Frame::Refusal { request_id, reason };
                        self.outgoing.push((origin, refusal.to_vec(), None));
                    }
                }
            }
        }
    }

    /// Sends the batches that are due to the leader.
    pub(super) fn route_due(&mut self, log: &mut C, now: Instant) {
        let leadership = log.leadership();
        // bytes that are copied in one turn: a large batch is the last
        let mut bytes = 0;
        self.more_due = false;
        for write in [true, false] {
            loop {
                if bytes >= limits::LARGE_BYTES {
                    self.more_due = true;
                    return;
                }
                let pending = if write { &mut self.writes } else { &mut self.reads };
                let Some((number, again)) = pending.due(now, leadership) else { break };
                bytes += pending.ops_len(number);
                self.counters.retries += u64::from(again);
                let request_id = self.request_id(number, write);
                self.route(log, now, leadership, request_id);
            }
        }
    }

    /// Sends a local batch to the leader, which may be this node.
    pub(super) fn route(
        &mut self,
        log: &mut C,
        now: Instant,
        leadership: Leadership,
        request_id: RequestId,
    ) {
        let Some(leader) = leadership.leader else { return };
        let RequestId { number, write, .. } = request_id;
        if leader == self.id {
            if write {
                self.propose(log, now, number);
            } else {
                self.reads.sent(now, leadership, number, true);
                self.unconfirmed.push(Requester::Local(number));
            }
            return;
        }
        let floor = self.writes.floor();
        if !request_id.write && self.output_budget.is_full() {
            // what comes back may be long
            let other = self.probe_read.filter(|probe| *probe != number);
            if other.is_some_and(|probe| self.reads.has_attempt(probe)) {
                self.reads.park(number);
                self.deferred_reads.push_back(number);
                return;
            }
            self.probe_read = Some(number);
        }
        let pending = if write { &mut self.writes } else { &mut self.reads };
        pending.sent(now, leadership, number, false);
        let Some(waiting) = pending.get(number) else { return };
        let Batch { protocol, ref ops, .. } = waiting.batch;
        let request = Frame::Request { request_id, floor, protocol, ops }.to_vec();
        self.outgoing.push((leader, request, Some(request_id)));
        self.counters.forwarded_out += 1;
    }

    /// Routes deferred reads: one at a time while the output budget is full, else all.
    pub(super) fn route_deferred_reads(
        &mut self,
        log: &mut C,
        now: Instant,
        leadership: Leadership,
    ) {
        for _ in 0..self.deferred_reads.len() {
            let probing = self.probe_read.is_some_and(|number| self.reads.has_attempt(number));
            if (probing && self.output_budget.is_full()) || leadership.leader.is_none() {
                return;
            }
            if let Some(number) = self.deferred_reads.pop_front() {
                let request_id = self.request_id(number, false);
                self.route(log, now, leadership, request_id);
            }
        }
    }

    /// Handles a batch that another node forwards.
    pub(super) fn handle_request(
        &mut self,
        log: &mut C,
        from: NodeId,
        request_id: RequestId,
        floor: u64,
        batch: Batch,
    ) -> Result<(), Refusal> {
        let bytes = self.inflight_bytes() + batch.ops.len();
        let is_member = |id| log.is_member(id);
        if self.role.0 != Role::Leader || !is_member(from) {
            return Err(Refusal::NotLeader);
        }
        let known = self.state.sessions.incarnation(from);
        let numbers = || match request_id.write {
            true => validate::batch_numbers(request_id, floor, known),
            false => Ok(()),
        };
        let sound = validate::operations(&batch, from).and_then(|()| numbers());
        if let Err(why) = sound {
            self.reject_invalid(from, why);
            return Err(Refusal::Invalid);
        }
        if self.forwarded.len() >= limits::FORWARDED_BATCHES || bytes > limits::INFLIGHT_BYTES {
            return Err(Refusal::Busy);
        }
        self.counters.forwarded_in += 1;
        if !request_id.write {
            if self.read_queue.register(from, request_id, batch.ops.len())? {
                self.unconfirmed.push(Requester::Peer { node: from, request_id, batch });
            }
            return Ok(());
        }
        if batch.work > work::LARGEST {
            return Err(Refusal::TooLarge);
        }
        let id = BatchId {
            origin: from,
            incarnation: request_id.incarnation,
            number: request_id.number,
        };
        if self.forwarded.contains_key(&id) {
            return Ok(());
        }
        if self.state.sessions.is_done(id) {
            return Err(Refusal::Duplicate);
        }
        if self.refuses_writes(log) {
            return Err(Refusal::Disk);
        }
        let mut batch = batch;
        batch.work = self.state.work_of(&batch);
        let fits = self.queued_writes.is_empty() && fits_in_flight(self.in_flight_work, batch.work);
        self.forwarded_bytes += batch.ops.len();
        self.forwarded.insert(id, batch);
        if fits {
            return self.propose_forwarded(log, id, floor);
        }
        self.queued_writes.push_back(QueuedWrite::Peer(id, floor));
        Ok(())
    }

    pub(super) fn handle_refusal(
        &mut self,
        now: Instant,
        from: NodeId,
        request_id: RequestId,
        reason: Refusal,
    ) {
        // for an earlier incarnation of this node
        if request_id.incarnation != self.incarnation.get() {
            return;
        }
        let pending = if request_id.write { &mut self.writes } else { &mut self.reads };
        let Some(waiting) = pending.get(request_id.number) else { return };
        if !waiting.was_sent_to(from) {
            return self.reject_invalid(from, NOT_SENT_TO);
        }
        if reason == Refusal::Duplicate {
            // it is in the log: this node will come to it
            return;
        }
        pending.refused(now, request_id.number, from, reason);
        let error = match reason {
            Refusal::Disk => DISK_FULL,
            Refusal::TooLarge => TOO_LARGE,
            Refusal::Invalid => INVALID,
            _ => return,
        };
        if pending.is_certainly_absent(request_id.number)
            && let Some(waiting) = pending.remove(request_id.number)
        {
            waiting.fail(error);
        }
    }

    /// Gives up the batches whose time is over.
    pub(super) fn expire(&mut self, now: Instant, status: &Status) {
        for pending in [&mut self.writes, &mut self.reads] {
            while let Some((waiting, known)) = pending.expired(now) {
                self.counters.timeouts += 1;
                let error =
                    timeout_error(&waiting, known, status, self.disk, self.policy.timeout_us);
                waiting.fail(&error);
            }
        }
    }

    /// Gives up the batches that are sent to no other leader, as they may be what ended several.
    pub(super) fn sweep(&mut self, log: &C, now: Instant) {
        self.role_changed = false;
        self.sweep_at = now.after(SWEEP_US);
        // until something of this term is applied, a write may still be found in the log
        let searched = log.is_of_leader(self.state.applied);
        for (pending, error) in
            [(&mut self.writes, UNKNOWN_RETRIES_EXHAUSTED), (&mut self.reads, RETRIES_EXHAUSTED)]
        {
            let exhausted = |number, waiting: &PendingBatch| {
                pending.has_exhausted_retries(number) && (searched || waiting.batch.is_read_only())
            };
            for number in pending.numbers(exhausted) {
                if let Some(waiting) = pending.remove(number) {
                    waiting.fail(error);
                }
            }
        }
    }
}

/// Whether a leader may propose one more batch of writes: what is proposed, it must apply, perhaps in one turn.
const fn fits_in_flight(in_flight: u64, more: u64) -> bool {
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
fn timeout_error(
    waiting: &PendingBatch,
    known: Outcome,
    status: &Status,
    disk: StorageHealth,
    timeout_us: u64,
) -> String {
    let ms = timeout_us / 1_000;
    let full = disk != StorageHealth::Good || waiting.refusal == Some(Refusal::Disk);
    if !waiting.batch.is_read_only() && !known.is_certainly_absent() {
        let why = if full { " and a disk takes no more" } else { "" };
        return format!(
            "ERR outcome unknown: no majority confirmed the command within {ms} ms{why}; it may or may not have been executed"
        );
    }
    match (status.leader, waiting.refusal) {
        (None, _) => {
            format!("CLUSTERDOWN no leader was found within {ms} ms, the command was not executed")
        }
        (_, Some(Refusal::Disk)) => DISK_FULL.into(),
        (_, Some(Refusal::Busy)) => {
            format!("TRYAGAIN the leader was too busy for {ms} ms, the command was not executed")
        }
        // it is heard, so the cluster is not down: it has long reads to do for others, or the way there is slow
        _ => format!(
            "TRYAGAIN the leader did not answer within {ms} ms, the command was not executed"
        ),
    }
}
