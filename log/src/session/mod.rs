//! Client sessions: a command is applied once, however often it is proposed (Raft thesis, 6.3).
//!
//! A client that receives no response, because the leader failed or a message was lost, must send
//! its command again, and then the log may hold it twice. Sessions are a layer between the log and
//! the application: the second copy changes nothing and gets the response of the first. The
//! protocol knows nothing of them, and a program that does not use them does not carry them.
//!
//! * A client registers; the index of the entry that does so is its session's id:
//!   [`Request::Register`].
//! * It numbers its commands, and states with each the lowest number whose response it still waits
//!   for: [`Request::Command`]. [`Client`] counts for it.
//! * The leader stamps each request with the cluster's time ([`ClusterClock`], [`Call`]) and
//!   proposes it.
//! * Each node hands every committed call to its [`Sessions`], which applies the command, or
//!   returns the response that was stored when it was applied.
//! * The table is a part of the application's state: [`encode`](Sessions::encode) and
//!   [`restore`](Sessions::restore) put it into snapshots.
//!
//! ```
//! use quorate_core::Wire;
//! use quorate_log::session::{Call, Client, Config, Inline, Request, Response, Sessions};
//!
//! // room for 4 sessions with 2 commands in flight each, and responses of 8 bytes
//! let config = Config { max_sessions: 4, window: 2, max_response_bytes: 8, ..Config::default() };
//! let mut sessions = Sessions::<Inline<4, 2, 8>>::new(config)?;
//! let mut counter = 0_u64;
//! let mut buffer = [0; 64];
//!
//! // the entry at index 2 registers a client …
//! let request = Request::Register { token: 77 };
//! let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
//! let Ok(Response::Registered(id)) = sessions.apply(2, call, |_| []) else { panic!() };
//! let mut client = Client::new(id, 2);
//!
//! // … whose command is in the log twice, at 3 and 4, because it was sent to two leaders
//! let serial = client.begin().ok_or("too many commands in flight")?;
//! let request = client.request(serial, b"increment");
//! let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
//! let mut increment = |command: &[u8]| {
//!     assert_eq!(command, b"increment");
//!     counter += 1;
//!     counter.to_le_bytes()
//! };
//! let one = 1_u64.to_le_bytes();
//! assert_eq!(sessions.apply(3, call, &mut increment), Ok(Response::Applied(&one)));
//! assert_eq!(sessions.apply(4, call, &mut increment), Ok(Response::Duplicate(&one)));
//! assert_eq!(counter, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With real messages that get lost and leaders that change: `examples/sessions`.
//!
//! # What is guaranteed
//!
//! * A command (a session and a serial number) is applied at most once, in whatever order, however
//!   often and through whichever leader it arrives; and exactly once if the client retries it until
//!   it receives a response and its session is still alive then.
//! * Every node decides alike: by the log's order, the configuration and the time in the entries,
//!   never by a local clock. So the configuration must be the same on every node;
//!   [`restore`](Sessions::restore) refuses a snapshot that was made with another one.
//! * A client whose session expired gets [`SessionError::Expired`], and nothing that it requests in
//!   that session is applied from then on. A command that it had sent before without receiving a
//!   response may have been applied or not: that is the price of bounded memory, in the thesis as
//!   here.
//! * Memory is bounded: [`Config`] limits the sessions, the responses stored for each, and the
//!   length of a response.
//!
//! **Not** there: changing the configuration of a running cluster; reads, which need no session:
//! the protocol serves them without a log entry.

mod client;
mod clock;
mod config;
mod error;
mod request;
mod response;
mod sessions;
mod snapshot;
mod storage;
#[allow(unnameable_types, unreachable_pub)] // the sealed parts of `Storage`
mod table;

pub use client::Client;
pub use clock::ClusterClock;
pub use config::{Config, ConfigError, WhenFull};
pub use error::{RestoreError, SessionError};
pub use request::{Call, Request, SessionId};
pub use response::Response;
pub use sessions::Sessions;
pub use snapshot::VERSION;
pub use storage::{Inline, Storage};

#[cfg(feature = "alloc")]
pub use crate::Heap;
