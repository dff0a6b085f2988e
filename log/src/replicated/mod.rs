//! A log that several nodes keep alike, as the application on top of it sees it.

mod error;
mod id;
mod notice;

use quorate_core::{Machine, NodeId};

use crate::Header;

pub use error::{ReadError, SubmitError};
pub use id::{ForwardId, Proposal, ReadId};
pub use notice::{Forwarded, Notice};

/// A log that several nodes keep alike: what an application needs of it, whichever protocol keeps it.
///
/// Commands go in through [`submit`](Self::submit) and come back, in the same order on every node, in an event with
/// [`Notice::Committed`]. A command that is submitted is not yet in the log, and may never be: [`Submissions`](crate::Submissions)
/// keeps track of what became of each, and submits again where that is wanted.
///
/// The machine's events are the protocol's own. [`notice`](Self::notice) is the part of them that
/// every log has, and `None` for the rest: an application that knows its protocol matches on the
/// event as well, for snapshots and members.
///
/// A program that is written against this trait runs on any log of the family:
///
/// ```
/// use quorate_log::{Notice, ReplicatedLog};
///
/// /// Adds up the commands of one byte each.
/// fn event<L: ReplicatedLog>(event: &L::Event<'_>, sum: &mut u64) {
///     if let Some(Notice::Committed(entries)) = L::notice(event) {
///         for (_index, command) in entries.payloads() {
///             *sum += u64::from(command[0]);
///         }
///     }
/// }
/// ```
pub trait ReplicatedLog: Machine {
    /// How the log's entries begin.
    type Header: Header;

    /// Hands a command to the log. A leader proposes it; another node forwards it to the leader,
    /// where the protocol does that and its configuration has it on.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], which says what to do; nothing was changed, and the command is certainly
    /// not in the log.
    fn submit(&mut self, command: &[u8]) -> Result<Submitted, SubmitError>;

    /// Asks to read the application's state linearizably. When a notice of [`Notice::Read`] comes with this id or a later one,
    /// everything that was committed before this call is applied here: answer from the state as it is then. If
    /// [`Notice::LeaderChanged`] comes first, the read is dropped: ask again.
    ///
    /// # Errors
    ///
    /// [`ReadError`] where no leader can be asked; nothing was changed.
    fn read(&mut self) -> Result<ReadId, ReadError>;

    /// The leader as this node knows it.
    fn leadership(&self) -> Leadership;

    /// What an event tells of commands, reads and the leader; `None` for events about anything else.
    fn notice<'a>(event: &'a Self::Event<'_>) -> Option<Notice<'a, Self::Header>>;
}

/// How a command goes into the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Submitted {
    /// This node leads, and proposed it.
    Proposed(Proposal),
    /// It is on its way to the leader: [`Notice::Forwarded`] tells whether the leader proposed it.
    Forwarded(ForwardId),
}

/// The leader as a node knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Leadership {
    /// The node that leads, if one is known.
    pub leader: Option<NodeId>,
    /// Grows with every leader: Raft's term, Multi-Paxos's ballot.
    pub epoch: u64,
}
