//! Lists of members, their versions, and lists that were made at once.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_ring::topology::{Entry, Freshness, MemberState, Topology, TopologyError};
use quorate_ring::{Inline, Member};

type Small = Topology<Inline<4>>;
type Large = Topology<Inline<16>>;

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

#[test]
fn join_order_does_not_matter() {
    let orders = [[1, 2, 3], [3, 1, 2], [2, 3, 1]];
    let versions = orders.map(|order| {
        let mut topology = Large::new();
        for id in order {
            topology.join(Member::new(node(id)).with_weight(id as u16)).unwrap();
        }
        topology.version()
    });
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
}

#[test]
fn lists_made_at_once_are_in_conflict_whichever_is_asked() {
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    let mut there = here.clone();
    here.join(Member::new(node(2))).unwrap();
    there.join(Member::new(node(3))).unwrap();
    assert_eq!(here.version().compare(there.version()), Freshness::Conflict);
    assert_eq!(there.version().compare(here.version()), Freshness::Conflict);
    let mut merged = here.clone();
    assert_eq!(merged.merge(&there), Ok(true));
    there.merge(&here).unwrap();
    assert_eq!(merged, there);
    assert_eq!((merged.entries().len(), merged.epoch()), (3, 2));
    // the next change is above both
    merged.set_state(node(1), MemberState::Up).unwrap();
    for old in [&here, &there] {
        assert_eq!(merged.version().compare(old.version()), Freshness::Newer);
        let mut old = old.clone();
        old.merge(&merged).unwrap();
        assert_eq!(old, merged);
    }
}

#[test]
fn newer_list_does_not_replace_what_was_changed_at_once() {
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    let mut there = here.clone();
    here.join(Member::new(node(2))).unwrap();
    (3..=5).for_each(|id| drop(there.join(Member::new(node(id))).unwrap()));
    assert_eq!(there.version().compare(here.version()), Freshness::Newer);
    here.merge(&there).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(here, there);
    assert!(here.entries().iter().map(|entry| entry.member().id.get()).eq(1..=5));
}

#[test]
fn of_two_changes_of_one_member_the_later_holds() {
    use MemberState::{Down, Leaving, Up};
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    here.set_state(node(1), Up).unwrap();
    let mut there = here.clone();
    here.set_weight(node(1), 7).unwrap();
    there.set_state(node(1), Leaving).unwrap();
    for (one, other) in [(&here, &there), (&there, &here)] {
        let mut merged = one.clone();
        merged.merge(other).unwrap();
        // at one epoch the one that is further on its way out
        let entry = merged.get(node(1)).unwrap();
        assert_eq!((entry.state(), entry.member().weight), (Leaving, 1));
    }
    here.set_state(node(1), Down).unwrap();
    there.merge(&here).unwrap();
    let entry = there.get(node(1)).unwrap();
    assert_eq!((entry.state(), entry.next_member().weight), (Down, 7));
}

#[test]
fn forgotten_member_stays_forgotten() {
    let mut here = Large::new();
    (1..=3).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    let old = here.clone();
    here.set_state(node(2), MemberState::Removed).unwrap();
    let mut there = here.clone(); // all have this one
    let forgotten = here.forget(node(2)).unwrap();
    // what changes elsewhere in the meantime is newer than the removal
    let joined = there.join(Member::new(node(4))).unwrap();
    let weight = there.set_weight(node(1), 5).unwrap();
    let orders = [
        vec![&old, &here, &joined, &weight],
        vec![&here, &old, &weight, &joined],
        vec![&weight, &joined, &old, &forgotten, &here],
    ];
    let merged = orders.map(|lists| {
        let mut all = Large::new();
        for list in lists {
            all.merge(list).unwrap();
        }
        all
    });
    let [first, ..] = &merged;
    assert!(merged.iter().all(|all| all == first), "{merged:?}");
    let ids = first.entries().iter().map(|entry| entry.member().id.get());
    assert!(ids.eq([1, 3, 4]), "{first:?}");
    assert_eq!(first.get(node(1)).unwrap().member().weight, 5);
    // and it may come back by joining
    let mut again = first.clone();
    again.join(Member::new(node(2))).unwrap();
    again.merge(&old).unwrap();
    assert_eq!(again.get(node(2)).unwrap().state(), MemberState::Joining);
}

