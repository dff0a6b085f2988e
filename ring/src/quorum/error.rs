use core::fmt;

use crate::Token;
use crate::topology::Version;

/// Why no request can be made at such a level.
///
/// ```
/// use quorate_ring::quorum::{Level, LevelError};
/// assert_eq!(Level::All.of(0), Err(LevelError::NoReplicas));
/// assert_eq!(Level::Count(0).of(3), Err(LevelError::Zero));
/// assert_eq!(Level::Count(4).of(3).unwrap_err().to_string(), "there are 3 replicas, and more are asked for");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LevelError {
    /// No node holds the key.
    NoReplicas,
    /// It asks for no replica.
    Zero,
    /// It asks for more than there are.
    Above {
        /// How many there are.
        replicas: usize,
    },
    /// The present replicas and those that are to follow them are more than 32 nodes.
    TooMany,
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplicas => f.write_str("no node holds the key"),
            Self::Zero => f.write_str("a request needs the answer of one replica or more"),
            Self::Above { replicas } => {
                write!(f, "there are {replicas} replicas, and more are asked for")
            }
            Self::TooMany => {
                f.write_str("a key has at most 32 replicas, old and new ones together")
            }
        }
    }
}

impl core::error::Error for LevelError {}

/// Why a request was not begun. Nothing was sent, and nothing was changed.
///
/// ```
/// use quorate_ring::quorum::{Config, Coordinator, Inline, LevelError, ReadOptions, RequestError, Tagged};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
/// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
/// let refused = |options| client.clone().read(Instant::ZERO, b"key", options).unwrap_err();
/// let of_four_owners = refused(ReadOptions { primaries: 4, ..ReadOptions::default() });
/// assert_eq!(of_four_owners, RequestError::Level(LevelError::Above { replicas: 3 }));
/// let long = client.read(Instant::ZERO, &[0; 17], ReadOptions::default());
/// assert_eq!((long, client.status().requests), (Err(RequestError::KeyTooLong), 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The replicas of the key can never meet the level.
    Level(LevelError),
    /// Fewer replicas are up than must answer.
    Unavailable {
        /// How many must answer.
        required: usize,
        /// How many are up.
        alive: usize,
    },
    /// As many requests are in flight as there is room for.
    Busy,
    /// The key is longer than keys may be.
    KeyTooLong,
    /// Values of this kind are formed by a replica of the key, and this node is none.
    NotReplica,
}

impl From<LevelError> for RequestError {
    fn from(error: LevelError) -> Self {
        Self::Level(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(error) => error.fmt(f),
            Self::Unavailable { required, alive } => {
                write!(f, "{required} replicas must answer, and {alive} are up")
            }
            Self::Busy => {
                f.write_str("too many requests are in flight: try again when one is done")
            }
            Self::KeyTooLong => f.write_str("the key is longer than keys may be"),
            Self::NotReplica => f.write_str("this node does not hold the key: ask one that does"),
        }
    }
}

impl core::error::Error for RequestError {}

/// Why a node does not go by a layout. Nothing was changed.
///
/// ```
/// use quorate_ring::quorum::{Config, Inline, LayoutError, Node, Replicated, Tagged};
/// # use quorate_core::NodeId;
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let version = |epoch| Version { epoch, digest: 0 };
/// # let mut ring = HashRing::<quorate_ring::Inline<2, 32>>::new(KeyHash::default(), 16);
/// # ring.add(Member::new(NodeId::new(1)))?;
/// let old = Replicated::new(version(1), ring.clone(), 1);
/// let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, old, Config::lan())?;
/// ring.add(Member::new(NodeId::new(2)))?;
/// let new = Replicated::new(version(2), ring, 1); // node 2 has none of the keys yet
/// assert!(matches!(node.set_layout(new), Err(LayoutError::Unannounced { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LayoutError {
    /// Its version is older than the present one.
    Older {
        /// The present one.
        present: Version,
    },
    /// Keys would have other replicas, and not those that were [to follow](super::Layout::next_replicas): what the present ones hold would be lost.
    Unannounced {
        /// The first token of which that is so.
        at: Token,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { present } => {
                write!(f, "the layout is older than the present one, {present}")
            }
            Self::Unannounced { at } => write!(
                f,
                "keys at {at} would have other replicas, which have not been made to follow: set a layout with both first"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// How a request ended that was not carried out by as many replicas as it asked for.
///
/// A write that failed is not undone: replicas that have it keep it, and it may appear in reads later, or never. The [event](super::Event::Failed) tells
/// whether it can.
///
/// ```
/// use quorate_ring::quorum::{Config, Coordinator, Event, Failure, Inline, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
/// let config = Config { attempts: 1, ..Config::lan() };
/// let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, config)?;
/// client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// while let Some(output) = client.poll() {
///     assert!(matches!(output, Output::Send(..))); // lost on the way, or the answers are
/// }
/// client.tick(Instant::from_micros(config.retry_us));
/// let Some(Output::Event(Event::Failed { failure, .. })) = client.poll() else { panic!() };
/// assert_eq!(failure, Failure::Timeout { acked: 0, required: 2 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Failure {
    /// Too few replicas answered in time.
    Timeout {
        /// How many did.
        acked: usize,
        /// How many had to.
        required: usize,
    },
    /// Replicas go by another topology: make the request again once this node has it.
    Stale {
        /// The version of the last one that refused; this node's own, if that has changed and the
        /// request cannot be carried out in it.
        version: Version,
    },
    /// Replicas have no room, or what was read has none in one value.
    Full,
    /// Tombstones may be purged up to a clock that the value does not exceed: form it again, with a higher one.
    Purged {
        /// Its [clock](super::Value::clock) must be above this.
        floor: u64,
    },
    /// The value contradicts one that is there: two nodes write under one name, or one lost its memory.
    Conflict,
    /// The value was to be later than what was read and have a clock above the floor, and is not, or has not: form it again.
    Behind {
        /// Its [clock](super::Value::clock) must be above this, too.
        floor: u64,
    },
    /// Enough replicas answered a read, and what they have lacks what the reader [has seen](super::Node::read_at_least): ask again later. The event has what they have.
    /// Of a key that was deleted so long ago that it may be purged, a [`Coordinator`](super::Coordinator) goes on with the context of that.
    Missing,
    /// Replicas started without records, and do not know yet what they held.
    Blank,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { acked, required } => {
                write!(f, "{acked} replicas answered in time, and {required} had to")
            }
            Self::Stale { version } => write!(f, "replicas go by topology {version}"),
            Self::Full => f.write_str("replicas have no room"),
            Self::Purged { floor } => {
                write!(f, "a new value needs a clock above {floor}")
            }
            Self::Conflict => f.write_str("the value contradicts one that is there"),
            Self::Missing => {
                f.write_str("the replicas that answered lack what the reader has seen")
            }
            Self::Behind { floor } => {
                write!(
                    f,
                    "the value is not later than what is there, or has no clock above {floor}: form it again"
                )
            }
            Self::Blank => f.write_str("replicas do not know yet what they held"),
        }
    }
}

impl core::error::Error for Failure {}
