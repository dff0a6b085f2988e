use core::fmt;

use quorate_core::{InlineList, List, NodeId};

use crate::{MAX_PREFERENCE, Placement, PreferenceList, Token, TokenRange};

/// A placement whose positions are tokens and fall into ranges with the same nodes, so that the difference of two is a list of ranges:
/// what a [`Plan`] asks of a placement.
///
/// The tokens of a placement go from [`first_token`](Self::first_token) to [`last_token`](Self::last_token), and may wrap at
/// `Token::MAX`. The [`end_of_range`](Self::end_of_range) leads from one range to the next.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Divided, HashRing, Inline, KeyHash, Member, Token};
/// let mut ring = HashRing::<Inline<1, 2>>::new(KeyHash::default(), 1);
/// ring.add_at(Member::new(NodeId::new(1)), &[Token::new(10), Token::new(20)])?;
/// assert_eq!((ring.first_token(), ring.last_token()), (Token::new(11), Token::new(10)));
/// assert_eq!(ring.end_of_range(Token::new(11)), Token::new(20));
/// assert_eq!(ring.replicas_at(Token::new(11), 3).replicas(), [NodeId::new(1)]);
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
pub trait Divided: Placement {
    /// The token at which a pass over all ranges begins: the first of a range.
    fn first_token(&self) -> Token;

    /// The token at which that pass ends: the last of a range. On a whole circle it is the one before the first.
    fn last_token(&self) -> Token;

    /// A token up to which all tokens from `at` on have the same nodes: the last of the range of `at`. The next range may have the
    /// same nodes.
    fn end_of_range(&self, at: Token) -> Token;

    /// The nodes that hold the keys at this token: up to `replicas`.
    fn replicas_at(&self, at: Token, replicas: usize) -> PreferenceList;
}

/// The moves that lead from one placement to another, in an order in which no replica is lost.
///
/// First come all copies, to nodes that hold a range in the new placement and not in the old. Then come the ranges that nodes drop,
/// so that none is dropped before the copies that replace it are complete. Ranges next to each other with the same source and
/// target are one move, and a range whose nodes stay the same is in none: the list is minimal. Where the new placement has no nodes for
/// a range, no node drops it: nothing replaces those copies.
///
/// Moves are computed on demand: a plan takes three words, and [`Moves`] about 5 KB whatever their number. Their order depends
/// on the two placements alone. A program that has executed the first hundred continues with `plan.moves().skip(100)`, also after a
/// restart, if it kept both placements. Until the last copy is complete, read from the nodes
/// of the old placement and write to those of both. Then read from the new ones, and only then begin with the drops.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{HashRing, Inline, KeyHash, Member, Move, Plan, Token, TokenRange};
/// let [a, b, e] = [1, 2, 5].map(NodeId::new);
/// let mut old = HashRing::<Inline<3, 3>>::new(KeyHash::default(), 1);
/// old.add_at(Member::new(a), &[Token::new(90)])?;
/// old.add_at(Member::new(b), &[Token::new(180)])?;
/// let mut new = old.clone();
/// new.add_at(Member::new(e), &[Token::new(135)])?;
/// let range = TokenRange::new(Token::new(91), Token::new(135));
/// let moves = [Move::Copy { range, from: Some(b), to: e }, Move::Drop { range, from: b }];
/// assert!(Plan::new(&old, &new, 1).is_ok_and(|plan| plan.moves().eq(moves)));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Debug)]
pub struct Plan<'a, P> {
    old: &'a P,
    new: &'a P,
    replicas: usize,
}

impl<P> Clone for Plan<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Plan<'_, P> {}

impl<'a, P: Divided> Plan<'a, P> {
    /// Leads from the old placement to the new, for keys with this many replicas. Both must make tokens of keys in the same way: with
    /// another [`KeyHash`](crate::KeyHash) every key has another token, and a plan means nothing.
    ///
    /// ```
    /// use quorate_ring::{HashRing, Inline, KeyHash, Plan, PlanError};
    /// let [old, new] = [1, 2].map(|key| HashRing::<Inline<1, 1>>::new(KeyHash::new([key, 0]), 1));
    /// assert_eq!(Plan::new(&old, &new, 3).err(), Some(PlanError::DifferentPositions));
    /// assert_eq!(Plan::new(&old, &old, 0).err(), Some(PlanError::NoReplicas));
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn new(old: &'a P, new: &'a P, replicas: usize) -> Result<Self, PlanError> {
        if replicas == 0 {
            return Err(PlanError::NoReplicas);
        }
        if old.position(PROBE) != new.position(PROBE) {
            return Err(PlanError::DifferentPositions);
        }
        Ok(Self { old, new, replicas })
    }

    /// The moves, in the order in which to execute them.
    #[must_use]
    pub fn moves(self) -> Moves<'a, P> {
        Moves {
            plan: self,
            pending: InlineList::with_limit(PENDING),
            at: None,
            phase: Phase::Copies,
        }
    }

    /// What changes for the keys at one token in this phase: from whom, and to whom.
    fn changes(
        &self,
        at: Token,
        phase: Phase,
        mut change: impl FnMut(Option<NodeId>, Option<NodeId>),
    ) {
        let old = self.old.replicas_at(at, self.replicas);
        let new = self.new.replicas_at(at, self.replicas);
        let (old, new) = (old.replicas(), new.replicas());
        // a node that will drop the range gives it away, each to another
        let mut leaving = old.iter().copied().filter(|node| !new.contains(node));
        match phase {
            Phase::Copies => {
                for node in new.iter().filter(|node| !old.contains(node)) {
                    let source = leaving.next().or_else(|| old.first().copied());
                    change(source, Some(*node));
                }
            }
            // without new nodes these are the last copies
            Phase::Drops if new.is_empty() => {}
            Phase::Drops => leaving.for_each(|node| change(Some(node), None)),
            Phase::Done => {}
        }
    }
}

