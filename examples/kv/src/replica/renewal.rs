//! What a node does when the log holds batches in its name that it never sent.

use tracing::{error, warn};

use super::{Held, Replica, UNKNOWN_STOLEN};

pub(super) const EXHAUSTED: &str = "ERR this node's numbers for batches are used up by what was forged in its name, the command was not executed: ask another node; remove this one, and add it again under an id that was never used";

impl Replica {
    /// Goes on under another number if the numbers of this life were used by somebody else: its batches would be taken for ones that
    /// were applied before, and its clients would wait in vain.
    pub(super) fn renew_if_forged(&mut self) {
        let (sessions, last) = (&self.state.sessions, self.writes.last());
        if self.exhausted || !sessions.is_beyond(self.id, self.incarnation.get(), last) {
            return;
        }
        self.counters.renewals = self.counters.renewals.saturating_add(1);
        let (known, before) = (sessions.incarnation(self.id), self.incarnation.get());
        match self.incarnation.renew(known) {
            Ok(()) => {
                if let Some(suppressed) = self.lines.pass("renewal") {
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
                self.exhausted = true;
            }
        }
        self.fresh.retain(|call| !call.write);
        self.held.retain(|held| !matches!(held, Held::Own(_)));
        let mut again = Vec::new();
        for waiting in self.writes.take_all() {
            if waiting.chances > 0 {
                waiting.fail(UNKNOWN_STOLEN);
            } else if self.exhausted {
                waiting.fail(EXHAUSTED);
            } else {
                // it went nowhere under its old number
                again.push(waiting);
            }
        }
        for waiting in again {
            let number = self.writes.insert(waiting);
            self.fresh.push_back(self.call(number, true));
        }
    }
}
