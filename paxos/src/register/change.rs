use quorate_core::List;

use crate::Ballot;

/// What is to happen to a register. It never travels: the proposer applies it, and sends the new state (Rystsov, "CASPaxos", 2018,
/// section 2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Change<'a> {
    /// Number 0: nothing. The identity change, which is a read.
    Read,
    /// Number 1: this is the value.
    Set {
        /// The value.
        value: &'a [u8],
    },
    /// Number 2: this is the value, if the present version is the expected one.
    CompareAndSet {
        /// The version that is expected; [`Ballot::ZERO`] if there is to be no value.
        version: Ballot,
        /// The value.
        value: &'a [u8],
    },
    /// Number 3: there is no value.
    Delete,
    /// A number from 16: the application's own, as its [`Changes`] say.
    Other {
        /// Which.
        number: u16,
        /// What it is to do it with: as many bytes as a value at most.
        argument: &'a [u8],
    },
}

/// The first number that is the application's own.
pub const FIRST_OTHER: u16 = 16;

impl<'a> Change<'a> {
    /// Its number.
    ///
    /// ```
    /// use quorate_paxos::register::Change;
    /// assert_eq!(Change::Read.number(), 0);
    /// assert_eq!(Change::Other { number: 16, argument: b"" }.number(), 16);
    /// ```
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Read => 0,
            Self::Set { .. } => 1,
            Self::CompareAndSet { .. } => 2,
            Self::Delete => 3,
            Self::Other { number, .. } => *number,
        }
    }

    pub(crate) const fn argument(&self) -> &'a [u8] {
        match self {
            Self::Read | Self::Delete => &[],
            Self::Set { value } | Self::CompareAndSet { value, .. } => value,
            Self::Other { argument, .. } => argument,
        }
    }
}

/// The changes of an application, from number 16.
///
/// ```
/// use quorate_core::List;
/// use quorate_paxos::register::{Changes, Effect};
///
/// /// Number 16 adds its argument, one byte, to a counter of one byte.
/// #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
/// struct Counter;
///
/// impl Changes for Counter {
///     fn apply<V: List<u8>>(&self, number: u16, argument: &[u8], present: Option<&[u8]>, out: &mut V) -> Effect {
///         let [step] = argument else { return Effect::Refuse };
///         let count = present.and_then(|bytes| bytes.first()).copied().unwrap_or(0);
///         match (number, count.checked_add(*step)) {
///             (16, Some(count)) if out.push(count).is_ok() => Effect::Set,
///             _ => Effect::Refuse,
///         }
///     }
/// }
/// let mut out = Vec::new();
/// # let mut list = quorate_core::InlineList::<u8, 4>::default();
/// assert_eq!(Counter.apply(16, &[2], Some(&[40]), &mut list), Effect::Set);
/// out.extend_from_slice(&list);
/// assert_eq!(out, [42]);
/// ```
pub trait Changes {
    /// What the change makes of the present value. `out` is empty, and takes as many bytes as a value has at most. It may be called again, with
    /// another value, when another change came first; the same arguments must give the same result.
    fn apply<V: List<u8>>(
        &self,
        number: u16,
        argument: &[u8],
        present: Option<&[u8]>,
        out: &mut V,
    ) -> Effect;
}

/// What a change does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Effect {
    /// The value is what was written to `out`.
    Set,
    /// There is no value any more.
    Delete,
    /// Nothing: the answer is [`Outcome::Refused`](super::Outcome::Refused).
    Refuse,
}

/// No changes of an application's own: each is refused.
///
/// ```
/// use quorate_core::InlineList;
/// use quorate_paxos::register::{Changes, Effect, NoChanges};
/// let mut out = InlineList::<u8, 4>::default();
/// assert_eq!(NoChanges.apply(16, b"", None, &mut out), Effect::Refuse);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct NoChanges;

impl Changes for NoChanges {
    fn apply<V: List<u8>>(&self, _: u16, _: &[u8], _: Option<&[u8]>, _: &mut V) -> Effect {
        Effect::Refuse
    }
}
