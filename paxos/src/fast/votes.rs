use quorate_core::{List, Rejected};

use super::FastQuorums;
use crate::synod::Vote;
use crate::{Ballot, Storage};

/// The last vote of each acceptor, as far as it was heard, with its value: in the fast ballot they may differ.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Votes<S: Storage> {
    cast: S::Members<Cast<S>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Cast<S: Storage> {
    ballot: Ballot,
    value: S::Value,
}

impl<S: Storage> Votes<S> {
    pub(super) fn new(members: usize, max_value: usize) -> Self {
        let mut cast = S::Members::with_limit(members);
        for _ in 0..members {
            let one = Cast { ballot: Ballot::ZERO, value: S::Value::with_limit(max_value) };
            let _ = cast.push(one); // as many as there are members
        }
        Self { cast }
    }

    /// Whether no vote was heard of.
    pub(super) fn is_empty(&self) -> bool {
        self.cast.iter().all(|one| one.ballot.is_zero())
    }

    /// An acceptor has voted. An earlier vote of it counts no more.
    pub(super) fn record(&mut self, index: usize, vote: Vote<'_>) -> Result<(), Rejected> {
        let differs = |one: &Cast<S>| one.ballot == vote.ballot && *one.value != *vote.value;
        // one value for each classic ballot, and one for each acceptor in the fast one
        let is_fast = vote.ballot == Ballot::FAST;
        let mut others = self.cast.iter().enumerate().filter(|(at, _)| !is_fast || *at == index);
        if others.any(|(_, one)| differs(one)) {
            return Err(Rejected::Impossible);
        }
        let Some(one) = self.cast.get_mut(index) else { return Ok(()) };
        if vote.value.len() > one.value.limit() {
            return Err(Rejected::Full);
        }
        if vote.ballot > one.ballot {
            one.ballot = vote.ballot;
            one.value.clear();
            let _ = one.value.extend_from_slice(vote.value); // it fits
        }
        Ok(())
    }

    /// The value that a quorum has voted for in one ballot, if there is one.
    pub(super) fn chosen(&self, quorums: &FastQuorums) -> Option<&[u8]> {
        self.cast.iter().find_map(|one| {
            let size = match one.ballot {
                Ballot::ZERO => return None,
                Ballot::FAST => quorums.fast(),
                _ => quorums.classic(),
            };
            (self.count(one, |_| true) >= size).then_some(&*one.value)
        })
    }

    /// Whether no value can be chosen in the fast ballot any more: of none there are enough votes, even if all that have not voted
    /// vote for it.
    pub(super) fn has_collided(&self, quorums: &FastQuorums) -> bool {
        let in_fast = |one: &&Cast<S>| one.ballot == Ballot::FAST;
        let is_silent = |one: &&Cast<S>| one.ballot.is_zero();
        let silent = count(self.cast.iter().filter(is_silent));
        let best = self.cast.iter().filter(in_fast).map(|one| self.count(one, |_| true)).max();
        best.is_some_and(|best| best.saturating_add(silent) < quorums.fast())
    }

    /// What a classic ballot has to propose, after the promises of these acceptors: the votes of the highest ballot that they
    /// reported decide, and only those.
    ///
    /// Section 2.2: a classic ballot has one value. Of the fast one it is the value that so many have voted for that a quorum may have; if
    /// there is none, the choice is free: nothing, if the proposer has a value of its own, or else one that was voted for.
    pub(super) fn choose(
        &self,
        replied: impl Fn(usize) -> bool,
        quorums: &FastQuorums,
        has_own: bool,
    ) -> Option<Vote<'_>> {
        let replies = || self.cast.iter().enumerate().filter(|(at, _)| replied(*at));
        let highest = replies().map(|(_, one)| one.ballot).max()?;
        if highest.is_zero() {
            return None;
        }
        let mut of_highest = replies().map(|(_, one)| one).filter(|one| one.ballot == highest);
        let first = of_highest.clone().next();
        let needed = quorums.possibly_chosen(count(replies()));
        let one = match of_highest.find(|one| self.count(one, &replied) >= needed) {
            _ if highest != Ballot::FAST => first,
            None if !has_own => first,
            possibly_chosen => possibly_chosen,
        };
        one.map(|one| Vote { ballot: highest, value: &one.value })
    }

    /// How many of these acceptors have voted as this one has.
    fn count(&self, like: &Cast<S>, of: impl Fn(usize) -> bool) -> u8 {
        let is_same = |(at, one): &(usize, &Cast<S>)| of(*at) && *one == like;
        count(self.cast.iter().enumerate().filter(is_same))
    }
}

/// How many there are; there are no more than 255 members.
fn count<T>(of: impl Iterator<Item = T>) -> u8 {
    u8::try_from(of.count()).unwrap_or(u8::MAX)
}
