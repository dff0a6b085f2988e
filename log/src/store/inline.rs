use quorate_core::{Full, InlineList, List};

use super::{Log, Span, move_to_back, move_to_front};
use crate::index::succ;
use crate::{Encoded, Entries, Header, Index};

/// A log in a fixed array: at most `BYTES` bytes and `ENTRIES` entries, no heap.
///
/// Entries lie one after the other; compaction moves the rest to the front.
///
/// RAM: `BYTES + 4 * ENTRIES + 48` bytes, at most, and two tags.
///
/// ```
#[doc = example_header!()]
/// use quorate_log::InlineLog;
/// assert!(size_of::<InlineLog<Head, 1024, 16>>() <= 1024 + 4 * 16 + 48 + 2);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InlineLog<H: Header, const BYTES: usize, const ENTRIES: usize> {
    compacted: Index,
    compacted_tag: H::Tag,
    /// Always the compacted and as many as there are entries: asked for too often to be worked out
    /// each time.
    last: Index,
    last_tag: H::Tag,
    /// Where each entry begins.
    starts: InlineList<u32, ENTRIES>,
    bytes: InlineList<u8, BYTES>,
}

impl<H: Header, const BYTES: usize, const ENTRIES: usize> InlineLog<H, BYTES, ENTRIES> {
    /// Where the entry begins; the end of the bytes for the one after the last.
    #[inline]
    fn start(&self, index: Index) -> Option<usize> {
        let slot = index.checked_sub(succ(self.compacted))?;
        let slot = usize::try_from(slot).ok()?;
        match self.starts.get(slot) {
            Some(&start) => usize::try_from(start).ok(),
            None => (slot == self.starts.len()).then_some(self.bytes.len()),
        }
    }

    fn header_tag(&self, start: usize) -> Option<H::Tag> {
        H::scan(self.bytes.get(start..)?).ok().map(|(header, _)| header.tag())
    }

    fn put(&mut self, tag: H::Tag, head: &[u8], data: &[u8]) -> Result<(), Full> {
        let start = u32::try_from(self.bytes.len()).map_err(|_| Full)?;
        let free = BYTES.saturating_sub(self.bytes.len());
        if free < head.len().saturating_add(data.len()) {
            return Err(Full);
        }
        self.starts.push(start)?;
        self.bytes.extend_from_slice(head)?;
        self.bytes.extend_from_slice(data)?;
        self.last = succ(self.last);
        self.last_tag = tag;
        Ok(())
    }
}

impl<H: Header, const BYTES: usize, const ENTRIES: usize> Log for InlineLog<H, BYTES, ENTRIES> {
    type Header = H;

    fn with_limit(bytes: usize) -> Self {
        Self {
            bytes: InlineList::with_limit(bytes),
            starts: InlineList::with_limit(ENTRIES),
            compacted: 0,
            compacted_tag: H::Tag::default(),
            last: 0,
            last_tag: H::Tag::default(),
        }
    }

    fn compacted(&self) -> Index {
        self.compacted
    }

    fn last(&self) -> Index {
        self.last
    }

    fn last_tag(&self) -> H::Tag {
        self.last_tag
    }

    fn tag(&self, index: Index) -> Option<H::Tag> {
        if index == self.compacted {
            return Some(self.compacted_tag);
        }
        if index > self.last() {
            return None;
        }
        self.header_tag(self.start(index)?)
    }

    fn span(&self, from: Index, to: Index, max_bytes: usize) -> Span {
        let to = to.min(self.last());
        if from <= self.compacted || from > to {
            return Span::empty(from);
        }
        let Some(start) = self.start(from) else { return Span::empty(from) };
        let mut span = Span { first: from, count: 0, chunk: 0, start, end: start };
        let mut next = from;
        while next <= to {
            next = succ(next);
            let Some(end) = self.start(next) else { break };
            if span.count > 0 && end.saturating_sub(start) > max_bytes {
                break;
            }
            (span.count, span.end) = (succ(span.count), end);
        }
        span
    }

