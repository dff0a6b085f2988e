use quorate_core::wire;

use super::Vote;
use crate::Ballot;

wire! {
    /// What a node keeps on disk.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The node is one of a new instance, and not one whose disk was erased.
        0 => Founded,
        /// A proposer may have used its ballots of the rounds up to this one. Of a [`Proposer`](super::Proposer) alone: a
        /// [`Synod`](super::Synod) promises its own ballots.
        1 => Rounds {
            /// The last of them.
            through: u64,
        },
        /// An acceptor's promise.
        2 => Promised {
            /// The ballot.
            ballot: Ballot,
        },
        /// An acceptor's vote, which promises its ballot, too.
        3 => Accepted {
            /// The vote.
            vote: Vote<'a>,
        },
    }
}
