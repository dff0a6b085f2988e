//! Random histories of three replicas.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::Actor;
use quorate_core::{NodeId, Reader, Wire, Writer};
use quorate_crdt::Crdt;

/// One step: an update on a replica, or a merge of another into it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) replica: usize,
    /// Merges this one instead of updating.
    pub(crate) from: Option<usize>,
    pub(crate) choice: u8,
    pub(crate) value: u8,
}

/// A type, and what its users do.
pub(crate) trait Kind {
    type State: Crdt;
    fn new() -> Self::State;
    /// Bytes through serde, and what is read from them.
    #[cfg(feature = "serde")]
    fn serde(state: &Self::State) -> (Vec<u8>, Self::State);
    fn update(state: &mut Self::State, step: &Step) -> Option<<Self::State as Crdt>::Delta>;
}

/// What became of a history.
pub(crate) struct Run<T: Crdt> {
    pub(crate) states: [T; 3],
    /// In an order in which each comes after those it depends on.
    pub(crate) deltas: Vec<T::Delta>,
}

pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    let merge = prop_oneof![3 => Just(None), 1 => (0usize..3).prop_map(Some)];
    let step = (0usize..3, merge, any::<u8>(), 0u8..12);
    let step =
        step.prop_map(|(replica, from, choice, value)| Step { replica, from, choice, value });
    prop::collection::vec(step, 0..40)
}

pub(crate) fn actor(replica: usize) -> Actor {
    Actor::from(NodeId::new(replica as u64 + 1))
}

pub(crate) fn run<K: Kind>(history: &[Step]) -> Run<K::State> {
    let mut states = [K::new(), K::new(), K::new()];
    let mut deltas = Vec::new();
    for step in history {
        match step.from {
            Some(from) => {
                let other = states[from].clone();
                states[step.replica].merge(&other).unwrap();
            }
            None => deltas.extend(K::update(&mut states[step.replica], step)),
        }
    }
    Run { states, deltas }
}

pub(crate) fn bytes<T: for<'a> Wire<'a>>(value: &T) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

pub(crate) fn delta_bytes<T: Crdt>(delta: &T::Delta) -> Vec<u8> {
    let mut count = Writer::new(&mut []);
    T::write_delta(delta, &mut count);
    let mut buffer = vec![0; count.needed()];
    let mut out = Writer::new(&mut buffer);
    T::write_delta(delta, &mut out);
    out.finish().unwrap();
    buffer
}

pub(crate) fn through_bytes<T: Crdt>(like: &T, delta: &T::Delta) -> T::Delta {
    let bytes = delta_bytes::<T>(delta);
    let mut input = Reader::new(&bytes);
    let decoded = like.read_delta(&mut input).unwrap();
    input.finish().unwrap();
    decoded
}
