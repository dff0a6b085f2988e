//! How batches of reads are answered: a bounded number of steps in each turn of the loop, so that whoever asks for much holds up
//! nobody, least of all the heartbeats.

use std::collections::{HashMap, VecDeque};

use quorate_core::{Instant, NodeId};
use quorate_raft::{Heap, Raft};

use super::{Asker, Replica, UNREAD, replicas};
use crate::batch::{Batch, Ops};
use crate::forward::{Call, Frame, Refusal};
use crate::pending::Waiting;
use crate::reply::Reply;
use crate::unread::{Share, Unread};
use crate::{limits, work};

/// Reads that may be answered, and those of other nodes that are on their way to that.
#[derive(Debug, Default)]
pub(super) struct Readings {
    queue: VecDeque<Reading>,
    /// How many of them were begun.
    begun: usize,
    /// Batches of other nodes, and how many bytes each has. One that is sent again, because its answer takes long, is not read again.
    pub(super) foreign: HashMap<(NodeId, Call), usize>,
    pub(super) foreign_bytes: usize,
    /// Bytes of the batches of this node's clients.
    own_bytes: usize,
    /// When those that waited too long are given up next.
    look_at: Instant,
}

/// How often that is looked at, in µs.
const LOOK_US: u64 = 20_000;
const CROWDED_READS: &str =
    "TRYAGAIN too many reads with long replies wait at this node, the command was not executed";

/// A batch of reads that is being answered.
#[derive(Debug)]
struct Reading {
    source: Source,
    /// It is given up if it is not begun by then.
    deadline: Instant,
    /// Bytes of the operations that are answered.
    at: usize,
    reply: Reply,
    share: Share,
    /// Its replies are long: it is not begun while clients leave too much unread.
    long: bool,
}

#[derive(Debug)]
enum Source {
    Own(Waiting),
    Peer { node: NodeId, call: Call, batch: Batch },
}

impl Readings {
    /// Takes note of a batch of another node; false if it is here already.
    pub(super) fn enter(
        &mut self,
        node: NodeId,
        call: Call,
        bytes: usize,
    ) -> Result<bool, Refusal> {
        if self.foreign.contains_key(&(node, call)) {
            return Ok(false);
        }
        if self.foreign.len() >= limits::FORWARDED_BATCHES {
            return Err(Refusal::Busy);
        }
        self.foreign_bytes = self.foreign_bytes.saturating_add(bytes);
        self.foreign.insert((node, call), bytes);
        Ok(true)
    }

    /// Bytes of all batches, of this node's clients and of others.
    pub(super) const fn bytes(&self) -> usize {
        self.own_bytes.saturating_add(self.foreign_bytes)
    }

    /// A batch of another node is answered, refused or dropped.
    pub(super) fn leave(&mut self, node: NodeId, call: Call) {
        let bytes = self.foreign.remove(&(node, call)).unwrap_or(0);
        self.foreign_bytes = self.foreign_bytes.saturating_sub(bytes);
    }

    /// The next batch to answer. While clients leave too much unread, it is one that was begun, as what it has helps nobody until it
    /// is whole; then one whose replies may be short. No long one is begun while as many are as memory was set aside for.
    fn next(&mut self, full: bool) -> Option<Reading> {
        let first = |so: fn(&Reading) -> bool| self.queue.iter().position(so);
        let may_go_on = |reading: &Reading| reading.at > 0 || !reading.long;
        let at = if full && self.begun > 0 {
            first(|reading| reading.at > 0)?
        } else if full || !self.may_begin_long() {
            first(may_go_on)?
        } else {
            0
        };
        let reading = self.queue.remove(at)?;
        self.begun -= usize::from(reading.at > 0);
        Some(reading)
    }

    fn put(&mut self, reading: Reading) {
        self.begun += usize::from(reading.at > 0);
        self.queue.push_back(reading);
    }

    fn may_begin_long(&self) -> bool {
        self.begun < limits::LONG_READS
    }

    /// Gives up batches that waited too long to be begun: this node's with an error. Returns those of
    /// other nodes.
    fn expire(&mut self, now: Instant, error: &str) -> Vec<(NodeId, Call)> {
        let mut others = Vec::new();
        let late = |reading: &Reading| reading.at == 0 && reading.deadline <= now;
        if !self.queue.iter().any(late) {
            return others;
        }
        for reading in core::mem::take(&mut self.queue) {
            if !late(&reading) {
                self.queue.push_back(reading);
                continue;
            }
            match reading.source {
                Source::Own(waiting) => {
                    self.own_bytes -= waiting.batch.ops.len();
                    waiting.fail(error);
                }
                Source::Peer { node, call, .. } => {
                    self.leave(node, call);
                    others.push((node, call));
                }
            }
        }
        others
    }

