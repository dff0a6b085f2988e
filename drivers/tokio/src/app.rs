use quorate_core::{Instant, Machine, NodeId};

pub use crate::priority::Priority;
pub use crate::tcp::Outbox;

/// The application beside a machine: it hands commands in, and learns events.
///
/// Every method runs on the node's own thread, one at a time, so nothing needs a lock; and everything else of the node waits
/// meanwhile, so none may block for long.
///
/// The loop takes what is ready (commands, frames, tickets, time), polls the machine until it is quiet, and then calls
/// [`settle`](Self::settle); what that asks of the machine is polled at once, and settled again.
pub trait App: Send + 'static {
    /// The machine it belongs to.
    type Machine: Machine + Send + 'static;
    /// What [`Handle::send`](crate::Handle::send) hands in, from client connections for instance.
    type Command: Send + 'static;

    /// The priority of a message of the machine; see [`Priority`]. All are bulk by default, so that
    /// nothing is overtaken.
    #[must_use]
    fn priority(message: &<Self::Machine as Machine>::Message<'_>) -> Priority {
        let _ = message;
        Priority::Bulk
    }

    /// A command came in.
    fn command(&mut self, machine: &mut Self::Machine, now: Instant, command: Self::Command);

    /// The machine says something. It cannot be called here: copy out what is needed, and act in [`settle`](Self::settle).
    fn event(&mut self, event: <Self::Machine as Machine>::Event<'_>);

    /// A peer's application sent bytes through its [`Outbox`]. Like messages they may be lost, but are not altered.
    fn frame(&mut self, machine: &mut Self::Machine, now: Instant, from: NodeId, bytes: &[u8]) {
        let _ = (machine, now, from, bytes);
    }

    /// The machine was polled until it was quiet: call its commands, answer clients, send to other nodes. At least once a turn.
    fn settle(&mut self, machine: &mut Self::Machine, now: Instant, outbox: &mut Outbox) {
        let _ = (machine, now, outbox);
    }

    /// Whether [`settle`](Self::settle) left something to do for the next turn, which then comes at once: what takes long is done in
    /// parts, so that messages which must not wait come in between.
    fn has_more(&self) -> bool {
        false
    }

    /// Whether the application has so much left to do of what the machine told it that nothing more is to be taken in but what is
    /// urgent: what peers send waits with them then, instead of here without a bound. What it does meanwhile it does in
    /// [`settle`](Self::settle), and says so by [`has_more`](Self::has_more).
    fn is_backlogged(&self) -> bool {
        false
    }

    /// The disk became full, works again, or failed (then the node stops).
    fn storage(&mut self, health: StorageHealth) {
        let _ = health;
    }

    /// The node stops, by [`Node::stop`](crate::Node::stop) or by an error; nothing else is called after this.
    fn stopping(&mut self) {}
}

/// How the log's disk does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum StorageHealth {
    /// Writes succeed.
    #[default]
    Good,
    /// There is no space left. Nothing is acknowledged until there is; the log tries again by itself.
    Full,
    /// A write or a sync failed. What the system holds in memory can no longer be trusted to be on disk: the node stops.
    Failed,
}
