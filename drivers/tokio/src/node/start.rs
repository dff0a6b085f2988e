use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use quorate_core::{Machine, NodeId, Wire};
use quorate_serial::Endpoint;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant as Clock;

use super::event_loop::{EventLoop, State};
use crate::frame::{self, Capabilities, Hello, VERSION};
use crate::serial::{self, Address, SerialTask};
use crate::tcp::{Incoming, Links, Outbox};
use crate::wal::{Disk, Identity, SystemDisk, Wal, Writer};
use crate::{App, Error, Handle, LogLimit, Metrics, NodeOptions};

/// A running node. Dropping it stops the node without waiting for that.
pub struct Node<A: App> {
    handle: Handle<A>,
    stop: watch::Sender<bool>,
    ended: Option<oneshot::Receiver<Result<(), Error>>>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the log (locks the directory, repairs a torn tail, refuses a corrupt middle), restores the machine, and starts the
/// transport and the loop on a thread of their own.
///
/// `app` makes the application once the machine is restored, and may call the machine already. No async runtime needs to be there.
///
/// # Errors
///
/// [`Error`] when the directory is in use, the log is damaged or another node's, the transport's frames are shorter than the
/// machine's messages, or the application says no.
pub fn start<A: App>(
    machine: A::Machine,
    app: impl FnOnce(&mut A::Machine) -> Result<A, Error>,
    options: NodeOptions,
) -> Result<Node<A>, Error> {
    start_with_disk(Arc::new(SystemDisk), machine, app, options)
}

/// [`start`] on another file system, for tests that make it fail.
///
/// # Errors
///
/// As [`start`].
pub fn start_with_disk<A: App, D: Disk>(
    disk: Arc<D>,
    mut machine: A::Machine,
    app: impl FnOnce(&mut A::Machine) -> Result<A, Error>,
    options: NodeOptions,
) -> Result<Node<A>, Error> {
    options.tcp.validate()?;
    check_limits(&machine, &options)?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map(|runtime| OwnedRuntime(Some(runtime)))
        .map_err(|e| Error::io("start", "the event loop", e))?;
    let wal = restore(disk, &mut machine, &options)?;
    let app = app(&mut machine)?;

    let peers = peers(&options)?;
    let metrics = Arc::new(Metrics::default());
    let wake = Arc::new(Notify::new());
    let links = transport(runtime.get()?, &options, peers, &metrics, &wake)?;
    let writer = {
        let wake = wake.clone();
        Writer::start(wal, &options.wal, metrics.clone(), move || wake.notify_one())
            .map_err(|e| Error::io("start a thread for", &options.data_dir, e))?
    };
    let (sender, commands) = mpsc::channel(options.command_queue.max(1));
    let (stop, stopped) = watch::channel(false);
    let node = EventLoop {
        machine,
        app,
        commands,
        outbox: Outbox::new(links),
        writer,
        wake,
        stop: stopped,
        metrics: metrics.clone(),
        state: State::new(&options.wal),
        options: options.wal,
        started: Clock::now(),
    };
    let (end, ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name(format!("quorate-{}", options.id))
        .spawn(move || {
            let result = runtime.get().and_then(|runtime| runtime.block_on(node.run()));
            // the port is free and the directory unlocked before anybody hears of it
            drop(runtime);
            let _ = end.send(result);
        })
        .map_err(|e| Error::io("start a thread for", options.data_dir, e))?;
    Ok(Node {
        handle: Handle { commands: sender, metrics },
        stop,
        ended: Some(ended),
        thread: Some(thread),
    })
}

/// A runtime that may be dropped within another one, when the start fails, and that does not wait for a slow name look-up.
struct OwnedRuntime(Option<Runtime>);

impl OwnedRuntime {
    fn get(&self) -> Result<&Runtime, Error> {
        self.0.as_ref().ok_or(Error::Panicked)
    }
}

impl Drop for OwnedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl<A: App> Node<A> {
    /// For handing commands in.
    #[must_use]
    pub fn handle(&self) -> Handle<A> {
        self.handle.clone()
    }

    /// What the node counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.handle.metrics()
    }

    /// Stops it: records that wait are written (unless the disk is full), everything else that waits is dropped. When this returns,
    /// the data directory and the port are free.
    ///
    /// # Errors
    ///
    /// Why it had stopped before, if it had and [`wait`](Self::wait) did not tell.
    pub async fn stop(mut self) -> Result<(), Error> {
        // nobody listens if it has stopped already
        let _ = self.stop.send(true);
        let result = self.wait().await;
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::Panicked),
            _ => result,
        }
    }

    /// Waits until it stops by itself. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why it stopped; told once.
    pub async fn wait(&mut self) -> Result<(), Error> {
        let Some(ended) = &mut self.ended else {
            return Ok(());
        };
        let result = ended.await.unwrap_or(Err(Error::Panicked));
        self.ended = None;
        result
    }
}

