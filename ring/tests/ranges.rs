//! Ranges of ordered keys.
#![allow(clippy::unwrap_used)]

use quorate_core::{NodeId, Rng};
use quorate_ring::Placement;
use quorate_ring::ranges::{Inline, NoSplit, RangeError, Ranges, SplitFinder};

type Table = Ranges<Inline<8, 4, 2>>;

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

fn letters() -> Table {
    let mut ranges = Table::new(&[node(1)]).unwrap();
    for (start, id) in [(b"G", 2), (b"M", 3), (b"S", 4)] {
        ranges.split(start).unwrap();
        ranges.assign(start, &[node(id)]).unwrap();
    }
    ranges
}

#[test]
fn key_that_is_a_boundary_belongs_to_the_right() {
    let mut ranges = letters();
    let owner = |ranges: &Table, key: &str| ranges.owner(key.as_bytes()).unwrap().get();
    for (key, id) in [("", 1), ("F\u{ff}", 1), ("G", 2), ("G\0", 2), ("R~", 3), ("S", 4), ("z", 4)]
    {
        assert_eq!(owner(&ranges, key), id, "{key:?}");
    }
    ranges.split(b"J").unwrap();
    assert_eq!((owner(&ranges, "I"), owner(&ranges, "J")), (2, 2), "nothing moves with a split");
    ranges.assign(b"J", &[node(5)]).unwrap();
    assert_eq!((owner(&ranges, "Izzz"), owner(&ranges, "J"), owner(&ranges, "M")), (2, 5, 3));
}

#[test]
fn refused_changes_change_nothing() {
    let mut ranges = letters();
    let before = ranges.clone();
    assert_eq!(ranges.split(b"G"), Err(RangeError::Empty));
    assert_eq!(ranges.split(b""), Err(RangeError::Empty), "before all keys there is nothing");
    assert_eq!(ranges.split(b"GGGGG"), Err(RangeError::KeyTooLong));
    assert_eq!(ranges.merge(b"H"), Err(RangeError::NotABoundary));
    assert_eq!(ranges.merge(b""), Err(RangeError::NotABoundary));
    assert_eq!(ranges.merge(b"G"), Err(RangeError::DifferentNodes));
    assert_eq!(ranges.assign(b"H", &[node(1)]), Err(RangeError::NotABoundary));
    assert_eq!(ranges.assign(b"G", &[]), Err(RangeError::NoNodes));
    assert_eq!(ranges.assign(b"G", &[node(1); 2]), Err(RangeError::DuplicateNode(node(1))));
    assert_eq!(ranges.assign(b"G", &[1, 2, 3].map(node)), Err(RangeError::TooManyNodes));
    assert_eq!(ranges, before);
    (b'1'..=b'4').for_each(|start| ranges.split(&[start]).unwrap());
    let before = ranges.clone();
    assert_eq!(ranges.split(b"5"), Err(RangeError::Full));
    assert_eq!(ranges, before);
}

#[test]
fn random_changes_match_a_list_of_all_keys() {
    let mut rng = Rng::new(3);
    for _ in 0..100 {
        let mut ranges = Table::new(&[node(1)]).unwrap();
        // the owner of each key of one byte, and where ranges begin
        let mut owners = [1; 256];
        let mut starts = std::collections::BTreeSet::from([0]);
        for _ in 0..60 {
            let key = rng.below(256) as usize;
            let bytes = [key as u8];
            let bytes = if key == 0 { &[][..] } else { &bytes };
            let end = starts.range(key + 1..).next().copied().unwrap_or(256);
            match rng.below(3) {
                0 => {
                    let fits = starts.len() < 8;
                    let result = ranges.split(bytes);
                    assert_eq!(result.is_ok(), fits && !starts.contains(&key), "{result:?}");
                    if result.is_ok() {
                        starts.insert(key);
                    }
                }
                1 => {
                    let merges = key > 0 && starts.contains(&key) && owners[key] == owners[key - 1];
                    assert_eq!(ranges.merge(bytes).is_ok(), merges);
                    if merges {
                        starts.remove(&key);
                    }
                }
                _ => {
                    let id = 1 + rng.below(3);
                    let result = ranges.assign(bytes, &[node(id)]);
                    assert_eq!(result.is_ok(), starts.contains(&key));
                    if result.is_ok() {
                        owners[key..end].fill(id);
                    }
                }
            }
            for (key, owner) in owners.iter().enumerate().skip(1) {
                assert_eq!(ranges.owner(&[key as u8]), Some(node(*owner)));
            }
            assert_eq!(ranges.len(), starts.len());
            let bounds: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
            assert!(bounds.windows(2).all(|pair| pair[0].1 == Some(pair[1].0)), "{bounds:?}");
        }
    }
}

