use core::fmt;

use crate::{Corrupt, Fatal, Instant, NodeId, Rejected, Rejections, Sink, Ticket, Wire};

/// A protocol as a state machine without I/O.
///
/// # The contract
///
/// A driver owns one machine, a disk and links to the other nodes, and does four things, in any order and as often as it likes:
///
/// 1. hand in what happened: [`receive`](Self::receive), [`tick`](Self::tick), [`persisted`](Self::persisted);
/// 2. [`poll`](Self::poll) until `None` and do what each [`Output`] says, or let [`drain`](Self::drain) do both;
/// 3. return the last ticket of the batch, once the records are durable, and poll again;
/// 4. sleep until [`deadline`](Self::deadline) or the next input.
///
/// ```
/// use quorate_core::{Instant, Machine, Output};
///
/// fn turn<M: Machine>(machine: &mut M, now: Instant, disk: &mut Vec<u8>, mut send: impl FnMut(u64, Vec<u8>)) {
///     use quorate_core::Wire;
///     machine.tick(now);
///     loop {
///         let mut last = None;
///         while let Some(output) = machine.poll() {
///             match output {
///                 Output::Persist(ticket, record) => {
///                     disk.extend(record.to_vec());
///                     last = Some(ticket);
///                 }
///                 Output::Send(to, message) => send(to.get(), message.to_vec()),
///                 Output::Event(_event) => { /* the application */ }
///             }
///         }
///         match last {
///             Some(ticket) => machine.persisted(ticket), // after one fsync for the whole batch
///             None => break,
///         }
///     }
/// }
/// # #[cfg(not(feature = "alloc"))]
/// # trait ToVec { fn to_vec(&self) -> Vec<u8>; }
/// # #[cfg(not(feature = "alloc"))]
/// # impl<'a, T: quorate_core::Wire<'a>> ToVec for T {
/// #     fn to_vec(&self) -> Vec<u8> { let mut v = vec![0; self.encoded_len()]; let _ = self.to_slice(&mut v); v }
/// # }
/// ```
///
/// What the driver owes:
///
/// * Records are written in the order they are polled, and replayed in that order through [`restore`](Self::restore) after a
///   restart, before any other input. A record may be lost in a crash only as long as its ticket was not returned, and then
///   every later one is lost as well.
/// * Messages may be lost, duplicated, delayed and reordered, but not altered: the driver's frames carry a checksum, and `from`
///   is who really sent it.
/// * [`persisted`](Self::persisted) and a machine's own commands that take no `now` act at the latest instant that the
///   machine was given: tick before them.
/// * `now` does not go back. A machine that is handed an earlier instant keeps the later one. With a message comes an instant that was read
///   after the message was there: one from before a wait or a pause makes the machine take old news for older than it is.
///
/// A node whose disk was erased, or is an older copy, breaks the first of these, and what it
/// promised with it. Each machine says in its documentation what happens then, and who notices.
///
/// What the machine gives: the same inputs give the same outputs, byte for byte; each input does bounded work in bounded
/// memory; no input panics; what depends on a record does not exist before its ticket came back.
pub trait Machine {
    /// What nodes say to each other. Borrows from the machine when sent, from the receive buffer when received.
    type Message<'a>: Wire<'a> + fmt::Debug;
    /// What must be on disk before anything that depends on it leaves.
    type Record<'a>: Wire<'a> + fmt::Debug;
    /// What the application learns.
    type Event<'a>: fmt::Debug;
    /// What a machine looks like from outside, for people and metrics.
    type Status: fmt::Debug + Clone + PartialEq;

    /// Replays one record at boot, in the order they were polled, before any other input.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when the record cannot follow those before it, or comes after the machine was started. After
    /// [`Corrupt::Started`] the state is unchanged. After any other error the machine may have taken a part of the record: drop
    /// the machine, and neither run it nor restore further records into it.
    fn restore(&mut self, record: Self::Record<'_>) -> Result<(), Corrupt>;

    /// Takes a message from a peer.
    ///
    /// # Errors
    ///
    /// [`Rejected`] when the message is refused: it was counted once and changed nothing else, but that time may have
    /// passed as with a [`tick`](Self::tick) at `now`. A message that is not refused is not counted. Stale messages are
    /// not an error.
    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Self::Message<'_>,
    ) -> Result<(), Rejected>;

    /// Lets time pass. Spurious ticks are harmless: once [`poll`](Self::poll) has returned `None`, a tick before the
    /// [`deadline`](Self::deadline) has no output and leaves deadline, status and checkpoint as they are.
    fn tick(&mut self, now: Instant);

    /// Tells that every record up to and including `ticket`'s is durable. A ticket that was already returned is ignored, and
    /// so is one that the machine did not issue: it tells of no record.
    fn persisted(&mut self, ticket: Ticket);

    /// The next thing to do, or `None` until the next input.
    fn poll(&mut self) -> Option<Output<'_, Self>>;

    /// Hands everything that [`poll`](Self::poll) would return to a [`Sink`], until there is nothing to do before the next
    /// input. Machines whose outputs can be made faster in one pass override it.
    ///
    /// # Errors
    ///
    /// The first error of the sink; what the machine has left to do comes with the next call.
    fn drain<K: Sink<Self>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        while let Some(output) = self.poll() {
            match output {
                Output::Persist(ticket, record) => sink.persist(ticket, record)?,
                Output::Send(to, message) => sink.send(to, message)?,
                Output::Event(event) => sink.event(event)?,
            }
        }
        Ok(())
    }

    /// When the machine next wants a [`tick`](Self::tick); `None` if only an input can change anything. A tick at that
    /// instant moves it, so a driver that sleeps until the deadline never spins.
    fn deadline(&self) -> Option<Instant>;

    /// The fewest records that restore the present state, for a driver that compacts its record log: it writes them to a
    /// fresh file, makes that durable, swaps, and returns the last ticket it was given.
    ///
    /// Restored into a new machine, they are accepted and give the same checkpoint again.
    fn checkpoint(&self) -> impl Iterator<Item = Self::Record<'_>>;

    /// A view of the machine, for people and metrics.
    fn status(&self) -> Self::Status;

    /// How many messages were refused since the start, by reason. A refusal changes nothing else.
    fn rejections(&self) -> Rejections;

    /// The longest message that the machine makes, in encoded bytes, for a driver to compare with what
    /// its transport carries; `None` where that is not known.
    fn max_message_len(&self) -> Option<usize> {
        None
    }

    /// The longest record that the machine makes, in encoded bytes, for a driver to compare with what
    /// its log takes; `None` where that is not known.
    fn max_record_len(&self) -> Option<usize> {
        None
    }

    /// Why the machine stopped taking part, if it did. Such a machine sends nothing and must be replaced.
    fn fatal(&self) -> Option<Fatal> {
        None
    }
}

/// What a [`Machine`] asks of its driver.
pub enum Output<'a, M: Machine + ?Sized> {
    /// Append the record to the disk; return the ticket when it is durable.
    Persist(Ticket, M::Record<'a>),
    /// Send the message, once, to the node. It may get lost: every protocol lives with that.
    Send(NodeId, M::Message<'a>),
    /// Tell the application.
    Event(M::Event<'a>),
}

impl<M: Machine + ?Sized> fmt::Debug for Output<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persist(ticket, record) => {
                f.debug_tuple("Persist").field(ticket).field(record).finish()
            }
            Self::Send(to, message) => f.debug_tuple("Send").field(to).field(message).finish(),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
        }
    }
}
