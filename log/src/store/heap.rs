use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use quorate_core::Full;

use super::{Log, Span};
use crate::index::succ;
use crate::{Encoded, Entries, Header, Index};

/// Bytes of a chunk; a larger entry has its own chunk.
const CHUNK: usize = 64 << 10;

/// The longest run of a [`HeapLog`] in bytes, unless the log has held an entry that is longer: its
/// chunk may be used again, and a run in it is at most as long as that entry.
pub const MAX_RUN_LEN: usize = 2 * CHUNK;

/// A log on the heap: chunks that entries never straddle, so that a run of entries is one slice.
///
/// An entry takes its encoded bytes and four more. Chunks emptied by compaction are used again, so
/// a log of steady size allocates nothing.
#[derive(Clone)]
pub struct HeapLog<H: Header> {
    /// The chunk that grows; almost everything asked for is in it.
    tail: Chunk,
    /// The chunks before it, oldest first.
    full: VecDeque<Chunk>,
    spare: Option<Chunk>,
    compacted: Index,
    compacted_tag: H::Tag,
    last: Index,
    last_tag: H::Tag,
    /// Bytes of all entries ever put, less those truncated: the position of the end.
    end: u64,
    /// The position of the first entry.
    begin: u64,
    limit: u64,
}

#[derive(Clone, Default)]
struct Chunk {
    /// The index of the first entry.
    first: Index,
    /// Its position: bytes put into the log before it.
    position: u64,
    bytes: Vec<u8>,
    /// Where each entry begins.
    starts: Vec<u32>,
}

impl Chunk {
    #[inline]
    fn start(&self, slot: usize) -> usize {
        self.starts.get(slot).map_or(self.bytes.len(), |&s| s as usize)
    }

    #[inline]
    fn slot(&self, index: Index) -> usize {
        usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }
}

impl<H: Header> HeapLog<H> {
    /// The chunk that holds `index`, and its number: the one past the full ones is the tail.
    #[inline]
    fn chunk(&self, index: Index) -> Option<(usize, &Chunk)> {
        if index <= self.compacted || index > self.last {
            return None;
        }
        if self.tail.first <= index {
            return Some((self.full.len(), &self.tail));
        }
        let number = self.full.partition_point(|c| c.first <= index).checked_sub(1)?;
        self.full.get(number).map(|chunk| (number, chunk))
    }

    /// The position where the entry begins; the end for the one after the last.
    #[inline]
    fn position(&self, index: Index) -> u64 {
        match self.chunk(index) {
            Some((_, c)) => c.position.saturating_add(c.start(c.slot(index)) as u64),
            None if index > self.last => self.end,
            None => self.begin,
        }
    }

    /// The tail with room for `len` more bytes.
    #[inline]
    fn tail_for(&mut self, len: usize) -> &mut Chunk {
        if self.tail.bytes.capacity().saturating_sub(self.tail.bytes.len()) < len {
            self.add_chunk(len);
        }
        &mut self.tail
    }

    #[cold]
    fn add_chunk(&mut self, len: usize) {
        let mut chunk = match self.spare.take() {
            Some(chunk) if chunk.bytes.capacity() >= len => chunk,
            other => {
                self.spare = other;
                Chunk { bytes: Vec::with_capacity(len.max(CHUNK)), ..Chunk::default() }
            }
        };
        chunk.first = succ(self.last);
        chunk.position = self.end;
        let old = core::mem::replace(&mut self.tail, chunk);
        if old.starts.is_empty() {
            self.recycle(old);
        } else {
            self.full.push_back(old);
        }
    }

    fn recycle(&mut self, mut chunk: Chunk) {
        if (CHUNK..=MAX_RUN_LEN).contains(&chunk.bytes.capacity()) {
            chunk.bytes.clear();
            chunk.starts.clear();
            self.spare = Some(chunk);
        }
    }

    /// Makes the newest full chunk the tail again.
    fn drop_tail(&mut self) -> bool {
        let Some(chunk) = self.full.pop_back() else { return false };
        let old = core::mem::replace(&mut self.tail, chunk);
        self.recycle(old);
        true
    }

    #[inline]
    fn room(&self) -> u64 {
        self.limit.saturating_sub(self.end.saturating_sub(self.begin))
    }

    #[inline(always)]
    fn put(&mut self, tag: H::Tag, head: &[u8], data: &[u8]) -> Result<(), Full> {
        let len = head.len().saturating_add(data.len());
        if self.room() < len as u64 {
            return Err(Full);
        }
        let chunk = self.tail_for(len);
        let start = u32::try_from(chunk.bytes.len()).map_err(|_| Full)?;
        chunk.starts.push(start);
        chunk.bytes.extend_from_slice(head);
        chunk.bytes.extend_from_slice(data);
        self.end = self.end.saturating_add(len as u64);
        self.last = succ(self.last);
        self.last_tag = tag;
        Ok(())
    }

