//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_core::bytes_len;

use super::sweep::OFFERED_BYTES;
use super::{Config, Coordinator, Node, Replica, Storage, Value};

/// The longest varint of a number of 64 bits.
const NUMBER: usize = 10;
/// What every message begins with.
const HEADER: usize = 4 * NUMBER;

impl<V: Value, L, S: Storage> Node<V, L, S> {
    /// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a transport's frames must hold.
    ///
    /// Only the application knows how long its data gets: `value_len` is the longest encoded value, `topology_len` what
    /// [`Layout::topology`](super::Layout::topology) gives at most. Ordinary messages are some 30 bytes shorter, as their numbers are far from 2^64.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Replicated, Tagged};
    /// use quorate_ring::HashRing;
    /// type Ring = Replicated<HashRing<quorate_ring::Inline<3, 48>>>;
    /// type Store = Node<Tagged<u32>, Ring, Inline<8, 16>>;
    /// const VALUE: usize = 4 * 10 + 1 + 5;
    /// const CONFIG: Config = Config { max_key_len: 16, ..Config::lan() };
    /// const FRAME: usize = Store::max_message_len(&CONFIG, VALUE, 0);
    /// assert_eq!(FRAME, 40 + 31 + 258);
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config, value_len: usize, topology_len: usize) -> usize {
        let request = request_len(config, value_len, topology_len);
        let offer = add(1 + 3 * NUMBER, bytes_len(OFFERED_BYTES));
        let summary = 1 + 5 * NUMBER;
        add(HEADER, greatest(request, greatest(offer, summary)))
    }

    /// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it: what a log of records must take.
    ///
    /// ```
    /// # use quorate_ring::quorum::{Config, Inline, Node, Replicated, Tagged};
    /// # use quorate_ring::HashRing;
    /// # type Ring = Replicated<HashRing<quorate_ring::Inline<3, 48>>>;
    /// # type Store = Node<Tagged<u32>, Ring, Inline<8, 16>>;
    /// const CONFIG: Config = Config { max_key_len: 16, ..Config::lan() };
    /// const RECORD: usize = Store::max_record_len(&CONFIG, 46);
    /// assert_eq!(RECORD, 11 + 17 + 47);
    /// ```
    #[must_use]
    pub const fn max_record_len(config: &Config, value_len: usize) -> usize {
        hint_len(config, value_len)
    }
}

impl<V: Value, L, S: Storage> Replica<V, L, S> {
    /// The longest message that a replica makes, as [`Node::max_message_len`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Replica, Tagged};
    /// type Of = Replica<Tagged<u32>, (), Inline<8, 16>>;
    /// type Same = Node<Tagged<u32>, (), Inline<8, 16>>;
    /// const CONFIG: Config = Config::lan();
    /// assert_eq!(Of::max_message_len(&CONFIG, 46, 0), Same::max_message_len(&CONFIG, 46, 0));
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config, value_len: usize, topology_len: usize) -> usize {
        Node::<V, L, S>::max_message_len(config, value_len, topology_len)
    }

    /// The longest record that a replica makes, as [`Node::max_record_len`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Replica, Tagged};
    /// const CONFIG: Config = Config { max_key_len: 16, ..Config::lan() };
    /// const RECORD: usize = Replica::<Tagged<u32>, (), Inline<8, 16>>::max_record_len(&CONFIG, 46);
    /// assert_eq!(RECORD, 11 + 17 + 47);
    /// ```
    #[must_use]
    pub const fn max_record_len(config: &Config, value_len: usize) -> usize {
        Node::<V, L, S>::max_record_len(config, value_len)
    }
}

impl<V: Value, L, S: Storage> Coordinator<V, L, S> {
    /// The longest message that a client makes, in bytes as [`Wire`](quorate_core::Wire) encodes it. It takes no longer ones: what replicas answer has one value at most, or their topology.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, Tagged};
    /// const CONFIG: Config = Config { max_key_len: 16, ..Config::lan() };
    /// const FRAME: usize = Coordinator::<Tagged<u32>, (), Inline<0, 16>>::max_message_len(&CONFIG, 46, 0);
    /// assert_eq!(FRAME, 40 + 11 + 17 + 47);
    /// ```
    #[must_use]
    pub const fn max_message_len(config: &Config, value_len: usize, topology_len: usize) -> usize {
        add(HEADER, request_len(config, value_len, topology_len))
    }
}

/// The body of a request.
const fn request_len(config: &Config, value_len: usize, topology_len: usize) -> usize {
    greatest(hint_len(config, value_len), add(1, bytes_len(topology_len)))
}

/// What is kept for another node, which is the longest of what has a key and a value.
const fn hint_len(config: &Config, value_len: usize) -> usize {
    add(1 + NUMBER, add(bytes_len(config.max_key_len), bytes_len(value_len)))
}

const fn add(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}

const fn greatest(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