#[test]
fn removed_member_is_not_brought_back() {
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    let mut there = here.clone();
    here.set_state(node(1), MemberState::Removed).unwrap();
    there.set_state(node(1), MemberState::Up).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(there.get(node(1)).unwrap().state(), MemberState::Removed);
    there.join(Member::new(node(1))).unwrap();
    assert_eq!(there.get(node(1)).unwrap().state(), MemberState::Joining);
}

#[test]
fn completed_moves_make_the_next_holders_the_holders_in_one_change() {
    use MemberState::{Down, Joining, Leaving, Removed, Up};
    let mut here = Large::new();
    (1..=7).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    (1..=4).for_each(|id| drop(here.set_state(node(id), Up).unwrap()));
    here.set_state(node(2), Down).unwrap();
    [3, 4].iter().for_each(|id| drop(here.set_state(node(*id), Leaving).unwrap()));
    here.set_state(node(7), Removed).unwrap();
    let mut there = here.clone();
    let (planned, epoch): (Vec<Member>, u64) = (here.next_holders().collect(), here.epoch());
    let delta = here.complete_moves().unwrap();
    assert!(here.holders().eq(planned.iter().copied()) && here.next_holders().eq(planned));
    assert_eq!((here.epoch(), delta.entries().len()), (epoch + 1, 4));
    let states = here.entries().iter().map(|entry| entry.state());
    assert!(states.eq([Up, Down, Removed, Removed, Up, Up, Removed]));
    // one delta has it all, and a change that was made at once stays
    there.join(Member::new(node(8))).unwrap();
    there.merge(&delta).unwrap();
    assert_eq!(there.get(node(8)).unwrap().state(), Joining);
    assert!(here.holders().eq(there.holders()));
    // none is on its way
    let before = here.clone();
    let nothing = here.complete_moves().unwrap();
    assert_eq!((&here, here.version()), (&before, before.version()));
    assert_eq!(there.merge(&nothing), Ok(false));
}

/// Its keys may have been dropped by then.
#[test]
fn removal_holds_against_later_changes_that_did_not_know_of_it() {
    let mut here = Large::new();
    (1..=3).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    here.set_state(node(1), MemberState::Up).unwrap();
    let mut there = here.clone();
    here.set_state(node(1), MemberState::Removed).unwrap();
    // here nobody told of it, and the epochs are higher
    (4..=6).for_each(|id| drop(there.join(Member::new(node(id))).unwrap()));
    let late = there.set_weight(node(1), 5).unwrap();
    for (one, other) in [(&here, &there), (&there, &here), (&here, &late), (&late, &here)] {
        let mut merged = one.clone();
        merged.merge(other).unwrap();
        assert_eq!(merged.get(node(1)).unwrap().state(), MemberState::Removed);
    }
    // nor is it brought back after it was forgotten, or by a change that was made before it came again
    let mut forgot = here.clone();
    forgot.forget(node(1)).unwrap();
    forgot.merge(&late).unwrap();
    assert_eq!(forgot.get(node(1)), None);
    here.join(Member::new(node(1))).unwrap();
    assert_eq!(here.merge(&late), Ok(true));
    let entry = here.get(node(1)).unwrap();
    assert_eq!((entry.state(), entry.member().weight), (MemberState::Joining, 1));
}

