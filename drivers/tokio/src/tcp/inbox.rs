use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::frame::Kind;

/// Frames that wait for the loop, as `kind, length (4), payload`.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// What was taken of them.
    start: usize,
}

/// What the inboxes of all links hold together.
#[derive(Default)]
pub(crate) struct InboxTotals {
    pub(crate) bytes: AtomicUsize,
    /// The loop took something.
    pub(crate) room: Notify,
}

/// Bytes before a payload.
pub(crate) const HEADER: usize = 5;

impl Inbox {
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn push(&mut self, kind: Kind, payload: &[u8]) {
        self.bytes.reserve(HEADER + payload.len());
        self.bytes.push(u8::from(kind == Kind::Application));
        self.bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(payload);
    }

    /// The frames in it: whether it is the application's, and the payload.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut rest = &self.bytes[self.start..];
        core::iter::from_fn(move || {
            let (application, payload, next) = first(rest)?;
            rest = next;
            Some((application, payload))
        })
    }

    /// Moves frames of `max` bytes altogether at most, but at least one, to `other`, which is emptied before.
    pub(crate) fn take(&mut self, other: &mut Self, max: usize) {
        other.bytes.clear();
        other.bytes.shrink_to(1 << 20);
        other.start = 0;
        let alone = first(&self.bytes[self.start..]).is_some_and(|(_, _, rest)| rest.is_empty());
        if alone || self.len() <= max {
            core::mem::swap(self, other);
            return;
        }
        let mut end = self.start;
        while let Some((_, payload, _)) = first(&self.bytes[end..]) {
            let len = HEADER + payload.len();
            if end > self.start && end + len - self.start > max {
                break;
            }
            end += len;
        }
        other.bytes.extend_from_slice(&self.bytes[self.start..end]);
        self.start = end;
        // what was taken is as much as what is moved, so moving it costs as much again at most
        if self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl InboxTotals {
    /// Something was taken out of one.
    pub(crate) fn taken(&self, bytes: usize) {
        if bytes > 0 {
            self.bytes.fetch_sub(bytes, Relaxed);
            self.room.notify_waiters();
        }
    }
}

/// The frame at the front, and what follows it.
fn first(bytes: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<HEADER>()?;
    let [application, l0, l1, l2, l3] = *head;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let (payload, next) = tail.split_at_checked(len)?;
    Some((application == 1, payload, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_taken_in_whole_frames() {
        let (mut inbox, mut taken) = (Inbox::default(), Inbox::default());
        let mut expected = Vec::new();
        for n in 0..50_u8 {
            inbox.push(Kind::Message, &vec![n; usize::from(n)]);
            expected.push(usize::from(n));
        }
        let mut lens = Vec::new();
        while !inbox.is_empty() {
            inbox.take(&mut taken, 40);
            let frames: Vec<usize> = taken.frames().map(|(_, payload)| payload.len()).collect();
            let bytes: usize = frames.iter().map(|len| HEADER + len).sum();
            assert!(bytes <= 40 || frames.len() == 1, "{frames:?}");
            lens.extend(frames);
        }
        assert_eq!(lens, expected);
        inbox.take(&mut taken, 40);
        assert!(taken.is_empty());
    }
}
