//! Both log implementations against a plain list of entries.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::hash::Hasher;

use crate::headers::{Tagged, TestHeader, Untagged};
use proptest::prelude::*;
use quorate_core::Full;
use quorate_log::{Header, Index, InlineLog, Log};
#[cfg(feature = "alloc")]
use quorate_log::{HeapLog, MAX_RUN_LEN};

#[derive(Clone, Debug)]
enum Step {
    Push(u8, usize),
    Append(Vec<(u8, usize)>),
    Truncate(u8),
    Replace(u8, usize),
    Compact(u8),
    Reset(u8, u8),
}

/// The capacity of a log.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    entries: usize,
}

struct Model<H: TestHeader> {
    room: Room,
    compacted: Index,
    compacted_tag: H::Tag,
    /// The number that the tag was made of, and the data.
    entries: Vec<(u64, Vec<u8>)>,
}

impl<H: TestHeader> Model<H> {
    fn last(&self) -> Index {
        self.compacted + self.entries.len() as u64
    }

    fn used(&self) -> usize {
        self.entries.iter().map(|(tag, data)| encoded::<H>(*tag, data).len()).sum()
    }

    fn fits(&self, bytes: usize, spare: usize) -> bool {
        self.used() + bytes <= self.room.bytes && self.entries.len() + spare < self.room.entries
    }

    /// True if there was room.
    fn push(&mut self, tag: u64, data: &[u8]) -> bool {
        let fits = self.fits(encoded::<H>(tag, data).len(), 0);
        if fits {
            self.entries.push((tag, data.to_vec()));
        }
        fits
    }
}

/// Entries of some bytes each, the longest `longest`.
fn step(longest: usize) -> impl Strategy<Value = Step> {
    let len = prop_oneof![0..longest / 10, 0..=longest];
    prop_oneof![
        4 => (0..2u8, len.clone()).prop_map(|(t, d)| Step::Push(t, d)),
        4 => prop::collection::vec((0..2u8, len.clone()), 0..5).prop_map(Step::Append),
        4 => (any::<u8>(), len).prop_map(|(back, len)| Step::Replace(back, len)),
        2 => any::<u8>().prop_map(Step::Truncate),
        2 => any::<u8>().prop_map(Step::Compact),
        1 => (any::<u8>(), 0..3u8).prop_map(|(i, t)| Step::Reset(i, t)),
    ]
}

fn encoded<H: TestHeader>(tag: u64, data: &[u8]) -> Vec<u8> {
    let (head, len) = H::new(tag, data.len()).encode();
    [&head[..len], data].concat()
}

fn run<L: Log<Header: TestHeader>>(steps: &[Step], room: Room) {
    let mut log = L::with_limit(room.bytes);
    let mut model = Model::<L::Header> {
        room,
        compacted: 0,
        compacted_tag: L::Header::tag_of(0),
        entries: Vec::new(),
    };
    let mut last_tag = 0;
    for (at, step) in steps.iter().enumerate() {
        let last = model.last();
        let data = |len: usize| vec![at as u8; len];
        match step {
            Step::Push(bump, len) => {
                let tag = (last_tag + u64::from(*bump)).max(1);
                let data = data(*len);
                let taken = log.push(L::Header::new(tag, data.len()), &data).is_ok();
                assert_eq!(taken, model.push(tag, &data));
            }
            Step::Append(new) => {
                let mut tag = last_tag.max(1);
                let (mut bytes, mut expected, mut full) = (Vec::new(), 0, false);
                for (bump, len) in new {
                    tag += u64::from(*bump);
                    let data = data(*len);
                    bytes.extend(encoded::<L::Header>(tag, &data));
                    full = full || !model.push(tag, &data);
                    expected += u64::from(!full);
                }
                assert_eq!(log.append(&bytes), expected);
            }
            Step::Truncate(back) => {
                let to = last - u64::from(*back) % (model.entries.len() as u64 + 1);
                log.truncate(to);
                model.entries.truncate((to - model.compacted) as usize);
            }
            Step::Replace(back, len) => {
                let index = last - u64::from(*back) % (model.entries.len() as u64 + 1);
                let place = (index - model.compacted).checked_sub(1);
                let Some(old) = place.and_then(|at| model.entries.get_mut(at as usize)) else {
                    assert_eq!(log.replace(index, &encoded::<L::Header>(1, b"")), Ok(()));
                    continue;
                };
                let new = (old.0, data(*len));
                let bytes = encoded::<L::Header>(new.0, &new.1);
                let before = core::mem::replace(old, new);
                if model.used() > room.bytes {
                    model.entries[place.unwrap() as usize] = before;
                    assert_eq!(log.replace(index, &bytes), Err(Full));
                } else {
                    assert_eq!(log.replace(index, &bytes), Ok(()));
                }
            }
            Step::Compact(on) => {
                let by = usize::from(*on) % (model.entries.len() + 1);
                if by > 0 {
                    model.compacted_tag = L::Header::tag_of(model.entries[by - 1].0);
                    model.entries.drain(..by);
                    model.compacted += by as u64;
                }
                log.compact(model.compacted);
            }
            Step::Reset(on, tag) => {
                model.compacted = last + u64::from(*on);
                last_tag += u64::from(*tag);
                model.compacted_tag = L::Header::tag_of(last_tag);
                model.entries.clear();
                log.reset(model.compacted, model.compacted_tag);
            }
        }
        last_tag = model.entries.last().map_or(last_tag, |entry| entry.0);
        check(&log, &model);
    }
}

