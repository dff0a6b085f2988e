use core::fmt;

use quorate_core::NodeId;

/// Why a [`Migration`](super::Migration) cannot be made, or take another member. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// This node is not among the members.
    NotAMember,
    /// A member is listed twice.
    DuplicateMember(NodeId),
    /// More members than there is room for.
    TooManyMembers,
    /// `retry_us` is 0, or `stall_us` below it.
    Timeouts,
    /// `max_open` or `bytes_per_second` is 0.
    Throttle,
}

/// Why a hand-over was not begun. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BeginError {
    /// The machine was not ticked yet: records come first.
    NotStarted,
    /// The target is no other member.
    UnknownTarget(NodeId),
    /// Some of the range is in another hand-over, of either direction, that was not [retired](super::Migration::retire).
    Overlap,
    /// [`max_open`](super::Config::max_open) hand-overs are open: begin this one when one of them was released.
    Busy,
    /// There is no room for another hand-over: [retire](super::Migration::retire) one.
    Full,
    /// Numbers have run out.
    Exhausted,
}

/// Why a chunk was not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProvideError {
    /// No [`Event::Read`](super::Event::Read) of this range is unanswered.
    NotRequested,
    /// The chunk or its cursor is longer than there is room for.
    TooLong,
}

/// Why a write was not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ForwardError {
    /// This node does not hand over a range of this name.
    Unknown,
    /// The range is being [released](super::Migration::release), or was: the write belongs to the target, soon or already.
    Releasing,
    /// Others wait to be forwarded: try again after [`Event::Forwarded`](super::Event::Forwarded).
    Busy,
    /// The write is longer than the buffer.
    TooLong,
}

/// Why a command does not fit the state of the hand-over. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HandoverError {
    /// There is no such hand-over here.
    Unknown,
    /// Not all of the range is at the target.
    NotCopied,
    /// It was released: ownership has passed.
    Released,
    /// Its outcome is not on record at both nodes.
    Open,
    /// Nothing of it waits for an answer of the application.
    NotRequested,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not among the members"),
            Self::DuplicateMember(id) => write!(f, "member {id} is listed twice"),
            Self::TooManyMembers => f.write_str("more members than there is room for"),
            Self::Timeouts => f.write_str("retry_us must be above 0 and at most stall_us"),
            Self::Throttle => f.write_str("max_open and bytes_per_second must be above 0"),
        }
    }
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("tick the machine before the first command"),
            Self::UnknownTarget(id) => write!(f, "node {id} is no other member"),
            Self::Overlap => f.write_str("another hand-over has some of the range"),
            Self::Busy => f.write_str("as many hand-overs are open as may be"),
            Self::Full => f.write_str("there is no room for another hand-over"),
            Self::Exhausted => f.write_str("numbers have run out"),
        }
    }
}

impl fmt::Display for ProvideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRequested => "no chunk of this range was requested",
            Self::TooLong => "the chunk or its cursor is too long",
        })
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "this range is not being handed over",
            Self::Releasing => "the range is being released",
            Self::Busy => "other writes wait to be forwarded",
            Self::TooLong => "the write is too long",
        })
    }
}

impl fmt::Display for HandoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such hand-over",
            Self::NotCopied => "not all of the range is at the target",
            Self::Released => "the range was released",
            Self::Open => "the outcome is not on record at both nodes",
            Self::NotRequested => "nothing waits for this answer",
        })
    }
}

impl core::error::Error for ConfigError {}
impl core::error::Error for BeginError {}
impl core::error::Error for ProvideError {}
impl core::error::Error for ForwardError {}
impl core::error::Error for HandoverError {}
