use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::Stamp;
use quorate_core::{DecodeError, Reader, Wire, Writer};

use super::{FollowRefused, MergeRefused, Value, WriteId};

/// The last write wins: a value, or a tombstone, with the timestamp of its write.
///
/// The writer takes the timestamp from its hybrid logical clock ([`Hlc`](quorate_clocks::Hlc)), and lets that clock
/// [receive](quorate_clocks::Hlc::receive) the timestamp of each value it reads: so what it writes next is later than what it has seen, whatever
/// the other node's clock says. A write of somebody who has **not** read what it replaces is lost if its clock is behind by more than the time between
/// the two: [`Order::AfterRead`](super::Order::AfterRead) reads first, and refuses such a write, so that it can be stamped again.
///
/// A delete by a node whose clock is far ahead would take the floor up to which no new values are taken there with it:
/// [`Node::limit_floor`](super::Node::limit_floor) prevents that.
///
/// Of two writes with one timestamp that of the higher node wins; a node gives each timestamp once.
///
/// ```
/// use quorate_clocks::{Actor, Stamp, Timestamp};
/// use quorate_ring::quorum::{Lww, Value};
/// let at = |micros| Stamp { time: Timestamp::from_micros(micros), actor: Actor::default() };
/// let mut value = Lww::new(at(5), 7_u32);
/// value.merge(&Lww::tombstone(at(6)))?;
/// assert_eq!(value.get(), None);
/// assert!(!value.merge(&Lww::new(at(4), 8))?); // it is earlier
/// # Ok::<(), quorate_ring::quorum::MergeRefused>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lww<T> {
    stamp: Stamp,
    value: Option<T>,
}

impl<T> Lww<T> {
    /// A value that was written at that time.
    ///
    /// ```
    /// use quorate_clocks::{Actor, Hlc, HlcConfig, Reading, Stamp};
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_ring::quorum::Lww;
    /// let (mut clock, actor) = (Hlc::new(HlcConfig::lan()), Actor::from(NodeId::new(1)));
    /// let mut stamp = |wall_us| clock.stamp(Reading::new(Instant::ZERO, wall_us)).map(|time| Stamp { time, actor });
    /// let first = Lww::new(stamp(1_700_000_000_000_000)?, 7);
    /// let second = Lww::new(stamp(1_600_000_000_000_000)?, 8); // the clock on the wall was set back
    /// assert!(second.stamp() > first.stamp());
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn new(stamp: Stamp, value: T) -> Self {
        Self { stamp, value: Some(value) }
    }

    /// The key was deleted at that time.
    ///
    /// ```
    /// use quorate_clocks::Stamp;
    /// use quorate_ring::quorum::{Lww, Value};
    /// assert!(Lww::<u8>::tombstone(Stamp::default()).is_tombstone());
    /// ```
    #[must_use]
    pub const fn tombstone(stamp: Stamp) -> Self {
        Self { stamp, value: None }
    }

    /// The value; `None` if the key was deleted.
    ///
    /// ```
    /// use quorate_clocks::Stamp;
    /// use quorate_ring::quorum::Lww;
    /// assert_eq!(Lww::new(Stamp::default(), 7).get(), Some(&7));
    /// assert_eq!(Lww::<u8>::tombstone(Stamp::default()).get(), None);
    /// ```
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// When it was written, and by which node.
    ///
    /// ```
    /// # use quorate_clocks::Stamp;
    /// # use quorate_ring::quorum::Lww;
    /// assert_eq!(Lww::new(Stamp::default(), 1).stamp(), Stamp::default());
    /// ```
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl<T: Clone + Eq + Hash + Debug + for<'a> Wire<'a>> Value for Lww<T> {
    const FORMED_BY_REPLICAS: bool = false;
    type Context = Stamp;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused> {
        if self.stamp == other.stamp && self.value != other.value {
            return Err(MergeRefused::Conflict);
        }
        let later = other.stamp > self.stamp;
        if later {
            self.clone_from(other);
        }
        Ok(later)
    }

    fn context(&self) -> Stamp {
        self.stamp
    }

    fn includes(&self, seen: &Stamp) -> bool {
        self.stamp >= *seen
    }

    fn clock_of_seen(seen: &Stamp) -> u64 {
        seen.time.to_bits()
    }

    fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    fn clock(&self) -> u64 {
        self.stamp.time.to_bits()
    }

    /// A stamp that is not later stays: only the writer's clock gives each stamp once.
    fn follow(
        &mut self,
        seen: Option<&Self>,
        floor: u64,
        _write: WriteId,
    ) -> Result<(), FollowRefused> {
        let is_later = seen.is_none_or(|seen| self.stamp > seen.stamp);
        if is_later && self.clock() > floor { Ok(()) } else { Err(FollowRefused::Behind) }
    }
}

/// The stamp, and then the value as an option.
impl<T: for<'a> Wire<'a>> Wire<'_> for Lww<T> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.stamp.encode(out);
        self.value.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { stamp: Stamp::decode(input)?, value: Option::decode(input)? })
    }
}