fn check<L: Log<Header: TestHeader>>(log: &L, model: &Model<L::Header>) {
    let max_header = L::Header::MAX_LEN;
    let last = model.last();
    assert_eq!((log.compacted(), log.last()), (model.compacted, last));
    let last_tag = model.entries.last().map_or(model.compacted_tag, |e| L::Header::tag_of(e.0));
    assert_eq!(log.last_tag(), last_tag);
    assert_eq!(log.tag(model.compacted), Some(model.compacted_tag));
    assert_eq!(log.tag(last + 1), None);
    for max_bytes in [0, 60, 300, 30_000, usize::MAX] {
        let mut next = model.compacted + 1;
        while next <= last {
            let run = log.entries(next, Index::MAX, max_bytes);
            assert!(!run.is_empty());
            assert!(run.len() == 1 || run.bytes().len() <= max_bytes);
            assert_eq!(run.bytes().len() as u64, log.bytes_between(next - 1, run.last()));
            assert_eq!(run.iter().count(), run.len());
            for entry in run {
                let expected = &model.entries[(entry.index - model.compacted - 1) as usize];
                assert_eq!(
                    (entry.tag, entry.data),
                    (L::Header::shown(expected.0), &expected.1[..])
                );
                assert_eq!(log.tag(entry.index), Some(L::Header::tag_of(expected.0)));
            }
            next = run.last() + 1;
        }
        assert!(log.entries(last + 1, Index::MAX, max_bytes).is_empty());
        assert!(log.entries(model.compacted, Index::MAX, max_bytes).is_empty());
        assert!(log.entries(last, last.saturating_sub(1), max_bytes).is_empty());
    }
    let mut total = 0;
    for index in model.compacted..=last {
        total += log.bytes_between(index, index + 1);
    }
    assert_eq!(total, model.used() as u64);
    assert_eq!(total, log.bytes_between(model.compacted, last));
    assert_eq!(total, log.bytes_between(0, last + 9), "indexes outside the log take no bytes");
    let half =
        if model.room.entries == usize::MAX { Index::MAX } else { model.room.entries as u64 / 2 };
    assert_eq!(log.half(), (half, model.room.bytes as u64 / 2));
    for (len, spare) in [(0, 0), (10, 0), (10, 4), (1000, 1), (30_000, 0)] {
        let fits = model.fits(len + max_header + spare * max_header, spare);
        assert_eq!(log.fits(len, spare), fits, "{len} {spare}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inline_log_matches_a_plain_list(steps in prop::collection::vec(step(200), 0..40)) {
        run::<InlineLog<Tagged, 600, 12>>(&steps, Room { bytes: 600, entries: 12 });
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn heap_log_matches_a_plain_list(steps in prop::collection::vec(step(200), 0..40)) {
        run::<HeapLog<Tagged>>(&steps, Room { bytes: 600, entries: usize::MAX });
    }

    /// Of a protocol that keeps nothing of an entry that was dropped.
    #[test]
    fn inline_log_without_tags_matches_a_plain_list(steps in prop::collection::vec(step(200), 0..40)) {
        run::<InlineLog<Untagged, 600, 12>>(&steps, Room { bytes: 600, entries: 12 });
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn heap_log_without_tags_matches_a_plain_list(steps in prop::collection::vec(step(200), 0..40)) {
        run::<HeapLog<Untagged>>(&steps, Room { bytes: 600, entries: usize::MAX });
    }

    /// Of several chunks, and entries that are longer than one.
    #[cfg(feature = "alloc")]
    #[test]
    fn heap_log_of_several_chunks_matches_a_plain_list(steps in prop::collection::vec(step(70_000), 0..40)) {
        run::<HeapLog<Tagged>>(&steps, Room { bytes: 200_000, entries: usize::MAX });
    }
}

fn add<L: Log<Header = Tagged>>(log: &mut L, tag: u64, data: &[u8]) -> Result<(), Full> {
    log.push(Tagged::new(tag, data.len()), data)
}

#[cfg(feature = "alloc")]
#[test]
fn entries_cross_chunks_and_chunks_are_recycled() {
    let mut log = HeapLog::<Tagged>::with_limit(1 << 24);
    let mut equal = HeapLog::<Tagged>::with_limit(1 << 24);
    let data = [7; 1000];
    for round in 0..20_u64 {
        for _ in 0..100 {
            add(&mut log, round + 1, &data).unwrap();
        }
        log.compact(log.last() - 10);
    }
    assert_eq!(log.last(), 2000);
    assert_eq!(log.tag(1995), Some(20));
    equal.reset(1990, 20);
    for _ in 0..10 {
        add(&mut equal, 20, &data).unwrap();
    }
    assert_eq!(log, equal);
    log.truncate(1995);
    assert_ne!(log, equal);
    assert_eq!(log.bytes_between(1990, 1995), 5 * 1003);
    let large = vec![1; 200_000];
    add(&mut log, 21, &large).unwrap();
    add(&mut log, 21, &data).unwrap();
    assert_eq!(log.entries(1996, 1997, 10).len(), 1);
    assert_eq!(log.entries(1996, 1996, 10).iter().next().unwrap().data.len(), 200_000);
}

/// The longest run of a log that is filled with small entries after `first`, which is compacted.
#[cfg(feature = "alloc")]
fn longest_run_after(first: &[usize], forget: impl FnOnce(&mut HeapLog<Tagged>)) -> usize {
    let mut log = HeapLog::with_limit(1 << 24);
    for &len in first {
        add(&mut log, 1, &vec![0; len]).unwrap();
    }
    forget(&mut log);
    for _ in 0..1000 {
        add(&mut log, 1, &[0; 1000]).unwrap();
    }
    let mut longest = 0;
    let mut next = log.compacted() + 1;
    while next <= log.last() {
        let run = log.entries(next, Index::MAX, usize::MAX);
        if run.len() > 1 {
            longest = longest.max(run.bytes().len());
        }
        next = run.last() + 1;
    }
    longest
}

#[cfg(feature = "alloc")]
#[test]
fn runs_are_bounded_although_chunks_of_long_entries_are_used_again() {
    // a chunk that is emptied in its place is kept, however long
    for len in [100_000, 200_000] {
        let bound = MAX_RUN_LEN.max(len + Tagged::MAX_LEN);
        let compacted = longest_run_after(&[len], |log| log.compact(1));
        assert!(compacted <= bound, "{len}: {compacted} after compaction");
        let truncated = longest_run_after(&[len], |log| log.truncate(0));
        assert!(truncated <= bound, "{len}: {truncated} after truncation");
        let reset = longest_run_after(&[len], |log| log.reset(9, 1));
        assert!(reset <= bound, "{len}: {reset} after a reset");
    }
    // a chunk before the last is recycled if it is not longer than the longest run
    let recycled = |len| longest_run_after(&[len, 70_000], |log| log.compact(2));
    let (short, long) = (recycled(100_000), recycled(200_000));
    assert!((90_000..=MAX_RUN_LEN).contains(&short), "{short}");
    assert!((60_000..=70_000).contains(&long), "{long}");
}

fn check_boundaries<L: Log<Header = Tagged>>() {
    let mut log = L::with_limit(1000);
    for term in 1..=6 {
        add(&mut log, term, b"12345678").unwrap();
    }
    log.compact(2);
    let before = log.clone();
    // indexes that are compacted or beyond the end change nothing
    for last in [0, 1, 6, 7, 99] {
        log.truncate(last);
        assert_eq!(log, before, "{last}");
    }
    for compacted in [0, 1, 7, 99] {
        log.compact(compacted);
        assert_eq!(log, before, "{compacted}");
    }
    // limits are exact to the byte
    for (bytes, count) in [(0, 1), (10, 1), (19, 1), (20, 2), (39, 3), (40, 4), (41, 4)] {
        assert_eq!(log.entries(3, Index::MAX, bytes).len(), count, "{bytes} bytes");
    }
    assert_eq!(log.entries(3, 4, usize::MAX).len(), 2);
    // logs are equal if they have the same entries after the same compacted index
    let hash = |log: &L| {
        let mut state = std::hash::DefaultHasher::new();
        log.hash(&mut state);
        state.finish()
    };
    let changed = |change: &dyn Fn(&mut L)| {
        let mut other = before.clone();
        change(&mut other);
        assert_ne!(other, before);
        assert_ne!(hash(&other), hash(&before));
    };
    changed(&|log| log.truncate(5));
    changed(&|log| log.compact(3));
    changed(&|log| {
        log.truncate(5);
        add(log, 6, b"12345679").unwrap();
    });
    changed(&|log| {
        log.reset(2, 1);
        for term in 3..=6 {
            add(log, term, b"12345678").unwrap();
        }
    });
    let mut same = L::with_limit(1000);
    same.reset(2, 2);
    for term in 3..=6 {
        add(&mut same, term, b"12345678").unwrap();
    }
    assert_eq!(same, before);
    assert_eq!(hash(&same), hash(&before));
}

/// A log of 100 bytes, and of ten entries if entries are limited.
fn check_capacity<L: Log<Header = Tagged>>() {
    let mut log = L::with_limit(100);
    for _ in 0..9 {
        add(&mut log, 1, b"12345678").unwrap();
    }
    // an entry that is one byte too long is not stored and uses no slot
    assert!(add(&mut log, 1, b"123456789").is_err());
    assert_eq!(log.append(&encoded::<Tagged>(1, b"123456789")), 0);
    assert_eq!(log.append(&encoded::<Tagged>(1, b"12345678")), 1);
    assert!(add(&mut log, 1, b"").is_err());
    assert_eq!((log.last(), log.bytes_between(0, 10)), (10, 100));
    log.truncate(9);
    add(&mut log, 1, b"12345678").unwrap();
    assert_eq!(log.append(&encoded::<Tagged>(1, b"")), 0);
}

/// The formula of `InlineLog`'s documentation.
#[test]
fn memory_usage_is_as_documented() {
    fn check<H: Header, const BYTES: usize, const ENTRIES: usize>() {
        let formula = BYTES + 4 * ENTRIES + 48 + 2 * size_of::<H::Tag>();
        let size = size_of::<InlineLog<H, BYTES, ENTRIES>>();
        assert!(size <= formula, "{size} > {formula}");
        assert!(formula - size <= 32, "{formula} is far above {size}");
    }
    check::<Tagged, 0, 0>();
    check::<Tagged, 1001, 15>();
    check::<Untagged, 1001, 15>();
    check::<Untagged, 1024, 16>();
}

#[test]
fn boundaries_of_an_inline_log() {
    check_boundaries::<InlineLog<Tagged, 1000, 24>>();
    check_capacity::<InlineLog<Tagged, 100, 10>>();
}

#[cfg(feature = "alloc")]
#[test]
fn boundaries_of_a_heap_log() {
    check_boundaries::<HeapLog<Tagged>>();
    check_capacity::<HeapLog<Tagged>>();
    let text = format!("{:?}", HeapLog::<Tagged>::with_limit(9));
    assert!(text.contains("HeapLog") && text.contains("last: 0"), "{text}");
}
