use quorate_core::{Quorums, wire};

use super::{Members, Slot};
use crate::Ballot;

wire! {
    /// What the nodes of a log say to each other.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// From each acceptor to all members, once in an interval: what it has, and whom it hears (Ng, Haridi and Carbone, "Omni-Paxos",
        /// 2023, section 5). There are no replies: a link works in both directions if each side says that it hears the other.
        0 => Heartbeat {
            /// The number of the sender's configuration.
            configuration: u64,
            /// The highest ballot that the sender has promised.
            promised: Ballot,
            /// The sender leads in that ballot, and reaches a quorum.
            leads: bool,
            /// The sender has a leader, or leads itself.
            has_leader: bool,
            /// The sender hears the receiver.
            hears_you: bool,
            /// All slots up to here are chosen.
            commit: Slot,
            /// The sender has voted in `promised` for all slots after `commit` up to here.
            through: Slot,
            /// The last slot for which the sender has voted in any ballot, or for which it waits, to answer a read.
            last: Slot,
        },
        /// Phase 1a, from a candidate to the acceptors: promise to vote in no lower ballot, and tell the votes.
        1 => Prepare {
            /// The number of the sender's configuration.
            configuration: u64,
            /// The ballot, which is the sender's.
            ballot: Ballot,
            /// The votes for this slot and later ones are wanted.
            from: Slot,
        },
        /// Phase 1b, from an acceptor to the candidate: a page of its votes. The promise is on record.
        2 => Promise {
            /// The ballot of the prepare.
            ballot: Ballot,
            /// What the prepare asked for.
            from: Slot,
            /// The slot of the first entry. There is no vote for the slots between `from` and that; or the log does not go back to them,
            /// if they are chosen.
            first: Slot,
            /// The ballot in which the acceptor voted for these entries: none if they are chosen.
            accepted: Ballot,
            /// Entries of that ballot, one slot after the other.
            entries: &'a [u8],
            /// All slots up to here are chosen.
            commit: Slot,
            /// The last slot for which the acceptor has voted.
            last: Slot,
        },
        /// Phase 2a, from a leader to the acceptors, and to learners: vote for these entries.
        3 => Accept {
            /// The number of the sender's configuration.
            configuration: u64,
            /// The ballot, which is the sender's.
            ballot: Ballot,
            /// The slot of the first entry.
            first: Slot,
            /// All slots up to here are chosen.
            commit: Slot,
            /// Entries, one slot after the other.
            entries: &'a [u8],
        },
        /// Phase 2b, from an acceptor to the leader. The votes are on record.
        4 => Accepted {
            /// The ballot.
            ballot: Ballot,
            /// The acceptor has voted in the ballot for all slots up to here that are not known to be chosen.
            through: Slot,
        },
        /// From an acceptor to a candidate or leader: it has promised a higher ballot.
        5 => Preempted {
            /// The ballot of the prepare or accept.
            ballot: Ballot,
            /// What the acceptor promised.
            promised: Ballot,
        },
        /// From a node that lacks what is chosen, to any other that has it.
        6 => Fetch {
            /// Entries from this slot on are wanted.
            from: Slot,
            /// The snapshot of which a part was received, by its last slot; 0 without.
            snapshot: Slot,
            /// So many bytes of that were received.
            offset: u64,
        },
        /// Entries that are chosen.
        7 => Chosen {
            /// The slot of the first.
            first: Slot,
            /// All slots up to here are chosen.
            commit: Slot,
            /// Entries, one slot after the other.
            entries: &'a [u8],
        },
        /// A part of a snapshot, instead of entries that the sender's log no longer has.
        8 => Chunk {
            /// The last slot that the snapshot covers.
            snapshot: Slot,
            /// Where the part belongs, in bytes.
            offset: u64,
            /// The snapshot ends with this part.
            done: bool,
            /// The part.
            data: &'a [u8],
        },
        /// From a node that is to read, to the acceptors: what have you promised, and voted for?
        9 => Query {
            /// The number of the sender's configuration.
            configuration: u64,
            /// Tells answers to different questions apart.
            number: u64,
        },
        /// The answer to that.
        10 => Answer {
            /// That of the question.
            number: u64,
            /// The highest ballot that the acceptor has promised.
            promised: Ballot,
            /// The last slot for which it has voted, or knows what was chosen.
            last: Slot,
        },
        /// The last part of a snapshot, with the configuration as of it. [`Chunk`](Self::Chunk) is the last part as long as
        /// that is the founders'.
        11 => LastChunk {
            /// The last slot that the snapshot covers.
            snapshot: Slot,
            /// Where the part belongs, in bytes.
            offset: u64,
            /// The number of the configuration.
            configuration: u64,
            /// The quorums of its acceptors.
            quorums: Quorums,
            /// Its members.
            members: Members<'a>,
            /// The part.
            data: &'a [u8],
        },
        /// From a leader that [hands the lead over](super::MultiPaxos::transfer), to the node that is to have it: become a candidate now.
        12 => Stand {
            /// The number of the sender's configuration.
            configuration: u64,
            /// The ballot in which the sender leads.
            ballot: Ballot,
        },
    }
}
