//! How long messages and records can be, as a formula that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};

use super::Config;
use super::storage::Storage;
use crate::Ballot;

const BALLOT: usize = varint_len(Ballot::MAX_ROUND) + varint_len(u64::MAX);
const VARINT: usize = varint_len(u64::MAX);

pub(crate) const fn max_key<S: Storage>(config: &Config) -> usize {
    match S::KEY {
        Some(bytes) => bytes,
        None => config.max_key_bytes,
    }
}

pub(crate) const fn max_value<S: Storage>(config: &Config) -> usize {
    match S::VALUE {
        Some(bytes) => bytes,
        None => config.max_value_bytes,
    }
}

const fn state<S: Storage>(config: &Config) -> usize {
    (2 * BALLOT + 1).saturating_add(bytes_len(max_value::<S>(config)))
}

/// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must hold. It is
/// an accept.
///
/// ```
/// use quorate_paxos::register::{Config, Inline, max_message_len};
/// const FRAME: usize = max_message_len::<Inline<3, 8, 2, 8, 16>>(&Config::lan());
/// assert_eq!(FRAME, 1 + 9 + (2 * 19 + 1 + 17) + 19 + 10);
/// ```
#[must_use]
pub const fn max_message_len<S: Storage>(config: &Config) -> usize {
    (1 + BALLOT + VARINT)
        .saturating_add(bytes_len(max_key::<S>(config)))
        .saturating_add(state::<S>(config))
}

/// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a log of records must take.
///
/// ```
/// use quorate_paxos::register::{Config, Inline, max_record_len};
/// const RECORD: usize = max_record_len::<Inline<3, 8, 2, 8, 16>>(&Config::lan());
/// assert_eq!(RECORD, 1 + 9 + (2 * 19 + 1 + 17) + 19);
/// ```
#[must_use]
pub const fn max_record_len<S: Storage>(config: &Config) -> usize {
    (1 + BALLOT).saturating_add(bytes_len(max_key::<S>(config))).saturating_add(state::<S>(config))
}
