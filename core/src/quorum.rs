/// How many of `voters` make a majority: any two majorities share a voter.
///
/// ```
/// use quorate_core::majority;
/// assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
/// ```
#[must_use]
pub const fn majority(voters: usize) -> usize {
    (voters / 2).saturating_add(1)
}

/// The greatest value that at least `quorum` of the voters have reached, or `None` when there are fewer voters than that.
///
/// This is how a leader finds its commit index from what each voter has stored. Voters may come in any order.
/// Work: the square of the number of voters; no memory.
///
/// ```
/// use quorate_core::{agreed, majority};
/// let stored = [7, 3, 5, 5, 1];
/// assert_eq!(agreed(stored.iter().copied(), majority(5)), Some(5));
/// assert_eq!(agreed([4].into_iter(), 2), None);
/// ```
pub fn agreed<T: Ord + Copy>(voters: impl Iterator<Item = T> + Clone, quorum: usize) -> Option<T> {
    let mut best = None;
    for value in voters.clone() {
        if best.is_some_and(|b| b >= value) {
            continue;
        }
        let reached = voters.clone().filter(|&v| v >= value).count();
        if reached >= quorum {
            best = Some(value);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_two_majorities_share_a_voter() {
        for voters in 0..20 {
            let quorum = majority(voters);
            assert!(2 * quorum > voters, "{voters}");
            assert!(voters == 0 || 2 * (quorum - 1) <= voters, "{voters}: fewer would do");
        }
        assert_eq!(majority(usize::MAX), usize::MAX / 2 + 1);
    }

    proptest! {
        #[test]
        fn agreed_by_any_quorum(values in prop::collection::vec(0u64..20, 0..9), quorum in 1usize..10) {
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.cmp(a));
            prop_assert_eq!(agreed(values.iter().copied(), quorum), sorted.get(quorum - 1).copied());
        }

        #[test]
        fn agreed_is_the_nth_largest(values in prop::collection::vec(0u64..20, 1..9)) {
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.cmp(a));
            let quorum = majority(values.len());
            prop_assert_eq!(agreed(values.iter().copied(), quorum), Some(sorted[quorum - 1]));
        }
    }
}