#[test]
fn split_key_halves_the_load_and_not_the_keys() {
    let mut rng = Rng::new(1);
    let mut finder = SplitFinder::<16, 8>::new(1);
    // nine of ten requests are for the last tenth of the keys
    for _ in 0..5_000 {
        let key = if rng.chance(9, 10) { 900 + rng.below(100) } else { rng.below(900) };
        finder.record(&key.to_be_bytes());
    }
    let key = u64::from_be_bytes(finder.split_key().unwrap().try_into().unwrap());
    assert!((915..985).contains(&key), "{key}");
}

#[test]
fn load_that_no_split_divides_is_named() {
    let mut one = SplitFinder::<16, 8>::new(1);
    let mut growing = SplitFinder::<16, 8>::new(1);
    let mut long = SplitFinder::<16, 8>::new(1);
    for n in 0..20_000_u64 {
        one.record(if n % 3 == 0 { b"some" } else { b"star" });
        growing.record(&n.to_be_bytes());
        long.record(&[7; 9]);
    }
    assert_eq!(one.split_key(), Err(NoSplit::OneKey));
    assert_eq!(growing.split_key(), Err(NoSplit::OneSide));
    assert_eq!(long.split_key(), Err(NoSplit::TooFew));
}

/// Keys of a time that is over, and then those of now.
fn record_few_low_and_many_high(finder: &mut SplitFinder<16, 8>, many: usize) {
    let mut rng = Rng::new(9);
    (0..16_u64).for_each(|key| finder.record(&key.to_be_bytes()));
    for _ in 0..many {
        finder.record(&(1_000 + rng.below(1_000)).to_be_bytes());
    }
}

#[test]
fn samples_are_of_all_keys_and_not_of_the_first() {
    let mut finder = SplitFinder::<16, 8>::new(2);
    record_few_low_and_many_high(&mut finder, 5_000);
    let key = u64::from_be_bytes(finder.split_key().unwrap().try_into().unwrap());
    assert!((1_200..1_800).contains(&key), "{key}");
}

#[test]
fn finder_that_was_reset_is_as_good_as_new() {
    let mut finder = SplitFinder::<16, 8>::new(2);
    for _ in 0..60_000 {
        finder.record(b"old");
    }
    finder.reset();
    assert_eq!(finder.split_key(), Err(NoSplit::TooFew));
    record_few_low_and_many_high(&mut finder, 600);
    let key = u64::from_be_bytes(finder.split_key().unwrap().try_into().unwrap());
    assert!((1_100..1_900).contains(&key), "{key}");
}

#[test]
fn split_needs_a_hundred_keys_and_a_quarter_on_either_side() {
    let mut finder = SplitFinder::<1, 8>::new(4);
    finder.record(b"m"); // the only sample, which the keys that follow are counted against
    let mut counted = 0;
    while finder.split_key() == Err(NoSplit::TooFew) {
        let before = finder.clone();
        finder.record(if counted % 2 == 0 { b"long and low" } else { b"z and long" });
        counted += 1;
        assert_ne!(finder, before);
    }
    assert_eq!((counted, finder.split_key()), (100, Ok(&b"m"[..])));
    // keys that are too long to be samples are on one side from now on: 50 of 200 are a quarter, and 50 of 201 are less
    for _ in 0..100 {
        assert!(finder.split_key().is_ok());
        finder.record(b"z and long");
    }
    assert_eq!(finder.split_key(), Ok(&b"m"[..]));
    finder.record(b"z and long");
    assert_eq!(finder.split_key(), Err(NoSplit::OneSide));
}

#[test]
fn half_of_the_load_on_one_key_is_too_much() {
    // the sample may be replaced, by the same key, which begins to count anew: not with each seed
    let told = (0..100).find_map(|seed| {
        let mut finder = SplitFinder::<1, 8>::new(seed);
        finder.record(b"m");
        (0..150).for_each(|_| finder.record(b"a long key"));
        let mut told = 0;
        for number in 1..=150 {
            finder.record(b"m");
            match finder.split_key() {
                Ok(_) => told = number,
                Err(NoSplit::OneKey) => return Some((told, number)),
                Err(_) => {}
            }
        }
        None
    });
    assert_eq!(told, Some((149, 150)));
}
