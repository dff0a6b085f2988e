//! Client sessions: commands that are carried out once, however often they are proposed (Raft thesis, 6.3).
//!
//! A client that hears nothing of its command, as the leader died or a message was lost, has to send it again, and then it may be in
//! the log twice. Sessions are a layer between the log and the application that sees to it that the second one changes
//! nothing and is answered as the first was. Raft itself knows nothing of them, and a program that does not use them does not carry them.
//!
//! * A client registers, and its session's id is the index of the entry that did it: [`Request::Register`].
//! * It numbers its commands, and says with each which is the lowest number whose answer it still waits for:
//!   [`Request::Command`]. [`Client`] counts for it.
//! * Who leads puts the cluster's time to what the client asks ([`ClusterClock`], [`Call`]) and proposes that.
//! * Each node hands every committed command to its [`Sessions`], which carries it out, or gives the answer from the first time.
//! * The table is a part of the application's state: [`encode`](Sessions::encode) and [`restore`](Sessions::restore) put it into
//!   snapshots.
//!
//! ```
//! use quorate_core::Wire;
//! use quorate_log::session::{Call, Client, Done, Inline, Limits, Request, Sessions};
//!
//! // room for 4 sessions with 2 commands under way each, and answers of 8 bytes
//! let mut sessions = Sessions::<Inline<4, 2, 8>>::new(Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() })?;
//! let mut counter = 0_u64;
//! let mut buffer = [0; 64];
//!
//! // the entry at index 2 registers a client …
//! let call = Call { time_us: 0, request: Request::Register { token: 77 } }.to_slice(&mut buffer)?;
//! let Ok(Done::Registered(id)) = sessions.apply(2, call, |_| []) else { panic!() };
//! let mut client = Client::new(id, 2);
//!
//! // … whose command is in the log twice, at 3 and 4, since it was sent to two leaders
//! let serial = client.begin().ok_or("too many commands under way")?;
//! let call = Call { time_us: 0, request: client.request(serial, b"increment") }.to_slice(&mut buffer)?;
//! let mut run = |command: &[u8]| {
//!     assert_eq!(command, b"increment");
//!     counter += 1;
//!     counter.to_le_bytes()
//! };
//! assert_eq!(sessions.apply(3, call, &mut run), Ok(Done::Applied(&1_u64.to_le_bytes())));
//! assert_eq!(sessions.apply(4, call, &mut run), Ok(Done::Repeated(&1_u64.to_le_bytes())));
//! assert_eq!(counter, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With real messages that get lost and leaders that change: `examples/sessions`.
//!
//! # What is promised
//!
//! * A command (a session and a serial number) is carried out at most once, in whatever order, however often and through whichever leader it
//!   comes; and once if the client sends it until it is answered and its session lives.
//! * Every node decides alike: by the log's order, the limits and the time in the entries, never by a clock of its own. So the limits must be
//!   the same on every node; [`restore`](Sessions::restore) refuses a snapshot that was made with others.
//! * A client whose session ended is told so, [`Refused::Gone`], and nothing of what it asks is carried out from then on. What it had sent before and
//!   was not answered may have been carried out or not: that is the price of bounded memory, in the thesis as here.
//! * Memory is bounded: [`Limits`] say how many sessions, how many answers in each, and how long an answer is.
//!
//! **Not** there: changing the limits of a running cluster, reads (they need no session: see [`Raft::read`](crate::Raft::read)).

mod client;
mod clock;
mod limits;
mod outcome;
mod request;
mod sessions;
mod snapshot;
mod storage;
#[allow(unnameable_types, unreachable_pub)] // the sealed parts of `Storage`
mod table;

pub use client::Client;
pub use clock::ClusterClock;
pub use limits::{Limits, LimitsError, WhenFull};
pub use outcome::{Done, Refused, RestoreError};
pub use request::{Call, Request, SessionId};
pub use sessions::Sessions;
pub use snapshot::VERSION;
pub use storage::{Inline, Storage};

#[cfg(feature = "alloc")]
pub use crate::Heap;
