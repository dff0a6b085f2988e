//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};
use quorate_log::MAX_HEADER_LEN;

use super::runs::Encoded;
use super::work::Work;
use super::{Config, LIMIT, Storage, configuration};
use crate::Ballot;

/// The longest varint of a slot, or any number below 2^62.
const NUMBER: usize = varint_len(LIMIT - 1);

const BALLOT: usize = varint_len(Ballot::MAX_ROUND) + varint_len(u64::MAX);

/// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must hold. It is a
/// promise with a page of votes, or with one entry that is longer than a page.
///
/// ```
/// use quorate_paxos::multi::{Config, Inline, max_message_len};
/// let short = Config { max_accept_bytes: 400, max_entry_bytes: 256, ..Config::lan() };
/// const ROOM: usize = 1 + 4 * 9 + 2 * 19 + 2;
/// assert_eq!(max_message_len::<Inline<3, 4096, 64, 256>>(&short), 400 + ROOM);
/// ```
#[must_use]
pub const fn max_message_len<S: Storage>(config: &Config) -> usize {
    let page = least(config.max_accept_bytes, log_bytes::<S>(config));
    let entries = greatest(page, max_entry_len::<S>(config));
    let chunk = least(config.max_chunk_bytes, S::CHUNK_BYTES);
    let promise = (1 + 4 * NUMBER + 2 * BALLOT).saturating_add(bytes_len(entries));
    let part = (2 + 2 * NUMBER).saturating_add(bytes_len(chunk));
    let last = part.saturating_add(configuration_len::<S>(config));
    greatest(promise, if S::CHANGES { last } else { part })
}

/// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a log of records must take. It is one of
/// votes in many ballots that gathered while the disk was busy.
///
/// ```
/// use quorate_paxos::multi::{Config, Inline, max_record_len};
/// let len = max_record_len::<Inline<3, 4096, 64, 256>>(&Config::lan());
/// assert_eq!(len, 4096 + 1 + 2 * 9 + 19 + 2 + 18 * 24 + 2);
/// ```
#[must_use]
pub const fn max_record_len<S: Storage>(config: &Config) -> usize {
    let run = least(S::RUN_BYTES, log_bytes::<S>(config));
    let run = greatest(run, max_entry_len::<S>(config));
    let then = bytes_len(size_of::<Encoded>().saturating_mul(S::RUNS));
    let votes = (1 + 2 * NUMBER + BALLOT).saturating_add(then).saturating_add(bytes_len(run));
    let configuration = (1 + NUMBER).saturating_add(configuration_len::<S>(config));
    greatest(votes, if S::CHANGES { configuration } else { 0 })
}

/// A configuration: its number, its quorums, and its members.
const fn configuration_len<S: Storage>(config: &Config) -> usize {
    const QUORUMS: usize = 1 + 6 * varint_len(u16::MAX as u64);
    let members = least(config.max_members, least(S::MEMBERS, Work::MEMBERS));
    let members = members.saturating_mul(size_of::<configuration::Encoded>());
    (NUMBER + QUORUMS).saturating_add(bytes_len(members))
}

const fn max_entry_len<S: Storage>(config: &Config) -> usize {
    let data = least(config.max_entry_bytes, log_bytes::<S>(config) / 2);
    least(data.saturating_add(MAX_HEADER_LEN), log_bytes::<S>(config))
}

const fn log_bytes<S: Storage>(config: &Config) -> usize {
    if S::LOG_BYTES == usize::MAX { config.max_log_bytes } else { S::LOG_BYTES }
}

const fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn greatest(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