/// Also if the lists were made apart, and only deltas are exchanged.
#[test]
fn removal_and_forgetting_hold_whatever_the_order_of_joins_was() {
    let list = |ids: [u64; 3]| {
        let mut list = Large::new();
        ids.iter().for_each(|id| drop(list.join(Member::new(node(*id))).unwrap()));
        list
    };
    let (mut here, mut there) = (list([1, 2, 3]), list([3, 2, 1]));
    assert_eq!(here.version(), there.version());
    there.merge(&here.set_state(node(1), MemberState::Removed).unwrap()).unwrap();
    assert_eq!(there.get(node(1)).unwrap().state(), MemberState::Removed);
    assert_eq!(here.version(), there.version());
    let joined = there.join(Member::new(node(4))).unwrap();
    let forgotten = here.forget(node(1)).unwrap();
    here.merge(&joined).unwrap();
    there.merge(&forgotten).unwrap();
    for list in [&mut here, &mut there] {
        assert!(list.next_holders().map(|member| member.id.get()).eq([2, 3, 4]), "{list:?}");
    }
    here.merge(&there).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(here, there);
    assert_eq!(here.entries().len(), 3);
}

/// The members that stay count, however long they have been there.
#[test]
fn members_that_are_forgotten_one_by_one_leave_changes_alone() {
    let mut here = Large::new();
    (1..=5).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    here.set_state(node(5), MemberState::Up).unwrap();
    let mut lists = [here.clone(), here.clone(), here.clone(), here];
    let mut all = Large::new();
    for (id, list) in (1..).zip(&mut lists) {
        list.set_state(node(id), MemberState::Removed).unwrap();
        all.merge(list).unwrap();
    }
    // all know that, and one that does not hear of the rest changes something
    let mut there = all.clone();
    there.set_state(node(5), MemberState::Down).unwrap();
    there.join(Member::new(node(6))).unwrap();
    for id in (1..=4).rev() {
        match all.forget(node(id)) {
            Ok(_) => {}
            Err(error) => assert_eq!(error, TopologyError::Unknown(node(id))),
        }
    }
    all.merge(&there).unwrap();
    let what = |entry: &Entry| (entry.member().id.get(), entry.state());
    let expected = [(5, MemberState::Down), (6, MemberState::Joining)];
    assert!(all.entries().iter().map(what).eq(expected), "{all:?}");
}

#[test]
fn delta_of_a_change_drops_nobody() {
    let mut here = Large::new();
    (1..=3).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    here.set_state(node(2), MemberState::Removed).unwrap();
    let mut there = here.clone();
    here.forget(node(2)).unwrap();
    // what was forgotten comes with another delta, together with the members that stay
    let delta = here.join(Member::new(node(4))).unwrap();
    there.merge(&delta).unwrap();
    assert!(there.next_holders().map(|member| member.id.get()).eq([1, 3, 4]));
}

#[test]
fn refused_changes_change_nothing() {
    let mut topology = Small::new();
    for id in 1..=4 {
        topology.join(Member::new(node(id))).unwrap();
    }
    let before = topology.clone();
    assert_eq!(topology.join(Member::new(node(5))), Err(TopologyError::Full));
    assert_eq!(topology.join(Member::new(node(1))), Err(TopologyError::Duplicate(node(1))));
    let weightless = Member::new(node(5)).with_weight(0);
    assert_eq!(topology.join(weightless), Err(TopologyError::ZeroWeight));
    assert_eq!(topology.set_weight(node(1), 0), Err(TopologyError::ZeroWeight));
    assert_eq!(topology.set_weight(node(9), 1), Err(TopologyError::Unknown(node(9))));
    let state = topology.set_state(node(1), MemberState::Leaving);
    assert_eq!(state, Err(TopologyError::State(MemberState::Joining)));
    assert_eq!(topology.forget(node(1)), Err(TopologyError::State(MemberState::Joining)));
    assert_eq!(topology, before);
    let mut other = Small::new();
    (5..=8).for_each(|id| drop(other.join(Member::new(node(id))).unwrap()));
    other.set_weight(node(5), 2).unwrap();
    assert_eq!(topology.merge(&other), Err(TopologyError::Full));
    assert_eq!(topology, before);
    assert_eq!(topology.version(), before.version());
    topology.set_state(node(1), MemberState::Removed).unwrap();
    let weight = topology.set_weight(node(1), 2);
    assert_eq!(weight, Err(TopologyError::State(MemberState::Removed)));
}

