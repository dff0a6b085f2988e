//! The transport: one TCP connection to each peer for sending, and one from each for receiving.
//!
//! * Frames are checked and limited in size on both sides; what is no frame closes the connection, and is counted.
//! * A connection begins with a hello each way ([`frame::Hello`](crate::frame::Hello)); another protocol version, another cluster, a
//!   node that looks for another, or that is no peer and does not say where it is reached, is refused with a reason that the other side
//!   logs. One of our cluster that does say so becomes a peer: the machine knows what it may do.
//! * Queues are bounded, by frames and by bytes. What finds its link down or its queue full is dropped and counted: protocols
//!   live with that, and what waited through an outage is stale.
//! * The buffer of an incoming connection grows with what arrived, not with what was announced, and all of them together are
//!   bounded; so are the connections that have not said hello, of which the oldest makes room for one more.
//! * One incoming connection of a peer counts. One that was heard within the last two seconds is
//!   not replaced by another process that says the peer's name; nodes that accept it
//!   ([`Capabilities`](crate::frame::Capabilities)) are sent an empty frame twice a second, so that
//!   an idle link is one that is heard.
//! * Lines that others can cause are logged a few times a minute, with the number of those that were not; all are counted.
//! * A link that falls is made again, first at once, then with growing pauses with jitter; a peer that connects to us is
//!   connected to without a pause.
//! * What a turn of the loop queued goes out in one write.
//!
//! **Not** here: encryption and proof of identity. A hello is believed while its node is not connected, so the peers' network must
//! be a trusted one, or a tunnel.

mod active_connection;
mod budget;
mod frame_reader;
mod handshakes;
mod inbox;
mod incoming;
mod link;
mod links;
mod options;
mod outbox;
mod outgoing;

pub use options::TcpOptions;
pub use outbox::Outbox;

pub(crate) use inbox::Inbox;
pub(crate) use incoming::Incoming;
pub(crate) use link::Link;
pub(crate) use links::Links;
