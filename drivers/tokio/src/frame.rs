//! What goes over a connection between nodes: frames.
//!
//! A frame is its payload's length (4 bytes, little-endian), a CRC32C over that length and the payload (4), and the payload,
//! whose first byte tells what it is: a [`Hello`], the refusal of one, a machine's message or bytes of the application.
//!
//! The connecting node sends its hello first, and gets the other side's hello or a refusal; after
//! that it sends and the other side receives. So two nodes have two connections, and each direction
//! fails and recovers on its own. A node that accepts it ([`Capabilities::TWO_CONNECTIONS`]) gets a
//! second one each way, for bulk, so that it does not delay what is urgent.
//!
//! ```
//! use quorate_tokio::frame::{Kind, Parsed, parse, push};
//! let mut bytes = Vec::new();
//! push(&mut bytes, Kind::Application, b"hi");
//! assert_eq!(parse(&bytes, 1 << 20), Ok(Parsed::Frame { kind: Kind::Application, payload: b"hi", len: 11 }));
//! assert_eq!(parse(&bytes[..10], 1 << 20), Ok(Parsed::Partial { needed: 11 }));
//! ```

use std::fmt;

use quorate_core::{NodeId, Wire, Writer};

use crate::zeros::extend_with_zeros;

/// The version of the protocol spoken here. Frames, [`Hello::version`] and refusals keep their form in later ones.
pub const VERSION: u32 = 2;
/// Bytes before the payload.
pub const HEADER: usize = 8;
/// The largest frame that is taken from who has not said hello yet.
pub const MAX_HELLO: usize = 512;
const MAGIC: [u8; 8] = *b"QUORATE\n";

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// The first frame each way.
    Hello,
    /// Instead of a hello: why not, in words.
    Refusal,
    /// A machine's message.
    Message,
    /// Bytes of the application.
    Application,
    /// Empty: the sender is alive. Only to nodes that accept it ([`Hello::capabilities`]).
    KeepAlive,
    /// Instead of a hello: a query to the application, from a node that belongs to no cluster yet.
    /// The connection ends with the response. An older version closes it without one.
    Query,
    /// The response to a query.
    QueryResponse,
}

/// The front of what was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed<'a> {
    /// A whole frame.
    Frame {
        /// What it is.
        kind: Kind,
        /// What it carries.
        payload: &'a [u8],
        /// Bytes of the frame altogether.
        len: usize,
    },
    /// The beginning of one.
    Partial {
        /// Bytes that are needed altogether before there is more to say.
        needed: usize,
    },
}

/// Why bytes are no frame. There is no way to find the next one: close the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// Its length is above the limit.
    Oversized,
    /// Its checksum or kind is wrong.
    Malformed,
}

/// Appends a frame.
pub fn push(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let start = begin(out, kind, payload.len());
    out.extend_from_slice(payload);
    end(out, start);
}

/// Appends a frame with a machine's message. `len` is its encoded length.
pub fn push_message<'a>(out: &mut Vec<u8>, message: &impl Wire<'a>, len: usize) {
    let start = begin(out, Kind::Message, len);
    extend_with_zeros(out, start + self::len(len));
    message.encode(&mut Writer::new(&mut out[start + HEADER + 1..]));
    end(out, start);
}

/// Looks at the front of `bytes`.
///
/// # Errors
///
/// [`FrameError`] when it is not the front of a frame of at most `max` bytes.
pub fn parse(bytes: &[u8], max: usize) -> Result<Parsed<'_>, FrameError> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(Parsed::Partial { needed: HEADER });
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let body = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if body > max.saturating_sub(HEADER) {
        return Err(FrameError::Oversized);
    }
    let Some((body, _)) = rest.split_at_checked(body) else {
        return Ok(Parsed::Partial { needed: HEADER + body });
    };
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..4]), body);
    if crc != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::Malformed);
    }
    let (&kind, payload) = body.split_first().ok_or(FrameError::Malformed)?;
    let kind = Kind::from_byte(kind).ok_or(FrameError::Malformed)?;
    Ok(Parsed::Frame { kind, payload, len: HEADER + body.len() })
}

/// Bytes a frame takes for a payload of this many.
#[must_use]
pub const fn len(payload: usize) -> usize {
    payload.saturating_add(HEADER + 1)
}

fn begin(out: &mut Vec<u8>, kind: Kind, payload: usize) -> usize {
    let start = out.len();
    let body = u32::try_from(payload + 1).unwrap_or(u32::MAX);
    out.reserve(len(payload));
    out.extend_from_slice(&body.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(kind.byte());
    start
}

fn end(out: &mut [u8], start: usize) {
    let frame = &mut out[start..];
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[HEADER..]);
    frame[4..HEADER].copy_from_slice(&crc.to_le_bytes());
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Refusal => 1,
            Self::Message => 2,
            Self::Application => 3,
            Self::KeepAlive => 6,
            Self::Query => 7,
            Self::QueryResponse => 8,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Hello,
            1 => Self::Refusal,
            2 => Self::Message,
            3 => Self::Application,
            6 => Self::KeepAlive,
            7 => Self::Query,
            8 => Self::QueryResponse,
            _ => return None,
        })
    }
}

