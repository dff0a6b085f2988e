//! What errors and values look like to a reader.
#![allow(clippy::unwrap_used)]

use quorate_clocks::{Actor, Inline};
use quorate_core::NodeId;
use quorate_crdt::{
    ApplyError, ConfigError, EscrowError, GCounter, List, ListError, MembersError, MergeError,
    OrSet, UpdateError,
};

#[test]
fn errors_display_cause_and_remedy() {
    let full = UpdateError::Full.to_string();
    assert!(!full.is_empty());
    let said = [
        (full.clone(), "room"),
        (UpdateError::Exhausted.to_string(), "incarnation"),
        (UpdateError::Stale.to_string(), "later stamp"),
        (UpdateError::DeltaMismatch.to_string(), "on its own"),
        (MergeError::Full.to_string(), "room"),
        (MergeError::Conflict.to_string(), "identity"),
        (ApplyError::Full.to_string(), "room"),
        (ApplyError::Missing.to_string(), "earlier"),
        (ApplyError::Conflict.to_string(), "identity"),
        (EscrowError::Insufficient { rights: 3 }.to_string(), "3 rights"),
        (EscrowError::Update(UpdateError::Full).to_string(), &full),
        (ListError::OutOfBounds.to_string(), "ends before"),
        (ListError::Update(UpdateError::Full).to_string(), &full),
        (ConfigError::NotAMember.to_string(), "members"),
        (ConfigError::Interval.to_string(), "0"),
        (ConfigError::TooManyMembers.to_string(), "more members"),
        (ConfigError::TooFewActors { needed: 7, limit: 3 }.to_string(), "needs 7"),
        (MembersError::Full.to_string(), "room"),
        (MembersError::Stale.to_string(), "epoch"),
        (MembersError::TooFewActors { needed: 7, limit: 3 }.to_string(), "needs 7"),
    ];
    for (text, part) in said {
        assert!(text.contains(part), "{text:?} without {part:?}");
    }
}

#[test]
fn debug_output_shows_contents() {
    let actor = Actor::from(NodeId::new(5));
    let mut counter = GCounter::<Inline<2>>::new();
    counter.increment(actor, 77).unwrap();
    assert!(format!("{counter:?}").contains("77"), "{counter:?}");
    let mut set = OrSet::<u8, Inline<2>>::new();
    set.add(actor, 99).unwrap();
    assert!(format!("{set:?}").contains("99"), "{set:?}");
    assert!(format!("{set:?}").contains("of"), "{set:?}");
    let mut list = List::<u8, Inline<2>>::new();
    let delta = list.insert(actor, 0, 88).unwrap();
    assert_eq!(format!("{list:?}"), "[88]");
    assert!(format!("{delta:?}").contains("1@"), "{delta:?}");
}
