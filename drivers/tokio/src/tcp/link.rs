use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::{NodeId, Wire};
use tokio::sync::Notify;

use super::claim::Claim;
use super::inbox::{HEAD, Inbox, Inboxes};
use crate::TcpOptions;
use crate::app::Lane;
use crate::frame::{self, Kind};
use crate::metrics::PeerCounters;

/// Both directions between this node and one peer, as the loop sees them: buffers of bytes, two each way.
pub(crate) struct Link {
    pub(crate) id: NodeId,
    pub(crate) addr: String,
    counters: Arc<PeerCounters>,
    options: Arc<TcpOptions>,
    out: Mutex<Out>,
    urgent: Side,
    bulk: Side,
    /// Bytes of the longest payload that did not fit into a frame.
    longest: AtomicUsize,
    /// The peer was heard of: connect now rather than later.
    pub(crate) heard: Notify,
    /// Where the peer says that it is, if that is elsewhere.
    said: Mutex<Option<String>>,
    /// The application wants it; otherwise the peer came by itself, and goes with its connections.
    named: AtomicBool,
    /// Somebody waits whether the peer comes back.
    leaving: AtomicBool,
    /// What all inboxes hold.
    inboxes: Arc<Inboxes>,
}

/// What a link has for each lane.
pub(crate) struct Side {
    /// There is something to send.
    pub(crate) outgoing: Notify,
    inbox: Mutex<Inbox>,
    /// Which incoming connection counts; others end.
    pub(crate) claim: Claim,
}

/// Frames that wait to be sent.
#[derive(Default)]
struct Out {
    urgent: Queue,
    bulk: Queue,
    up: bool,
    /// There is a connection for each lane; otherwise everything waits, in its order, where what is urgent does.
    split: bool,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    frames: usize,
}

impl Link {
    pub(crate) fn new(
        id: NodeId,
        addr: String,
        counters: Arc<PeerCounters>,
        options: Arc<TcpOptions>,
        inboxes: Arc<Inboxes>,
    ) -> Self {
        let side = || Side {
            outgoing: Notify::new(),
            inbox: Mutex::default(),
            claim: Claim::new(Duration::from_millis(options.silence_ms)),
        };
        let (urgent, bulk) = (side(), side());
        let out = Mutex::default();
        Self {
            id,
            addr,
            counters,
            options,
            out,
            urgent,
            bulk,
            longest: AtomicUsize::new(0),
            heard: Notify::new(),
            said: Mutex::default(),
            named: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            inboxes,
        }
    }

    pub(crate) fn counters(&self) -> &PeerCounters {
        &self.counters
    }

    /// The peer said in a hello where it is reached.
    pub(crate) fn says(&self, address: &str) {
        let elsewhere = !address.is_empty() && address != self.addr;
        *lock(&self.said) = elsewhere.then(|| address.to_owned());
    }

    /// Where the peer says that it is, if that is elsewhere than this node was told.
    pub(crate) fn said(&self) -> Option<String> {
        lock(&self.said).clone()
    }

    pub(crate) fn name(&self) {
        self.named.store(true, Relaxed);
    }

    pub(crate) fn is_named(&self) -> bool {
        self.named.load(Relaxed)
    }

    /// Whether the peer came by itself, and has no connection to this node.
    pub(crate) fn is_absent(&self) -> bool {
        !self.is_named() && self.urgent.claim.is_free() && self.bulk.claim.is_free()
    }

    /// Whether the peer [is absent](Self::is_absent), and nobody waits yet for it to come back: true
    /// once, until [`stays`](Self::stays).
    pub(crate) fn leaves(&self) -> bool {
        self.is_absent() && !self.leaving.swap(true, Relaxed)
    }

    /// It came back, or is kept for another reason.
    pub(crate) fn stays(&self) {
        self.leaving.store(false, Relaxed);
    }

