//! Pending commands by their numbers, which follow on each other: a ring.

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
    /// Removes the first slot, if it is empty.
    fn drop_empty_front(&mut self) -> bool;
}

/// Everything inside the value: no heap. At most `PENDING` commands between the oldest undecided one and the newest; RAM:
/// `PENDING` times the command and 112 bytes, and 160.
///
/// ```
/// use quorate_log::submission::{Inline, Submissions};
/// assert!(size_of::<Submissions<u64, Inline<4>>>() <= 4 * (8 + 112) + 160);
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

    fn drop_empty_front(&mut self) -> bool {
        let empty = self.len > 0 && self.get(0).is_none();
        if empty {
            self.first = self.first.saturating_add(1).checked_rem(N).unwrap_or(0);
            self.len = self.len.saturating_sub(1);
        }
        empty
    }
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    type Queue<T: Debug> = Deque<T>;
}

#[cfg(feature = "alloc")]
#[derive(Debug)]
#[allow(unnameable_types, unreachable_pub)] // a sealed part of `Storage`
pub struct Deque<T> {
    slots: alloc::collections::VecDeque<Option<T>>,
    limit: usize,
}

#[cfg(feature = "alloc")]
impl<T> Queue<T> for Deque<T> {
    fn with_limit(limit: usize) -> Self {
        Self { slots: alloc::collections::VecDeque::new(), limit }
    }

    fn len(&self) -> usize {
        self.slots.len()
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn push(&mut self, item: T) -> Result<(), Full> {
        if self.slots.len() >= self.limit {
            return Err(Full);
        }
        self.slots.push_back(Some(item));
        Ok(())
    }

    fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(at)?.as_ref()
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.slots.get_mut(at)?.as_mut()
    }

    fn take(&mut self, at: usize) -> Option<T> {
        self.slots.get_mut(at)?.take()
    }

    fn drop_empty_front(&mut self) -> bool {
        let empty = matches!(self.slots.front(), Some(None));
        if empty {
            self.slots.pop_front();
        }
        empty
    }
}
