//! Quorum systems against all sets of members.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use quorate_core::{Phase, QuorumError, Quorums, Votes, majority};

/// The members of a set, as a mask, with the votes of each.
fn members(votes: &[Votes], set: u32) -> impl Iterator<Item = (Votes, bool)> + Clone + '_ {
    votes.iter().enumerate().map(move |(at, &votes)| (votes, set >> at & 1 == 1))
}

/// All quorums of a phase.
fn all(quorums: Quorums, phase: Phase, votes: &[Votes]) -> Vec<u32> {
    (0..1_u32 << votes.len()).filter(|&set| quorums.is_met(phase, members(votes, set))).collect()
}

/// The rule that every quorum system keeps, and what it says of itself.
fn check(quorums: Quorums, votes: &[Votes]) {
    let [one, two] = [Phase::One, Phase::Two].map(|phase| all(quorums, phase, votes));
    assert!(!one.is_empty() && !two.is_empty(), "{quorums:?}: all together are no quorum");
    assert!(one.iter().all(|a| two.iter().all(|b| a & b != 0)), "{quorums:?}: disjoint");
    for (phase, sets) in [(Phase::One, &one), (Phase::Two, &two)] {
        let meets = sets.iter().all(|a| sets.iter().all(|b| a & b != 0));
        if quorums.meets_itself(phase) {
            assert!(meets, "{quorums:?}: {phase:?} does not meet itself");
        }
        // more members never undo a quorum
        let full = (1_u32 << votes.len()) - 1;
        for &set in sets {
            let more = (0..votes.len()).map(|at| (set | 1 << at) & full);
            more.for_each(|set| assert!(sets.binary_search(&set).is_ok(), "{quorums:?}: {set:b}"));
        }
    }
}

#[test]
fn every_pair_of_sizes_is_safe_or_refused() {
    for voters in 0..=8_u8 {
        let votes = vec![Votes::ONE; voters.into()];
        for (one, two) in (0..=10).flat_map(|one| (0..=10).map(move |two| (one, two))) {
            let size = QuorumError::Size { votes: voters.into() };
            let disjoint = QuorumError::Disjoint { at_least: u16::from(voters) + 1 };
            let expected = match (one, two) {
                (0, _) | (_, 0) => Err(size),
                _ if one > voters || two > voters => Err(size),
                _ if one + two <= voters => Err(disjoint),
                _ => Ok(()),
            };
            let quorums = Quorums::flexible(voters, one, two);
            assert_eq!(quorums.map(|_| ()), expected, "{voters} {one} {two}");
            if let Ok(quorums) = quorums {
                check(quorums, &votes);
                let smallest = |phase| {
                    all(quorums, phase, &votes).iter().map(|set| set.count_ones()).min().unwrap()
                };
                assert_eq!((smallest(Phase::One), smallest(Phase::Two)), (one.into(), two.into()));
                assert_eq!(quorums.meets_itself(Phase::One), 2 * one > voters);
                assert_eq!(quorums.meets_itself(Phase::Two), 2 * two > voters);
            }
        }
    }
    assert!(Quorums::flexible(255, 255, 255).is_ok());
    assert_eq!(Quorums::flexible(255, 127, 128), Err(QuorumError::Disjoint { at_least: 256 }));
}

#[test]
fn majorities_are_more_than_half() {
    for voters in 1..=9_u8 {
        let (votes, quorums) = (vec![Votes::ONE; voters.into()], Quorums::majority(voters));
        check(quorums, &votes);
        for phase in [Phase::One, Phase::Two] {
            let sets = all(quorums, phase, &votes);
            let more_than_half = |set: &u32| set.count_ones() as usize >= majority(voters.into());
            assert!(sets.iter().all(more_than_half), "{voters}");
            assert_eq!(sets.len(), (0..1_u32 << voters).filter(more_than_half).count());
            assert!(quorums.meets_itself(phase));
        }
    }
    let everyone = core::iter::repeat_n((Votes::ONE, true), 255);
    assert!(Quorums::majority(255).is_met(Phase::One, everyone.clone().take(128)));
    assert!(!Quorums::majority(255).is_met(Phase::One, everyone.take(127)));
    assert!(!Quorums::majority(0).is_met(Phase::Two, [(Votes::NONE, true)]));
}

