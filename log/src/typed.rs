//! Commands as types of the application: a thin layer over the log, which holds bytes. Feature
//! `serde`.
//!
//! A command is encoded once, with [postcard](https://docs.rs/postcard), into a buffer of the
//! caller's; nothing here needs a heap. What is committed is decoded in place, and may borrow from
//! the log. The same two functions serve the commands inside of [client sessions](crate::session).
//!
//! ```
//! use quorate_log::typed;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! enum Command<'a> {
//!     Set { name: &'a str, value: i64 },
//!     Remove(&'a str),
//! }
//!
//! let mut buffer = [0; 64];
//! let bytes = typed::encode(&Command::Set { name: "lamp", value: 21 }, &mut buffer)?;
//! assert_eq!(bytes, b"\0\x04lamp\x2a");
//! assert_eq!(typed::decode(bytes), Ok(Command::Set { name: "lamp", value: 21 }));
//! # Ok::<(), typed::EncodeError>(())
//! ```
//!
//! **A type in a log is for ever**: entries outlive the program that proposed them. postcard tells
//! variants by their number and fields by their place, so add variants at the end, and neither
//! remove nor change what is there.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::DecodeError;
use serde::{Deserialize, Serialize};

use crate::{Entries, Header, Index, Iter, ReplicatedLog, SubmitError, Submitted};

/// Encodes a command into the front of `buffer`, and returns the bytes.
///
/// # Errors
///
/// [`EncodeError`]; the buffer then holds a part of it.
///
/// ```
/// use quorate_log::typed::{self, EncodeError};
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
/// use quorate_log::typed;
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

/// Encodes a command into `buffer` and [submits](ReplicatedLog::submit) it. The buffer is free again when this returns.
///
/// # Errors
///
/// [`SubmitTypedError`] when it cannot be encoded or is not taken; the node is unchanged.
///
/// ```
/// use quorate_log::{ReplicatedLog, typed};
/// fn set_lamp<L: ReplicatedLog>(log: &mut L, value: i64) -> Result<(), typed::SubmitTypedError> {
///     typed::submit(log, &("lamp", value), &mut [0; 16])?;
///     Ok(())
/// }
/// ```
pub fn submit<L: ReplicatedLog, C: Serialize + ?Sized>(
    log: &mut L,
    command: &C,
    buffer: &mut [u8],
) -> Result<Submitted, SubmitTypedError> {
    let bytes = encode(command, buffer).map_err(SubmitTypedError::Encode)?;
    log.submit(bytes).map_err(SubmitTypedError::Submit)
}

impl<'a, H: Header> Entries<'a, H> {
    /// Iterates over the commands as values of the application's type. Entries of the protocol's
    /// own are left out: what was applied reaches to [`last`](Self::last), not to the last command.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 3, &[1, 1, 40, 1, 0, 2, 2, 1, 2]);
    /// let mut commands = run.typed::<u8>();
    /// assert_eq!(commands.next().unwrap().unwrap().command, 40);
    /// assert_eq!(commands.next().unwrap().unwrap_err().index, 9); // two bytes are no `u8`
    /// assert!(commands.next().is_none());
    /// ```
    #[must_use]
    pub const fn typed<C: Deserialize<'a>>(&self) -> Commands<'a, C, H> {
        Commands { entries: self.iter(), command: PhantomData }
    }
}

/// The commands of a run of entries, in order: see [`Entries::typed`].
#[derive(Clone, Debug)]
pub struct Commands<'a, C, H> {
    entries: Iter<'a, H>,
    command: PhantomData<fn() -> C>,
}

/// A command that is committed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Committed<E, C> {
    /// Its entry, with what the protocol knows of it.
    pub entry: E,
    /// The command.
    pub command: C,
}

/// A committed entry that is no command of this type. It is committed all the same: skip it, or
/// stop, but on every node alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Undecodable<E> {
    /// Its place in the log.
    pub index: Index,
    /// The entry.
    pub entry: E,
    /// What is wrong with its data.
    pub reason: DecodeError,
}

/// Why a command has no bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too small.
    BufferFull,
    /// The type's `Serialize` asks for what postcard cannot do, such as a sequence whose length is
    /// not known, or fails.
    Unsupported,
}

/// Why a command was not submitted. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubmitTypedError {
    /// It could not be encoded.
    Encode(EncodeError),
    /// The log did not take it.
    Submit(SubmitError),
}

impl<'a, C: Deserialize<'a>, H: Header> Iterator for Commands<'a, C, H> {
    type Item = Result<Committed<H::Entry<'a>, C>, Undecodable<H::Entry<'a>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, header, data) = self.entries.next_command()?;
        let entry = header.entry(index, data);
        Some(match decode(data) {
            Ok(command) => Ok(Committed { entry, command }),
            Err(reason) => Err(Undecodable { index, entry, reason }),
        })
    }
}

impl<E> fmt::Display for Undecodable<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entry at {} is not a command of this type: {}", self.index, self.reason)
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

impl fmt::Display for SubmitTypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Submit(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Undecodable<E> {}
impl core::error::Error for EncodeError {}
impl core::error::Error for SubmitTypedError {}
