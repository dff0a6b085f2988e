//! How batches of reads are answered: a bounded number of steps in each turn of the loop, so that
//! large ones delay neither others nor the heartbeats.

use std::collections::{HashMap, VecDeque};

use quorate_core::{Instant, NodeId};

use super::{OUTPUT_FULL, Replica, Requester, replicas};
use crate::batch::{Batch, Ops};
use crate::consensus::Consensus;
use crate::forward::{Frame, Refusal, RequestId};
use crate::output_budget::{OutputBudget, Share};
use crate::pending::PendingBatch;
use crate::reply::Reply;
use crate::{limits, work};

/// Reads that may be answered, and those of other nodes that are on their way to that.
#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    queue: VecDeque<ReadBatch>,
    /// How many of them were begun.
    started: usize,
    /// Batches of other nodes, and how many bytes each has. One that is sent again, because its
    /// answer takes long, is not read again.
    pub(super) from_peers: HashMap<(NodeId, RequestId), usize>,
    pub(super) peer_bytes: usize,
    /// Bytes of the batches of this node's clients.
    local_bytes: usize,
    /// When those that waited too long are given up next.
    expire_at: Instant,
}

/// How often that is looked at, in µs.
const EXPIRE_INTERVAL_US: u64 = 20_000;
const TOO_MANY_READS: &str =
    "TRYAGAIN too many reads with long replies wait at this node, the command was not executed";

/// A batch of reads that is being answered.
#[derive(Debug)]
struct ReadBatch {
    source: Source,
    /// It is given up if it is not begun by then.
    deadline: Instant,
    /// Bytes of the operations that are answered.
    at: usize,
    reply: Reply,
    share: Share,
    /// Its replies are long: it is not started while the output budget is full.
    long: bool,
}

#[derive(Debug)]
enum Source {
    Local(PendingBatch),
    Peer { node: NodeId, request_id: RequestId, batch: Batch },
}

impl ReadQueue {
    /// Takes note of a batch of another node; false if it is here already.
    pub(super) fn register(
        &mut self,
        node: NodeId,
        request_id: RequestId,
        bytes: usize,
    ) -> Result<bool, Refusal> {
        if self.from_peers.contains_key(&(node, request_id)) {
            return Ok(false);
        }
        if self.from_peers.len() >= limits::FORWARDED_BATCHES {
            return Err(Refusal::Busy);
        }
        self.peer_bytes = self.peer_bytes.saturating_add(bytes);
        self.from_peers.insert((node, request_id), bytes);
        Ok(true)
    }

    /// Bytes of all batches, of this node's clients and of others.
    pub(super) const fn bytes(&self) -> usize {
        self.local_bytes.saturating_add(self.peer_bytes)
    }

    /// A batch of another node is answered, refused or dropped.
    pub(super) fn unregister(&mut self, node: NodeId, request_id: RequestId) {
        let bytes = self.from_peers.remove(&(node, request_id)).unwrap_or(0);
        self.peer_bytes = self.peer_bytes.saturating_sub(bytes);
    }

    /// The next batch to answer. While the output budget is full, it is one that was started, as
    /// what it has helps nobody until it is whole; then one whose replies may be short. No long one
    /// is begun while as many are as memory was reserved for.
    fn next(&mut self, full: bool) -> Option<ReadBatch> {
        let first = |so: fn(&ReadBatch) -> bool| self.queue.iter().position(so);
        let may_go_on = |read_batch: &ReadBatch| read_batch.at > 0 || !read_batch.long;
        let at = if full && self.started > 0 {
            first(|read_batch| read_batch.at > 0)?
        } else if full || !self.may_start_long() {
            first(may_go_on)?
        } else {
            0
        };
        let read_batch = self.queue.remove(at)?;
        self.started -= usize::from(read_batch.at > 0);
        Some(read_batch)
    }

    fn push(&mut self, read_batch: ReadBatch) {
        self.started += usize::from(read_batch.at > 0);
        self.queue.push_back(read_batch);
    }

    fn may_start_long(&self) -> bool {
        self.started < limits::LONG_READS
    }

    /// Gives up batches that waited too long to be begun: this node's with an error. Returns those
    /// of other nodes.
    fn expire(&mut self, now: Instant, error: &str) -> Vec<(NodeId, RequestId)> {
        let mut others = Vec::new();
        let late = |read_batch: &ReadBatch| read_batch.at == 0 && read_batch.deadline <= now;
        if !self.queue.iter().any(late) {
            return others;
        }
        for read_batch in core::mem::take(&mut self.queue) {
            if !late(&read_batch) {
                self.queue.push_back(read_batch);
                continue;
            }
            match read_batch.source {
                Source::Local(waiting) => {
                    self.local_bytes -= waiting.batch.ops.len();
                    waiting.fail(error);
                }
                Source::Peer { node, request_id, .. } => {
                    self.unregister(node, request_id);
                    others.push((node, request_id));
                }
            }
        }
        others
    }

