use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{DecodeError, NodeId, Reader};

use crate::limits;
use crate::op::put;

/// Which batches were applied, so that none is applied twice: a part of the replicated state (Raft thesis, 6.3).
///
/// A node gives each of its clients' write batches a number and may send it to the leader again and
/// again, until it sees it applied. An entry of the log carries that number and the node's floor:
/// everything up to it is answered, or given up, and will not be sent again. So the table holds the
/// few numbers above the floor, at most [`limits::SESSION_WINDOW`] a node.
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
    /// Which incarnation of that node: grows with every start.
    pub(crate) incarnation: u64,
    /// Which batch of that incarnation: from 1.
    pub(crate) number: u64,
}

impl Sessions {
    /// Whether a batch is to be applied now: true once, false ever after.
    ///
    /// A batch of an earlier incarnation than the newest seen is not applied any more: nobody waits
    /// for it, and the numbers that could tell whether it was applied before are forgotten.
    pub(crate) fn admit(&mut self, id: BatchId, floor: u64) -> bool {
        let session = self.0.entry(id.origin).or_default();
        if id.incarnation < session.incarnation {
            return false;
        }
        if id.incarnation > session.incarnation {
            *session = Session { incarnation: id.incarnation, ..Session::default() };
        }
        // The leader refuses what no honest node can have sent. What an older one let into the log has here the effect that it had
        // there: nodes of all versions apply the same entries, and must decide alike.
        session.raise(floor);
        match id.number.checked_sub(session.floor) {
            Some(1..=limits::SESSION_WINDOW) => {}
            _ => return false,
        }
        if !session.above.insert(id.number) {
            return false;
        }
        while let Some(next) = session.floor.checked_add(1)
            && session.above.first() == Some(&next)
        {
            session.above.pop_first();
            session.floor = next;
        }
        true
    }

    /// The newest incarnation of a node that was seen; 0 if none was.
    pub(crate) fn incarnation(&self, origin: NodeId) -> u64 {
        self.0.get(&origin).map_or(0, |session| session.incarnation)
    }

    /// Whether there are batches of a node that it never sent, given its incarnation and its `last`
    /// number: somebody else used its name.
    pub(crate) fn has_forged_batches(&self, origin: NodeId, incarnation: u64, last: u64) -> bool {
        self.0.get(&origin).is_some_and(|session| {
            let highest = session.above.last().copied().unwrap_or(0).max(session.floor);
            session.incarnation > incarnation
                || (session.incarnation == incarnation && highest > last)
        })
    }

    /// Whether a batch was applied, or will not be any more.
    pub(crate) fn is_done(&self, id: BatchId) -> bool {
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
            let mut session = Session { incarnation, floor, ..Session::default() };
            for _ in 0..input.u64()? {
                let number = input.u64()?;
                match number.checked_sub(floor) {
                    Some(1..=limits::SESSION_WINDOW) => drop(session.above.insert(number)),
                    Some(1..) => return Err(DecodeError::Invalid),
                    // as an older node may have left it after a floor beyond all numbers
                    Some(0) | None => {}
                }
            }
            sessions.insert(origin, session);
        }
        Ok(Self(sessions))
    }
}

impl Session {
    fn raise(&mut self, floor: u64) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        self.above = match floor.checked_add(1) {
            Some(next) => self.above.split_off(&next),
            None => BTreeSet::new(),
        };
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
    fn batch_is_applied_once() {
        let mut sessions = Sessions::default();
        assert!(sessions.admit(id(1, 2), 0));
        assert!(!sessions.admit(id(1, 2), 0));
        assert!(sessions.admit(id(1, 1), 0));
        assert!(!sessions.admit(id(1, 1), 0));
        assert!(!sessions.admit(id(1, 2), 0));
        // given up below the floor: too late
        assert!(sessions.admit(id(1, 9), 7));
        assert!(!sessions.admit(id(1, 5), 0));
        // a new incarnation counts from the beginning, and ends the old one
        assert!(sessions.admit(id(2, 1), 0));
        assert!(!sessions.admit(id(1, 20), 0));
        assert!(
            sessions.is_done(id(1, 20))
                && sessions.is_done(id(2, 1))
                && !sessions.is_done(id(2, 2))
        );
        assert!(!sessions.admit(id(2, 2 + limits::SESSION_WINDOW), 0));
    }

