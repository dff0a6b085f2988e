use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use quorate_core::{NodeId, Wire};
use quorate_tokio::frame::{self, Capabilities, Hello, Kind, Parsed};

use super::register::State;
use super::{CLUSTER, PATIENCE};

/// One side of a connection, by hand.
pub struct RawPeer {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// A hello as node `sender` says it to node `receiver`.
pub fn hello(sender: u64, receiver: u64) -> Hello {
    Hello {
        version: frame::VERSION,
        cluster: CLUSTER,
        sender: NodeId::new(sender),
        receiver: NodeId::new(receiver),
        incarnation: 1,
        address: String::new(),
        capabilities: Capabilities::default(),
    }
}

pub fn framed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::push(&mut bytes, kind, payload);
    bytes
}

/// A frame with a message of the register.
pub fn state(value: u64, durable: u64) -> Vec<u8> {
    let mut buffer = [0; 20];
    framed(Kind::Message, State { value, durable }.to_slice(&mut buffer).unwrap())
}

impl RawPeer {
    pub fn connect(addr: SocketAddr) -> Self {
        Self::from_stream(TcpStream::connect(addr).unwrap())
    }

    pub fn from_stream(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, bytes: Vec::new() }
    }

    /// Connects and says hello, which is answered; again when the node closes it before the hello was there, as it does with
    /// the silent.
    pub fn handshake(addr: SocketAddr, ours: &Hello) -> Self {
        let started = Instant::now();
        loop {
            let mut peer = Self::connect(addr);
            if peer.try_send(&framed(Kind::Hello, &ours.to_bytes())).is_ok()
                && let Some((kind, payload)) = peer.next()
            {
                assert_eq!(kind, Kind::Hello, "{}", String::from_utf8_lossy(&payload));
                return peer;
            }
            assert!(started.elapsed() < PATIENCE, "no answer to a hello in time");
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Like `send`, but the other side may be gone already.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn shut_down_write(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The next frame; `None` when the other side closed.
    pub fn next(&mut self) -> Option<(Kind, Vec<u8>)> {
        loop {
            if let Parsed::Frame { kind, payload, len } =
                frame::parse(&self.bytes, 64 << 20).expect("a frame")
            {
                let frame = (kind, payload.to_vec());
                self.bytes.drain(..len);
                return Some(frame);
            }
            let mut more = [0; 4096];
            match self.stream.read(&mut more) {
                Ok(0) => return None,
                Ok(n) => self.bytes.extend_from_slice(&more[..n]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("no frame in time: {error}"),
            }
        }
    }

    /// Whether the other side leaves the connection open for a while.
    pub fn stays_open(&mut self, while_: Duration) -> bool {
        self.stream.set_read_timeout(Some(while_)).unwrap();
        let open = self.stream.read(&mut [0; 1]).is_err();
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        open
    }
}
