use bytes::BytesMut;
use quorate_core::{Instant, NodeId};
use quorate_log::submission::{Config, Heap, Outcome, Submissions};
use quorate_log::{Index, Leadership, Proposal, SubmitError, Submitted};
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::forward::Refusal;
use crate::output_budget::Share;
use crate::reply::Reply;
use crate::{limits, work};

/// Batches of this node's clients that wait for their answers, by their numbers: [`Submissions`] know which of them are to be
/// sent to the leader, and sent again.
#[derive(Debug)]
pub(crate) struct Pending {
    submissions: Submissions<PendingBatch, Heap>,
    bytes: usize,
}

/// A batch, who waits for it, and the nodes it was sent to.
#[derive(Debug)]
pub(crate) struct PendingBatch {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<BatchReply>,
    pub(crate) deadline: Instant,
    /// Every node it was sent to: responses of others are ignored. At most as many as there are
    /// members.
    recipients: Vec<NodeId>,
    /// The last time it was sent. Connections deliver a refusal once, so it is of that time.
    attempt: u64,
    /// Why it was not executed the last time.
    pub(crate) refusal: Option<Refusal>,
}

/// A request to another node that was not answered for this long, in µs, is sent again; a long one later, as it takes longer.
const RESEND_US: u64 = 1_000_000;
const RESEND_US_PER_MIB: u64 = 500_000;
/// After a refusal, in µs.
const RETRY_US: u64 = 20_000;

/// The replies to a batch, encoded, and the last entry of the log that they know of.
#[derive(Debug)]
pub(crate) struct BatchReply {
    pub(crate) replies: BytesMut,
    pub(crate) index: Index,
    /// Counts until the client has taken them.
    pub(crate) share: Share,
}

impl Pending {
    /// None yet, and at most `max` from the oldest unanswered one to the newest.
    pub(crate) fn new(max: usize) -> Self {
        let config = Config {
            max_pending: max,
            retry_us: RETRY_US,
            resend_us: RESEND_US,
            max_lost_leaders: limits::MAX_LOST_LEADERS,
            // each batch has its own deadline
            ..Config::exactly_once(0)
        };
        Self { submissions: Submissions::new(config), bytes: 0 }
    }

    /// Takes a batch in, and gives it its number. `None` if there is no room: [`has_room`](Self::has_room).
    pub(crate) fn insert(&mut self, waiting: PendingBatch) -> Option<u64> {
        let (bytes, deadline) = (waiting.batch.ops.len(), waiting.deadline);
        // it may be what ended the leaders that had it: of heavy reads, one suffices
        let heavy = waiting.batch.is_read_only() && waiting.batch.work >= work::HEAVY;
        let number = self.submissions.submit_until(deadline, waiting).ok()?;
        if heavy {
            self.submissions.limit_lost_leaders(number, 1);
        }
        self.bytes += bytes;
        Some(number)
    }

    /// Takes out a batch that is answered.
    pub(crate) fn remove(&mut self, number: u64) -> Option<PendingBatch> {
        let waiting = self.submissions.applied(number)?;
        self.bytes -= waiting.batch.ops.len();
        Some(waiting)
    }

    /// Takes out a batch that is not waited for any longer, with what is known of it.
    pub(crate) fn give_up(&mut self, number: u64) -> Option<(PendingBatch, Outcome)> {
        let outcome = self.submissions.known(number)?;
        Some((self.remove(number)?, outcome))
    }