    /// Adds entries that fit into the last chunk as a whole: one copy.
    #[allow(clippy::cast_possible_truncation)] // a chunk that takes several entries is far smaller than 4 GiB
    fn append_whole(&mut self, run: &[u8]) -> Option<u64> {
        if self.room() < run.len() as u64 {
            return None;
        }
        let chunk = &mut self.tail;
        if chunk.bytes.capacity().saturating_sub(chunk.bytes.len()) < run.len() {
            return None;
        }
        let before = chunk.starts.len();
        let mut start = chunk.bytes.len();
        let mut tag = self.last_tag;
        let mut rest = run;
        while !rest.is_empty() {
            let (header, size) = H::scan(rest).ok()?;
            rest = rest.get(size..)?;
            tag = header.tag();
            chunk.starts.push(start as u32);
            start = start.saturating_add(size);
        }
        chunk.bytes.extend_from_slice(run);
        let taken = chunk.starts.len().saturating_sub(before) as u64;
        self.end = self.end.saturating_add(run.len() as u64);
        self.last = self.last.saturating_add(taken);
        self.last_tag = tag;
        Some(taken)
    }
}

impl<H: Header> Log for HeapLog<H> {
    type Header = H;

    fn with_limit(bytes: usize) -> Self {
        Self {
            tail: Chunk::default(),
            full: VecDeque::new(),
            spare: None,
            compacted: 0,
            compacted_tag: H::Tag::default(),
            last: 0,
            last_tag: H::Tag::default(),
            end: 0,
            begin: 0,
            limit: bytes as u64,
        }
    }

    #[inline]
    fn compacted(&self) -> Index {
        self.compacted
    }

    #[inline]
    fn last(&self) -> Index {
        self.last
    }

    #[inline]
    fn last_tag(&self) -> H::Tag {
        self.last_tag
    }

    #[inline]
    fn tag(&self, index: Index) -> Option<H::Tag> {
        if index == self.last {
            return Some(self.last_tag);
        }
        if index == self.compacted {
            return Some(self.compacted_tag);
        }
        let (_, chunk) = self.chunk(index)?;
        let bytes = chunk.bytes.get(chunk.start(chunk.slot(index))..)?;
        H::scan(bytes).ok().map(|(header, _)| header.tag())
    }

    #[inline]
    fn span(&self, from: Index, to: Index, max_bytes: usize) -> Span {
        let to = to.min(self.last);
        let Some((number, chunk)) = self.chunk(from) else { return Span::empty(from) };
        if to < from {
            return Span::empty(from);
        }
        let slot = chunk.slot(from);
        let start = chunk.start(slot);
        let mut after = chunk.slot(to).saturating_add(1).min(chunk.starts.len());
        let mut end = chunk.start(after);
        let limit = start.saturating_add(max_bytes);
        if end > limit {
            // the last slot that begins at or before the limit ends the run; one entry at least
            after = chunk.starts.partition_point(|&s| s as usize <= limit).saturating_sub(1);
            after = after.max(slot.saturating_add(1));
            end = chunk.start(after);
        }
        Span { first: from, count: after.saturating_sub(slot) as u64, chunk: number, start, end }
    }

