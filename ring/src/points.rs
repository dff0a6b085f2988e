use core::cell::Cell;

use quorate_core::{Full, List, sort_places};

use crate::Storage;
use crate::members::cells;

/// How many new points are put in their places in one pass over the old ones.
const BATCH: usize = 64;
/// How far a place may be from where it was guessed.
const NEAR: usize = 32;

/// The points of a ring: tokens in ascending order, each with its owner's place among the members, in two lists: 10 bytes a point.
/// Equal tokens are in the order of their owners.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Points<S: Storage> {
    tokens: S::Tokens,
    owners: S::Owners,
}

impl<S: Storage> Points<S> {
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { tokens: S::Tokens::with_limit(limit), owners: S::Owners::with_limit(limit) }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn limit(&self) -> usize {
        self.tokens.limit()
    }

    pub(crate) fn tokens(&self) -> &[u64] {
        &self.tokens
    }

    /// The owners from the point at `first` on, once round.
    pub(crate) fn owners_from(&self, first: usize) -> impl Iterator<Item = u16> {
        let (before, from) = self.owners.split_at_checked(first).unwrap_or((&self.owners, &[]));
        from.iter().chain(before).copied()
    }

    /// The place of the first point at or after the token; 0 where there is none, as the circle begins again.
    pub(crate) fn successor(&self, token: u64) -> usize {
        let place = lower_bound(&self.tokens, token);
        if place < self.tokens.len() { place } else { 0 }
    }

    /// Adds a point behind all others, whatever its token. [`sort`](Self::sort) or [`merge`](Self::merge) puts it in its place.
    pub(crate) fn push(&mut self, token: u64, owner: u16) -> Result<(), Full> {
        self.tokens.push(token)?;
        self.owners.push(owner).inspect_err(|_| self.tokens.truncate(self.owners.len()))
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.tokens.truncate(len);
        self.owners.truncate(len);
    }

    /// Sorts the points from `first` on.
    pub(crate) fn sort(&mut self, first: usize) {
        let tokens = cells(self.tokens.get_mut(first..).unwrap_or_default());
        let owners = cells(self.owners.get_mut(first..).unwrap_or_default());
        let len = tokens.len().min(owners.len());
        let key = |at: usize| Some((tokens.get(at)?.get(), owners.get(at)?.get()));
        let is_less = |(): &(), one, other| key(one) < key(other);
        sort_places(&mut (), len, is_less, |(), one, other| {
            swap(tokens, one, other);
            swap(owners, one, other);
        });
    }

    /// Puts the points of one owner, which are those from `first` on and in their order, among the others.
    pub(crate) fn merge(&mut self, first: usize) {
        let mut sorted = first;
        while sorted < self.tokens.len() {
            let end = self.tokens.len().min(sorted.saturating_add(BATCH));
            self.merge_batch(sorted, end);
            sorted = end;
        }
    }

    fn merge_batch(&mut self, sorted: usize, end: usize) {
        let Some(owner) = self.owners.get(sorted).copied() else { return };
        let mut batch = [0; BATCH];
        let new = self.tokens.get(sorted..end).unwrap_or_default();
        for (copy, token) in batch.iter_mut().zip(new) {
            *copy = *token;
        }
        let tokens = cells(self.tokens.get_mut(..end).unwrap_or_default());
        let owners = cells(self.owners.get_mut(..end).unwrap_or_default());
        // from the last on: what is above a new point moves up by as many as are still to come
        let mut above = sorted;
        for (left, token) in batch.iter().enumerate().take(end.saturating_sub(sorted)).rev() {
            let is_below = |at: usize| {
                let point = tokens.get(at).zip(owners.get(at));
                point.is_some_and(|(other, by)| (other.get(), by.get()) < (*token, owner))
            };
            let place = search(0, above, is_below);
            move_up(tokens, place, above, left.saturating_add(1));
            move_up(owners, place, above, left.saturating_add(1));
            let at = place.saturating_add(left);
            if let (Some(to), Some(by)) = (tokens.get(at), owners.get(at)) {
                to.set(*token);
                by.set(owner);
            }
            above = place;
        }
    }

