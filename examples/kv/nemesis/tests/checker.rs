//! What the nemesis must find is planted in histories, and found.
#![allow(missing_docs, clippy::unwrap_used)]

use quorate_nemesis::check::{self, Violation};
use quorate_nemesis::history::{Increment, Key, Kind, Operations, Outcome, Read, Write};

const fn write(sequence: u64, start: u64, end: u64, outcome: Outcome) -> Write {
    Write { sequence, start, end, outcome }
}

const fn read(value: u64, start: u64, end: u64) -> Read {
    Read { value, start, end, node: 1 }
}

/// 1 and 2 acknowledged, 3 refused, 4 acknowledged, 5 unknown.
fn history(reads: &[Read]) -> Operations {
    Operations {
        writes: vec![
            write(1, 10, 20, Outcome::Acknowledged),
            write(2, 30, 40, Outcome::Acknowledged),
            write(3, 50, 60, Outcome::NotApplied),
            write(4, 70, 80, Outcome::Acknowledged),
            write(5, 90, 100, Outcome::Unknown),
        ],
        reads: reads.to_vec(),
        retired: false,
    }
}

#[test]
fn linearizable_history_is_accepted() {
    for reads in [
        &[][..],
        // before, during and after the first write
        &[read(0, 0, 5), read(0, 12, 18), read(1, 15, 25), read(1, 22, 28)],
        // a write may take effect at any moment between its start and its end, for all from then on
        &[read(1, 32, 33), read(2, 34, 35), read(2, 36, 37)],
        // reads at the same time need not agree
        &[read(2, 70, 79), read(4, 71, 78), read(2, 72, 77)],
        // an unknown write took effect late, or never
        &[read(4, 110, 120), read(4, 130, 140), read(5, 150, 160), read(5, 170, 180)],
        &[read(4, 110, 120), read(4, 1_000, 1_010)],
        // the clock is not finer than a µs
        &[read(2, 20, 30)],
    ] {
        assert_eq!(check::key(&history(reads)), Ok(()), "{reads:?}");
    }
}

#[test]
fn lost_write_is_detected() {
    for (lost, acknowledged) in
        [(read(0, 21, 25), 1), (read(1, 41, 45), 2), (read(2, 81, 85), 4), (read(0, 900, 901), 4)]
    {
        let found = check::key(&history(&[read(0, 1, 2), lost]));
        assert_eq!(found, Err(Violation::LostWrite { read: lost, acknowledged }));
    }
}

#[test]
fn stale_read_is_detected() {
    // none of the writes in question was acknowledged before
    let (before, back) = (read(2, 31, 32), read(1, 33, 34));
    let found = check::key(&history(&[read(1, 25, 26), before, back]));
    assert_eq!(found, Err(Violation::StaleRead { read: back, before }));
    let (before, back) = (read(5, 110, 120), read(4, 130, 140));
    assert_eq!(
        check::key(&history(&[before, back])),
        Err(Violation::StaleRead { read: back, before })
    );
    // in whatever order they were recorded
    assert_eq!(
        check::key(&history(&[back, before])),
        Err(Violation::StaleRead { read: back, before })
    );
}

#[test]
fn refused_or_unwritten_values_are_detected() {
    let refused = read(3, 55, 58);
    assert_eq!(check::key(&history(&[refused])), Err(Violation::Refused(refused)));
    for invented in [read(6, 110, 120), read(2, 21, 29)] {
        assert_eq!(check::key(&history(&[invented])), Err(Violation::NotWritten(invented)));
    }
}

#[test]
fn double_and_lost_increments_are_detected() {
    let done = |start, end, reply| Increment { start, end, reply: Some(reply) };
    let unknown = Increment { start: 0, end: 5, reply: None };
    let good = [done(10, 20, 1), done(12, 30, 3), done(13, 29, 2), unknown];
    for total in [3, 4] {
        assert_eq!(check::shared_counter(&good, Some(total)), Ok(()));
    }
    for total in [2, 5] {
        assert_eq!(
            check::shared_counter(&good, Some(total)),
            Err(Violation::Total { value: total, least: 3, most: 4 })
        );
    }
    let twice = [done(10, 20, 1), done(12, 30, 1)];
    assert_eq!(check::shared_counter(&twice, None), Err(Violation::CountedTwice(1)));
    let back = [done(10, 20, 2), done(30, 40, 1)];
    assert_eq!(
        check::shared_counter(&back, None),
        Err(Violation::CounterWentBack { reply: 1, before: 2 })
    );
}

#[test]
fn values_encode_key_and_sequence() {
    for kind in [Kind::Register, Kind::Big] {
        let key = Key::new("a-1".into(), kind);
        let value = key.encode(7);
        assert_eq!(value.len() == 1 << 20, kind == Kind::Big);
        assert_eq!(key.decode(&value), Ok(7));
        let other = Key::new("a-2".into(), kind);
        assert!(other.decode(&value).is_err(), "a value of another key");
        assert!(key.decode(&value[..value.len() - 1]).is_err(), "a part of a value");
        assert!(key.decode(b"").is_err());
    }
    let key = Key::new("a-1".into(), Kind::Big);
    let (one, two) = (key.encode(1), key.encode(2));
    let half = [&one[..1 << 19], &two[1 << 19..]].concat();
    assert!(key.decode(&half).is_err(), "parts of two values");
    assert_eq!(Key::new("c".into(), Kind::Counter).decode(b"12"), Ok(12));
    assert!(Key::new("c".into(), Kind::Counter).decode(b"12:c:").is_err());
}

#[test]
fn second_cluster_is_detected() {
    let nodes = |identities: [&str; 3]| {
        let nodes: Vec<(u64, String)> = (1..).zip(identities.map(str::to_owned)).collect();
        check::check_one_cluster(&nodes)
    };
    assert_eq!(nodes(["a", "a", "a"]), Ok(()));
    for (identities, at) in [(["a", "b", "a"], 2), (["a", "a", "b"], 3)] {
        let other = (at, "b".to_owned());
        assert_eq!(nodes(identities), Err(Violation::SecondCluster((1, "a".to_owned()), other)));
    }
}
