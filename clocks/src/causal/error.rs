use core::fmt;

use quorate_core::NodeId;

use crate::Dot;

/// Why a member cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// This node is not among the members.
    NotAMember,
    /// A node is listed twice.
    DuplicateMember(NodeId),
    /// More members than the storage has room for.
    TooManyMembers,
    /// The store needs room for four messages at least.
    StoreTooSmall,
    /// An interval is 0.
    Interval,
    /// The actor's incarnation is 1024 or more: its starts cannot be told from those of others.
    Incarnation,
    /// The storage has too few places for actors: what this member broadcast as its former
    /// incarnation keeps a place, and what it broadcasts as this one needs another. Give all
    /// members the room.
    TooFewActors {
        /// A place for each member, and one for the former incarnation.
        needed: usize,
        /// How many there are.
        limit: usize,
    },
}

/// Why nothing was broadcast. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BroadcastError {
    /// The payload is larger than the storage takes.
    TooLarge,
    /// Too many own broadcasts that not everybody has: try again when [`Event::Stable`](super::Event::Stable) comes.
    Busy,
    /// The machine was not ticked yet.
    NotStarted,
    /// A peer has broadcasts of this actor that this node did not make: its disk forgot them, or another node acts as the same.
    /// The member has [stopped](super::Event::Fatal). Start anew as the next
    /// [incarnation](crate::Actor::next_incarnation).
    Stopped,
    /// More actors than the storage has room for: the broadcast would be delivered nowhere.
    Full,
    /// The last of the actor's dots was used up.
    Exhausted,
}

/// Why a state was not taken over. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResumeError {
    /// The state lacks this event, which was delivered here and is no longer kept: take a newer one.
    Older(Dot),
    /// The state has an own broadcast that this member's records do not have: its disk forgot it.
    /// Start anew as the next [incarnation](crate::Actor).
    LostState(Dot),
    /// More actors than the storage has room for, this one included if it has broadcast.
    Full,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not among the members"),
            Self::DuplicateMember(node) => write!(f, "node {node} is listed twice"),
            Self::TooManyMembers => f.write_str("more members than the storage has room for"),
            Self::StoreTooSmall => f.write_str("the store needs room for four messages at least"),
            Self::Interval => f.write_str("the intervals must not be 0"),
            Self::Incarnation => f.write_str("the incarnation must be below 1024"),
            Self::TooFewActors { needed, limit } => write!(
                f,
                "room for {limit} actors, and {needed} are needed: a member that lost its disk \
                 needs one place more"
            ),
        }
    }
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the payload is larger than the storage takes",
            Self::Busy => "too many broadcasts that not everybody has: try again later",
            Self::NotStarted => "the machine was not ticked yet",
            Self::Stopped => {
                "others have broadcasts that this node did not make: start as the next incarnation"
            }
            Self::Full => "more actors than the storage has room for",
            Self::Exhausted => "the counter is at its maximum: go on as the next incarnation",
        })
    }
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older(dot) => {
                write!(f, "the state lacks {dot}, which was delivered here: take a newer one")
            }
            Self::LostState(dot) => {
                write!(
                    f,
                    "the disk forgot {dot}, which the state has: start as the next incarnation"
                )
            }
            Self::Full => f.write_str("more actors than the storage has room for"),
        }
    }
}

impl core::error::Error for ConfigError {}
impl core::error::Error for BroadcastError {}
impl core::error::Error for ResumeError {}