/// Whether the transports carry, and the log takes, the longest that the machine makes.
fn check_limits<M: Machine>(machine: &M, options: &NodeOptions) -> Result<(), Error> {
    if let Some(message) = machine.max_message_len() {
        let tcp = options.tcp.max_frame_bytes.saturating_sub(frame::len(0));
        let too_short = |frame, limit| Err(Error::FrameTooShort { message, frame, limit });
        if message > tcp {
            return too_short(tcp, "max_frame_bytes");
        }
        if message > serial::MAX_PAYLOAD && !options.serial_lines.is_empty() {
            return too_short(serial::MAX_PAYLOAD, "a serial line");
        }
    }
    let max = options.wal.max_record_bytes;
    match machine.max_record_len() {
        Some(len) if len > max => Err(Error::RecordTooLarge { len, max }),
        _ => Ok(()),
    }
}

/// Opens the log and replays it into the machine.
fn restore<M: Machine, D: Disk>(
    disk: Arc<D>,
    machine: &mut M,
    options: &NodeOptions,
) -> Result<Wal<D>, Error> {
    let identity = Identity { cluster: options.cluster, node: options.id };
    let file = options.data_dir.join("wal");
    let mut records = 0_u64;
    let wal =
        Wal::open(disk, &options.data_dir, identity, options.wal.clone(), |bytes, offset| {
            let refused = |reason| Error::Restore { file: file.clone(), offset, reason };
            let record = M::Record::from_slice(bytes).map_err(|_| refused(None))?;
            records += 1;
            machine.restore(record).map_err(|reason| refused(Some(reason)))
        })?;
    tracing::info!(dir = %options.data_dir.display(), records, bytes = wal.size(), "restored");
    Ok(wal)
}

/// The other nodes, in the order of their ids, and where they are.
fn peers(options: &NodeOptions) -> Result<Vec<(NodeId, PeerAddress)>, Error> {
    let tcp = options.peers.iter().map(|(id, addr)| (*id, PeerAddress::Tcp(addr.clone())));
    let log_limit = options
        .serial_lines
        .iter()
        .map(|(id, address)| (*id, PeerAddress::Serial(address.clone())));
    let mut peers: Vec<_> = tcp.chain(log_limit).filter(|(id, _)| *id != options.id).collect();
    peers.sort_by_key(|(id, _)| *id);
    if peers.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::Options("a peer is listed twice"));
    }
    Ok(peers)
}

/// Where a peer is.
#[derive(Clone)]
enum PeerAddress {
    Tcp(String),
    Serial(Address),
}

/// Starts the tasks that hold the connections.
fn transport(
    runtime: &Runtime,
    options: &NodeOptions,
    peers: Vec<(NodeId, PeerAddress)>,
    metrics: &Arc<Metrics>,
    wake: &Arc<Notify>,
) -> Result<Arc<Links>, Error> {
    let tcp = Arc::new(options.tcp.clone());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let incarnation = u64::try_from(clock.as_nanos()).unwrap_or(u64::MAX);
    let hello = Hello {
        version: VERSION,
        cluster: options.cluster,
        sender: options.id,
        receiver: options.id,
        incarnation,
        address: options.advertise.clone().unwrap_or_default(),
        capabilities: Capabilities::default(),
    };
    let links = Arc::new(Links::new(hello.clone(), tcp.clone(), metrics.clone()));
    let guard = runtime.enter();
    for (id, at) in peers {
        match at {
            PeerAddress::Tcp(addr) => links.connect(id, &addr),
            PeerAddress::Serial(address) => {
                let link = links.add(id, address.to_string());
                link.mark_configured();
                let task = SerialTask {
                    link,
                    address,
                    endpoint: Endpoint { cluster: options.cluster, node: options.id },
                    options: tcp.clone(),
                    wake: wake.clone(),
                    rng: links.fork(),
                };
                runtime.spawn(task.run());
            }
        }
    }
    let failed = |error| Error::io("listen on", "the peer port", error);
    let Some(listener) = &options.peer_listener else {
        return Ok(links);
    };
    let listener = listener.try_clone().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let incoming = Incoming {
        links: links.clone(),
        hello,
        options: tcp,
        metrics: metrics.clone(),
        wake: wake.clone(),
        query_handler: options.query_handler.clone(),
        log_limit: Arc::new(LogLimit::new(1)),
    };
    runtime.spawn(incoming.run(listener));
    drop(guard);
    Ok(links)
}

impl<A: App> fmt::Debug for Node<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}
