use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::{NodeId, Wire};
use tokio::sync::Notify;

use super::active_connection::ActiveConnection;
use super::inbox::{HEADER, Inbox, InboxTotals};
use crate::TcpOptions;
use crate::frame::{self, Kind};
use crate::metrics::PeerCounters;
use crate::priority::Priority;

/// Both directions between this node and one peer, as the loop sees them: buffers of bytes, two each way.
pub(crate) struct Link {
    pub(crate) id: NodeId,
    pub(crate) addr: String,
    counters: Arc<PeerCounters>,
    options: Arc<TcpOptions>,
    send_queues: Mutex<SendQueues>,
    urgent: Channel,
    bulk: Channel,
    /// Bytes of the longest payload that did not fit into a frame.
    longest_dropped: AtomicUsize,
    /// The peer connected: connect to it now rather than later.
    pub(crate) reconnect: Notify,
    /// The address that the peer announced, if it differs.
    announced_address: Mutex<Option<String>>,
    /// The application configured it; otherwise the peer connected by itself, and is removed with
    /// its connections.
    configured: AtomicBool,
    /// A task waits whether the peer comes back.
    departing: AtomicBool,
    /// What all inboxes hold.
    inbox_totals: Arc<InboxTotals>,
}

/// What a link has for each priority.
pub(crate) struct Channel {
    /// There is something to send.
    pub(crate) outgoing: Notify,
    inbox: Mutex<Inbox>,
    /// Which incoming connection counts; others end.
    pub(crate) active: ActiveConnection,
}

