//! What is handed to the log, and when.

use core::fmt::Debug;

use quorate_core::{Instant, NodeId};

use super::pending::{Pending, Way};
use super::queue::Queue;
use super::submissions::{Hold, Pass};
use super::{Storage, Submissions};
use crate::{Leadership, SubmitError, Submitted};

/// A command that is to be handed to the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Due<'a, T> {
    /// Its number: they follow on each other, from 1.
    pub number: u64,
    /// Every number up to this one is decided: the state machine need not remember them, and skips
    /// commands that have one.
    pub floor: u64,
    /// The command.
    pub command: &'a T,
    /// It was handed over before, and may be in the log already.
    pub resubmitted: bool,
}

impl<T: Debug, S: Storage> Submissions<T, S> {
    /// The next command that is to be handed to the log now; ask until there is none, in every turn of the loop. Give what the
    /// log says to [`submitted`](Self::submitted).
    ///
    /// The first time, commands come in the order of their numbers. After [`Busy`](SubmitError::Busy) and
    /// [`LogFull`](SubmitError::LogFull) there is none in this turn.
    pub fn due(&mut self, now: Instant, leadership: Leadership) -> Option<Due<'_, T>> {
        self.observe(now, leadership);
        if self.offered.take().is_some() {
            // the application did not say what became of it
            self.look_again(now.after(self.config.retry_us));
        }
        if self.pass == Pass::Held {
            // this turn ends, even if the clock says that the pause is over
            self.pass = Pass::Before;
            return None;
        }
        let at = match leadership.leader {
            Some(_) if now >= self.hold_until => self.next_due(now),
            _ => None,
        };
        let Some(at) = at else {
            self.pass = Pass::Before;
            return None;
        };
        let (number, floor) = (self.first.saturating_add(at as u64), self.floor());
        let pending = self.queue.get(at)?;
        self.offered = Some(number);
        Some(Due {
            number,
            floor,
            command: &pending.command,
            resubmitted: pending.is_resubmitted(),
        })
    }

    /// What the log's [`submit`](crate::ReplicatedLog::submit) returned for a command that was
    /// [`due`](Self::due), with the leadership that `due` was given. On an error the command is due
    /// again later, except after [`TooLarge`](SubmitError::TooLarge) and
    /// [`Stopped`](SubmitError::Stopped), which end it.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Outcome, Submissions};
    /// # use quorate_log::{Leadership, SubmitError};
    /// # let leadership = Leadership { leader: Some(NodeId::new(1)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.submitted(Instant::ZERO, leadership, 1, Err(SubmitError::TooLarge));
    /// let refused = Outcome::Refused(SubmitError::TooLarge);
    /// assert_eq!(submissions.outcome(Instant::ZERO), Some((1, "set x 1", refused)));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn submitted(
        &mut self,
        now: Instant,
        leadership: Leadership,
        number: u64,
        result: Result<Submitted, SubmitError>,
    ) {
        let retry_at = now.after(self.config.retry_us);
        let changes = self.leader_changes;
        self.hold = match result {
            Ok(_) | Err(SubmitError::NotLeader(_)) => None,
            Err(SubmitError::Busy) => Some(Hold::Busy),
            Err(SubmitError::LogFull) => Some(Hold::LogFull),
            Err(SubmitError::TooLarge | SubmitError::Stopped) => self.hold,
        };
        let Some(pending) = self.told(number) else { return };
        match result {
            Ok(Submitted::Proposed(proposal)) => {
                pending.attempt(Way::Proposed(proposal), proposal.epoch, Instant::MAX, changes);
            }
            Ok(Submitted::Forwarded(id)) => {
                pending.attempt(Way::Forwarded(id), leadership.epoch, Instant::MAX, changes);
            }
            Err(reason @ (SubmitError::TooLarge | SubmitError::Stopped)) => {
                pending.not_taken(reason, retry_at);
                let outcome = pending.known();
                self.end(number, outcome);
            }
            Err(reason @ SubmitError::NotLeader(_)) => {
                pending.not_taken(reason, retry_at);
                self.look_again(retry_at);
            }
            Err(reason @ (SubmitError::Busy | SubmitError::LogFull)) => {
                // those behind it wait as well, so that they do not come into the log before it
                pending.not_taken(reason, now);
                self.hold_until = retry_at;
                self.due_at = Instant::ZERO;
                self.pass = Pass::Held;
            }
        }
    }

    /// The application hands the command to the leader itself, in an application message, which may be lost, because the log does not:
    /// [`SubmitError::NotLeader`] with the leader. It is due again after [`Config::resend_us`](super::Config::resend_us), if commands are submitted again.
    ///
    /// Call it in place of [`submitted`](Self::submitted), or after it. After it, the
    /// [`deadline`](Self::deadline) is once as early as if the command were to be submitted again.
    ///
    /// Returns the number of this attempt, which no other has, for [`refused`](Self::refused): send it along, so that a refusal can
    /// repeat it.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::Leadership;
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::exactly_once(5_000_000));
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.handed_over(Instant::ZERO, leadership, 1, NodeId::new(2)); // a message is sent
    /// assert!(submissions.due(Instant::from_millis(999), leadership).is_none());
    /// assert!(submissions.due(Instant::from_millis(1_000), leadership).is_some());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn handed_over(
        &mut self,
        now: Instant,
        leadership: Leadership,
        number: u64,
        to: NodeId,
    ) -> u64 {
        let (resubmit_at, changes) = (now.after(self.config.resend_us), self.leader_changes);
        self.handed_over = self.handed_over.saturating_add(1);
        let attempt = self.handed_over;
        if let Some(pending) = self.told(number) {
            pending.attempt(Way::HandedOver(to, attempt), leadership.epoch, resubmit_at, changes);
            self.look_again(resubmit_at);
        }
        attempt
    }

    /// A command is not [`due`](Self::due) before `until`; one that was handed over is earlier, if the leader changes.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::Leadership;
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.postpone(1, Instant::MAX); // the application queues it
    /// assert!(submissions.due(Instant::ZERO, leadership).is_none());
    /// submissions.postpone(1, Instant::ZERO);
    /// assert!(submissions.due(Instant::ZERO, leadership).is_some());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn postpone(&mut self, number: u64, until: Instant) {
        if let Some(pending) = self.told(number) {
            pending.postpone(until);
            self.look_again(until);
        }
    }

    /// Replaces [`Config::max_lost_leaders`](super::Config::max_lost_leaders) for one command.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::exactly_once(5_000_000));
    /// let number = submissions.submit(Instant::ZERO, "keys *")?;
    /// submissions.limit_lost_leaders(number, 1);
    /// assert!(!submissions.is_exhausted(number));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn limit_lost_leaders(&mut self, number: u64, max: u32) {
        if let Some(pending) = self.pending_mut(number) {
            pending.limit_lost_leaders(max);
            self.look_again(Instant::ZERO);
        }
    }

    /// A node that the application [handed a command to](Self::handed_over) says of this attempt that it did not propose it, and will not. Only
    /// the last attempt counts: a refusal of an earlier one that is late, or comes twice, says nothing of the last.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::{Leadership, SubmitError};
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::exactly_once(5_000_000));
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// let attempt = submissions.handed_over(Instant::ZERO, leadership, 1, NodeId::new(2));
    /// submissions.refused(Instant::ZERO, 1, attempt, NodeId::new(2), SubmitError::Busy);
    /// assert!(submissions.due(Instant::from_millis(20), leadership).is_some());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn refused(
        &mut self,
        now: Instant,
        number: u64,
        attempt: u64,
        by: NodeId,
        reason: SubmitError,
    ) {
        let retry_at = now.after(self.config.retry_us);
        if let Some(pending) = self.pending_mut(number)
            && pending.way() == Some(Way::HandedOver(by, attempt))
        {
            pending.refused(Some(reason), retry_at);
            self.look_again(retry_at);
        }
    }

    /// When [`due`](Self::due) and [`outcome`](Self::outcome) must be asked again at the latest, if both were asked since a command
    /// came in; `None` if nothing is pending. Without a leader nothing is due.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::at_most_once(5_000));
    /// assert_eq!(submissions.deadline(), None);
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert_eq!(submissions.deadline(), Some(Instant::from_micros(5_000)));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.len == 0 {
            return None;
        }
        if self.ended > 0 {
            return Some(Instant::ZERO);
        }
        let due_at = match self.leadership.leader {
            None => Instant::MAX,
            Some(_) if self.fresh < self.queue.len() => self.hold_until,
            Some(_) => self.due_at.max(self.hold_until),
        };
        Some(self.earliest_deadline.min(due_at))
    }

    /// Whether a command was handed over, and may come to something.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::Leadership;
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert!(!submissions.is_under_way(1));
    /// submissions.handed_over(Instant::ZERO, leadership, 1, NodeId::new(2));
    /// assert!(submissions.is_under_way(1));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn is_under_way(&self, number: u64) -> bool {
        self.pending(number).is_some_and(|pending| pending.way().is_some())
    }

    /// Whether the command reached its [limit of lost leaders](super::Config::max_lost_leaders), and so is
    /// not submitted again.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::{Leadership, Proposal, Submitted};
    /// let leadership = |epoch| Leadership { leader: Some(NodeId::new(2)), epoch };
    /// let config = Config { max_lost_leaders: 1, ..Config::exactly_once(5_000_000) };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(config);
    /// submissions.submit(Instant::ZERO, "keys *")?;
    /// submissions.handed_over(Instant::ZERO, leadership(3), 1, NodeId::new(2));
    /// assert!(submissions.due(Instant::ZERO, leadership(4)).is_none());
    /// assert!(submissions.is_exhausted(1));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn is_exhausted(&self, number: u64) -> bool {
        self.pending(number).is_some_and(Pending::is_exhausted)
    }

    /// The slot of the next command that is due: first those that were offered before, in one pass, then the others.
    fn next_due(&mut self, now: Instant) -> Option<usize> {
        if self.pass == Pass::Before && now >= self.due_at {
            (self.pass, self.cursor, self.next_due_at) = (Pass::Running, 0, Instant::MAX);
        }
        while self.pass == Pass::Running {
            let next = self.queue.next(self.cursor).filter(|(at, _)| *at < self.fresh);
            let Some((at, pending)) = next else {
                self.due_at = self.next_due_at;
                break;
            };
            self.cursor = at.saturating_add(1);
            let due_at = pending.due_at(&self.config);
            if due_at <= now {
                return Some(at);
            }
            self.next_due_at = self.next_due_at.min(due_at);
        }
        self.pass = Pass::Over;
        while let Some((at, pending)) = self.queue.next(self.fresh) {
            self.fresh = at.saturating_add(1);
            let due_at = pending.due_at(&self.config);
            if due_at <= now {
                return Some(at);
            }
            self.due_at = self.due_at.min(due_at);
        }
        self.fresh = self.queue.len();
        None
    }

    /// Records the current leader.
    fn observe(&mut self, now: Instant, leadership: Leadership) {
        if leadership == self.leadership {
            return;
        }
        self.leadership = leadership;
        self.release();
        if leadership.leader.is_some() {
            self.change_each(|pending, config| pending.leader_changed(config, leadership, now));
        } else {
            self.change_each(|pending, _| pending.leader_lost());
        }
    }

    /// The application tells of a command.
    fn told(&mut self, number: u64) -> Option<&mut Pending<T>> {
        self.offered.take_if(|offered| *offered == number);
        self.pending_mut(number)
    }

    /// A command may be due then.
    pub(super) fn look_again(&mut self, at: Instant) {
        (self.due_at, self.next_due_at) = (self.due_at.min(at), self.next_due_at.min(at));
    }

    /// Nothing is held back any more: what is due is looked for from the first command on.
    pub(super) const fn release(&mut self) {
        (self.hold_until, self.hold, self.pass) = (Instant::ZERO, None, Pass::Before);
    }
}
