//! Commands as types of the application: a thin layer over the log, which holds bytes. Feature `serde`.
//!
//! A command is encoded once, with [postcard](https://docs.rs/postcard), into a buffer of the caller's; nothing here needs a heap. What is committed is decoded
//! in place, and may borrow from the log. The same two functions serve the commands inside of [client sessions](crate::session).
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
//!                 for command in typed::commands::<Command<'_>>(entries) {
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
//!
//! **A type in a log is for ever**: entries outlive the program that proposed them. postcard tells variants by their number and fields by their
//! place, so add variants at the end, and neither remove nor change what is there.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::DecodeError;
use serde::{Deserialize, Serialize};

use crate::{
    Entries, EntryKind, ForwardId, Index, Iter, Proposal, ProposeError, Raft, Storage, Term,
};

/// Encodes a command into the front of `buffer`, and returns the bytes.
///
/// # Errors
///
/// [`EncodeError`]; the buffer then holds a part of it.
///
/// ```
/// use quorate_raft::typed::{self, EncodeError};
/// let mut buffer = [0; 4];
/// assert_eq!(typed::encode(&(300_u64, "x"), &mut buffer), Ok(&[0xac, 2, 1, b'x'][..]));
/// assert_eq!(typed::encode(&(300_u64, "xy"), &mut buffer), Err(EncodeError::BufferFull));
/// ```
pub fn encode<'b, C: Serialize + ?Sized>(
    command: &C,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    match postcard::to_slice(command, buffer) {
        Ok(bytes) => Ok(bytes),
        Err(postcard::Error::SerializeBufferFull) => Err(EncodeError::BufferFull),
        Err(_) => Err(EncodeError::Unsupported),
    }
}

/// Decodes a command that takes all of `bytes`.
///
/// # Errors
///
/// [`DecodeError`] when the bytes are no command, or more than one.
///
/// ```
/// use quorate_core::DecodeError;
/// use quorate_raft::typed;
/// assert_eq!(typed::decode::<(u64, &str)>(&[0xac, 2, 1, b'x']), Ok((300, "x")));
/// assert_eq!(typed::decode::<(u64, &str)>(&[0xac, 2, 1]), Err(DecodeError::Truncated));
/// assert_eq!(typed::decode::<u64>(&[1, 2]), Err(DecodeError::Trailing));
/// assert_eq!(typed::decode::<bool>(&[2]), Err(DecodeError::Invalid));
/// ```
pub fn decode<'a, C: Deserialize<'a>>(bytes: &'a [u8]) -> Result<C, DecodeError> {
    match postcard::take_from_bytes(bytes) {
        Ok((command, [])) => Ok(command),
        Ok(_) => Err(DecodeError::Trailing),
        Err(postcard::Error::DeserializeUnexpectedEnd) => Err(DecodeError::Truncated),
        Err(_) => Err(DecodeError::Invalid),
    }
}

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

/// Goes through the commands of a run of committed entries. Entries that are no commands are left out: what was applied reaches
/// to [`Entries::last`].
///
/// ```
/// use quorate_raft::{Entries, typed};
/// fn apply(entries: Entries<'_>, sum: &mut u64) {
///     for command in typed::commands::<u64>(entries).flatten() {
///         *sum += command.command;
///     }
/// }
/// ```
#[must_use]
pub const fn commands<'a, C: Deserialize<'a>>(entries: Entries<'a>) -> Commands<'a, C> {
    Commands { entries: entries.iter(), command: PhantomData }
}

/// The commands of a run of entries, in order: see [`commands`].
#[derive(Clone, Debug)]
pub struct Commands<'a, C> {
    entries: Iter<'a>,
    command: PhantomData<fn() -> C>,
}

/// A command that is committed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Committed<C> {
    /// Its place in the log.
    pub index: Index,
    /// The term of the leader that proposed it.
    pub term: Term,
    /// The command.
    pub command: C,
}

/// A committed entry that is no command of this type. It is committed all the same: skip it, or stop, but on every node alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Undecodable<'a> {
    /// Its place in the log.
    pub index: Index,
    /// The term of the leader that proposed it.
    pub term: Term,
    /// What it holds.
    pub data: &'a [u8],
    /// What is wrong with that.
    pub reason: DecodeError,
}

/// Why a command has no bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too small.
    BufferFull,
    /// The type's `Serialize` asks for what postcard cannot do, such as a sequence whose length is not known, or fails.
    Unsupported,
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

impl<'a, C: Deserialize<'a>> Iterator for Commands<'a, C> {
    type Item = Result<Committed<C>, Undecodable<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.find(|entry| entry.kind == EntryKind::Command)?;
        let (index, term, data) = (entry.index, entry.term, entry.data);
        Some(match decode(data) {
            Ok(command) => Ok(Committed { index, term, command }),
            Err(reason) => Err(Undecodable { index, term, data, reason }),
        })
    }
}

impl fmt::Display for Undecodable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entry at {} is no command that is known here: {}", self.index, self.reason)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferFull => "the buffer is too small for the command",
            Self::Unsupported => "the command's type cannot be encoded with postcard",
        })
    }
}

impl fmt::Display for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Propose(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Undecodable<'_> {}
impl core::error::Error for EncodeError {}
impl core::error::Error for TypedError {}
