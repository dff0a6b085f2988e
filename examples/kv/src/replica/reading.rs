//! How batches of reads are answered: a bounded number of steps in each turn of the loop, so that whoever asks for much holds up
//! nobody, least of all the heartbeats.

use std::collections::{HashMap, VecDeque};

use quorate_core::NodeId;
use quorate_raft::{Heap, Raft};

use super::{Asker, Replica, replicas};
use crate::batch::{Batch, Ops};
use crate::forward::{Call, Frame, Refusal};
use crate::pending::Waiting;
use crate::reply::Reply;
use crate::{limits, work};

/// Reads that may be answered, and those of other nodes that are on their way to that.
#[derive(Debug, Default)]
pub(super) struct Readings {
    queue: VecDeque<Reading>,
    /// Batches of other nodes, and how many bytes each has. One that is sent again, because its answer takes long, is not read again.
    foreign: HashMap<(NodeId, Call), usize>,
    foreign_bytes: usize,
}

/// A batch of reads that is being answered.
#[derive(Debug)]
struct Reading {
    source: Source,
    /// Bytes of the operations that are answered.
    at: usize,
    reply: Reply,
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
        let total = self.foreign_bytes.saturating_add(bytes);
        if self.foreign.len() >= limits::FORWARDED_BATCHES || total > limits::INFLIGHT_BYTES {
            return Err(Refusal::Busy);
        }
        self.foreign_bytes = total;
        self.foreign.insert((node, call), bytes);
        Ok(true)
    }

    /// A batch of another node is answered, refused or dropped.
    pub(super) fn leave(&mut self, node: NodeId, call: Call) {
        let bytes = self.foreign.remove(&(node, call)).unwrap_or(0);
        self.foreign_bytes = self.foreign_bytes.saturating_sub(bytes);
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
        let reply = Reply::new(waiting.batch.protocol);
        let source = Source::Own(waiting);
        self.readings.queue.push_back(Reading { source, at: 0, reply });
    }

    /// Takes in what a round has confirmed.
    pub(super) fn take_confirmed(&mut self) {
        for asker in core::mem::take(&mut self.confirmed) {
            match asker {
                Asker::Own(number) => {
                    if let Some(waiting) = self.reads.remove(number) {
                        self.begin_reading(waiting);
                    }
                }
                Asker::Peer { node, call, batch } => {
                    let reply = Reply::new(batch.protocol);
                    let source = Source::Peer { node, call, batch };
                    self.readings.queue.push_back(Reading { source, at: 0, reply });
                }
            }
        }
    }

    /// Answers as much as this turn may; batches take turns, too.
    pub(super) fn read_on(&mut self, raft: &Raft<Heap>) {
        while self.meter.has_room() {
            let Some(mut reading) = self.readings.queue.pop_front() else { return };
            let ops = &reading.source.batch().ops;
            let mut rest = Ops::new(ops.get(reading.at..).unwrap_or_default());
            let count = |index| replicas(raft, index);
            let steps = self.state.answer(&mut rest, work::SLICE, count, &mut reading.reply);
            self.meter.read(steps);
            reading.at = ops.len().saturating_sub(rest.rest().len());
            // what does not parse ends it as well: it took no step
            if rest.rest().is_empty() || steps == 0 {
                self.finish_reading(reading);
            } else {
                self.readings.queue.push_back(reading);
            }
        }
        if !self.readings.queue.is_empty() {
            self.wake.notify_one();
        }
    }

    fn finish_reading(&mut self, reading: Reading) {
        let Reading { source, reply, .. } = reading;
        let index = self.state.applied;
        match source {
            Source::Own(waiting) => waiting.finish(reply, index),
            Source::Peer { node, call, .. } => {
                self.readings.leave(node, call);
                let answer = Frame::Answer { call, index, replies: reply.bytes() };
                self.outgoing.push((node, answer.to_vec(), None));
            }
        }
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