/// The sender of a connection, and the receiver it expects.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hello {
    /// The protocol's version, [`VERSION`] here.
    pub version: u32,
    /// The cluster's id.
    pub cluster: u64,
    /// The node that speaks.
    pub sender: NodeId,
    /// The node it speaks to.
    pub receiver: NodeId,
    /// Different each time the sender's process starts.
    pub incarnation: u64,
    /// Where the sender is reached, `host:port`, at most [`MAX_ADDRESS`] bytes; empty if it does not say.
    pub address: String,
    /// What the sender accepts beyond frames of messages and of the application.
    pub capabilities: Capabilities,
}

/// What a node accepts, as bits. They are in its answer to a hello, where older nodes do not look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Frames of the kind [`Kind::KeepAlive`].
    pub const KEEPALIVE: Self = Self(1);
    /// A second connection from the same node, for what is not urgent.
    pub const TWO_CONNECTIONS: Self = Self(2);
    /// This is that second connection. Sent by the connecting node, to one that accepts two.
    pub const BULK_CONNECTION: Self = Self(4);
    const ALL: u8 = Self::KEEPALIVE.0 | Self::TWO_CONNECTIONS.0 | Self::BULK_CONNECTION.0;

    /// These and others.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of these are among them.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// The longest address in a [`Hello`], in bytes, with the capabilities after it.
pub const MAX_ADDRESS: usize = 255;

/// Why a hello was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HelloError {
    /// It is none.
    Malformed,
    /// It is of another version.
    Version(u32),
    /// It is of another cluster.
    Cluster {
        /// The node that said so.
        node: NodeId,
        /// Its cluster's id.
        theirs: u64,
        /// That of this node's cluster.
        ours: u64,
    },
    /// It is meant for another node.
    Receiver(NodeId),
    /// It is from no peer, or not from the one expected.
    Sender(NodeId),
}

impl Hello {
    /// As the payload of a frame: magic (8), version (4), cluster, sender, receiver and incarnation
    /// (8 each), little-endian, and the address in UTF-8; if there are capabilities, a zero byte
    /// and an ASCII character, `@` and their bits. A longer address than there may be is left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.version.to_le_bytes());
        for field in [self.cluster, self.sender.get(), self.receiver.get(), self.incarnation] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        let capabilities =
            if self.capabilities.0 == 0 { &[][..] } else { &[0, b'@' | self.capabilities.0] };
        if self.address.len() + capabilities.len() <= MAX_ADDRESS {
            bytes.extend_from_slice(self.address.as_bytes());
        }
        bytes.extend_from_slice(capabilities);
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    ///
    /// [`HelloError::Malformed`], or [`HelloError::Version`], of which nothing more can be told.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HelloError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(HelloError::Malformed)?;
        let (version, rest) = rest.split_first_chunk().ok_or(HelloError::Malformed)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(HelloError::Version(version));
        }
        let (numbers, address) = rest.split_first_chunk::<32>().ok_or(HelloError::Malformed)?;
        let mut fields = [0; 4];
        for (field, bytes) in fields.iter_mut().zip(numbers.chunks_exact(8)) {
            *field = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        let [cluster, sender, receiver, incarnation] = fields;
        let (sender, receiver) = (NodeId::new(sender), NodeId::new(receiver));
        if address.len() > MAX_ADDRESS {
            return Err(HelloError::Malformed);
        }
        let (address, capabilities) = match address.iter().position(|&byte| byte == 0) {
            Some(end) => (&address[..end], address.get(end + 1).copied().unwrap_or_default()),
            None => (address, 0),
        };
        let capabilities = Capabilities(capabilities & Capabilities::ALL);
        let address = String::from_utf8(address.to_vec()).map_err(|_| HelloError::Malformed)?;
        Ok(Self { version, cluster, sender, receiver, incarnation, address, capabilities })
    }
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("this is no hello"),
            Self::Version(theirs) => write!(f, "you speak protocol {theirs}, this node {VERSION}"),
            Self::Cluster { node, theirs, ours } => write!(
                f,
                "node {node} is of the cluster founded as {theirs:016x}, this node of {ours:016x}"
            ),
            Self::Receiver(theirs) => {
                write!(f, "you look for node {theirs}, this is another: check the addresses")
            }
            Self::Sender(theirs) => {
                write!(f, "you are node {theirs}, which is not the peer expected here")
            }
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oversized => "a frame is above the size limit",
            Self::Malformed => "bytes that are no frame",
        })
    }
}

impl std::error::Error for HelloError {}
impl std::error::Error for FrameError {}
