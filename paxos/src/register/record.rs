use quorate_core::{NodeId, wire};

use super::State;
use crate::Ballot;

wire! {
    /// What a node keeps on disk.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The node was set up, and is not one whose disk was erased.
        0 => Founded {
            /// The version of the membership that it was started with.
            version: u64,
        },
        /// The proposer may have used its ballots of the rounds up to this one.
        1 => Rounds {
            /// The last of them.
            through: u64,
        },
        /// The acceptor's promise for a key.
        2 => Promised {
            /// Which register.
            key: &'a [u8],
            /// The ballot.
            ballot: Ballot,
        },
        /// What the acceptor has accepted for a key, and what it has promised with it.
        3 => Accepted {
            /// Which register.
            key: &'a [u8],
            /// The state.
            state: State<'a>,
            /// The promise: the ballot of the state, or a higher one.
            promised: Ballot,
        },
        /// The acceptor has erased a key.
        4 => Erased {
            /// Which register.
            key: &'a [u8],
        },
        /// The proposer was visited for a deletion.
        5 => Aged {
            /// Its age since.
            age: u64,
            /// The highest tombstone's ballot that it was visited for.
            floor: Ballot,
        },
        /// The acceptor refuses what this proposer has sent with a lower age.
        6 => Fenced {
            /// The proposer.
            node: NodeId,
            /// Its age.
            age: u64,
        },
        /// A node of a membership whose `Configured` follows.
        7 => Seat {
            /// The node.
            node: NodeId,
            /// Its votes as an acceptor of the present set; 0 if it is none.
            present: u8,
            /// Its votes as an acceptor of the next set; 0 if it is none.
            next: u8,
        },
        /// A membership, of the nodes before it.
        8 => Configured {
            /// Its version.
            version: u64,
            /// The step of a change that it is in.
            stage: u8,
            /// The sizes of the quorums of the present set; none for those that the machine is started with.
            present: Option<Sizes>,
            /// The sizes of the quorums of the next set.
            next: Option<Sizes>,
            /// No round below this is used any more.
            floor: u64,
        },
    }
}

wire! {
    /// How many acceptors are a quorum of each phase.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct Sizes {
        /// Of phase 1: prepare.
        pub one: u8,
        /// Of phase 2: accept.
        pub two: u8,
    }
}

impl Sizes {
    /// More than half, in both phases.
    ///
    /// ```
    /// use quorate_paxos::register::Sizes;
    /// assert_eq!(Sizes::majority(4), Sizes { one: 3, two: 3 });
    /// ```
    #[must_use]
    pub const fn majority(acceptors: u8) -> Self {
        let most = (acceptors / 2).saturating_add(1);
        Self { one: most, two: most }
    }
}
