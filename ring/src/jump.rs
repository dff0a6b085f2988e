use quorate_core::{List, NodeId, Rng};

use crate::fingerprint::Fingerprint;
use crate::members::count_zones_of;
use crate::storage::Kinds;
use crate::{KeyHash, Member, MemberError, Placement, Storage, Token, Zone};

/// How many other buckets a walk tries by hashing before it takes each of them once.
const TRIES: u64 = 64;
/// The most buckets.
const MAX_BUCKETS: usize = 1 << 24;

/// Jump consistent hashing (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014), with members that go in
/// any order by Memento's replacements (Coluzzi, Brocco, Contu and Leidi, "MementoHash", 2023, section IV).
///
/// Keys are spread over numbered buckets, and each bucket belongs to a member; a member of weight w has w buckets. The paper's
/// function needs no memory, but only the last bucket can be removed. Memento removes any: a removed bucket stays in the list,
/// marked with the number of buckets that are left, and its keys are hashed again over those. The next member that is added takes
/// the bucket that was removed last.
///
/// A lookup takes about ln n steps for n buckets, and more where many are marked: after the first member, and then the last ones one after
/// the other have gone, up to a step for each marked bucket. Shares are as even as random keys are. Unlike a
/// ring, it depends on the order of changes: all nodes must add and remove the same members in the same order, for
/// example as commands of a replicated log. A node that joins or restarts gets the value itself, through the feature `serde`.
///
/// **Do not build it anew from a [`Topology`](crate::topology::Topology)**, which lists members in the order of their ids: where member 3 joins members 1, 2
/// and 4 to 10, four in five keys would move. Add and remove members of the `Jump` that is there.
///
/// When a member is added, the owner of a key changes to that member or not at all. Further replicas come from further hashes of the
/// key, so some of them may also move between other members. A zone that has few of the buckets is found by going through all of them, in an
/// order of the key's own: so each of its buckets has as many replicas as another. Of the storage only the second parameter counts, the number of buckets.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, Jump, KeyHash, Member, Placement};
/// let mut nodes = Jump::<Inline<4, 8>>::new(KeyHash::default());
/// for id in [1, 2, 3, 4].map(NodeId::new) {
///     nodes.add(Member::new(id))?;
/// }
/// let at = nodes.position(b"key");
/// let owner = nodes.owner(at).ok_or(quorate_ring::MemberError::Full)?;
/// nodes.remove(owner)?;
/// assert_ne!(nodes.owner(at), Some(owner));
/// nodes.add(Member::new(owner))?; // into the same bucket
/// assert_eq!(nodes.owner(at), Some(owner));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Jump<S: Storage> {
    hash: KeyHash,
    buckets: S::Buckets,
    /// The bucket that was marked last.
    last: Option<u32>,
    /// How many are not marked.
    working: u32,
    zones: usize,
}

/// A bucket: whose it is, or that its member has gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(unnameable_types)] // of the sealed storage
pub enum Bucket {
    Of(NodeId, Zone),
    Removed(Marked),
}

impl Bucket {
    fn member(self) -> Option<(NodeId, Zone)> {
        match self {
            Self::Of(node, zone) => Some((node, zone)),
            Self::Removed(_) => None,
        }
    }

    fn marked(self) -> Option<Marked> {
        match self {
            Self::Of(..) => None,
            Self::Removed(marked) => Some(marked),
        }
    }
}

/// The mark of a bucket whose member has gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(unnameable_types)] // of the sealed storage
pub struct Marked {
    /// How many buckets were left: also the number of the one that took this one's place.
    left: u32,
    /// The bucket that was marked before.
    previous: Option<u32>,
}

impl<S: Storage> Jump<S> {
    /// No members. With `Heap` storage there is room for 2^24 buckets.
    #[must_use]
    pub fn new(hash: KeyHash) -> Self {
        Self::with_limit(hash, MAX_BUCKETS)
    }

    /// The same for at most so many buckets, where the storage has no limit of its own.
    ///
    /// ```
    /// # use quorate_ring::{Inline, Jump, KeyHash};
    /// let nodes = Jump::<Inline<3, 3>>::with_limit(KeyHash::default(), 3);
    /// assert_eq!(nodes.buckets(), 0);
    /// ```
    #[must_use]
    pub fn with_limit(hash: KeyHash, buckets: usize) -> Self {
        let buckets = <S as Kinds>::Buckets::with_limit(buckets.min(MAX_BUCKETS));
        Self { hash, buckets, last: None, working: 0, zones: 0 }
    }

