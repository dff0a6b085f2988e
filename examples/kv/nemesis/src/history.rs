//! What clients did, and what they were told.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a write ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The server said that it is done.
    Acknowledged,
    /// The server said that it was not executed.
    NotApplied,
    /// Nobody knows: it may take effect at any later time, once, or never.
    Unknown,
}

/// A write of the value `sequence` to a key. Times are in µs since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// What was written: 1, 2, 3, … for each key.
    pub sequence: u64,
    /// When it was sent.
    pub start: u64,
    /// When its outcome was known.
    pub end: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// A read of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// The value; 0 where there is none.
    pub value: u64,
    /// When it was sent.
    pub start: u64,
    /// When its answer arrived.
    pub end: u64,
    /// The node that answered.
    pub node: u64,
}

/// What happened to one key.
///
/// One client writes it, one write after the other. When the outcome of a write is unknown, the client goes on with another
/// key: so at most the last write of a key is unknown, and the check is exact without a search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Operations {
    /// In the order in which they were sent.
    pub writes: Vec<Write>,
    /// In the order in which they were answered.
    pub reads: Vec<Read>,
    /// The key is being deleted, and what is read from it means nothing any more.
    pub retired: bool,
}

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value of some bytes that `SET` replaces.
    Register,
    /// A value of 1 MiB that `SET` replaces.
    Big,
    /// A number that `INCR` increments.
    Counter,
}

/// A key and what happened to it.
#[derive(Debug)]
pub struct Key {
    /// Its name in the store.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    operations: Mutex<Operations>,
}

/// An increment of the counter that all clients share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Increment {
    /// When it was sent.
    pub start: u64,
    /// When its outcome was known.
    pub end: u64,
    /// The counter afterwards, as the server said; `None` where the outcome is unknown.
    pub reply: Option<u64>,
}

impl Key {
    /// A key that nobody has written.
    #[must_use]
    pub fn new(name: String, kind: Kind) -> Self {
        Self { name, kind, operations: Mutex::default() }
    }

    /// Locks what happened to it.
    pub fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `SET` is given for a sequence number.
    #[must_use]
    pub fn encode(&self, sequence: u64) -> Vec<u8> {
        let mut bytes = format!("{sequence}:{}:", self.name).into_bytes();
        if self.kind == Kind::Big {
            // differs from one value to the next everywhere, so that parts of two values are no value
            let pattern = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            bytes.extend(pattern.into_iter().cycle().take((1 << 20) - bytes.len()));
        }
        bytes
    }

    /// The sequence number of a value; an error if it is none that was written to this key.
    ///
    /// # Errors
    ///
    /// The beginning of the value.
    pub fn decode(&self, value: &[u8]) -> Result<u64, String> {
        let shown = || String::from_utf8_lossy(value.get(..60).unwrap_or(value)).into_owned();
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = value.get(..digits).and_then(|digits| core::str::from_utf8(digits).ok());
        let sequence = number.and_then(|digits| digits.parse().ok()).ok_or_else(shown)?;
        let whole = self.kind == Kind::Counter && digits == value.len();
        if whole || (self.kind != Kind::Counter && self.encode(sequence) == value) {
            Ok(sequence)
        } else {
            Err(shown())
        }
    }
}
