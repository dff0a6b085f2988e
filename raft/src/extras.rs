use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{Instant, List, NodeId, Rng};

use crate::Index;
use crate::forward::{Forward, Taken};
use crate::gap::Gap;
use crate::lease::Lease;
use crate::open::Open;
use crate::raft::LIMIT;
use crate::renew::Renewal;
use crate::rest::Rest;

/// What a node keeps beyond the bare protocol, if its storage has room for that: where it has not, nothing of it is compiled.
pub trait Extra: Clone + PartialEq + Eq + Hash + Debug {
    fn with_limit(members: usize) -> Self;
    fn get(&self) -> Option<&Extras>;
    fn get_mut(&mut self) -> Option<&mut Extras>;
    fn errands(&self) -> &[Errand];
    fn errands_mut(&mut self) -> &mut [Errand];
    /// The place for what a peer asks; made if there is none, in that of one that is no peer any more if need be.
    fn errand(&mut self, of: NodeId, is_peer: impl Fn(NodeId) -> bool) -> Option<&mut Errand>;
    fn forget_errands(&mut self);
}

/// For all of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct With<E> {
    extras: Extras,
    /// A leader's, one for each peer that asked something of it.
    errands: E,
    /// The latest round heard by those whose errand was given up, of what was taken from them: nothing of theirs is taken again.
    forgotten: u64,
}

/// What a node keeps beyond the bare protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Extras {
    /// Told from what this node said before it was started, whose answers may still come: drawn with the first question.
    life: u64,
    /// A follower's question to its leader.
    pub(crate) asked: Asked,
    /// Followers' questions wait for this leader's answer.
    pub(crate) asked_here: bool,
    pub(crate) lease: Lease,
    pub(crate) open: Open,
    /// The next part of a snapshot may be asked for then.
    pub(crate) part_at: Instant,
    pub(crate) rest: Rest,
    pub(crate) renewal: Renewal,
    pub(crate) forward: Forward,
    /// Terms that are far apart, and messages that are refused again and again.
    pub(crate) gap: Gap,
    /// A member said that a committed configuration, with this index, does not include this node; 0 for none.
    pub(crate) removed: Index,
    /// The application must be told that.
    pub(crate) removed_owed: bool,
}

/// A read that a follower asks its leader about: one at a time, for all that wait here when it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Asked {
    /// The newest read it is for; 0 if none is under way.
    pub(crate) through: u64,
    /// What the message calls it.
    pub(crate) id: u64,
    /// The message is due.
    pub(crate) due: bool,
    /// Asked again then: messages get lost.
    pub(crate) again_at: Instant,
}

/// What a peer asked of its leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Errand {
    of: NodeId,
    /// The read that waits for its round; 0 for none.
    pub(crate) read: u64,
    /// It is answered when a majority has answered this round.
    pub(crate) round: u64,
    /// What was taken from it.
    pub(crate) taken: Taken,
    /// The latest round for which it promised to vote for nobody else (6.4.1).
    pub(crate) promised: u64,
}

impl Extras {
    /// The number of a question, of this life of the node and no other.
    pub(crate) fn number(&mut self, rng: &mut Rng, now: Instant, count: u64) -> u64 {
        if self.life == 0 {
            // below 2^62 as all numbers are; of time as well, each microsecond of it, for programs that start with the same seed each time
            let time = now.as_micros().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.life = (rng.next_u64() ^ time) >> 34 << 32 | 1 << 32;
        }
        // where the count has no room any more, another life begins
        let life = (self.life ^ (count >> 32 << 33)) & (LIMIT - 1);
        life | (count & 0xffff_ffff)
    }
}

/// Whether a question is not newer than another of the same life.
pub(crate) const fn is_late(number: u64, known: u64) -> bool {
    number >> 32 == known >> 32 && number <= known
}

impl Extra for () {
    fn with_limit(_members: usize) -> Self {}

    fn get(&self) -> Option<&Extras> {
        None
    }

    fn get_mut(&mut self) -> Option<&mut Extras> {
        None
    }

