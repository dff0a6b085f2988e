//! Pending commands by their numbers, which follow on each other: a ring.

#[cfg(feature = "alloc")]
use alloc::collections::VecDeque;
use core::fmt::Debug;

use quorate_core::Full;

/// Where pending commands are kept: [`Inline`] or `Heap`.
pub trait Storage: sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::Queue;

    pub trait Kinds {
        type Queue<T: core::fmt::Debug>: Queue<T> + core::fmt::Debug;
    }
}

pub(super) use sealed::Kinds;

/// A queue of slots, each with an item or without.
#[allow(unnameable_types, unreachable_pub)] // a sealed part of `Storage`
pub trait Queue<T> {
    fn with_limit(limit: usize) -> Self;
    /// Slots, with the empty ones between others.
    fn len(&self) -> usize;
    fn limit(&self) -> usize;
    fn push(&mut self, item: T) -> Result<(), Full>;
    fn get(&self, at: usize) -> Option<&T>;
    fn get_mut(&mut self, at: usize) -> Option<&mut T>;
    /// Empties a slot.
    fn take(&mut self, at: usize) -> Option<T>;
    /// The first item from this slot on, and its slot.
    fn next(&self, from: usize) -> Option<(usize, &T)>;
    fn next_mut(&mut self, from: usize) -> Option<(usize, &mut T)>;
    /// Removes the empty slots before the first item, and says how many.
    fn drop_empty_front(&mut self) -> usize;
}

/// Everything inside the value: no heap. At most `PENDING` commands between the oldest undecided one and the newest; RAM:
/// `PENDING` times the command and 112 bytes, and 184.
///
/// ```
/// use quorate_log::submission::{Inline, Submissions};
/// assert!(size_of::<Submissions<u64, Inline<4>>>() <= 4 * (8 + 112) + 184);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const PENDING: usize>;

impl<const PENDING: usize> Storage for Inline<PENDING> {}

impl<const PENDING: usize> Kinds for Inline<PENDING> {
    type Queue<T: Debug> = Ring<T, PENDING>;
}

#[derive(Debug)]
#[allow(unnameable_types, unreachable_pub)] // a sealed part of `Storage`
pub struct Ring<T, const N: usize> {
    slots: [Option<T>; N],
    first: usize,
    len: usize,
    limit: usize,
}

impl<T, const N: usize> Ring<T, N> {
    fn slot(&self, at: usize) -> Option<usize> {
        if at >= self.len {
            return None;
        }
        self.first.checked_add(at)?.checked_rem(N)
    }
}

impl<T, const N: usize> Queue<T> for Ring<T, N> {
    fn with_limit(limit: usize) -> Self {
        Self { slots: [const { None }; N], first: 0, len: 0, limit: limit.min(N) }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn push(&mut self, item: T) -> Result<(), Full> {
        if self.len >= self.limit {
            return Err(Full);
        }
        let end = self.first.checked_add(self.len).and_then(|end| end.checked_rem(N));
        *end.and_then(|end| self.slots.get_mut(end)).ok_or(Full)? = Some(item);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(self.slot(at)?)?.as_ref()
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let slot = self.slot(at)?;
        self.slots.get_mut(slot)?.as_mut()
    }

    fn take(&mut self, at: usize) -> Option<T> {
        let slot = self.slot(at)?;
        self.slots.get_mut(slot)?.take()
    }

    fn next(&self, from: usize) -> Option<(usize, &T)> {
        (from..self.len).find_map(|at| Some((at, self.get(at)?)))
    }

    fn next_mut(&mut self, from: usize) -> Option<(usize, &mut T)> {
        let (at, _) = self.next(from)?;
        Some((at, self.get_mut(at)?))
    }

    fn drop_empty_front(&mut self) -> usize {
        let empty = self.next(0).map_or(self.len, |(at, _)| at);
        self.first = self.first.saturating_add(empty).checked_rem(N).unwrap_or(0);
        self.len = self.len.saturating_sub(empty);
        empty
    }
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    type Queue<T: Debug> = Deque<T>;
}

/// Its memory is that of the items: of the empty slots between them, it keeps no more than there are items, or [`MAX_EMPTY`].
#[cfg(feature = "alloc")]
#[derive(Debug)]
#[allow(unnameable_types, unreachable_pub)] // a sealed part of `Storage`
pub struct Deque<T> {
    slots: VecDeque<Option<T>>,
    /// The position of each, counted from the first slot that there ever was, once empty ones between them were dropped; else
    /// nothing.
    positions: VecDeque<u64>,
    /// The position of the first slot, and that after the last.
    first: u64,
    end: u64,
    /// How many of `slots` are empty.
    empty: usize,
    limit: usize,
}

/// Empty slots that are kept however few items there are.
#[cfg(feature = "alloc")]
const MAX_EMPTY: usize = 64;

#[cfg(feature = "alloc")]
impl<T> Deque<T> {
    /// Where in `slots` the first is that was not dropped, from this one on.
    fn search(&self, at: usize) -> usize {
        if self.positions.is_empty() {
            return at;
        }
        let position = self.first.saturating_add(at as u64);
        self.positions.partition_point(|other| *other < position)
    }

    /// Where in `slots` a slot is, unless it was dropped.
    fn find(&self, at: usize) -> Option<usize> {
        let found = self.search(at);
        (self.slot(found)? == at).then_some(found)
    }

    /// Which slot this one of `slots` is.
    fn slot(&self, found: usize) -> Option<usize> {
        if self.positions.is_empty() {
            return Some(found);
        }
        usize::try_from(self.positions.get(found)?.checked_sub(self.first)?).ok()
    }

