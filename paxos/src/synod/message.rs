use quorate_core::wire;

use crate::Ballot;

wire! {
    /// What the nodes of one decision say to each other.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// Phase 1a, from a proposer to the acceptors: promise to vote in no lower ballot, and tell the last vote.
        0 => Prepare {
            /// The ballot, which is the sender's.
            ballot: Ballot,
        },
        /// Phase 1b, from an acceptor to the proposer. The promise is on record.
        1 => Promise {
            /// The ballot of the prepare.
            ballot: Ballot,
            /// The acceptor's vote in the highest ballot below that.
            vote: Option<Vote<'a>>,
        },
        /// Phase 2a, from a proposer to the acceptors: vote for this.
        2 => Accept {
            /// What to vote for; the ballot is the sender's.
            vote: Vote<'a>,
        },
        /// Phase 2b, from an acceptor to the proposer and to learners. The vote is on record.
        3 => Accepted {
            /// The acceptor's vote.
            vote: Vote<'a>,
        },
        /// From an acceptor to a proposer: it has promised a higher ballot.
        4 => Preempted {
            /// The ballot of the prepare or accept.
            ballot: Ballot,
            /// What the acceptor promised.
            promised: Ballot,
        },
        /// From a learner: a value was chosen.
        5 => Decided {
            /// The value.
            value: &'a [u8],
        },
        /// From a learner to the acceptors and proposers: it does not know what was chosen.
        6 => Learn,
        /// From a proposer to the acceptors: vote for this in the fast ballot. Of [`FastPaxos`](crate::fast::FastPaxos) alone.
        7 => Propose {
            /// The value.
            value: &'a [u8],
        },
    }
}

wire! {
    /// A value in a ballot.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Vote<'a> {
        /// The ballot.
        pub ballot: Ballot,
        /// The value: the same for all votes in a ballot, but for the fast one.
        pub value: &'a [u8],
    }
}
