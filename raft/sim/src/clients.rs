use quorate_core::{NodeId, Rng};

use super::store::Change;

/// A client: one operation at a time.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) state: State,
    /// The node it sends the next request to.
    pub(crate) target: usize,
    /// What it last saw of the key it uses, to swap against.
    pub(crate) last_seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle {
        until: u64,
    },
    /// Looking for a node that accepts it.
    Submitting {
        request: Request,
        next: u64,
        give_up: u64,
    },
    /// A node accepted it.
    Waiting {
        request: Request,
        give_up: u64,
    },
}

/// An operation that a client wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: u64,
    pub(crate) key: u64,
    /// A read if `None`.
    pub(crate) change: Option<Change>,
}

/// Which keys are in use: each for some operations only, as checking a history takes time that grows with the operations on
/// one key that overlap.
#[derive(Debug)]
pub(crate) struct Keys {
    current: [u64; 3],
    left: [u32; 3],
    next: u64,
}

/// Operations on one key.
const PER_KEY: u32 = 60;

impl Keys {
    pub(crate) const fn new() -> Self {
        Self { current: [1, 2, 3], left: [PER_KEY; 3], next: 4 }
    }

    pub(crate) fn pick(&mut self, rng: &mut Rng) -> u64 {
        let at = rng.below(3) as usize;
        if self.left[at] == 0 {
            self.current[at] = self.next;
            self.left[at] = PER_KEY;
            self.next += 1;
        }
        self.left[at] -= 1;
        self.current[at]
    }

    /// An operation on the key got no answer: those that follow it on this key are the costly ones to check.
    pub(crate) fn penalize(&mut self, key: u64) {
        for (current, left) in self.current.iter().zip(&mut self.left) {
            if *current == key {
                *left = left.saturating_sub(PER_KEY / 6);
            }
        }
    }
}

/// The node to try after a refusal.
pub(crate) fn next_target(hint: Option<NodeId>, nodes: usize, rng: &mut Rng) -> usize {
    match hint {
        Some(leader) if rng.chance(9, 10) => leader.get() as usize - 1,
        _ => rng.below(nodes as u64) as usize,
    }
}
