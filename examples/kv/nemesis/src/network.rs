//! The links between nodes: a proxy stands before the peer port of each, and every direction of every pair is cut, delayed and
//! reset on its own, without the rights of an administrator.
//!
//! A node connects to another through that one's proxy, and the first frame on a connection is a hello, which names its sender
//! (`docs/wire/README.md`): so the proxy knows whose link it carries. A cut direction holds bytes back, as a network does whose packets
//! are lost: both ends believe the connection to stand, and what was held back arrives after the cut.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, sleep};
use std::time::Duration;

/// How often a direction that is cut is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// A connection on which nothing is said for this long is dropped.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that travel together; with a delay, the bandwidth of the link is this much for each delay.
const CHUNK: usize = 64 << 10;

/// One direction between two nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Direction {
    cut: bool,
    delay: Duration,
}

/// All links.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    directions: HashMap<(u64, u64), Direction>,
    connections: Vec<Weak<Connection>>,
}

/// A connection that a node opened to another one.
#[derive(Debug)]
struct Connection {
    from: u64,
    to: u64,
    client: TcpStream,
    server: TcpStream,
}

impl Network {
    /// Puts a proxy before a node that listens at `port`; the port of the proxy.
    ///
    /// # Errors
    ///
    /// When no port can be listened at.
    pub fn add_proxy(&self, node: u64, port: u16) -> io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let own = listener.local_addr()?.port();
        let network = self.clone();
        Builder::new().name(format!("proxy-{node}")).spawn(move || {
            for client in listener.incoming().flatten() {
                let network = network.clone();
                let proxy_connection = move || {
                    // a connection that fails is the nodes' business
                    let _ = network.proxy_connection(client, node, port);
                };
                // without a thread the connection is dropped, as by a bad network
                let _ = Builder::new().name(format!("link-{node}")).spawn(proxy_connection);
            }
        })?;
        Ok(own)
    }

    /// Cuts what `from` sends to `to`, or heals it.
    pub fn cut(&self, from: u64, to: u64, cut: bool) {
        self.state().directions.entry((from, to)).or_default().cut = cut;
    }

    /// Delays what `from` sends to `to`.
    pub fn delay(&self, from: u64, to: u64, delay: Duration) {
        self.state().directions.entry((from, to)).or_default().delay = delay;
    }

    /// Ends the connections between two nodes, and what is on its way with them.
    pub fn reset(&self, a: u64, b: u64) {
        let mut state = self.state();
        state.connections.retain(|connection| connection.strong_count() > 0);
        let all = state.connections.iter().filter_map(Weak::upgrade);
        all.filter(|c| (c.from, c.to) == (a, b) || (c.from, c.to) == (b, a))
            .for_each(|connection| connection.close());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn direction(&self, from: u64, to: u64) -> Direction {
        self.state().directions.get(&(from, to)).copied().unwrap_or_default()
    }

    fn proxy_connection(&self, mut client: TcpStream, to: u64, port: u16) -> io::Result<()> {
        client.set_nodelay(true)?;
        let (first, from) = first_bytes(&mut client)?;
        self.wait_while_cut(from, to);
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        server.set_nodelay(true)?;
        (&server).write_all(&first)?;
        let connection = Arc::new(Connection { from, to, client, server });
        self.state().connections.push(Arc::downgrade(&connection));
        let (network, back) = (self.clone(), connection.clone());
        Builder::new().name(format!("link-{to}-back")).spawn(move || {
            network.copy(&back, &back.server, &back.client, (to, from));
        })?;
        self.copy(&connection, &connection.client, &connection.server, (from, to));
        Ok(())
    }

    /// Carries bytes one way until an end of the connection is gone.
    fn copy(&self, of: &Connection, source: &TcpStream, sink: &TcpStream, direction: (u64, u64)) {
        let (mut reader, mut writer) = (source, sink);
        let mut chunk = vec![0; CHUNK];
        while let Ok(count) = reader.read(&mut chunk) {
            self.wait_while_cut(direction.0, direction.1);
            let bytes = chunk.get(..count).unwrap_or_default();
            if count == 0 || writer.write_all(bytes).is_err() {
                break;
            }
        }
        of.close();
    }

    fn wait_while_cut(&self, from: u64, to: u64) {
        sleep(self.direction(from, to).delay);
        while self.direction(from, to).cut {
            sleep(POLL_INTERVAL);
        }
    }
}

impl Connection {
    fn close(&self) {
        // it may be gone already
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// The first bytes of a connection, and the node that says hello in them; 0 where none does.
fn first_bytes(socket: &mut TcpStream) -> io::Result<(Vec<u8>, u64)> {
    /// The kind of a frame, the magic and the version of a hello, the cluster.
    const SENDER: usize = 1 + 8 + 4 + 8;
    socket.set_read_timeout(Some(HELLO_TIMEOUT))?;
    // length and checksum
    let mut header = [0; 8];
    socket.read_exact(&mut header)?;
    let [l0, l1, l2, l3, ..] = header;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let mut body = vec![0; length.min(SENDER + 8)];
    socket.read_exact(&mut body)?;
    socket.set_read_timeout(None)?;
    let hello = body.starts_with(b"\0QUORATE\n");
    let sender = body.get(SENDER..).and_then(<[u8]>::first_chunk);
    let sender = sender.filter(|_| hello).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Ok(([&header[..], &body].concat(), sender))
}
