//! Multi-Paxos: a log that several nodes keep alike (Lamport, "The Part-Time Parliament", 1998, section 3; van Renesse and Altinbuken,
//! "Paxos Made Moderately Complex", 2015).

mod acceptor;
mod candidate;
mod catch_up;
mod config;
mod disk;
mod election;
mod entry;
mod error;
mod event;
mod leader;
mod limits;
mod message;
mod node;
mod output;
mod peer;
mod proposals;
mod questions;
mod reads;
mod record;
mod replicated;
mod runs;
mod slots;
mod storage;
mod work;

/// A place in the log, from 1; 0 before the first.
pub type Slot = quorate_log::Index;

/// Slots and numbers at or beyond this are refused: no honest node comes near, and one hostile message must not use them up.
pub(crate) const LIMIT: u64 = 1 << 62;

pub use config::Config;
pub use entry::{Entries, Entry, EntryKind, Header, Iter};
pub use error::{ProposeError, SnapshotError};
pub use event::{Event, Role, Status};
pub use limits::{max_message_len, max_record_len};
pub use message::Message;
pub use node::MultiPaxos;
pub use record::Record;
pub use runs::Ballots;
pub use storage::{Inline, Storage};
