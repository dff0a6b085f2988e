use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use quorate_core::{NodeId, Rng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connection::{Frames, ReadError};
use super::link::Link;
use crate::app::Lane;
use crate::frame::{self, Abilities, Hello, HelloError, Kind};
use crate::{LogLimit, TcpOptions, metrics::Metrics};

/// Keeps the connection that sends to one peer.
pub(crate) struct Outgoing {
    pub(crate) link: Arc<Link>,
    pub(crate) hello: Hello,
    pub(crate) options: Arc<TcpOptions>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) lines: Arc<LogLimit<NodeId>>,
    pub(crate) rng: Rng,
}

/// A connection that the other side has agreed to.
struct Agreed {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    /// What the other side takes.
    takes: Abilities,
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
        let mut told = Vec::new();
        let mut elsewhere = false;
        loop {
            let link = &self.link.clone();
            // in turn: the address that this node was told, and the one that the peer says it has
            let said = link.said().filter(|_| elsewhere);
            let addr = said.as_deref().unwrap_or(&link.addr);
            let failure = match self.connect(link, addr, Lane::Urgent).await {
                Ok(agreed) => {
                    self.tell_connected(link, addr);
                    let since = Instant::now();
                    let failure = self.send_all(link, addr, agreed).await;
                    link.set_down();
                    // one that falls at once is no success: two processes may claim to be this node
                    if since.elapsed() >= Duration::from_millis(max) {
                        (backoff, told) = (min, Vec::new());
                    }
                    failure
                }
                Err(failure) => {
                    elsewhere = !elsewhere;
                    failure
                }
            };
            self.tell(link, addr, &failure, &mut told);
            // between half of it and all of it, so that nodes do not move in step
            let wait = self.rng.range(backoff / 2, backoff.saturating_add(1));
            let _ = timeout(Duration::from_millis(wait.max(1)), link.heard.notified()).await;
            backoff = backoff.saturating_mul(2).min(max);
        }
    }

    /// Makes a connection for one lane.
    async fn connect(&self, link: &Link, addr: &str, lane: Lane) -> Result<Agreed, Failure> {
        let limit = Duration::from_millis(self.options.hello_timeout_ms);
        let stream = timeout(limit, TcpStream::connect(addr))
            .await
            .map_err(|_| Failure::TimedOut("the connection was not answered in time"))?
            .map_err(Failure::Io)?;
        stream.set_nodelay(true).map_err(Failure::Io)?;
        let (mut read, mut write) = stream.into_split();
        let takes = timeout(limit, self.greet(link, lane, &mut read, &mut write))
            .await
            .map_err(|_| Failure::TimedOut("the hello was not answered in time"))??;
        Ok(Agreed { read, write, takes })
    }

    async fn greet(
        &self,
        link: &Link,
        lane: Lane,
        read: &mut OwnedReadHalf,
        write: &mut OwnedWriteHalf,
    ) -> Result<Abilities, Failure> {
        let mut bytes = Vec::new();
        // only to who is known to take a second connection: others would take what it says for an address
        let abilities = if lane == Lane::Bulk { Abilities::BULK } else { Abilities::default() };
        let hello = Hello { abilities, ..self.hello.clone() };
        frame::push(&mut bytes, Kind::Hello, &hello.to_bytes());
        write.write_all(&bytes).await.map_err(Failure::Io)?;
        let (kind, payload) =
            Frames::new(frame::MAX_HELLO).wait(read).await.map_err(Failure::Read)?;
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
                Ok(theirs.abilities)
            }
            _ => Err(Failure::Hello(HelloError::Garbage)),
        }
    }

    /// Sends on one connection, or on two if the other side takes that, until one fails.
    async fn send_all(&self, link: &Link, addr: &str, agreed: Agreed) -> Failure {
        if !agreed.takes.has(Abilities::LANES) {
            link.set_up(false);
            return self.send(link, Lane::Urgent, agreed).await;
        }
        let bulk = match self.connect(link, addr, Lane::Bulk).await {
            Ok(bulk) => bulk,
            Err(failure) => return failure,
        };
        link.set_up(true);
        tokio::select! {
            failure = self.send(link, Lane::Urgent, agreed) => failure,
            failure = self.send(link, Lane::Bulk, bulk) => failure,
        }
    }

    /// Writes what the loop queues for a lane, until the connection fails.
    async fn send(&self, link: &Link, lane: Lane, agreed: Agreed) -> Failure {
        let Agreed { mut read, mut write, takes } = agreed;
        let limit = Duration::from_millis(self.options.write_timeout_ms);
        let (mut bytes, mut nothing) = (Vec::new(), [0; 1]);
        // one at once: it tells the other side that this connection is worth keeping
        let mut idle = interval(Duration::from_millis(self.options.silence_ms / 4));
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = link.side(lane).outgoing.notified() => {}
                _ = idle.tick(), if takes.has(Abilities::IDLE) => {
                    bytes.clear();
                    frame::push(&mut bytes, Kind::Idle, &[]);
                    if let Err(failure) = write_with(&mut write, &bytes, limit).await {
                        return failure;
                    }
                }
                // nothing is said on this side any more: this tells the end
                said = read.read(&mut nothing) => return match said {
                    Ok(0) => Failure::Read(ReadError::Closed),
                    Ok(_) => Failure::Hello(HelloError::Garbage),
                    Err(error) => Failure::Io(error),
                },
            }
            while link.has_outgoing(lane) {
                let frames = link.take_outgoing(lane, &mut bytes);
                if let Err(failure) = write_with(&mut write, &bytes, limit).await {
                    link.counters().link.dropped.add(frames as u64);
                    return failure;
                }
                link.counters().link.frames_out.add(frames as u64);
                link.counters().link.bytes_out.add(bytes.len() as u64);
            }
        }
    }

    fn tell_connected(&self, link: &Link, addr: &str) {
        let Some(suppressed) = self.lines.pass(link.id) else { return };
        if addr == link.addr {
            tracing::info!(peer = %link.id, addr, suppressed, "connected");
        } else {
            tracing::warn!(
                peer = %link.id, addr, known = link.addr, suppressed,
                "connected at the address that the peer says it has: it does not answer at the one that is known here"
            );
        }
    }

    /// Logs a failure, once until something else happens at that address; `told` has the last of each.
    fn tell(&self, link: &Link, addr: &str, failure: &Failure, told: &mut Vec<(String, String)>) {
        match failure {
            Failure::Hello(error) => count(&self.metrics, error),
            Failure::Read(ReadError::Frame(_)) => self.metrics.closed.garbage.add(1),
            _ => {}
        }
        let text = failure.to_string();
        let before = told.iter().any(|(at, what)| at == addr && *what == text);
        let suppressed = if before { None } else { self.lines.pass(link.id) };
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
        told.retain(|(at, _)| at != addr && (*at == link.addr || addr == link.addr));
        told.push((addr.to_owned(), text));
    }
}

/// Writes everything, as long as some of it goes within each `limit`.
async fn write_with(
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
        HelloError::Garbage => &closed.garbage,
        HelloError::Version(_) => &closed.version,
        HelloError::Cluster { .. } => &closed.cluster,
        HelloError::Receiver(_) => &closed.receiver,
        HelloError::Sender(_) => &closed.sender,
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
            Self::Read(ReadError::Closed | ReadError::HalfFrame) => {
                f.write_str("the peer closed the connection")
            }
            Self::Read(ReadError::Frame(error)) => error.fmt(f),
        }
    }
}