    /// This node stops: its clients are told.
    pub(super) fn fail(&mut self, error: &str) {
        for reading in self.queue.drain(..) {
            if let Source::Own(waiting) = reading.source {
                waiting.fail(error);
            }
        }
    }
}

impl Replica {
    /// Answers an own batch, in this turn or in one of the next.
    pub(super) fn begin_reading(&mut self, waiting: Waiting) {
        let deadline = waiting.deadline;
        self.readings.own_bytes += waiting.batch.ops.len();
        let reading = Reading::new(Source::Own(waiting), deadline, &self.unread);
        self.readings.put(reading);
    }

    /// Takes in what a round has confirmed, as far as what was committed then is applied.
    pub(super) fn take_confirmed(&mut self, now: Instant) {
        // the node that asked has given up by then, or asks again
        let deadline = now.after(self.policy.timeout_us);
        let applied = self.state.applied;
        while self.confirmed.front().is_some_and(|&(index, _)| index <= applied)
            && let Some((_, asker)) = self.confirmed.pop_front()
        {
            match asker {
                Asker::Own(number) => {
                    if let Some(waiting) = self.reads.remove(number) {
                        self.begin_reading(waiting);
                    }
                }
                Asker::Peer { node, call, batch } => {
                    let source = Source::Peer { node, call, batch };
                    let reading = Reading::new(source, deadline, &self.unread);
                    self.readings.put(reading);
                }
            }
        }
    }

    /// Answers as much as this turn may; batches take turns, too.
    pub(super) fn read_on(&mut self, raft: &Raft<Heap>, now: Instant) {
        self.give_up_readings(now);
        while self.meter.has_room() {
            let full = self.unread.is_full();
            let Some(mut reading) = self.readings.next(full) else {
                // the next tick looks whether there is room
                return;
            };
            let tried = reading.at == 0 && (full || !self.readings.may_begin_long());
            let ops = &reading.source.batch().ops;
            let mut rest = Ops::new(ops.get(reading.at..).unwrap_or_default());
            let count = |index| replicas(raft, index);
            let steps = self.state.answer(&mut rest, work::SLICE, count, &mut reading.reply);
            self.meter.read(steps);
            reading.at = ops.len().saturating_sub(rest.rest().len());
            // what does not parse ends it as well: it took no step
            let whole = rest.rest().is_empty() || steps == 0;
            // what is whole at once takes no more than it has, and is not worth another turn
            if tried && (!whole || (full && reading.reply.len() > limits::LARGE_BYTES)) {
                self.readings.put(reading.put_off());
            } else if whole {
                reading.share.set(reading.reply.memory());
                self.finish_reading(reading);
            } else {
                // what is begun is finished: as much as it may come to is set aside
                reading.share.set(limits::REPLY_BYTES);
                self.readings.put(reading);
            }
        }
        if !self.readings.queue.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Looked at now and then, as it goes through all that wait.
    fn give_up_readings(&mut self, now: Instant) {
        if now < self.readings.look_at {
            return;
        }
        self.readings.look_at = now.after(LOOK_US);
        let error = if self.unread.is_full() { UNREAD } else { CROWDED_READS };
        for (node, call) in self.readings.expire(now, error) {
            let refusal = Frame::Refusal { call, reason: Refusal::Busy };
            self.outgoing.push((node, refusal.to_vec(), None));
        }
    }

    fn finish_reading(&mut self, reading: Reading) {
        let Reading { source, reply, share, .. } = reading;
        let index = self.state.applied;
        match source {
            Source::Own(waiting) => {
                self.readings.own_bytes -= waiting.batch.ops.len();
                waiting.finish(reply, index, share);
            }
            Source::Peer { node, call, .. } => {
                self.readings.leave(node, call);
                let answer = Frame::Answer { call, index, replies: reply.bytes() };
                self.outgoing.push((node, answer.to_vec(), None));
            }
        }
    }
}

impl Reading {
    fn new(source: Source, deadline: Instant, unread: &Unread) -> Self {
        let reply = Reply::new(source.batch().protocol);
        Self { source, deadline, at: 0, reply, share: unread.share(0), long: false }
    }

    /// As it was before it was begun, and known to be long.
    fn put_off(mut self) -> Self {
        self.reply = Reply::new(self.source.batch().protocol);
        Self { at: 0, long: true, ..self }
    }
}

impl Source {
    fn batch(&self) -> &Batch {
        match self {
            Self::Own(waiting) => &waiting.batch,
            Self::Peer { batch, .. } => batch,
        }
    }
}
