//! How long messages and records can be, as a formula that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};

use super::Config;
use crate::{Ballot, Storage};

const BALLOT: usize = varint_len(Ballot::MAX_ROUND) + varint_len(u64::MAX);

pub(crate) const fn max_value<S: Storage>(config: &Config) -> usize {
    match S::VALUE {
        Some(bytes) => bytes,
        None => config.max_value_bytes,
    }
}

/// The longest message that a node of any role makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must
/// hold. It is a promise with a vote.
///
/// ```
/// use quorate_paxos::{Inline, synod::{Config, max_message_len}};
/// const FRAME: usize = max_message_len::<Inline<3, 16>>(&Config::lan());
/// assert_eq!(FRAME, 2 + 2 * 19 + 17);
/// ```
#[must_use]
pub const fn max_message_len<S: Storage>(config: &Config) -> usize {
    (2 + 2 * BALLOT).saturating_add(bytes_len(max_value::<S>(config)))
}

/// The longest record that a node of any role makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a log of records must take.
///
/// ```
/// use quorate_paxos::{Inline, synod::{Config, max_record_len}};
/// const RECORD: usize = max_record_len::<Inline<3, 16>>(&Config::lan());
/// assert_eq!(RECORD, 1 + 19 + 17);
/// ```
#[must_use]
pub const fn max_record_len<S: Storage>(config: &Config) -> usize {
    (1 + BALLOT).saturating_add(bytes_len(max_value::<S>(config)))
}
