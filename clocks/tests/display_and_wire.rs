//! What is shown to people, and the plain types everything else is built from.
#![allow(clippy::unwrap_used)]

use std::cmp::Ordering;

use quorate_clocks::causal::{BroadcastError, ConfigError, ResumeError};
use quorate_clocks::{
    Actor, Behind, Causality, Dot, DotContext, ExchangeError, Exhausted, Guarantees, HlcError,
    IncrementError, Inline, Lamport, LamportError, Pruned, PrunedError, RetireError, Run, Session,
    Siblings, SiblingsError, Stamp, TimeInterval, Timestamp, VersionVector,
};
use quorate_core::{DecodeError, Full, NodeId, Wire};

fn actor(node: u64, life: u32) -> Actor {
    Actor::new(NodeId::new(node), life)
}

fn dot(node: u64, counter: u64) -> Dot {
    Dot::new(actor(node, 0), counter).unwrap()
}

#[test]
fn errors_display_cause_and_remedy() {
    let due = Timestamp::from_micros(2_000_003);
    let texts: Vec<(String, &str)> = vec![
        (Exhausted.to_string(), "the counter is at its maximum: go on as the next incarnation"),
        (IncrementError::Full.to_string(), "no room for another actor"),
        (
            IncrementError::Exhausted.to_string(),
            "the counter is at its maximum: go on as the next incarnation",
        ),
        (
            LamportError::TooFarAhead.to_string(),
            "the message's time is 2^32 or more ahead: refuse the message",
        ),
        (LamportError::Exhausted.to_string(), "the clock is at its maximum"),
        (
            HlcError::TooFarAhead { by_us: 7 }.to_string(),
            "the message is from the future, 7 us beyond the offset bound: refuse it",
        ),
        (
            HlcError::Ahead { by_us: 7 }.to_string(),
            "the wall clock is behind the timestamps made: wait 7 us",
        ),
        (
            HlcError::Jump { by_us: 7 }.to_string(),
            "the wall clock jumped 7 us forward: check it, then accept the jump",
        ),
        (
            HlcError::Ceiling { due }.to_string(),
            "the ceiling 2.000003+0 must be made durable first: write it, then try again",
        ),
        (
            HlcError::Exhausted.to_string(),
            "there is no timestamp for that time: check the wall clock",
        ),
        (ExchangeError::Impossible.to_string(), "the times contradict each other: ask again"),
        (ExchangeError::OutOfRange.to_string(), "a time beyond what there is"),
        (SiblingsError::Full.to_string(), "no room for another value or server"),
        (
            SiblingsError::Conflict(dot(1, 2)).to_string(),
            "two values for 1:2: give one of the replicas the next incarnation",
        ),
        (
            RetireError::OutOfOrder.to_string(),
            "not the next retirement: take the earlier ones first",
        ),
        (
            RetireError::Behind(dot(1, 2)).to_string(),
            "events up to 1:2 are missing: get them first",
        ),
        (
            RetireError::Alive(actor(1, 3)).to_string(),
            "1+3 made events after what was said to be its last",
        ),
        (PrunedError::Full.to_string(), "no room for another actor"),
        (
            PrunedError::Retirements { own: 1, other: 2 }.to_string(),
            "1 retirements against 2: bring the lower one up first",
        ),
        (
            Behind { dot: dot(1, 2) }.to_string(),
            "the server has not applied 1:2 yet: wait, or ask another",
        ),
        (ConfigError::NotAMember.to_string(), "this node is not among the members"),
        (ConfigError::DuplicateMember(NodeId::new(4)).to_string(), "node 4 is listed twice"),
        (ConfigError::TooManyMembers.to_string(), "more members than the storage has room for"),
        (ConfigError::StoreTooSmall.to_string(), "the store needs room for four messages at least"),
        (ConfigError::Interval.to_string(), "the intervals must not be 0"),
        (ConfigError::Incarnation.to_string(), "the incarnation must be below 1024"),
        (BroadcastError::TooLarge.to_string(), "the payload is larger than the storage takes"),
        (
            BroadcastError::Busy.to_string(),
            "too many broadcasts that not everybody has: try again later",
        ),
        (BroadcastError::NotStarted.to_string(), "the machine was not ticked yet"),
        (
            BroadcastError::Stopped.to_string(),
            "others have broadcasts that this node did not make: start as the next incarnation",
        ),
        (
            BroadcastError::Exhausted.to_string(),
            "the counter is at its maximum: go on as the next incarnation",
        ),
        (
            ResumeError::Older(dot(1, 2)).to_string(),
            "the state lacks 1:2, which was delivered here: take a newer one",
        ),
        (
            ResumeError::LostState(dot(1, 2)).to_string(),
            "the disk forgot 1:2, which the state has: start as the next incarnation",
        ),
        (ResumeError::Full.to_string(), "more actors than the storage has room for"),
    ];
    for (shown, expected) in texts {
        assert_eq!(shown, expected);
    }
    assert_eq!(HlcError::from(Exhausted), HlcError::Exhausted);
    assert_eq!(PrunedError::from(Full), PrunedError::Full);
    assert_eq!(SiblingsError::from(Full), SiblingsError::Full);
    assert_eq!(IncrementError::from(Full), IncrementError::Full);
    assert_eq!(IncrementError::from(Exhausted), IncrementError::Exhausted);
}

