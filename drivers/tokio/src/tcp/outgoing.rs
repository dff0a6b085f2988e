use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use quorate_core::{NodeId, Rng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::frame_reader::{FrameReader, ReadError};
use super::link::Link;
use crate::frame::{self, Capabilities, Hello, HelloError, Kind};
use crate::priority::Priority;
use crate::{LogLimit, TcpOptions, metrics::Metrics};

/// Keeps the connection that sends to one peer.
pub(crate) struct Outgoing {
    pub(crate) link: Arc<Link>,
    pub(crate) hello: Hello,
    pub(crate) options: Arc<TcpOptions>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_limit: Arc<LogLimit<NodeId>>,
    pub(crate) rng: Rng,
}

/// A connection that the other side has agreed to.
struct Established {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    /// What the other side accepts.
    capabilities: Capabilities,
}

/// Why a connection was not made, or ended.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    TimedOut(&'static str),
    Refused(String),
    Hello(HelloError),
    Read(ReadError),
}

impl Outgoing {
    /// Connects, sends, and does it again, for ever.
    pub(crate) async fn run(mut self) {
        let (min, max) = (self.options.backoff_min_ms, self.options.backoff_max_ms);
        let mut backoff = min;
        let mut last_logged = Vec::new();
        let mut try_announced = false;
        loop {
            let link = &self.link.clone();
            // in turn: the configured address, and the one that the peer announced
            let announced = link.announced_address().filter(|_| try_announced);
            let addr = announced.as_deref().unwrap_or(&link.addr);
            let failure = match self.connect(link, addr, Priority::Urgent).await {
                Ok(established) => {
                    self.log_connected(link, addr);
                    let since = Instant::now();
                    let failure = self.send_all(link, addr, established).await;
                    link.set_down();
                    // one that falls at once is no success: two processes may claim to be this node
                    if since.elapsed() >= Duration::from_millis(max) {
                        (backoff, last_logged) = (min, Vec::new());
                    }
                    failure
                }
                Err(failure) => {
                    try_announced = !try_announced;
                    failure
                }
            };
            self.log_failure(link, addr, &failure, &mut last_logged);
            // between half of it and all of it, so that nodes do not move in step
            let wait = self.rng.range(backoff / 2, backoff.saturating_add(1));
            let _ = timeout(Duration::from_millis(wait.max(1)), link.reconnect.notified()).await;
            backoff = backoff.saturating_mul(2).min(max);
        }
    }

    /// Makes the connection for one priority.
    async fn connect(
        &self,
        link: &Link,
        addr: &str,
        priority: Priority,
    ) -> Result<Established, Failure> {
        let limit = Duration::from_millis(self.options.hello_timeout_ms);
        let stream = timeout(limit, TcpStream::connect(addr))
            .await
            .map_err(|_| Failure::TimedOut("the connection was not answered in time"))?
            .map_err(Failure::Io)?;
        stream.set_nodelay(true).map_err(Failure::Io)?;
        let (mut read, mut write) = stream.into_split();
        let capabilities = timeout(limit, self.handshake(link, priority, &mut read, &mut write))
            .await
            .map_err(|_| Failure::TimedOut("the hello was not answered in time"))??;
        Ok(Established { read, write, capabilities })
    }

    async fn handshake(
        &self,
        link: &Link,
        priority: Priority,
        read: &mut OwnedReadHalf,
        write: &mut OwnedWriteHalf,
    ) -> Result<Capabilities, Failure> {
        let mut bytes = Vec::new();
        // only to nodes that accept a second connection: others would read it as part of the address
        let capabilities = if priority == Priority::Bulk {
            Capabilities::BULK_CONNECTION
        } else {
            Capabilities::default()
        };
        let hello = Hello { capabilities, ..self.hello.clone() };
        frame::push(&mut bytes, Kind::Hello, &hello.to_bytes());
        write.write_all(&bytes).await.map_err(Failure::Io)?;
        let (kind, payload) =
            FrameReader::new(frame::MAX_HELLO).read_frame(read).await.map_err(Failure::Read)?;
        match kind {
            Kind::Refusal => {
                link.counters().link.refused.add(1);
                Err(Failure::Refused(String::from_utf8_lossy(&payload).into_owned()))
            }
            Kind::Hello => {
                let theirs = Hello::from_bytes(&payload).map_err(Failure::Hello)?;
                check(&theirs, &self.hello).map_err(Failure::Hello)?;
                if theirs.sender != self.hello.receiver {
                    return Err(Failure::Hello(HelloError::Sender(theirs.sender)));
                }
                Ok(theirs.capabilities)
            }
            _ => Err(Failure::Hello(HelloError::Malformed)),
        }
    }

    /// Sends on one connection, or on two if the other side takes that, until one fails.
    async fn send_all(&self, link: &Link, addr: &str, established: Established) -> Failure {
        if !established.capabilities.contains(Capabilities::TWO_CONNECTIONS) {
            link.set_up(false);
            return self.send(link, Priority::Urgent, established).await;
        }
        let bulk = match self.connect(link, addr, Priority::Bulk).await {
            Ok(bulk) => bulk,
            Err(failure) => return failure,
        };
        link.set_up(true);
        tokio::select! {
            failure = self.send(link, Priority::Urgent, established) => failure,
            failure = self.send(link, Priority::Bulk, bulk) => failure,
        }
    }

