use quorate_clocks::{Siblings, SiblingsError, Storage, VersionVector};
use quorate_core::Wire;

use super::{FollowRefused, MergeRefused, Value, WriteId};

/// Siblings are kept with their dots (see [`Siblings`]); the context of a read goes into the next write.
impl<T, A, S> Value for Siblings<T, A, S>
where
    T: quorate_clocks::Element + for<'a> Wire<'a>,
    A: Storage,
    S: Storage,
{
    const FORMED_BY_REPLICAS: bool = true;
    type Context = VersionVector<A>;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused> {
        let before = (self.context().clone(), self.len());
        self.merge(other).map_err(|error| match error {
            SiblingsError::Conflict(_) => MergeRefused::Conflict,
            _ => MergeRefused::Full,
        })?;
        // a merge adds dots to the context, or removes values that were there
        Ok(before != (self.context().clone(), self.len()))
    }

    fn context(&self) -> VersionVector<A> {
        self.context().clone()
    }

    fn includes(&self, seen: &VersionVector<A>) -> bool {
        self.context().includes(seen)
    }

    /// All writes that were seen, and all of them replaced.
    fn clock_of_seen(seen: &VersionVector<A>) -> u64 {
        writes(seen).saturating_mul(2)
    }

    fn is_tombstone(&self) -> bool {
        self.is_empty()
    }

    /// The writes, and those of them that were replaced: one of the two grows with each change.
    fn clock(&self) -> u64 {
        let writes = writes(self.context());
        let replaced = writes.saturating_sub(self.len() as u64);
        writes.saturating_add(replaced)
    }

    fn follow(
        &mut self,
        seen: Option<&Self>,
        floor: u64,
        _write: WriteId,
    ) -> Result<(), FollowRefused> {
        let mut merged = self.clone();
        if let Some(seen) = seen {
            Value::merge(&mut merged, seen)?;
        }
        if merged.clock() <= floor {
            return Err(FollowRefused::Behind);
        }
        *self = merged;
        Ok(())
    }
}

fn writes<A: Storage>(context: &VersionVector<A>) -> u64 {
    context.entries().iter().fold(0, |sum, dot| sum.saturating_add(dot.counter()))
}
