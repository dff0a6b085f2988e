//! Multi-Paxos: a log that several nodes keep alike (Lamport, "The Part-Time Parliament", 1998, section 3, and "Paxos Made Simple", 2001,
//! section 3; van Renesse and Altinbuken, "Paxos Made Moderately Complex", 2015).
//!
//! Each place in the log, a slot, is a decision of its own. A [leader](MultiPaxos) goes through phase 1 once, for all slots that are not
//! decided, and then needs phase 2 alone: a message to each other node and one back for as many commands as are proposed together.
//!
//! | noun | what it is |
//! |---|---|
//! | [`MultiPaxos`] | a node; also a [`ReplicatedLog`](quorate_log::ReplicatedLog), for applications that know no protocol |
//! | [`Entry`], [`Entries`] | what is in a slot, and a run of slots |
//! | [`Ballots`] | in which ballots a node has voted for which slots |
//! | [`Message`], [`Record`], [`Event`] | what nodes say, keep on disk, and tell the application |
//! | [`Configuration`] | who keeps the log, from one slot to another |
//! | [`Config`], [`Storage`] | times and limits; where the memory is |
//!
//! **Who leads.** Nodes tell each other whom they hear. A node stands only if it reaches a quorum in both directions and nobody that it
//! reaches has a leader (Ng, Haridi and Carbone, "Omni-Paxos", 2023, section 5). So there is a leader wherever some node reaches a quorum, whatever the other links
//! are, within four of [`Config::election_us`]; and a node that cannot hear a good leader does not disturb it.
//!
//! **Quorums** may be any of [`Quorums`](quorate_core::Quorums): every quorum of phase 1 shares a node with every quorum of phase 2 (Howard,
//! Malkhi and Spiegelman, "Flexible Paxos", 2016). With sizes 4 and 2 of 5, a command is chosen on two disks, and four nodes must be there
//! for another to lead.
//!
//! **A slot may be decided before an earlier one**, where messages get lost; commands are applied in order. A slot that nobody has voted for
//! gets a no-op, and only by a leader whose phase 1 covered it.
//!
//! **Reads** take no entry of the log, and no clock: see [`MultiPaxos::read`].
//!
//! **Members change** by a stop-sign, an entry that ends a configuration and says what the next one is: see
//! [`MultiPaxos::reconfigure`]. What was voted for in later slots counts for nothing, and the members of the next configuration decide
//! them.
//!
//! Commands are not forwarded to the leader, and there are no leases: these are not there yet.
//!
//! ```
//! use quorate_core::{Instant, Machine, NodeId, Output, Quorums, Wire};
//! use quorate_paxos::Member;
//! use quorate_paxos::multi::{Config, Event, Inline, MultiPaxos};
//!
//! let id = NodeId::new(1);
//! let members = [Member::new(id)]; // a cluster of one
//! let quorums = Quorums::majority(1);
//! let mut node =
//!     MultiPaxos::<Inline<1, 1024, 16, 64>>::new(id, members, quorums, Config::lan(), 1)?;
//! node.found(); // at its first start, and never again
//! node.tick(Instant::ZERO);
//! let (mut disk, mut applied, mut wants) = (0, Vec::new(), true);
//! loop {
//!     let mut last = None;
//!     while let Some(output) = node.poll() {
//!         match output {
//!             Output::Persist(ticket, record) => {
//!                 disk += record.encoded_len(); // your disk
//!                 last = Some(ticket);
//!             }
//!             Output::Send(to, message) => println!("to {to}: {message:?}"), // your network
//!             Output::Event(Event::Committed(entries)) => {
//!                 applied.extend(entries.commands().map(|entry| entry.data.to_vec()));
//!             }
//!             Output::Event(_) => {}
//!         }
//!     }
//!     if let Some(ticket) = last {
//!         node.persisted(ticket); // after one sync for all of them
//!     } else if core::mem::take(&mut wants) {
//!         node.propose(b"blue")?;
//!     } else {
//!         break;
//!     }
//! }
//! assert_eq!(applied, [b"blue"]);
//! # assert!(disk > 0);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod acceptor;
mod candidate;
mod catch_up;
mod config;
mod configuration;
mod disk;
mod election;
mod entry;
mod error;
mod event;
mod handover;
mod kept;
mod leader;
mod limits;
mod message;
mod node;
mod output;
mod peer;
mod progress;
mod proposals;
mod questions;
mod reads;
mod reconfiguration;
mod record;
mod replicated;
mod runs;
mod slots;
mod storage;
mod transfer;
mod work;

/// A place in the log, from 1; 0 before the first.
pub type Slot = quorate_log::Index;

/// Slots and numbers at or beyond this are refused: no honest node comes near, and one hostile message must not use them up.
pub(crate) const LIMIT: u64 = 1 << 62;

/// The next number. It does not overflow: numbers from peers and disks are checked against [`LIMIT`]. Saturating would take more code.
#[inline(always)]
const fn succ(number: u64) -> u64 {
    number.wrapping_add(1)
}

pub use config::Config;
pub use configuration::{Configuration, Members};
pub use entry::{Entries, Entry, EntryKind, Header, Iter};
pub use error::{ProposeError, ReconfigureError, SnapshotError, TransferError};
pub use event::{Event, Role, Status};
pub use limits::{max_message_len, max_record_len};
pub use message::Message;
pub use node::MultiPaxos;
pub use progress::Progress;
pub use record::Record;
pub use runs::Ballots;
pub use storage::{Fixed, Inline, Storage};
