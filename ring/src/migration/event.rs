use quorate_core::NodeId;

use super::message::{Refusal, WritesIter};
use crate::topology::Version;

/// What the application learns, and is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a, R> {
    /// At the source: read the next chunk, and [provide](super::Migration::provide) it. It contains every write of which
    /// [`Forwarded`](Self::Forwarded) was told before, and none that is forwarded and was not.
    Read {
        /// The range.
        range: R,
        /// Where the chunk before it ended; empty at the beginning. The application made it.
        after: &'a [u8],
        /// The most bytes that a chunk has.
        max_bytes: usize,
    },
    /// At the source: the target has every write of the range up to this one, durably. Apply them here, in their order, and then tell the
    /// clients.
    Forwarded {
        /// The range.
        range: R,
        /// The number of the write, as [`forward`](super::Migration::forward) gave it.
        write: u64,
    },
    /// At the source: all of the range is at the target. [Release](super::Migration::release) it when its time has come.
    Copied {
        /// The range.
        range: R,
        /// The target.
        to: NodeId,
    },
    /// At the source: this node no longer owns the range. Send clients to the target, and keep the data. Told again after a restart, until
    /// it is [closed](Self::Closed).
    Released {
        /// The range.
        range: R,
        /// The owner.
        to: NodeId,
    },
    /// At the source: the new owner has the range on record. Delete the data, if this node is to keep no copy, and
    /// [retire](super::Migration::retire) the hand-over. Told again after a restart, until it is retired.
    Closed {
        /// The range.
        range: R,
        /// The owner.
        to: NodeId,
    },
    /// At the source: the target refuses the range, and is asked again from time to time. [Cancel](super::Migration::cancel) the
    /// hand-over if that is no use.
    Refused {
        /// The range.
        range: R,
        /// The target.
        to: NodeId,
        /// Why.
        reason: Refusal,
    },
    /// At the source: the target does not answer. Writes to the range wait for it; [cancel](super::Migration::cancel) the hand-over to end
    /// that. After the release it can no longer be canceled.
    Stalled {
        /// The range.
        range: R,
        /// The target.
        to: NodeId,
    },
    /// At the source: the target forgot what it had, and the hand-over starts over. If it was being released, it no longer is.
    Restarted {
        /// The range.
        range: R,
        /// The target.
        to: NodeId,
    },
    /// At the source, after the release: the target forgot the range, and with it every write that it took as the owner. Nobody serves
    /// it. [Reclaim](super::Migration::reclaim) it with what was here at the release, or bring the target's disk back.
    TargetLost {
        /// The range.
        range: R,
        /// The owner that forgot.
        to: NodeId,
    },
    /// At both, when that is on record: the hand-over was ended and is forgotten. The source owns the range; the target deletes what it has of
    /// it. Told once, and not again after a restart.
    Canceled {
        /// The range.
        range: R,
        /// The other node.
        peer: NodeId,
    },
    /// At the target: a node is about to hand over a range. [Accept](super::Migration::accept) or [refuse](super::Migration::refuse) it.
    Offered {
        /// The range.
        range: R,
        /// The source.
        from: NodeId,
        /// The version of the topology that the source goes by.
        version: Version,
    },
    /// At the target: make this durable, in place of what there is of the same keys, and then say [`applied`](super::Migration::applied).
    /// It may come again after a restart.
    Apply {
        /// The range.
        range: R,
        /// The source.
        from: NodeId,
        /// What to apply.
        item: Item<'a>,
    },
    /// At the target: this node owns the range. Told again after a restart, until the hand-over is [retired](super::Migration::retire).
    Arrived {
        /// The range.
        range: R,
        /// The source.
        from: NodeId,
    },
}

/// What a target applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Item<'a> {
    /// A chunk, as the source's application provided it.
    Chunk(&'a [u8]),
    /// Writes of clients, in their order.
    Writes(Writes<'a>),
}

/// Writes that a source forwarded, in their order.
///
/// ```
/// use quorate_ring::migration::Writes;
/// let writes = Writes::parse(&[1, b'a', 2, b'b', b'c']).unwrap();
/// assert!(writes.iter().eq([&b"a"[..], b"bc"]));
/// assert_eq!(Writes::parse(&[9, b'a']), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Writes<'a> {
    pub(super) frames: &'a [u8],
}

