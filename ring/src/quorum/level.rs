use super::LevelError;

/// How many replicas must have answered before a request is done.
///
/// ```
/// use quorate_ring::quorum::Level;
/// assert_eq!([Level::One, Level::Quorum, Level::All, Level::Count(2)].map(|level| level.of(5)), [Ok(1), Ok(3), Ok(5), Ok(2)]);
/// assert!(Level::Count(6).of(5).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Level {
    /// One.
    One,
    /// More than half of them.
    #[default]
    Quorum,
    /// Every one.
    All,
    /// So many.
    Count(u8),
}

impl Level {
    /// How many that is of so many replicas.
    ///
    /// ```
    /// use quorate_ring::quorum::{Level, LevelError};
    /// assert_eq!([3, 4, 5].map(|replicas| Level::Quorum.of(replicas)), [Ok(2), Ok(3), Ok(3)]);
    /// assert_eq!(Level::Count(3).of(2), Err(LevelError::Above { replicas: 2 }));
    /// ```
    ///
    /// # Errors
    ///
    /// [`LevelError`] where there are no replicas, or fewer than that, and of 0.
    pub const fn of(self, replicas: usize) -> Result<usize, LevelError> {
        if replicas == 0 {
            return Err(LevelError::NoReplicas);
        }
        let count = match self {
            Self::One => 1,
            Self::Quorum => (replicas / 2).saturating_add(1),
            Self::All => replicas,
            Self::Count(count) => count as usize,
        };
        if count == 0 {
            return Err(LevelError::Zero);
        }
        if count > replicas { Err(LevelError::Above { replicas }) } else { Ok(count) }
    }
}

/// How a key is written.
///
/// ```
/// use quorate_ring::quorum::{Level, WriteOptions};
/// let options = WriteOptions { level: Level::All, ..WriteOptions::default() };
/// assert!(!options.sloppy);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WriteOptions {
    /// W: how many replicas have the write durably when it is acknowledged. In a sloppy quorum a
    /// fallback that keeps it for an owner counts as that owner.
    pub level: Level,
    /// PW: how many owners must have the write themselves, whatever fallbacks keep for them; 0 asks
    /// for none. It counts beside the level, of a strict request too: with `Level::One` and 2 of
    /// them, two owners must answer. While replicas change, those that are to follow are not
    /// counted.
    pub primaries: u8,
    /// A fallback takes the write, with a hint, in the place of an owner that is
    /// [down](super::Node::set_down), or that has not answered after
    /// [`retry_us`](super::Config::retry_us) (DeCandia et al., "Dynamo", SOSP 2007, section 4.6).
    /// The write is available for longer, and a read of R owners may miss it although R + W > N. The
    /// layout has to have [fallbacks](super::Replicated::with_fallbacks), and they need room for hints.
    pub sloppy: bool,
    /// Whether the write comes after what is there.
    pub order: Order,
}

/// Whether a write looks at what it replaces.
///
/// ```
/// use quorate_ring::quorum::{Config, Event, Inline, Node, Order, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// # node.found();
/// let after_read = WriteOptions { order: Order::AfterRead, ..WriteOptions::default() };
/// let mut numbers = Vec::new();
/// for value in [7, 8] {
///     node.write(Instant::ZERO, b"key", Tagged::new(value), after_read)?;
///     while let Some(output) = node.poll() {
///         match output {
///             Output::Persist(ticket, _record) => node.persisted(ticket),
///             Output::Event(Event::Written { value, .. }) => numbers.push(value.tag().number()),
///             _ => {}
///         }
///     }
/// }
/// assert_eq!(numbers, [1, 2]); // each comes after what is there
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Order {
    /// The value is written as it was formed: one round trip.
    #[default]
    Formed,
    /// The replicas are asked first, and the value [follows](super::Value::follow) what they have:
    /// two round trips. N − W + 1 must answer, so that each write of this level is met, and more
    /// than half of them. With `Level::One` that is all N: such a write fails while one of them is
    /// down.
    AfterRead,
}

/// How a key is read.
///
/// ```
/// use quorate_ring::quorum::{Level, ReadOptions, ReadRepair};
/// let atomic = ReadOptions { repair: ReadRepair::Blocking, ..ReadOptions::default() };
/// assert_eq!(atomic.level, Level::Quorum);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadOptions {
    /// R: how many replicas must have answered.
    pub level: Level,
    /// PR: how many owners must have answered themselves, whatever fallbacks answer for them; 0
    /// asks for none. It counts beside the level, of a strict request too, and not for what the
    /// read writes back. While replicas change, those that are to follow are not counted.
    pub primaries: u8,
    /// A fallback answers in the place of an owner that is down or does not, with what it keeps for
    /// that owner.
    pub sloppy: bool,
    /// What happens to replicas that have less than the read returns.
    pub repair: ReadRepair,
}

/// What a read does for replicas that have less than it returns.
///
/// | | promise, with R + W > N and no sloppy request | messages for n replicas, the reader apart from them |
/// |---|---|---|
/// | `Off` | a read that begins after a write was acknowledged returns that write or a later one | 2n |
/// | `Background` | the same, and replicas that answered are repaired later | 2n, and 2 for each that is repaired |
/// | `Blocking` | also: a read that begins after this one returned is not behind it, if it asks as many replicas as this one did, or more than half of them. This read may time out where the value cannot be written back | 2n, and 2 for each that is not known to have the value |
/// | `Always` | as `Blocking`: the algorithm as it was published | 4n |
///
/// After a `Blocking` read of all 3 replicas 2 of them have what it returned for certain: a later
/// read of one may meet the third. A reader of one or few replicas does not go back with
/// [`read_at_least`](super::Node::read_at_least).
///
/// ```
/// use quorate_ring::quorum::{Config, Event, Inline, Level, Node, ReadOptions, ReadRepair, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
/// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// # node.found();
/// // one of three replicas has the value, and nobody else answers
/// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// let mut found = Vec::new();
/// for repair in [ReadRepair::Off, ReadRepair::Blocking] {
///     let one = ReadOptions { level: Level::One, repair, ..ReadOptions::default() };
///     node.read(Instant::ZERO, b"key", one)?;
///     while let Some(output) = node.poll() {
///         match output {
///             Output::Persist(ticket, _record) => node.persisted(ticket),
///             Output::Event(Event::Found { value, .. }) => found.push((repair, value.cloned())),
///             _ => {}
///         }
///     }
/// }
/// assert_eq!(found, [(ReadRepair::Off, Some(Tagged::nth(1, 7)))]); // the other waits until all three have it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReadRepair {
    /// Nothing.
    Off,
    /// They are sent the value after the read has returned.
    #[default]
    Background,
    /// The read returns when N − R + 1 replicas have the value, and more than half of them: every
    /// later read of R replicas or more, or of more than half, meets one of them.
    Blocking,
    /// The read writes the value to all replicas, whatever they answered, and returns as with `Blocking`.
    Always,
}
