use core::fmt::Debug;

use quorate_core::{Full, Instant, NodeId};

use super::pending::{Pending, Way};
use super::queue::{Kinds, Queue};
use super::{Config, Outcome, Storage};
use crate::{
    ForwardId, Forwarded, Header, Index, Leadership, Notice, Proposal, ReplicatedLog, SubmitError,
    Submitted,
};

/// The commands of a node that are on their way into a replicated log. The [module's
/// page](crate::submission) shows the loop.
///
/// `T` is what the application keeps of a command: the command itself, and perhaps who waits for it.
///
/// In each turn of the driver's loop, in this order:
///
/// 1. [`due`](Self::due), the log's [`submit`](ReplicatedLog::submit) and
///    [`submitted`](Self::submitted), until nothing is due;
/// 2. [`event`](Self::event) for each event that the machine emits, then [`applied`](Self::applied)
///    or [`applied_at`](Self::applied_at) for each entry in it;
/// 3. [`outcome`](Self::outcome), until there is none.
///
/// Sleep until the earlier of [`deadline`](Self::deadline) and the machine's. When the machine
/// stops itself, `event` ends all commands, as [`stop`](Self::stop) does.
///
/// A call takes time proportional to the pending commands, except the frequent ones when there is
/// nothing to do.
#[derive(Debug)]
pub struct Submissions<T: Debug, S: Storage> {
    config: Config,
    queue: <S as Kinds>::Queue<Pending<T>>,
    /// The number of the first slot.
    first: u64,
    /// Commands in the queue.
    len: usize,
    /// The slot of the first command that was never offered.
    fresh: usize,
    /// Where the pass over those that were goes on.
    cursor: usize,
    /// The command that was offered last, until the application tells what became of it.
    offered: Option<u64>,
    pass: Pass,
    /// A pass need not begin before.
    due_at: Instant,
    /// The earliest time at which a command that this pass has seen is due.
    next_due_at: Instant,
    /// The log has no room until then.
    hold_until: Instant,
    /// Why it had none for the command that was offered last: those behind it wait as well.
    hold: Option<Hold>,
    /// No deadline is earlier.
    earliest_deadline: Instant,
    /// Commands before this slot have no outcome: where the next look goes on.
    unexpired: usize,
    /// The earliest deadline of those.
    next_deadline: Instant,
    ended: usize,
    /// Every command ends.
    is_stopped: bool,
    leadership: Leadership,
    /// How often the log told of a change of leaders.
    leader_changes: u32,
    /// The last index that was applied, as far as the application told.
    applied: Index,
}

/// The pass of a turn over the commands that were offered before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pass {
    Before,
    Running,
    Over,
}

