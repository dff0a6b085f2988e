use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};

use crate::{Index, Members, Term};

/// What a Raft node keeps on disk (Raft thesis, 3.8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Record<'a> {
    /// The current term and the vote given in it.
    Vote {
        /// The term.
        term: Term,
        /// Who has this node's vote in it.
        vote: Option<NodeId>,
    },
    /// Entries from `first` on. Whatever the log had from there on is replaced.
    Append {
        /// The index of the first entry.
        first: Index,
        /// Everything up to here is known to be committed; at most the last of the entries. A restarted node need not wait for
        /// a leader to apply that, and can make room for one.
        commit: Index,
        /// A run of encoded entries, see [`Entries`](crate::Entries).
        #[cfg_attr(feature = "serde", serde(borrow, with = "crate::message::bytes"))]
        entries: &'a [u8],
    },
    /// The application has a durable snapshot, and the log begins after `compacted`.
    Snapshot {
        /// The last index the snapshot covers.
        index: Index,
        /// The term of the entry there.
        index_term: Term,
        /// The index just before the log's first; at most `index`.
        compacted: Index,
        /// The term of the entry there.
        compacted_term: Term,
    },
    /// Who the members were as of a snapshot that the application has, or is about to install.
    Members {
        /// The last index the snapshot covers.
        index: Index,
        /// The term of the entry there.
        index_term: Term,
        /// The members of the cluster as of `index`.
        #[cfg_attr(feature = "serde", serde(borrow))]
        members: Members<'a>,
    },
    /// Who founded the cluster, as [`Raft::new`](crate::Raft::new) was told; nobody at a node that [joined](crate::Raft::join). It
    /// never changes.
    Founders {
        /// The voters, in any order.
        #[cfg_attr(feature = "serde", serde(borrow))]
        voters: Members<'a>,
    },
}

impl<'a> Wire<'a> for Record<'a> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Vote { term, vote } => {
                out.u8(0);
                out.u64(term);
                match vote {
                    None => out.u8(0),
                    Some(node) => {
                        out.u8(1);
                        out.u64(node.get());
                    }
                }
            }
            Self::Append { first, commit, entries } => {
                out.u8(1);
                out.u64(first);
                out.u64(commit);
                out.bytes(entries);
            }
            Self::Snapshot { index, index_term, compacted, compacted_term } => {
                out.u8(2);
                out.u64(index);
                out.u64(index_term);
                out.u64(compacted);
                out.u64(compacted_term);
            }
            Self::Members { index, index_term, members } => {
                out.u8(3);
                out.u64(index);
                out.u64(index_term);
                out.bytes(members.bytes());
            }
            Self::Founders { voters } => {
                out.u8(4);
                out.bytes(voters.bytes());
            }
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Vote {
                term: input.u64()?,
                vote: if input.bool()? { Some(NodeId::new(input.u64()?)) } else { None },
            },
            1 => {
                Self::Append { first: input.u64()?, commit: input.u64()?, entries: input.bytes()? }
            }
            2 => Self::Snapshot {
                index: input.u64()?,
                index_term: input.u64()?,
                compacted: input.u64()?,
                compacted_term: input.u64()?,
            },
            3 => Self::Members {
                index: input.u64()?,
                index_term: input.u64()?,
                members: Members::read(input)?,
            },
            4 => Self::Founders { voters: Members::read(input)? },
            _ => return Err(DecodeError::Invalid),
        })
    }
}
