use quorate_core::{DecodeError, Reader, Wire, Writer, wire};

use crate::{Index, Members, Term};

wire! {
    by hand;
    /// What Raft nodes send to each other (Raft thesis, figure 3.1, with the pre-vote of 9.6 and
    /// read rounds of 6.4).
    ///
    /// `round` counts the leader's read and heartbeat rounds: an answer that echoes it proves that
    /// the leader was still followed after the round began.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// Asks for a vote (3.4), or, as a pre-vote, whether one would be granted (9.6).
        0 => RequestVote {
            /// A pre-vote: it changes no node's term.
            pre: bool,
            /// The candidate's term; of a pre-vote, the term it would campaign in.
            term: Term,
            /// The index of the candidate's last entry.
            last_index: Index,
            /// The term of the candidate's last entry.
            last_term: Term,
        },
        /// Answers [`RequestVote`](Self::RequestVote) (3.4).
        1 => Vote {
            /// Answers a pre-vote.
            pre: bool,
            /// The term the vote is granted in; of a refusal, the sender's term.
            term: Term,
            /// Granted or refused.
            granted: bool,
        },
        /// The leader's entries (3.5); without entries, its heartbeat and probe.
        2 => Append {
            /// The leader's term.
            term: Term,
            /// The index just before the entries.
            prev_index: Index,
            /// The term of the entry there.
            prev_term: Term,
            /// The leader's commit index.
            commit: Index,
            /// The leader's round.
            round: u64,
            /// A run of encoded entries, see [`Entries`](crate::Entries).
            #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
            entries: &'a [u8],
        },
        /// The follower's log agrees with the leader's, durably, up to `match_index` (3.5).
        3 => AppendAccepted {
            /// The follower's term.
            term: Term,
            /// The round answered.
            round: u64,
            /// Everything up to here is on the follower's disk as in the leader's log.
            match_index: Index,
        },
        /// The follower's log has no entry at `prev_index` of the term that the leader stated
        /// (3.5).
        4 => AppendRejected {
            /// The follower's term.
            term: Term,
            /// The round answered.
            round: u64,
            /// The index that did not match.
            prev_index: Index,
            /// The follower's last index that may match.
            hint_index: Index,
            /// The term of the entry there.
            hint_term: Term,
        },
        /// A chunk of a snapshot (chapter 5); without data, the leader's heartbeat to a node that
        /// needs a snapshot.
        5 => Snapshot {
            /// The leader's term.
            term: Term,
            /// The leader's round.
            round: u64,
            /// The last index the snapshot covers.
            index: Index,
            /// The term of the entry there.
            index_term: Term,
            /// Where in the snapshot the data belongs, in bytes.
            offset: u64,
            /// The snapshot ends with this chunk. Set by leaders whose members cannot change; the
            /// others send [`SnapshotEnd`](Self::SnapshotEnd).
            done: bool,
            /// The chunk.
            #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
            data: &'a [u8],
        },
        /// Answers [`Snapshot`](Self::Snapshot) and [`SnapshotEnd`](Self::SnapshotEnd) (chapter 5).
        6 => SnapshotAck {
            /// The follower's term.
            term: Term,
            /// The round answered.
            round: u64,
            /// The snapshot's last index.
            index: Index,
            /// How many bytes of it the follower has: where the next chunk begins.
            offset: u64,
        },
        /// The leader asks this node to start an election at once, and so to take over the
        /// leadership (3.10).
        7 => TimeoutNow {
            /// The leader's term.
            term: Term,
        },
        /// Asks for a vote to take over the leadership, as the leader requested (3.10): followers
        /// grant it although they hear that leader. Answered by [`Vote`](Self::Vote).
        8 => RequestVoteForTransfer {
            /// The candidate's term.
            term: Term,
            /// The index of the candidate's last entry.
            last_index: Index,
            /// The term of the candidate's last entry.
            last_term: Term,
        },
        /// The last chunk of a snapshot, with the members as of `index` or later (4.1, chapter 5).
        9 => SnapshotEnd {
            /// The leader's term.
            term: Term,
            /// The leader's round.
            round: u64,
            /// The last index the snapshot covers.
            index: Index,
            /// The term of the entry there.
            index_term: Term,
            /// Where in the snapshot the data belongs, in bytes.
            offset: u64,
            /// The members of the cluster as of `index`, or later.
            #[cfg_attr(feature = "serde", serde(borrow))]
            members: Members<'a>,
            /// The chunk.
            #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
            data: &'a [u8],
        },
        /// A follower asks its leader where a linearizable read may be answered (6.4).
        10 => ReadIndex {
            /// The follower's term.
            term: Term,
            /// The follower's number for it, from 1.
            id: u64,
        },
        /// Answers [`ReadIndex`](Self::ReadIndex): the follower may answer the read when it has
        /// applied `index` (6.4).
        11 => ReadIndexConfirmed {
            /// The leader's term.
            term: Term,
            /// The follower's number.
            id: u64,
            /// The follower may answer when it has applied this; it is committed.
            index: Index,
        },
        /// The leader is idle, and asks all nodes to quiesce: they expect no heartbeats then. All
        /// of its log, through `index`, is committed. A node that agrees answers with
        /// [`AppendAccepted`](Self::AppendAccepted).
        12 => Quiesce {
            /// The leader's term.
            term: Term,
            /// The leader's round.
            round: u64,
            /// The last index of its log, which is committed.
            index: Index,
        },
        /// A follower whose state is damaged requests a snapshot that covers at least `index`
        /// (chapter 5).
        13 => RequestSnapshot {
            /// The follower's term.
            term: Term,
            /// The lowest index that the snapshot is to cover.
            index: Index,
        },
        /// A follower forwards commands to its leader (6.2).
        14 => Propose {
            /// The follower's term.
            term: Term,
            /// The follower's number for the message, from 1.
            id: u64,
            /// The last of the leader's rounds that the follower had received when it sent the
            /// message for the first time.
            round: u64,
            /// A run of encoded entries, see [`Entries`](crate::Entries): commands of that term.
            #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
            commands: &'a [u8],
        },
        /// Answers [`Propose`](Self::Propose): the first `count` commands are in the leader's log
        /// from `index` on; the others were refused (6.2).
        15 => Proposed {
            /// The leader's term.
            term: Term,
            /// The follower's number.
            id: u64,
            /// The index of the first command.
            index: Index,
            /// How many were proposed, the first and those that follow it; the others were refused.
            count: u64,
        },
        /// The receiver is no longer a member: it asked for a vote, and lacks the committed entry
        /// that removed it (4.2.3). Sent besides the [`Vote`](Self::Vote).
        16 => Removed {
            /// The sender's term.
            term: Term,
            /// The index of the committed entry, or snapshot, whose members do not include the
            /// receiver.
            index: Index,
            /// The term of the entry there.
            index_term: Term,
        },
        /// A follower with leases promises not to vote for another node for `promise_us`
        /// microseconds of true time, counted from when it received a message of that round
        /// (6.4.1). Sent besides [`AppendAccepted`](Self::AppendAccepted), once for each round.
        17 => LeasePromise {
            /// The follower's term.
            term: Term,
            /// The round answered.
            round: u64,
            /// For how long at least, in microseconds of true time.
            promise_us: u64,
        },
    }
}