/// Why the log has no room: [`SubmitError::Busy`] or [`SubmitError::LogFull`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    Busy,
    LogFull,
}

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
    /// None yet.
    ///
    /// ```
    /// use quorate_log::submission::{Config, Inline, Submissions};
    /// let submissions = Submissions::<&str, Inline<4>>::new(Config::default());
    /// assert!(submissions.is_empty() && submissions.has_room());
    /// ```
    #[must_use]
    pub fn new(config: Config) -> Self {
        let (retry_us, resend_us) = (config.retry_us.max(1), config.resend_us.max(1));
        Self {
            config: Config { retry_us, resend_us, ..config },
            queue: <S as Kinds>::Queue::with_limit(config.max_pending),
            first: 1,
            len: 0,
            fresh: 0,
            cursor: 0,
            offered: None,
            pass: Pass::Before,
            due_at: Instant::MAX,
            next_due_at: Instant::MAX,
            hold_until: Instant::ZERO,
            hold: None,
            earliest_deadline: Instant::MAX,
            unexpired: 0,
            next_deadline: Instant::MAX,
            ended: 0,
            is_stopped: false,
            leadership: Leadership { leader: None, epoch: 0 },
            leader_changes: 0,
            applied: 0,
        }
    }

    /// Takes in a command of this node, and gives it a number. It goes to the log when [`due`](Self::due) says so.
    ///
    /// # Errors
    ///
    /// [`Full`] when there are [`Config::max_pending`] numbers from the oldest undecided command on; see
    /// [`has_room`](Self::has_room).
    ///
    /// ```
    /// use quorate_core::{Full, Instant};
    /// use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// assert_eq!(submissions.submit(Instant::ZERO, "set x 1"), Ok(1));
    /// assert_eq!(submissions.submit(Instant::ZERO, "set x 2"), Err(Full));
    /// ```
    pub fn submit(&mut self, now: Instant, command: T) -> Result<u64, Full> {
        self.submit_until(now.after(self.config.timeout_us), command)
    }

    /// As [`submit`](Self::submit), with its own deadline.
    ///
    /// # Errors
    ///
    /// [`Full`], as there.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit_until(Instant::from_millis(3), "set x 1")?;
    /// assert!(submissions.outcome(Instant::from_millis(2)).is_none());
    /// assert!(submissions.outcome(Instant::from_millis(3)).is_some());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn submit_until(&mut self, deadline: Instant, command: T) -> Result<u64, Full> {
        let number = self.first.saturating_add(self.queue.len() as u64);
        self.queue.push(Pending::new(command, deadline, self.config.max_lost_leaders))?;
        self.len = self.len.saturating_add(1);
        self.earliest_deadline = self.earliest_deadline.min(deadline);
        if self.is_stopped {
            self.end(number, Outcome::Refused(SubmitError::Stopped));
        }
        Ok(number)
    }

    /// Whether one more command fits.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert!(!submissions.has_room());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.len() < self.queue.limit()
    }

    /// The next command that is to be handed to the log now; ask until there is none, in every turn of the loop. Give what the
    /// log says to [`submitted`](Self::submitted).
    ///
    /// The first time, commands come in the order of their numbers.
    pub fn due(&mut self, now: Instant, leadership: Leadership) -> Option<Due<'_, T>> {
        self.observe(now, leadership);
        if self.offered.take().is_some() {
            // the application did not say what became of it
            self.look_again(now.after(self.config.retry_us));
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

    /// What the log's [`submit`](ReplicatedLog::submit) returned for a command that was
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
            Ok(_) => None,
            Err(SubmitError::Busy) => Some(Hold::Busy),
            Err(SubmitError::LogFull) => Some(Hold::LogFull),
            Err(_) => self.hold,
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
            }
        }
    }

    /// The application hands the command to the leader itself, in an application message, which may be lost, because the log does not:
    /// [`SubmitError::NotLeader`] with the leader. It is due again after [`Config::resend_us`], if commands are submitted again.
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
    pub fn handed_over(&mut self, now: Instant, leadership: Leadership, number: u64, to: NodeId) {
        let (resubmit_at, changes) = (now.after(self.config.resend_us), self.leader_changes);
        if let Some(pending) = self.told(number) {
            pending.attempt(Way::HandedOver(to), leadership.epoch, resubmit_at, changes);
            self.look_again(resubmit_at);
        }
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

    /// Replaces [`Config::max_lost_leaders`] for one command.
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

    /// Whether the command reached its [limit of lost leaders](Config::max_lost_leaders), and so is
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

    /// A node that the application [handed a command to](Self::handed_over) says that it did not propose it, and will not.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId};
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// # use quorate_log::{Leadership, SubmitError};
    /// # let leadership = Leadership { leader: Some(NodeId::new(2)), epoch: 3 };
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::exactly_once(5_000_000));
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.handed_over(Instant::ZERO, leadership, 1, NodeId::new(2));
    /// submissions.refused(Instant::ZERO, 1, NodeId::new(2), SubmitError::Busy);
    /// assert!(submissions.due(Instant::from_millis(20), leadership).is_some());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn refused(&mut self, now: Instant, number: u64, by: NodeId, reason: SubmitError) {
        let retry_at = now.after(self.config.retry_us);
        if let Some(pending) = self.pending_mut(number)
            && pending.way() == Some(Way::HandedOver(by))
        {
            pending.refused(Some(reason), retry_at);
            self.look_again(retry_at);
        }
    }

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

    /// The node stops: every command ends, unless it has ended already, and so does each that comes
    /// in later. [`event`](Self::event) calls this when the machine stopped itself
    /// ([`Notice::Fatal`]).
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

    /// Every number up to this one is decided.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<2>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.submit(Instant::ZERO, "set x 2")?;
    /// submissions.applied(2);
    /// assert_eq!(submissions.floor(), 0);
    /// submissions.applied(1);
    /// assert_eq!(submissions.floor(), 2);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.first.saturating_sub(1)
    }

    /// The number of the last command that came in; 0 before the first.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// submissions.applied(1);
    /// assert_eq!(submissions.last_number(), 1);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn last_number(&self) -> u64 {
        self.first.saturating_add(self.queue.len() as u64).saturating_sub(1)
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

    /// A pending command.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// let number = submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert_eq!(submissions.get(number), Some(&"set x 1"));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        Some(&self.pending(number)?.command)
    }

    /// A pending command, to note something with it.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<(&str, u32), Inline<1>>::new(Config::default());
    /// let number = submissions.submit(Instant::ZERO, ("set x 1", 0))?;
    /// if let Some((_, asked)) = submissions.get_mut(number) {
    ///     *asked += 1;
    /// }
    /// assert_eq!(submissions.get(number), Some(&("set x 1", 1)));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        Some(&mut self.pending_mut(number)?.command)
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

    /// The pending commands, by number.
    ///
    /// ```
    /// # use quorate_core::Instant;
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// let mut submissions = Submissions::<&str, Inline<1>>::new(Config::default());
    /// submissions.submit(Instant::ZERO, "set x 1")?;
    /// assert_eq!(submissions.iter().collect::<Vec<_>>(), [(1, &"set x 1")]);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let mut next = 0;
        core::iter::from_fn(move || {
            let (at, pending) = self.queue.next(next)?;
            next = at.saturating_add(1);
            Some((self.first.saturating_add(at as u64), &pending.command))
        })
    }

    /// How many commands are pending.
    ///
    /// ```
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// assert_eq!(Submissions::<&str, Inline<1>>::new(Config::default()).len(), 0);
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no command is pending.
    ///
    /// ```
    /// # use quorate_log::submission::{Config, Inline, Submissions};
    /// assert!(Submissions::<&str, Inline<1>>::new(Config::default()).is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
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
    fn change_each(&mut self, mut change: impl FnMut(&mut Pending<T>, &Config)) {
        let (mut ended, mut next, config) = (0_usize, 0, self.config);
        while let Some((_, pending)) = self.next(&mut next) {
            change(pending, &config);
            ended = ended.saturating_add(usize::from(pending.ended.is_some()));
        }
        self.ended = ended;
        self.look_again(Instant::ZERO);
        self.look_for_outcomes();
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
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

    /// Nothing is held back any more.
    const fn release(&mut self) {
        (self.hold_until, self.hold) = (Instant::ZERO, None);
    }

    fn slot(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn pending(&self, number: u64) -> Option<&Pending<T>> {
        self.queue.get(self.slot(number)?)
    }

    /// The application tells of a command.
    fn told(&mut self, number: u64) -> Option<&mut Pending<T>> {
        self.offered.take_if(|offered| *offered == number);
        self.pending_mut(number)
    }

    /// The next command from a slot on, which becomes the one after it.
    fn next(&mut self, from: &mut usize) -> Option<(usize, &mut Pending<T>)> {
        let (at, pending) = self.queue.next_mut(*from)?;
        *from = at.saturating_add(1);
        Some((at, pending))
    }

    /// Commands may have an outcome, whether they were looked at or not.
    const fn look_for_outcomes(&mut self) {
        (self.unexpired, self.next_deadline) = (0, Instant::MAX);
    }

    /// A command may be due then.
    fn look_again(&mut self, at: Instant) {
        (self.due_at, self.next_due_at) = (self.due_at.min(at), self.next_due_at.min(at));
    }

    fn pending_mut(&mut self, number: u64) -> Option<&mut Pending<T>> {
        let at = self.slot(number)?;
        self.queue.get_mut(at)
    }

    fn remove(&mut self, at: usize) -> Option<T> {
        let pending = self.queue.take(at)?;
        let number = self.first.saturating_add(at as u64);
        self.offered.take_if(|offered| *offered == number);
        self.len = self.len.saturating_sub(1);
        self.ended = self.ended.saturating_sub(usize::from(pending.ended.is_some()));
        if self.len == 0 {
            // nothing could come into the log before the command that it had no room for
            self.release();
        }
        let dropped = self.queue.drop_empty_front();
        self.first = self.first.saturating_add(dropped as u64);
        self.cursor = self.cursor.saturating_sub(dropped);
        self.fresh = self.fresh.saturating_sub(dropped);
        self.unexpired = self.unexpired.saturating_sub(dropped);
        Some(pending.command)
    }
}