#[test]
fn what_is_forgotten_makes_room_before_a_merge() {
    let mut here = Small::new();
    (1..=4).for_each(|id| drop(here.join(Member::new(node(id))).unwrap()));
    here.set_state(node(1), MemberState::Removed).unwrap();
    let mut there = here.clone();
    there.forget(node(1)).unwrap();
    there.join(Member::new(node(5))).unwrap();
    assert_eq!(here.merge(&there), Ok(true));
    assert_eq!(here, there);
}

#[test]
fn limit_is_no_part_of_what_a_list_says() {
    use quorate_core::Wire as _;
    use quorate_ring::Heap;
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    let hash = |list: &Topology<Heap>| {
        let mut hasher = DefaultHasher::new();
        list.hash(&mut hasher);
        hasher.finish()
    };
    let mut list = Topology::<Heap>::with_limit(2);
    drop(list.join(Member::new(node(1))).unwrap());
    let read = Topology::<Heap>::from_slice(&list.to_vec()).unwrap();
    assert_eq!((&read, hash(&read)), (&list, hash(&list)));
    assert_ne!(read, Topology::with_limit(2));
    drop(list.join(Member::new(node(2))).unwrap());
    let before = list.clone();
    assert_eq!(list.join(Member::new(node(3))), Err(TopologyError::Full));
    assert_eq!(list, before);
}

/// A removal and a join elsewhere may begin one incarnation: neither knew of the other, and the removal holds.
#[test]
fn removal_holds_in_its_incarnation() {
    let mut base = Topology::<Inline<4>>::new();
    drop(base.join(Member::new(node(1))).unwrap());
    drop(base.set_state(node(1), MemberState::Up).unwrap());
    let [mut again, mut removed] = [base.clone(), base];
    drop(again.set_state(node(1), MemberState::Removed).unwrap());
    drop(again.join(Member::new(node(1))).unwrap());
    drop(again.set_state(node(1), MemberState::Up).unwrap());
    drop(removed.join(Member::new(node(9))).unwrap());
    drop(removed.set_state(node(1), MemberState::Removed).unwrap());
    let [one, other] = [&again, &removed].map(|list| *list.get(node(1)).unwrap());
    assert_eq!(one.incarnation(), other.incarnation());
    assert!(one.changed() > other.changed());
    let both = again.clone();
    again.merge(&removed).unwrap();
    removed.merge(&both).unwrap();
    assert_eq!(again, removed);
    assert_eq!(again.get(node(1)).unwrap().state(), MemberState::Removed);
}

#[test]
fn weight_of_a_holder_changes_with_the_moves() {
    let mut list = Large::new();
    (1..=3).for_each(|id| drop(list.join(Member::new(node(id))).unwrap()));
    list.complete_moves().unwrap();
    let before = list.version();
    list.set_weight(node(2), 40).unwrap();
    assert_ne!(list.version().digest, before.digest);
    let weights = |list: &Large| -> (Vec<u16>, Vec<u16>) {
        let weight = |member: Member| member.weight;
        (list.holders().map(weight).collect(), list.next_holders().map(weight).collect())
    };
    assert_eq!(weights(&list), (vec![1, 1, 1], vec![1, 40, 1]));
    // taken back before anything was moved
    let mut back = list.clone();
    back.set_weight(node(2), 1).unwrap();
    assert_eq!(weights(&back), (vec![1; 3], vec![1; 3]));
    assert_eq!(back.version().digest, before.digest);
    // one that joins holds nothing yet
    list.join(Member::new(node(4))).unwrap();
    list.set_weight(node(4), 9).unwrap();
    assert_eq!(list.get(node(4)).unwrap().member().weight, 9);
    list.complete_moves().unwrap();
    assert_eq!(weights(&list), (vec![1, 40, 1, 9], vec![1, 40, 1, 9]));
    let epoch = list.epoch();
    list.complete_moves().unwrap();
    assert_eq!(list.epoch(), epoch);
}