    /// This node stops: its clients are told.
    pub(super) fn fail(&mut self, error: &str) {
        for read_batch in self.queue.drain(..) {
            if let Source::Local(waiting) = read_batch.source {
                waiting.fail(error);
            }
        }
    }
}

impl<C: Consensus> Replica<C> {
    /// Answers an own batch, in this turn or in one of the next.
    pub(super) fn start_read(&mut self, waiting: PendingBatch) {
        let deadline = waiting.deadline;
        self.read_queue.local_bytes += waiting.batch.ops.len();
        let read_batch = ReadBatch::new(Source::Local(waiting), deadline, &self.output_budget);
        self.read_queue.push(read_batch);
    }

    /// Takes in what a round has confirmed, as far as what was committed then is applied.
    pub(super) fn enqueue_confirmed(&mut self, now: Instant) {
        // the node that asked has given up by then, or asks again
        let deadline = now.after(self.policy.timeout_us);
        let applied = self.state.applied;
        while self.confirmed.front().is_some_and(|&(index, _)| index <= applied)
            && let Some((_, requester)) = self.confirmed.pop_front()
        {
            match requester {
                Requester::Local(number) => {
                    if let Some(waiting) = self.reads.remove(number) {
                        self.start_read(waiting);
                    }
                }
                Requester::Peer { node, request_id, batch } => {
                    let source = Source::Peer { node, request_id, batch };
                    let read_batch = ReadBatch::new(source, deadline, &self.output_budget);
                    self.read_queue.push(read_batch);
                }
            }
        }
    }

    /// Answers as much as this turn may; batches take turns, too.
    pub(super) fn serve_reads(&mut self, log: &C, now: Instant) {
        self.expire_reads(now);
        while self.meter.has_room() {
            let full = self.output_budget.is_full();
            let Some(mut read_batch) = self.read_queue.next(full) else {
                // the next tick looks whether there is room
                return;
            };
            let probing = read_batch.at == 0 && (full || !self.read_queue.may_start_long());
            let ops = &read_batch.source.batch().ops;
            let mut rest = Ops::new(ops.get(read_batch.at..).unwrap_or_default());
            let count = |index| replicas(log, index);
            let steps = self.state.answer(&mut rest, work::SLICE, count, &mut read_batch.reply);
            self.meter.read(steps);
            read_batch.at = ops.len().saturating_sub(rest.rest().len());
            // what does not parse ends it as well: it took no step
            let whole = rest.rest().is_empty() || steps == 0;
            // what is whole at once takes no more than it has, and is not worth another turn
            if probing && (!whole || (full && read_batch.reply.len() > limits::LARGE_BYTES)) {
                self.read_queue.push(read_batch.restarted());
            } else if whole {
                read_batch.share.set(read_batch.reply.memory());
                self.finish_read(read_batch);
            } else {
                // what is begun is finished: as much as it may come to is reserved
                read_batch.share.set(limits::REPLY_BYTES);
                self.read_queue.push(read_batch);
            }
        }
        if !self.read_queue.queue.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Looked at now and then, as it goes through all that wait.
    fn expire_reads(&mut self, now: Instant) {
        if now < self.read_queue.expire_at {
            return;
        }
        self.read_queue.expire_at = now.after(EXPIRE_INTERVAL_US);
        let error = if self.output_budget.is_full() { OUTPUT_FULL } else { TOO_MANY_READS };
        for (node, request_id) in self.read_queue.expire(now, error) {
            let refusal = Frame::Refusal { request_id, reason: Refusal::Busy };
            self.outgoing.push((node, refusal.to_vec(), None));
        }
    }

    fn finish_read(&mut self, read_batch: ReadBatch) {
        let ReadBatch { source, reply, share, .. } = read_batch;
        let index = self.state.applied;
        match source {
            Source::Local(waiting) => {
                self.read_queue.local_bytes -= waiting.batch.ops.len();
                waiting.finish(reply, index, share);
            }
            Source::Peer { node, request_id, .. } => {
                self.read_queue.unregister(node, request_id);
                let answer = Frame::Response { request_id, index, replies: reply.bytes() };
                self.outgoing.push((node, answer.to_vec(), None));
            }
        }
    }
}

impl ReadBatch {
    fn new(source: Source, deadline: Instant, output_budget: &OutputBudget) -> Self {
        let reply = Reply::new(source.batch().protocol);
        Self { source, deadline, at: 0, reply, share: output_budget.share(0), long: false }
    }

    /// As it was before it was begun, and known to be long.
    fn restarted(mut self) -> Self {
        self.reply = Reply::new(self.source.batch().protocol);
        Self { at: 0, long: true, ..self }
    }
}

impl Source {
    fn batch(&self) -> &Batch {
        match self {
            Self::Local(waiting) => &waiting.batch,
            Self::Peer { batch, .. } => batch,
        }
    }
}
