use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use quorate_core::NodeId;
use quorate_paxos::multi::MultiPaxos;
use quorate_raft::{Heap, Raft};
use quorate_tokio::{Error, Handle, Node, NodeOptions, TcpOptions};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::bootstrap::{Bootstrap, Start};
use crate::cli::NodeArgs;
use crate::consensus::{Consensus, LogProtocol};
use crate::directory::Address;
use crate::founding::{self, Founder};
use crate::incarnation::{self, Incarnation};
use crate::lock::DirLock;
use crate::output_budget::OutputBudget;
use crate::replica::{Addresses, NodeHandle, Policy, Replica, Request};
use crate::server::{Server, ServerConfig};
use crate::snapshot_store::SnapshotStore;
use crate::{Failure, data_protocol, join, limits, metrics, not_ready, open_files, recover};

/// Runs one node until it is told to stop, or fails.
pub(crate) fn run(arguments: NodeArgs) -> Result<(), Failure> {
    validate(&arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Run(format!("cannot start threads: {error}")))?;
    let peers = listen(arguments.peer_listen, "--peer-listen")?;
    let ports = Ports::open(&arguments)?;
    let _lock = DirLock::acquire(&arguments.data)?;
    require_log(&arguments.data)?;
    data_protocol::claim(&arguments.data, arguments.consensus)?;
    let mut stop = runtime.block_on(async { Stop::watch(arguments.stop_with_stdin) })?;
    let bootstrap = match Bootstrap::load(&arguments)? {
        Start::Ready(bootstrap) => bootstrap,
        Start::Joining => {
            let Some(cluster) = runtime.block_on(join(&arguments, &mut stop))? else {
                // the query may still wait for an answer
                runtime.shutdown_background();
                return Ok(());
            };
            Bootstrap::joined(&arguments.data, cluster)?
        }
        Start::Founding(founder) => {
            let founded = runtime.block_on(found_cluster(founder, &peers, &ports, &mut stop))?;
            let Some(bootstrap) = founded else {
                runtime.shutdown_timeout(Duration::from_millis(200));
                return Ok(());
            };
            bootstrap
        }
    };
    let result = match arguments.consensus {
        LogProtocol::Raft => {
            run_founded::<Raft<Heap>>(arguments, &runtime, bootstrap, peers, ports, stop)
        }
        LogProtocol::Paxos => run_founded::<MultiPaxos<quorate_paxos::Heap>>(
            arguments, &runtime, bootstrap, peers, ports, stop,
        ),
    };
    // connections that still wait for something are cut
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

/// Runs a node whose cluster is founded.
fn run_founded<C: Consensus>(
    arguments: NodeArgs,
    runtime: &Runtime,
    bootstrap: Bootstrap,
    peers: TcpListener,
    ports: Ports,
    stop: Stop,
) -> Result<(), Failure> {
    let cluster = bootstrap.cluster();
    let addresses = addresses(&arguments, ports.clients.local_addr().unwrap_or(arguments.listen))?;
    let (wake, output_budget) = (Arc::new(Notify::new()), OutputBudget::default());
    let node =
        start::<C>(&arguments, bootstrap, peers, addresses, (wake.clone(), output_budget.clone()))?;
    runtime.spawn(tick(node.handle(), wake));
    runtime.block_on(serve(arguments, cluster, node, ports, stop, output_budget))
}

/// Where clients and Prometheus connect to.
struct Ports {
    clients: TcpListener,
    metrics: Option<TcpListener>,
}

impl Ports {
    fn open(arguments: &NodeArgs) -> Result<Self, Failure> {
        let clients = listen(arguments.listen, "--listen")?;
        let metrics = arguments.metrics.map(|address| listen(address, "--metrics")).transpose()?;
        Ok(Self { clients, metrics })
    }
}

/// Founds the cluster with the other founders; `None` if this node is told to stop before.
async fn found_cluster(
    founder: Founder,
    peers: &TcpListener,
    ports: &Ports,
    stop: &mut Stop,
) -> Result<Option<Bootstrap>, Failure> {
    let listener = |listener: &TcpListener| {
        let listener = listener
            .try_clone()
            .map_err(|error| Failure::Run(format!("cannot listen for clients: {error}")))?;
        tokio_listener(listener)
    };
    let clients = listener(&ports.clients)?;
    let metrics = ports.metrics.as_ref().map(listener).transpose()?;
    let founders_hash = founder.founders_hash;
    let voters = founder.founding.founders.iter().map(|&id| NodeId::new(id)).collect();
    tokio::select! {
        founded = founder.found(peers) => {
            founded.map(|cluster| Some(Bootstrap::Founder { cluster, founders_hash, voters }))
        }
        why = stop.requested() => {
            info!(why, "stopping");
            Ok(None)
        }
        () = not_ready::serve_clients(clients) => Ok(None),
        () = not_ready::serve_metrics(metrics) => Ok(None),
    }
}

/// Queries the nodes of `--join` for their cluster; `None` if this node is told to stop before.
async fn join(arguments: &NodeArgs, stop: &mut Stop) -> Result<Option<u64>, Failure> {
    let (id, nodes, protocol) = (arguments.id, arguments.join.clone(), arguments.consensus);
    let query = tokio::task::spawn_blocking(move || join::find_cluster(id, &nodes, protocol));
    tokio::select! {
        answer = query => match answer {
            Ok(cluster) => cluster.map(Some),
            Err(error) => Err(Failure::Run(format!("cannot ask the cluster: {error}"))),
        },
        why = stop.requested() => {
            info!(why, "stopping");
            Ok(None)
        }
    }
}

fn validate(arguments: &NodeArgs) -> Result<(), Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let ids = arguments.peer_ids();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return usage(format!("--peers has node {} twice", twice[0]));
    }
    if ids.is_empty() && arguments.join.is_empty() {
        return usage(
            "say of which cluster this node is: --peers 1=HOST:PORT,2=HOST:PORT,… with every node \
             that founds it, the same on each; or --join HOST:PORT,… with nodes of one that is \
             there"
                .into(),
        );
    }
    if !ids.contains(&arguments.id) && arguments.join.is_empty() {
        return usage(format!(
            "--peers does not have this node, {}: list every node that founds the cluster, the \
             same on each; or --join one that is there",
            arguments.id
        ));
    }
    if let Some(id) =
        arguments.found_without.iter().find(|id| **id == arguments.id || !ids.contains(id))
    {
        return usage(format!("--found-without {id}: it leaves out other nodes of --peers"));
    }
    if ids.len() > limits::MEMBERS {
        return usage(format!("--peers has more than {} nodes", limits::MEMBERS));
    }
    Ok(())
}