#[test]
fn grids_take_rows_and_columns() {
    for (rows, columns) in (1..=4_u8).flat_map(|rows| (1..=4_u8).map(move |c| (rows, c))) {
        if rows * columns > 12 {
            continue; // all pairs of all sets
        }
        let (quorums, votes) =
            (Quorums::grid(rows, columns).unwrap(), vec![Votes::ONE; (rows * columns).into()]);
        check(quorums, &votes);
        let row = |row: u8| (0..columns).fold(0, |set, at| set | 1_u32 << (row * columns + at));
        let column =
            |column: u8| (0..rows).fold(0, |set, at| set | 1_u32 << (at * columns + column));
        let least = |phase, lines: Vec<u32>| {
            let sets = all(quorums, phase, &votes);
            assert!(lines.iter().all(|line| sets.contains(line)));
            assert!(sets.iter().all(|set| lines.iter().any(|line| set & line == *line)));
        };
        least(Phase::One, (0..rows).map(row).collect());
        least(Phase::Two, (0..columns).map(column).collect());
        assert_eq!(quorums.meets_itself(Phase::One), rows == 1);
        assert_eq!(quorums.meets_itself(Phase::Two), columns == 1);
    }
    let last = |at: usize| (0..64).map(move |member| (Votes::NONE, member == at || member < 63));
    let all_of_64 = Quorums::grid(1, 64).unwrap();
    assert!(all_of_64.is_met(Phase::One, last(63)) && !all_of_64.is_met(Phase::One, last(0)));
    assert!(Quorums::grid(64, 1).unwrap().is_met(Phase::Two, last(63)));
    assert!(Quorums::grid(8, 8).is_ok());
    assert_eq!(Quorums::grid(5, 13), Err(QuorumError::TooMany));
    assert_eq!(Quorums::grid(255, 255), Err(QuorumError::TooMany));
    assert_eq!(Quorums::grid(0, 3), Err(QuorumError::Size { votes: 0 }));
    assert_eq!(Quorums::grid(3, 0), Err(QuorumError::Size { votes: 0 }));
}

#[test]
fn who_is_left_out_or_beyond_the_grid_counts_for_nothing() {
    let quorums = Quorums::grid(2, 2).unwrap();
    assert!(!quorums.is_met(Phase::One, [(Votes::ONE, true)]));
    let beyond = [false, false, false, false, true, true];
    assert!(!quorums.is_met(Phase::One, beyond.map(|agrees| (Votes::ONE, agrees))));
    let many = (0..70).map(|at| (Votes::ONE, at >= 64));
    assert!(!Quorums::grid(8, 8).unwrap().is_met(Phase::One, many));
}

#[test]
fn halves_of_joint_systems_count_votes() {
    let (majority, grid) = (Quorums::majority(3), Quorums::grid(2, 2).unwrap());
    let joint = Quorums::joint(majority, majority).unwrap();
    for (old, new) in [(grid, majority), (majority, grid), (joint, majority), (majority, joint)] {
        assert_eq!(Quorums::joint(old, new), Err(QuorumError::Half));
    }
}

#[test]
fn joint_systems_meet_themselves_if_a_half_does() {
    let (strict, loose) = (Quorums::majority(3), Quorums::flexible(4, 2, 3).unwrap());
    let meets = |old, new| Quorums::joint(old, new).unwrap().meets_itself(Phase::One);
    assert!(meets(strict, loose) && meets(loose, strict) && meets(strict, strict));
    assert!(!meets(loose, loose));
}

#[test]
fn more_members_than_a_system_has_are_refused() {
    assert!(Quorums::weighted(&[255; 255], 1, 65_025).is_ok());
    assert_eq!(Quorums::weighted(&[0; 256], 1, 1), Err(QuorumError::TooMany));
    assert_eq!(Quorums::weighted(&[], 1, 1), Err(QuorumError::Size { votes: 0 }));
}

