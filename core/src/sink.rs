use crate::{Machine, NodeId, Ticket};

/// Where the outputs of a [`Machine`] go, for [`Machine::drain`]: one method for each kind of [`Output`](crate::Output).
///
/// ```
/// use std::convert::Infallible;
///
/// use quorate_core::{Machine, NodeId, Sink, Ticket, Wire};
///
/// /// A disk and a network that are lists.
/// #[derive(Default)]
/// struct Lists {
///     disk: Vec<Vec<u8>>,
///     sent: Vec<(NodeId, Vec<u8>)>,
///     last: Option<Ticket>,
/// }
///
/// impl<M: Machine> Sink<M> for Lists {
///     type Error = Infallible;
///
///     fn persist(&mut self, ticket: Ticket, record: M::Record<'_>) -> Result<(), Infallible> {
///         self.disk.push(bytes(&record));
///         self.last = Some(ticket);
///         Ok(())
///     }
///
///     fn send(&mut self, to: NodeId, message: M::Message<'_>) -> Result<(), Infallible> {
///         self.sent.push((to, bytes(&message)));
///         Ok(())
///     }
///
///     fn event(&mut self, event: M::Event<'_>) -> Result<(), Infallible> {
///         println!("{event:?}");
///         Ok(())
///     }
/// }
///
/// /// All that a machine asks for; the records are durable at once, so what depends on them follows in the same turn.
/// fn turn<M: Machine>(machine: &mut M, lists: &mut Lists) -> Result<(), Infallible> {
///     loop {
///         machine.drain(lists)?;
///         match lists.last.take() {
///             Some(ticket) => machine.persisted(ticket),
///             None => return Ok(()),
///         }
///     }
/// }
/// # fn bytes<'a>(value: &impl Wire<'a>) -> Vec<u8> {
/// #     let mut bytes = vec![0; value.encoded_len()];
/// #     let _ = value.to_slice(&mut bytes);
/// #     bytes
/// # }
/// ```
pub trait Sink<M: Machine + ?Sized> {
    /// Why no more outputs are taken; [`Infallible`](core::convert::Infallible) where that does not happen. A sink may take an
    /// output and then return an error, to be asked for the rest later: for the machine, the output was handed over.
    type Error;

    /// Appends the record to the disk. The ticket is returned through [`Machine::persisted`] when the record is durable.
    ///
    /// # Errors
    ///
    /// Ends [`Machine::drain`]. A sink that did not take the record has lost it: the machine must not be used any more.
    fn persist(&mut self, ticket: Ticket, record: M::Record<'_>) -> Result<(), Self::Error>;

    /// Sends the message, once, to the node. It may get lost: every protocol lives with that.
    ///
    /// # Errors
    ///
    /// Ends [`Machine::drain`]. A message that was not taken is lost, as messages may be.
    fn send(&mut self, to: NodeId, message: M::Message<'_>) -> Result<(), Self::Error>;

    /// Tells the application.
    ///
    /// # Errors
    ///
    /// Ends [`Machine::drain`]. An application that did not take the event has lost it, and its state must not be used any more.
    fn event(&mut self, event: M::Event<'_>) -> Result<(), Self::Error>;
}
