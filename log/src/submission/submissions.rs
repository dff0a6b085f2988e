use core::fmt::Debug;

use quorate_core::{Full, Instant};

use super::pending::Pending;
use super::queue::{Kinds, Queue};
use super::{Config, Outcome, Storage};
use crate::{Index, Leadership, SubmitError};

/// The commands of a node that are on their way into a replicated log. The [module's
/// page](crate::submission) shows the loop.
///
/// `T` is what the application keeps of a command: the command itself, and perhaps who waits for it.
///
/// In each turn of the driver's loop, in this order:
///
/// 1. [`due`](Self::due), the log's [`submit`](crate::ReplicatedLog::submit) and
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
    pub(super) config: Config,
    pub(super) queue: <S as Kinds>::Queue<Pending<T>>,
    /// The number of the first slot.
    pub(super) first: u64,
    /// Commands in the queue.
    pub(super) len: usize,
    /// The slot of the first command that was never offered.
    pub(super) fresh: usize,
    /// Where the pass over those that were goes on.
    pub(super) cursor: usize,
    /// The command that was offered last, until the application tells what became of it.
    pub(super) offered: Option<u64>,
    pub(super) pass: Pass,
    /// A pass need not begin before.
    pub(super) due_at: Instant,
    /// The earliest time at which a command that this pass has seen is due.
    pub(super) next_due_at: Instant,
    /// The log has no room until then.
    pub(super) hold_until: Instant,
    /// Why it had none for the command that was offered last: those behind it wait as well.
    pub(super) hold: Option<Hold>,
    /// No deadline is earlier.
    pub(super) earliest_deadline: Instant,
    /// Commands before this slot have no outcome: where the next look goes on.
    pub(super) unexpired: usize,
    /// The earliest deadline of those.
    pub(super) next_deadline: Instant,
    pub(super) ended: usize,
    /// Every command ends.
    pub(super) is_stopped: bool,
    pub(super) leadership: Leadership,
    /// How often the log told of a change of leaders.
    pub(super) leader_changes: u32,
    /// How often the application handed a command over itself.
    pub(super) handed_over: u64,
    /// The last index that was applied, as far as the application told.
    pub(super) applied: Index,
}

/// The pass of a turn over the commands that were offered before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pass {
    Before,
    Running,
    Over,
    /// The log had no room: nothing is due in this turn any more.
    Held,
}

/// Why the log has no room: [`SubmitError::Busy`] or [`SubmitError::LogFull`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    Busy,
    LogFull,
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
            handed_over: 0,
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

    pub(super) fn slot(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    pub(super) fn pending(&self, number: u64) -> Option<&Pending<T>> {
        self.queue.get(self.slot(number)?)
    }

    /// The next command from a slot on, which becomes the one after it.
    pub(super) fn next(&mut self, from: &mut usize) -> Option<(usize, &mut Pending<T>)> {
        let (at, pending) = self.queue.next_mut(*from)?;
        *from = at.saturating_add(1);
        Some((at, pending))
    }

    pub(super) fn pending_mut(&mut self, number: u64) -> Option<&mut Pending<T>> {
        let at = self.slot(number)?;
        self.queue.get_mut(at)
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<T> {
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
