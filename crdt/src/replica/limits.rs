//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_clocks::Storage;
use quorate_core::bytes_len;

use super::{Config, Replica};
use crate::Crdt;

/// The longest varint of a number of 64 bits.
const NUMBER: usize = 10;

impl<T: Crdt, P: Storage, L: Storage> Replica<T, P, L> {
    /// The longest message that a replica makes, in bytes as [`Wire`](quorate_core::Wire) encodes
    /// it: what a transport's frames must hold.
    ///
    /// Only the application knows how long its data gets: `state_len` is the longest encoded state,
    /// `delta_len` the longest encoded delta, in bytes. [docs/wire/crdt.md] has a formula for each
    /// type. A message reaches the formula whose numbers are near 2^64; those of ordinary groups are
    /// some 40 bytes shorter.
    ///
    /// [docs/wire/crdt.md]: https://github.com/quorate/quorate/blob/main/docs/wire/crdt.md#how-long-they-get
    ///
    /// ```
    /// use quorate_clocks::Inline;
    /// use quorate_crdt::{Config, GCounter, Replica};
    /// type Node = Replica<GCounter<Inline<3>>, Inline<2>, Inline<256>>;
    /// // an entry of a counter is an actor, of at most 15 bytes, and a number
    /// const DELTA: usize = 15 + 10;
    /// const STATE: usize = 1 + 3 * DELTA;
    /// // deltas fill the log
    /// const FRAME: usize = Node::max_message_len(&Config::lan(), STATE, DELTA);
    /// assert_eq!(FRAME, 256 + 44);
    /// // in short messages the state is the longest
    /// assert_eq!(Node::max_message_len(&Config { max_delta_bytes: 60, ..Config::lan() }, STATE, DELTA), STATE + 43);
    /// ```
    ///
    /// A set of 16 elements of 5 bytes at most, and 4 actors:
    ///
    /// ```
    /// use quorate_clocks::Inline;
    /// use quorate_crdt::{Config, OrSet, Replica};
    /// type Node = Replica<OrSet<u32, Inline<16>, Inline<4>>, Inline<3>, Inline<512>>;
    /// const STATE: usize = 1 + (5 + 25) * 16 + 2 + 60 * 4;
    /// const DELTA: usize = 26 + 5 + 1 + 25 * 16; // one addition in the place of all others
    /// assert_eq!((STATE, DELTA), (723, 432));
    /// const FRAME: usize = Node::max_message_len(&Config::lan(), STATE, DELTA);
    /// assert_eq!(FRAME, STATE + 44);
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config, state_len: usize, delta_len: usize) -> usize {
        // one that is longer than `max_delta_bytes` travels alone
        let deltas = greatest(config.max_delta_bytes, bytes_len(delta_len));
        let deltas = least(deltas, log_len::<L>(config));
        let longest = bytes_len(greatest(state_len, deltas));
        let body = greatest(1 + 3 * NUMBER, add(1 + NUMBER, longest)); // `Digest`, or one of those
        add(3 * NUMBER + 1, body)
    }

    /// The longest record that a replica makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a log of records must take. `state_len` is the longest encoded state, in bytes. Without
    /// [`Config::durable`] there are no records, and this is 0.
    ///
    /// Updates that were made while the disk was busy go in one record, as many as are kept.
    ///
    /// ```
    /// use quorate_clocks::Inline;
    /// use quorate_crdt::{Config, GCounter, Replica};
    /// type Node = Replica<GCounter<Inline<3>>, Inline<2>, Inline<256>>;
    /// const RECORD: usize = Node::max_record_len(&Config::lan(), 76);
    /// assert_eq!(RECORD, 256 + 3);
    /// ```
    #[must_use]
    pub const fn max_record_len(config: &Config, state_len: usize) -> usize {
        if !config.durable {
            return 0;
        }
        let data = bytes_len(greatest(state_len, log_len::<L>(config)));
        add(1, greatest(NUMBER, data))
    }
}

/// How many bytes of deltas are kept.
const fn log_len<L: Storage>(config: &Config) -> usize {
    if L::FIXED { L::LIMIT } else { config.max_log_bytes }
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
