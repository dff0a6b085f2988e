//! How commands end: applied, or with an outcome.

use core::fmt::Debug;

use quorate_core::Instant;

use super::pending::{Pending, Way};
use super::queue::Queue;
use super::submissions::Hold;
use super::{Outcome, Storage, Submissions};
use crate::{Proposal, SubmitError};

impl<T: Debug, S: Storage> Submissions<T, S> {
    /// An entry is applied that carries this number, this node's id and its present start. Returns
    /// the command if it is still pending: it is committed.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::exactly_once(5_000_000));
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert_eq!(submissions.applied(1), Some("set x 1"));
    /// assert_eq!(submissions.applied(1), None); // it was in the log twice
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn applied(&mut self, number: u64) -> Option<T> {
        let at = self.slot(number)?;
        self.remove(at)
    }

    /// The entry at this place is applied. Returns the command that this node proposed there, with
    /// its number: it is committed. A command that was proposed there in another epoch is lost. For
    /// logs that tell the epoch of each entry, such as Raft's; call it for the protocol's own
    /// entries as well, since one of them may be in the place of a command.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::{Leadership, Proposal, Submitted};
    /// # let leadership = Leadership { leader: Some(NodeId::new(1)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// let proposal = Proposal { epoch: 3, index: 9 };
    /// submissions.submitted(Instant::ZERO, leadership, 1, Ok(Submitted::Proposed(proposal)));
    /// assert_eq!(submissions.applied_at(proposal), Some((1, "set x 1")));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn applied_at(&mut self, proposal: Proposal) -> Option<(u64, T)> {
        self.applied = self.applied.max(proposal.index);
        let (mut found, mut look_again, mut next) = (None, false, 0);
        while let Some((at, pending)) = self.next(&mut next) {
            match pending.way() {
                Some(Way::Proposed(of)) if of == proposal => found = Some(at),
                Some(Way::Proposed(of)) if of.index == proposal.index => {
                    pending.refused(None, Instant::ZERO);
                    look_again = true;
                }
                _ => {}
            }
        }
        if look_again {
            self.look_again(Instant::ZERO);
        }
        let at = found?;
        let number = self.first.saturating_add(at as u64);
        Some((number, self.remove(at)?))
    }

    /// The next command that ended without being seen applied, or whose deadline has passed, with
    /// its number and what is known of it. Call it until there is none, in every turn of the loop.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Outcome, Submissions};
    /// # use quorate_log::SubmitError;
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::at_most_once(1_000));
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// let refused = Outcome::Refused(SubmitError::NotLeader(None)); // no leader was found
    /// assert_eq!(submissions.outcome(Instant::from_millis(1)), Some((1, "set x 1", refused)));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn outcome(&mut self, now: Instant) -> Option<(u64, T, Outcome)> {
        if self.ended == 0 && now < self.earliest_deadline {
            return None;
        }
        loop {
            let Some((at, pending)) = self.queue.next(self.unexpired) else {
                self.earliest_deadline = self.next_deadline;
                self.look_for_outcomes();
                if now < self.earliest_deadline || self.len == 0 {
                    return None;
                }
                // the time of some has come since this look began
                continue;
            };
            self.unexpired = at.saturating_add(1);
            if pending.ended.is_none() && now < pending.deadline() {
                self.next_deadline = self.next_deadline.min(pending.deadline());
                continue;
            }
            let outcome = self.known_of(pending);
            let number = self.first.saturating_add(at as u64);
            return self.remove(at).map(|command| (number, command, outcome));
        }
    }

    /// Takes back a command that is not to be waited for any longer, with what is known of it.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Outcome, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// let number = submissions.submit(Instant::ZERO, "set x 1")?;
    /// let (command, outcome) = submissions.give_up(number).ok_or("it is pending")?;
    /// assert!(command == "set x 1" && outcome.is_certainly_absent());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_up(&mut self, number: u64) -> Option<(T, Outcome)> {
        let outcome = self.known(number)?;
        Some((self.applied(number)?, outcome))
    }

    /// What is known of a pending command: how it would end if it were given up now.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Outcome, Submissions};
    /// # use quorate_log::Leadership;
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert!(submissions.known(1).is_some_and(Outcome::is_certainly_absent));
    /// submissions.handed_over(Instant::ZERO, leadership, 1, NodeId::new(2));
    /// assert_eq!(submissions.known(1), Some(Outcome::Unknown));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn known(&self, number: u64) -> Option<Outcome> {
        self.pending(number).map(|pending| self.known_of(pending))
    }

    /// The node stops: every command ends, unless it has ended already, and so does each that comes
    /// in later. [`event`](Self::event) calls this when the machine stopped itself
    /// ([`Notice::Fatal`](crate::Notice::Fatal)).
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Outcome, Submissions};
    /// # use quorate_log::SubmitError;
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.stop();
    /// let refused = Outcome::Refused(SubmitError::Stopped);
    /// assert_eq!(submissions.outcome(Instant::ZERO), Some((1, "set x 1", refused)));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn stop(&mut self) {
        self.is_stopped = true;
        let mut next = 0;
        while let Some((at, pending)) = self.next(&mut next) {
            let outcome = match pending.known() {
                outcome if pending.ended.is_some() => outcome,
                Outcome::Unknown => Outcome::Unknown,
                _ => Outcome::Refused(SubmitError::Stopped),
            };
            self.end(self.first.saturating_add(at as u64), outcome);
        }
    }

    pub(super) fn end(&mut self, number: u64, outcome: Outcome) {
        if let Some(pending) = self.pending_mut(number) {
            let before = pending.ended.replace(outcome);
            self.ended = self.ended.saturating_add(usize::from(before.is_none()));
            self.look_for_outcomes();
        }
    }

    /// What is known of a command. If it is certainly absent, a log without room is the reason,
    /// whichever command the log said so of.
    fn known_of(&self, pending: &Pending<T>) -> Outcome {
        match (pending.known(), self.hold) {
            (Outcome::Refused(_), Some(hold)) if pending.ended.is_none() => {
                Outcome::Refused(match hold {
                    Hold::Busy => SubmitError::Busy,
                    Hold::LogFull => SubmitError::LogFull,
                })
            }
            (outcome, _) => outcome,
        }
    }

    /// Commands may have an outcome, whether they were looked at or not.
    pub(super) const fn look_for_outcomes(&mut self) {
        (self.unexpired, self.next_deadline) = (0, Instant::MAX);
    }
}
