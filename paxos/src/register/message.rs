use quorate_core::wire;

use crate::Ballot;

wire! {
    /// What the nodes of a register say to each other.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// Phase 1a, from a proposer to the acceptors: promise to accept in no lower ballot, and tell the last state.
        0 => Prepare {
            /// Which register.
            key: &'a [u8],
            /// The ballot, which is the sender's.
            ballot: Ballot,
            /// How often the sender was visited for a deletion.
            age: u64,
        },
        /// Phase 1b, from an acceptor to the proposer. The promise is on record.
        1 => Promise {
            /// Which register.
            key: &'a [u8],
            /// The ballot of the prepare.
            ballot: Ballot,
            /// What the acceptor has accepted in the highest ballot below that.
            state: Option<State<'a>>,
        },
        /// Phase 2a, from a proposer to the acceptors: accept this.
        2 => Accept {
            /// Which register.
            key: &'a [u8],
            /// The new state; its ballot is the sender's.
            state: State<'a>,
            /// The ballot to promise at once: the sender's next for this key, or the same one.
            next: Ballot,
            /// How often the sender was visited for a deletion.
            age: u64,
        },
        /// Phase 2b, from an acceptor to the proposer. The state is on record.
        3 => Accepted {
            /// Which register.
            key: &'a [u8],
            /// The ballot of the accept.
            ballot: Ballot,
            /// What the acceptor has promised now.
            promised: Ballot,
        },
        /// From an acceptor to a proposer: it has promised a higher ballot.
        4 => Conflict {
            /// Which register.
            key: &'a [u8],
            /// What the acceptor has promised.
            promised: Ballot,
        },
        /// From a node that collects a key to the proposers: forget what you know of it, use ballots above the tombstone's, and let the
        /// acceptors refuse what you have sent until now.
        5 => Collect {
            /// Which register.
            key: &'a [u8],
            /// The ballot in which all acceptors have accepted the tombstone; the sender's.
            tombstone: Ballot,
            /// The version of the sender's membership.
            version: u64,
        },
        /// From a proposer: that is done.
        6 => Collected {
            /// The tombstone's ballot.
            tombstone: Ballot,
        },
        /// From a proposer to the acceptors: refuse what I have sent with a lower age.
        7 => Fence {
            /// The sender's age.
            age: u64,
        },
        /// From an acceptor: it does. The age is on record.
        8 => Fenced {
            /// The receiver's age.
            age: u64,
        },
        /// From a node that collects a key to the acceptors: erase the register, if it is still that tombstone.
        9 => Erase {
            /// Which register.
            key: &'a [u8],
            /// The tombstone's ballot.
            tombstone: Ballot,
        },
        /// From an acceptor: it is erased, or something came in between.
        10 => Erased {
            /// The tombstone's ballot.
            tombstone: Ballot,
            /// It is gone.
            erased: bool,
        },
    }
}

wire! {
    /// The state of a register in a ballot.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct State<'a> {
        /// The ballot in which it is accepted.
        pub ballot: Ballot,
        /// The ballot in which a change made it: its version. Identity changes keep it. Zero if no change was ever made.
        pub origin: Ballot,
        /// The value; none is a tombstone.
        pub value: Option<&'a [u8]>,
    }
}
