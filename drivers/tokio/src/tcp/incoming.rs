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

use super::budget::Budget;
use super::claim::{Claimant, Occupied};
use super::connection::{Frames, ReadError};
use super::link::Link;
use super::links::{AWAY, Links};
use super::outgoing::{check, count};
use super::silent::{Place, Silent};
use crate::app::Lane;
use crate::frame::{self, Abilities, FrameError, Hello, HelloError, Kind};
use crate::{LogLimit, TcpOptions, metrics::Metrics, node::Answerer};

/// Takes connections from peers.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub(crate) links: Arc<Links>,
    /// What this node says of itself; the receiver is filled in.
    pub(crate) hello: Hello,
    pub(crate) options: Arc<TcpOptions>,
    pub(crate) metrics: Arc<Metrics>,
    /// Wakes the loop.
    pub(crate) wake: Arc<Notify>,
    /// Answers questions of those that belong to no cluster yet.
    pub(crate) answerer: Option<Answerer>,
    /// Lines that others can cause, by what they are about and who caused them.
    pub(crate) lines: Arc<LogLimit<(&'static str, Option<IpAddr>)>>,
}

/// Why a connection is turned away.
#[derive(Debug)]
enum Refusal {
    Hello(HelloError),
    Occupied(Occupied),
}

