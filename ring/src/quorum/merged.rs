use quorate_clocks::Causality;
use quorate_core::{DecodeError, Reader, Wire, Writer};
use quorate_crdt::{Crdt, MergeError};

use super::{FollowRefused, MergeRefused, Value, WriteId};

/// A [CRDT](quorate_crdt::Crdt) as a value: concurrent writes are merged as its type has it, and none is lost.
///
/// A write is an update of the state that a replica holds, made as that replica's actor: take a copy of what
/// [`Node::local`](super::Node::local) returns, or an empty state if there is none, update it as the actor of this node, and write it. Whole states go over
/// the wire; for states of more than some hundred bytes that change often, a [`quorate_crdt::Replica`] that sends deltas is the better choice.
///
/// A key is never deleted: what the type removes is removed within the state, and an empty state stays a state.
///
/// What a client has seen is a state as well ([`Context`](Value::Context)): sessions keep one for each key.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::GCounter;
/// use quorate_ring::quorum::{Merged, Value};
///
/// let mut here = Merged(GCounter::<Inline<4>>::new());
/// let mut there = here.clone();
/// here.0.increment(Actor::from(NodeId::new(1)), 5)?;
/// there.0.increment(Actor::from(NodeId::new(2)), 2)?;
/// assert!(here.merge(&there)?);
/// assert_eq!(here.0.value(), 7);
/// assert!(here.includes(&there.context()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Merged<C>(pub C);

impl<C: Crdt> Value for Merged<C> {
    const FORMED_BY_REPLICAS: bool = true;
    type Context = C;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused> {
        self.0.merge(&other.0).map_err(|error| match error {
            MergeError::Conflict => MergeRefused::Conflict,
            _ => MergeRefused::Full,
        })
    }

    fn compare(&self, other: &Self) -> Causality {
        self.0.compare(&other.0)
    }

    fn context(&self) -> C {
        self.0.clone()
    }

    fn includes(&self, seen: &C) -> bool {
        matches!(self.0.compare(seen), Causality::Equal | Causality::After)
    }

    fn clock_of_seen(seen: &C) -> u64 {
        if *seen == seen.empty() { 0 } else { u64::MAX }
    }

    fn is_tombstone(&self) -> bool {
        false
    }

    /// The highest there is: no key is deleted, so there is no floor below which values are refused.
    fn clock(&self) -> u64 {
        u64::MAX
    }

    /// Takes what was read into the state.
    fn follow(
        &mut self,
        seen: Option<&Self>,
        _floor: u64,
        _write: WriteId,
    ) -> Result<(), FollowRefused> {
        if let Some(seen) = seen {
            Value::merge(self, seen)?;
        }
        Ok(())
    }
}

/// The state.
impl<C: Crdt> Wire<'_> for Merged<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        C::decode(input).map(Self)
    }
}
