use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use quorate_core::NodeId;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::active_connection::{AlreadyConnected, PeerProcess};
use super::budget::Budget;
use super::frame_reader::{FrameReader, ReadError};
use super::handshakes::{HandshakeSlot, PendingHandshakes};
use super::link::Link;
use super::links::{Links, READMIT_AFTER};
use super::outgoing::{check, count};
use crate::frame::{self, Capabilities, FrameError, Hello, HelloError, Kind};
use crate::priority::Priority;
use crate::{LogLimit, TcpOptions, metrics::Metrics, node::QueryHandler};

/// Takes connections from peers.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub(crate) links: Arc<Links>,
    /// This node's hello; the receiver is filled in.
    pub(crate) hello: Hello,
    pub(crate) options: Arc<TcpOptions>,
    pub(crate) metrics: Arc<Metrics>,
    /// Wakes the loop.
    pub(crate) wake: Arc<Notify>,
    /// Answers queries of nodes that belong to no cluster yet.
    pub(crate) query_handler: Option<QueryHandler>,
    /// Limits lines that others can cause, by subject and origin.
    pub(crate) log_limit: Arc<LogLimit<(&'static str, Option<IpAddr>)>>,
}

/// Why a connection is turned away.
#[derive(Debug)]
enum Refusal {
    Hello(HelloError),
    AlreadyConnected(AlreadyConnected),
}

