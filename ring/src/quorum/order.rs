use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{Full, InlineList, List};

use crate::members::insert_at;

/// A token, and the place of an entry that has it.
pub(crate) type Placed = (u64, u32);

/// The entries of a table in the order of their tokens.
#[allow(unnameable_types)] // of the sealed storage
pub trait Order: Clone + PartialEq + Eq + Hash + Debug {
    /// None; takes at most so many.
    fn with_limit(limit: usize) -> Self;
    /// Adds an entry that is not there.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    fn insert(&mut self, placed: Placed) -> Result<(), Full>;
    /// Takes an entry out.
    fn remove(&mut self, placed: Placed);
    /// The first at or after this one.
    fn at_or_after(&self, placed: Placed) -> Option<Placed>;
}

impl<const N: usize> Order for InlineList<Placed, N> {
    fn with_limit(limit: usize) -> Self {
        List::with_limit(limit)
    }

    fn insert(&mut self, placed: Placed) -> Result<(), Full> {
        let (Ok(place) | Err(place)) = self.binary_search(&placed);
        insert_at(self, place, placed)
    }

    fn remove(&mut self, placed: Placed) {
        if let Ok(place) = self.binary_search(&placed) {
            List::remove(self, place);
        }
    }

    fn at_or_after(&self, placed: Placed) -> Option<Placed> {
        let (Ok(place) | Err(place)) = self.binary_search(&placed);
        self.get(place).copied()
    }
}

/// A set on the heap has no limit of its own: the table has one.
#[cfg(feature = "alloc")]
impl Order for alloc::collections::BTreeSet<Placed> {
    fn with_limit(_limit: usize) -> Self {
        Self::new()
    }

    fn insert(&mut self, placed: Placed) -> Result<(), Full> {
        Self::insert(self, placed);
        Ok(())
    }

    fn remove(&mut self, placed: Placed) {
        Self::remove(self, &placed);
    }

    fn at_or_after(&self, placed: Placed) -> Option<Placed> {
        self.range(placed..).next().copied()
    }
}
