//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};

use crate::Config;
use crate::raft::Raft;
use crate::storage::Storage;

/// The longest varint of a term, an index or a round: all are below 2^62.
const NUMBER: usize = 9;

/// The longest varint of a node's id, which has 64 bits.
const ID: usize = 10;

/// Bytes of one member in a list.
const MEMBER: usize = 9;

/// The members a node keeps apart by a bit each, besides itself.
const MOST_MEMBERS: usize = crate::work::Work::PEERS;

impl<S: Storage> Raft<S> {
    /// The longest message that a node with this storage and configuration makes, in bytes as
    /// [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must hold.
    ///
    /// It is an upper bound that a message reaches whose terms and indexes are near 2^62; those of
    /// ordinary clusters are some 35 bytes shorter. It takes for granted that no node of the cluster
    /// has a larger [`Config::max_entry_bytes`] or more room for members, as [`Config`] demands: a
    /// leader sends its entries on to others as it got them.
    ///
    /// ```
    /// use quorate_raft::{Config, Inline, Raft};
    /// type Node = Raft<Inline<3, 4096, 64, 256>>;
    /// // appends are as long as the log, whatever the configuration would allow
    /// const FRAME: usize = Node::max_message_len(&Config::lan());
    /// assert_eq!(FRAME, 4096 + 48);
    /// // for short frames, appends and commands are limited by the configuration
    /// let short = Config { max_append_bytes: 400, max_entry_bytes: 256, ..Config::lan() };
    /// assert_eq!(Node::max_message_len(&short), 400 + 48);
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config) -> usize {
        let append = least(config.max_append_bytes, log_bytes::<S>(config));
        let entries = greatest(append, max_entry_len::<S>(config));
        let append = add(1 + 5 * NUMBER, bytes_len(entries));
        let part = least(config.max_snapshot_chunk_bytes, S::PART_BYTES);
        let members = bytes_len(members_len::<S>(config));
        let snapshot = add(1 + 5 * NUMBER, add(members, bytes_len(part)));
        greatest(append, snapshot)
    }

    /// The longest record that a node with this storage and configuration makes, in bytes as
    /// [`Wire`](quorate_core::Wire) encodes it: what a log of records must take.
    ///
    /// Entries that gathered while the disk was busy go in one record, as many as lie one after the
    /// other in memory: the whole log of [`Inline`](crate::Inline) storage, 128 KiB or one entry of
    /// `Heap`.
    ///
    /// ```
    /// use quorate_raft::{Config, Inline, Raft};
    /// const RECORD: usize = Raft::<Inline<3, 4096, 64, 256>>::max_record_len(&Config::lan());
    /// assert_eq!(RECORD, 4096 + 21);
    /// ```
    #[must_use]
    pub const fn max_record_len(config: &Config) -> usize {
        let run = greatest(least(S::RUN_BYTES, log_bytes::<S>(config)), max_entry_len::<S>(config));
        let append = add(1 + 2 * NUMBER, bytes_len(run));
        // who the members are as of a snapshot, or founded the cluster and when
        let members = add(1 + 2 * ID, bytes_len(members_len::<S>(config)));
        greatest(append, add(ID, members))
    }
}

/// The longest entry: a command, or a list of members.
const fn max_entry_len<S: Storage>(config: &Config) -> usize {
    // a command takes at most half the log
    let command = least(config.max_entry_bytes, log_bytes::<S>(config) / 2);
    let data = greatest(command, members_len::<S>(config));
    // the length is four times as large in the header, which tells the kind in its lowest bits
    let entry = add(NUMBER, add(varint_len(data.saturating_mul(4) as u64), data));
    least(entry, log_bytes::<S>(config))
}

const fn log_bytes<S: Storage>(config: &Config) -> usize {
    if S::LOG_BYTES == usize::MAX { config.max_log_bytes } else { S::LOG_BYTES }
}

const fn members_len<S: Storage>(config: &Config) -> usize {
    let members =
        if S::MEMBERS == usize::MAX { least(config.max_members, MOST_MEMBERS) } else { S::MEMBERS };
    members.saturating_mul(MEMBER)
}

const fn add(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}

const fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn greatest(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
