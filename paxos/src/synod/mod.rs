//! One decision: the nodes choose one value, for ever (the synod of Lamport, "The Part-Time Parliament", 1998, section 2; "Paxos Made
//! Simple", 2001, section 2).
//!
//! | machine | role |
//! |---|---|
//! | [`Synod`] | all three in one node: what most need |
//! | [`Proposer`] | proposes values in ballots of its own, and learns |
//! | [`Acceptor`] | promises, and votes |
//! | [`Learner`] | learns what was chosen |
//!
//! Where roles are apart, the list of members says which node has which: [`Member::with_roles`](crate::Member::with_roles).
//!
//! # What it promises
//!
//! * **One value is chosen at most**, and it was proposed: whatever is lost, late or repeated, and whoever crashes and comes back with its
//!   disk. Any quorum of phase 1 shares an acceptor with any quorum of phase 2, which the type [`Quorums`](quorate_core::Quorums) makes sure
//!   of; quorums of the same phase need not meet (Howard, Malkhi and Spiegelman, "Flexible Paxos", 2016).
//! * **One is chosen in the end**, if a quorum of each phase and a proposer of the value stay up and messages arrive: proposers that preempt
//!   each other back off for random times, longer each time.
//! * **What was begun is finished**, and nobody has to call anything for it: by each node that proposes and takes part, if a quorum of each phase is up,
//!   and if a value was chosen or the node itself has voted for one.
//! * **All that take part learn it in the end**, of themselves, if one that is up knows or finishes it. A [`Synod`] takes part that has promised or voted,
//!   in this life or an earlier one, or has heard a vote; a [`Proposer`] that has used a ballot, or set some aside in an earlier life; a [`Learner`] that
//!   has heard a vote since it started. Others ask when the application says so. Who asks in vain does so less and less often: where links were broken for
//!   long, it takes twice as long again at most, and 256 [`learn_us`](Config::learn_us) at most, until a node asks four times more and finishes.
//! * With [`Learning::Proposer`] only the proposer learns, and nobody asks or finishes of itself.
//!
//! # When a disk is erased
//!
//! An acceptor that forgets what it promised can make the others choose a second value, and nobody would notice. So a node takes part only
//! if it has a record that it was [founded](Synod::found): call that once, when the node is set up, and never because a disk is empty. A node
//! without the record learns, and does nothing else; `Status::founded` says so. It must not vote again under its id. Setting a node up is over
//! when that record is durable: before, it has done nothing that it could forget, and `found` is called again. An older copy of a disk is
//! **not** noticed.
//!
//! # Messages
//!
//! | | messages | forced writes |
//! |---|---|---|
//! | one proposer that learns, n acceptors on other nodes | 4n: 12 for n = 3 | 2 for each acceptor; one of the proposer for 16 ballots |
//! | all roles in each of n nodes, only the proposer learns | 4(n - 1): 8 for n = 3 | 2 for each node |
//! | and the proposer tells the others | 5(n - 1): 10 for n = 3 | the same |
//!
//! Tests count them. Four message delays and three writes, one after the other, are between a proposal and its outcome: the proposer's own
//! promise (or its record of rounds), the promises of the others, and the votes. In answer to a message a node sends one; besides that it sends
//! each other node at most two in `backoff_us` (a prepare and an accept of each ballot), one in `retry_us`, one in `learn_us`, each vote where
//! learning is direct, and once what was chosen.

mod acceptor;
pub(crate) mod all_roles;
pub(crate) mod base;
mod config;
mod event;
mod learner;
pub(crate) mod limits;
mod message;
mod node;
mod proposer;
mod record;

pub use acceptor::Acceptor;
pub use config::{Config, Learning};
pub use event::{Event, Phase, Status};
pub use learner::Learner;
pub use limits::{max_message_len, max_record_len};
pub use message::{Message, Vote};
pub use node::Synod;
pub use proposer::Proposer;
pub use record::Record;
