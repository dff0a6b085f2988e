//! How what is committed is applied: a bounded number of steps in each turn of the loop, so that a node
//! that fell behind still hears its leader, or is heard, while it catches up.

use quorate_log::Index;
use tracing::error;

use super::{FORGED, REPLY_DROPPED, Replica};
use crate::apply::Entry as Command;
use crate::batch::Ops;
use crate::consensus::{Consensus, Content, Entry};
use crate::forward::{Frame, RequestId};
use crate::reply::Reply;
use crate::session::BatchId;
use crate::{limits, work};

impl<C: Consensus> Replica<C> {
    /// Entries are committed. They stay in the log until a snapshot of this node covers them, so nothing is copied: each turn
    /// goes on where the last one ended.
    pub(super) fn committed(&mut self, last: Index, bytes: u64) {
        self.committed = self.committed.max(last);
        self.backlog.push_back((last, bytes));
        self.backlog_bytes = self.backlog_bytes.saturating_add(bytes);
    }

    /// Whether something that is committed waits to be applied.
    pub(super) const fn is_applying(&self) -> bool {
        self.state.applied < self.committed
    }

    /// So much waits that no more is to be taken in: what this node acknowledges and does not apply would fill its log.
    pub(super) const fn is_backlog_full(&self) -> bool {
        self.backlog_bytes > limits::BACKLOG_BYTES
    }

    /// Applies what this turn has time for: one entry at least.
    pub(super) fn apply_committed(&mut self, log: &C) {
        let mut named = false;
        while self.is_applying() {
            let before = self.state.applied;
            named |= self.apply(log.entries(before.saturating_add(1)));
            if self.state.applied == before {
                // this turn has no time for more
                break;
            }
        }
        self.release_applied();
        if named {
            self.check_forged_batches();
        }
    }

    /// Applies entries until they end or the turn has no time for more; tells whether any came in this node's name.
    fn apply<'a>(&mut self, entries: impl Iterator<Item = Entry<'a>>) -> bool {
        let mut named = false;
        for entry in entries {
            if entry.index > self.committed || !self.meter.may_apply() {
                break;
            }
            self.state.applied = entry.index;
            self.meter.applied(work::SMALL);
            self.growth_since_snapshot.entries += 1;
            self.growth_since_snapshot.bytes += entry.bytes as u64;
            match entry.content {
                Content::Members(data) => {
                    self.state.set_members(C::decode_members(data));
                }
                Content::Command(data) => match Command::decode(data) {
                    Ok(command) => {
                        named |= command.id.origin == self.id;
                        self.apply_command(entry.index, command);
                    }
                    // every node skips it alike
                    Err(error) => {
                        if let Some(suppressed) = self.log_limit.pass("unknown form") {
                            error!(index = entry.index, %error, suppressed, "skipping a command of a form unknown here");
                        }
                    }
                },
                Content::Nothing => {}
            }
        }
        named
    }

    /// What was in flight, or waited, and is applied.
    pub(super) fn release_applied(&mut self) {
        while let Some(&(last, bytes)) = self.backlog.front()
            && last <= self.state.applied
        {
            self.backlog.pop_front();
            self.backlog_bytes = self.backlog_bytes.saturating_sub(bytes);
        }
        while let Some(&(index, work)) = self.in_flight.front()
            && index <= self.state.applied
        {
            self.in_flight.pop_front();
            self.in_flight_work = self.in_flight_work.saturating_sub(work);
        }
    }

    fn apply_command(&mut self, index: Index, entry: Command<'_>) {
        if !self.state.sessions.admit(entry.id, entry.floor) {
            self.counters.duplicates += 1;
            return;
        }
        self.counters.applied += 1;
        let steps = self.execute_entry(index, entry);
        self.meter.applied(steps);
    }

    /// Does what the entry says, as every node does; who waits for it is answered.
    fn execute_entry(&mut self, index: Index, entry: Command<'_>) -> u64 {
        let own = entry.id.origin == self.id && entry.id.incarnation == self.incarnation.get();
        if let Some(waiting) = own.then(|| self.writes.remove(entry.id.number)).flatten() {
            if waiting.batch.has_writes(entry.ops) {
                let mut reply = Reply::new(waiting.batch.protocol);
                let steps = self.state.execute(waiting.batch.ops(), Some(&mut reply));
                if self.output_budget.must_drop(reply.len()) {
                    waiting.fail_at(REPLY_DROPPED, index);
                } else {
                    let share = self.output_budget.share(reply.memory());
                    waiting.finish(reply, index, share);
                }
                return steps;
            }
            waiting.fail(FORGED);
        }
        if let Some(batch) = self.forwarded.remove(&entry.id) {
            self.forwarded_bytes -= batch.ops.len();
            if batch.has_writes(entry.ops) {
                let mut reply = Reply::new(batch.protocol);
                let steps = self.state.execute(batch.ops(), Some(&mut reply));
                let BatchId { origin, incarnation, number } = entry.id;
                let request_id = RequestId { incarnation, number, write: true };
                let answer = Frame::Response { request_id, index, replies: reply.bytes() };
                self.outgoing.push((origin, answer.to_vec(), None));
                return steps;
            }
            // another batch under this number came into the log first
        }
        self.state.execute(Ops::new(entry.ops), None)
    }
}
