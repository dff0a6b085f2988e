//! Registers that every node may read and change: a replicated state machine for each key, without a log and without a leader (Rystsov,
//! "CASPaxos: Replicated State Machines without logs", 2018).
//!
//! [`Register`] is proposer and acceptor in one node, for many keys. A [`Change`] has a number: read, set, compare and set, delete, and from
//! number 16 the application's own ([`Changes`]). It never travels: the proposer applies it to the state that a quorum tells, and sends
//! the new state.
//!
//! # What it promises
//!
//! * **Each key is linearizable**: reads and changes take effect at one instant each, between their call and their answer. A read is an identity
//!   change, one whole round; so is a compare-and-set that is refused. There is no order between keys.
//! * **A change is applied once at most.** Where its outcome cannot be known the answer is [`Outcome::Unknown`], and never one that says it has
//!   failed. [`Event::Attempted`] tells what a client keeps, to [ask again](Register::retry) after its node has crashed.
//! * **All is answered in the end**, if a quorum of each phase is up and messages arrive. Proposers of the same key that get in each
//!   other's way back off for random times, longer each time. It is quickest when a key has one proposer for some time.
//!
//! Any quorum of phase 1 shares an acceptor with any quorum of phase 2, which the type [`Quorums`](quorate_core::Quorums) makes sure of:
//! majorities, other sizes, weights, grids.
//!
//! # Deletion
//!
//! [`Change::Delete`] leaves a tombstone, which takes the room of a key. [`Register::collect`] forgets it: all acceptors accept the tombstone;
//! every proposer drops what it knows of the key, uses ballots above the tombstone's from then on, and becomes older; acceptors refuse
//! what it has sent before; and then they erase the key, if it is still that tombstone. So no acceptor that has missed the
//! deletion, and no message that is late, can bring a value back (section 3.1). Every node must be up for that, and
//! the membership must be the same at all. Here a proposer itself tells the acceptors its age, in place of the node that collects:
//! messages have no lists, and the order is that of the paper.
//!
//! # Acceptors that enter and leave
//!
//! [`Plan`] drives it, in three [`Step`]s that every node takes: accepts go to both sets, and need a quorum of each; every key is read; prepares go to the
//! next set; and the present set is forgotten (section 2.3). Requests are served all the time. A node that enters is started with
//! the present members and [set up](Register::found) with their version; it proposes once it is one of them. A node that has left must not
//! come back under its id: it may have what the others have forgotten.
//!
//! # When a disk is erased
//!
//! An acceptor that forgets what it promised can lose a value, and nobody would notice. So a node takes part only if it has a record that
//! it was [set up](Register::found): call that once, and never because a disk is empty. Replace such a node by one with another id. An older
//! copy of a disk is **not** noticed.
//!
//! # Messages
//!
//! | n nodes | messages | forced writes | round trips |
//! |---|---|---|---|
//! | the first change of a key at a node | 4(n - 1): 8 for n = 3 | 2 at each node | 2 |
//! | the next ones, while no other node changes that key | 2(n - 1): 4 for n = 3 | 1 at each node | 1 |
//! | a read of a key that nobody has changed | 2(n - 1) | 1 at each node | 1 |
//!
//! Tests count them. With each accept goes the proposer's next ballot for the key, which acceptors promise at once (section 2.2.1). The writes of a
//! node itself and of the others are at the same time; a node sets 16 rounds aside with one more record. In answer to a
//! message a node sends one. Besides that it sends each other node, for each open request, at most two in `backoff_us` and one in `retry_us`,
//! and three in `retry_us` while a key is collected.
//!
//! # What is **not** there
//!
//! Changes of several keys at once; leases, or reads without a round; a request that gives up by itself ([`Register::cancel`] does it); keys
//! that are collected without being asked for.

mod cell;
mod change;
mod collect;
mod config;
mod event;
pub(crate) mod limits;
mod membership;
mod message;
mod node;
mod record;
mod rounds;
mod slot;
mod storage;

pub use change::{Change, Changes, Effect, FIRST_OTHER, NoChanges};
pub use config::Config;
pub use event::{Attempt, CollectError, Event, Outcome, Request, Stage, Status, SubmitError};
pub use limits::{max_message_len, max_record_len};
pub use membership::{Plan, Step, StepError};
pub use message::{Message, State};
pub use node::{Cancelled, Register};
pub use record::{Record, Sizes};
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};