/// Whether an announced address certainly does not reach a node that listens there, unless
/// something between translates addresses.
fn contradicts_listen(announced: &str, listen: SocketAddr) -> bool {
    let port = announced.rsplit_once(':').map(|(_, port)| port);
    let ip = announced.parse::<SocketAddr>().ok().map(|announced| announced.ip());
    port != Some(&listen.port().to_string())
        || ip.is_some_and(|ip| !listen.ip().is_unspecified() && ip != listen.ip())
}

/// Where this node is reached, and where the command line says that the others are.
fn addresses(arguments: &NodeArgs, listen: SocketAddr) -> Result<Addresses, Failure> {
    let mut configured: HashMap<NodeId, String> =
        arguments.peers.iter().map(|(id, address)| (NodeId::new(*id), address.clone())).collect();
    let own = configured.remove(&NodeId::new(arguments.id));
    if let (Some(announced), None) = (&own, &arguments.advertise)
        && contradicts_listen(announced, arguments.peer_listen)
    {
        warn!(
            "--peers says that this node is at {announced}, and it listens at {}: the others look for it where --peers says. If it has moved, \
             correct that entry, or say by --advertise where it is reached",
            arguments.peer_listen
        );
    }
    let peer = match (own, arguments.advertise.clone()) {
        (_, Some(address)) | (Some(address), None) => address,
        (None, None) if arguments.peer_listen.ip().is_unspecified() => {
            return Err(Failure::Usage(
                "--peer-listen is every address of this machine: say by --advertise HOST:PORT \
                 which one the other nodes are to use"
                    .into(),
            ));
        }
        (None, None) => arguments.peer_listen.to_string(),
    };
    let client = match listen.ip().is_unspecified() {
        false => listen.to_string(),
        // the machine is the same
        true => {
            let host = peer.rsplit_once(':').map_or("", |(host, _)| host);
            format!("{host}:{}", listen.port())
        }
    };
    Ok(Addresses { own: Address { peer, client }, configured })
}

