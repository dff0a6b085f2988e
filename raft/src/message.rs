use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::{Index, Members, Term};

/// What Raft nodes say to each other (Raft thesis, figure 3.1, with the pre-vote of 9.6 and read rounds of 6.4).
///
/// `round` counts the leader's read and heartbeat rounds: an answer that echoes it proves that the leader was still followed
/// after the round began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Message<'a> {
    /// Asks for a vote (3.4), or, as a pre-vote, whether one would be given (9.6).
    RequestVote {
        /// Nobody's term changes by a pre-vote.
        pre: bool,
        /// The candidate's term; of a pre-vote, the term it would campaign in.
        term: Term,
        /// The index of the candidate's last entry.
        last_index: Index,
        /// The term of the candidate's last entry.
        last_term: Term,
    },
    /// Answers [`RequestVote`](Self::RequestVote).
    Vote {
        /// Answers a pre-vote.
        pre: bool,
        /// The term the vote is granted in; of a refusal, the term of who refuses.
        term: Term,
        /// Granted or refused.
        granted: bool,
    },
    /// The leader's entries (3.5); without entries, its heartbeat and probe.
    Append {
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
    /// The follower's log agrees with the leader's, durably, up to `match_index`.
    Accept {
        /// The follower's term.
        term: Term,
        /// The round answered.
        round: u64,
        /// Everything up to here is on the follower's disk as in the leader's log.
        match_index: Index,
    },
    /// The follower's log has no entry at `prev_index` of the term the leader said.
    Reject {
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
    /// A part of a snapshot (chapter 5); without data, the leader's heartbeat to a node that needs one.
    Snapshot {
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
        /// The snapshot ends with this part; said by leaders whose members cannot change, the others send
        /// [`SnapshotEnd`](Self::SnapshotEnd).
        done: bool,
        /// The part.
        #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
        data: &'a [u8],
    },
    /// Answers [`Snapshot`](Self::Snapshot).
    SnapshotAck {
        /// The follower's term.
        term: Term,
        /// The round answered.
        round: u64,
        /// The snapshot's last index.
        index: Index,
        /// How many bytes of it the follower has: where the next part begins.
        offset: u64,
    },
    /// The leader asks this node to start an election at once, and so to take over the lead (3.10).
    TimeoutNow {
        /// The leader's term.
        term: Term,
    },
    /// Asks for a vote, as the leader wants it (3.10): who hears that leader need not protect it. Answered by [`Vote`](Self::Vote).
    TakeOver {
        /// The candidate's term.
        term: Term,
        /// The index of the candidate's last entry.
        last_index: Index,
        /// The term of the candidate's last entry.
        last_term: Term,
    },
    /// The last part of a snapshot.
    SnapshotEnd {
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
        /// The part.
        #[cfg_attr(feature = "serde", serde(borrow, with = "bytes"))]
        data: &'a [u8],
    },
    /// A follower asks its leader where a linearizable read may be answered (6.4).
    ReadIndex {
        /// The follower's term.
        term: Term,
        /// The follower's number for it, from 1.
        id: u64,
    },
    /// Answers [`ReadIndex`](Self::ReadIndex).
    ReadAt {
        /// The leader's term.
        term: Term,
        /// The follower's number.
        id: u64,
        /// The follower may answer when it has applied this; it is committed.
        index: Index,
    },
}

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
            Self::Accept { term, round, match_index } => {
                out.u8(3);
                out.u64(term);
                out.u64(round);
                out.u64(match_index);
            }
            Self::Reject { term, round, prev_index, hint_index, hint_term } => {
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
            Self::TakeOver { term, last_index, last_term } => {
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
            Self::ReadAt { term, id, index } => {
                out.u8(11);
                out.u64(term);
                out.u64(id);
                out.u64(index);
            }
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::RequestVote {
                pre: input.bool()?,
                term: input.u64()?,
                last_index: input.u64()?,
                last_term: input.u64()?,
            },
            1 => Self::Vote { pre: input.bool()?, term: input.u64()?, granted: input.bool()? },
            2 => Self::Append {
                term: input.u64()?,
                prev_index: input.u64()?,
                prev_term: input.u64()?,
                commit: input.u64()?,
                round: input.u64()?,
                entries: input.bytes()?,
            },
            3 => {
                Self::Accept { term: input.u64()?, round: input.u64()?, match_index: input.u64()? }
            }
            4 => Self::Reject {
                term: input.u64()?,
                round: input.u64()?,
                prev_index: input.u64()?,
                hint_index: input.u64()?,
                hint_term: input.u64()?,
            },
            tag @ (5 | 9) => {
                let (term, round, index) = (input.u64()?, input.u64()?, input.u64()?);
                let (index_term, offset) = (input.u64()?, input.u64()?);
                if tag == 5 {
                    let (done, data) = (input.bool()?, input.bytes()?);
                    Self::Snapshot { term, round, index, index_term, offset, done, data }
                } else {
                    let (members, data) = (Members::read(input)?, input.bytes()?);
                    Self::SnapshotEnd { term, round, index, index_term, offset, members, data }
                }
            }
            6 => Self::SnapshotAck {
                term: input.u64()?,
                round: input.u64()?,
                index: input.u64()?,
                offset: input.u64()?,
            },
            7 => Self::TimeoutNow { term: input.u64()? },
            8 => Self::TakeOver {
                term: input.u64()?,
                last_index: input.u64()?,
                last_term: input.u64()?,
            },
            10 => Self::ReadIndex { term: input.u64()?, id: input.u64()? },
            11 => Self::ReadAt { term: input.u64()?, id: input.u64()?, index: input.u64()? },
            _ => return Err(DecodeError::Invalid),
        })
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