/// Frames that wait to be sent.
#[derive(Default)]
struct SendQueues {
    urgent: Queue,
    bulk: Queue,
    up: bool,
    /// There is a connection for each priority; otherwise everything waits, in its order, in the
    /// urgent queue.
    two_connections: bool,
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
        inbox_totals: Arc<InboxTotals>,
    ) -> Self {
        let channel = || Channel {
            outgoing: Notify::new(),
            inbox: Mutex::default(),
            active: ActiveConnection::new(Duration::from_millis(options.keepalive_timeout_ms)),
        };
        let (urgent, bulk) = (channel(), channel());
        let send_queues = Mutex::default();
        Self {
            id,
            addr,
            counters,
            options,
            send_queues,
            urgent,
            bulk,
            longest_dropped: AtomicUsize::new(0),
            reconnect: Notify::new(),
            announced_address: Mutex::default(),
            configured: AtomicBool::new(false),
            departing: AtomicBool::new(false),
            inbox_totals,
        }
    }

    pub(crate) fn counters(&self) -> &PeerCounters {
        &self.counters
    }

    /// The peer announced its address in a hello.
    pub(crate) fn set_announced_address(&self, address: &str) {
        let elsewhere = !address.is_empty() && address != self.addr;
        *lock(&self.announced_address) = elsewhere.then(|| address.to_owned());
    }

    /// The address that the peer announced, if it differs from the configured one.
    pub(crate) fn announced_address(&self) -> Option<String> {
        lock(&self.announced_address).clone()
    }

    pub(crate) fn mark_configured(&self) {
        self.configured.store(true, Relaxed);
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.configured.load(Relaxed)
    }

    /// Whether the peer came by itself, and has no connection to this node.
    pub(crate) fn is_absent(&self) -> bool {
        !self.is_configured() && self.urgent.active.is_none() && self.bulk.active.is_none()
    }

    /// Whether the peer [is absent](Self::is_absent), and nobody waits yet for it to come back: true
    /// once, until [`cancel_departure`](Self::cancel_departure).
    pub(crate) fn begin_departure(&self) -> bool {
        self.is_absent() && !self.departing.swap(true, Relaxed)
    }

    /// It came back, or is kept for another reason.
    pub(crate) fn cancel_departure(&self) {
        self.departing.store(false, Relaxed);
    }

    pub(crate) const fn channel(&self, priority: Priority) -> &Channel {
        match priority {
            Priority::Urgent => &self.urgent,
            Priority::Bulk => &self.bulk,
        }
    }

    /// Queues a machine's message. False if it was dropped.
    pub(crate) fn push_message<'a>(&self, message: &impl Wire<'a>, priority: Priority) -> bool {
        let len = message.encoded_len();
        let max = self.options.max_queue_bytes;
        // what is urgent is little, and has room of its own
        let max = if priority == Priority::Urgent { max.saturating_add(max / 8) } else { max };
        self.push(priority, len, max, |bytes| frame::push_message(bytes, message, len))
    }

    /// Queues bytes of the application, which leave a part of the queue to the machine. False if they were dropped.
    pub(crate) fn push_application(&self, payload: &[u8]) -> bool {
        let share = self.options.max_queue_bytes / 4 * 3;
        self.push(Priority::Bulk, payload.len(), share, |bytes| {
            frame::push(bytes, Kind::Application, payload);
        })
    }

    fn push(
        &self,
        priority: Priority,
        payload: usize,
        max_bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let len = frame::len(payload);
        if len > self.options.max_frame_bytes {
            self.drop_oversized(payload, self.options.max_frame_bytes);
            return false;
        }
        let mut send_queues = lock(&self.send_queues);
        let queue = send_queues.queue(priority);
        let fits = queue.frames < self.options.max_queue_frames
            && send_queues.bytes().saturating_add(len) <= max_bytes;
        if !send_queues.up || !fits {
            drop(send_queues);
            self.counters().link.dropped.add(1);
            return false;
        }
        let queue = send_queues.queue(priority);
        write(&mut queue.bytes);
        queue.frames += 1;
        true
    }

    /// Counts what is longer than the transport takes, and tells of the longest so far: it never arrives, however often it is sent.
    #[cold]
    pub(crate) fn drop_oversized(&self, bytes: usize, max: usize) {
        self.counters().link.dropped.add(1);
        self.counters().link.oversized.add(1);
        if self.longest_dropped.fetch_max(bytes, Relaxed) < bytes {
            tracing::error!(
                peer = %self.id, bytes, max,
                "dropped a message that is longer than the transport takes: raise the limit of its frames, or lower the machine's"
            );
        }
    }

    /// Tells the connections that something was queued.
    pub(crate) fn flush(&self) {
        let send_queues = lock(&self.send_queues);
        let (urgent, bulk) = (send_queues.urgent.frames > 0, send_queues.bulk.frames > 0);
        drop(send_queues);
        if urgent {
            self.urgent.outgoing.notify_one();
        }
        if bulk {
            self.bulk.outgoing.notify_one();
        }
    }

    /// Exchanges what waits to be sent for an empty buffer; tells how many frames it is.
    pub(crate) fn take_outgoing(&self, priority: Priority, bytes: &mut Vec<u8>) -> usize {
        bytes.clear();
        bytes.shrink_to(1 << 20);
        let mut send_queues = lock(&self.send_queues);
        let queue = send_queues.queue(priority);
        core::mem::swap(&mut queue.bytes, bytes);
        core::mem::take(&mut queue.frames)
    }

    /// Whether there is something to send.
    pub(crate) fn has_outgoing(&self, priority: Priority) -> bool {
        lock(&self.send_queues).queue(priority).frames > 0
    }

    /// The outgoing connection stands, with one for bulk beside it or not. What waited before is dropped: it is stale.
    pub(crate) fn set_up(&self, two_connections: bool) {
        self.reset_queues(SendQueues { up: true, two_connections, ..SendQueues::default() });
        self.counters().link.connects.add(1);
    }

    /// The outgoing connection fell. What waited is dropped: it is stale when the next one stands.
    pub(crate) fn set_down(&self) {
        self.reset_queues(SendQueues::default());
    }

    fn reset_queues(&self, queues: SendQueues) {
        let up = queues.up;
        let before = core::mem::replace(&mut *lock(&self.send_queues), queues);
        let dropped = before.urgent.frames + before.bulk.frames;
        self.counters().connected.store(up, Relaxed);
        self.counters().link.dropped.add(dropped as u64);
    }

    /// Puts a frame into an inbox.
    pub(crate) fn deliver(&self, priority: Priority, kind: Kind, payload: &[u8]) {
        self.inbox_totals.bytes.fetch_add(HEADER + payload.len(), Relaxed);
        lock(&self.channel(priority).inbox).push(kind, payload);
    }

    /// Whether a frame with a payload of this many bytes may be delivered: this inbox is below its limit, and all together stay below
    /// theirs. One frame always may.
    pub(crate) fn has_room(&self, priority: Priority, payload: usize) -> bool {
        let all = self.inbox_totals.bytes.load(Relaxed);
        let more = all.saturating_add(HEADER + payload);
        let max = self.options.max_incoming_bytes;
        // bulk that waits must not keep out what is urgent
        let max = if priority == Priority::Urgent { max.saturating_add(max / 8) } else { max };
        lock(&self.channel(priority).inbox).len() < self.options.max_inbox_bytes
            && (all == 0 || more <= max)
    }

    /// Waits until the inbox has room for such a frame.
    pub(crate) async fn wait_for_room(&self, priority: Priority, payload: usize) {
        loop {
            let room = self.inbox_totals.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.has_room(priority, payload) {
                return;
            }
            room.await;
        }
    }

    /// Takes frames of so many bytes at most, but at least one, in the place of what is in `other`; tells whether there are more.
    pub(crate) fn take_inbox(&self, priority: Priority, other: &mut Inbox, max: usize) -> bool {
        let mut inbox = lock(&self.channel(priority).inbox);
        inbox.take(other, max);
        let more = !inbox.is_empty();
        drop(inbox);
        self.inbox_totals.taken(other.len());
        more
    }

    /// Incoming connections end.
    pub(crate) fn close_incoming(&self) {
        self.urgent.active.close();
        self.bulk.active.close();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.inbox_totals.taken(lock(&self.urgent.inbox).len() + lock(&self.bulk.inbox).len());
    }
}