    fn errands(&self) -> &[Errand] {
        &[]
    }

    fn errands_mut(&mut self) -> &mut [Errand] {
        &mut []
    }

    fn errand(&mut self, _of: NodeId, _is_peer: impl Fn(NodeId) -> bool) -> Option<&mut Errand> {
        None
    }

    fn forget_errands(&mut self) {}
}

impl<E: List<Errand> + Clone + PartialEq + Eq + Hash + Debug> Extra for With<E> {
    fn with_limit(members: usize) -> Self {
        Self { extras: Extras::default(), errands: E::with_limit(members), forgotten: 0 }
    }

    fn get(&self) -> Option<&Extras> {
        Some(&self.extras)
    }

    fn get_mut(&mut self) -> Option<&mut Extras> {
        Some(&mut self.extras)
    }

    fn errands(&self) -> &[Errand] {
        &self.errands
    }

    fn errands_mut(&mut self) -> &mut [Errand] {
        &mut self.errands
    }

    fn errand(&mut self, of: NodeId, is_peer: impl Fn(NodeId) -> bool) -> Option<&mut Errand> {
        let at = match self.errands.iter().position(|errand| errand.of == of) {
            Some(at) => at,
            None => {
                if self.errands.len() >= self.errands.limit() {
                    let gone = self.errands.iter().position(|errand| !is_peer(errand.of))?;
                    let heard = self.errands.get(gone).map_or(0, |errand| errand.taken.round);
                    self.forgotten = self.forgotten.max(heard);
                    self.errands.remove(gone);
                }
                let taken = Taken::none_since(self.forgotten);
                self.errands.push(Errand { of, read: 0, round: 0, taken, promised: 0 }).ok()?;
                self.errands.len().saturating_sub(1)
            }
        };
        self.errands.get_mut(at)
    }

    fn forget_errands(&mut self) {
        self.errands.clear();
        self.forgotten = 0;
    }
}

impl Errand {
    pub(crate) fn is_of(&self, id: NodeId) -> bool {
        self.of == id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn request_ids_do_not_repeat_when_the_counter_wraps() {
        for seed in 0..20 {
            check_no_repeats(seed);
        }
    }

    fn check_no_repeats(seed: u64) {
        let mut extras = Extras::default();
        let (mut rng, now) = (Rng::new(seed), Instant::from_millis(1));
        let mut number = |count| extras.number(&mut rng, now, count);
        let mut before = number(1);
        for wraps in 1..100_u64 {
            let last = number((wraps << 32) - 1);
            let next = number(wraps << 32);
            assert!(is_late(before, last) && !is_late(next, last) && !is_late(number(1), next));
            assert!(next != 0 && next < LIMIT && last >> 32 != next >> 32);
            before = next;
        }
        assert!(number(u64::MAX) < LIMIT);
    }

    /// The first request id of a node started with this seed at this time.
    fn first(seed: u64, micros: u64) -> u64 {
        Extras::default().number(&mut Rng::new(seed), Instant::from_micros(micros), 1)
    }

    #[test]
    fn incarnations_differ_by_seed_or_by_start_time() {
        let of = |start: fn(u64) -> u64| (0..1000).map(start).collect::<BTreeSet<_>>().len();
        assert_eq!(of(|seed| first(seed, 0)), 1000);
        assert_eq!(of(|seed| first(seed, 1)), 1000);
        assert_eq!(of(|micros| first(1, micros)), 1000);
        assert_eq!(of(|seconds| first(2, seconds * 1_000_000)), 1000);
    }

    /// Incarnation 0 stands for none; it must not appear when the counter wraps.
    #[test]
    fn incarnation_is_never_zero() {
        for seed in 0..100 {
            let mut extras = Extras::default();
            let mut rng = Rng::new(seed);
            for count in [1, 1 << 32, 5 << 32, u64::MAX] {
                let number = extras.number(&mut rng, Instant::ZERO, count);
                assert_eq!((number >> 32) & 1, 1, "{seed} {count}");
            }
        }
    }
}
