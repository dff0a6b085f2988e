//! Which layouts may follow which: replicas change in two steps.

use super::{Layout, LayoutError};
use crate::topology::Freshness;
use crate::{PreferenceList, Token};

/// Whether a layout may follow another: each range has the replicas that it had, or those that were to follow.
#[inline(never)]
pub(crate) fn check<L: Layout>(before: &L, after: &L) -> Result<(), LayoutError> {
    let (present, version) = (before.version(), after.version());
    if version.compare(present) == Freshness::Older {
        return Err(LayoutError::Older { present });
    }
    let mut at = Token::MIN;
    loop {
        let (was, is) = (before.replicas(at), after.replicas(at));
        let was_to_follow = || before.next_replicas(at).is_some_and(|next| same(&next, &is));
        if !same(&was, &is) && !was_to_follow() {
            return Err(LayoutError::Unannounced { at });
        }
        let distance = |end: Token| end.get().wrapping_sub(at.get());
        let nearer = distance(before.end_of_range(at)).min(distance(after.end_of_range(at)));
        match at.get().checked_add(nearer).and_then(|end| end.checked_add(1)) {
            Some(next) => at = Token::new(next),
            None => return Ok(()),
        }
    }
}

/// Whether two lists have the same replicas, in any order.
fn same(one: &PreferenceList, other: &PreferenceList) -> bool {
    let (one, other) = (one.replicas(), other.replicas());
    one.len() == other.len() && one.iter().all(|node| other.contains(node))
}