    /// Adds a member: first into the buckets that were removed last, then into new ones. Takes a look at each bucket.
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`], [`Duplicate`](MemberError::Duplicate) or [`Full`](MemberError::Full); nothing was changed.
    pub fn add(&mut self, member: Member) -> Result<(), MemberError> {
        if member.weight == 0 {
            return Err(MemberError::ZeroWeight);
        }
        if self.members().any(|(node, _)| node == member.id) {
            return Err(MemberError::Duplicate(member.id));
        }
        let free = self.buckets.limit().saturating_sub(self.working as usize);
        if free < usize::from(member.weight) {
            return Err(MemberError::Full);
        }
        for _ in 0..member.weight {
            let bucket = Bucket::Of(member.id, member.zone);
            match self.last.and_then(|last| self.buckets.get_mut(last as usize)) {
                Some(free) => {
                    self.last = free.marked().and_then(|marked| marked.previous);
                    *free = bucket;
                }
                None => self.buckets.push(bucket)?, // there is room
            }
            self.working = self.working.saturating_add(1);
        }
        self.zones = count_zones_of(self.members());
        Ok(())
    }

    /// Removes a member and its buckets. Takes a look at each bucket.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Jump, KeyHash, Member, MemberError};
    /// let mut nodes = Jump::<Inline<0, 2>>::new(KeyHash::default());
    /// let node = NodeId::new(1);
    /// nodes.add(Member::new(node))?;
    /// nodes.remove(node)?;
    /// assert_eq!(nodes.remove(node), Err(MemberError::Unknown(node)));
    /// # Ok::<(), MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`]; nothing was changed.
    pub fn remove(&mut self, node: NodeId) -> Result<(), MemberError> {
        if !self.members().any(|(other, _)| other == node) {
            return Err(MemberError::Unknown(node));
        }
        for place in (0..self.buckets.len()).rev() {
            let is_last = place.saturating_add(1) == self.buckets.len();
            let Some(bucket) = self.buckets.get_mut(place) else { continue };
            if bucket.member().is_none_or(|(other, _)| other != node) {
                continue;
            }
            self.working = self.working.saturating_sub(1);
            if is_last && self.last.is_none() {
                self.buckets.truncate(place);
                continue;
            }
            *bucket = Bucket::Removed(Marked { left: self.working, previous: self.last });
            self.last = u32::try_from(place).ok();
        }
        if self.working == 0 {
            self.buckets.clear();
            self.last = None;
        }
        self.zones = count_zones_of(self.members());
        Ok(())
    }

    /// The number of buckets that belong to members: the sum of their weights.
    #[must_use]
    pub const fn buckets(&self) -> usize {
        self.working as usize
    }

    /// The nodes with their zones, in the order of their buckets: a node of weight w comes w times.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Jump, KeyHash, Member, Zone};
    /// let mut nodes = Jump::<Inline<3, 3>>::new(KeyHash::default());
    /// nodes.add(Member::new(NodeId::new(1)).with_weight(2))?;
    /// assert!(nodes.members().eq([(NodeId::new(1), Zone::default()); 2]));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn members(&self) -> impl Iterator<Item = (NodeId, Zone)> + Clone {
        self.buckets.iter().filter_map(|bucket| bucket.member())
    }

    /// The bucket of a token: MementoHash's lookup.
    fn bucket(&self, token: u64) -> Option<u32> {
        let marked = |bucket: u32| self.buckets.get(bucket as usize)?.marked();
        let mut bucket = jump(token, u32::try_from(self.buckets.len()).ok()?)?;
        // each turn has fewer buckets left than the one before
        while let Some(Marked { left, .. }) = marked(bucket) {
            let hash = Rng::mix(token ^ Rng::mix(u64::from(bucket).wrapping_add(1)));
            let mut next = u32::try_from(hash.checked_rem(u64::from(left))?).ok()?;
            // of the buckets that are left, this is the number; those that went before are passed
            while let Some(earlier) = marked(next).filter(|marked| marked.left >= left) {
                next = earlier.left;
            }
            bucket = next;
        }
        Some(bucket)
    }

    /// Each bucket once, in an order that depends on the token, so that the keys that look for a zone of few buckets find each of them
    /// as often as another. The numbers are those below a power of two, so one more bucket leaves the others in their order, unless
    /// there are twice as many numbers from it on.
    fn scattered(&self, token: u64) -> impl Iterator<Item = (NodeId, Zone)> {
        let places = self.buckets.len().next_power_of_two() as u64; // of 2^24 at most
        let last = places.saturating_sub(1);
        let half = places.trailing_zeros().div_ceil(2);
        let first = Rng::mix(!token);
        let step = Rng::mix(first) | 1;
        (0..places).filter_map(move |number| {
            // odd factors, and a number with its upper half: each of them gives no number twice
            let even = first.wrapping_add(number.wrapping_mul(step)) & last;
            let at = even ^ even.checked_shr(half).unwrap_or(0);
            self.member_at(at.wrapping_mul(step) & last)
        })
    }

    fn member_at(&self, bucket: u64) -> Option<(NodeId, Zone)> {
        self.buckets.get(usize::try_from(bucket).ok()?)?.member()
    }
}

