use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};

use super::{FollowRefused, MergeRefused, Value, WriteId};

/// A value with the tag of its write: with R + W > N, and nothing sloppy, a register that is
/// linearizable when it is read with [`ReadRepair::Always`](super::ReadRepair::Always) or
/// [`Blocking`](super::ReadRepair::Blocking) (Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly
/// in Message-Passing Systems", JACM 1995, section 3), and written either by one node alone with
/// tags that it counts itself, or by many with [`Order::AfterRead`](super::Order::AfterRead) (Lynch
/// and Shvartsman, "Robust Emulation of Shared Memory Using Dynamic Quorum-Acknowledged
/// Broadcasts", FTCS 1997, section 3). No clock is needed.
///
/// ```
/// use quorate_ring::quorum::{Tagged, Value};
/// let mut register = Tagged::nth(1, 4_u32);
/// assert!(register.merge(&Tagged::nth(2, 5))?);
/// assert_eq!(register.get(), Some(&5));
/// # Ok::<(), quorate_ring::quorum::MergeRefused>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tagged<T> {
    tag: Tag,
    value: Option<T>,
}

/// Which write a value is of: the number in the order of the register, and of writes with one number which write it is.
///
/// ```
/// use quorate_ring::quorum::Tagged;
/// assert!(Tagged::nth(2, 'a').tag() > Tagged::nth(1, 'b').tag());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tag {
    number: u64,
    write: WriteId,
}

impl Tag {
    /// The number in the order of the register's writes.
    ///
    /// ```
    /// # use quorate_ring::quorum::Tagged;
    /// assert_eq!(Tagged::nth(3, ()).tag().number(), 3);
    /// ```
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl<T> Tagged<T> {
    /// A value to be written with [`Order::AfterRead`](super::Order::AfterRead), which gives it its tag.
    ///
    /// ```
    /// # use quorate_ring::quorum::Tagged;
    /// assert_eq!(Tagged::new(4).tag().number(), 0);
    /// ```
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self { tag: Tag { number: 0, write: WriteId::NONE }, value: Some(value) }
    }

    /// The write of this number by the only node that writes: 1, 2, 3 and so on, also after a restart.
    ///
    /// ```
    /// use quorate_ring::quorum::{Tagged, Value};
    /// let mut replica = Tagged::nth(2, 8);
    /// assert!(!replica.merge(&Tagged::nth(1, 7_u32))?); // a late message changes nothing
    /// assert_eq!(replica.get(), Some(&8));
    /// # Ok::<(), quorate_ring::quorum::MergeRefused>(())
    /// ```
    #[must_use]
    pub const fn nth(number: u64, value: T) -> Self {
        Self { tag: Tag { number, write: WriteId::NONE }, value: Some(value) }
    }

    /// The deletion, to be written with [`Order::AfterRead`](super::Order::AfterRead).
    ///
    /// ```
    /// # use quorate_ring::quorum::{Tagged, Value};
    /// assert!(Tagged::<u8>::tombstone().is_tombstone());
    /// ```
    #[must_use]
    pub const fn tombstone() -> Self {
        Self { tag: Tag { number: 0, write: WriteId::NONE }, value: None }
    }

    /// The value; `None` if the key was deleted.
    ///
    /// ```
    /// use quorate_ring::quorum::Tagged;
    /// assert_eq!([Tagged::new(7), Tagged::tombstone()].map(|value| value.get().copied()), [Some(7), None]);
    /// ```
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The tag of its write.
    ///
    /// ```
    /// use quorate_ring::quorum::{Tagged, Value, WriteId};
    /// let read = Tagged::nth(5, 7_u32);
    /// let mut written = Tagged::new(8);
    /// written.follow(Some(&read), 0, WriteId::default())?; // as a write with `Order::AfterRead` does
    /// assert_eq!(written.tag().number(), 6);
    /// # Ok::<(), quorate_ring::quorum::FollowRefused>(())
    /// ```
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }
}

impl<T: Clone + Eq + Hash + Debug + for<'a> Wire<'a>> Value for Tagged<T> {
    const FORMED_BY_REPLICAS: bool = false;
    type Context = Tag;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused> {
        if self.tag == other.tag && self.value != other.value {
            return Err(MergeRefused::Conflict);
        }
        let later = other.tag > self.tag;
        if later {
            self.clone_from(other);
        }
        Ok(later)
    }

    fn context(&self) -> Tag {
        self.tag
    }

    fn includes(&self, seen: &Tag) -> bool {
        self.tag >= *seen
    }

    fn clock_of_seen(seen: &Tag) -> u64 {
        seen.number
    }

    fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    fn clock(&self) -> u64 {
        self.tag.number
    }

    fn follow(
        &mut self,
        seen: Option<&Self>,
        floor: u64,
        write: WriteId,
    ) -> Result<(), FollowRefused> {
        let number = seen.map_or(0, |seen| seen.tag.number).max(floor).checked_add(1);
        self.tag = Tag { number: number.ok_or(FollowRefused::Full)?, write };
        Ok(())
    }
}

/// The number, the node, incarnation and number of the write, and then the value as an option.
impl<T: for<'a> Wire<'a>> Wire<'_> for Tagged<T> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Tag { number, write } = self.tag;
        out.u64(number);
        out.u64(write.node.get());
        out.u64(write.incarnation);
        out.u64(write.number);
        self.value.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = input.u64()?;
        let write = WriteId {
            node: NodeId::new(input.u64()?),
            incarnation: input.u64()?,
            number: input.u64()?,
        };
        Ok(Self { tag: Tag { number, write }, value: Option::decode(input)? })
    }
}
