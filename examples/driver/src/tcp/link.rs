use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::{NodeId, Wire};
use tokio::sync::Notify;

use super::claim::Claim;
use crate::TcpOptions;
use crate::frame::{self, Kind};
use crate::metrics::PeerCounters;

/// Both directions between this node and one peer, as the loop sees them: two buffers of bytes.
pub(crate) struct Link {
    pub(crate) id: NodeId,
    pub(crate) addr: String,
    counters: Arc<PeerCounters>,
    options: Arc<TcpOptions>,
    out: Mutex<Out>,
    inbox: Mutex<Inbox>,
    /// Bytes of the longest payload that did not fit into a frame.
    longest: AtomicUsize,
    /// There is something to send.
    pub(crate) outgoing: Notify,
    /// The peer was heard of: connect now rather than later.
    pub(crate) heard: Notify,
    /// What all inboxes hold.
    inboxes: Arc<Inboxes>,
    /// Which incoming connection counts; others end.
    pub(crate) claim: Claim,
}

/// What the inboxes of all links hold together.
#[derive(Default)]
pub(crate) struct Inboxes {
    bytes: AtomicUsize,
    /// The loop emptied one.
    room: Notify,
}

/// Frames that wait to be sent.
#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    frames: usize,
    up: bool,
}

/// Bytes before a payload in an inbox.
const INBOX_HEAD: usize = 5;

/// Frames that wait for the loop, as `kind, length (4), payload`.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Link {
    pub(crate) fn new(
        id: NodeId,
        addr: String,
        counters: Arc<PeerCounters>,
        options: Arc<TcpOptions>,
        inboxes: Arc<Inboxes>,
    ) -> Self {
        let claim = Claim::new(Duration::from_millis(options.silence_ms));
        Self {
            id,
            addr,
            counters,
            options,
            out: Mutex::default(),
            inbox: Mutex::default(),
            longest: AtomicUsize::new(0),
            outgoing: Notify::new(),
            heard: Notify::new(),
            inboxes,
            claim,
        }
    }

    pub(crate) fn counters(&self) -> &PeerCounters {
        &self.counters
    }

    /// Queues a machine's message. False if it was dropped.
    pub(crate) fn push_message<'a>(&self, message: &impl Wire<'a>) -> bool {
        let len = message.encoded_len();
        self.push(len, self.options.max_queue_bytes, |bytes| {
            frame::push_message(bytes, message, len);
        })
    }

    /// Queues bytes of the application, which leave a part of the queue to the machine. False if they were dropped.
    pub(crate) fn push_application(&self, payload: &[u8]) -> bool {
        let share = self.options.max_queue_bytes / 4 * 3;
        self.push(payload.len(), share, |bytes| {
            frame::push(bytes, Kind::Application, payload);
        })
    }

    fn push(&self, payload: usize, max_bytes: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let len = frame::len(payload);
        if len > self.options.max_frame_bytes {
            self.drop_oversized(payload, self.options.max_frame_bytes);
            return false;
        }
        let mut out = lock(&self.out);
        let fits = out.frames < self.options.max_queue_frames
            && out.bytes.len().saturating_add(len) <= max_bytes;
        if !out.up || !fits {
            drop(out);
            self.counters().link.dropped.add(1);
            return false;
        }
        write(&mut out.bytes);
        out.frames += 1;
        true
    }

    /// Counts what is longer than the transport takes, and tells of the longest so far: it never arrives, however often it is sent.
    #[cold]
    pub(crate) fn drop_oversized(&self, bytes: usize, max: usize) {
        self.counters().link.dropped.add(1);
        self.counters().link.oversized.add(1);
        if self.longest.fetch_max(bytes, Relaxed) < bytes {
            tracing::error!(
                peer = %self.id, bytes, max,
                "dropped a message that is longer than the transport takes: raise the limit of its frames, or lower the machine's"
            );
        }
    }

    /// Exchanges what waits to be sent for an empty buffer; tells how many frames it is.
    pub(crate) fn take_outgoing(&self, bytes: &mut Vec<u8>) -> usize {
        bytes.clear();
        bytes.shrink_to(1 << 20);
        let mut out = lock(&self.out);
        core::mem::swap(&mut out.bytes, bytes);
        core::mem::take(&mut out.frames)
    }

    /// Whether there is something to send.
    pub(crate) fn has_outgoing(&self) -> bool {
        lock(&self.out).frames > 0
    }

    /// The outgoing connection stands or fell. What waited when it fell is dropped: it is stale when the next one stands.
    pub(crate) fn set_up(&self, up: bool) {
        let mut out = lock(&self.out);
        out.up = up;
        out.bytes.clear();
        let dropped = core::mem::take(&mut out.frames);
        drop(out);
        self.counters().connected.store(up, Relaxed);
        self.counters().link.dropped.add(dropped as u64);
        if up {
            self.counters().link.connects.add(1);
        }
    }

    /// Puts a frame into the inbox.
    pub(crate) fn deliver(&self, kind: Kind, payload: &[u8]) {
        self.inboxes.bytes.fetch_add(INBOX_HEAD + payload.len(), Relaxed);
        let mut inbox = lock(&self.inbox);
        inbox.bytes.push(u8::from(kind == Kind::Application));
        inbox.bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        inbox.bytes.extend_from_slice(payload);
    }

    /// Whether a frame with a payload of this many bytes may be delivered: this link's inbox is below its limit, and all together
    /// stay below theirs. One frame always may.
    pub(crate) fn has_room(&self, payload: usize) -> bool {
        let all = self.inboxes.bytes.load(Relaxed);
        let more = all.saturating_add(INBOX_HEAD + payload);
        lock(&self.inbox).bytes.len() < self.options.max_inbox_bytes
            && (all == 0 || more <= self.options.max_incoming_bytes)
    }

    /// Waits until the inbox has room for such a frame.
    pub(crate) async fn room(&self, payload: usize) {
        loop {
            let room = self.inboxes.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.has_room(payload) {
                return;
            }
            room.await;
        }
    }

    /// Exchanges the inbox for an empty one.
    pub(crate) fn take_inbox(&self, other: &mut Inbox) {
        other.bytes.clear();
        other.bytes.shrink_to(1 << 20);
        let mut inbox = lock(&self.inbox);
        core::mem::swap(&mut *inbox, other);
        drop(inbox);
        if !other.is_empty() {
            self.inboxes.bytes.fetch_sub(other.bytes.len(), Relaxed);
            self.inboxes.room.notify_waiters();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.inboxes.bytes.fetch_sub(lock(&self.inbox).bytes.len(), Relaxed);
        self.inboxes.room.notify_waiters();
    }
}

impl Inbox {
    /// The frames in it: whether it is the application's, and the payload.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut rest = &self.bytes[..];
        core::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<INBOX_HEAD>()?;
            let [application, l0, l1, l2, l3] = *head;
            let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let (payload, next) = tail.split_at_checked(len)?;
            rest = next;
            Some((application == 1, payload))
        })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // buffers are whole whenever somebody may panic
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
