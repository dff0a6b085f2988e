use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer, wire};

use crate::{Index, Members, Term};

wire! {
    by hand;
    /// What a Raft node keeps on disk (Raft thesis, 3.8).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The current term and the vote granted in it (3.8).
        0 => Vote {
            /// The term.
            term: Term,
            /// The node that has this node's vote in it.
            vote: Option<NodeId>,
        },
        /// Entries from `first` on, which replace whatever the log had from there on (3.8).
        1 => Append {
            /// The index of the first entry.
            first: Index,
            /// Everything up to here is known to be committed; at most the last of the entries. A
            /// restarted node can apply that, and make room for more, before it hears a leader.
            commit: Index,
            /// A run of encoded entries, see [`Entries`](crate::Entries).
            #[cfg_attr(feature = "serde", serde(borrow, with = "crate::message::bytes"))]
            entries: &'a [u8],
        },
        /// The application has a durable snapshot through `index`, and the log begins after
        /// `compacted` (chapter 5).
        2 => Snapshot {
            /// The last index the snapshot covers.
            index: Index,
            /// The term of the entry there.
            index_term: Term,
            /// The index just before the log's first; at most `index`.
            compacted: Index,
            /// The term of the entry there.
            compacted_term: Term,
        },
        /// The members as of a snapshot that the application has, or that a later
        /// [`Snapshot`](Self::Snapshot) record will name (4.1).
        3 => Members {
            /// The last index the snapshot covers.
            index: Index,
            /// The term of the entry there.
            index_term: Term,
            /// The members of the cluster as of `index`.
            #[cfg_attr(feature = "serde", serde(borrow))]
            members: Members<'a>,
        },
        /// The members that founded the cluster, all of them voters, as given to
        /// [`Raft::new`](crate::Raft::new); none at a node that [joined](crate::Raft::join) it.
        /// They never change (4.1).
        4 => Founders {
            /// The voters, in any order.
            #[cfg_attr(feature = "serde", serde(borrow))]
            voters: Members<'a>,
        },
    }
}

/// Written by hand, as [`Message`](crate::Message) is: appends are the hot path.
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
