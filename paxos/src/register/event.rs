use core::fmt;

use quorate_core::NodeId;

use crate::Ballot;

/// Names a request of the application in one life of its node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request(pub(crate) u64);

/// The ballots in which a change was sent to acceptors: what a client keeps, to [ask again](super::Register::retry) for a change whose
/// outcome it does not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attempt {
    /// The first of them.
    pub first: Ballot,
    /// The last of them.
    pub last: Ballot,
}

/// What the application learns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// The change of a request is about to be sent to acceptors: from now on it may be applied. Comes before the messages, and before the
    /// record of this node's own acceptor.
    Attempted {
        /// Which request.
        request: Request,
        /// All its attempts until now.
        attempt: Attempt,
    },
    /// A request is answered.
    Answered {
        /// Which.
        request: Request,
        /// What became of it.
        outcome: Outcome,
        /// The version of the value: the ballot in which a change made it, or zero without a value.
        version: Ballot,
        /// The value, after the change. With [`Outcome::Unknown`] there is none.
        value: Option<&'a [u8]>,
    },
    /// The collection of a deleted key has ended.
    Collected {
        /// The key.
        key: &'a [u8],
        /// All acceptors have erased it. Otherwise it is in use, the membership changes, or something came in between: ask again later.
        erased: bool,
    },
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// The change was applied, once; or the value was read.
    Applied,
    /// The change of the attempt that was asked for again had been applied, once, and its value is the present one.
    AlreadyApplied,
    /// The change was not applied, as the present value is not one that it expects. The event has that value.
    Refused,
    /// The change may have been applied, once at most, or may still be: others have changed the value since it was sent, so nobody can tell.
    Unknown,
}

/// What a node does, of a change of the membership.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stage {
    /// Nothing: one set of acceptors.
    #[default]
    Stable,
    /// It prepares with the present set, and a quorum of each set must accept.
    Accepting,
    /// It prepares with the next set, and a quorum of each set must accept.
    Preparing,
}

/// A view of a node, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// It has a record that it was set up.
    pub founded: bool,
    /// The version of the membership, as far as it is on disk.
    pub version: u64,
    /// The step of a change of the membership, as far as it is on disk.
    pub stage: Stage,
    /// A number for the acceptors and sizes that there are, or that the change under way leads to: nodes that follow the same [`Plan`](super::Plan)
    /// have the same.
    pub acceptors: u64,
    /// The highest round that it knows of.
    pub round: u64,
    /// The proposer's age.
    pub age: u64,
    /// Keys that its acceptor has something of.
    pub keys: usize,
    /// Requests that are not answered.
    pub requests: usize,
    /// A key is being collected.
    pub collecting: bool,
    /// Messages of proposers with a lower age, or that leave, which were ignored.
    pub outdated: u64,
}

/// Why a request was not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubmitError {
    /// The node has no record that it was set up: it is new, or its disk was erased.
    NotFounded,
    /// The node is not one of the membership, or not yet, or leaves it.
    NotAMember,
    /// As many requests as there is room for wait for their answers.
    Busy,
    /// There is no room for another key.
    NoRoom,
    /// The key, the value or the argument is longer than there is room for.
    TooLong,
    /// The number of the change is not one of the application's.
    Reserved,
    /// There are no further rounds.
    Exhausted,
    /// The attempt that is to be tried again is none: its ballots are in the wrong order, or only one is there.
    Attempt,
}

/// Why a key is not collected. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CollectError {
    /// A key is being collected, or this one is in use.
    Busy,
    /// The membership changes.
    Reconfiguring,
    /// As for any request.
    Submit(SubmitError),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFounded => {
                "this node was not founded: call found() if it is new; if its disk was erased, \
                 replace it by a node with another id"
            }
            Self::NotAMember => "this node is not a member, or not yet, or it leaves",
            Self::Busy => "too many requests wait for their answers",
            Self::NoRoom => "there is no room for another key",
            Self::TooLong => "the key, value or argument is longer than there is room for",
            Self::Reserved => "changes of an application have numbers from 16",
            Self::Exhausted => "there are no further rounds",
            Self::Attempt => "this is no attempt that an event has told",
        })
    }
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("a key is being collected, or this one is in use"),
            Self::Reconfiguring => f.write_str("the membership changes"),
            Self::Submit(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SubmitError {}
impl core::error::Error for CollectError {}
