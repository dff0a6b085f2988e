use core::fmt;

/// A bounded container or log has no room; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

/// Why a message from a peer was refused. It was counted, and changed nothing else.
///
/// Messages that are merely late (an older term, a duplicate) are not refused: networks do that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Rejected {
    /// The sender is not a member this node knows.
    UnknownSender,
    /// The message contradicts itself: a run of entries that does not parse, terms that go back, a zero where none may be.
    Malformed,
    /// A number is beyond what any honest node reaches: a term, an index, a round or an epoch at or beyond 2^62, or a term or an
    /// epoch too far ahead of this node's own. How far that is, each machine says (2^32 terms in Raft, an epoch 2^38 ahead in
    /// elections).
    OutOfRange,
    /// The message contradicts what the protocol guarantees, such as a second leader in one term or a conflict with a
    /// committed entry.
    Impossible,
    /// This node has no room to take it now; the sender will try again.
    Full,
    /// This machine stopped itself, see [`Machine::fatal`](crate::Machine::fatal).
    Stopped,
}

/// How often messages were refused, by reason. Counters stop at their maximum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Rejections {
    /// [`Rejected::UnknownSender`]
    pub unknown_sender: u32,
    /// [`Rejected::Malformed`]
    pub malformed: u32,
    /// [`Rejected::OutOfRange`]
    pub out_of_range: u32,
    /// [`Rejected::Impossible`]
    pub impossible: u32,
    /// [`Rejected::Full`]
    pub full: u32,
    /// [`Rejected::Stopped`]
    pub stopped: u32,
}

impl Rejections {
    /// Counts one, and hands the reason back for returning.
    ///
    /// ```
    /// use quorate_core::{Rejected, Rejections};
    /// let mut counts = Rejections::default();
    /// assert_eq!(counts.count(Rejected::Malformed), Rejected::Malformed);
    /// assert_eq!((counts.malformed, counts.total()), (1, 1));
    /// ```
    pub const fn count(&mut self, reason: Rejected) -> Rejected {
        let counter = match reason {
            Rejected::UnknownSender => &mut self.unknown_sender,
            Rejected::Malformed => &mut self.malformed,
            Rejected::OutOfRange => &mut self.out_of_range,
            Rejected::Impossible => &mut self.impossible,
            Rejected::Full => &mut self.full,
            Rejected::Stopped => &mut self.stopped,
        };
        *counter = counter.saturating_add(1);
        reason
    }

    /// All of them together.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.unknown_sender
            .saturating_add(self.malformed)
            .saturating_add(self.out_of_range)
            .saturating_add(self.impossible)
            .saturating_add(self.full)
            .saturating_add(self.stopped)
    }
}

/// Why a record could not be replayed. Drop the machine: it may have taken a part of the record, and must not run on such a disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Corrupt {
    /// The record does not parse, or contradicts itself.
    Malformed,
    /// The record cannot follow those before it: something between is missing.
    Gap,
    /// The record takes back what an earlier one promised: a lower term, a second vote.
    Regression,
    /// The machine's capacities are smaller than when the record was written.
    Full,
    /// The machine was already started: records come first.
    Started,
    /// The records are of a node that was started with another list of founders: start it with the list of its first start, or
    /// with the data directory that belongs to this list.
    Founders,
    /// The application's snapshot is older than the one that the records name, or it has none: it lost state that the records no
    /// longer hold. Bring that snapshot back from a copy; or remove this node, and add it again under a new id with an empty disk.
    StaleSnapshot,
}

/// Why a machine stopped itself. It neither votes nor acknowledges any more; restart it from its disk, or replace it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fatal {
    /// The machine found its own state inconsistent: a bug, or memory that changed under it.
    Invariant,
    /// The disk no longer holds what it acknowledged: records are missing, or the application did not say that it has the snapshot
    /// that they name.
    LostState,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room left; nothing was changed")
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSender => "the sender is not a member",
            Self::Malformed => "the message contradicts itself",
            Self::OutOfRange => "a number is beyond what an honest node reaches",
            Self::Impossible => "the message contradicts what the protocol guarantees",
            Self::Full => "no room to take it now",
            Self::Stopped => "this machine has stopped itself",
        })
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the record does not parse",
            Self::Gap => "records before it are missing",
            Self::Regression => "the record takes back what an earlier one promised",
            Self::Full => "the record does not fit the configured capacity",
            Self::Started => "records must be restored before the first input",
            Self::Founders => {
                "the records are of a node that was started with another list of founders: pass \
                 the list of its first start"
            }
            Self::StaleSnapshot => {
                "the snapshot is older than the one that the records name: bring that one back \
                 from a copy, or remove this node and add it again under a new id"
            }
        })
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invariant => "the machine found its own state inconsistent",
            Self::LostState => "the disk no longer holds what it acknowledged",
        })
    }
}

impl core::error::Error for Full {}
impl core::error::Error for Rejected {}
impl core::error::Error for Corrupt {}
impl core::error::Error for Fatal {}
