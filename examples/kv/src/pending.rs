use std::collections::BTreeMap;

use bytes::BytesMut;
use quorate_core::{Instant, NodeId};
use quorate_raft::{Index, Term};
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::forward::Refusal;
use crate::output_budget::Share;
use crate::reply::Reply;
use crate::{limits, work};

/// Batches of this node's clients that wait for their answers, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: BTreeMap<u64, PendingBatch>,
    last: u64,
    bytes: usize,
}

/// A batch, who waits for it, and the nodes it was sent to.
#[derive(Debug)]
pub(crate) struct PendingBatch {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<BatchReply>,
    pub(crate) deadline: Instant,
    pub(crate) attempt: Option<Attempt>,
    /// Every node it was sent to: responses of others are ignored. At most as many as there are
    /// members.
    recipients: Vec<NodeId>,
    /// Attempts that may still have an effect. While it is 0, the batch was certainly not executed.
    pub(crate) possible_effects: u32,
    pub(crate) retry_at: Instant,
    pub(crate) refusal: Option<Refusal>,
    /// Leaders, one after the other, that were lost while they had it.
    lost_leaders: u32,
}

/// A send to a leader: to which node, in which term, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    pub(crate) to: NodeId,
    pub(crate) term: Term,
    pub(crate) at: Instant,
}

/// The replies to a batch, encoded, and the last entry of the log that they know of.
#[derive(Debug)]
pub(crate) struct BatchReply {
    pub(crate) replies: BytesMut,
    pub(crate) index: Index,
    /// Counts until the client has taken them.
    pub(crate) share: Share,
}