#[test]
fn debug_output_is_compact() {
    let mut vector = VersionVector::<Inline<3>>::new();
    vector.observe(dot(1, 4)).unwrap();
    vector.observe(Dot::first(actor(2, 5))).unwrap();
    assert_eq!(format!("{vector:?} {:?}", vector.versions()), "{1:4, 2+5:1} {1:4, 2+5:1}");
    let mut context = DotContext::<Inline<3>>::from(vector);
    context.insert(dot(1, 9)).unwrap();
    assert_eq!(format!("{context:?}"), "{1:4, 2+5:1, 1:9..=9}");
    assert_eq!(format!("{:?} {}", actor(1, 0), actor(1, 2)), "1 1+2");
    assert_eq!(format!("{:?} {}", dot(1, 2), dot(1, 2)), "1:2 1:2");
    let run = Run::new(actor(1, 0), 2, 3).unwrap();
    assert_eq!(format!("{run:?} {run}"), "1:2..=3 1:2..=3");
    let time = Timestamp::new(1_000_042, 7).unwrap();
    assert_eq!(time.to_string(), "1.000042+7");
    assert_eq!(Stamp { time, actor: actor(3, 1) }.to_string(), "1.000042+7@3+1");
    assert_eq!(TimeInterval::around(100, 7).to_string(), "93..=107 us");
}

#[test]
fn causality_reverses() {
    use Causality::{After, Before, Concurrent, Equal};
    let table = [
        (Before, Some(Ordering::Less), After),
        (Equal, Some(Ordering::Equal), Equal),
        (After, Some(Ordering::Greater), Before),
        (Concurrent, None, Concurrent),
    ];
    for (relation, ordering, reverse) in table {
        assert_eq!((relation.ordering(), relation.reverse()), (ordering, reverse));
        assert_eq!(Causality::from(ordering), relation);
    }
}

#[test]
fn run_contains_its_range() {
    let run = Run::new(actor(1, 0), 4, 6).unwrap();
    assert_eq!((run.actor(), run.first(), run.last()), (actor(1, 0), 4, 6));
    let within: Vec<u64> = (1..9).filter(|&n| run.contains(dot(1, n))).collect();
    assert_eq!(within, [4, 5, 6]);
    assert!(!run.contains(dot(2, 5)));
    for (first, last, valid) in [(0, 1, false), (1, 1, true), (2, 1, false), (1, u64::MAX, true)] {
        assert_eq!(Run::new(actor(1, 0), first, last).is_some(), valid);
    }
    let one = Run::from(dot(1, 3));
    assert_eq!((one.first(), one.last()), (3, 3));
}

#[test]
fn actors_and_dots_exhaust() {
    assert_eq!(actor(1, 7).next_incarnation(), Some(actor(1, 8)));
    assert_eq!(actor(1, u32::MAX).next_incarnation(), None);
    assert_eq!((actor(1, 7).node(), actor(1, 7).incarnation()), (NodeId::new(1), 7));
    assert_eq!(Actor::from(NodeId::new(1)), actor(1, 0));
    assert!(actor(1, 9) < actor(2, 0) && actor(1, 0) < actor(1, 1));
    assert_eq!(dot(1, 7).next(), Ok(dot(1, 8)));
    assert_eq!(dot(1, u64::MAX).next(), Err(Exhausted));
    assert_eq!(Dot::first(actor(1, 0)), dot(1, 1));
    assert!(Dot::new(actor(1, 0), 0).is_none());
}

