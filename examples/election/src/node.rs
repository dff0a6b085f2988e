use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Wall};

use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_election::bully::Message;
use quorate_election::detector::{Monitor, NormalPhi, Phi, PhiConfig};
use quorate_election::{Bully, Config, Counts, Inline, Record, Status};

/// What every datagram begins with, so that those of strangers are told apart.
const MAGIC: [u8; 4] = *b"qel1";

/// The interval at which a leader is heard, and at which followers ping each other, in µs.
const BEAT_US: u64 = 100_000;

type Node9 = Bully<Inline<9>>;
type Detectors = Monitor<NormalPhi<64>, 9>;

/// What a node has on disk; here it outlives the node in memory.
pub type Disk = Arc<Mutex<Vec<Record>>>;

/// What can be seen of a node from outside.
#[derive(Clone, Debug)]
pub struct View {
    /// Its role, leader and epoch.
    pub status: Status,
    /// What it has sent.
    pub counts: Counts,
    /// Datagrams that were no messages, or refused.
    pub refused: u32,
    /// How suspicious each of the others is.
    pub phis: Vec<(NodeId, Phi)>,
}

/// A running node; dropping it kills it.
pub struct Node {
    stop: Arc<AtomicBool>,
    view: Arc<Mutex<Option<View>>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node with a socket, the addresses of all, and what it has on disk.
    ///
    /// # Errors
    ///
    /// What does not fit, or what the system refuses.
    pub fn start(
        id: NodeId,
        socket: UdpSocket,
        peers: Vec<(NodeId, SocketAddr)>,
        config: Config,
        disk: Disk,
    ) -> io::Result<Self> {
        let ids: Vec<NodeId> = peers.iter().map(|peer| peer.0).collect();
        let mut machine = Node9::new(id, &ids, config).map_err(io::Error::other)?;
        for record in disk.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            machine.restore(*record).map_err(io::Error::other)?;
        }
        let mut detectors = Detectors::new(50_000);
        for &peer in ids.iter().filter(|&&peer| peer != id) {
            let detector = NormalPhi::new(PhiConfig::for_interval(BEAT_US));
            let detector = detector.map_err(io::Error::other)?;
            detectors.add(peer, detector).map_err(io::Error::other)?;
        }
        let (stop, view) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let start = Wall::now();
        let worker = Worker {
            id,
            socket,
            peers,
            machine,
            detectors,
            disk,
            start,
            ping_at: Instant::ZERO,
            refused: 0,
            view: Arc::clone(&view),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new().name(format!("node {id}"));
        let thread = thread.spawn(move || worker.run())?;
        Ok(Self { stop, view, thread: Some(thread) })
    }

    /// What can be seen of it; `None` until it has run for the first time.
    #[must_use]
    pub fn view(&self) -> Option<View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a node that panicked is dead, as was wanted
        }
    }
}

struct Worker {
    id: NodeId,
    socket: UdpSocket,
    peers: Vec<(NodeId, SocketAddr)>,
    machine: Node9,
    detectors: Detectors,
    disk: Disk,
    start: Wall,
    ping_at: Instant,
    refused: u32,
    view: Arc<Mutex<Option<View>>>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self) {
        let mut frame = [0; 64];
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.now();
            self.detectors.tick(now);
            while let Some(change) = self.detectors.poll() {
                if change.suspected {
                    self.machine.suspect(now, change.node);
                }
            }
            self.machine.tick(now);
            self.ping(now);
            self.drain(&mut frame);
            self.publish(now);
            self.wait(now, &mut frame);
        }
    }

    /// Sleeps until the next deadline, or until something arrives.
    fn wait(&mut self, now: Instant, frame: &mut [u8]) {
        let deadlines = [self.machine.deadline(), self.detectors.deadline(), Some(self.ping_at)];
        let wake = deadlines.into_iter().flatten().min().unwrap_or(now);
        // in between, somebody may want it to stop
        let wait = Duration::from_micros(wake.since(now).clamp(1_000, 50_000));
        if self.socket.set_read_timeout(Some(wait)).is_err() {
            return;
        }
        if let Ok((len, _)) = self.socket.recv_from(frame) {
            let bytes = frame.get(..len).unwrap_or_default();
            if self.receive(bytes).is_none() {
                self.refused = self.refused.saturating_add(1);
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Option<()> {
        let (from, message) = bytes.strip_prefix(&MAGIC)?.split_first_chunk::<8>()?;
        let (from, now) = (NodeId::new(u64::from_le_bytes(*from)), self.now());
        // any traffic shows that the peer is alive; an empty message does just that
        if !self.detectors.heartbeat(now, from) {
            return None;
        }
        if !message.is_empty() {
            let message = Message::from_slice(message).ok()?;
            self.machine.receive(now, from, message).ok()?;
        }
        Some(())
    }

    fn drain(&mut self, frame: &mut [u8]) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Persist(ticket, record) => {
                    self.disk.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                    self.machine.persisted(ticket);
                }
                Output::Send(to, message) => {
                    if let Ok(bytes) = message.to_slice(frame) {
                        send(&self.socket, self.id, &self.peers, to, bytes);
                    }
                }
                Output::Event(_) => {} // the view shows what there is
            }
        }
    }

    /// Followers are heard as well as leaders.
    fn ping(&mut self, now: Instant) {
        if now < self.ping_at {
            return;
        }
        self.ping_at = now.after(BEAT_US);
        for &(to, _) in self.peers.iter().filter(|peer| peer.0 != self.id) {
            send(&self.socket, self.id, &self.peers, to, &[]);
        }
    }

    fn publish(&self, now: Instant) {
        let phi = |&(peer, _): &(NodeId, SocketAddr)| {
            Some((peer, self.detectors.detector(peer)?.phi(now)))
        };
        let view = View {
            status: self.machine.status(),
            counts: self.machine.counts(),
            refused: self.refused,
            phis: self.peers.iter().filter_map(phi).collect(),
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    fn now(&self) -> Instant {
        let us = self.start.elapsed().as_micros();
        Instant::from_micros(u64::try_from(us).unwrap_or(u64::MAX))
    }
}

/// Sends a datagram; if it is lost, so be it.
fn send(
    socket: &UdpSocket,
    from: NodeId,
    peers: &[(NodeId, SocketAddr)],
    to: NodeId,
    message: &[u8],
) {
    if let Some((_, address)) = peers.iter().find(|peer| peer.0 == to) {
        let mut datagram = Vec::with_capacity(64);
        datagram.extend_from_slice(&MAGIC);
        datagram.extend_from_slice(&from.get().to_le_bytes());
        datagram.extend_from_slice(message);
        let _ = socket.send_to(&datagram, address);
    }
}