/// Why there is no [`Plan`] between two placements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PlanError {
    /// Keys with no replicas are nowhere, so nothing could move.
    NoReplicas,
    /// The two placements have different hash keys, so each key has another token in the other.
    DifferentPositions,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReplicas => "a plan needs one replica or more",
            Self::DifferentPositions => "the two placements have different hash keys",
        })
    }
}

impl core::error::Error for PlanError {}

/// A key whose position tells one hash key from another.
const PROBE: &[u8] = b"quorate";

/// One step of a [`Plan`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Move {
    /// A node gets a copy of a range.
    Copy {
        /// The tokens of the keys.
        range: TokenRange,
        /// The node to copy from: one that will drop the range, if there is one, and otherwise its owner. `None` where the old
        /// placement has no nodes for the range. While that node is down, other old replicas will do: those of
        /// [`replicas_at`](Divided::replicas_at) in the old placement, which may differ from one part of the range to the next.
        from: Option<NodeId>,
        /// The node that gets the copy.
        to: NodeId,
    },
    /// A node no longer holds a range, and deletes its copy. The new placement has nodes for the range.
    Drop {
        /// The tokens of the keys.
        range: TokenRange,
        /// The node that deletes its copy.
        from: NodeId,
    },
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy { range, from: Some(from), to } => {
                write!(f, "copy {range} from {from} to {to}")
            }
            Self::Copy { range, from: None, to } => write!(f, "give {range} to {to}"),
            Self::Drop { range, from } => write!(f, "drop {range} on {from}"),
        }
    }
}

/// Ranges that have ended, that begin here, and that the walk began with: for each replica one.
const PENDING: usize = 3 * MAX_PREFERENCE;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Copies,
    Drops,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    range: TokenRange,
    from: Option<NodeId>,
    to: Option<NodeId>,
    /// It continues no further.
    ended: bool,
    /// The walk began with it, so the last range may continue in it.
    begins: bool,
}

/// The moves of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Moves<'a, P> {
    plan: Plan<'a, P>,
    pending: InlineList<Pending, PENDING>,
    /// The next token to look at; `None` at the beginning of a phase.
    at: Option<Token>,
    phase: Phase,
}

impl<P: Divided> Moves<'_, P> {
    /// Takes in what changes in the next range. False if that was the last.
    fn visit_next_range(&mut self) -> bool {
        let Plan { old, new, .. } = self.plan;
        let at = self.at.unwrap_or(old.first_token());
        let distance = |end: Token| end.get().wrapping_sub(at.get());
        let ends = [old.end_of_range(at), new.end_of_range(at), old.last_token()];
        let Some(end) = ends.into_iter().min_by_key(|end| distance(*end)) else { return false };
        for pending in self.pending.iter_mut() {
            pending.ended = true;
        }
        let (plan, phase, pending) = (self.plan, self.phase, &mut self.pending);
        plan.changes(at, phase, |from, to| {
            let continues = |one: &&mut Pending| {
                one.ended && one.from == from && one.to == to && one.range.last.next() == at
            };
            match pending.iter_mut().find(continues) {
                Some(one) => (one.range.last, one.ended) = (end, false),
                None => {
                    let range = TokenRange::new(at, end);
                    // there is room: what ended was taken out before
                    let begins = at == old.first_token();
                    let _ = pending.push(Pending { range, from, to, ended: false, begins });
                }
            }
        });
        self.at = Some(end.next());
        end != old.last_token()
    }

    /// Ends a pass: a range that ends where the pass began is merged with the one that begins there.
    fn close_circle(&mut self) {
        let Plan { old, .. } = self.plan;
        for pending in self.pending.iter_mut() {
            pending.ended = true;
        }
        while let Some(place) = self.pending.iter().position(|one| one.begins) {
            let Some(first) = self.pending.get_mut(place) else { return };
            first.begins = false;
            let first = *first;
            let continues = |one: &Pending| {
                (one.from, one.to) == (first.from, first.to)
                    && one.range.last == old.last_token()
                    && one.range.last.next() == first.range.first
                    && one.range.first != first.range.first
            };
            if let Some(last) = self.pending.iter().position(continues) {
                if let Some(last) = self.pending.get_mut(last) {
                    last.range.last = first.range.last;
                }
                self.pending.remove(place);
            }
        }
    }
}

impl<P: Divided> Iterator for Moves<'_, P> {
    type Item = Move;

    fn next(&mut self) -> Option<Move> {
        loop {
            if let Some(place) = self.pending.iter().position(|one| one.ended && !one.begins) {
                let Pending { range, from, to, .. } = self.pending.remove(place)?;
                return match (from, to) {
                    (from, Some(to)) => Some(Move::Copy { range, from, to }),
                    (Some(from), None) => Some(Move::Drop { range, from }),
                    (None, None) => continue,
                };
            }
            if self.phase == Phase::Done {
                return None;
            }
            if !self.visit_next_range() {
                self.close_circle();
                self.at = None;
                self.phase = match self.phase {
                    Phase::Copies => Phase::Drops,
                    Phase::Drops | Phase::Done => Phase::Done,
                };
            }
        }
    }
}

impl<P: Divided> core::iter::FusedIterator for Moves<'_, P> {}