impl SendQueues {
    const fn queue(&mut self, priority: Priority) -> &mut Queue {
        match priority {
            Priority::Bulk if self.two_connections => &mut self.bulk,
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
    fn departure_is_awaited_once() {
        let options = Arc::new(TcpOptions::default());
        let link =
            Link::new(NodeId::new(2), String::new(), Arc::default(), options, Arc::default());
        assert!(link.is_absent() && link.begin_departure());
        assert!(!link.begin_departure() && !link.begin_departure(), "somebody waits already");
        link.cancel_departure();
        assert!(link.begin_departure());
    }

    #[test]
    fn queued_bytes_are_bounded_with_room_for_urgent_messages() {
        const MAX: usize = 1 << 20;
        let options =
            TcpOptions { max_queue_bytes: MAX, max_frame_bytes: MAX, ..TcpOptions::default() };
        let (counters, inbox_totals) = (Arc::default(), Arc::default());
        let link =
            Link::new(NodeId::new(2), String::new(), counters, Arc::new(options), inbox_totals);
        assert!(!link.push_application(b"down"));
        for two_connections in [true, false] {
            link.set_up(two_connections);
            while link.push_application(&[0; 10_000]) {}
            let bytes = lock(&link.send_queues).bytes();
            assert!(bytes <= MAX / 4 * 3, "the application leaves a part to the machine");
            while link.push_message(&Bytes(10_000), Priority::Bulk) {}
            let bytes = lock(&link.send_queues).bytes();
            assert!((MAX - 20_000..=MAX).contains(&bytes), "{bytes}");
            while link.push_message(&Bytes(100), Priority::Urgent) {}
            let bytes = lock(&link.send_queues).bytes();
            assert!((MAX + MAX / 8 - 200..=MAX + MAX / 8).contains(&bytes), "{bytes}");
            let mut urgent = Vec::new();
            link.take_outgoing(Priority::Urgent, &mut urgent);
            assert_eq!(
                urgent.len() <= MAX / 8 + 20_000,
                two_connections,
                "it is separate if there are two connections"
            );
        }
    }
}
