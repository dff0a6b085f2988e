/// Names a record that a machine asked to be made durable.
///
/// A driver takes it from [`Output::Persist`](crate::Output::Persist) and returns it through
/// [`Machine::persisted`](crate::Machine::persisted), which acknowledges this record and every earlier one. Only [`Tickets`]
/// makes tickets, so a driver can neither count them itself nor return one that it was not given.
///
/// The default ticket names no record; it is before all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticket(u64);

/// Issues the tickets of one machine: they grow by one from 1.
///
/// ```
/// use quorate_core::{Ticket, Tickets};
/// let mut tickets = Tickets::default();
/// assert_eq!(tickets.last(), Ticket::default());
/// let (first, second) = (tickets.issue(), tickets.issue());
/// assert!(first < second);
/// assert_eq!((first.get(), tickets.last()), (1, second));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tickets {
    last: Ticket,
}

impl Ticket {
    /// Its number, for logs and traces; 0 for the default ticket.
    ///
    /// ```
    /// use quorate_core::Ticket;
    /// assert_eq!(Ticket::default().get(), 0);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Tickets {
    /// The next ticket.
    ///
    /// ```
    /// use quorate_core::Tickets;
    /// assert_eq!(Tickets::default().issue().get(), 1);
    /// ```
    pub const fn issue(&mut self) -> Ticket {
        self.last = Ticket(self.last.0.saturating_add(1));
        self.last
    }

    /// The ticket that was issued last; the default one before the first.
    ///
    /// ```
    /// use quorate_core::Tickets;
    /// let mut tickets = Tickets::default();
    /// assert_eq!(tickets.issue(), tickets.last());
    /// ```
    #[must_use]
    pub const fn last(&self) -> Ticket {
        self.last
    }
}