    pub(crate) const fn side(&self, lane: Lane) -> &Side {
        match lane {
            Lane::Urgent => &self.urgent,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Queues a machine's message. False if it was dropped.
    pub(crate) fn push_message<'a>(&self, message: &impl Wire<'a>, lane: Lane) -> bool {
        let len = message.encoded_len();
        let max = self.options.max_queue_bytes;
        // what is urgent is little, and has room of its own
        let max = if lane == Lane::Urgent { max.saturating_add(max / 8) } else { max };
        self.push(lane, len, max, |bytes| frame::push_message(bytes, message, len))
    }

    /// Queues bytes of the application, which leave a part of the queue to the machine. False if they were dropped.
    pub(crate) fn push_application(&self, payload: &[u8]) -> bool {
        let share = self.options.max_queue_bytes / 4 * 3;
        self.push(Lane::Bulk, payload.len(), share, |bytes| {
            frame::push(bytes, Kind::Application, payload);
        })
    }

    fn push(
        &self,
        lane: Lane,
        payload: usize,
        max_bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let len = frame::len(payload);
        if len > self.options.max_frame_bytes {
            self.drop_oversized(payload, self.options.max_frame_bytes);
            return false;
        }
        let mut out = lock(&self.out);
        let queue = out.queue(lane);
        let fits = queue.frames < self.options.max_queue_frames
            && out.bytes().saturating_add(len) <= max_bytes;
        if !out.up || !fits {
            drop(out);
            self.counters().link.dropped.add(1);
            return false;
        }
        let queue = out.queue(lane);
        write(&mut queue.bytes);
        queue.frames += 1;
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

    /// Tells the connections that something was queued.
    pub(crate) fn flush(&self) {
        let out = lock(&self.out);
        let (urgent, bulk) = (out.urgent.frames > 0, out.bulk.frames > 0);
        drop(out);
        if urgent {
            self.urgent.outgoing.notify_one();
        }
        if bulk {
            self.bulk.outgoing.notify_one();
        }
    }

    /// Exchanges what waits to be sent for an empty buffer; tells how many frames it is.
    pub(crate) fn take_outgoing(&self, lane: Lane, bytes: &mut Vec<u8>) -> usize {
        bytes.clear();
        bytes.shrink_to(1 << 20);
        let mut out = lock(&self.out);
        let queue = out.queue(lane);
        core::mem::swap(&mut queue.bytes, bytes);
        core::mem::take(&mut queue.frames)
    }

    /// Whether there is something to send.
    pub(crate) fn has_outgoing(&self, lane: Lane) -> bool {
        lock(&self.out).queue(lane).frames > 0
    }

    /// The outgoing connection stands, with one for bulk beside it or not. What waited before is dropped: it is stale.
    pub(crate) fn set_up(&self, split: bool) {
        self.restart(Out { up: true, split, ..Out::default() });
        self.counters().link.connects.add(1);
    }

    /// The outgoing connection fell. What waited is dropped: it is stale when the next one stands.
    pub(crate) fn set_down(&self) {
        self.restart(Out::default());
    }

    fn restart(&self, fresh: Out) {
        let up = fresh.up;
        let before = core::mem::replace(&mut *lock(&self.out), fresh);
        let dropped = before.urgent.frames + before.bulk.frames;
        self.counters().connected.store(up, Relaxed);
        self.counters().link.dropped.add(dropped as u64);
    }

    /// Puts a frame into an inbox.
    pub(crate) fn deliver(&self, lane: Lane, kind: Kind, payload: &[u8]) {
        self.inboxes.bytes.fetch_add(HEAD + payload.len(), Relaxed);
        lock(&self.side(lane).inbox).push(kind, payload);
    }

    /// Whether a frame with a payload of this many bytes may be delivered: this inbox is below its limit, and all together stay below
    /// theirs. One frame always may.
    pub(crate) fn has_room(&self, lane: Lane, payload: usize) -> bool {
        let all = self.inboxes.bytes.load(Relaxed);
        let more = all.saturating_add(HEAD + payload);
        let max = self.options.max_incoming_bytes;
        // bulk that waits must not keep out what is urgent
        let max = if lane == Lane::Urgent { max.saturating_add(max / 8) } else { max };
        lock(&self.side(lane).inbox).len() < self.options.max_inbox_bytes
            && (all == 0 || more <= max)
    }

    /// Waits until the inbox has room for such a frame.
    pub(crate) async fn room(&self, lane: Lane, payload: usize) {
        loop {
            let room = self.inboxes.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.has_room(lane, payload) {
                return;
            }
            room.await;
        }
    }

    /// Takes frames of so many bytes at most, but at least one, in the place of what is in `other`; tells whether there are more.
    pub(crate) fn take_inbox(&self, lane: Lane, other: &mut Inbox, max: usize) -> bool {
        let mut inbox = lock(&self.side(lane).inbox);
        inbox.take(other, max);
        let more = !inbox.is_empty();
        drop(inbox);
        self.inboxes.taken(other.len());
        more
    }

    /// Incoming connections end.
    pub(crate) fn revoke(&self) {
        self.urgent.claim.revoke();
        self.bulk.claim.revoke();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.inboxes.taken(lock(&self.urgent.inbox).len() + lock(&self.bulk.inbox).len());
    }
}

impl Out {
    const fn queue(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Bulk if self.split => &mut self.bulk,
            _ => &mut self.urgent,
        }
    }

    const fn bytes(&self) -> usize {
        self.urgent.bytes.len() + self.bulk.bytes.len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // buffers are whole whenever somebody may panic
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(usize);

    impl Wire<'_> for Bytes {
        fn encode(&self, out: &mut quorate_core::Writer<'_>) {
            out.bytes(&vec![0; self.0]);
        }
        fn decode(input: &mut quorate_core::Reader<'_>) -> Result<Self, quorate_core::DecodeError> {
            Ok(Self(input.bytes()?.len()))
        }
    }

    #[test]
    fn one_waits_for_a_peer_that_left_however_often_it_leaves() {
        let options = Arc::new(TcpOptions::default());
        let link =
            Link::new(NodeId::new(2), String::new(), Arc::default(), options, Arc::default());
        assert!(link.is_absent() && link.leaves());
        assert!(!link.leaves() && !link.leaves(), "somebody waits already");
        link.stays();
        assert!(link.leaves());
    }

    #[test]
    fn what_waits_for_a_link_is_bounded_and_leaves_room_for_what_is_urgent() {
        const MAX: usize = 1 << 20;
        let options =
            TcpOptions { max_queue_bytes: MAX, max_frame_bytes: MAX, ..TcpOptions::default() };
        let (counters, inboxes) = (Arc::default(), Arc::default());
        let link = Link::new(NodeId::new(2), String::new(), counters, Arc::new(options), inboxes);
        assert!(!link.push_application(b"down"));
        for split in [true, false] {
            link.set_up(split);
            while link.push_application(&[0; 10_000]) {}
            let bytes = lock(&link.out).bytes();
            assert!(bytes <= MAX / 4 * 3, "the application leaves a part to the machine");
            while link.push_message(&Bytes(10_000), Lane::Bulk) {}
            let bytes = lock(&link.out).bytes();
            assert!((MAX - 20_000..=MAX).contains(&bytes), "{bytes}");
            while link.push_message(&Bytes(100), Lane::Urgent) {}
            let bytes = lock(&link.out).bytes();
            assert!((MAX + MAX / 8 - 200..=MAX + MAX / 8).contains(&bytes), "{bytes}");
            let mut urgent = Vec::new();
            link.take_outgoing(Lane::Urgent, &mut urgent);
            assert_eq!(
                urgent.len() <= MAX / 8 + 20_000,
                split,
                "it is apart if there are two lanes"
            );
        }
    }
}