impl Incoming {
    /// Accepts, for ever.
    pub(crate) async fn run(self, listener: TcpListener) {
        let handshakes = PendingHandshakes::new(self.options.max_pending_handshakes);
        let budget = Arc::new(Budget::new(self.options.max_incoming_bytes));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let (stream, addr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // of the connection that was to be, or a lack of file handles: neither is helped by hurry
                    if let Some(suppressed) = self.log_limit.pass(("accept", None)) {
                        tracing::warn!(%error, suppressed, "cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (slot, evicted_another) = handshakes.admit(addr.ip());
            self.metrics.closed.hello_evicted.add(u64::from(evicted_another));
            connections.spawn(self.clone().serve(stream, addr, slot, budget.clone()));
        }
    }

    async fn serve(
        self,
        mut stream: TcpStream,
        addr: SocketAddr,
        slot: HandshakeSlot,
        budget: Arc<Budget>,
    ) {
        let mut frames = FrameReader::new(frame::MAX_HELLO);
        let limit = Duration::from_millis(self.options.hello_timeout_ms);
        let handshaken = tokio::select! {
            handshaken = timeout(limit, self.handshake(&mut stream, &mut frames, addr)) => handshaken,
            () = slot.evicted() => {
                tracing::debug!(%addr, "closed: others came that may be quicker to say hello");
                return;
            }
        };
        drop(slot);
        let Ok(handshaken) = handshaken else {
            self.metrics.closed.hello_timeout.add(1);
            tracing::debug!(%addr, "closed: no hello in time");
            return;
        };
        let Some((owned, priority, number)) = handshaken else {
            return;
        };
        let link = &*owned;
        let active = &link.channel(priority).active;
        let share = budget.share();
        let evicted = share.evicted();
        frames.raise_limit(self.options.max_frame_bytes, share);
        tokio::select! {
            ended = self.read(link, (priority, number), &mut stream, &mut frames) => {
                self.closed(&ended, addr, Some(link.id));
            }
            () = active.replaced_by_another(number) => {
                tracing::debug!(peer = %link.id, %addr, "closed: the peer made another connection");
            }
            () = evicted.notified() => {
                self.metrics.closed.stalled.add(1);
                if let Some(suppressed) = self.log_limit.pass(("stalled", Some(addr.ip()))) {
                    tracing::warn!(peer = %link.id, %addr, suppressed, "closed: it sent a part of a frame, and others need the memory");
                }
            }
        }
        active.release(number);
        drop((frames, stream));
        if link.begin_departure() {
            // while it is waited for nothing of it is kept here, and one task waits, however often it comes and goes
            let id = link.id;
            drop(owned);
            tokio::time::sleep(READMIT_AFTER).await;
            self.links.forget_absent(id);
        }
    }

    /// Exchanges hellos; `None` if they do not fit.
    async fn handshake(
        &self,
        stream: &mut TcpStream,
        frames: &mut FrameReader,
        addr: SocketAddr,
    ) -> Option<(Arc<Link>, Priority, u64)> {
        let first = match frames.read_frame(stream).await {
            Ok(first) => first,
            Err(error) => {
                self.closed(&error, addr, None);
                return None;
            }
        };
        let mut answer = Vec::new();
        if let (Kind::Query, Some(QueryHandler(handler))) = (first.0, &self.query_handler) {
            frame::push(&mut answer, Kind::QueryResponse, &handler(&first.1));
            // the querying node may be gone
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            return None;
        }
        match self.admit(&first, addr.ip()) {
            Ok((link, theirs, number)) => {
                let capabilities = Capabilities::KEEPALIVE.union(Capabilities::TWO_CONNECTIONS);
                let hello = Hello { receiver: theirs.sender, capabilities, ..self.hello.clone() };
                frame::push(&mut answer, Kind::Hello, &hello.to_bytes());
                let priority = priority_of(&theirs);
                if stream.write_all(&answer).await.is_err() {
                    link.channel(priority).active.release(number);
                    return None;
                }
                // it is there: no need to wait before connecting to it
                link.reconnect.notify_one();
                Some((link, priority, number))
            }
            Err(error) => {
                let class = self.count(&error);
                if let Some(suppressed) = self.log_limit.pass((class, Some(addr.ip()))) {
                    tracing::warn!(%addr, suppressed, "refused a connection: {error}");
                }
                frame::push(&mut answer, Kind::Refusal, error.to_string().as_bytes());
                // it may be gone already
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                None
            }
        }
    }

    /// Lets a connection in, as the one of its link that counts.
    fn admit(
        &self,
        first: &(Kind, Vec<u8>),
        from: IpAddr,
    ) -> Result<(Arc<Link>, Hello, u64), Refusal> {
        let (link, theirs) = self.validate_hello(first).map_err(Refusal::Hello)?;
        let process = PeerProcess { incarnation: theirs.incarnation, from };
        let active = &link.channel(priority_of(&theirs)).active;
        let number = active.replace(process).map_err(Refusal::AlreadyConnected)?;
        // a peer that came by itself may have been forgotten in between
        if !self.links.get(link.id).is_some_and(|now| Arc::ptr_eq(&now, &link)) {
            active.release(number);
            return Err(Refusal::Hello(HelloError::Sender(link.id)));
        }
        // not before: a hello that is refused must not lead this node elsewhere
        link.set_announced_address(&theirs.address);
        Ok((link, theirs, number))
    }

    /// Counts a refusal, and names its kind.
    fn count(&self, refusal: &Refusal) -> &'static str {
        match refusal {
            Refusal::Hello(error) => {
                count(&self.metrics, error);
                match error {
                    HelloError::Malformed => "malformed",
                    HelloError::Version(_) => "version",
                    HelloError::Cluster { .. } => "cluster",
                    HelloError::Receiver(_) => "receiver",
                    HelloError::Sender(_) => "sender",
                }
            }
            Refusal::AlreadyConnected(_) => {
                self.metrics.closed.already_connected.add(1);
                "already connected"
            }
        }
    }

    /// Whose hello it is, if it is one for us.
    fn validate_hello(
        &self,
        (kind, payload): &(Kind, Vec<u8>),
    ) -> Result<(Arc<Link>, Hello), HelloError> {
        if *kind != Kind::Hello {
            return Err(HelloError::Malformed);
        }
        let theirs = Hello::from_bytes(payload)?;
        check(&theirs, &self.hello)?;
        let sender = theirs.sender;
        if self.links.get(sender).is_none()
            && self.may_accept_unknown(&theirs)
            && self.links.accept_unknown(sender, &theirs.address)
        {
            // one that this node has not heard of yet: a new leader's log may be needed to hear of it
            if let Some(suppressed) = self.log_limit.pass(("unknown", None)) {
                tracing::info!(peer = %sender, addr = theirs.address, suppressed, "a node of this cluster that was not known here");
            }
            self.wake.notify_one();
        }
        let link = self.links.get(sender).ok_or(HelloError::Sender(sender))?;
        Ok((link, theirs))
    }

    /// Whether an unknown node may become a peer if there is room: it says where it is reached.
    fn may_accept_unknown(&self, theirs: &Hello) -> bool {
        !theirs.address.is_empty()
            && theirs.sender != self.hello.sender
            && !self.links.was_disconnected_recently(theirs.sender)
    }

    /// Hands frames to the loop until the connection ends.
    async fn read(
        &self,
        link: &Link,
        (priority, number): (Priority, u64),
        stream: &mut TcpStream,
        frames: &mut FrameReader,
    ) -> ReadError {
        let counters = &link.counters().link;
        loop {
            let (mut heard, mut delivered) = (false, 0);
            let ended = loop {
                match frames.next() {
                    Ok(Some((kind @ (Kind::Message | Kind::Application), payload))) => {
                        if !link.has_room(priority, payload.len()) {
                            self.wake.notify_one();
                            // when the loop falls behind, the peer's own queue fills up
                            link.wait_for_room(priority, payload.len()).await;
                        }
                        link.deliver(priority, kind, payload);
                        (heard, delivered) = (true, delivered + 1);
                    }
                    Ok(Some((Kind::KeepAlive, _))) => heard = true,
                    Ok(Some(_)) => break Some(FrameError::Malformed),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if heard {
                link.channel(priority).active.frame_received(number);
            }
            if delivered > 0 {
                counters.frames_in.add(delivered);
                self.wake.notify_one();
            }
            if let Some(error) = ended {
                return ReadError::Frame(error);
            }
            match frames.fill(stream).await {
                Ok(n) => counters.bytes_in.add(n as u64),
                Err(error) => return error,
            }
        }
    }

    fn closed(&self, error: &ReadError, addr: SocketAddr, peer: Option<NodeId>) {
        let closed = &self.metrics.closed;
        let what = match error {
            ReadError::Closed => {
                tracing::debug!(%addr, ?peer, "closed by the other side");
                return;
            }
            ReadError::Truncated => {
                closed.truncated.add(1);
                "it ended within a frame".to_owned()
            }
            ReadError::Frame(error) => {
                match error {
                    FrameError::Oversized => closed.oversized.add(1),
                    FrameError::Malformed => closed.malformed.add(1),
                }
                error.to_string()
            }
            ReadError::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                tracing::debug!(%addr, ?peer, "closed by the other side");
                return;
            }
            ReadError::Io(error) => error.to_string(),
        };
        match peer {
            Some(peer) => {
                if let Some(suppressed) = self.log_limit.pass(("closed", Some(addr.ip()))) {
                    tracing::warn!(%addr, %peer, suppressed, "closed a connection: {what}");
                }
            }
            // anybody can connect: that must not fill the log
            None => tracing::debug!(%addr, "closed a connection: {what}"),
        }
    }
}

/// The priority of a connection, by its hello.
const fn priority_of(hello: &Hello) -> Priority {
    if hello.capabilities.contains(Capabilities::BULK_CONNECTION) {
        Priority::Bulk
    } else {
        Priority::Urgent
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(error) => error.fmt(f),
            Self::AlreadyConnected(error) => error.fmt(f),
        }
    }
}
