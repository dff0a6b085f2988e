//! Commands as types of the application: a thin layer over the log, which holds bytes. Feature `serde`.
//!
//! The encoding and the iterator are those of [`quorate_log::typed`], whose page has the details; here are the calls that propose.
//!
//! ```
//! use quorate_core::{Instant, Machine, NodeId, Output};
//! use quorate_raft::{Config, Event, Inline, Raft, typed};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! enum Command<'a> {
//!     Set { name: &'a str, value: i64 },
//!     Remove(&'a str),
//! }
//!
//! let me = NodeId::new(1);
//! let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
//! let mut buffer = [0; 64];
//! let mut seen = String::new();
//! for turn in 0..20 {
//!     raft.tick(Instant::from_millis(50 * turn));
//!     if raft.status().leader == Some(me) && raft.status().last < 2 {
//!         typed::propose(&mut raft, &Command::Set { name: "lamp", value: 21 }, &mut buffer)?;
//!     }
//!     let mut durable = None;
//!     while let Some(output) = raft.poll() {
//!         match output {
//!             Output::Persist(ticket, _) => durable = Some(ticket),
//!             Output::Event(Event::Committed(entries)) => {
//!                 for command in entries.typed::<Command<'_>>() {
//!                     match command {
//!                         Ok(committed) => seen += &format!("{:?}", committed.command),
//!                         // of another version of this program, perhaps: what to do must be the same on all nodes
//!                         Err(unknown) => seen += &unknown.to_string(),
//!                     }
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     if let Some(ticket) = durable {
//!         raft.persisted(ticket);
//!     }
//! }
//! assert_eq!(seen, r#"Set { name: "lamp", value: 21 }"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt;

#[doc(no_inline)]
pub use quorate_log::typed::{Commands, Committed, EncodeError, Undecodable, decode, encode};
use serde::Serialize;

use crate::{ForwardId, Proposal, ProposeError, Raft, Storage};

/// Encodes a command into `buffer` and [proposes](Raft::propose) it. The buffer is free again when this returns.
///
/// # Errors
///
/// [`TypedError`] when it cannot be encoded or is not taken; the node is unchanged.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_raft::{Config, Inline, ProposeError, Raft, typed};
/// let me = NodeId::new(1);
/// let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
/// let refused = typed::propose(&mut raft, &7_u32, &mut [0; 8]);
/// assert_eq!(refused, Err(typed::TypedError::Propose(ProposeError::NotLeader(None))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn propose<S: Storage, C: Serialize + ?Sized>(
    raft: &mut Raft<S>,
    command: &C,
    buffer: &mut [u8],
) -> Result<Proposal, TypedError> {
    let bytes = encode(command, buffer).map_err(TypedError::Encode)?;
    raft.propose(bytes).map_err(TypedError::Propose)
}

/// Encodes a command into `buffer` and [hands it to the leader](Raft::forward). The buffer is free again when this returns.
///
/// # Errors
///
/// [`TypedError`] when it cannot be encoded or is not taken; the node is unchanged.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_raft::{Config, Inline, ProposeError, Raft, typed};
/// let me = NodeId::new(1);
/// let config = Config { forward: true, ..Config::default() };
/// let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], config, 42)?;
/// let refused = typed::forward(&mut raft, &7_u32, &mut [0; 8]);
/// assert_eq!(refused, Err(typed::TypedError::Propose(ProposeError::NotLeader(None))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn forward<S: Storage, C: Serialize + ?Sized>(
    raft: &mut Raft<S>,
    command: &C,
    buffer: &mut [u8],
) -> Result<ForwardId, TypedError> {
    let bytes = encode(command, buffer).map_err(TypedError::Encode)?;
    raft.forward(bytes).map_err(TypedError::Propose)
}

/// Why a command was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TypedError {
    /// It could not be encoded.
    Encode(EncodeError),
    /// The node did not take it.
    Propose(ProposeError),
}

impl fmt::Display for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Propose(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TypedError {}
