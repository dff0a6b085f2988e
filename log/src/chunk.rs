//! Snapshots in chunks (Raft thesis, 5.1): the application owns the snapshot, the machine holds one
//! chunk of it at a time.

use core::fmt::Debug;

use quorate_core::List;

/// The one chunk of a snapshot that a machine holds, on its way in or out, or what shares the
/// buffer with it. `B` is the buffer, `S` names a snapshot.
///
/// ```
/// use quorate_core::InlineList;
/// use quorate_log::{ChunkBuffer, Held};
/// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
/// assert!(chunk.hold(b"the first bytes", Held::Outgoing { offset: 0, done: false }));
/// assert!(!chunk.hold(&[0; 65], Held::Outgoing { offset: 15, done: true })); // too long
/// assert_eq!(chunk.held(), Held::Nothing);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChunkBuffer<B, S> {
    bytes: B,
    held: Held<S>,
    limit: usize,
}

/// What a [`ChunkBuffer`] holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Held<S> {
    /// Nothing.
    Nothing,
    /// A chunk that is to be sent.
    Outgoing {
        /// Where it belongs, in bytes.
        offset: u64,
        /// The snapshot ends with it.
        done: bool,
    },
    /// A chunk that is to be given to the application.
    Incoming {
        /// Of which snapshot.
        snapshot: S,
        /// Where it belongs, in bytes.
        offset: u64,
        /// The snapshot ends with it.
        done: bool,
    },
    /// No chunk, but encoded commands on their way to the leader.
    Commands,
}

impl<B: List<u8>, S: Copy + PartialEq> ChunkBuffer<B, S> {
    /// An empty buffer for chunks of at most `limit` bytes, or as many as `B` has room for.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::ChunkBuffer;
    /// let chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(99);
    /// assert_eq!(chunk.limit(), 64);
    /// ```
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let bytes = B::with_limit(limit);
        let limit = limit.min(bytes.limit());
        Self { bytes, held: Held::Nothing, limit }
    }

    /// Bytes that it holds at most.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::ChunkBuffer;
    /// let chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(9);
    /// assert_eq!(chunk.limit(), 9);
    /// ```
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// What it holds.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// let outgoing = Held::Outgoing { offset: 0, done: true };
    /// assert!(chunk.hold(b"all of it", outgoing));
    /// assert_eq!(chunk.held(), outgoing);
    /// ```
    #[must_use]
    pub const fn held(&self) -> Held<S> {
        self.held
    }

    /// The bytes of what it holds, or held last.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// assert!(chunk.hold(b"all of it", Held::Outgoing { offset: 0, done: true }));
    /// assert_eq!(chunk.bytes(), b"all of it");
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Holds nothing any more. The bytes stay readable until the buffer is used again, so that an
    /// output can borrow them.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// assert!(chunk.hold(b"all of it", Held::Outgoing { offset: 0, done: true }));
    /// chunk.release();
    /// assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &b"all of it"[..]));
    /// ```
    pub const fn release(&mut self) {
        self.held = Held::Nothing;
    }

    /// The buffer, emptied, for bytes that are read before it is used again.
    ///
    /// ```
    /// use quorate_core::{InlineList, List};
    /// use quorate_log::ChunkBuffer;
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// chunk.scratch().extend_from_slice(b"a reply")?;
    /// assert_eq!(chunk.bytes(), b"a reply");
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    pub fn scratch(&mut self) -> &mut B {
        self.clear();
        &mut self.bytes
    }

    /// Drops what it holds.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// assert!(chunk.hold(b"all of it", Held::Outgoing { offset: 0, done: true }));
    /// chunk.clear();
    /// assert!(chunk.held() == Held::Nothing && chunk.bytes().is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.held = Held::Nothing;
    }

    /// Holds this in place of what it held. False if it is too long; then the buffer is empty.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// let incoming = |offset| Held::Incoming { snapshot: 7, offset, done: false };
    /// assert!(chunk.hold(b"the first bytes", incoming(0)));
    /// assert!(!chunk.hold(&[0; 65], incoming(15)));
    /// assert_eq!(chunk.held(), Held::Nothing);
    /// ```
    #[must_use]
    pub fn hold(&mut self, bytes: &[u8], held: Held<S>) -> bool {
        self.clear();
        if bytes.len() > self.limit || self.bytes.extend_from_slice(bytes).is_err() {
            return false;
        }
        self.held = held;
        true
    }

    /// Adds a command, its header and its data, to those that it holds. False if there is no room,
    /// or if it holds a chunk; then that is unchanged.
    ///
    /// ```
    /// use quorate_core::InlineList;
    /// use quorate_log::{ChunkBuffer, Held};
    /// let mut chunk = ChunkBuffer::<InlineList<u8, 64>, u64>::with_limit(64);
    /// assert!(chunk.add_command(b"\x01\x02", b"hi"));
    /// assert!(chunk.add_command(b"\x01\x05", b"there"));
    /// assert_eq!(chunk.held(), Held::Commands);
    /// assert_eq!(chunk.bytes(), b"\x01\x02hi\x01\x05there");
    /// assert!(!chunk.add_command(b"\x01\x40", &[0; 64]));
    /// ```
    #[must_use]
    pub fn add_command(&mut self, header: &[u8], data: &[u8]) -> bool {
        if self.held == Held::Nothing {
            self.bytes.clear();
        } else if self.held != Held::Commands {
            return false;
        }
        let len = header.len().saturating_add(data.len());
        if self.bytes.len().saturating_add(len) > self.limit {
            return false;
        }
        let written = self.bytes.extend_from_slice(header);
        let written = written.and(self.bytes.extend_from_slice(data)).is_ok();
        if written {
            self.held = Held::Commands;
        }
        written
    }
}