    fn drop_empty(&mut self) {
        let positions = self.first..self.end;
        if self.positions.is_empty() {
            self.positions.extend(positions);
        }
        let mut slots = self.slots.iter();
        self.positions.retain(|_| slots.next().is_some_and(Option::is_some));
        self.slots.retain(Option::is_some);
        self.empty = 0;
        let capacity = self.slots.len().saturating_mul(2).max(MAX_EMPTY);
        self.slots.shrink_to(capacity);
        self.positions.shrink_to(capacity);
    }
}

#[cfg(feature = "alloc")]
impl<T> Queue<T> for Deque<T> {
    fn with_limit(limit: usize) -> Self {
        let (slots, positions) = (VecDeque::new(), VecDeque::new());
        Self { slots, positions, first: 0, end: 0, empty: 0, limit }
    }

    fn len(&self) -> usize {
        usize::try_from(self.end.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn push(&mut self, item: T) -> Result<(), Full> {
        if self.len() >= self.limit {
            return Err(Full);
        }
        if self.slots.len() < self.len() {
            self.positions.push_back(self.end);
        }
        self.slots.push_back(Some(item));
        self.end = self.end.saturating_add(1);
        Ok(())
    }

    fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(self.find(at)?)?.as_ref()
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let found = self.find(at)?;
        self.slots.get_mut(found)?.as_mut()
    }

    fn take(&mut self, at: usize) -> Option<T> {
        let found = self.find(at)?;
        let item = self.slots.get_mut(found)?.take()?;
        self.empty = self.empty.saturating_add(1);
        let items = self.slots.len().saturating_sub(self.empty);
        if self.empty > items.max(MAX_EMPTY) {
            self.drop_empty();
        }
        Some(item)
    }

    fn next(&self, from: usize) -> Option<(usize, &T)> {
        let mut found = self.search(from);
        loop {
            if let Some(item) = self.slots.get(found)? {
                return Some((self.slot(found)?, item));
            }
            found = found.saturating_add(1);
        }
    }

    fn next_mut(&mut self, from: usize) -> Option<(usize, &mut T)> {
        let (at, _) = self.next(from)?;
        Some((at, self.get_mut(at)?))
    }

    fn drop_empty_front(&mut self) -> usize {
        let before = self.first;
        while matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.positions.pop_front();
            self.empty = self.empty.saturating_sub(1);
            self.first = self.first.saturating_add(1);
        }
        if self.slots.is_empty() {
            self.first = self.end;
        } else if let Some(first) = self.positions.front() {
            self.first = *first;
        }
        if self.len() == self.slots.len() {
            self.positions.clear(); // nothing is missing any more
        }
        usize::try_from(self.first.saturating_sub(before)).unwrap_or(usize::MAX)
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn empty_slots_between_items_take_bounded_memory() {
        let mut queue = Deque::with_limit(usize::MAX);
        queue.push(0_u32).unwrap();
        for item in 1..100_000 {
            queue.push(item).unwrap();
            if item % 1_000 != 0 {
                assert_eq!(queue.take(item as usize), Some(item));
            }
            assert!(queue.slots.len() <= 2 * (1 + item as usize / 1_000) + MAX_EMPTY + 1);
            assert!(queue.slots.capacity() <= 1024);
        }
        assert_eq!((queue.len(), queue.drop_empty_front()), (100_000, 0));
        assert_eq!((queue.get(999), queue.get(1_000)), (None, Some(&1_000)));
        assert_eq!((queue.next(1), queue.next(99_001)), (Some((1_000, &1_000)), None));
        assert_eq!(queue.take(0), Some(0));
        assert_eq!((queue.drop_empty_front(), queue.len()), (1_000, 99_000));
        assert_eq!((queue.get(0), queue.next(1)), (Some(&1_000), Some((1_000, &2_000))));
        for at in (0..99).rev() {
            assert_eq!(queue.take(at * 1_000), Some(at as u32 * 1_000 + 1_000));
        }
        assert_eq!((queue.drop_empty_front(), queue.len(), queue.slots.len()), (99_000, 0, 0));
    }

    #[test]
    fn slots_keep_their_numbers_when_all_are_empty() {
        let mut queue = Deque::with_limit(usize::MAX);
        for item in 0..100 {
            queue.push(item).unwrap();
            assert_eq!(queue.take(item), Some(item));
        }
        queue.push(100).unwrap();
        assert_eq!((queue.next(0), queue.get(100)), (Some((100, &100)), Some(&100)));
        assert_eq!((queue.drop_empty_front(), queue.get(0)), (100, Some(&100)));
    }

    #[test]
    fn sizes_are_those_of_the_readme() {
        use super::super::{Submissions, pending::Pending};
        assert!(size_of::<Submissions<u64, crate::Heap>>() <= 288);
        assert!(size_of::<Option<Pending<u64>>>() + size_of::<u64>() <= 8 + 120);
    }

    #[test]
    fn both_queues_are_alike() {
        let (mut ring, mut deque) = (Ring::<u32, 200>::with_limit(200), Deque::with_limit(200));
        let mut rng = quorate_core::Rng::new(7);
        for item in 0..20_000 {
            let at = rng.below(220) as usize;
            match rng.below(8) {
                0..4 => assert_eq!(ring.push(item), deque.push(item)),
                4..7 => assert_eq!(ring.take(at), deque.take(at)),
                _ => assert_eq!(ring.drop_empty_front(), deque.drop_empty_front()),
            }
            assert_eq!((ring.len(), ring.get(at)), (deque.len(), deque.get(at)));
            assert_eq!(ring.next(at), deque.next(at));
            assert_eq!(ring.next_mut(at), deque.next_mut(at));
        }
    }
}