impl<S: Storage> Placement for Jump<S> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.hash.token(key)
    }

    /// The bucket of the token, those of hashes of it, and at last each bucket once.
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        let hashes = (0..TRIES).map(move |number| match number {
            0 => at.get(),
            _ => Rng::mix(at.get().wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        });
        let hashed = hashes.filter_map(|token| self.member_at(u64::from(self.bucket(token)?)));
        hashed.chain(self.scattered(at.get()))
    }

    fn zones(&self) -> usize {
        self.zones
    }

    /// That of buckets: each is a node's.
    fn nodes(&self) -> usize {
        self.buckets()
    }

    /// The buckets are part of it, in their order, with those that are marked: members that came and went in another order answer
    /// differently.
    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("jump");
        fingerprint.hash(self.hash);
        fingerprint.length(self.buckets.len());
        for bucket in self.buckets.iter() {
            let (node, number) = match *bucket {
                Bucket::Of(node, zone) => (Some(node), zone.get().into()),
                Bucket::Removed(Marked { left, .. }) => (None, left),
            };
            fingerprint.node(node);
            fingerprint.number(number);
        }
        fingerprint.finish()
    }
}

#[cfg(feature = "serde")]
mod serde_form {
    use serde::de::{Deserialize, Deserializer, Error as _};
    use serde::ser::{Serialize, SerializeStruct as _, Serializer};

    use super::{Bucket, Jump, MAX_BUCKETS};
    use crate::members::count_zones_of;
    use crate::serde_list::deserialize;
    use crate::storage::Kinds;
    use crate::{KeyHash, Storage};

    impl<S: Storage> Serialize for Jump<S> {
        fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
            let mut fields = serializer.serialize_struct("Jump", 3)?;
            fields.serialize_field("hash", &self.hash)?;
            fields.serialize_field("buckets", &*self.buckets)?;
            fields.serialize_field("last", &self.last)?;
            fields.end()
        }
    }

    /// What is read has the limit of [`Jump::new`]. Looks at each pair of buckets.
    impl<'de, S: Storage> Deserialize<'de> for Jump<S> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(serde::Deserialize)]
            #[serde(rename = "Jump", bound = "S: Storage")]
            struct Fields<S: Storage> {
                hash: KeyHash,
                #[serde(deserialize_with = "deserialize::<MAX_BUCKETS, Bucket, _, _>")]
                buckets: <S as Kinds>::Buckets,
                last: Option<u32>,
            }
            let Fields { hash, buckets, last } = Fields::<S>::deserialize(deserializer)?;
            let mut jump = Self { hash, buckets, last, working: 0, zones: 0 };
            jump.working = u32::try_from(jump.members().count()).unwrap_or(u32::MAX);
            jump.zones = count_zones_of(jump.members());
            if jump.has_sound_marks() && jump.has_sound_members() {
                return Ok(jump);
            }
            Err(D::Error::custom("no additions and removals lead to these buckets"))
        }
    }

    impl<S: Storage> Jump<S> {
        /// Whether the marks are one chain from the last on, each made when one bucket more was left.
        fn has_sound_marks(&self) -> bool {
            let (mut left, mut next) = (self.working as usize, self.last);
            while let Some(place) = next {
                let bucket = self.buckets.get(place as usize);
                let Some(marked) = bucket.and_then(|bucket| bucket.marked()) else { return false };
                // the first would not have been marked, but taken from the end
                let at_end = (place as usize).saturating_add(1) == self.buckets.len();
                if marked.left as usize != left || marked.previous.is_none() && at_end {
                    return false;
                }
                (left, next) = (left.saturating_add(1), marked.previous);
            }
            left == self.buckets.len() && (self.working > 0 || left == 0)
        }

        /// Whether each member is in one zone, and has no more buckets than a weight can say.
        fn has_sound_members(&self) -> bool {
            self.members().all(|(node, zone)| {
                let mut of_it = self.members().filter(|(other, _)| *other == node);
                of_it.clone().count() <= usize::from(u16::MAX) && of_it.all(|(_, its)| its == zone)
            })
        }
    }
}

/// The bucket of a key among `buckets`, from 0 on: `None` if there are none (Lamping and Veach, 2014, figure 1).
///
/// Each step draws a random number and jumps to the bucket at which the key would have moved next, until that is beyond the last.
/// The paper divides floating-point numbers, and this divides integers, with the same results for all but a few keys in a billion: where the
/// quotient is a whole number, the paper's may be rounded to just below it.
///
/// ```
/// use quorate_ring::jump;
/// assert_eq!(jump(2, 100_001), Some(80_343));
/// assert_eq!(jump(2, 0), None);
/// ```
#[must_use]
pub const fn jump(mut key: u64, buckets: u32) -> Option<u32> {
    if buckets == 0 {
        return None;
    }
    let mut bucket = 0_u64;
    loop {
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let (scaled, divisor) = (bucket.saturating_add(1) << 31, (key >> 33).saturating_add(1));
        // the quotient would be beyond the last bucket: a product tells it sooner
        if scaled >= divisor.saturating_mul(buckets as u64) {
            #[allow(clippy::cast_possible_truncation)] // below `buckets`, which fits
            return Some(bucket as u32);
        }
        // at least the next bucket, as the divisor is at most 2^31
        bucket = match scaled.checked_div(divisor) {
            Some(next) => next,
            None => return None,
        };
    }
}
