//! What is said in logs.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_ring::pbs::{Fraction, PbsError};
use quorate_ring::ranges::{NoSplit, RangeError};
use quorate_ring::{
    HashRing, Heap, KeyHash, LoadFactor, MemberError, Move, PartitionsError, PlanError, Slot,
    Token, TokenRange, Zone,
};

const NODE: NodeId = NodeId::new(7);

#[test]
fn values_are_shown_as_they_are_written() {
    let range = TokenRange::new(Token::new(3), Token::new(1));
    assert_eq!(range.to_string(), "3..=1");
    assert_eq!([Token::MAX.to_string(), Zone::new(4).to_string()], ["18446744073709551615", "4"]);
    assert_eq!([Slot::MAX.to_string(), LoadFactor::default().to_string()], ["16383", "5/4"]);
    assert_eq!(Fraction::new(2, 6).unwrap().to_string(), "1/3");
    let to = NodeId::new(8);
    let copy = Move::Copy { range, from: Some(NODE), to };
    assert_eq!(copy.to_string(), format!("copy 3..=1 from {NODE} to {to}"));
    assert_eq!(Move::Copy { range, from: None, to }.to_string(), format!("give 3..=1 to {to}"));
    assert_eq!(Move::Drop { range, from: NODE }.to_string(), format!("drop 3..=1 on {NODE}"));
}

#[test]
fn each_error_says_something_else() {
    let texts = [
        MemberError::Duplicate(NODE).to_string(),
        MemberError::Unknown(NODE).to_string(),
        MemberError::ZeroWeight.to_string(),
        MemberError::Points.to_string(),
        MemberError::NoMembers.to_string(),
        MemberError::EmptyRange.to_string(),
        MemberError::Full.to_string(),
        PlanError::NoReplicas.to_string(),
        PlanError::DifferentPositions.to_string(),
        PartitionsError::TooMany.to_string(),
        RangeError::Empty.to_string(),
        RangeError::NotABoundary.to_string(),
        RangeError::DifferentNodes.to_string(),
        RangeError::NoNodes.to_string(),
        RangeError::DuplicateNode(NODE).to_string(),
        RangeError::TooManyNodes.to_string(),
        RangeError::KeyTooLong.to_string(),
        RangeError::Full.to_string(),
        NoSplit::TooFew.to_string(),
        NoSplit::OneKey.to_string(),
        NoSplit::OneSide.to_string(),
        PbsError::Size.to_string(),
        PbsError::TooLarge.to_string(),
    ];
    assert!(texts.iter().all(|text| text.len() > 10), "{texts:?}");
    assert_eq!(texts.iter().collect::<std::collections::BTreeSet<_>>().len(), texts.len());
    for text in texts.iter().filter(|text| text.contains("node ")) {
        assert!(text.contains(&NODE.to_string()), "{text}");
    }
}

#[test]
fn hash_key_is_not_shown() {
    let hash = KeyHash::new([1_234_567, 7_654_321]);
    assert_eq!(format!("{hash:?}"), "KeyHash(..)");
    let ring = format!("{:?}", HashRing::<Heap>::new(hash, 1));
    assert!(ring.contains("KeyHash(..)") && !ring.contains("1234567"), "{ring}");
}
