use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::NodeId;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Frames, ReadError};
use super::link::Link;
use super::links::Links;
use super::outgoing::{check, count};
use crate::frame::{self, FrameError, Hello, HelloError, Kind};
use crate::{TcpOptions, metrics::Metrics};

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
}

impl Incoming {
    /// Accepts, for ever.
    pub(crate) async fn run(self, listener: TcpListener) {
        let silent = Arc::new(Semaphore::new(self.options.max_silent_connections));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let (stream, addr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // of the connection that was to be, or a lack of file handles: neither is helped by hurry
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = silent.clone().try_acquire_owned() else {
                self.metrics.closed.too_many.add(1);
                tracing::debug!(%addr, "closed: too many connections have not said hello");
                continue;
            };
            connections.spawn(self.clone().serve(stream, addr, permit));
        }
    }

    async fn serve(self, mut stream: TcpStream, addr: SocketAddr, permit: OwnedSemaphorePermit) {
        let mut frames = Frames::new(frame::MAX_HELLO);
        let limit = Duration::from_millis(self.options.hello_timeout_ms);
        let Ok(met) = timeout(limit, self.meet(&mut stream, &mut frames, addr)).await else {
            self.metrics.closed.silent.add(1);
            tracing::debug!(%addr, "closed: no hello in time");
            return;
        };
        drop(permit);
        let Some((link, mine)) = met else {
            return;
        };
        let link = &*link;
        frames.set_max(self.options.max_frame_bytes);
        tokio::select! {
            ended = self.read(link, &mut stream, &mut frames) => {
                self.closed(&ended, addr, Some(link.id));
            }
            () = link.replaced(mine) => {
                tracing::debug!(peer = %link.id, %addr, "closed: the peer made another connection");
            }
        }
    }

    /// Exchanges hellos; `None` if they do not fit.
    async fn meet(
        &self,
        stream: &mut TcpStream,
        frames: &mut Frames,
        addr: SocketAddr,
    ) -> Option<(Arc<Link>, u64)> {
        let first = match frames.wait(stream).await {
            Ok(first) => first,
            Err(error) => {
                self.closed(&error, addr, None);
                return None;
            }
        };
        let mut answer = Vec::new();
        match self.judge(&first) {
            Ok((link, theirs)) => {
                let hello = Hello { receiver: theirs.sender, ..self.hello.clone() };
                frame::push(&mut answer, Kind::Hello, &hello.to_bytes());
                stream.write_all(&answer).await.ok()?;
                // it is there: no need to wait before connecting to it
                link.heard.notify_one();
                let mine = link.replace();
                Some((link, mine))
            }
            Err(error) => {
                count(&self.metrics, &error);
                tracing::warn!(%addr, "refused a connection: {error}");
                frame::push(&mut answer, Kind::Refusal, error.to_string().as_bytes());
                // it may be gone already
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                None
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
        if self.links.get(sender).is_none() && self.welcomes(&theirs) {
            // one that this node has not heard of yet: a new leader's log may be needed to hear of it
            tracing::info!(peer = %sender, addr = theirs.address, "a node of this cluster that was not known here");
            self.links.connect(sender, &theirs.address);
            self.wake.notify_one();
        }
        let link = self.links.get(sender).ok_or(HelloError::Sender(sender))?;
        Ok((link, theirs))
    }

    /// Whether an unknown node may become a peer: it says where it is reached, and there is room.
    fn welcomes(&self, theirs: &Hello) -> bool {
        let known = self.links.all().len();
        !theirs.address.is_empty()
            && theirs.sender != self.hello.sender
            && !self.links.is_gone(theirs.sender)
            && known < self.options.max_peers
    }

    /// Hands frames to the loop until the connection ends.
    async fn read(&self, link: &Link, stream: &mut TcpStream, frames: &mut Frames) -> ReadError {
        let counters = &link.counters().link;
        loop {
            let mut delivered = 0;
            let ended = loop {
                match frames.next() {
                    Ok(Some((kind @ (Kind::Message | Kind::Application), payload))) => {
                        link.deliver(kind, payload);
                        delivered += 1;
                    }
                    Ok(Some(_)) => break Some(FrameError::Garbage),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if delivered > 0 {
                counters.frames_in.add(delivered);
                self.wake.notify_one();
            }
            if let Some(error) = ended {
                return ReadError::Frame(error);
            }
            // when the loop falls behind, the peer's own queue fills up
            link.room().await;
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
            Some(peer) => tracing::warn!(%addr, %peer, "closed a connection: {what}"),
            // anybody can connect: that must not fill the log
            None => tracing::debug!(%addr, "closed a connection: {what}"),
        }
    }
}
