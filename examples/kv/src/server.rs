use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use quorate_tokio::LogLimit;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::clients::Clients;
use crate::connection::Connection;
use crate::consensus::LogProtocol;
use crate::input_budget::InputBudget;
use crate::limits;
use crate::output_budget::OutputBudget;
use crate::replica::NodeHandle;

/// What all client connections of a node share.
pub(crate) struct Server {
    pub(crate) node: NodeHandle,
    pub(crate) clients: Clients,
    pub(crate) counters: ServerCounters,
    pub(crate) config: ServerConfig,
    pub(crate) started: Instant,
    /// Memory for large commands.
    pub(crate) input: InputBudget,
    /// Memory for replies that clients have not read.
    pub(crate) output_budget: OutputBudget,
    log_limit: LogLimit<&'static str>,
}

/// How the node was started, for `INFO` and `CONFIG GET`.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    pub(crate) id: u64,
    pub(crate) listen: SocketAddr,
    pub(crate) data: String,
    pub(crate) max_clients: usize,
    pub(crate) protocol: LogProtocol,
    /// The founding id, which all nodes of the cluster have in common.
    pub(crate) cluster: u64,
}

/// Counted since the start.
#[derive(Debug, Default)]
pub(crate) struct ServerCounters {
    commands: AtomicU64,
    connections: AtomicU64,
    rejected: AtomicU64,
    protocol_errors: AtomicU64,
}

impl Server {
    pub(crate) fn new(node: NodeHandle, config: ServerConfig, output_budget: OutputBudget) -> Self {
        Self {
            node,
            clients: Clients::default(),
            counters: ServerCounters::default(),
            config,
            started: Instant::now(),
            input: InputBudget::new(),
            output_budget,
            log_limit: LogLimit::new(1),
        }
    }

    /// What `CONFIG GET` shows.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let text = str::to_owned;
        vec![
            ("appendfsync", text("always")),
            ("appendonly", text("yes")),
            ("bind", self.config.listen.ip().to_string()),
            ("cluster-enabled", text("no")),
            ("databases", text("1")),
            ("dir", self.config.data.clone()),
            ("maxclients", self.config.max_clients.to_string()),
            ("maxmemory", text("0")),
            ("maxmemory-policy", text("noeviction")),
            ("port", self.config.listen.port().to_string()),
            ("proto-max-bulk-len", limits::VALUE_BYTES.to_string()),
            ("requirepass", text("")),
            ("save", text("")),
            ("timeout", text("0")),
        ]
    }

    /// Accepts clients for as long as the program runs.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, address)) => self.clone().serve_client(socket, address),
                Err(error) => {
                    // too many open files, mostly: others will leave
                    if let Some(suppressed) = self.log_limit.pass("accept") {
                        warn!(%error, suppressed, "cannot accept a client");
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A client is closed because it takes its replies too slowly.
    pub(crate) fn count_slow_client(&self, id: u64, reply_bytes: usize) {
        self.output_budget.count_closed();
        if let Some(suppressed) = self.log_limit.pass("slow client") {
            let unread_bytes = self.output_budget.bytes();
            warn!(
                client = id,
                reply_bytes,
                unread_bytes,
                suppressed,
                "closing a client that reads its replies too slowly"
            );
        }
    }

    fn serve_client(self: Arc<Self>, mut socket: TcpStream, address: SocketAddr) {
        if self.clients.len() >= self.config.max_clients {
            self.counters.rejected.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let _ = socket.write_all(b"-ERR max number of clients reached\r\n").await;
            });
            return;
        }
        let id = self.counters.connections.fetch_add(1, Ordering::Relaxed) + 1;
        if let Err(error) = socket.set_nodelay(true) {
            debug!(id, %error, "no TCP_NODELAY");
        }
        let registered = self.clients.register(id, address);
        tokio::spawn(async move {
            let result: io::Result<()> = Connection::new(self, socket, id).run().await;
            if let Err(error) = result {
                debug!(id, %error, "client gone");
            }
            drop(registered);
        });
    }
}

impl ServerCounters {
    pub(crate) fn commands(&self, count: u64) {
        self.commands.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn protocol_errors(&self) {
        self.protocol_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Commands, connections, refused connections, protocol errors.
    pub(crate) fn get(&self) -> [u64; 4] {
        [&self.commands, &self.connections, &self.rejected, &self.protocol_errors]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}