    fn slice(&self, span: Span) -> Entries<'_, H> {
        let bytes = self.bytes.get(span.start..span.end).unwrap_or_default();
        Entries::new(span.first, span.count, bytes)
    }

    fn bytes_between(&self, after: Index, through: Index) -> u64 {
        let after = after.max(self.compacted);
        let through = through.min(self.last());
        if through <= after {
            return 0;
        }
        let start = self.start(succ(after)).unwrap_or(0);
        let end = self.start(succ(through)).unwrap_or(0);
        end.saturating_sub(start) as u64
    }

    fn half(&self) -> (u64, u64) {
        ((ENTRIES / 2) as u64, (BYTES / 2) as u64)
    }

    fn fits(&self, len: usize, spare: usize) -> bool {
        let slots = ENTRIES.saturating_sub(self.starts.len());
        let free = BYTES.saturating_sub(self.bytes.len());
        let blanks = spare.saturating_mul(H::MAX_LEN);
        slots > spare && free >= len.saturating_add(H::MAX_LEN).saturating_add(blanks)
    }

    fn push(&mut self, header: H, data: &[u8]) -> Result<(), Full> {
        let (head, len) = header.encode();
        self.put(header.tag(), head.get(..len).unwrap_or_default(), data)
    }

    fn append(&mut self, run: &[u8]) -> u64 {
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
        let (Some(start), Some(end)) = (self.start(index), self.start(succ(index))) else {
            return Ok(());
        };
        let Ok((header, _)) = H::scan(entry) else { return Ok(()) };
        let (old, new) = (end.saturating_sub(start), entry.len());
        let shorter = u32::try_from(old.saturating_sub(new)).map_err(|_| Full)?;
        let longer = u32::try_from(new.saturating_sub(old)).map_err(|_| Full)?;
        if new > old {
            let by = new.saturating_sub(old);
            if by > BYTES.saturating_sub(self.bytes.len()) {
                return Err(Full);
            }
            for _ in 0..by {
                self.bytes.push(0)?; // there is room
            }
            move_to_back(&mut self.bytes, end, by);
        } else if old > new {
            let by = old.saturating_sub(new);
            let kept = self.bytes.len().saturating_sub(by);
            let from = start.saturating_add(new);
            move_to_front(self.bytes.get_mut(from..).unwrap_or_default(), by);
            self.bytes.truncate(kept);
        }
        let room = self.bytes.get_mut(start..).unwrap_or_default();
        room.iter_mut().zip(entry).for_each(|(room, byte)| *room = *byte);
        let after = usize::try_from(index.saturating_sub(self.compacted)).unwrap_or(usize::MAX);
        for begin in self.starts.get_mut(after..).unwrap_or_default() {
            *begin = begin.saturating_add(longer).saturating_sub(shorter);
        }
        if index == self.last {
            self.last_tag = header.tag();
        }
        Ok(())
    }

    fn truncate(&mut self, last: Index) {
        if last >= self.last() || last < self.compacted {
            return;
        }
        let Some(end) = self.start(succ(last)) else { return };
        let kept = usize::try_from(last.saturating_sub(self.compacted)).unwrap_or(0);
        self.bytes.truncate(end);
        self.starts.truncate(kept);
        self.last = last;
        self.last_tag = self.tag(last).unwrap_or(self.compacted_tag);
    }

    fn compact(&mut self, compacted: Index) {
        let (Some(tag), Some(start)) = (self.tag(compacted), self.start(succ(compacted))) else {
            return;
        };
        let dropped = usize::try_from(compacted.saturating_sub(self.compacted)).unwrap_or(0);
        let kept_bytes = self.bytes.len().saturating_sub(start);
        let kept = self.starts.len().saturating_sub(dropped);
        move_to_front(&mut self.bytes, start);
        self.bytes.truncate(kept_bytes);
        move_to_front(&mut self.starts, dropped);
        self.starts.truncate(kept);
        let moved = u32::try_from(start).unwrap_or(0);
        for begin in self.starts.iter_mut() {
            *begin = begin.saturating_sub(moved);
        }
        (self.compacted, self.compacted_tag) = (compacted, tag);
    }

    fn reset(&mut self, compacted: Index, tag: H::Tag) {
        self.bytes.clear();
        self.starts.clear();
        (self.compacted, self.compacted_tag) = (compacted, tag);
        (self.last, self.last_tag) = (compacted, tag);
    }
}
