use core::fmt;

use quorate_core::{Full, List, NodeId};

use crate::fingerprint::Fingerprint;
use crate::members::place_of;
use crate::storage::Kinds;
use crate::{HashRing, MemberError, Placement, Storage, Token, Zone};

/// Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018,
/// section 2): no member gets more than c times the mean, and what it has no room for goes to the next member on the circle.
///
/// The capacity of each member is ⌈c · keys / members⌉. The number of keys is stated before the first key is placed, so the
/// capacity does not change while keys arrive. Weights are ignored: all members have the same capacity.
///
/// # Reading
///
/// Where a key went depends on how full the members were when it was placed. [`chain`](Self::chain) finds it again without a list of
/// keys: it names the members that may have the key, in the order in which the key was offered to them, up to and including the first that
/// never turned a key away. As long as no member is full, that is one member. A member that turned a key away is marked, and stays
/// marked when it has room again, because the keys that it turned away stay with the members behind it. [`release`](Self::release)
/// makes room; [`reset`](Self::reset) removes all marks.
///
/// The marks are part of this value. A reader without it can ask the members themselves, along [`walk`](Placement::walk), whether they
/// [turned a key away](Self::has_spilled): the first that never did is the last to ask. A node that restarts needs what it knew of each
/// member: [`keys_of`](Self::keys_of) and [`has_spilled`](Self::has_spilled) tell it, and [`restore`](Self::restore) takes it.
///
/// As a [`Placement`], this is its ring: the owner is the member that a key is offered to first, which need not be the one that has it.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Placement};
/// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
/// ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// let load = LoadFactor::new(5, 4).unwrap_or_default(); // a quarter more than the mean
/// let mut bounded = Bounded::new(ring, load, 12);
/// assert_eq!(bounded.capacity(), 5);
/// let at = bounded.ring().position(b"key");
/// let node = bounded.place(at)?;
/// assert!(bounded.chain(at).any(|other| other == node));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bounded<S: Storage> {
    ring: HashRing<S>,
    load: LoadFactor,
    keys: u64,
    /// Of each member, in the order of their ids.
    held: S::Held,
}

/// The largest load of a member as a multiple of the mean load: a fraction of 1 or more.
///
/// ```
/// use quorate_ring::LoadFactor;
/// assert_eq!(LoadFactor::new(3, 4), None);
/// assert_eq!(LoadFactor::default(), LoadFactor::new(5, 4).unwrap_or_default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LoadFactor {
    numerator: u32,
    denominator: u32,
}

impl LoadFactor {
    /// `numerator / denominator` times the mean; `None` if that is below 1, or the denominator is 0.
    #[must_use]
    pub const fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if denominator == 0 || numerator < denominator {
            return None;
        }
        Some(Self { numerator, denominator })
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for LoadFactor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "LoadFactor")]
        struct Fields {
            numerator: u32,
            denominator: u32,
        }
        let Fields { numerator, denominator } = Fields::deserialize(deserializer)?;
        let load = Self::new(numerator, denominator);
        load.ok_or_else(|| serde::de::Error::custom("a load is 1 or more"))
    }
}

impl Default for LoadFactor {
    /// 5/4: a quarter more than the mean.
    fn default() -> Self {
        Self { numerator: 5, denominator: 4 }
    }
}

impl fmt::Display for LoadFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// A member's load.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(unnameable_types)] // of the sealed storage
pub struct Held {
    keys: u64,
    /// It has turned a key away.
    spilled: bool,
}

impl<S: Storage> Bounded<S> {
    /// Bounds the loads of a ring whose members will get `keys` keys in all: none more than `load` times the mean. The members
    /// of the ring are fixed from here on; build another value when they change.
    #[must_use]
    pub fn new(ring: HashRing<S>, load: LoadFactor, keys: u64) -> Self {
        let mut held = <S as Kinds>::Held::with_limit(usize::from(u16::MAX));
        for _ in ring.members() {
            let _ = held.push(Held::default()); // as many as the members have
        }
        Self { ring, load, keys, held }
    }

