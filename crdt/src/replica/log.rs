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

    /// Counts a change that no delta describes: others need the whole state.
    pub(crate) fn skip_delta(&mut self) {
        self.bytes.clear();
        self.last = self.last.saturating_add(1);
        self.first = self.last.saturating_add(1);
    }

    /// Keeps an update, dropping the oldest ones for it but none from `keep` on. False if it does
    /// not fit: then it is [skipped](Self::skip_delta).
    pub(crate) fn append<T: Crdt>(&mut self, delta: &T::Delta, keep: u64) -> bool {
        let mut count = Writer::new(&mut []);
        T::write_delta(delta, &mut count);
        let len = count.needed();
        let mut head = Writer::new(&mut []);
        head.u64(len as u64);
        let needed = len.saturating_add(head.needed());
        while self.free_bytes() < needed && self.first < keep.min(self.last.saturating_add(1)) {
            self.drop_first();
        }
        if self.free_bytes() < needed {
            self.skip_delta();
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
    pub(crate) fn batch(&self, from: u64, to: u64, max_bytes: usize) -> Option<(&[u8], u64)> {
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
            if taken > max_bytes && seq > from {
                break;
            }
            (end, len) = (seq, taken);
        }
        Some((start.get(..len)?, end))
    }

    fn free_bytes(&self) -> usize {
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
    batch: &'a [u8],
    like: &'a T,
) -> impl Iterator<Item = Result<T::Delta, DecodeError>> + 'a {
    let mut input = Reader::new(batch);
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
    .take(batch.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use quorate_clocks::{Actor, Inline};
    use quorate_core::NodeId;

    use super::*;
    use crate::{Entry, GCounter};

    type Counter = GCounter<Inline<4>>;

    /// Takes five bytes, with its length.
    fn delta(value: u64) -> Entry<Actor, u64> {
        Entry { key: NodeId::new(1).into(), value }
    }

    fn log(values: &[u64]) -> Log<Inline<13>> {
        let mut log = Log::new(13, 1);
        values.iter().for_each(|&value| assert!(log.append::<Counter>(&delta(value), u64::MAX)));
        log
    }

    fn values(batch: &[u8]) -> Vec<u64> {
        frames(batch, &Counter::new()).map(|delta| delta.unwrap().value).collect()
    }

    #[test]
    fn append_drops_only_as_many_as_needed() {
        let len = {
            let one = log(&[1]);
            one.batch(2, 2, 99).unwrap().0.len()
        };
        assert_eq!(len, 4);
        let mut log = log(&[1, 2, 3]);
        assert_eq!((log.first(), log.last(), log.free_bytes()), (2, 4, 1));
        assert!(log.append::<Counter>(&delta(4), u64::MAX));
        assert_eq!((log.first(), log.last(), log.free_bytes()), (3, 5, 1));
        assert_eq!(values(log.batch(3, 5, 99).unwrap().0), [2, 3, 4]);
        // what fits exactly drops none
        log.trim(5);
        assert_eq!((log.first(), log.last(), log.free_bytes()), (5, 5, 9));
        assert!(log.append::<Counter>(&delta(200), u64::MAX));
        assert!(log.append::<Counter>(&delta(5), u64::MAX));
        assert_eq!((log.first(), log.last(), log.free_bytes()), (5, 7, 0));
        assert_eq!(values(log.batch(5, 7, 99).unwrap().0), [4, 200, 5]);
    }

    #[test]
    fn append_never_drops_what_must_be_kept() {
        let mut log = log(&[1, 2, 3]);
        assert!(!log.append::<Counter>(&delta(4), 2), "the first is to be kept");
        // a barrier: nothing is kept, and no number is used twice
        assert_eq!((log.first(), log.last(), log.free_bytes()), (6, 5, 13));
        assert_eq!(log.batch(5, 5, 99), None);
        assert!(log.append::<Counter>(&delta(5), 1));
        assert_eq!((log.first(), log.last()), (6, 6));
        let mut small = Log::<Inline<3>>::new(3, 1);
        assert!(!small.append::<Counter>(&delta(1), u64::MAX), "it does not fit at all");
        assert_eq!((small.first(), small.last()), (3, 2));
    }

    #[test]
    fn batch_respects_bounds() {
        let log = log(&[1, 2, 3]);
        for (from, to) in [(1, 2), (3, 2), (2, 5), (5, 5)] {
            assert_eq!(log.batch(from, to, 99), None, "{from} {to}");
        }
        let batch = |from, to, max_bytes| {
            let (bytes, last) = log.batch(from, to, max_bytes).unwrap();
            (values(bytes), last)
        };
        assert_eq!(batch(2, 4, 99), (vec![1, 2, 3], 4));
        assert_eq!(batch(2, 4, 12), (vec![1, 2, 3], 4));
        assert_eq!(batch(2, 4, 11), (vec![1, 2], 3));
        assert_eq!(batch(2, 4, 8), (vec![1, 2], 3));
        assert_eq!(batch(3, 4, 7), (vec![2], 3));
        assert_eq!(batch(3, 3, 99), (vec![2], 3));
        // one at least
        assert_eq!(batch(2, 4, 0), (vec![1], 2));
    }

    #[test]
    fn trim_drops_a_prefix() {
        let mut log = log(&[1, 2, 3]);
        log.trim(1);
        assert_eq!(log.first(), 2);
        log.trim(4);
        assert_eq!((log.first(), log.free_bytes()), (4, 9));
        log.trim(99);
        assert_eq!((log.first(), log.last(), log.free_bytes()), (5, 4, 13));
    }
}
