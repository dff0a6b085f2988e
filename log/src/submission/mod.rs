//! The commands of a node that are on their way into a replicated log.
//!
//! A command may be refused, lost with a leader, or committed without the node that waits for it
//! learning of it. [`Submissions`] keeps undecided commands in a bounded queue. It says which to
//! submit, and which to submit again after the leader changed or a message was lost. Each command
//! ends exactly once: [`applied`](Submissions::applied) or [`applied_at`](Submissions::applied_at)
//! returns it, or [`outcome`](Submissions::outcome) does.
//!
//! The crate's README.md has tables of which of these, or of [sessions](crate::session), an
//! application needs, and what to do on each error and outcome. The README.md of `quorate-raft` has
//! a whole application on three nodes.
//!
//! # At most once, or exactly once
//!
//! With [`Config::at_most_once`], a command is submitted again only while it is certainly not in
//! the log. Its outcome may be [`Unknown`](Outcome::Unknown), and the state machine needs nothing.
//! An entry is recognized by its place, so the log must tell the epoch of each, as Raft does: call
//! [`Submissions::applied_at`] for each entry, the protocol's own as well. With Raft that is
//! `applied_at(Proposal { epoch: entry.term, index: entry.index })` for each `entry` of
//! `entries.iter()`; the README.md of `quorate-raft` has the loop. Commands whose entries a snapshot
//! took the place of end as [`Unknown`](Outcome::Unknown).
//!
//! With [`Config::exactly_once`], a command is submitted until it is applied, and so may be in the
//! log more than once. The state machine must apply it once, and an entry is recognized by what it
//! carries. So put into every command:
//!
//! * the id of the node, and a count of its starts, which the node keeps on its disk: numbers begin
//!   anew with each start;
//! * the command's [number](Due::number) and the [floor](Due::floor), up to which every number is
//!   decided.
//!
//! The replicated state, and so every snapshot, has for each node its latest start and the numbers
//! that were applied above the largest floor. A command of an earlier start, at or below that
//! floor, or with one of these numbers is skipped: it is a copy, or was given up. When a command of
//! this node and this start comes by, call [`Submissions::applied`] whether it was skipped or not.
//! A snapshot may take the place of entries: after one is installed, call it for each pending
//! number that the new state has. [Sessions](crate::session) do the same for clients outside the
//! cluster.
//!
//! ```
//! # use std::collections::BTreeSet;
//! use quorate_core::Instant;
//! use quorate_log::submission::{Config, Inline, Submissions};
//!
//! let mut submissions = Submissions::<&str, Inline<4>>::new(Config::exactly_once(5_000_000));
//! for command in ["set x 1", "set x 2", "set x 3"] {
//!     submissions.submit(Instant::ZERO, command)?;
//! }
//! // a snapshot was installed: what its state has of this node's present start
//! let above = BTreeSet::from([1, 3]);
//! for number in submissions.floor() + 1..=submissions.last_number() {
//!     if above.contains(&number)
//!         && let Some(command) = submissions.applied(number)
//!     {
//!         assert!(command != "set x 2"); // its client is told
//!     }
//! }
//! assert!(submissions.iter().eq([(2, &"set x 2")])); // is submitted again
//! # Ok::<(), quorate_core::Full>(())
//! ```
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
//! let mut submissions = Submissions::<u8, Inline<4>>::new(Config::at_most_once(1_000_000));
//! let mut now = Instant::ZERO;
//! submissions.submit(now, 21)?; // a client's command
//!
//! // at the end of each turn of the driver's loop: hand over what is due
//! while let Some(Due { number, command, .. }) = submissions.due(now, leadership) {
//!     let result = submit(&[*command]); // `log.submit(…)`
//!     submissions.submitted(now, leadership, number, result);
//! }
//! // for each event: first `submissions.event::<L>(now, &event)`; then, for each entry that is applied:
//! let done = submissions.applied_at(Proposal { epoch: 3, index: 9 });
//! assert_eq!(done, Some((1, 21))); // the client can be answered
//! // then, until there is none: `Some((number, command, outcome))` is a command that is not waited for any longer
//! assert_eq!(submissions.outcome(now), None);
//! // sleep until the earlier deadline: the log's, or `submissions.deadline()`
//! # now = now.after(1);
//! # Ok::<(), Full>(())
//! ```

mod completion;
mod config;
mod due;
mod notices;
mod outcome;
mod pending;
mod queue;
mod submissions;

pub use config::Config;
pub use due::Due;
pub use outcome::Outcome;
pub use queue::{Inline, Storage};
pub use submissions::Submissions;

#[cfg(feature = "alloc")]
pub use crate::Heap;