/// How far an incoming snapshot was received.
///
/// ```
/// use quorate_log::Incoming;
/// let mut incoming = Incoming::new((7, 2)); // covers index 7, from the leader of term 2
/// assert!(incoming.expects(0, false));
/// incoming.take(0, 512, false);
/// assert_eq!(incoming.offset(), 512);
/// assert!(!incoming.expects(256, false)); // a late copy, or a gap
/// assert!(incoming.expects(0, true)); // all of it at once is welcome at any time
/// incoming.take(512, 10, true);
/// assert!(incoming.is_complete() && !incoming.expects(522, true));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Incoming<S> {
    snapshot: S,
    offset: u64,
    complete: bool,
}

impl<S: Copy + PartialEq> Incoming<S> {
    /// A snapshot of which nothing was received. `snapshot` identifies it with its sender: chunks
    /// of two senders do not mix, even if their snapshots cover the same entries.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// let incoming = Incoming::new((7, 2));
    /// assert!(incoming.offset() == 0 && !incoming.is_complete());
    /// ```
    #[must_use]
    pub const fn new(snapshot: S) -> Self {
        Self { snapshot, offset: 0, complete: false }
    }

    /// Which snapshot.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// assert_eq!(Incoming::new((7, 2)).snapshot(), (7, 2));
    /// ```
    #[must_use]
    pub const fn snapshot(&self) -> S {
        self.snapshot
    }

    /// Bytes that were received.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// let mut incoming = Incoming::new((7, 2));
    /// incoming.take(0, 512, false);
    /// assert_eq!(incoming.offset(), 512);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the last chunk was received.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// let mut incoming = Incoming::new((7, 2));
    /// incoming.take(0, 512, true);
    /// assert!(incoming.is_complete());
    /// ```
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a chunk at `offset` comes next. A chunk that is the whole snapshot may come at any
    /// time: the sender may have replaced its snapshot by a smaller one.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// let mut incoming = Incoming::new((7, 2));
    /// incoming.take(0, 512, false);
    /// assert!(incoming.expects(512, true) && incoming.expects(0, true));
    /// assert!(!incoming.expects(0, false) && !incoming.expects(600, true));
    /// ```
    #[must_use]
    pub const fn expects(&self, offset: u64, done: bool) -> bool {
        (offset == self.offset || (done && offset == 0)) && !self.complete
    }

    /// Notes that a chunk of `len` bytes was received.
    ///
    /// ```
    /// use quorate_log::Incoming;
    /// let mut incoming = Incoming::new((7, 2));
    /// incoming.take(0, 512, false);
    /// incoming.take(512, 10, true);
    /// assert!(incoming.offset() == 522 && incoming.is_complete());
    /// ```
    pub const fn take(&mut self, offset: u64, len: usize, done: bool) {
        self.offset = offset.saturating_add(len as u64);
        self.complete = done;
    }
}
