use quorate_core::Fatal;

use super::{ForwardId, Proposal, ReadId};
use crate::{Entries, Header, Index};

/// What an event of a replicated log tells of commands, reads and the leader: see
/// [`ReplicatedLog::notice`](crate::ReplicatedLog::notice).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Notice<'a, H: Header> {
    /// These entries are committed, and come next: apply them in order.
    Committed(Entries<'a, H>),
    /// What became of commands that were forwarded to the leader: `count` of them, with ids from
    /// `first` on, ended alike.
    Forwarded {
        /// The first.
        first: ForwardId,
        /// How many.
        count: u64,
        /// Their end.
        end: Forwarded,
    },
    /// Proposals of this node, or of the leader for it, in epochs before `before` are decided.
    /// Those that were not in [`Committed`](Self::Committed) will never be committed, except
    /// perhaps those at indexes up to `after`: a snapshot came in their place, and only its state
    /// knows of them.
    Dropped {
        /// Epochs before this one.
        before: u64,
        /// The last index that a snapshot covers; 0 without.
        after: Index,
    },
    /// Every read with an id up to `through` may be answered from what was applied so far.
    Read {
        /// The last id.
        through: ReadId,
    },
    /// The leader changed: it is another node, this node, or unknown.
    /// [`ReplicatedLog::leadership`](crate::ReplicatedLog::leadership) tells which. Reads that were
    /// asked for before are dropped: ask again.
    LeaderChanged {
        /// The epoch.
        epoch: u64,
    },
    /// The machine stopped itself, and tells nothing more: nothing is committed or read any more,
    /// and [`submit`](crate::ReplicatedLog::submit) fails with
    /// [`Stopped`](crate::SubmitError::Stopped). Stop the node and inspect its disk.
    Fatal(Fatal),
}

/// What became of commands that were handed to the leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Forwarded {
    /// The leader proposed them: this is the first of them, and each of the others is at the next index. They may have been
    /// committed before this is told.
    Proposed(Proposal),
    /// The leader did not propose them, and will not. Submit them again. Why is not told: too much is
    /// uncommitted, the leader's log is full, it transfers leadership, or it takes no forwarded ones.
    /// [`Submissions`](crate::submission::Submissions) take each of these for
    /// [`Busy`](crate::SubmitError::Busy).
    Refused,
    /// They were sent, and no answer is waited for any more. They may be committed, or not.
    Unknown,
}