#[test]
fn errors_say_what_to_do() {
    let says =
        |error: QuorumError, what: &str| assert!(error.to_string().contains(what), "{error}");
    says(QuorumError::Disjoint { at_least: 6 }, "add up to at least 6");
    says(QuorumError::Size { votes: 5 }, "at most the 5 there are");
    says(QuorumError::TooMany, "at most 255 members, and 64 in a grid");
    says(QuorumError::Half, "halves that count votes");
}

proptest! {
    #[test]
    fn weights_are_safe_or_refused(
        weights in prop::collection::vec(0_u8..4, 1..7),
        one in 0_u16..20,
        two in 0_u16..20,
    ) {
        let votes: Vec<Votes> = weights.iter().copied().map(Votes::new).collect();
        let total: u16 = weights.iter().copied().map(u16::from).sum();
        match Quorums::weighted(&weights, one, two) {
            Ok(quorums) => {
                prop_assert!(one + two > total && one.max(two) <= total && one.min(two) > 0);
                check(quorums, &votes);
                let of = |set: u32| (0..weights.len()).filter(move |at| set >> at & 1 == 1);
                for set in 0..1 << weights.len() {
                    let have: u16 = of(set).map(|at| u16::from(weights[at])).sum();
                    let met = |phase| quorums.is_met(phase, members(&votes, set));
                    prop_assert_eq!((met(Phase::One), met(Phase::Two)), (have >= one, have >= two));
                }
            }
            Err(QuorumError::Size { votes }) => {
                prop_assert!(one == 0 || two == 0 || one > total || two > total);
                prop_assert_eq!(votes, total);
            }
            Err(error) => {
                prop_assert_eq!(error, QuorumError::Disjoint { at_least: total + 1 });
                prop_assert!(one + two <= total);
            }
        }
    }

    #[test]
    fn joint_quorums_are_quorums_of_both_halves(
        seats in prop::collection::vec((0_u8..3, 0_u8..3), 1..6),
        sizes in (1_u16..8, 1_u16..8, 1_u16..8, 1_u16..8),
    ) {
        let [old, new]: [Vec<u8>; 2] =
            [seats.iter().map(|seat| seat.0).collect(), seats.iter().map(|seat| seat.1).collect()];
        let old_system = Quorums::weighted(&old, sizes.0, sizes.1);
        let new_system = Quorums::weighted(&new, sizes.2, sizes.3);
        if let (Ok(old_system), Ok(new_system)) = (old_system, new_system) {
            let quorums = Quorums::joint(old_system, new_system).unwrap();
            let votes: Vec<Votes> = seats.iter().map(|seat| Votes::joint(seat.0, seat.1)).collect();
            check(quorums, &votes);
            let half = |half: &[u8]| half.iter().copied().map(Votes::new).collect::<Vec<_>>();
            let (old, new) = (half(&old), half(&new));
            for phase in [Phase::One, Phase::Two] {
                for set in 0..1 << seats.len() {
                    prop_assert_eq!(
                        quorums.is_met(phase, members(&votes, set)),
                        old_system.is_met(phase, members(&old, set))
                            && new_system.is_met(phase, members(&new, set))
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_reached_is_the_greatest_that_a_quorum_has(
        seats in prop::collection::vec((0_u8..3, 0_u8..3, 0_u64..10), 0..7),
        floor in 0_u64..6,
        system in 0..5,
    ) {
        let count = u8::try_from(seats.len()).unwrap();
        let weights: Vec<u8> = seats.iter().map(|seat| seat.1).collect();
        let quorums = match system {
            0 => Ok(Quorums::majority(count)),
            1 => Quorums::flexible(count, count.saturating_sub(1), 2),
            2 => Quorums::weighted(&weights, 3, 4),
            3 => Ok(Quorums::joint_majority(2, 3)),
            _ => Quorums::grid(2, count / 2),
        };
        if let Ok(quorums) = quorums {
            let values = seats.iter().map(|&(old, new, value)| (Votes::joint(old, new), value));
            for phase in [Phase::One, Phase::Two] {
                let met = |value: &u64| {
                    let have = values.clone().map(|(votes, reached)| (votes, reached >= *value));
                    quorums.is_met(phase, have)
                };
                let greatest = (floor + 1..10).filter(met).max();
                prop_assert_eq!(quorums.reached(phase, floor, values.clone()), greatest);
            }
        }
    }
}