    /// What releases of before did: no check, and numbers that wrap.
    #[derive(Default)]
    struct Wrapping(BTreeMap<NodeId, Session>);

    impl Wrapping {
        fn admit(&mut self, id: BatchId, floor: u64) -> bool {
            let session = self.0.entry(id.origin).or_default();
            if id.incarnation < session.incarnation {
                return false;
            }
            if id.incarnation > session.incarnation {
                *session = Session { incarnation: id.incarnation, ..Session::default() };
            }
            if floor > session.floor {
                session.floor = floor;
                session.above = session.above.split_off(&floor.wrapping_add(1));
            }
            if id.number <= session.floor
                || id.number - session.floor > limits::SESSION_WINDOW
                || !session.above.insert(id.number)
            {
                return false;
            }
            while session.above.first() == Some(&session.floor.wrapping_add(1)) {
                session.above.pop_first();
                session.floor = session.floor.wrapping_add(1);
            }
            true
        }
    }

    fn numbers() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..9, u64::MAX - 9..=u64::MAX, Just(1 << 62), Just(1 << 16), any::<u64>()]
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        let mut sessions = Sessions::default();
        let other = BatchId { origin: NodeId::new(2), incarnation: 1, number: 1 };
        assert!(!sessions.admit(id(1, u64::MAX), u64::MAX));
        assert!(!sessions.admit(id(1, 1), 0), "as in the releases of before");
        assert!(sessions.has_forged_batches(NodeId::new(1), 1, 1 << 60), "and the node can see it");
        assert!(sessions.admit(id(2, u64::MAX), u64::MAX - 1));
        assert!(!sessions.admit(id(2, 1), 0));
        assert!(sessions.admit(id(1 << 62, 1), 0));
        assert!(!sessions.admit(id(3, 1), 0));
        assert!(sessions.admit(id((1 << 62) + 1, 1), 0), "a larger incarnation goes on");
        assert!(sessions.admit(other, 0), "another node has nothing to do with it");
        assert!(!sessions.has_forged_batches(NodeId::new(2), 1, 1));
    }

    proptest! {
        #[test]
        fn admission_matches_earlier_releases(
            entries in prop::collection::vec((1u64..4, numbers(), numbers(), numbers()), 0..40),
        ) {
            let (mut sessions, mut before) = (Sessions::default(), Wrapping::default());
            for (origin, incarnation, number, floor) in entries {
                let id = BatchId { origin: NodeId::new(origin), incarnation, number };
                let untouched: Vec<_> = sessions.0.clone().into_iter().filter(|(o, _)| *o != id.origin).collect();
                prop_assert_eq!(sessions.admit(id, floor), before.admit(id, floor));
                let others: Vec<_> = sessions.0.clone().into_iter().filter(|(o, _)| *o != id.origin).collect();
                prop_assert_eq!(others, untouched);
                // a snapshot of either kind of node gives the same
                let mut bytes = Vec::new();
                Sessions(before.0.clone()).encode(&mut bytes);
                prop_assert_eq!(&Sessions::decode(&mut Reader::new(&bytes)).unwrap(), &sessions);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..60), number in numbers(), floor in numbers()) {
            if let Ok(mut sessions) = Sessions::decode(&mut Reader::new(&bytes)) {
                sessions.admit(id(number, number), floor);
            }
        }

        #[test]
        fn each_number_is_admitted_once_in_any_order(numbers in prop::collection::vec(1u64..30, 0..100)) {
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
