//! Texts, counters and the plain types: what operators read, and what everything else is built
//! from.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use quorate_core::{
    Corrupt, DecodeError, Fatal, Full, Instant, NodeId, Overflow, Rejected, Rejections, Ticket,
    Tickets,
};

const REJECTED: [Rejected; 6] = [
    Rejected::UnknownSender,
    Rejected::Malformed,
    Rejected::OutOfRange,
    Rejected::Impossible,
    Rejected::Full,
    Rejected::Stopped,
];

/// Texts that say something, and each something else.
fn distinct(texts: &[String]) {
    assert!(texts.iter().all(|text| text.len() > 10), "{texts:?}");
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "{texts:?}");
}

#[test]
fn every_error_says_what_happened() {
    let corrupt = [
        Corrupt::Malformed,
        Corrupt::Gap,
        Corrupt::Regression,
        Corrupt::Full,
        Corrupt::Started,
        Corrupt::Founders,
        Corrupt::StaleSnapshot,
    ];
    let decode = [DecodeError::Truncated, DecodeError::Invalid, DecodeError::Trailing];
    let fatal = [Fatal::Invariant, Fatal::LostState];
    distinct(&REJECTED.map(|reason| reason.to_string()));
    distinct(&corrupt.map(|reason| reason.to_string()));
    distinct(&decode.map(|reason| reason.to_string()));
    distinct(&fatal.map(|reason| reason.to_string()));
    assert_eq!(Full.to_string(), "no room left; nothing was changed");
    let overflow = Overflow { needed: 300 };
    assert_eq!(overflow.to_string(), "the buffer is too small: 300 bytes are needed");
    assert_eq!(Rejected::Full.to_string(), "no room to take it now");
    assert_eq!(Corrupt::Gap.to_string(), "records before it are missing");
    assert_eq!(Fatal::LostState.to_string(), "the disk no longer holds what it acknowledged");
    assert_eq!(DecodeError::Truncated.to_string(), "the bytes end too early");
}

#[test]
fn each_refusal_has_its_counter() {
    let mut counts = Rejections::default();
    assert_eq!(counts.total(), 0);
    for (at, reason) in REJECTED.into_iter().enumerate() {
        for _ in 0..=at {
            assert_eq!(counts.count(reason), reason);
        }
    }
    let Rejections { unknown_sender, malformed, out_of_range, impossible, full, stopped, .. } =
        counts;
    assert_eq!(
        [unknown_sender, malformed, out_of_range, impossible, full, stopped],
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(counts.total(), 21);
    counts.full = u32::MAX;
    assert_eq!((counts.count(Rejected::Full), counts.full), (Rejected::Full, u32::MAX));
    assert_eq!(counts.total(), u32::MAX);
}

#[test]
fn instants_stop_at_their_ends() {
    assert_eq!(Instant::from_millis(3), Instant::from_micros(3_000));
    assert_eq!(Instant::from_millis(u64::MAX), Instant::MAX);
    assert_eq!(Instant::from_micros(7).as_micros(), 7);
    assert_eq!(Instant::MAX.after(1), Instant::MAX);
    assert_eq!(Instant::ZERO.after(5).since(Instant::from_micros(2)), 3);
    assert_eq!(Instant::ZERO.since(Instant::MAX), 0);
}

#[test]
fn tickets_grow_by_one() {
    let mut tickets = Tickets::default();
    let seventh = (0..7).map(|_| tickets.issue()).last();
    assert_eq!(seventh.map(Ticket::get), Some(7));
    assert_eq!(seventh, Some(tickets.last()));
    assert_eq!(Ticket::default().get(), 0);
}

#[test]
fn a_node_is_its_number() {
    let node = NodeId::from(42);
    assert_eq!((node, node.get()), (NodeId::new(42), 42));
    assert_eq!(format!("{node:>4}"), "  42");
}