/// Written by hand: one loop reads all numbers, and entries are the hot path.
impl<'a> Wire<'a> for Message<'a> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::RequestVote { pre, term, last_index, last_term } => {
                out.u8(0);
                out.bool(pre);
                out.u64(term);
                out.u64(last_index);
                out.u64(last_term);
            }
            Self::Vote { pre, term, granted } => {
                out.u8(1);
                out.bool(pre);
                out.u64(term);
                out.bool(granted);
            }
            Self::Append { term, prev_index, prev_term, commit, round, entries } => {
                out.u8(2);
                out.u64(term);
                out.u64(prev_index);
                out.u64(prev_term);
                out.u64(commit);
                out.u64(round);
                out.bytes(entries);
            }
            Self::AppendAccepted { term, round, match_index } => {
                out.u8(3);
                out.u64(term);
                out.u64(round);
                out.u64(match_index);
            }
            Self::AppendRejected { term, round, prev_index, hint_index, hint_term } => {
                out.u8(4);
                out.u64(term);
                out.u64(round);
                out.u64(prev_index);
                out.u64(hint_index);
                out.u64(hint_term);
            }
            Self::Snapshot { term, round, index, index_term, offset, done, data } => {
                out.u8(5);
                out.u64(term);
                out.u64(round);
                out.u64(index);
                out.u64(index_term);
                out.u64(offset);
                out.bool(done);
                out.bytes(data);
            }
            Self::SnapshotAck { term, round, index, offset } => {
                out.u8(6);
                out.u64(term);
                out.u64(round);
                out.u64(index);
                out.u64(offset);
            }
            Self::TimeoutNow { term } => {
                out.u8(7);
                out.u64(term);
            }
            Self::RequestVoteForTransfer { term, last_index, last_term } => {
                out.u8(8);
                out.u64(term);
                out.u64(last_index);
                out.u64(last_term);
            }
            Self::SnapshotEnd { term, round, index, index_term, offset, members, data } => {
                out.u8(9);
                out.u64(term);
                out.u64(round);
                out.u64(index);
                out.u64(index_term);
                out.u64(offset);
                out.bytes(members.bytes());
                out.bytes(data);
            }
            Self::ReadIndex { term, id } => {
                out.u8(10);
                out.u64(term);
                out.u64(id);
            }
            Self::ReadIndexConfirmed { term, id, index } => {
                out.u8(11);
                out.u64(term);
                out.u64(id);
                out.u64(index);
            }
            Self::Quiesce { term, round, index } => {
                out.u8(12);
                out.u64(term);
                out.u64(round);
                out.u64(index);
            }
            Self::RequestSnapshot { term, index } => {
                out.u8(13);
                out.u64(term);
                out.u64(index);
            }
            Self::Propose { term, id, round, commands } => {
                out.u8(14);
                out.u64(term);
                out.u64(id);
                out.u64(round);
                out.bytes(commands);
            }
            Self::Proposed { term, id, index, count } => {
                out.u8(15);
                out.u64(term);
                out.u64(id);
                out.u64(index);
                out.u64(count);
            }
            Self::Removed { term, index, index_term } => {
                out.u8(16);
                out.u64(term);
                out.u64(index);
                out.u64(index_term);
            }
            Self::LeasePromise { term, round, promise_us } => {
                out.u8(17);
                out.u64(term);
                out.u64(round);
                out.u64(promise_us);
            }
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let tag = input.u8()?;
        let count = NUMBERS.get(usize::from(tag)).ok_or(DecodeError::Invalid)?;
        let mut numbers = [0; 6];
        for number in numbers.iter_mut().take(usize::from(*count)) {
            *number = input.u64()?;
        }
        let [a, b, c, d, e, f] = numbers;
        Ok(match tag {
            0 => Self::RequestVote { pre: flag(a)?, term: b, last_index: c, last_term: d },
            1 => Self::Vote { pre: flag(a)?, term: b, granted: flag(c)? },
            2 => Self::Append {
                term: a,
                prev_index: b,
                prev_term: c,
                commit: d,
                round: e,
                entries: input.bytes()?,
            },
            3 => Self::AppendAccepted { term: a, round: b, match_index: c },
            4 => Self::AppendRejected {
                term: a,
                round: b,
                prev_index: c,
                hint_index: d,
                hint_term: e,
            },
            5 => Self::Snapshot {
                term: a,
                round: b,
                index: c,
                index_term: d,
                offset: e,
                done: flag(f)?,
                data: input.bytes()?,
            },
            6 => Self::SnapshotAck { term: a, round: b, index: c, offset: d },
            7 => Self::TimeoutNow { term: a },
            8 => Self::RequestVoteForTransfer { term: a, last_index: b, last_term: c },
            9 => Self::SnapshotEnd {
                term: a,
                round: b,
                index: c,
                index_term: d,
                offset: e,
                members: Members::read(input)?,
                data: input.bytes()?,
            },
            10 => Self::ReadIndex { term: a, id: b },
            11 => Self::ReadIndexConfirmed { term: a, id: b, index: c },
            12 => Self::Quiesce { term: a, round: b, index: c },
            13 => Self::RequestSnapshot { term: a, index: b },
            14 => Self::Propose { term: a, id: b, round: c, commands: input.bytes()? },
            15 => Self::Proposed { term: a, id: b, index: c, count: d },
            16 => Self::Removed { term: a, index: b, index_term: c },
            17 => Self::LeasePromise { term: a, round: b, promise_us: c },
            _ => return Err(DecodeError::Invalid),
        })
    }
}

/// How many numbers each kind of message begins with, flags among them: one loop reads them all.
const NUMBERS: [u8; 18] = [4, 3, 5, 3, 5, 6, 4, 1, 3, 5, 2, 3, 3, 2, 3, 4, 3, 3];

/// A number that is 0 or 1.
#[inline]
const fn flag(number: u64) -> Result<bool, DecodeError> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid),
    }
}

/// Bytes as serde bytes: `&[u8]` alone would go one by one.
#[cfg(feature = "serde")]
pub(crate) mod bytes {
    use core::fmt;
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<&'de [u8], D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = &'de [u8];
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("borrowed bytes")
            }
            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_bytes(Borrowed)
    }
}
