/// Names a record that a machine asked to be made durable.
///
/// Tickets of one machine grow by one from 1; returning one through [`Machine::persisted`](crate::Machine::persisted)
/// acknowledges it and every earlier one.
///
/// ```
/// use quorate_core::Ticket;
/// let first = Ticket::default().next();
/// assert_eq!(first, Ticket::new(1));
/// assert!(first < first.next());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket with this number; 0 stands for "nothing yet".
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
