use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use quorate_core::NodeId;

use crate::serial::Address;
use crate::{TcpOptions, WalOptions};

/// Who a node is, where it listens and where it keeps its log.
#[derive(Debug)]
pub struct NodeOptions {
    /// This node.
    pub id: NodeId,
    /// The cluster's id, best drawn at random when it was founded: nodes of another one are refused, and so is their log.
    pub cluster: u64,
    /// Where the other nodes connect to; none if there are only serial lines.
    pub peer_listener: Option<TcpListener>,
    /// Where the others reach this node, `host:port`: told to them, so that one that does not know it yet lets it in. None is told if
    /// the peers are fixed.
    pub advertise: Option<String>,
    /// The other nodes and their addresses, `host:port`. This node's own entry, if present, is ignored.
    pub peers: Vec<(NodeId, String)>,
    /// Nodes at the other end of a serial line, which are not among the `peers`.
    pub serial_lines: Vec<(NodeId, Address)>,
    /// Where the log is; made if missing, locked while the node runs.
    pub data_dir: PathBuf,
    /// Commands that may wait in [`Handle::send`](crate::Handle::send)'s queue. 4,096 is usual.
    pub command_queue: usize,
    /// The write-ahead log.
    pub wal: WalOptions,
    /// The transport.
    pub tcp: TcpOptions,
    /// Answers queries that come instead of a hello, from nodes that belong to no cluster yet;
    /// none: such connections are refused.
    pub query_handler: Option<QueryHandler>,
}

/// Answers a [`Query`](crate::frame::Kind::Query) for the application: from its bytes to those of
/// the response, at most [`MAX_HELLO`](crate::frame::MAX_HELLO) less a frame's header either way.
/// It runs between other things of the transport, so it must not wait for anything.
///
/// ```
/// let handler = quorate_tokio::QueryHandler::new(|query| [b"the query was: ", query].concat());
/// # let _ = handler;
/// ```
#[derive(Clone)]
pub struct QueryHandler(pub(crate) Arc<HandlerFn>);

type HandlerFn = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

impl QueryHandler {
    /// Answers by this function.
    pub fn new(handler: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Arc::new(handler))
    }
}

impl fmt::Debug for QueryHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryHandler").finish_non_exhaustive()
    }
}

impl NodeOptions {
    /// Options with the defaults for everything that has one.
    #[must_use]
    pub fn new(
        id: NodeId,
        cluster: u64,
        peer_listener: TcpListener,
        peers: Vec<(NodeId, String)>,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            id,
            cluster,
            peer_listener: Some(peer_listener),
            advertise: None,
            peers,
            serial_lines: Vec::new(),
            data_dir,
            command_queue: 4096,
            wal: WalOptions::default(),
            tcp: TcpOptions::default(),
            query_handler: None,
        }
    }

    /// Options for a node that has serial lines to the others, and no port.
    #[must_use]
    pub fn with_serial_lines(
        id: NodeId,
        cluster: u64,
        serial_lines: Vec<(NodeId, Address)>,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            id,
            cluster,
            peer_listener: None,
            advertise: None,
            peers: Vec::new(),
            serial_lines,
            data_dir,
            command_queue: 4096,
            wal: WalOptions::default(),
            tcp: TcpOptions::default(),
            query_handler: None,
        }
    }
}