    /// Removes the points of an owner.
    pub(crate) fn remove_owner(&mut self, owner: u16) {
        let (tokens, owners) = (cells(&mut self.tokens), cells(&mut self.owners));
        let mut kept = 0;
        for (token, by) in tokens.iter().zip(owners) {
            if by.get() == owner {
                continue;
            }
            if let (Some(to), Some(to_by)) = (tokens.get(kept), owners.get(kept)) {
                to.set(token.get());
                to_by.set(by.get());
            }
            kept = kept.saturating_add(1);
        }
        self.truncate(kept);
    }

    /// A member was added at this place, or is about to be: the owners from there on are one further up.
    pub(crate) fn make_room_for_owner(&mut self, place: u16) {
        for owner in self.owners.iter_mut() {
            *owner = owner.saturating_add(u16::from(*owner >= place));
        }
    }

    /// A member was removed from this place.
    pub(crate) fn close_gap_of_owner(&mut self, place: u16) {
        for owner in self.owners.iter_mut() {
            *owner = owner.saturating_sub(u16::from(*owner > place));
        }
    }
}

/// Moves the elements from `first` up to `end` so many places up.
fn move_up<T: Copy>(list: &[Cell<T>], first: usize, end: usize, places: usize) {
    let from = list.get(first..end).unwrap_or_default();
    let to = list.get(first.saturating_add(places)..end.saturating_add(places)).unwrap_or_default();
    for (from, to) in from.iter().zip(to).rev() {
        to.set(from.get());
    }
}

fn swap<T>(list: &[Cell<T>], one: usize, other: usize) {
    if let (Some(one), Some(other)) = (list.get(one), list.get(other)) {
        one.swap(other);
    }
}

/// The place of the first token that is not below `token`.
///
/// Hashes lie evenly on the circle, so how far a token is from another tells how many points are between: of d points the square
/// root of d off. From the beginning of the circle that is a guess, from the guess a better one, and near that one is the place
/// (Perl, Itai and Avni, "Interpolation Search: A Log Log N Search", CACM 21(7), 1978). For tokens that lie otherwise, all are
/// searched.
fn lower_bound(tokens: &[u64], token: u64) -> usize {
    let first = points_in(token, tokens.len());
    let other = tokens.get(first).copied().unwrap_or(token);
    let guess = match token.checked_sub(other) {
        Some(distance) => first.saturating_add(points_in(distance, tokens.len())),
        None => first.saturating_sub(points_in(other.saturating_sub(token), tokens.len())),
    };
    let low = guess.saturating_sub(NEAR);
    let high = guess.saturating_add(NEAR).min(tokens.len());
    let is_below = |other: &u64| *other < token;
    let begins_below = low.checked_sub(1).is_none_or(|at| tokens.get(at).is_some_and(is_below));
    let ends_below = tokens.get(high).is_some_and(is_below);
    match tokens.get(low..high) {
        Some(near) if begins_below && !ends_below => {
            low.saturating_add(near.partition_point(is_below))
        }
        _ => tokens.partition_point(is_below),
    }
}

/// How many of so many points lie within a distance, were they even. The upper half of the distance is exact enough.
fn points_in(distance: u64, points: usize) -> usize {
    ((distance >> 32).saturating_mul(points as u64) >> 32) as usize
}

/// The first place from `low` on where `is_below` does not hold; `high` if it holds everywhere before. It holds up to some place.
fn search(mut low: usize, mut high: usize, is_below: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low.midpoint(high);
        if is_below(middle) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::lower_bound;
    use quorate_core::Rng;
    use std::vec::Vec;

    #[test]
    fn lower_bound_is_that_of_a_binary_search() {
        let mut rng = Rng::new(1);
        for round in 0..2_000 {
            let len = rng.below(if round % 100 < 4 { 20_000 } else { 300 });
            let spread = [u64::MAX, 1_000, 3, 1 << 40][round % 4];
            let mut tokens: Vec<u64> = (0..len).map(|_| rng.below(spread)).collect();
            tokens.sort_unstable();
            let asked = (0..50).map(|_| rng.below(spread)).chain([0, u64::MAX]);
            for token in asked.chain(tokens.iter().copied()) {
                let expected = tokens.partition_point(|other| *other < token);
                assert_eq!(lower_bound(&tokens, token), expected, "{token} in {tokens:?}");
            }
        }
    }
}