    /// The most keys that a member takes, ⌈load · keys / members⌉; 0 without members.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        let members = self.held.len() as u128;
        let product = u128::from(self.keys).saturating_mul(u128::from(self.load.numerator));
        let by = members.saturating_mul(u128::from(self.load.denominator));
        let whole = product.checked_div(by).unwrap_or(0);
        let up = u128::from(product.checked_rem(by).unwrap_or(0) > 0);
        u64::try_from(whole.saturating_add(up)).unwrap_or(u64::MAX)
    }

    /// Places a key on the first member of its walk that has room, and returns that member. The members before it are marked.
    ///
    /// No list of keys is kept, so a key that is placed twice counts twice.
    ///
    /// ```
    /// # use quorate_core::{Full, NodeId};
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// let node = NodeId::new(1);
    /// let mut ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// ring.add(Member::new(node))?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 1); // room for 2
    /// let placed = [(); 3].map(|()| bounded.place(Token::MIN));
    /// assert_eq!(placed, [Ok(node), Ok(node), Err(Full)]);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Full`] if no member has room: there is none, or more keys are placed than [`new`](Self::new) was told. Nothing was changed.
    pub fn place(&mut self, at: Token) -> Result<NodeId, Full> {
        let capacity = self.capacity();
        let has_room = |node| self.held(node).is_some_and(|held| held.keys < capacity);
        let (target, _) = self.ring.walk(at).find(|(node, _)| has_room(*node)).ok_or(Full)?;
        let Self { ring, held, .. } = self;
        for (node, _) in ring.walk(at) {
            let Some(held) = place_of(ring.members(), node).ok().and_then(|at| held.get_mut(at))
            else {
                continue;
            };
            if node == target {
                held.keys = held.keys.saturating_add(1);
                break;
            }
            held.spilled = true;
        }
        Ok(target)
    }

    /// The members that may have a key, in the order in which to ask them: no other member has it. A member may come more than once.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// let mut ring = HashRing::<Inline<2, 2>>::new(KeyHash::default(), 1);
    /// ring.add_at(Member::new(a), &[Token::new(90)])?;
    /// ring.add_at(Member::new(b), &[Token::new(180)])?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 2); // each has room for two keys
    /// assert!(bounded.chain(Token::new(10)).eq([a])); // no member is full
    /// let placed = [10, 20, 30].map(|token| bounded.place(Token::new(token)));
    /// assert_eq!(placed, [Ok(a), Ok(a), Ok(b)]); // the third key spills
    /// assert!(bounded.chain(Token::new(10)).eq([a, b]));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn chain(&self, at: Token) -> impl Iterator<Item = NodeId> {
        let mut over = false;
        self.ring.walk(at).map_while(move |(node, _)| {
            if over {
                return None;
            }
            over = !self.held(node)?.spilled;
            Some(node)
        })
    }

    /// Counts one key less on this member, which makes room for another. Changes nothing for a node that is no member or has no keys.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// let mut ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// ring.add(Member::new(NodeId::new(1)))?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 1);
    /// bounded.place(Token::MIN)?;
    /// bounded.release(NodeId::new(1));
    /// assert_eq!(bounded.keys_of(NodeId::new(1)), Some(0));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn release(&mut self, node: NodeId) {
        let place = place_of(self.ring.members(), node).ok();
        if let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            held.keys = held.keys.saturating_sub(1);
        }
    }

    /// Starts again without keys: all loads are 0, and no member is marked.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// # let mut ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// # ring.add(Member::new(NodeId::new(1)))?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 1);
    /// bounded.place(Token::MIN)?;
    /// bounded.reset();
    /// assert_eq!(bounded.keys_of(NodeId::new(1)), Some(0));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn reset(&mut self) {
        for held in self.held.iter_mut() {
            *held = Held::default();
        }
    }

    /// Takes over what a member had: the number of its keys, and whether it has ever turned a key away. For a node that restarts, and
    /// for readers that were told.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// let mut ring = HashRing::<Inline<2, 2>>::new(KeyHash::default(), 1);
    /// ring.add_all(&[a, b].map(Member::new))?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 4);
    /// let mut restarted = bounded.clone();
    /// for _ in 0..4 {
    ///     bounded.place(Token::MIN)?;
    /// }
    /// for node in [a, b] {
    ///     let keys = bounded.keys_of(node).unwrap_or_default();
    ///     restarted.restore(node, keys, bounded.has_spilled(node))?;
    /// }
    /// assert_eq!(restarted, bounded);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`], or [`Full`](MemberError::Full) for more keys than the [capacity](Self::capacity); nothing was changed.
    pub fn restore(&mut self, node: NodeId, keys: u64, spilled: bool) -> Result<(), MemberError> {
        if keys > self.capacity() {
            return Err(MemberError::Full);
        }
        let place = place_of(self.ring.members(), node).ok();
        let held = place.and_then(|place| self.held.get_mut(place));
        *held.ok_or(MemberError::Unknown(node))? = Held { keys, spilled };
        Ok(())
    }

    /// The number of keys that a member has; `None` if the node is no member.
    #[must_use]
    pub fn keys_of(&self, node: NodeId) -> Option<u64> {
        Some(self.held(node)?.keys)
    }

    /// Whether a member has turned a key away since it was made or [`reset`](Self::reset): its mark. False if the node is no member.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Token};
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// let mut ring = HashRing::<Inline<2, 2>>::new(KeyHash::default(), 1);
    /// ring.add_at(Member::new(a), &[Token::new(90)])?;
    /// ring.add_at(Member::new(b), &[Token::new(180)])?;
    /// let mut bounded = Bounded::new(ring, LoadFactor::default(), 2);
    /// for _ in 0..3 {
    ///     bounded.place(Token::new(10))?;
    /// }
    /// bounded.release(a);
    /// assert_eq!([a, b].map(|node| bounded.has_spilled(node)), [true, false]);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn has_spilled(&self, node: NodeId) -> bool {
        self.held(node).is_some_and(|held| held.spilled)
    }

    /// The ring that is bounded.
    #[must_use]
    pub const fn ring(&self) -> &HashRing<S> {
        &self.ring
    }

    fn held(&self, node: NodeId) -> Option<&Held> {
        self.held.get(place_of(self.ring.members(), node).ok()?)
    }
}

/// The ring's walk: a key is offered to the members in that order. [`place`](Bounded::place) and [`chain`](Bounded::chain) tell where it is.
impl<S: Storage> Placement for Bounded<S> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.ring.position(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        self.ring.walk(at)
    }

    fn zones(&self) -> usize {
        self.ring.zones()
    }

    fn nodes(&self) -> usize {
        self.ring.nodes()
    }

    /// What tells this rule from others, as of every placement: the ring, the load and the number of keys.
    ///
    /// Which keys were placed is not part of it, nor which members turned keys away: nodes that place or read keys need the same of that
    /// besides.
    ///
    /// ```
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, LoadFactor, Placement};
    /// let ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// let bounded = |keys| Bounded::new(ring.clone(), LoadFactor::default(), keys).fingerprint();
    /// assert_eq!(bounded(8), bounded(8));
    /// assert_ne!(bounded(8), bounded(9));
    /// ```
    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("bounded");
        fingerprint.number(self.ring.fingerprint());
        fingerprint.number(self.load.numerator);
        fingerprint.number(self.load.denominator);
        fingerprint.number(self.keys);
        fingerprint.finish()
    }
}
