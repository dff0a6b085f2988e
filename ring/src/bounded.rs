use core::fmt;

use quorate_core::{List, NodeId};

use crate::members::place_of;
use crate::storage::Kinds;
use crate::{HashRing, Placement, Storage, Token};

/// Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018,
/// section 2): no member gets more than c times the mean, and what it has no room for goes to the next member on the circle.
///
/// The capacity is ⌈c · keys / members⌉, for a number of keys that is fixed before the first: a capacity that grew with the keys
/// would put the same keys elsewhere in another order. Weights count for nothing.
///
/// # Reading
///
/// Where a key went depends on how full the members were, which a reader does not know. It does know the way: [`chain`](Self::chain)
/// names the members that may have a key, in the order in which it was offered to them, up to the first that never turned one away. That is one
/// member as long as nobody is full, and the mark of one that turned keys away stays when it has room again, since those are
/// further along. Keys that are [released](Self::release) free their room; [`reset`](Self::reset) forgets all of them.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Bounded, HashRing, Inline, KeyHash, Load, Member, Placement};
/// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
/// ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// let load = Load::new(5, 4).unwrap_or_default(); // a quarter more than the mean
/// let mut bounded = Bounded::new(ring, load, 12);
/// assert_eq!(bounded.capacity(), 5);
/// let at = bounded.ring().position(b"key");
/// let node = bounded.place(at);
/// assert!(bounded.chain(at).any(|other| Some(other) == node));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bounded<S: Storage> {
    ring: HashRing<S>,
    load: Load,
    keys: u64,
    /// Of each member, in the order of their ids.
    held: S::Held,
}

/// The largest load, as a multiple of the mean: a fraction of 1 or more.
///
/// ```
/// use quorate_ring::Load;
/// assert_eq!(Load::new(3, 4), None);
/// assert_eq!(Load::default(), Load::new(5, 4).unwrap_or_default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Load {
    numerator: u32,
    denominator: u32,
}

impl Load {
    /// `numerator / denominator` times the mean; `None` if that is below 1, or of 0.
    #[must_use]
    pub const fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if denominator == 0 || numerator < denominator {
            return None;
        }
        Some(Self { numerator, denominator })
    }
}

impl Default for Load {
    /// 5/4: a quarter more than the mean.
    fn default() -> Self {
        Self { numerator: 5, denominator: 4 }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// What a member has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(unnameable_types)] // of the sealed storage
pub struct Held {
    keys: u64,
    /// It has turned a key away.
    spilled: bool,
}

impl<S: Storage> Bounded<S> {
    /// A ring whose members are to get `keys` keys in all, and none of them more than `load` times the mean. Its members do not
    /// change any more; make another for other members.
    #[must_use]
    pub fn new(ring: HashRing<S>, load: Load, keys: u64) -> Self {
        let mut held = <S as Kinds>::Held::with_limit(usize::from(u16::MAX));
        for _ in ring.members() {
            let _ = held.push(Held::default()); // as many as the members have
        }
        Self { ring, load, keys, held }
    }

    /// The most keys of a member.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        let members = self.held.len() as u128;
        let product = u128::from(self.keys).saturating_mul(u128::from(self.load.numerator));
        let by = members.saturating_mul(u128::from(self.load.denominator));
        let whole = product.checked_div(by).unwrap_or(0);
        let up = u128::from(product.checked_rem(by).unwrap_or(0) > 0);
        u64::try_from(whole.saturating_add(up)).unwrap_or(u64::MAX)
    }

    /// Gives a key to the first member on its way that has room, and tells which; `None` if none has: more keys came than were announced.
    ///
    /// A key that is placed twice counts twice.
    pub fn place(&mut self, at: Token) -> Option<NodeId> {
        let capacity = self.capacity();
        let Self { ring, held, .. } = self;
        for (node, _) in ring.walk(at) {
            let place = place_of(ring.members(), node).ok()?;
            let held = held.get_mut(place)?;
            if held.keys < capacity {
                held.keys = held.keys.saturating_add(1);
                return Some(node);
            }
            held.spilled = true;
        }
        None
    }

    /// The members that may have a key, in the order in which to ask them: no other has it. One may come more than once.
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

    /// A key of this member is gone.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, Load, Member, Token};
    /// let mut ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// ring.add(Member::new(NodeId::new(1)))?;
    /// let mut bounded = Bounded::new(ring, Load::default(), 1);
    /// let node = bounded.place(Token::MIN);
    /// bounded.release(NodeId::new(1));
    /// assert_eq!(bounded.load_of(NodeId::new(1)), Some(0));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn release(&mut self, node: NodeId) {
        let place = place_of(self.ring.members(), node).ok();
        if let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            held.keys = held.keys.saturating_sub(1);
        }
    }

    /// Forgets all keys: nobody has any, and nobody turned one away.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Bounded, HashRing, Inline, KeyHash, Load, Member, Token};
    /// # let mut ring = HashRing::<Inline<1, 1>>::new(KeyHash::default(), 1);
    /// # ring.add(Member::new(NodeId::new(1)))?;
    /// let mut bounded = Bounded::new(ring, Load::default(), 1);
    /// bounded.place(Token::MIN);
    /// bounded.reset();
    /// assert_eq!(bounded.load_of(NodeId::new(1)), Some(0));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    pub fn reset(&mut self) {
        for held in self.held.iter_mut() {
            *held = Held::default();
        }
    }

    /// How many keys a member has; `None` of a node that is no member.
    #[must_use]
    pub fn load_of(&self, node: NodeId) -> Option<u64> {
        Some(self.held(node)?.keys)
    }

    /// The ring.
    #[must_use]
    pub const fn ring(&self) -> &HashRing<S> {
        &self.ring
    }

    fn held(&self, node: NodeId) -> Option<&Held> {
        self.held.get(place_of(self.ring.members(), node).ok()?)
    }
}
