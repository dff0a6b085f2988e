use std::collections::BTreeMap;

use bytes::BytesMut;
use quorate_core::{Instant, NodeId};
use quorate_raft::{Index, Term};
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::forward::Refusal;
use crate::reply::Reply;
use crate::unread::Share;
use crate::{limits, work};

/// Batches of this node's clients that wait for their answers, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: BTreeMap<u64, Waiting>,
    last: u64,
    bytes: usize,
}

/// A batch, who waits for it, and to whom it was handed over.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) deadline: Instant,
    pub(crate) handed: Option<Handed>,
    /// Every node it was handed to: no other has anything to say about it. At most as many as there are members.
    asked: Vec<NodeId>,
    /// Hand-overs that may still have an effect. While it is 0, it is certain that the batch was not executed.
    pub(crate) chances: u32,
    pub(crate) retry_at: Instant,
    pub(crate) refusal: Option<Refusal>,
    /// Leaders, one after the other, that were lost while they had it.
    lost: u32,
}

/// To whom, in which term, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handed {
    pub(crate) to: NodeId,
    pub(crate) term: Term,
    pub(crate) at: Instant,
}

/// The replies to a batch, encoded, and the last entry of the log that they know of.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) replies: BytesMut,
    pub(crate) index: Index,
    /// Counts until the client has taken them.
    pub(crate) share: Share,
}

impl Pending {
    /// Takes a batch in, and gives it its number.
    pub(crate) fn insert(&mut self, waiting: Waiting) -> u64 {
        // a billion a second are not through in 500 years
        self.last = self.last.saturating_add(1);
        self.bytes += waiting.batch.ops.len();
        self.waiting.insert(self.last, waiting);
        self.last
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.bytes -= waiting.batch.ops.len();
        Some(waiting)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Waiting> {
        self.waiting.get_mut(&number)
    }

    /// Whether it waits here, and was handed to a node that has not answered yet.
    pub(crate) fn is_handed(&self, number: u64) -> bool {
        self.waiting.get(&number).is_some_and(|waiting| waiting.handed.is_some())
    }

    /// Bytes of a batch, 0 if it does not wait here.
    pub(crate) fn ops_len(&self, number: u64) -> usize {
        self.waiting.get(&number).map_or(0, |waiting| waiting.batch.ops.len())
    }

    /// The numbers of those for which a condition holds, in their order.
    pub(crate) fn numbers(&self, condition: impl Fn(&Waiting) -> bool) -> Vec<u64> {
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
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Waiting> + use<> {
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

impl Waiting {
    pub(crate) fn new(batch: Batch, answer: oneshot::Sender<Answer>, deadline: Instant) -> Self {
        Self {
            batch,
            answer,
            deadline,
            handed: None,
            asked: Vec::new(),
            chances: 0,
            retry_at: Instant::ZERO,
            refusal: None,
            lost: 0,
        }
    }

    /// The leader that has it leads no more.
    pub(crate) fn leader_lost(&mut self) {
        if self.handed.take().is_some() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Whether it is handed to no other leader: it may be what ended those before. Of reads that take much, one suffices.
    pub(crate) fn is_spent(&self) -> bool {
        let heavy = self.batch.is_read_only() && self.batch.work >= work::HEAVY;
        let leaders = if heavy { 1 } else { limits::LEADERS };
        self.lost >= leaders
    }

    pub(crate) fn hand_over(&mut self, to: NodeId, term: Term, at: Instant) {
        self.handed = Some(Handed { to, term, at });
        if !self.was_asked(to) {
            self.asked.push(to);
        }
        self.retry_at = Instant::ZERO;
        self.chances = self.chances.saturating_add(1);
    }

    /// Whether a node may answer or refuse the batch: a leader that was lost since may, as its answer can be late.
    pub(crate) fn was_asked(&self, node: NodeId) -> bool {
        self.asked.contains(&node)
    }

    /// A node to which it was handed over did nothing, or was not reached at all.
    pub(crate) fn refused(&mut self, by: NodeId, reason: Refusal, retry_at: Instant) {
        if self.handed.is_some_and(|handed| handed.to == by) {
            self.handed = None;
            self.retry_at = retry_at;
            // an earlier hand-over, if there was one, keeps its chance
            if self.chances == 1 {
                self.chances = 0;
            }
        }
        self.refusal = Some(reason);
    }

    pub(crate) fn finish(self, reply: Reply, index: Index, share: Share) {
        // nobody may listen any more: the client went away
        let _ = self.answer.send(Answer { replies: reply.into_bytes(), index, share });
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

    fn waiting() -> Waiting {
        let batch = Batch { ops: vec![5], writes: 1, ..Batch::default() };
        Waiting::new(batch, oneshot::channel().0, Instant::MAX)
    }

    #[test]
    fn the_floor_is_below_the_oldest() {
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
    fn what_ends_leaders_is_handed_on_a_few_times_only() {
        let one = NodeId::new(1);
        let (mut small, mut heavy) = (waiting(), waiting());
        heavy.batch = Batch { ops: vec![22], reads: 1, work: work::HEAVY, ..Batch::default() };
        small.leader_lost();
        assert!(!small.is_spent(), "nobody had it");
        for term in 0..limits::LEADERS {
            assert!(!small.is_spent());
            small.hand_over(one, term.into(), Instant::ZERO);
            small.leader_lost();
        }
        assert!(small.is_spent());
        heavy.hand_over(one, 1, Instant::ZERO);
        heavy.refused(one, Refusal::NotLeader, Instant::ZERO);
        heavy.leader_lost();
        assert!(!heavy.is_spent(), "it was refused");
        heavy.hand_over(one, 2, Instant::ZERO);
        heavy.leader_lost();
        assert!(heavy.is_spent());
    }

    #[test]
    fn only_a_lone_hand_over_that_was_refused_is_certain() {
        let (one, two) = (NodeId::new(1), NodeId::new(2));
        let mut waiting = waiting();
        waiting.hand_over(one, 1, Instant::ZERO);
        waiting.refused(one, Refusal::NotLeader, Instant::ZERO);
        assert_eq!((waiting.chances, waiting.handed), (0, None));
        waiting.hand_over(one, 1, Instant::ZERO);
        waiting.hand_over(two, 2, Instant::ZERO);
        waiting.refused(two, Refusal::NotLeader, Instant::ZERO);
        assert!(waiting.chances > 0);
    }
}
