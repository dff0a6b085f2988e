//! Both back-ends against a plain list of entries.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

#[derive(Clone, Debug)]
enum Step {
    Push(u8, Vec<u8>),
    Append(Vec<(u8, Vec<u8>)>),
    Truncate(u8),
    Compact(u8),
    Reset(u8, u8),
}

#[derive(Default)]
struct Model {
    anchor: Index,
    anchor_term: Term,
    entries: Vec<(Term, Vec<u8>)>,
}

fn step() -> impl Strategy<Value = Step> {
    let data = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        4 => (0..2u8, data.clone()).prop_map(|(t, d)| Step::Push(t, d)),
        4 => prop::collection::vec((0..2u8, data), 0..5).prop_map(Step::Append),
        2 => any::<u8>().prop_map(Step::Truncate),
        2 => any::<u8>().prop_map(Step::Compact),
        1 => (any::<u8>(), 0..3u8).prop_map(|(i, t)| Step::Reset(i, t)),
    ]
}

fn encoded(entries: &[(Term, Vec<u8>)]) -> Vec<u8> {
    let mut log = InlineLog::<8192, 64>::with_limit(0);
    for (term, data) in entries {
        log.push(*term, EntryKind::Command, data).unwrap();
    }
    log.entries(1, Index::MAX, usize::MAX).bytes().to_vec()
}

fn run<L: Log>(steps: &[Step]) {
    let mut log = L::with_limit(1 << 20);
    let mut model = Model::default();
    for step in steps {
        let last_term = model.entries.last().map_or(model.anchor_term, |e| e.0);
        let last = model.anchor + model.entries.len() as u64;
        match step {
            Step::Push(bump, data) => {
                let term = (last_term + u64::from(*bump)).max(1);
                if log.push(term, EntryKind::Command, data).is_ok() {
                    model.entries.push((term, data.clone()));
                } else {
                    assert!(!log.fits(data.len(), 0));
                }
            }
            Step::Append(new) => {
                let mut term = last_term.max(1);
                let mut list = Vec::new();
                for (bump, data) in new {
                    term += u64::from(*bump);
                    list.push((term, data.clone()));
                }
                let taken = log.append(&encoded(&list)) as usize;
                list.truncate(taken);
                model.entries.extend(list);
            }
            Step::Truncate(back) => {
                let to = last - u64::from(*back) % (model.entries.len() as u64 + 1);
                log.truncate(to);
                model.entries.truncate((to - model.anchor) as usize);
            }
            Step::Compact(on) => {
                let by = usize::from(*on) % (model.entries.len() + 1);
                if by > 0 {
                    model.anchor_term = model.entries[by - 1].0;
                    model.entries.drain(..by);
                    model.anchor += by as u64;
                }
                log.compact(model.anchor);
            }
            Step::Reset(on, term) => {
                model.anchor = last + u64::from(*on);
                model.anchor_term = last_term + u64::from(*term);
                model.entries.clear();
                log.reset(model.anchor, model.anchor_term);
            }
        }
        check(&log, &model);
    }
}

fn check<L: Log>(log: &L, model: &Model) {
    let last = model.anchor + model.entries.len() as u64;
    assert_eq!((log.anchor(), log.last()), (model.anchor, last));
    assert_eq!(log.last_term(), model.entries.last().map_or(model.anchor_term, |e| e.0));
    assert_eq!(log.term(model.anchor), Some(model.anchor_term));
    assert_eq!(log.term(last + 1), None);
    for max_bytes in [0, 60, 300, usize::MAX] {
        let mut next = model.anchor + 1;
        while next <= last {
            let run = log.entries(next, Index::MAX, max_bytes);
            assert!(!run.is_empty());
            assert!(run.len() == 1 || run.bytes().len() <= max_bytes);
            assert_eq!(run.bytes().len() as u64, log.bytes_between(next - 1, run.last()));
            assert_eq!(run.iter().count(), run.len());
            for entry in run {
                let expected = &model.entries[(entry.index - model.anchor - 1) as usize];
                assert_eq!((entry.term, entry.data), (expected.0, &expected.1[..]));
                assert_eq!(log.term(entry.index), Some(entry.term));
            }
            next = run.last() + 1;
        }
        assert!(log.entries(last + 1, Index::MAX, max_bytes).is_empty());
        assert!(log.entries(model.anchor, Index::MAX, max_bytes).is_empty());
    }
    let mut total = 0;
    for index in model.anchor..=last {
        total += log.bytes_between(index, index + 1);
    }
    assert_eq!(total, log.bytes_between(model.anchor, last));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inline_log_is_a_list(steps in prop::collection::vec(step(), 0..40)) {
        run::<InlineLog<2000, 24>>(&steps);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn heap_log_is_a_list(steps in prop::collection::vec(step(), 0..40)) {
        run::<HeapLog>(&steps);
    }
}

#[cfg(feature = "alloc")]
#[test]
fn chunks_are_crossed_and_recycled() {
    let mut log = HeapLog::with_limit(1 << 24);
    let mut equal = HeapLog::with_limit(1 << 24);
    let data = [7; 1000];
    for round in 0..20_u64 {
        for _ in 0..100 {
            log.push(round + 1, EntryKind::Command, &data).unwrap();
        }
        log.compact(log.last() - 10);
    }
    assert_eq!(log.last(), 2000);
    assert_eq!(log.term(1995), Some(20));
    equal.reset(1990, 20);
    for _ in 0..10 {
        equal.push(20, EntryKind::Command, &data).unwrap();
    }
    assert_eq!(log, equal);
    log.truncate(1995);
    assert_ne!(log, equal);
    assert_eq!(log.bytes_between(1990, 1995), 5 * 1003);
    let large = std::vec![1; 200_000];
    log.push(21, EntryKind::Command, &large).unwrap();
    log.push(21, EntryKind::Command, &data).unwrap();
    assert_eq!(log.entries(1996, 1997, 10).len(), 1);
    assert_eq!(log.entries(1996, 1996, 10).iter().next().unwrap().data.len(), 200_000);
}