async fn serve<C: Consensus>(
    arguments: NodeArgs,
    cluster: u64,
    node: Node<Replica<C>>,
    ports: Ports,
    stop: Stop,
    output_budget: OutputBudget,
) -> Result<(), Failure> {
    let Ports { clients, metrics } = ports;
    let config = ServerConfig {
        id: arguments.id,
        listen: clients.local_addr().unwrap_or(arguments.listen),
        data: arguments.data.display().to_string(),
        max_clients: open_files::room_for(arguments.tuning.max_clients as usize),
        protocol: C::PROTOCOL,
        cluster,
    };
    info!(id = arguments.id, consensus = %C::PROTOCOL, clients = %config.listen, peers = %arguments.peer_listen, founding_id = format!("{cluster:016x}"), data = config.data, "serving");
    let server = Arc::new(Server::new(NodeHandle::new(node.handle()), config, output_budget));
    tokio::spawn(server.clone().accept(tokio_listener(clients)?));
    if let Some(listener) = metrics {
        tokio::spawn(metrics::serve(server.clone(), tokio_listener(listener)?));
    }
    run_until_stopped(node, stop).await
}

fn start<C: Consensus>(
    arguments: &NodeArgs,
    bootstrap: Bootstrap,
    peers: TcpListener,
    addresses: Addresses,
    (wake, output_budget): (Arc<Notify>, OutputBudget),
) -> Result<Node<Replica<C>>, Failure> {
    let run = |text: String| Failure::Run(text);
    let id = NodeId::new(arguments.id);
    let seed = incarnation::now() ^ arguments.id.rotate_left(32);
    let log = match &bootstrap {
        Bootstrap::Founder { voters, .. } => C::founder(id, voters, seed),
        Bootstrap::Joined { .. } => C::joining(id, seed),
    };
    let log = log.map_err(Failure::Usage)?;
    let tuning = &arguments.tuning;
    let policy = Policy {
        timeout_us: tuning.timeout_ms * 1_000,
        snapshot_bytes: tuning.snapshot_mb << 20,
        snapshot_entries: tuning.snapshot_entries,
        keep_entries: tuning.keep_entries,
    };
    let max_snapshot = tuning.max_snapshot_mb << 20;
    let data = arguments.data.clone();
    // the connections to the others are the application's to open
    let mut options = NodeOptions::new(id, bootstrap.cluster(), peers, Vec::new(), data.clone());
    options.query_handler =
        Some(founding::query_handler(arguments.id, bootstrap.founders_hash(), bootstrap.cluster()));
    options.advertise = Some(addresses.own.peer.clone());
    options.tcp = TcpOptions { max_frame_bytes: limits::FRAME_BYTES, ..TcpOptions::default() };
    options.wal = limits::wal();
    let cluster = bootstrap.cluster();
    let app = move |log: &mut C| {
        let replica = open_replica(id, cluster, policy, max_snapshot, addresses, &data, log);
        replica
            .map(|replica| replica.with_wake(wake).with_output_budget(output_budget))
            .map_err(Error::app)
    };
    let knows = founding::path(&arguments.data).exists() || !arguments.join.is_empty();
    quorate_tokio::start(log, app, options).map_err(|error| {
        let hint = match error {
            // a version that drew no founding id wrote none
            Error::Identity { cluster: of, node, .. } if node == id && !knows => {
                return run(format!("{error}; and {}", founding::restore_hint(arguments, of)));
            }
            Error::Identity { node, .. } if node != id => {
                return run(format!(
                    "{error}: start that node with --id {node}, or give this one a directory of \
                     its own"
                ));
            }
            Error::Identity { .. }
            | Error::Restore { reason: Some(quorate_core::Corrupt::Founders), .. } => {
                " (--peers is the list of those who founded the cluster, and stays what it was at \
                 the first start; who is in it later is changed with `quorate-kv ctl`)"
            }
            _ => "",
        };
        run(format!("{error}{hint}"))
    })
}

/// Refuses a directory that was used and has no log: to begin anew under the same id would forget votes and entries that this
/// node promised to keep.
fn require_log(data: &Path) -> Result<(), Failure> {
    let used = data.join("incarnation").exists() || data.join("snapshots").exists();
    if used && !data.join("wal").exists() {
        return Err(Failure::Run(format!(
            "the log {} is missing, but this node has run here before. If it was moved, move it back; an older copy of it does not do, as that loses acknowledged data. If it is lost, give up this node and its id, as it would forget what it promised: remove it (`quorate-kv ctl remove`), and start one under a new id, with an empty directory and --join",
            data.join("wal").display()
        )));
    }
    Ok(())
}

