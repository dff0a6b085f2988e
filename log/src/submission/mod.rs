//! The commands of a node that are on their way into a replicated log.
//!
//! A command may be refused, lost with a leader, or committed without the node that waits for it hearing so. [`Submissions`] keeps
//! those that are undecided, in a bounded queue; says which are to be submitted, and submitted again, when the leader changes or
//! a message is lost; and tells the outcome of each exactly once.
//!
//! # At most once, or exactly once
//!
//! With [`Config::once`], a command is submitted again only while it is certainly not in the log. Its outcome may be
//! [`Unknown`](Outcome::Unknown), and the state machine needs nothing. An entry is recognized by its place:
//! [`Submissions::applied_at`].
//!
//! With [`Config::again`], a command is submitted until it is applied, and so may be in the log more than once. The state machine
//! must apply it once: every command carries the node, a number that is new with each start of the node, such as a count of its
//! starts, and the [number](Due::number) it has here; and the replicated state remembers, for each node, which numbers it
//! applied above the [floor](Due::floor). Then an entry is recognized by what it carries: [`Submissions::applied`].
//! [Sessions](crate::session) do the same for clients outside the cluster.
//!
//! # The loop
//!
//! ```
//! use quorate_core::{Full, Instant};
//! use quorate_log::submission::{Config, Due, Inline, Submissions};
//! use quorate_log::{Leadership, Proposal, SubmitError, Submitted};
//! # use quorate_core::NodeId;
//! # let leadership = Leadership { leader: Some(NodeId::new(1)), epoch: 3 }; // of the log
//! # let submit = |_: &[u8]| Ok::<_, SubmitError>(Submitted::Proposed(Proposal { epoch: 3, index: 9 }));
//!
//! let mut submissions = Submissions::<u8, Inline<4>>::new(Config::once(1_000_000));
//! let mut now = Instant::ZERO;
//! submissions.submit(now, 21)?; // a client's command
//!
//! // at the end of each turn of the driver's loop: hand over what is due
//! while let Some(Due { number, command, .. }) = submissions.due(now, leadership) {
//!     let result = submit(&[*command]); // `log.submit(…)`
//!     submissions.submitted(now, leadership, number, result);
//! }
//! // for each event: `submissions.event::<L>(now, &event)`; for each entry that is applied:
//! let done = submissions.applied_at(Proposal { epoch: 3, index: 9 });
//! assert_eq!(done, Some((1, 21))); // the client can be answered
//! assert_eq!(submissions.outcome(now), None); // and nobody else
//! # now = now.after(1);
//! # Ok::<(), Full>(())
//! ```

mod config;
mod outcome;
mod pending;
mod queue;
mod submissions;

pub use config::Config;
pub use outcome::Outcome;
pub use queue::{Inline, Storage};
pub use submissions::{Due, Submissions};

#[cfg(feature = "alloc")]
pub use crate::Heap;
