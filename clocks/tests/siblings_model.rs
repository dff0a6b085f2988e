//! Dotted version vector sets against full histories.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_clocks::{Actor, Dot, IncrementError, Inline, Siblings, SiblingsError, VersionVector};
use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Value(u64);

impl Wire<'_> for Value {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?))
    }
}

type Key = Siblings<Value, Inline<3>, Inline<16>>;
type Vector = VersionVector<Inline<3>>;

/// Everything that was ever written, and what each write replaced.
#[derive(Clone, Default)]
struct History(BTreeMap<u64, BTreeSet<u64>>);

impl History {
    /// All writes that led to what is known.
    fn past(&self) -> BTreeSet<u64> {
        self.0.keys().chain(self.0.values().flatten()).copied().collect()
    }

    fn current(&self) -> BTreeSet<u64> {
        let replaced: BTreeSet<u64> = self.0.values().flatten().copied().collect();
        self.0.keys().copied().filter(|write| !replaced.contains(write)).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A client reads at a server.
    Read(usize, usize),
    /// A client writes at a server, with the context of its last read.
    Write(usize, usize),
    /// A server takes over what another has.
    Merge(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0usize..4, 0usize..3).prop_map(|(c, s)| Step::Read(c, s)),
        3 => (0usize..4, 0usize..3).prop_map(|(c, s)| Step::Write(c, s)),
        2 => (0usize..3, 0usize..3).prop_map(|(a, b)| Step::Merge(a, b)),
    ];
    prop::collection::vec(step, 0..60)
}

fn values(key: &Key) -> BTreeSet<u64> {
    key.values().map(|value| value.0).collect()
}

proptest! {
    #[test]
    fn values_are_the_writes_not_overwritten(steps in steps()) {
        let mut keys = [(); 3].map(|()| Key::new());
        let mut histories = [(); 3].map(|()| History::default());
        let mut contexts = [(); 4].map(|()| (Vector::new(), BTreeSet::new()));
        let mut id = 0;
        for step in steps {
            match step {
                Step::Read(client, server) => {
                    contexts[client] = (keys[server].context().clone(), histories[server].past());
                }
                Step::Write(client, server) => {
                    id += 1;
                    let (context, seen) = &contexts[client];
                    let before = keys[server].clone();
                    match keys[server].write(Actor::from(NodeId::new(server as u64)), context, Value(id)) {
                        Ok(_) => {
                            histories[server].0.insert(id, seen.clone());
                        }
                        Err(why) => {
                            prop_assert_eq!(why, IncrementError::Full);
                            prop_assert_eq!(&keys[server], &before);
                        }
                    }
                }
                Step::Merge(to, from) => {
                    let (before, other) = (keys[to].clone(), keys[from].clone());
                    match keys[to].merge(&other) {
                        Ok(()) => {
                            let theirs = histories[from].clone();
                            histories[to].0.extend(theirs.0);
                        }
                        Err(why) => {
                            prop_assert_eq!(why, SiblingsError::Full);
                            prop_assert_eq!(&keys[to], &before);
                        }
                    }
                }
            }
            for (key, history) in keys.iter().zip(&histories) {
                prop_assert_eq!(values(key), history.current());
            }
        }
        let join = |a: &Key, b: &Key| { let mut c = a.clone(); c.merge(b).map(|()| c) };
        if let (Ok(ab), Ok(ba)) = (join(&keys[0], &keys[1]), join(&keys[1], &keys[0])) {
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(join(&ab, &ab), Ok(ab.clone()));
            let mut buffer = [0; 512];
            prop_assert_eq!(Key::from_slice(ab.to_slice(&mut buffer).unwrap()), Ok(ab));
        }
    }
}

#[test]
fn alternating_clients_do_not_accumulate_siblings() {
    // each client knows its own last write only: with an entry a server, a plain version vector would take the other's
    // write for replaced or, with an entry a client, grow with the clients
    let server = Actor::default();
    let mut key = Key::new();
    let mut known = [Vector::new(), Vector::new()];
    for round in 0..1_000u64 {
        let client = (round % 2) as usize;
        let dot = key.write(server, &known[client], Value(round)).unwrap();
        let mut mine = Vector::new();
        mine.observe(dot).unwrap();
        known[client] = mine;
        assert!(key.len() <= 2, "{} siblings after {round} rounds", key.len());
    }
}

#[test]
fn duplicate_actor_is_detected() {
    let (mut a, mut b) = (Key::new(), Key::new());
    a.write(Actor::default(), &Vector::new(), Value(1)).unwrap();
    b.write(Actor::default(), &Vector::new(), Value(2)).unwrap();
    let before = a.clone();
    assert_eq!(a.merge(&b), Err(SiblingsError::Conflict(Dot::first(Actor::default()))));
    assert_eq!(a, before);
}

#[test]
fn values_outside_the_context_do_not_decode() {
    let mut buffer = [0; 64];
    let mut key = Key::new();
    key.write(Actor::default(), &Vector::new(), Value(9)).unwrap();
    let bytes = key.to_slice(&mut buffer).unwrap();
    assert_eq!(bytes, [1, 0, 0, 1, 1, 0, 0, 1, 9]);
    assert!(Key::from_slice(&[0, 1, 0, 0, 1, 9]).is_err());
    assert!(Key::from_slice(&[1, 0, 0, 1, 2, 0, 0, 1, 9, 0, 0, 1, 9]).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn serde_writes_the_wire_bytes() {
    let mut buffer = [0; 64];
    let mut key = Key::new();
    key.write(Actor::default(), &Vector::new(), Value(9)).unwrap();
    let written = postcard::to_allocvec(&key).unwrap();
    assert_eq!(written, key.to_slice(&mut buffer).unwrap());
    assert_eq!(postcard::from_bytes::<Key>(&written).unwrap(), key);
    assert!(postcard::from_bytes::<Key>(&[0, 1, 0, 0, 1, 9]).is_err());
}
