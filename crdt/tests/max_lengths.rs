//! The longest state and update of each type: what `docs/wire/crdt.md` says, reached by one that decodes.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_clocks::Inline;
use quorate_core::{Reader, Writer};
use quorate_crdt::{
    BoundedCounter, Crdt, DwFlag, EwFlag, GCounter, GSet, List, LwwRegister, LwwSet, MvRegister,
    OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, RwSet, TwoPhaseSet,
};

const TABLES: &str = include_str!("../../docs/wire/crdt.md");

/// Entries and actors, and the varint of each.
const S: usize = 130;
const A: usize = 2;
const V_S: usize = 2;
const V_A: usize = 1;
/// The bytes of the longest `u64`, which is the element, the key and the value.
const E: usize = 10;

type Entries = Inline<S>;
type Actors = Inline<A>;

/// From here on numbers take ten bytes.
const LARGE: u64 = 1 << 63;

/// Numbers, one after the other.
fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = vec![0; numbers.len() * 10];
    let mut out = Writer::new(&mut bytes);
    numbers.iter().for_each(|&number| out.u64(number));
    let len = out.finish().unwrap().len();
    bytes.truncate(len);
    bytes
}

fn actor(at: usize) -> [u64; 2] {
    [LARGE + at as u64, u32::MAX.into()]
}

/// A dot of the first actor.
fn dot(at: usize) -> [u64; 3] {
    [actor(0)[0], actor(0)[1], LARGE + at as u64]
}

/// A map with one entry for each place.
fn map(entry: impl Fn(usize) -> Vec<u64>) -> Vec<u8> {
    let entries = (0..S).flat_map(entry);
    varints(&core::iter::once(S as u64).chain(entries).collect::<Vec<_>>())
}

/// A dot store with one entry for each place, and a run beyond a gap for each actor.
fn dot_store(payload: impl Fn(usize) -> Vec<u64>) -> Vec<u8> {
    let mut bytes = map(|at| [&payload(at)[..], &dot(at)].concat());
    bytes.extend(varints(&[A as u64]));
    (0..A).for_each(|at| bytes.extend(varints(&[&actor(at)[..], &[LARGE + 1_000]].concat())));
    bytes.extend(varints(&[A as u64]));
    let run = [LARGE + 2_000, LARGE + 3_000];
    (0..A).for_each(|at| bytes.extend(varints(&[&actor(at)[..], &run].concat())));
    bytes
}

/// An addition in the place of all that is there.
fn change(payload: &[u64]) -> Vec<u8> {
    let removed = (0..S).flat_map(dot).collect::<Vec<_>>();
    varints(&[&[1], payload, &dot(S), &[S as u64], &removed].concat())
}