impl<'a> Writes<'a> {
    /// Takes writes apart that stand one after the other, each with its length before it; `None` if that is not what the bytes are.
    ///
    /// ```
    /// use quorate_ring::migration::Writes;
    /// assert!(Writes::parse(&[]).is_some_and(|none| none.iter().next().is_none()));
    /// assert_eq!(Writes::parse(&[2, b'a']), None);
    /// ```
    #[must_use]
    pub fn parse(frames: &'a [u8]) -> Option<Self> {
        let mut input = quorate_core::Reader::new(frames);
        while !input.rest().is_empty() {
            input.bytes().ok()?;
        }
        Some(Self { frames })
    }

    /// The writes.
    ///
    /// ```
    /// use quorate_ring::migration::Writes;
    /// let writes = Writes::parse(&[1, b'a', 0]).unwrap();
    /// assert!(writes.iter().eq([&b"a"[..], b""]));
    /// ```
    #[must_use]
    pub const fn iter(&self) -> WritesIter<'a> {
        WritesIter::new(self.frames)
    }
}

impl<'a> IntoIterator for Writes<'a> {
    type Item = &'a [u8];
    type IntoIter = WritesIter<'a>;

    fn into_iter(self) -> WritesIter<'a> {
        self.iter()
    }
}

/// Who serves a place, as far as this node's hand-overs tell: what routes reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Ownership {
    /// No hand-over here has the place: its owner is who it was.
    Settled,
    /// This node owns it. Read here; [forward](super::Migration::forward) writes to the target before they are applied.
    HandingOver(NodeId),
    /// This node owns it, and is about to give it away. Read here; writes wait.
    Releasing(NodeId),
    /// The other node owns it, or will as soon as it hears so.
    Released(NodeId),
    /// The other node owns it, and is about to hand it over to this one.
    Arriving(NodeId),
    /// This node owns it; it came from the other.
    Arrived(NodeId),
}

impl Ownership {
    /// Whether this node serves reads because of a hand-over: it owns the place. `None` where the placement alone says.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_ring::migration::Ownership;
    /// assert_eq!(Ownership::Releasing(NodeId::new(2)).is_here(), Some(true));
    /// assert_eq!(Ownership::Released(NodeId::new(2)).is_here(), Some(false));
    /// assert_eq!(Ownership::Settled.is_here(), None);
    /// ```
    #[must_use]
    pub const fn is_here(self) -> Option<bool> {
        match self {
            Self::Settled => None,
            Self::HandingOver(_) | Self::Releasing(_) | Self::Arrived(_) => Some(true),
            Self::Released(_) | Self::Arriving(_) => Some(false),
        }
    }
}

/// A hand-over, as one of its nodes sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Handover<R> {
    /// Its number at the source.
    pub number: u64,
    /// The range.
    pub range: R,
    /// The other node.
    pub peer: NodeId,
    /// The version of the topology that the source goes by.
    pub version: Version,
    /// How far it is.
    pub progress: Progress,
}

/// How far a hand-over is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Progress {
    /// At the target: the application has not answered the offer.
    Offered,
    /// Chunks are on their way.
    Copying,
    /// All of the range is at the target, and the source owns it.
    Copied,
    /// At the source: the target owns the range, and may not know yet.
    Released,
    /// The target owns the range. At the target: the source may not know yet.
    Arrived,
    /// The outcome is on record at both nodes: the hand-over can be [retired](super::Migration::retire).
    Closed,
}

/// A view of a migration, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// Ranges that this node hands over and still owns.
    pub leaving: usize,
    /// Ranges that this node released, and that it has not retired.
    pub released: usize,
    /// Ranges that others hand over to this node and still own.
    pub arriving: usize,
    /// Ranges that this node has got, and that it has not retired.
    pub arrived: usize,
    /// Whether some target does not answer.
    pub stalled: bool,
}
