//! Clocks that are full, and limits that were chosen.
#![allow(clippy::unwrap_used)]

use std::hash::{DefaultHasher, Hash, Hasher};

use quorate_clocks::{
    Actor, Causality, Dot, DotContext, Exhausted, IncrementError, Inline, Pruned, PrunedError, Run,
    Siblings, SiblingsError, VersionVector, Versions,
};
#[cfg(any(feature = "alloc", feature = "serde"))]
use quorate_clocks::{Guarantees, Session};
use quorate_core::{DecodeError, Full, NodeId, Reader, Wire};

fn actor(node: u64) -> Actor {
    NodeId::new(node).into()
}

fn dot(node: u64, counter: u64) -> Dot {
    Dot::new(actor(node), counter).unwrap()
}

fn vector<const N: usize>(dots: &[Dot]) -> VersionVector<Inline<N>> {
    let mut vector = VersionVector::new();
    dots.iter().for_each(|&dot| _ = vector.observe(dot).unwrap());
    vector
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn equality_and_hash_cover_all_fields() {
    let (one, two) = (vector::<2>(&[dot(1, 1)]), vector::<2>(&[dot(1, 2)]));
    assert!(one != two && one != vector::<2>(&[dot(2, 1)]) && one != vector::<2>(&[]));
    type Context = DotContext<Inline<2>, Inline<2>>;
    let context = |dots: &[Dot]| {
        let mut context = Context::new();
        dots.iter().for_each(|&dot| _ = context.insert(dot).unwrap());
        context
    };
    // the same vector and other gaps, and the other way round
    let base = context(&[dot(1, 1), dot(2, 3)]);
    assert!(base != context(&[dot(1, 1), dot(2, 4)]));
    assert!(base != context(&[dot(1, 2), dot(2, 3)]));
    assert!(base == context(&[dot(2, 3), dot(1, 1)]));
}

#[test]
fn full_vector_rejects_new_actor() {
    let mut full = vector::<2>(&[dot(1, 1), dot(3, 1)]);
    let before = full.clone();
    assert_eq!((full.len(), full.limit()), (2, 2));
    for node in [0, 2, 4] {
        assert_eq!(full.increment(actor(node)), Err(IncrementError::Full));
        assert_eq!(full.observe(dot(node, 1)), Err(Full));
        let one = vector::<1>(&[dot(node, 1)]);
        assert_eq!(full.merge(&one), Err(Full));
        // one that it knows does not let another in
        let two = vector::<2>(&[dot(3, 9), dot(node, 1)]);
        assert_eq!(full.observe_all(two.versions()), Err(Full));
        assert_eq!(full, before);
    }
    let known = vector::<2>(&[dot(1, 5), dot(3, 1)]);
    full.observe_all(known.versions()).unwrap();
    assert_eq!(full, known);
    assert_eq!(full.increment(actor(3)), Ok(dot(3, 2)));
    // room for exactly as many as come
    let mut room = vector::<3>(&[dot(1, 1)]);
    room.observe_all(vector::<2>(&[dot(2, 1), dot(3, 1)]).versions()).unwrap();
    assert_eq!(room.len(), 3);
    room.clear();
    assert!(room.is_empty());
}

#[test]
fn exhausted_counter_stays() {
    let mut clock = vector::<2>(&[dot(1, u64::MAX)]);
    let before = clock.clone();
    assert_eq!(clock.increment(actor(1)), Err(IncrementError::Exhausted));
    assert_eq!(clock.next(actor(1)), Err(Exhausted));
    assert_eq!(clock, before);
    assert_eq!(clock.next(actor(2)), Ok(dot(2, 1)));
    let mut key = Siblings::<u8, Inline<2>>::new();
    assert_eq!(key.write(actor(1), &clock, 1), Err(IncrementError::Exhausted));
    assert!(key.is_empty() && key.context().is_empty());
    let mut seen = DotContext::<Inline<2>>::from(clock);
    assert_eq!(seen.increment(actor(1)), Err(IncrementError::Exhausted));
    assert_eq!(seen.next(actor(1)), Err(Exhausted));
}

#[test]
fn equality_ignores_limits() {
    let (small, large) =
        (vector::<2>(&[dot(1, 2), dot(2, 1)]), vector::<9>(&[dot(1, 2), dot(2, 1)]));
    assert_eq!(small.compare(&large), Causality::Equal);
    assert_eq!(hash(&small), hash(&large));
    assert_ne!(hash(&small), hash(&vector::<2>(&[dot(1, 2), dot(2, 2)])));
    let mut gap = DotContext::<Inline<2>>::from(small);
    let mut same = DotContext::<Inline<9>>::from(large);
    gap.insert(dot(1, 7)).unwrap();
    assert_eq!(same.compare(&gap), Causality::Before);
    assert_eq!(gap.compare(&same), Causality::After);
    assert_ne!(hash(&gap), hash(&same));
    same.insert(dot(1, 7)).unwrap();
    assert_eq!(hash(&gap), hash(&same));
    assert!(gap.includes(&same) && same.includes(&gap));
    same.insert(dot(2, 9)).unwrap();
    gap.insert(dot(1, 9)).unwrap();
    assert_eq!(same.compare(&gap), Causality::Concurrent);
    assert_ne!(gap, DotContext::default());
    assert!(VersionVector::<Inline<1>>::default().is_empty());
    assert!(Pruned::<Inline<1>>::default().vector().is_empty());
    assert!(Siblings::<u8, Inline<1>>::default().is_empty());
}

#[test]
fn full_context_rejects_new_run() {
    type Tight = DotContext<Inline<2>, Inline<1>>;
    assert_eq!(Tight::new().limits(), (2, 1));
    let mut seen = Tight::new();
    seen.insert(dot(1, 3)).unwrap();
    let before = seen.clone();
    assert_eq!(seen.insert(dot(1, 5)), Err(Full));
    assert_eq!(seen.insert_run(Run::new(actor(2), 2, 3).unwrap()), Err(Full));
    assert_eq!(seen, before);
    // what touches the run makes it longer, at both ends; what closes the gap moves it into the
    // vector
    assert_eq!(seen.insert(dot(1, 4)), Ok(true));
    assert_eq!(seen.insert(dot(1, 2)), Ok(true));
    assert_eq!(seen.cloud(), [Run::new(actor(1), 2, 4).unwrap()]);
    assert!(seen.contains_run(Run::new(actor(1), 2, 4).unwrap()));
    for (first, last) in [(1, 4), (2, 5), (1, 1), (5, 5)] {
        assert!(!seen.contains_run(Run::new(actor(1), first, last).unwrap()));
    }
    assert_eq!(seen.insert(dot(1, 1)), Ok(true));
    assert_eq!((seen.vector().get(actor(1)), seen.cloud().len()), (4, 0));
    assert_eq!(seen.increment(actor(1)), Ok(dot(1, 5)));
    // and a full vector does not take an actor, contiguous or not
    seen.insert(dot(2, 1)).unwrap();
    let before = seen.clone();
    assert_eq!(seen.insert(dot(3, 1)), Err(Full));
    assert_eq!(seen.increment(actor(3)), Err(IncrementError::Full));
    assert_eq!(seen, before);
    assert_eq!(seen.insert(dot(3, 2)), Ok(true), "it lies beyond a gap");
    assert_eq!(seen.increment(actor(3)), Ok(dot(3, 3)));
    seen.clear();
    assert!(seen.is_empty() && seen.cloud().is_empty());
    // one event beyond a gap is an event
    seen.insert(dot(1, 2)).unwrap();
    assert!(!seen.is_empty() && seen.vector().is_empty());
}

#[test]
fn context_decodes_within_limits() {
    let mut seen = DotContext::<Inline<3>>::new();
    for dot in [dot(1, 1), dot(2, 1), dot(2, 5)] {
        seen.insert(dot).unwrap();
    }
    let mut buffer = [0; 32];
    let bytes = seen.to_slice(&mut buffer).unwrap();
    type Read = DotContext<Inline<3>>;
    assert_eq!(Read::decode_with_limits(2, 1, &mut Reader::new(bytes)), Ok(seen.clone()));
    assert_eq!(Read::from_slice(bytes), Ok(seen));
    assert_eq!(DotContext::<Inline<1>>::from_slice(bytes), Err(DecodeError::Invalid));
    #[cfg(feature = "alloc")]
    {
        use quorate_clocks::Heap;
        let read = |actors, cloud| {
            DotContext::<Heap>::decode_with_limits(actors, cloud, &mut Reader::new(bytes))
        };
        assert_eq!(read(2, 1).map(|context| context.limits()), Ok((2, 1)));
        assert_eq!(
            (read(1, 1), read(2, 0)),
            (Err(DecodeError::Invalid), Err(DecodeError::Invalid))
        );
        assert_eq!(DotContext::<Heap>::with_limits(4, 7).limits(), (4, 7));
        assert_eq!(VersionVector::<Heap>::with_limit(5).limit(), 5);
        assert_eq!(VersionVector::<Heap>::new().limit(), 1024);
        assert_eq!(Siblings::<u8, Heap>::with_limits(4, 7).limits(), (4, 7));
        let mut token = Session::<Heap>::with_limit(Guarantees::ALL, 1);
        token.record_write(dot(1, 1)).unwrap();
        assert_eq!(token.record_write(dot(2, 1)), Err(Full));
    }
}

#[test]
fn full_siblings_are_unchanged() {
    let nothing = VersionVector::<Inline<2>>::new();
    let mut key = Siblings::<u8, Inline<2>, Inline<2>>::new();
    assert_eq!(key.limits(), (2, 2));
    let first = key.write(actor(1), &nothing, 1).unwrap();
    let second = key.write(actor(1), &nothing, 2).unwrap();
    assert_eq!(key.entries(), [(first, 1), (second, 2)]);
    let before = key.clone();
    assert_eq!(key.write(actor(1), &nothing, 3), Err(IncrementError::Full));
    // room for a value, and none for a server
    let two = vector::<2>(&[dot(1, 2), dot(2, 1)]);
    assert_eq!(key.write(actor(3), &two, 3), Err(IncrementError::Full));
    assert_eq!(key.delete(&vector::<3>(&[dot(1, 1), dot(2, 1), dot(3, 1)])), Err(Full));
    assert_eq!(key, before);
    // a merge that brings one too many, of values or of servers
    let mut other = Siblings::<u8, Inline<2>, Inline<2>>::new();
    other.write(actor(2), &nothing, 9).unwrap();
    assert_eq!(key.merge(&other), Err(SiblingsError::Full));
    let mut far = Siblings::<u8, Inline<3>, Inline<2>>::new();
    far.delete(&vector::<3>(&[dot(2, 1), dot(3, 1)])).unwrap();
    assert_eq!(key.merge(&far), Err(SiblingsError::Full));
    assert_eq!(key, before);
    // as many as fit do
    key.delete(&vector::<1>(&[first])).unwrap();
    key.merge(&other).unwrap();
    assert_eq!((key.len(), key.is_empty()), (2, false));
    assert_eq!(key.values().copied().collect::<Vec<_>>(), [2, 9]);
    // one that was removed here stays so, and is removed there
    let mut stale = before;
    assert_eq!(key.merge(&stale), Ok(()));
    assert_eq!(key.values().copied().collect::<Vec<_>>(), [2, 9]);
    assert_eq!(stale.merge(&key), Ok(()));
    assert_eq!(stale, key);
}

#[test]
fn write_context_may_exceed_server_context() {
    // of its own writes, too: it goes on beyond them, so that no dot is made twice
    let mut key = Siblings::<u8, Inline<2>>::new();
    let seen = vector::<2>(&[dot(1, 7), dot(2, 3)]);
    assert_eq!(key.write(actor(1), &seen, 1), Ok(dot(1, 8)));
    assert_eq!(key.context().get(actor(2)), 3);
}

#[test]
fn versions_equal_vector_entries() {
    let two = vector::<2>(&[dot(1, 2), dot(2, 300)]);
    let mut buffer = [0; 16];
    let bytes = two.versions().to_slice(&mut buffer).unwrap();
    assert_eq!(bytes, [2, 1, 0, 2, 2, 0, 0xac, 2]);
    let read = Versions::from_slice(bytes).unwrap();
    assert_eq!((read.len(), read.is_empty(), read), (2, false, two.versions()));
    assert_ne!(read, vector::<2>(&[dot(1, 2), dot(2, 299)]).versions());
    assert_eq!(read.iter().collect::<Vec<_>>(), [dot(1, 2), dot(2, 300)]);
    let mut again = [0; 16];
    assert_eq!(read.to_slice(&mut again).unwrap(), bytes);
    // cut out of what comes after it, and no more
    let mut input = Reader::new(&[1, 1, 0, 2, 99]);
    assert_eq!(Versions::decode(&mut input).unwrap().len(), 1);
    assert_eq!(input.rest(), [99]);
    assert!(Versions::EMPTY.is_empty());
    assert_eq!(Versions::EMPTY.iter().count(), Versions::EMPTY.len());
    for bytes in [&[2, 1, 0, 2][..], &[1, 1, 0], &[]] {
        assert_eq!(Versions::from_slice(bytes), Err(DecodeError::Truncated));
    }
}

#[test]
fn full_pruned_vector_is_an_error() {
    let mut clock = Pruned::<Inline<1>>::new();
    clock.increment(actor(1)).unwrap();
    let before = clock.clone();
    let mut other = Pruned::<Inline<1>>::new();
    other.increment(actor(2)).unwrap();
    assert_eq!(clock.merge(&other), Err(PrunedError::Full));
    assert_eq!(clock.increment(actor(2)), Err(IncrementError::Full));
    assert_eq!(clock, before);
    assert_eq!(clock.compare(&other), Ok(Causality::Concurrent));
    // retired: room for the next
    clock.retire(1, &[dot(1, 1)]).unwrap();
    assert_eq!((clock.retirements(), clock.vector().len()), (1, 0));
    assert!(clock.vector().is_empty());
    assert_eq!(clock.increment(actor(2)), Ok(dot(2, 1)));
    assert!(!clock.vector().is_empty());
    clock.retire(2, &[dot(2, 1)]).unwrap();
    assert_eq!((clock.retirements(), clock.vector().len()), (2, 0));
}

#[cfg(feature = "serde")]
#[test]
fn serde_respects_limits() {
    let two = vector::<2>(&[dot(1, 2), dot(2, 1)]);
    let bytes = postcard::to_allocvec(&two).unwrap();
    assert_eq!(bytes, [2, 1, 0, 2, 2, 0, 1]);
    assert_eq!(postcard::from_bytes::<VersionVector<Inline<2>>>(&bytes).unwrap(), two);
    assert!(postcard::from_bytes::<VersionVector<Inline<1>>>(&bytes).is_err());
    // nor what is not sorted, or no dot, or a run that ends before it begins
    assert!(postcard::from_bytes::<VersionVector<Inline<2>>>(&[2, 2, 0, 1, 1, 0, 2]).is_err());
    assert!(postcard::from_bytes::<VersionVector<Inline<2>>>(&[1, 1, 0, 0]).is_err());
    assert!(postcard::from_bytes::<Run>(&[1, 0, 3, 2]).is_err());
    let run = Run::new(actor(1), 2, 3).unwrap();
    assert_eq!(postcard::from_bytes::<Run>(&[1, 0, 2, 3]).unwrap(), run);
    assert_eq!(postcard::to_allocvec(&run).unwrap(), [1, 0, 2, 3]);
    let pruned = Pruned::from(two.clone());
    let bytes = postcard::to_allocvec(&pruned).unwrap();
    assert_eq!(postcard::from_bytes::<Pruned<Inline<2>>>(&bytes).unwrap(), pruned);
    let mut session = Session::<Inline<2>>::new(Guarantees::ALL);
    session.record_read(&two).unwrap();
    let bytes = postcard::to_allocvec(&session).unwrap();
    assert_eq!(postcard::from_bytes::<Session<Inline<2>>>(&bytes).unwrap(), session);
}