    /// Writes what the loop queues for a priority, until the connection fails.
    async fn send(&self, link: &Link, priority: Priority, established: Established) -> Failure {
        let Established { mut read, mut write, capabilities } = established;
        let limit = Duration::from_millis(self.options.write_timeout_ms);
        let (mut bytes, mut probe) = (Vec::new(), [0; 1]);
        // one at once: it tells the other side that this connection is worth keeping
        let mut idle = interval(Duration::from_millis(self.options.keepalive_timeout_ms / 4));
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = link.channel(priority).outgoing.notified() => {}
                _ = idle.tick(), if capabilities.contains(Capabilities::KEEPALIVE) => {
                    bytes.clear();
                    frame::push(&mut bytes, Kind::KeepAlive, &[]);
                    if let Err(failure) = write_all_within(&mut write, &bytes, limit).await {
                        return failure;
                    }
                }
                // nothing is said on this side any more: this tells the end
                announced = read.read(&mut probe) => return match announced {
                    Ok(0) => Failure::Read(ReadError::Closed),
                    Ok(_) => Failure::Hello(HelloError::Malformed),
                    Err(error) => Failure::Io(error),
                },
            }
            while link.has_outgoing(priority) {
                let frames = link.take_outgoing(priority, &mut bytes);
                if let Err(failure) = write_all_within(&mut write, &bytes, limit).await {
                    link.counters().link.dropped.add(frames as u64);
                    return failure;
                }
                link.counters().link.frames_out.add(frames as u64);
                link.counters().link.bytes_out.add(bytes.len() as u64);
            }
        }
    }

    fn log_connected(&self, link: &Link, addr: &str) {
        let Some(suppressed) = self.log_limit.pass(link.id) else { return };
        if addr == link.addr {
            tracing::info!(peer = %link.id, addr, suppressed, "connected");
        } else {
            tracing::warn!(
                peer = %link.id, addr, known = link.addr, suppressed,
                "connected at the address that the peer announced: it does not answer at the one that is known here"
            );
        }
    }

    /// Logs a failure, once until something else happens at that address; `last_logged` has the
    /// last of each.
    fn log_failure(
        &self,
        link: &Link,
        addr: &str,
        failure: &Failure,
        last_logged: &mut Vec<(String, String)>,
    ) {
        match failure {
            Failure::Hello(error) => count(&self.metrics, error),
            Failure::Read(ReadError::Frame(_)) => self.metrics.closed.malformed.add(1),
            _ => {}
        }
        let text = failure.to_string();
        let before = last_logged.iter().any(|(at, what)| at == addr && *what == text);
        let suppressed = if before { None } else { self.log_limit.pass(link.id) };
        match (suppressed, failure) {
            (None, _) => tracing::debug!(peer = %link.id, addr, "not connected: {text}"),
            (Some(suppressed), Failure::Refused(_) | Failure::Hello(_)) => {
                tracing::warn!(peer = %link.id, addr, suppressed, "not connected: {text}");
            }
            (Some(suppressed), _) => {
                tracing::info!(peer = %link.id, addr, suppressed, "not connected: {text}");
            }
        }
        // those of the address that is known and of the one that the peer said last
        last_logged.retain(|(at, _)| at != addr && (*at == link.addr || addr == link.addr));
        last_logged.push((addr.to_owned(), text));
    }
}

/// Writes everything, as long as some of it goes within each `limit`.
async fn write_all_within(
    write: &mut OwnedWriteHalf,
    mut bytes: &[u8],
    limit: Duration,
) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match timeout(limit, write.write(bytes)).await {
            Ok(Ok(0)) => return Err(Failure::Io(io::ErrorKind::WriteZero.into())),
            Ok(Ok(n)) => bytes = &bytes[n..],
            Ok(Err(error)) => return Err(Failure::Io(error)),
            Err(_) => return Err(Failure::TimedOut("the peer takes nothing")),
        }
    }
    Ok(())
}

/// Whether a hello is of our cluster and for us.
pub(crate) fn check(theirs: &Hello, ours: &Hello) -> Result<(), HelloError> {
    if theirs.cluster != ours.cluster {
        let (node, ours) = (theirs.sender, ours.cluster);
        return Err(HelloError::Cluster { node, theirs: theirs.cluster, ours });
    }
    if theirs.receiver != ours.sender {
        return Err(HelloError::Receiver(theirs.receiver));
    }
    Ok(())
}

pub(crate) fn count(metrics: &Metrics, error: &HelloError) {
    let closed = &metrics.closed;
    match error {
        HelloError::Malformed => &closed.malformed,
        HelloError::Version(_) => &closed.wrong_version,
        HelloError::Cluster { .. } => &closed.wrong_cluster,
        HelloError::Receiver(_) => &closed.wrong_receiver,
        HelloError::Sender(_) => &closed.unknown_peer,
    }
    .add(1);
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) | Self::Read(ReadError::Io(error)) => error.fmt(f),
            Self::TimedOut(what) => f.write_str(what),
            Self::Refused(reason) => write!(f, "refused: {reason:?}"),
            Self::Hello(error) => write!(f, "the other side does not fit: {error}"),
            Self::Read(ReadError::Closed | ReadError::Truncated) => {
                f.write_str("the peer closed the connection")
            }
            Self::Read(ReadError::Frame(error)) => error.fmt(f),
        }
    }
}