    #[inline]
    fn slice(&self, span: Span) -> Entries<'_, H> {
        let chunk = match span.chunk {
            number if number == self.full.len() => Some(&self.tail),
            number => self.full.get(number),
        };
        let bytes = chunk.and_then(|c| c.bytes.get(span.start..span.end)).unwrap_or_default();
        Entries::new(span.first, span.count, bytes)
    }

    #[inline]
    fn bytes_between(&self, after: Index, through: Index) -> u64 {
        if through <= after {
            return 0;
        }
        let end = self.position(succ(through));
        end.saturating_sub(self.position(succ(after)))
    }

    #[inline]
    fn half(&self) -> (u64, u64) {
        (u64::MAX, self.limit / 2)
    }

    #[inline]
    fn fits(&self, len: usize, spare: usize) -> bool {
        let blanks = spare.saturating_mul(H::MAX_LEN);
        self.room() >= len.saturating_add(H::MAX_LEN).saturating_add(blanks) as u64
    }

    #[inline]
    fn push(&mut self, header: H, data: &[u8]) -> Result<(), Full> {
        let (head, len) = header.encode();
        self.put(header.tag(), head.get(..len).unwrap_or_default(), data)
    }

    #[inline]
    fn append(&mut self, run: &[u8]) -> u64 {
        if let Some(taken) = self.append_whole(run) {
            return taken;
        }
        let mut taken = 0_u64;
        for (tag, entry) in Encoded::<H>::new(run) {
            if self.put(tag, entry, &[]).is_err() {
                break;
            }
            taken = succ(taken);
        }
        taken
    }

    fn replace(&mut self, index: Index, entry: &[u8]) -> Result<(), Full> {
        let Some((number, chunk)) = self.chunk(index) else { return Ok(()) };
        let Ok((header, _)) = H::scan(entry) else { return Ok(()) };
        let slot = chunk.slot(index);
        let (start, end) = (chunk.start(slot), chunk.start(slot.saturating_add(1)));
        let (old, new) = (end.saturating_sub(start), entry.len());
        let longer = new.saturating_sub(old) as u64;
        let shorter = old.saturating_sub(new) as u64;
        if longer > self.room() {
            return Err(Full);
        }
        // all places in the chunk fit 32 bits
        u32::try_from(chunk.bytes.len().saturating_add(new)).map_err(|_| Full)?;
        let moved = |position: u64| position.saturating_add(longer).saturating_sub(shorter);
        let mut chunks = self.full.iter_mut().skip(number).chain([&mut self.tail]);
        if let Some(chunk) = chunks.next() {
            chunk.bytes.splice(start..end, entry.iter().copied());
            for begin in chunk.starts.iter_mut().skip(slot.saturating_add(1)) {
                *begin = u32::try_from(moved(u64::from(*begin))).unwrap_or(u32::MAX);
            }
        }
        chunks.for_each(|later| later.position = moved(later.position));
        self.end = moved(self.end);
        if index == self.last {
            self.last_tag = header.tag();
        }
        Ok(())
    }

    fn truncate(&mut self, last: Index) {
        if last >= self.last || last < self.compacted {
            return;
        }
        self.end = self.position(succ(last));
        let tag = self.tag(last).unwrap_or(self.compacted_tag);
        while self.tail.first > last && self.drop_tail() {}
        let kept = self.tail.slot(succ(last));
        let end = self.tail.start(kept);
        self.tail.bytes.truncate(end);
        self.tail.starts.truncate(kept);
        (self.last, self.last_tag) = (last, tag);
    }

    fn compact(&mut self, compacted: Index) {
        let Some(tag) = self.tag(compacted) else { return };
        self.begin = self.position(succ(compacted));
        (self.compacted, self.compacted_tag) = (compacted, tag);
        let next = |c: &Chunk| c.first.saturating_add(c.starts.len() as u64);
        while self.full.front().is_some_and(|c| next(c) <= succ(compacted)) {
            if let Some(chunk) = self.full.pop_front() {
                self.recycle(chunk);
            }
        }
        if compacted == self.last {
            self.clear_tail();
        }
    }

    fn reset(&mut self, compacted: Index, tag: H::Tag) {
        while self.drop_tail() {}
        (self.compacted, self.compacted_tag) = (compacted, tag);
        (self.last, self.last_tag) = (compacted, tag);
        self.begin = self.end;
        self.clear_tail();
    }
}

impl<H: Header> HeapLog<H> {
    /// Empties the tail, of which nothing is in the log any more.
    fn clear_tail(&mut self) {
        self.tail.bytes.clear();
        self.tail.starts.clear();
        self.tail.first = succ(self.last);
        self.tail.position = self.end;
    }

    fn runs(&self) -> impl Iterator<Item = Entries<'_, H>> {
        let mut next = succ(self.compacted);
        core::iter::from_fn(move || {
            let run = self.entries(next, Index::MAX, usize::MAX);
            next = succ(run.last());
            (!run.is_empty()).then_some(run)
        })
    }
}

/// Equal when they hold the same entries, however these lie in chunks.
impl<H: Header> PartialEq for HeapLog<H> {
    fn eq(&self, other: &Self) -> bool {
        self.compacted == other.compacted
            && self.compacted_tag == other.compacted_tag
            && self.last == other.last
            && self
                .runs()
                .flat_map(|run| run.bytes().iter())
                .eq(other.runs().flat_map(|run| run.bytes().iter()))
    }
}

impl<H: Header> Eq for HeapLog<H> {}

impl<H: Header> Hash for HeapLog<H> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (self.compacted, self.compacted_tag, self.last).hash(state);
        self.runs().flat_map(IntoIterator::into_iter).for_each(|entry| entry.hash(state));
    }
}

impl<H: Header> fmt::Debug for HeapLog<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapLog")
            .field("compacted", &self.compacted)
            .field("compacted_tag", &self.compacted_tag)
            .field("last", &self.last)
            .field("bytes", &self.end.saturating_sub(self.begin))
            .finish_non_exhaustive()
    }
}
