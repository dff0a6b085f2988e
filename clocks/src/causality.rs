use core::cmp::Ordering;

/// How two histories relate (Fidge 1988, Mattern 1989).
///
/// ```
/// use quorate_clocks::Causality;
/// use std::cmp::Ordering;
/// assert_eq!(Causality::from(Some(Ordering::Less)), Causality::Before);
/// assert_eq!(Causality::from(None), Causality::Concurrent);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Causality {
    /// The first is part of the second, and the second has more.
    Before,
    /// Both are the same.
    Equal,
    /// The second is part of the first, and the first has more.
    After,
    /// Each has something that the other has not.
    Concurrent,
}

impl Causality {
    /// From whether the first has something the second has not, and the other way round.
    pub(crate) const fn of(first_has_more: bool, second_has_more: bool) -> Self {
        match (first_has_more, second_has_more) {
            (false, false) => Self::Equal,
            (false, true) => Self::Before,
            (true, false) => Self::After,
            (true, true) => Self::Concurrent,
        }
    }

    /// As `PartialOrd` tells it: `None` for [`Concurrent`](Self::Concurrent).
    ///
    /// ```
    /// # use quorate_clocks::Causality;
    /// assert_eq!(Causality::After.ordering(), Some(std::cmp::Ordering::Greater));
    /// assert_eq!(Causality::Concurrent.ordering(), None);
    /// ```
    #[must_use]
    pub const fn ordering(self) -> Option<Ordering> {
        match self {
            Self::Before => Some(Ordering::Less),
            Self::Equal => Some(Ordering::Equal),
            Self::After => Some(Ordering::Greater),
            Self::Concurrent => None,
        }
    }

    /// The relation seen from the other side.
    ///
    /// ```
    /// # use quorate_clocks::Causality;
    /// assert_eq!(Causality::After.reverse(), Causality::Before);
    /// assert_eq!(Causality::Concurrent.reverse(), Causality::Concurrent);
    /// ```
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            same => same,
        }
    }
}

impl From<Option<Ordering>> for Causality {
    fn from(ordering: Option<Ordering>) -> Self {
        match ordering {
            Some(Ordering::Less) => Self::Before,
            Some(Ordering::Equal) => Self::Equal,
            Some(Ordering::Greater) => Self::After,
            None => Self::Concurrent,
        }
    }
}
