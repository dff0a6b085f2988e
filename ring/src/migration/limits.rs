//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};

use super::{Config, Migration, Range, Storage};

/// The longest varint of a number of a hand-over, a session or an item: all are below 2^62.
const NUMBER: usize = varint_len(super::MAX_NUMBER);
const NODE: usize = varint_len(u64::MAX);
const VERSION: usize = 2 * varint_len(u64::MAX);

impl<R: Range, S: Storage> Migration<R, S> {
    const fn max_chunk(config: &Config) -> usize {
        match S::CHUNK {
            Some(bytes) => bytes,
            None => config.max_chunk_bytes,
        }
    }

    const fn max_cursor(config: &Config) -> usize {
        match S::CURSOR {
            Some(bytes) => bytes,
            None => config.max_cursor_bytes,
        }
    }

    /// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must hold.
    ///
    /// ```
    /// use quorate_ring::TokenRange;
    /// use quorate_ring::migration::{Config, Inline, Migration};
    /// type Node = Migration<TokenRange, Inline<3, 2, 1024, 16>>;
    /// const FRAME: usize = Node::max_message_len(&Config::lan());
    /// assert_eq!(FRAME, 30 + 1026 + 17);
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config) -> usize {
        let cursor = bytes_len(Self::max_cursor(config));
        // `Item`, with its kind, the kind of its body and whether it is the last
        let item = (3 * NUMBER + 3)
            .saturating_add(bytes_len(Self::max_chunk(config)))
            .saturating_add(cursor);
        let begin = (1 + 2 * NUMBER + VERSION).saturating_add(R::MAX_LEN);
        if item > begin { item } else { begin }
    }

    /// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a log of records must take.
    ///
    /// ```
    /// use quorate_ring::TokenRange;
    /// use quorate_ring::migration::{Config, Inline, Migration};
    /// type Node = Migration<TokenRange, Inline<3, 2, 1024, 16>>;
    /// const RECORD: usize = Node::max_record_len(&Config::lan());
    /// assert_eq!(RECORD, 97);
    /// ```
    #[must_use]
    pub const fn max_record_len(config: &Config) -> usize {
        // `Incoming`, with its kind and whether it is complete and has arrived
        (3 * NUMBER + NODE + VERSION + 3)
            .saturating_add(R::MAX_LEN)
            .saturating_add(bytes_len(Self::max_cursor(config)))
    }
}