impl Pending {
    /// Takes a batch in, and gives it its number.
    pub(crate) fn insert(&mut self, waiting: PendingBatch) -> u64 {
        // a billion a second are not through in 500 years
        self.last = self.last.saturating_add(1);
        self.bytes += waiting.batch.ops.len();
        self.waiting.insert(self.last, waiting);
        self.last
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<PendingBatch> {
        let waiting = self.waiting.remove(&number)?;
        self.bytes -= waiting.batch.ops.len();
        Some(waiting)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut PendingBatch> {
        self.waiting.get_mut(&number)
    }

    /// Whether it waits here, and was sent to a node that has not answered yet.
    pub(crate) fn has_attempt(&self, number: u64) -> bool {
        self.waiting.get(&number).is_some_and(|waiting| waiting.attempt.is_some())
    }

    /// Bytes of a batch, 0 if it does not wait here.
    pub(crate) fn ops_len(&self, number: u64) -> usize {
        self.waiting.get(&number).map_or(0, |waiting| waiting.batch.ops.len())
    }

    /// The numbers of those for which a condition holds, in their order.
    pub(crate) fn numbers(&self, condition: impl Fn(&PendingBatch) -> bool) -> Vec<u64> {
        self.waiting.iter().filter(|(_, w)| condition(w)).map(|(&number, _)| number).collect()
    }

    /// Every number up to it is answered or given up.
    pub(crate) fn floor(&self) -> u64 {
        self.waiting.first_key_value().map_or(self.last, |(&number, _)| number - 1)
    }

    /// Whether one more fits between the oldest unanswered one and the end of the window.
    pub(crate) fn has_room(&self) -> bool {
        self.last - self.floor() < limits::SESSION_WINDOW
    }

    /// The last number that was given out.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Everything that waits, in its order. Numbers begin anew.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = PendingBatch> + use<> {
        core::mem::take(self).waiting.into_values()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the batches that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl PendingBatch {
    pub(crate) fn new(
        batch: Batch,
        answer: oneshot::Sender<BatchReply>,
        deadline: Instant,
    ) -> Self {
        Self {
            batch,
            answer,
            deadline,
            attempt: None,
            recipients: Vec::new(),
            possible_effects: 0,
            retry_at: Instant::ZERO,
            refusal: None,
            lost_leaders: 0,
        }
    }

    /// The node that has it is not the leader any more.
    pub(crate) fn leader_lost(&mut self) {
        if self.attempt.take().is_some() {
            self.lost_leaders = self.lost_leaders.saturating_add(1);
        }
    }

    /// Whether it is sent to no other leader: it may be what ended those before. Of heavy reads,
    /// one suffices.
    pub(crate) fn has_exhausted_retries(&self) -> bool {
        let heavy = self.batch.is_read_only() && self.batch.work >= work::HEAVY;
        let leaders = if heavy { 1 } else { limits::MAX_LOST_LEADERS };
        self.lost_leaders >= leaders
    }

    pub(crate) fn record_attempt(&mut self, to: NodeId, term: Term, at: Instant) {
        self.attempt = Some(Attempt { to, term, at });
        if !self.was_sent_to(to) {
            self.recipients.push(to);
        }
        self.retry_at = Instant::ZERO;
        self.possible_effects = self.possible_effects.saturating_add(1);
    }

    /// Whether a node may answer or refuse the batch: a leader that was lost since may, as its answer can be late.
    pub(crate) fn was_sent_to(&self, node: NodeId) -> bool {
        self.recipients.contains(&node)
    }

    /// A node to which it was sent refused it, or was not reached at all.
    pub(crate) fn refused(&mut self, by: NodeId, reason: Refusal, retry_at: Instant) {
        if self.attempt.is_some_and(|attempt| attempt.to == by) {
            self.attempt = None;
            self.retry_at = retry_at;
            // an earlier attempt, if there was one, may still have an effect
            if self.possible_effects == 1 {
                self.possible_effects = 0;
            }
        }
        self.refusal = Some(reason);
    }

    pub(crate) fn finish(self, reply: Reply, index: Index, share: Share) {
        // nobody may listen any more: the client went away
        let _ = self.answer.send(BatchReply { replies: reply.into_bytes(), index, share });
    }

    /// Answers every command of the batch with an error.
    pub(crate) fn fail(self, error: &str) {
        self.fail_at(error, 0);
    }

    /// As [`fail`](Self::fail), of a batch that was executed as the entry with this index.
    pub(crate) fn fail_at(self, error: &str, index: Index) {
        let mut reply = Reply::new(self.batch.protocol);
        for _ in 0..self.batch.len() {
            reply.error(error);
        }
        self.finish(reply, index, Share::default());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn waiting() -> PendingBatch {
        let batch = Batch { ops: vec![5], writes: 1, ..Batch::default() };
        PendingBatch::new(batch, oneshot::channel().0, Instant::MAX)
    }

    #[test]
    fn floor_is_below_the_oldest_pending_batch() {
        let mut pending = Pending::default();
        assert_eq!(pending.floor(), 0);
        assert_eq!((pending.insert(waiting()), pending.insert(waiting())), (1, 2));
        assert_eq!(pending.floor(), 0);
        pending.remove(1).unwrap();
        assert_eq!((pending.floor(), pending.bytes()), (1, 1));
        pending.remove(2).unwrap();
        assert_eq!((pending.floor(), pending.bytes()), (2, 0));
    }

    #[test]
    fn batch_that_ends_leaders_is_retried_a_few_times_only() {
        let one = NodeId::new(1);
        let (mut small, mut heavy) = (waiting(), waiting());
        heavy.batch = Batch { ops: vec![22], reads: 1, work: work::HEAVY, ..Batch::default() };
        small.leader_lost();
        assert!(!small.has_exhausted_retries(), "nobody had it");
        for term in 0..limits::MAX_LOST_LEADERS {
            assert!(!small.has_exhausted_retries());
            small.record_attempt(one, term.into(), Instant::ZERO);
            small.leader_lost();
        }
        assert!(small.has_exhausted_retries());
        heavy.record_attempt(one, 1, Instant::ZERO);
        heavy.refused(one, Refusal::NotLeader, Instant::ZERO);
        heavy.leader_lost();
        assert!(!heavy.has_exhausted_retries(), "it was refused");
        heavy.record_attempt(one, 2, Instant::ZERO);
        heavy.leader_lost();
        assert!(heavy.has_exhausted_retries());
    }

    #[test]
    fn only_a_single_refused_attempt_is_certain() {
        let (one, two) = (NodeId::new(1), NodeId::new(2));
        let mut waiting = waiting();
        waiting.record_attempt(one, 1, Instant::ZERO);
        waiting.refused(one, Refusal::NotLeader, Instant::ZERO);
        assert_eq!((waiting.possible_effects, waiting.attempt), (0, None));
        waiting.record_attempt(one, 1, Instant::ZERO);
        waiting.record_attempt(two, 2, Instant::ZERO);
        waiting.refused(two, Refusal::NotLeader, Instant::ZERO);
        assert!(waiting.possible_effects > 0);
    }
}
