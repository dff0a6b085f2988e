use core::fmt;

/// How much a node remembers of clients. The same on all nodes of a cluster, for as long as it lives: they decide alike only if they
/// forget alike.
///
/// ```
/// use quorate_log::session::Limits;
/// let limits = Limits { sessions: 16, idle_us: 0, ..Limits::default() };
/// assert_eq!(limits.validate(), Ok(()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Sessions at a time, at least 1. Default 1024.
    pub sessions: usize,
    /// Commands that a client may have under way, 1 to 64: that many answers are kept for it. Default 16.
    pub window: usize,
    /// Bytes of an answer that is kept. Default 256.
    pub answer_bytes: usize,
    /// A session ends when nothing was heard of its client for longer than this, in µs of the cluster's time; 0: never. Default one hour.
    pub idle_us: u64,
    /// What is done when one more client registers. Default [`WhenFull::EndOldest`].
    pub when_full: WhenFull,
}

/// What is done with a client that registers when there are as many sessions as there may be, and none has ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused. Clients should close their sessions then, or `idle_us` should be above 0, or those that are gone for ever keep
    /// the others out.
    Refuse,
    /// The session of which nothing was in the log for longest ends.
    EndOldest,
}

/// Why a table of sessions cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LimitsError {
    /// There must be at least one session.
    NoSession,
    /// The window must be from 1 to 64.
    Window,
    /// The storage has room for less: of sessions, of answers in each, or of bytes in those.
    Storage,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1024,
            window: 16,
            answer_bytes: 256,
            idle_us: 3_600_000_000,
            when_full: WhenFull::EndOldest,
        }
    }
}

impl Limits {
    /// The largest window.
    pub const MAX_WINDOW: usize = 64;

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] names the field that is out of range.
    ///
    /// ```
    /// use quorate_log::session::{Limits, LimitsError};
    /// assert_eq!(Limits::default().validate(), Ok(()));
    /// assert_eq!(Limits { window: 65, ..Limits::default() }.validate(), Err(LimitsError::Window));
    /// ```
    pub const fn validate(&self) -> Result<(), LimitsError> {
        if self.sessions == 0 {
            return Err(LimitsError::NoSession);
        }
        if self.window == 0 || self.window > Self::MAX_WINDOW {
            return Err(LimitsError::Window);
        }
        Ok(())
    }
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSession => "there must be room for at least one session",
            Self::Window => "the window must be from 1 to 64 commands",
            Self::Storage => "the storage has room for less than the limits say",
        })
    }
}

impl core::error::Error for LimitsError {}
