//! A tiny protocol and its application, and what the tests need to run nodes of it.
#![allow(unreachable_pub, missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used)]

pub mod counter;
pub mod disk;
pub mod register;
pub mod wire;

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use quorate_core::NodeId;
use quorate_nemesis::ports::Port;
use quorate_tokio::{Error, Node, NodeOptions, TcpOptions, start};
use register::{Register, RegisterApp, Request};
use tokio::sync::oneshot;

pub type RegisterNode = Node<RegisterApp>;

pub const CLUSTER: u64 = 7;
/// Far more than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How long a node lets a connection be silent, unless a test is about that.
const HELLO_TIMEOUT_MS: u64 = 60_000;

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A listener at a port that is reserved until this process ends: closed, it can be bound again.
pub fn listener() -> (TcpListener, SocketAddr) {
    static HELD: Mutex<Vec<Port>> = Mutex::new(Vec::new());
    let port = Port::reserve().unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], port.number()));
    HELD.lock().unwrap().push(port);
    (TcpListener::bind(addr).unwrap(), addr)
}

/// Listens again at an address from [`listener`]; the one before may be about to be closed.
pub fn listen_again(addr: SocketAddr) -> TcpListener {
    let started = Instant::now();
    loop {
        match TcpListener::bind(addr) {
            Ok(listener) => return listener,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{addr}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Options for node `id` of those at `addrs`, which are nodes 1, 2, ….
pub fn options(id: u64, listener: TcpListener, addrs: &[SocketAddr], dir: &Path) -> NodeOptions {
    let peers =
        addrs.iter().zip(1..).map(|(addr, id)| (NodeId::new(id), addr.to_string())).collect();
    let mut options =
        NodeOptions::new(NodeId::new(id), CLUSTER, listener, peers, dir.join(id.to_string()));
    options.tcp = TcpOptions { hello_timeout_ms: HELLO_TIMEOUT_MS, ..TcpOptions::default() };
    options
}

pub fn start_register(options: NodeOptions) -> Result<RegisterNode, Error> {
    let (peers, lines) =
        (options.peers.iter().map(|p| p.0), options.serial_lines.iter().map(|p| p.0));
    let peers = peers.chain(lines).filter(|id| *id != options.id).collect();
    start(Register::new(peers), |machine| Ok(RegisterApp::new(machine)), options)
}

/// Raises the node's register, and waits until a majority has it on disk.
pub async fn raise(node: &RegisterNode, value: u64) {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Raise(value, answer)).await.unwrap();
    tokio::time::timeout(PATIENCE, answered).await.expect("no majority in time").unwrap();
}

/// What the node's register holds.
pub async fn value(node: &RegisterNode) -> u64 {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Value(answer)).await.unwrap();
    answered.await.unwrap()
}

/// Waits until something is so.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
