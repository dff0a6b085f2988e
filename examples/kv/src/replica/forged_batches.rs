//! What a node does when the log holds batches in its name that it never sent.

use tracing::{error, warn};

use super::{QueuedWrite, Replica, UNKNOWN_FORGED};
use crate::consensus::Consensus;
use crate::limits;
use crate::pending::Pending;

pub(super) const NUMBERS_EXHAUSTED: &str = "ERR this node's numbers for batches are used up by what was forged in its name, the command was not executed: ask another node; remove this one, and add it again under an id that was never used";

impl<C: Consensus> Replica<C> {
    /// Takes a new incarnation if the numbers of this one were used by somebody else: its batches
    /// would be taken for ones that were applied before, and its clients would wait in vain.
    pub(super) fn check_forged_batches(&mut self) {
        let (sessions, last) = (&self.state.sessions, self.writes.last());
        if self.numbers_exhausted
            || !sessions.has_forged_batches(self.id, self.incarnation.get(), last)
        {
            return;
        }
        self.counters.incarnation_changes = self.counters.incarnation_changes.saturating_add(1);
        let (known, before) = (sessions.incarnation(self.id), self.incarnation.get());
        match self.incarnation.advance(known) {
            Ok(()) => {
                if let Some(suppressed) = self.log_limit.pass("forged batches") {
                    warn!(
                        before,
                        now = self.incarnation.get(),
                        suppressed,
                        "the log has batches in this node's name that it never sent: going on under a new incarnation. See who reaches the peer ports"
                    );
                }
            }
            Err(why) => {
                error!(
                    before,
                    %why,
                    "the log has batches in this node's name that it never sent, and it cannot go on under a new incarnation: it takes no writes. Remove it, and add it again under an id that was never used"
                );
                self.numbers_exhausted = true;
            }
        }
        self.queued_writes.retain(|queued_write| !matches!(queued_write, QueuedWrite::Local(_)));
        // numbers begin anew
        let writes = Pending::new(limits::SESSION_WINDOW as usize);
        let mut before = core::mem::replace(&mut self.writes, writes);
        for number in before.numbers(|_, _| true) {
            let Some((waiting, known)) = before.give_up(number) else { continue };
            if !known.is_certainly_absent() {
                waiting.fail(UNKNOWN_FORGED);
            } else if self.numbers_exhausted {
                waiting.fail(NUMBERS_EXHAUSTED);
            } else {
                // it went nowhere under its old number
                self.writes.insert(waiting);
            }
        }
    }
}
