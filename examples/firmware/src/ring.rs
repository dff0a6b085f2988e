use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A queue of bytes between an interrupt and the rest: one puts in, one takes out. It holds `N - 1` bytes.
pub struct Ring<const N: usize> {
    bytes: [AtomicU8; N],
    /// Where the next byte goes, and where the oldest is.
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl<const N: usize> Ring<N> {
    /// An empty one.
    #[must_use]
    #[allow(clippy::new_without_default)] // for statics
    pub const fn new() -> Self {
        Self {
            bytes: [const { AtomicU8::new(0) }; N],
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    /// Puts a byte in. False if there is no room.
    pub fn push(&self, byte: u8) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        let next = Self::after(head);
        if next == self.tail.load(Ordering::Acquire) {
            return false;
        }
        if let Some(room) = self.bytes.get(head) {
            room.store(byte, Ordering::Relaxed);
        }
        self.head.store(next, Ordering::Release);
        true
    }

    /// Takes the oldest byte out.
    pub fn pop(&self) -> Option<u8> {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail == self.head.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.bytes.get(tail)?.load(Ordering::Relaxed);
        self.tail.store(Self::after(tail), Ordering::Release);
        Some(byte)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.tail.load(Ordering::Relaxed) == self.head.load(Ordering::Acquire)
    }

    /// Bytes there is room for.
    pub fn room(&self) -> usize {
        let (head, tail) = (self.head.load(Ordering::Relaxed), self.tail.load(Ordering::Acquire));
        let used = if head >= tail {
            head.saturating_sub(tail)
        } else {
            head.saturating_add(N).saturating_sub(tail)
        };
        N.saturating_sub(1).saturating_sub(used)
    }

    const fn after(at: usize) -> usize {
        let next = at.saturating_add(1);
        if next >= N { 0 } else { next }
    }
}
