//! What the log tells of commands on their way.

use core::fmt::Debug;

use quorate_core::Instant;

use super::pending::{Pending, Way};
use super::{Config, Outcome, Storage, Submissions};
use crate::{ForwardId, Forwarded, Header, Index, Notice, Proposal, ReplicatedLog, SubmitError};

impl<T: Debug, S: Storage> Submissions<T, S> {
    /// Takes an event of the log. Call it for every event, before the entries in it are applied.
    pub fn event<L: ReplicatedLog>(&mut self, now: Instant, event: &L::Event<'_>) {
        if let Some(notice) = L::notice(event) {
            self.notice(now, &notice);
        }
    }

    /// Takes a notice of the log: what [`event`](Self::event) does, for an application that asked for the notice itself.
    pub fn notice<H: Header>(&mut self, now: Instant, notice: &Notice<'_, H>) {
        match *notice {
            // there may be room again
            Notice::Committed(_) => self.hold_until = Instant::ZERO,
            Notice::Forwarded { first, count, end } => self.forwarded(now, (first, count), end),
            Notice::Dropped { before, after } => self.dropped(now, before, after),
            // `due` is told of the leader
            Notice::LeaderChanged { .. } => {
                self.leader_changes = self.leader_changes.wrapping_add(1);
            }
            Notice::Read { .. } => {}
            Notice::Fatal(_) => self.stop(),
        }
    }

    /// Commands that were handed to the leader have had their end told.
    fn forwarded(&mut self, now: Instant, (first, count): (ForwardId, u64), end: Forwarded) {
        let retry_at = now.after(self.config.retry_us);
        let (applied, changes) = (self.applied, self.leader_changes);
        self.change_each(|pending, config| {
            let Some(Way::Forwarded(id)) = pending.way() else { return };
            let Some(after) = id.get().checked_sub(first.get()).filter(|after| *after < count)
            else {
                return;
            };
            match end {
                Forwarded::Proposed(Proposal { epoch, index }) => {
                    let index = index.saturating_add(after);
                    pending.proposed(Proposal { epoch, index });
                    if index <= applied {
                        // the leader has proposed it there, after everything that was committed in earlier epochs
                        pending.ended = Some(Outcome::Committed);
                    }
                }
                Forwarded::Refused => pending.refused(Some(SubmitError::Busy), retry_at),
                Forwarded::Unknown => pending.unanswered(config, now, changes),
            }
        });
    }

    /// Proposals of earlier epochs are decided.
    fn dropped(&mut self, now: Instant, before: u64, after: Index) {
        self.change_each(|pending, config| match pending.way() {
            Some(Way::Proposed(proposal)) if proposal.epoch < before => {
                if proposal.index > after {
                    pending.refused(None, now);
                } else {
                    pending.unknown(config, now);
                }
            }
            _ => {}
        });
    }

    /// Changes pending commands, some of which may be due or ended then.
    pub(super) fn change_each(&mut self, mut change: impl FnMut(&mut Pending<T>, &Config)) {
        let (mut ended, mut next, config) = (0_usize, 0, self.config);
        while let Some((_, pending)) = self.next(&mut next) {
            change(pending, &config);
            ended = ended.saturating_add(usize::from(pending.ended.is_some()));
        }
        self.ended = ended;
        self.look_again(Instant::ZERO);
        self.look_for_outcomes();
    }
}
