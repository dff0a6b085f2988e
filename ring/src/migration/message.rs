use quorate_core::{NodeId, Reader, wire};

use super::Range;
use crate::topology::Version;

wire! {
    /// What the two nodes of a hand-over say to each other. The source numbers its hand-overs, and each session of one: a session
    /// begins when the source starts, or starts over. What belongs to an earlier session counts for nothing.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a, R: Range> {
        /// From the source: it is about to hand over a range, or goes on with it in another session.
        0 => Begin {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session, from the same counter.
            session: u64,
            /// The range.
            range: R,
            /// The topology that the source goes by.
            version: Version,
        },
        /// From the source: the next part of the range's contents.
        1 => Item {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// Counts the items of the hand-over, from 1.
            item: u64,
            /// What it is.
            body: Body<'a>,
        },
        /// From the source: the target owns the range. The source has that on record.
        2 => Released {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// How many items there were.
            items: u64,
        },
        /// From the source: it knows that the target owns the range.
        3 => Closed {
            /// The number of the hand-over.
            handover: u64,
        },
        /// From the source: it was canceled, or is unknown.
        4 => Gone {
            /// The number of the hand-over.
            handover: u64,
        },
        /// From the target: what it has on record, the answer to a beginning and to each item. It also asks whether the hand-over goes on.
        5 => Position {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// The last item that is durable.
            item: u64,
            /// Where the last chunk ended.
            cursor: &'a [u8],
            /// That was the last chunk.
            complete: bool,
        },
        /// From the target: it does not take the range.
        6 => Refused {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// Why.
            reason: Refusal,
        },
        /// From the target: it knows nothing of this hand-over, or less than it acknowledged. It must start over.
        7 => Lost {
            /// The number of the hand-over.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// The highest session of this source that it accepted: later ones have higher numbers.
            seen: u64,
        },
        /// From the target: it owns the range. It has that on record.
        8 => Arrived {
            /// The number of the hand-over.
            handover: u64,
        },
    }
}

wire! {
    /// A part of the contents of a range.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Body<'a> {
        /// What the source's application read.
        0 => Chunk {
            /// The bytes.
            bytes: &'a [u8],
            /// Where it ended: what the source's application needs to read on.
            cursor: &'a [u8],
            /// Nothing follows.
            last: bool,
        },
        /// What clients wrote meanwhile, in their order.
        1 => Writes {
            /// Each with its length before it.
            frames: &'a [u8],
        },
    }
}

wire! {
    /// Why a target does not take a range.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[non_exhaustive]
    pub enum Refusal {
        /// Some of it is in another hand-over there.
        #[default]
        0 => Overlap,
        /// There is no room for another hand-over, or for the data.
        1 => Full,
        /// The target goes by another version of the topology.
        2 => Version,
        /// The application does not want it.
        3 => Unwanted,
    }
}

wire! {
    /// What a node keeps on disk. A record is all that there is to say of a hand-over, and replaces those before it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a, R: Range> {
        /// The highest number of a hand-over or session of this source.
        0 => Numbers {
            /// The number.
            last: u64,
        },
        /// The highest session that this node accepted of a source.
        1 => Seen {
            /// The source.
            from: NodeId,
            /// The session.
            session: u64,
        },
        /// A hand-over, at its source.
        2 => Outgoing {
            /// Its number.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// The range.
            range: R,
            /// The target.
            to: NodeId,
            /// The topology.
            version: Version,
            /// How many items there were; 0 before the release.
            items: u64,
            /// How far it is.
            stage: Stage,
        },
        /// A hand-over ended at its source: it was canceled or retired.
        3 => Ended {
            /// Its number.
            handover: u64,
        },
        /// A hand-over, at its target.
        4 => Incoming {
            /// The source.
            from: NodeId,
            /// Its number.
            handover: u64,
            /// The number of its session.
            session: u64,
            /// The range.
            range: R,
            /// The topology.
            version: Version,
            /// The last item that is durable.
            item: u64,
            /// Where the last chunk ended.
            cursor: &'a [u8],
            /// That was the last chunk.
            complete: bool,
            /// This node owns the range.
            arrived: bool,
        },
        /// A hand-over ended at its target: it was canceled, lost or retired.
        5 => Dropped {
            /// The source.
            from: NodeId,
            /// Its number.
            handover: u64,
        },
    }
}

wire! {
    /// How far a hand-over is at its source.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub enum Stage {
        /// The source owns the range.
        0 => Copying,
        /// The target owns it: the one record that decides.
        1 => Released,
        /// And the source knows that the target has it on record.
        2 => Closed,
    }
}

/// The writes of [`Writes`](super::Writes).
#[derive(Clone, Debug)]
pub struct WritesIter<'a> {
    input: Reader<'a>,
}

impl<'a> WritesIter<'a> {
    pub(super) const fn new(frames: &'a [u8]) -> Self {
        Self { input: Reader::new(frames) }
    }
}

impl<'a> Iterator for WritesIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.input.bytes().ok()
    }
}
