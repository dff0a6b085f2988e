use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{DecodeError, NodeId, Reader};

use crate::limits;
use crate::op::put;

/// Which batches were applied, so that none is applied twice: a part of the replicated state (Raft thesis, 6.3).
///
/// A node gives each of its clients' write batches a number and may hand it over again and again, to whoever leads, until it
/// sees it applied. An entry of the log carries that number and the node's floor: everything up to it is answered, or given up,
/// and will not be handed over again. So the table holds the few numbers above the floor, at most [`limits::SESSION_WINDOW`] a
/// node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sessions(BTreeMap<NodeId, Session>);

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Session {
    incarnation: u64,
    floor: u64,
    above: BTreeSet<u64>,
}

/// Names a write batch among all that were ever sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct BatchId {
    /// The node whose client sent it.
    pub(crate) origin: NodeId,
    /// Which life of that node: grows with every start.
    pub(crate) incarnation: u64,
    /// Which batch of that life: from 1.
    pub(crate) number: u64,
}

impl Sessions {
    /// Whether a batch is to be applied now: true once, false ever after.
    ///
    /// A batch of an earlier life than the newest seen is not applied any more: nobody waits for it, and the numbers that
    /// could tell whether it was applied before are forgotten.
    pub(crate) fn admit(&mut self, id: BatchId, floor: u64) -> bool {
        let session = self.0.entry(id.origin).or_default();
        if id.incarnation < session.incarnation {
            return false;
        }
        if id.incarnation > session.incarnation {
            *session = Session { incarnation: id.incarnation, ..Session::default() };
        }
        // a batch's own number is always above its own floor; a peer that says otherwise only hurts itself
        if floor > session.floor {
            session.floor = floor;
            session.above = session.above.split_off(&(floor + 1));
        }
        if id.number <= session.floor
            || id.number - session.floor > limits::SESSION_WINDOW
            || !session.above.insert(id.number)
        {
            return false;
        }
        while session.above.first() == Some(&(session.floor + 1)) {
            session.above.pop_first();
            session.floor += 1;
        }
        true
    }

    /// Whether a batch was applied, or will not be any more.
    pub(crate) fn is_over(&self, id: BatchId) -> bool {
        self.0.get(&id.origin).is_some_and(|session| {
            id.incarnation < session.incarnation
                || (id.incarnation == session.incarnation
                    && (id.number <= session.floor || session.above.contains(&id.number)))
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::number(out, self.0.len() as u64);
        for (origin, session) in &self.0 {
            put::number(out, origin.get());
            put::number(out, session.incarnation);
            put::number(out, session.floor);
            put::number(out, session.above.len() as u64);
            for &number in &session.above {
                put::number(out, number);
            }
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut sessions = BTreeMap::new();
        for _ in 0..input.u64()? {
            let origin = NodeId::new(input.u64()?);
            let (incarnation, floor) = (input.u64()?, input.u64()?);
            let mut above = BTreeSet::new();
            for _ in 0..input.u64()? {
                above.insert(input.u64()?);
            }
            sessions.insert(origin, Session { incarnation, floor, above });
        }
        Ok(Self(sessions))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn id(incarnation: u64, number: u64) -> BatchId {
        BatchId { origin: NodeId::new(1), incarnation, number }
    }

    #[test]
    fn a_batch_is_applied_once() {
        let mut sessions = Sessions::default();
        assert!(sessions.admit(id(1, 2), 0));
        assert!(!sessions.admit(id(1, 2), 0));
        assert!(sessions.admit(id(1, 1), 0));
        assert!(!sessions.admit(id(1, 1), 0));
        assert!(!sessions.admit(id(1, 2), 0));
        // given up below the floor: too late
        assert!(sessions.admit(id(1, 9), 7));
        assert!(!sessions.admit(id(1, 5), 0));
        // a new life counts from the beginning, and ends the old one
        assert!(sessions.admit(id(2, 1), 0));
        assert!(!sessions.admit(id(1, 20), 0));
        assert!(
            sessions.is_over(id(1, 20))
                && sessions.is_over(id(2, 1))
                && !sessions.is_over(id(2, 2))
        );
        assert!(!sessions.admit(id(2, 2 + limits::SESSION_WINDOW), 0));
    }

    proptest! {
        #[test]
        fn however_they_come_each_comes_once(numbers in prop::collection::vec(1u64..30, 0..100)) {
            let mut sessions = Sessions::default();
            let mut seen = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(sessions.admit(id(1, number), 0), seen.insert(number));
                let mut bytes = Vec::new();
                sessions.encode(&mut bytes);
                sessions = Sessions::decode(&mut Reader::new(&bytes)).unwrap();
            }
        }
    }
}
