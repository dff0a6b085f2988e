use core::fmt;

use quorate_core::{DecodeError, Field, FieldValue, Form, Reader, Source, Wire, Writer};

/// Epochs at or beyond this are refused: no honest node comes near, and one hostile message must not use them up.
pub(crate) const EPOCH_LIMIT: u64 = 1 << 62;

/// An epoch this far beyond the own one is refused by a node that has one: no honest node gets there between two messages.
const MAX_JUMP: u64 = 1 << 38;

/// Bits of an epoch that tell its owner.
const OWNER_BITS: u32 = 5;

/// A term of office, and the fencing token that goes with it.
///
/// The low five bits are the owner's place among the members, the rest counts up: two nodes never have the same epoch, as with
/// the ballots of Paxos (Lamport, "Paxos Made Simple", 2001, section 2.4). Whoever reads an epoch can tell whose it is, and a
/// node that leads a second time does so in a later one.
///
/// Hand [`token`](Self::token) to every resource the leader uses, and let the resource refuse a lower one than it has seen
/// (Burrows, "The Chubby lock service", OSDI 2006, section 2.4: sequencers): that is what stops a leader that has been
/// replaced and does not know it.
///
/// ```
/// use quorate_election::Epoch;
/// let first = Epoch::ZERO.next_for(2).ok_or("out of epochs")?;
/// assert_eq!(first.owner(), 2);
/// let second = first.next_for(1).ok_or("out of epochs")?;
/// assert!(second > first && second.token() > first.token());
/// assert_eq!(second.owner(), 1);
/// # Ok::<(), &'static str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Epoch(u64);

impl Epoch {
    /// Before the first election.
    pub const ZERO: Self = Self(0);

    /// The epoch with this token.
    ///
    /// ```
    /// use quorate_election::Epoch;
    /// assert_eq!(Epoch::from_token(34).owner(), 2);
    /// ```
    #[must_use]
    pub const fn from_token(token: u64) -> Self {
        Self(token)
    }

    /// The fencing token: it grows from leader to leader.
    ///
    /// ```
    /// use quorate_election::Epoch;
    /// assert_eq!(Epoch::from_token(34).token(), 34);
    /// ```
    #[must_use]
    pub const fn token(self) -> u64 {
        self.0
    }

    /// The owner's place among the members, from 0.
    ///
    /// ```
    /// use quorate_election::Epoch;
    /// assert_eq!(Epoch::from_token(3).owner(), 3);
    /// ```
    #[must_use]
    pub const fn owner(self) -> usize {
        (self.0 & ((1 << OWNER_BITS) - 1)) as usize
    }

    /// The next epoch of the member at this place; `None` when they are used up, or there can be no such member.
    ///
    /// ```
    /// use quorate_election::Epoch;
    /// assert_eq!(Epoch::from_token(3).next_for(4), Some(Epoch::from_token(4)));
    /// assert_eq!(Epoch::from_token(3).next_for(3), Some(Epoch::from_token(35)));
    /// assert_eq!(Epoch::from_token(u64::MAX).next_for(3), None);
    /// assert_eq!(Epoch::ZERO.next_for(32), None);
    /// ```
    #[must_use]
    pub const fn next_for(self, owner: usize) -> Option<Self> {
        if owner >= 1 << OWNER_BITS || self.0 >= EPOCH_LIMIT {
            return None;
        }
        let round = self.0 >> OWNER_BITS;
        let round = if owner > self.owner() { round } else { round.saturating_add(1) };
        let next = (round << OWNER_BITS) | owner as u64;
        if next < EPOCH_LIMIT { Some(Self(next)) } else { None }
    }

    /// What a node measures others' epochs against that has forgotten its own, or never had one: it admits all below the limit.
    pub(crate) const UNKNOWN: Self = Self(EPOCH_LIMIT);

    /// Whether an honest node could say so, as seen by one that knows `self`.
    pub(crate) const fn admits(self, other: Self) -> bool {
        other.0 < EPOCH_LIMIT && other.0.saturating_sub(self.0) <= MAX_JUMP
    }
}

impl<'a> Wire<'a> for Epoch {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?))
    }
}

impl Field<'_> for Epoch {
    const FORM: Form = Form::named("epoch");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }

    fn value(&self) -> FieldValue<'_> {
        FieldValue::Number(self.0)
    }

    fn generate(source: &mut Source<'_>) -> Self {
        Self(source.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_at_the_limit_is_not_admitted() {
        assert!(
            Epoch::UNKNOWN.admits(Epoch(EPOCH_LIMIT - 1))
                && !Epoch::UNKNOWN.admits(Epoch(EPOCH_LIMIT))
        );
        assert!(Epoch(7).admits(Epoch(MAX_JUMP + 7)) && !Epoch(7).admits(Epoch(MAX_JUMP + 8)));
        assert!(Epoch(7).admits(Epoch::ZERO));
    }
}