/// The longest of a type: what the table says, what that is here, and the bytes.
struct Longest(&'static str, usize, Vec<u8>);

/// The table has the formulas, and the longest state and update have those lengths and decode.
fn check<T: Crdt>(like: &T, name: &str, state: &Longest, delta: &Longest) {
    let is_row = |row: &&str| row.starts_with("| `") && row.contains(&format!("`{name}"));
    let row = TABLES.lines().find(is_row).unwrap();
    assert!(row.ends_with(&format!("| `{}` | `{}` |", state.0, delta.0)), "{row}");
    check_bytes(like, name, (&state.2, state.1), (&delta.2, delta.1));
}

fn check_bytes<T: Crdt>(
    like: &T,
    name: &str,
    (state_bytes, state_len): (&[u8], usize),
    (delta_bytes, delta_len): (&[u8], usize),
) {
    assert_eq!((state_bytes.len(), delta_bytes.len()), (state_len, delta_len), "{name}");
    let mut input = Reader::new(state_bytes);
    let state = like.read_state(&mut input).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(input.finish().is_ok() && state.to_vec() == state_bytes, "{name}");
    let mut input = Reader::new(delta_bytes);
    let delta = like.read_delta(&mut input).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(input.finish().is_ok(), "{name}");
    let mut bytes = vec![0; delta_bytes.len()];
    let mut out = Writer::new(&mut bytes);
    T::write_delta(&delta, &mut out);
    assert_eq!(out.finish().unwrap(), delta_bytes, "{name}");
}

/// A map whose update is its longest entry.
fn check_map<T: Crdt>(
    like: &T,
    name: &str,
    (state, entry): (&'static str, &'static str),
    len: usize,
    numbers: impl Fn(usize) -> Vec<u64>,
) {
    let delta = varints(&numbers(0));
    let state = Longest(state, V_S + len * S, map(numbers));
    check(like, name, &state, &Longest(entry, len, delta));
}

#[test]
fn longest_maps_are_as_the_table_says() {
    let with_actor = |at, more: &[u64]| [&actor(at)[..], more].concat();
    let text = ("v(S) + 25 S", "25");
    check_map(&GCounter::<Entries>::new(), "GCounter", text, 25, |at| with_actor(at, &[LARGE]));
    let text = ("v(S) + 35 S", "35");
    let entry = |at| with_actor(at, &[LARGE; 2]);
    check_map(&PnCounter::<Entries>::new(), "PnCounter", text, 35, entry);
    let text = ("v(S) + 50 S", "50");
    let entry = |at| [&actor(at)[..], &actor(at), &[LARGE; 2]].concat();
    check_map(&BoundedCounter::<Entries>::new(), "BoundedCounter", text, 50, entry);
    let totals = || {
        let bytes = map(|at| with_actor(at, &[LARGE; 4]));
        Longest("v(S) + 55 S", V_S + 55 * S, bytes)
    };
    check(&ResettableCounter::<Entries>::new(), "ResettableCounter", &totals(), &totals());
    let element = |at| LARGE + at as u64;
    check_map(&GSet::<u64, Entries>::new(), "GSet", ("v(S) + E S", "E"), E, |at| vec![element(at)]);
    let text = ("v(S) + (E + 1) S", "E + 1");
    let entry = |at| vec![element(at), 1];
    check_map(&TwoPhaseSet::<u64, Entries>::new(), "TwoPhaseSet", text, E + 1, entry);
    let text = ("v(S) + (E + 26) S", "E + 26");
    let entry = |at| [&[element(at), LARGE][..], &actor(at), &[1]].concat();
    check_map(&LwwSet::<u64, Entries>::new(), "LwwSet", text, E + 26, entry);
}

#[test]
fn longest_register_and_list_are_as_the_table_says() {
    let latest = [&[LARGE][..], &actor(0), &[LARGE]].concat();
    let state = Longest("26 + V", 26 + E, varints(&[&[1], &latest[..]].concat()));
    let delta = Longest("25 + V", 25 + E, varints(&latest));
    check(&LwwRegister::<u64>::new(), "LwwRegister", &state, &delta);
    let id = |at: usize| [&[LARGE + at as u64][..], &actor(0)].concat();
    let node = |at: usize| {
        // the first has no parent; each hangs on the one before, to the right
        let parent = at.checked_sub(1).map_or(vec![0], |parent| [vec![1], id(parent)].concat());
        [id(at), parent, vec![1, 1, LARGE]].concat()
    };
    let state = Longest("v(S) + (V + 53) S - 25", V_S + (E + 53) * S - 25, map(node));
    let delta = Longest("V + 53", E + 53, varints(&node(1)));
    check(&List::<u64, Entries>::new(), "List", &state, &delta);
}

/// Of a dot store with such payloads.
fn longest_dot_store(
    (state, delta): (&'static str, &'static str),
    payload_len: usize,
    payload: impl Fn(usize) -> Vec<u64>,
) -> (Longest, Longest) {
    let added = change(&payload(0));
    let state_len = V_S + (payload_len + 25) * S + 2 * V_A + 60 * A;
    let delta_len = 26 + payload_len + V_S + 25 * S;
    let bytes = dot_store(payload);
    (Longest(state, state_len, bytes), Longest(delta, delta_len, added))
}

#[test]
fn longest_dot_stores_are_as_the_table_says() {
    let element = |at| vec![LARGE + at as u64];
    let text = ("v(S) + 25 S + 2 v(A) + 60 A", "26 + v(S) + 25 S");
    let (state, delta) = longest_dot_store(text, 0, |_| Vec::new());
    check(&EwFlag::<Entries, Actors>::new(), "EwFlag", &state, &delta);
    check(&DwFlag::<Entries, Actors>::new(), "DwFlag", &state, &delta);
    let text = ("v(S) + (E + 25) S + 2 v(A) + 60 A", "26 + E + v(S) + 25 S");
    let (state, delta) = longest_dot_store(text, E, element);
    check(&OrSet::<u64, Entries, Actors>::new(), "OrSet", &state, &delta);
    let text = ("v(S) + (V + 25) S + 2 v(A) + 60 A", "26 + V + v(S) + 25 S");
    let (state, delta) = longest_dot_store(text, E, element);
    check(&MvRegister::<u64, Entries, Actors>::new(), "MvRegister", &state, &delta);
    let text = ("v(S) + (E + 26) S + 2 v(A) + 60 A", "27 + E + v(S) + 25 S");
    let (state, delta) = longest_dot_store(text, E + 1, |at| [element(at), vec![1]].concat());
    check(&RwSet::<u64, Entries, Actors>::new(), "RwSet", &state, &delta);
    // the least amount is the longest
    let text = ("v(S) + 35 S + 2 v(A) + 60 A", "36 + v(S) + 25 S");
    let (state, delta) = longest_dot_store(text, 10, |_| vec![u64::MAX]);
    check(&OrCounter::<Entries, Actors>::new(), "OrCounter", &state, &delta);
    // a map of sets has a key in each payload
    let (state, delta) =
        longest_dot_store(("", ""), E + E, |at| [element(0), element(at)].concat());
    let like = OrMap::<u64, OrSet<u64, Entries, Actors>>::new();
    check_bytes(&like, "OrMap", (&state.2, state.1), (&delta.2, delta.1));
}
