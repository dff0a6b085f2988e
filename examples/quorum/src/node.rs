use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use quorate_clocks::Actor;
use quorate_core::NodeId;
use quorate_ring::quorum::Config;
use quorate_tokio::{Error, Handle, NodeOptions, TcpOptions, TrySendError, WalOptions, start};

use crate::app::{Ask, BEAT_US, Keeper, Store, View};
use crate::members::Layout;
use crate::value::Stored;

/// Longest key, in bytes.
pub(crate) const MAX_KEY: usize = 128;
/// Longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 64 << 10;

/// Faster than a server would be, so that people see what happens.
const CONFIG: Config = Config {
    retry_us: 200_000,
    attempts: 15,
    handoff_us: 500_000,
    sweep_pause_us: 1_000_000,
    purge_us: 20_000_000,
    max_key_len: MAX_KEY,
    max_keys: 1 << 16,
    ..Config::lan()
};

/// How long a node takes to say what there is to see, at most.
const LOOK: Duration = Duration::from_secs(10);

/// How a node begins.
pub(crate) struct Birth<'a> {
    pub(crate) id: NodeId,
    pub(crate) cluster: u64,
    /// How often it was started.
    pub(crate) starts: u32,
    /// It is one of those with which the cluster begins, and was never there before.
    pub(crate) founds: bool,
    pub(crate) layout: Layout,
    /// The nodes that run, and where they are reached.
    pub(crate) peers: Vec<(NodeId, String)>,
    /// All others there ever were: one that does not run is missed.
    pub(crate) others: Vec<NodeId>,
    pub(crate) dir: &'a Path,
}

/// A running node.
pub(crate) struct Running<V: Stored> {
    node: quorate_tokio::Node<Keeper<V>>,
    handle: Handle<Keeper<V>>,
    address: String,
}

impl<V: Stored> Running<V> {
    /// Opens its log, restores what is in it and listens at a free port.
    pub(crate) fn start(birth: Birth<'_>) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::app)?;
        let address = listener.local_addr().map_err(Error::app)?.to_string();
        let Birth { id, cluster, starts, founds, layout, peers, others, dir } = birth;
        let machine = Store::<V>::new(id, starts.into(), layout, CONFIG).map_err(Error::app)?;
        let app = |machine: &mut Store<V>| {
            if founds {
                machine.found();
            }
            Ok(Keeper::new(Actor::new(id, starts), &others))
        };
        let options = NodeOptions {
            advertise: Some(address.clone()),
            wal: WalOptions {
                checkpoint_bytes: 1 << 20,
                preallocate_bytes: 64 << 10,
                reserve_bytes: 1 << 20,
                ..WalOptions::default()
            },
            tcp: TcpOptions {
                max_frame_bytes: 1 << 20,
                backoff_max_ms: 200,
                ..TcpOptions::default()
            },
            ..NodeOptions::new(id, cluster, listener, peers, dir.to_path_buf())
        };
        let node = start(machine, app, options)?;
        let handle = node.handle();
        let beats = handle.clone();
        let beat = move || {
            while !matches!(beats.try_send(Ask::Beat), Err(TrySendError::Stopped(_))) {
                thread::sleep(Duration::from_micros(BEAT_US));
            }
        };
        let thread = thread::Builder::new().name(format!("beats of {id}")).spawn(beat);
        thread.map_err(Error::app)?;
        Ok(Self { node, handle, address })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Hands a command in; false if the node has stopped, or is too busy.
    pub(crate) fn ask(&self, ask: Ask<V>) -> bool {
        self.handle.try_send(ask).is_ok()
    }

    /// What is to be seen of it; `None` if it has stopped.
    pub(crate) fn look(&self, keys: Vec<Vec<u8>>) -> Option<View<V>> {
        let (reply, view) = channel();
        if !self.ask(Ask::Look(keys, reply)) {
            return None;
        }
        view.recv_timeout(LOOK).ok()
    }

    /// Ends it; its log stays.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.node.stop().await
    }
}
