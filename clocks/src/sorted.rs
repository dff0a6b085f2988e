//! Lists of dots sorted by actor, one for each: the logic behind version vectors, once for all capacities.

use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer};

use crate::{Actor, Causality, Dot};

/// Where the actor's entry is, or where it would go.
#[inline]
pub(crate) fn find(entries: &[Dot], actor: Actor) -> Result<usize, usize> {
    entries.binary_search_by(|entry| entry.actor().cmp(&actor))
}

/// The actor's counter, 0 if it has no entry.
#[inline]
pub(crate) fn counter(entries: &[Dot], actor: Actor) -> u64 {
    find(entries, actor).ok().and_then(|at| entries.get(at)).map_or(0, |entry| entry.counter())
}

/// Adds an element at `at`, moving the later ones up.
pub(crate) fn insert<T>(list: &mut impl List<T>, at: usize, value: T) -> Result<(), Full> {
    list.push(value)?;
    let mut end = list.len();
    while let Some([before, moved]) =
        end.checked_sub(2).filter(|&from| from >= at).and_then(|from| list.get_mut(from..end))
    {
        core::mem::swap(before, moved);
        end = end.saturating_sub(1);
    }
    Ok(())
}

/// Raises every entry to at least the other's; all of them or, if they do not fit, none.
pub(crate) fn merge(own: &mut impl List<Dot>, other: &[Dot]) -> Result<(), Full> {
    if same_actors(own, other) {
        own.iter_mut().zip(other).for_each(|(mine, theirs)| mine.raise(*theirs));
        return Ok(());
    }
    let missing = count_missing(own, other);
    let len = own.len();
    // room for those; what is in it is overwritten
    own.extend_from_slice(other.get(..missing).unwrap_or_default())?;
    merge_backward(own, len, other);
    Ok(())
}

/// Replicas that have met know the same actors: then nothing moves.
#[inline]
fn same_actors(own: &[Dot], other: &[Dot]) -> bool {
    own.len() == other.len() && own.iter().zip(other).all(|(a, b)| a.actor() == b.actor())
}

/// How many actors of the other have no entry here.
fn count_missing(own: &[Dot], other: &[Dot]) -> usize {
    let mut mine = own.iter().peekable();
    let absent = |theirs: &&Dot| {
        while mine.next_if(|entry| entry.actor() < theirs.actor()).is_some() {}
        mine.next_if(|entry| entry.actor() == theirs.actor()).is_none()
    };
    other.iter().filter(absent).count()
}

/// Merges from the end, where the room is; `len` entries are in use.
fn merge_backward(own: &mut [Dot], len: usize, other: &[Dot]) {
    let (mut rest, mut mine) = (other, len);
    for at in (0..own.len()).rev() {
        let Some((theirs, before)) = rest.split_last() else { return };
        let last = mine.checked_sub(1).and_then(|m| own.get(m)).copied();
        let entry = match last {
            Some(entry) if entry.actor() > theirs.actor() => entry,
            Some(mut entry) if entry.actor() == theirs.actor() => {
                rest = before;
                entry.raise(*theirs);
                entry
            }
            _ => {
                rest = before;
                mine = mine.saturating_add(1); // none of ours is used up
                *theirs
            }
        };
        mine = mine.saturating_sub(1);
        if let Some(slot) = own.get_mut(at) {
            *slot = entry;
        }
    }
}

/// How two lists relate, as sets of dots.
pub(crate) fn compare(first: &[Dot], second: &[Dot]) -> Causality {
    let (mut more, mut less) = (false, false);
    let (mut a, mut b) = (first, second);
    while let ([x, after_x @ ..], [y, after_y @ ..]) = (a, b) {
        if x.actor() == y.actor() {
            more |= x.counter() > y.counter();
            less |= x.counter() < y.counter();
            (a, b) = (after_x, after_y);
        } else if x.actor() < y.actor() {
            more = true;
            a = after_x;
        } else {
            less = true;
            b = after_y;
        }
        if more && less {
            return Causality::Concurrent;
        }
    }
    Causality::of(more || !a.is_empty(), less || !b.is_empty())
}

/// Whether the list is in canonical form: by actor, each once.
pub(crate) fn is_canonical(entries: &[Dot]) -> bool {
    entries.is_sorted_by(|a, b| a.actor() < b.actor())
}

/// A count and the elements: what postcard makes of a sequence.
pub(crate) fn encode<T: for<'a> Wire<'a>>(list: &[T], out: &mut Writer<'_>) {
    out.u64(list.len() as u64);
    list.iter().for_each(|element| element.encode(out));
}

/// Reads such a sequence into an empty list; more than it takes is [`DecodeError::Invalid`].
pub(crate) fn decode<T: for<'a> Wire<'a>>(
    list: &mut impl List<T>,
    input: &mut Reader<'_>,
) -> Result<(), DecodeError> {
    for _ in 0..input.u64()? {
        list.push(T::decode(input)?).map_err(|_| DecodeError::Invalid)?;
    }
    Ok(())
}
