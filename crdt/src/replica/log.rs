use quorate_clocks::Storage;
use quorate_core::{DecodeError, List, Reader, Writer};

use crate::Crdt;

/// The latest updates, numbered, each encoded once: the record on disk and the message are cut from here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Log<L: Storage> {
    bytes: L::List<u8>,
    /// The number of the first that is kept; one beyond the last if there is none.
    first: u64,
    last: u64,
}

impl<L: Storage> Log<L> {
    /// Nothing is kept up to `last`; at most so many bytes will be.
    pub(crate) fn new(limit: usize, last: u64) -> Self {
        Self { bytes: L::List::with_limit(limit), first: last.saturating_add(1), last }
    }

    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// A change that no delta tells of: others need the whole state.
    pub(crate) fn barrier(&mut self) {
        self.bytes.clear();
        self.last = self.last.saturating_add(1);
        self.first = self.last.saturating_add(1);
    }

    /// Keeps an update, dropping the oldest ones for it but none from `keep` on. False if it does not fit: then it is a
    /// [barrier](Self::barrier).
    pub(crate) fn append<T: Crdt>(&mut self, delta: &T::Delta, keep: u64) -> bool {
        let mut count = Writer::new(&mut []);
        T::write_delta(delta, &mut count);
        let len = count.needed();
        let mut head = Writer::new(&mut []);
        head.u64(len as u64);
        let needed = len.saturating_add(head.needed());
        while self.room() < needed && self.first < keep.min(self.last.saturating_add(1)) {
            self.drop_first();
        }
        if self.room() < needed {
            self.barrier();
            return false;
        }
        let from = self.bytes.len();
        for _ in 0..needed {
            let _ = self.bytes.push(0); // there is room
        }
        let mut out = Writer::new(self.bytes.get_mut(from..).unwrap_or_default());
        out.u64(len as u64);
        T::write_delta(delta, &mut out);
        self.last = self.last.saturating_add(1);
        true
    }

    /// Drops what is before `seq`.
    pub(crate) fn trim(&mut self, seq: u64) {
        while self.first < seq && self.first <= self.last {
            self.drop_first();
        }
    }

    /// The updates from `from` to `to`, of at most so many bytes, but one at least; and the number of the last of them.
    pub(crate) fn run(&self, from: u64, to: u64, most: usize) -> Option<(&[u8], u64)> {
        if from < self.first || from > to || to > self.last {
            return None;
        }
        let mut input = Reader::new(&self.bytes);
        for _ in self.first..from {
            input.bytes().ok()?;
        }
        let start = input.rest();
        let (mut end, mut len) = (from.saturating_sub(1), 0usize);
        for seq in from..=to {
            input.bytes().ok()?;
            let taken = start.len().saturating_sub(input.rest().len());
            if taken > most && seq > from {
                break;
            }
            (end, len) = (seq, taken);
        }
        Some((start.get(..len)?, end))
    }

    fn room(&self) -> usize {
        self.bytes.limit().saturating_sub(self.bytes.len())
    }

    fn drop_first(&mut self) {
        let mut input = Reader::new(&self.bytes);
        let _ = input.bytes(); // written here
        let left = input.rest().len();
        let len = self.bytes.len();
        self.bytes.rotate_left(len.saturating_sub(left).min(len));
        self.bytes.truncate(left);
        self.first = self.first.saturating_add(1);
    }
}

/// The deltas of a run, each with its length before it.
pub(crate) fn frames<'a, T: Crdt>(
    run: &'a [u8],
    like: &'a T,
) -> impl Iterator<Item = Result<T::Delta, DecodeError>> + 'a {
    let mut input = Reader::new(run);
    core::iter::from_fn(move || {
        if input.rest().is_empty() {
            return None;
        }
        Some(input.bytes().and_then(|bytes| {
            let mut frame = Reader::new(bytes);
            let delta = like.read_delta(&mut frame)?;
            frame.finish().map(|()| delta)
        }))
    })
    .take(run.len())
}