impl Incoming {
    /// Accepts, for ever.
    pub(crate) async fn run(self, listener: TcpListener) {
        let silent = Silent::new(self.options.max_silent_connections);
        let budget = Arc::new(Budget::new(self.options.max_incoming_bytes));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let (stream, addr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // of the connection that was to be, or a lack of file handles: neither is helped by hurry
                    if let Some(suppressed) = self.lines.pass(("accept", None)) {
                        tracing::warn!(%error, suppressed, "cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (place, crowded) = silent.admit(addr.ip());
            self.metrics.closed.too_many.add(u64::from(crowded));
            connections.spawn(self.clone().serve(stream, addr, place, budget.clone()));
        }
    }

    async fn serve(
        self,
        mut stream: TcpStream,
        addr: SocketAddr,
        place: Place,
        budget: Arc<Budget>,
    ) {
        let mut frames = Frames::new(frame::MAX_HELLO);
        let limit = Duration::from_millis(self.options.hello_timeout_ms);
        let met = tokio::select! {
            met = timeout(limit, self.meet(&mut stream, &mut frames, addr)) => met,
            () = place.wanted() => {
                tracing::debug!(%addr, "closed: others came that may be quicker to say hello");
                return;
            }
        };
        drop(place);
        let Ok(met) = met else {
            self.metrics.closed.silent.add(1);
            tracing::debug!(%addr, "closed: no hello in time");
            return;
        };
        let Some((owned, lane, mine)) = met else {
            return;
        };
        let link = &*owned;
        let claim = &link.side(lane).claim;
        let share = budget.share();
        let evicted = share.evicted();
        frames.raise(self.options.max_frame_bytes, share);
        tokio::select! {
            ended = self.read(link, (lane, mine), &mut stream, &mut frames) => {
                self.closed(&ended, addr, Some(link.id));
            }
            () = claim.lost(mine) => {
                tracing::debug!(peer = %link.id, %addr, "closed: the peer made another connection");
            }
            () = evicted.notified() => {
                self.metrics.closed.stalled.add(1);
                if let Some(suppressed) = self.lines.pass(("stalled", Some(addr.ip()))) {
                    tracing::warn!(peer = %link.id, %addr, suppressed, "closed: it sent a part of a frame, and others need the memory");
                }
            }
        }
        claim.release(mine);
        drop((frames, stream));
        if link.leaves() {
            // while it is waited for nothing of it is kept here, and one task waits, however often it comes and goes
            let id = link.id;
            drop(owned);
            tokio::time::sleep(AWAY).await;
            self.links.forget_absent(id);
        }
    }

    /// Exchanges hellos; `None` if they do not fit.
    async fn meet(
        &self,
        stream: &mut TcpStream,
        frames: &mut Frames,
        addr: SocketAddr,
    ) -> Option<(Arc<Link>, Lane, u64)> {
        let first = match frames.wait(stream).await {
            Ok(first) => first,
            Err(error) => {
                self.closed(&error, addr, None);
                return None;
            }
        };
        let mut answer = Vec::new();
        if let (Kind::Question, Some(Answerer(ask))) = (first.0, &self.answerer) {
            frame::push(&mut answer, Kind::Answer, &ask(&first.1));
            // whoever asked may be gone
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            return None;
        }
        match self.admit(&first, addr.ip()) {
            Ok((link, theirs, mine)) => {
                let abilities = Abilities::IDLE.and(Abilities::LANES);
                let hello = Hello { receiver: theirs.sender, abilities, ..self.hello.clone() };
                frame::push(&mut answer, Kind::Hello, &hello.to_bytes());
                let lane = lane_of(&theirs);
                if stream.write_all(&answer).await.is_err() {
                    link.side(lane).claim.release(mine);
                    return None;
                }
                // it is there: no need to wait before connecting to it
                link.heard.notify_one();
                Some((link, lane, mine))
            }
            Err(error) => {
                let class = self.count(&error);
                if let Some(suppressed) = self.lines.pass((class, Some(addr.ip()))) {
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
        let (link, theirs) = self.judge(first).map_err(Refusal::Hello)?;
        let claimant = Claimant { incarnation: theirs.incarnation, from };
        let claim = &link.side(lane_of(&theirs)).claim;
        let mine = claim.take(claimant).map_err(Refusal::Occupied)?;
        // a peer that came by itself may have been forgotten in between
        if !self.links.get(link.id).is_some_and(|now| Arc::ptr_eq(&now, &link)) {
            claim.release(mine);
            return Err(Refusal::Hello(HelloError::Sender(link.id)));
        }
        // not before: a hello that is refused must not lead this node elsewhere
        link.says(&theirs.address);
        Ok((link, theirs, mine))
    }

    /// Counts a refusal, and names its kind.
    fn count(&self, refusal: &Refusal) -> &'static str {
        match refusal {
            Refusal::Hello(error) => {
                count(&self.metrics, error);
                match error {
                    HelloError::Garbage => "garbage",
                    HelloError::Version(_) => "version",
                    HelloError::Cluster { .. } => "cluster",
                    HelloError::Receiver(_) => "receiver",
                    HelloError::Sender(_) => "sender",
                }
            }
            Refusal::Occupied(_) => {
                self.metrics.closed.occupied.add(1);
                "occupied"
            }
        }
    }

    /// Whose hello it is, if it is one for us.
    fn judge(&self, (kind, payload): &(Kind, Vec<u8>)) -> Result<(Arc<Link>, Hello), HelloError> {
        if *kind != Kind::Hello {
            return Err(HelloError::Garbage);
        }
        let theirs = Hello::from_bytes(payload)?;
        check(&theirs, &self.hello)?;
        let sender = theirs.sender;
        if self.links.get(sender).is_none()
            && self.welcomes(&theirs)
            && self.links.welcome(sender, &theirs.address)
        {
            // one that this node has not heard of yet: a new leader's log may be needed to hear of it
            if let Some(suppressed) = self.lines.pass(("unknown", None)) {
                tracing::info!(peer = %sender, addr = theirs.address, suppressed, "a node of this cluster that was not known here");
            }
            self.wake.notify_one();
        }
        let link = self.links.get(sender).ok_or(HelloError::Sender(sender))?;
        Ok((link, theirs))
    }

    /// Whether an unknown node may become a peer if there is room: it says where it is reached.
    fn welcomes(&self, theirs: &Hello) -> bool {
        !theirs.address.is_empty()
            && theirs.sender != self.hello.sender
            && !self.links.is_gone(theirs.sender)
    }

    /// Hands frames to the loop until the connection ends.
    async fn read(
        &self,
        link: &Link,
        (lane, mine): (Lane, u64),
        stream: &mut TcpStream,
        frames: &mut Frames,
    ) -> ReadError {
        let counters = &link.counters().link;
        loop {
            let (mut heard, mut delivered) = (false, 0);
            let ended = loop {
                match frames.next() {
                    Ok(Some((kind @ (Kind::Message | Kind::Application), payload))) => {
                        if !link.has_room(lane, payload.len()) {
                            self.wake.notify_one();
                            // when the loop falls behind, the peer's own queue fills up
                            link.room(lane, payload.len()).await;
                        }
                        link.deliver(lane, kind, payload);
                        (heard, delivered) = (true, delivered + 1);
                    }
                    Ok(Some((Kind::Idle, _))) => heard = true,
                    Ok(Some(_)) => break Some(FrameError::Garbage),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if heard {
                link.side(lane).claim.heard(mine);
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
            ReadError::HalfFrame => {
                closed.half_frame.add(1);
                "it ended within a frame".to_owned()
            }
            ReadError::Frame(error) => {
                match error {
                    FrameError::Oversized => closed.oversized.add(1),
                    FrameError::Garbage => closed.garbage.add(1),
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
                if let Some(suppressed) = self.lines.pass(("closed", Some(addr.ip()))) {
                    tracing::warn!(%addr, %peer, suppressed, "closed a connection: {what}");
                }
            }
            // anybody can connect: that must not fill the log
            None => tracing::debug!(%addr, "closed a connection: {what}"),
        }
    }
}

/// For what a connection is, by its hello.
const fn lane_of(hello: &Hello) -> Lane {
    if hello.abilities.has(Abilities::BULK) { Lane::Bulk } else { Lane::Urgent }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(error) => error.fmt(f),
            Self::Occupied(error) => error.fmt(f),
        }
    }
}