/// Makes the application, once the log is open, locked and restored.
fn open_replica<C: Consensus>(
    id: NodeId,
    cluster: u64,
    policy: Policy,
    max_snapshot: u64,
    addresses: Addresses,
    data: &Path,
    log: &mut C,
) -> Result<Replica<C>, String> {
    let failed =
        |what: &str, error: io::Error| format!("cannot {what} in {}: {error}", data.display());
    let snapshots = data.join("snapshots");
    fs::create_dir_all(&snapshots)
        .map_err(|error| failed("make the directory snapshots", error))?;
    let state = recover::recover(&snapshots, cluster, log)?;
    log.begin(state.applied)?;
    let archive = SnapshotStore::new(&snapshots, cluster, max_snapshot)
        .map_err(|error| failed("open the snapshots", error))?;
    let incarnation = Incarnation::begin(data, state.sessions.incarnation(id))
        .map_err(|error| failed("write the file incarnation", error))?;
    info!(
        applied = state.applied,
        keys = state.store.len(),
        log_last = log.view().last,
        "restored"
    );
    Ok(Replica::new(id, incarnation, policy, state, archive, addresses))
}

fn listen(address: SocketAddr, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        Failure::Run(format!(
            "cannot listen on {address} ({option}): {error}; is another node running there?"
        ))
    })
}

fn tokio_listener(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(|error| Failure::Run(format!("cannot listen: {error}")))
}

/// Lets the node look after deadlines also when nothing else happens, and go on with what it left for its next turn.
async fn tick<C: Consensus>(node: Handle<Replica<C>>, wake: Arc<Notify>) {
    let mut ticks = interval(Duration::from_millis(25));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = wake.notified() => {}
        }
        if node.send(Request::Tick).await.is_err() {
            return;
        }
    }
}

async fn run_until_stopped<C: Consensus>(
    mut node: Node<Replica<C>>,
    mut stop: Stop,
) -> Result<(), Failure> {
    let why = tokio::select! {
        result = node.wait() => {
            return match result {
                Ok(()) => Ok(()),
                Err(error) => Err(Failure::Run(format!("the node stopped: {error}"))),
            };
        }
        why = stop.requested() => why,
    };
    info!(why, "stopping");
    node.stop()
        .await
        .map_err(|error| Failure::Run(format!("the node did not stop cleanly: {error}")))
}

/// What tells this program to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
    orphaned: mpsc::Receiver<()>,
}

impl Stop {
    fn watch(with_stdin: bool) -> Result<Self, Failure> {
        let signals = signal(SignalKind::terminate())
            .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        let (terminate, interrupt) =
            signals.map_err(|error| Failure::Run(format!("cannot watch for signals: {error}")))?;
        Ok(Self { terminate, interrupt, orphaned: watch_stdin(with_stdin) })
    }

    /// Waits until this program is told to stop; says by what.
    async fn requested(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "terminated",
            _ = self.interrupt.recv() => "interrupted",
            _ = self.orphaned.recv() => "the standard input ended",
        }
    }
}

/// Says so when the standard input ends: then whoever started this node is gone.
fn watch_stdin(watch: bool) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    let spawned = thread::Builder::new().name("stdin".into()).spawn(move || {
        if !watch {
            // the receiver must not see an end
            loop {
                thread::park();
            }
        }
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut [0; 64]) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        let _ = sender.blocking_send(());
    });
    if let Err(error) = spawned {
        warn!(%error, "cannot watch the standard input");
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_entry_contradicting_the_listen_address_is_detected() {
        let listen = |text: &str| text.parse::<SocketAddr>();
        for (announced, at, elsewhere) in [
            ("10.0.0.1:7001", "10.0.0.1:7001", false),
            ("10.0.0.1:7001", "0.0.0.0:7001", false),
            ("host:7001", "10.0.0.1:7001", false),
            ("10.0.0.1:7001", "10.0.0.1:7002", true),
            ("host:7001", "0.0.0.0:7002", true),
            ("10.0.0.2:7001", "10.0.0.1:7001", true),
        ] {
            let found = listen(at).map(|at| contradicts_listen(announced, at));
            assert_eq!(found, Ok(elsewhere), "{announced} and {at}");
        }
    }
}
