use core::cell::Cell;

use quorate_core::{Full, InlineList, List, NodeId};

use crate::{MAX_PREFERENCE, Member, MemberError, Zone};

/// The most members of a placement: points keep their owner's place in 16 bits.
pub(crate) const MAX_MEMBERS: usize = u16::MAX as usize;

/// The place of a node among members in the order of their ids, or the place where it would be.
pub(crate) fn place_of(members: &[Member], id: NodeId) -> Result<usize, usize> {
    members.binary_search_by_key(&id, |member| member.id)
}

/// Whether the members are in the order of their ids, each once, and each with a weight.
#[cfg(feature = "serde")]
pub(crate) fn are_sound(members: &[Member]) -> bool {
    let next = members.iter().skip(1);
    members.iter().all(|member| member.weight > 0)
        && members.iter().zip(next).all(|(one, next)| one.id < next.id)
}

/// Adds a member in the order of the ids, and tells its place.
pub(crate) fn insert<L: List<Member>>(list: &mut L, member: Member) -> Result<usize, MemberError> {
    if member.weight == 0 {
        return Err(MemberError::ZeroWeight);
    }
    let Err(place) = place_of(list, member.id) else {
        return Err(MemberError::Duplicate(member.id));
    };
    if list.len() >= MAX_MEMBERS {
        return Err(MemberError::Full);
    }
    insert_at(list, place, member)?;
    Ok(place)
}

/// Puts a value into a list at this place; what was there and behind it moves up.
pub(crate) fn insert_at<T: Copy, L: List<T>>(
    list: &mut L,
    place: usize,
    value: T,
) -> Result<(), Full> {
    list.push(value)?;
    let mut carried = value;
    for cell in cells(list).get(place..).unwrap_or_default() {
        carried = cell.replace(carried);
    }
    Ok(())
}

/// How many zones there are, counted up to [`MAX_PREFERENCE`].
pub(crate) fn count_zones(members: &[Member]) -> usize {
    count_zones_of(members.iter().map(|member| (member.id, member.zone)))
}

/// The same of nodes that come in any order and any number.
pub(crate) fn count_zones_of(nodes: impl Iterator<Item = (NodeId, Zone)>) -> usize {
    let mut zones = InlineList::<Zone, MAX_PREFERENCE>::with_limit(MAX_PREFERENCE);
    for (_, zone) in nodes {
        if !zones.contains(&zone) && zones.push(zone).is_err() {
            break;
        }
    }
    zones.len()
}

/// A list that can be read while it is written.
pub(crate) fn cells<T>(list: &mut [T]) -> &[Cell<T>] {
    Cell::from_mut(list).as_slice_of_cells()
}