    /// Takes out the next batch whose time is over, with what is known of it.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<(PendingBatch, Outcome)> {
        let (_, waiting, outcome) = self.submissions.outcome(now)?;
        self.bytes -= waiting.batch.ops.len();
        Some((waiting, outcome))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&PendingBatch> {
        self.submissions.get(number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut PendingBatch> {
        self.submissions.get_mut(number)
    }

    /// The number of the next batch that is to be sent to the leader now, and whether it was before.
    pub(crate) fn due(&mut self, now: Instant, leadership: Leadership) -> Option<(u64, bool)> {
        let due = self.submissions.due(now, leadership)?;
        Some((due.number, due.resubmitted))
    }

    /// A batch was proposed here.
    pub(crate) fn proposed(
        &mut self,
        now: Instant,
        leadership: Leadership,
        number: u64,
        index: Index,
    ) {
        let proposal = Proposal { epoch: leadership.epoch, index };
        let proposed = Ok(Submitted::Proposed(proposal));
        self.submissions.submitted(now, leadership, number, proposed);
        if let (Some(waiting), Some(leader)) = (self.submissions.get_mut(number), leadership.leader)
        {
            waiting.add_recipient(leader);
        }
    }

    /// A batch was sent to the leader, or is a read that this node answers as the leader.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        leadership: Leadership,
        number: u64,
        is_self: bool,
    ) {
        let Some(leader) = leadership.leader else { return };
        let attempt = self.submissions.handed_over(now, leadership, number, leader);
        let Some(waiting) = self.submissions.get_mut(number) else { return };
        waiting.attempt = attempt;
        waiting.add_recipient(leader);
        let mib = (waiting.batch.ops.len() >> 20) as u64;
        if is_self {
            self.submissions.postpone(number, Instant::MAX);
        } else if mib > 0 {
            let again_at = now.after(RESEND_US + mib * RESEND_US_PER_MIB);
            self.submissions.postpone(number, again_at);
        }
    }

    /// A node to which it was sent refused it, or was not reached at all.
    pub(crate) fn refused(&mut self, now: Instant, number: u64, by: NodeId, reason: Refusal) {
        let Some(waiting) = self.submissions.get_mut(number) else { return };
        waiting.refusal = Some(reason);
        let attempt = waiting.attempt;
        self.submissions.refused(now, number, attempt, by, SubmitError::Busy);
    }

    /// The log did not take it: it is tried again soon.
    pub(crate) fn not_proposed(&mut self, now: Instant, number: u64, reason: Refusal) {
        if let Some(waiting) = self.submissions.get_mut(number) {
            waiting.refusal = Some(reason);
        }
        self.submissions.postpone(number, now.after(RETRY_US));
    }

    /// It waits at this node until [`resume`](Self::resume), or for another leader.
    pub(crate) fn park(&mut self, number: u64) {
        self.submissions.postpone(number, Instant::MAX);
    }

    /// It is due again.
    pub(crate) fn resume(&mut self, number: u64) {
        self.submissions.postpone(number, Instant::ZERO);
    }

    /// Whether it waits here, and was sent to a node that has not answered yet.
    pub(crate) fn has_attempt(&self, number: u64) -> bool {
        self.submissions.is_under_way(number)
    }

    /// Whether it certainly was not executed, and is not going to be.
    pub(crate) fn is_certainly_absent(&self, number: u64) -> bool {
        self.submissions.known(number).is_some_and(Outcome::is_certainly_absent)
    }

    /// Whether it is sent to no other leader: it may be what ended those before.
    pub(crate) fn has_exhausted_retries(&self, number: u64) -> bool {
        self.submissions.is_exhausted(number)
    }

    /// Bytes of a batch, 0 if it does not wait here.
    pub(crate) fn ops_len(&self, number: u64) -> usize {
        self.submissions.get(number).map_or(0, |waiting| waiting.batch.ops.len())
    }

    /// The numbers of those for which a condition holds, in their order.
    pub(crate) fn numbers(&self, condition: impl Fn(u64, &PendingBatch) -> bool) -> Vec<u64> {
        let pending = self.submissions.iter();
        pending.filter(|(number, w)| condition(*number, w)).map(|(number, _)| number).collect()
    }

    /// Every number up to it is answered or given up.
    pub(crate) fn floor(&self) -> u64 {
        self.submissions.floor()
    }

    /// Whether one more fits between the oldest unanswered one and the end of the window.
    pub(crate) fn has_room(&self) -> bool {
        self.submissions.has_room()
    }

    /// The last number that was given out.
    pub(crate) fn last(&self) -> u64 {
        self.submissions.last_number()
    }

    pub(crate) fn len(&self) -> usize {
        self.submissions.len()
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
        Self { batch, answer, deadline, recipients: Vec::new(), attempt: 0, refusal: None }
    }

    fn add_recipient(&mut self, node: NodeId) {
        if !self.was_sent_to(node) {
            self.recipients.push(node);
        }
    }

    /// Whether a node may answer or refuse the batch: a leader that was lost since may, as its answer can be late.
    pub(crate) fn was_sent_to(&self, node: NodeId) -> bool {
        self.recipients.contains(&node)
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

    const ONE: NodeId = NodeId::new(1);
    const TWO: NodeId = NodeId::new(2);

    fn waiting() -> PendingBatch {
        let batch = Batch { ops: vec![5], writes: 1, ..Batch::default() };
        PendingBatch::new(batch, oneshot::channel().0, Instant::MAX)
    }

    fn led_by(leader: NodeId, epoch: u64) -> Leadership {
        Leadership { leader: Some(leader), epoch }
    }

    #[test]
    fn bytes_are_those_of_the_batches_that_wait() {
        let mut pending = Pending::new(8);
        assert_eq!((pending.insert(waiting()), pending.insert(waiting())), (Some(1), Some(2)));
        assert_eq!((pending.floor(), pending.bytes()), (0, 2));
        pending.remove(1).unwrap();
        assert_eq!((pending.floor(), pending.bytes()), (1, 1));
        pending.give_up(2).unwrap();
        assert_eq!((pending.floor(), pending.bytes()), (2, 0));
        let mut late = waiting();
        late.deadline = Instant::ZERO;
        pending.insert(late).unwrap();
        pending.expired(Instant::ZERO).unwrap();
        assert_eq!((pending.floor(), pending.bytes()), (3, 0));
    }

    #[test]
    fn batch_that_ends_leaders_is_retried_a_few_times_only() {
        let mut pending = Pending::new(8);
        let small = pending.insert(waiting()).unwrap();
        let mut read = waiting();
        read.batch = Batch { ops: vec![22], reads: 1, work: work::HEAVY, ..Batch::default() };
        let heavy = pending.insert(read).unwrap();
        let now = Instant::ZERO;
        assert_eq!(pending.due(now, led_by(ONE, 1)), Some((small, false)), "nobody had it");
        for term in 1..=limits::MAX_LOST_LEADERS {
            assert!(!pending.has_exhausted_retries(small));
            pending.sent(now, led_by(ONE, term.into()), small, false);
            pending.due(now, led_by(ONE, u64::from(term) + 1));
        }
        assert!(pending.has_exhausted_retries(small));
        pending.sent(now, led_by(ONE, 9), heavy, false);
        pending.refused(now, heavy, ONE, Refusal::NotLeader);
        pending.due(now, led_by(TWO, 10));
        assert!(!pending.has_exhausted_retries(heavy), "it was refused");
        pending.sent(now, led_by(TWO, 10), heavy, false);
        pending.due(now, led_by(ONE, 11));
        assert!(pending.has_exhausted_retries(heavy));
    }

    #[test]
    fn long_batches_are_sent_again_later_and_own_reads_not_at_all() {
        let leadership = led_by(ONE, 1);
        let mut pending = Pending::new(8);
        let mut long = waiting();
        long.batch.ops = vec![0; 2 << 20];
        let (short, long) = (pending.insert(waiting()).unwrap(), pending.insert(long).unwrap());
        let own = pending.insert(waiting()).unwrap();
        for (number, is_self) in [(short, false), (long, false), (own, true)] {
            pending.sent(Instant::ZERO, leadership, number, is_self);
        }
        let mut due = |millis| {
            let now = Instant::from_millis(millis);
            let mut numbers = Vec::new();
            while let Some((number, again)) = pending.due(now, leadership) {
                assert!(again);
                numbers.push(number);
            }
            numbers
        };
        assert_eq!(due(999), []);
        assert_eq!(due(1_000), [short]);
        assert_eq!(due(1_999), [short]);
        assert_eq!(due(2_000), [short, long]);
        assert_eq!(due(100_000), [short, long]);
    }

    #[test]
    fn only_a_single_refused_attempt_is_certain() {
        let (now, mut pending) = (Instant::ZERO, Pending::new(8));
        let number = pending.insert(waiting()).unwrap();
        pending.sent(now, led_by(ONE, 1), number, false);
        assert!(!pending.is_certainly_absent(number));
        pending.refused(now, number, ONE, Refusal::NotLeader);
        assert!(pending.is_certainly_absent(number) && !pending.has_attempt(number));
        pending.sent(now, led_by(ONE, 1), number, false);
        pending.sent(now, led_by(TWO, 2), number, false);
        pending.refused(now, number, TWO, Refusal::NotLeader);
        assert!(!pending.is_certainly_absent(number));
        let batch = pending.get(number).unwrap();
        assert!(batch.was_sent_to(ONE) && batch.was_sent_to(TWO));
    }
}