#[test]
fn timestamps_convert_to_bits() {
    let max = Timestamp::MAX_MICROS;
    assert_eq!(Timestamp::new(max, 4095), Some(Timestamp::MAX));
    assert_eq!((Timestamp::new(max + 1, 0), Timestamp::new(0, 4096)), (None, None));
    assert_eq!(Timestamp::from_micros(max).to_bits(), max << 12);
    assert_eq!(Timestamp::from_micros(max + 1), Timestamp::MAX);
    assert_eq!(Timestamp::MAX.next(), Err(Exhausted));
    for bits in [0, 1, 4095, 4096, 0x1234_5678_9abc_def0] {
        let time = Timestamp::from_bits(bits);
        assert_eq!(Timestamp::new(time.micros(), time.logical()), Some(time));
        assert_eq!((time.to_bits(), time.next().unwrap().to_bits()), (bits, bits + 1));
    }
}

fn same<'a, T: Wire<'a> + PartialEq + std::fmt::Debug>(value: &T, bytes: &'a [u8]) {
    let mut buffer = [0; 64];
    assert_eq!(value.to_slice(&mut buffer).unwrap(), bytes);
    assert_eq!(T::from_slice(bytes).as_ref(), Ok(value));
    for cut in 0..bytes.len() {
        assert_eq!(T::from_slice(&bytes[..cut]), Err(DecodeError::Truncated), "{cut}");
    }
}

#[test]
fn golden_bytes() {
    same(&actor(300, 2), &[0xac, 2, 2]);
    same(&Dot::new(actor(7, 1), 300).unwrap(), &[7, 1, 0xac, 2]);
    same(&Run::new(actor(7, 1), 5, 300).unwrap(), &[7, 1, 5, 0xac, 2]);
    same(&Lamport::from_time(300), &[0xac, 2]);
    let time = Timestamp::from_bits(300);
    same(&time, &[0xac, 2]);
    same(&Stamp { time, actor: actor(7, 1) }, &[0xac, 2, 7, 1]);
    let mut vector = VersionVector::<Inline<2>>::new();
    vector.observe(dot(7, 5)).unwrap();
    same(&vector, &[1, 7, 0, 5]);
    same(&Pruned::from(vector.clone()), &[0, 1, 7, 0, 5]);
    let mut context = DotContext::<Inline<2>>::from(vector);
    context.insert(dot(7, 9)).unwrap();
    same(&context, &[1, 7, 0, 5, 1, 7, 0, 9, 9]);
    let mut session = Session::<Inline<2>>::new(Guarantees {
        read_your_writes: true,
        monotonic_writes: true,
        ..Guarantees::NONE
    });
    session.record_write(dot(7, 5)).unwrap();
    same(&session, &[1, 0, 1, 0, 0, 1, 7, 0, 5]);
    let other = Guarantees { monotonic_reads: true, writes_follow_reads: true, ..Guarantees::NONE };
    same(&Session::<Inline<2>>::new(other), &[0, 1, 0, 1, 0, 0]);
    let mut key = Siblings::<Timestamp, Inline<2>>::new();
    key.write(actor(7, 0), &VersionVector::<Inline<1>>::new(), time).unwrap();
    same(&key, &[1, 7, 0, 1, 1, 7, 0, 1, 0xac, 2]);
    // an incarnation beyond 32 bits, a dot that is none, a run that ends before it begins
    assert!(Actor::from_slice(&[1, 0x80, 0x80, 0x80, 0x80, 0x10]).is_err());
    assert!(Dot::from_slice(&[1, 0, 0]).is_err());
    assert!(Run::from_slice(&[1, 0, 5, 4]).is_err());
}

/// As a field of messages: how it is shown, and what it is made of in hostile ones.
#[test]
fn actor_is_a_field() {
    use quorate_core::{Field, NodeId, Shown, Source};
    let generated = |bytes: &[u8]| Actor::generate(&mut Source::new(bytes, &[500]));
    let actor = |node, incarnation| Actor::new(NodeId::new(node), incarnation);
    assert_eq!(generated(&[2, 0xf5]), actor(2, 1)); // two bits of the incarnation
    assert_eq!(generated(&[1, 4]), actor(1, 0));
    assert_eq!(generated(&[1, 0xff, 0x03, 0]), actor(1, 503));
    assert_eq!(Shown(&actor(7, 2)).to_string(), actor(7, 2).to_string());
}
