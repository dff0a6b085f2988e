use core::fmt::Write;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use quorate_tokio::{MetricsSnapshot, StorageHealth};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use crate::consensus::Role;
use crate::node_status::NodeStatus;
use crate::replica::Request;
use crate::server::Server;

/// Serves the Prometheus page, `GET /metrics`, one request a connection.
pub(crate) async fn serve(server: Arc<Server>, listener: TcpListener) {
    // scrapers are few; more connections wait in the kernel's queue
    let slots = Arc::new(Semaphore::new(64));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let server = server.clone();
                tokio::spawn(async move {
                    let _ = timeout(Duration::from_secs(1), respond_to(&server, socket)).await;
                    drop(slot);
                });
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn respond_to(server: &Server, mut socket: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let read = socket.read(&mut part).await?;
        request.extend_from_slice(&part[..read]);
        if read == 0 || request.len() > 8 << 10 {
            return respond(&mut socket, "400 Bad Request", "no request, or too long a one\n")
                .await;
        }
    }
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    if !(line.starts_with(b"GET /metrics ") || line.starts_with(b"GET /metrics?")) {
        return respond(&mut socket, "404 Not Found", "the page is GET /metrics\n").await;
    }
    let (sender, view) = oneshot::channel();
    let sent = server.node.send(Request::Status(sender)).await.is_ok();
    match view.await {
        Ok(view) if sent => {
            let body = render(server, &view, &server.node.metrics().snapshot());
            respond(&mut socket, "200 OK", &body).await
        }
        _ => respond(&mut socket, "503 Service Unavailable", "this node is stopping\n").await,
    }
}

async fn respond(socket: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body.as_bytes()).await?;
    socket.shutdown().await
}

fn render(server: &Server, view: &NodeStatus, driver: &MetricsSnapshot) -> String {
    let mut exposition = Exposition(String::with_capacity(4096));
    let status = &view.status;
    let leads = u64::from(status.role == Role::Leader);
    exposition.gauge("leader", "1 on the leader", leads);
    exposition.gauge("has_leader", "1 if this node knows a leader", status.leader.is_some().into());
    match status.ballot {
        Some((round, node)) => {
            exposition.gauge("ballot_round", "round of the highest ballot promised", round);
            exposition.gauge("ballot_node", "node whose ballot that is", node.get());
        }
        None => exposition.gauge("term", "current term", status.epoch),
    }
    exposition.gauge("commit_index", "last entry known to be committed", status.commit);
    exposition.gauge("applied_index", "last entry applied", view.applied);
    exposition.gauge("last_index", "last entry of the log", status.last);
    exposition.gauge("durable_index", "last entry on this node's disk", status.durable);
    exposition.gauge("snapshot_index", "last entry the snapshot covers", status.snapshot);
    exposition.gauge("keys", "keys in the store", view.keys as u64);
    exposition.gauge("store_bytes", "bytes of keys and values", view.bytes);
    exposition.gauge(
        "waiting_batches",
        "batches of this node's clients without an answer",
        view.waiting as u64,
    );
    exposition.gauge(
        "disk_ok",
        "0 while the disk takes no writes",
        (view.disk == StorageHealth::Good).into(),
    );
    exposition.gauge("stopped", "1 if the node stopped itself", status.fatal.is_some().into());
    exposition.gauge(
        "removed",
        "1 if this node was removed while it was cut off",
        status.removed.is_some().into(),
    );
    exposition.gauge(
        "awaits_snapshot",
        "1 while nothing is applied until a snapshot comes",
        status.awaits_snapshot.into(),
    );
    exposition.gauge(
        "refusing_peer",
        "id of the peer whose messages are refused again and again, 0 for none",
        status.refusing.map_or(0, |(peer, _)| peer.get()),
    );
    exposition.gauge(
        "turn_read_steps_max",
        "most steps of reads in one turn",
        view.meter.most_reads,
    );
    exposition.gauge(
        "turn_write_steps_max",
        "most steps of writes in one turn",
        view.meter.most_writes,
    );
    exposition.gauge(
        "large_input_bytes",
        "bytes granted to large commands of clients",
        server.input.granted() as u64,
    );
    exposition.gauge(
        "unread_reply_bytes",
        "bytes of replies that clients have not read",
        server.output_budget.bytes() as u64,
    );
    exposition.gauge("clients", "connected clients", server.clients.len() as u64);
    let [commands, connections, rejected, protocol_errors] = server.counters.get();
    let counters = &view.counters;
    for (name, help, value) in [
        ("commands", "commands of clients", commands),
        ("connections", "connections of clients", connections),
        (
            "slow_clients_closed",
            "clients closed for reading replies too slowly",
            server.output_budget.closed(),
        ),
        ("connections_rejected", "connections refused", rejected),
        ("protocol_errors", "connections closed for what is no request", protocol_errors),
        ("applied_batches", "batches applied", counters.applied),
        (
            "duplicate_batches",
            "batches that came again and were not applied again",
            counters.duplicates,
        ),
        ("forwarded_out", "requests sent to the leader", counters.forwarded_out),
        ("forwarded_in", "requests taken from other nodes", counters.forwarded_in),
        ("retried_batches", "batches sent to a leader again", counters.retries),
        ("timeouts", "batches given up", counters.timeouts),
        (
            "invalid_requests",
            "requests of peers that were refused as invalid",
            counters.invalid_requests,
        ),
        (
            "incarnation_changes",
            "times this node took a new incarnation because of batches forged in its name",
            counters.incarnation_changes,
        ),
        ("leader_changes", "times a leader became known", counters.leader_changes),
        ("snapshots_written", "snapshots written", counters.snapshots_written),
        ("snapshots_installed", "snapshots taken from the leader", counters.snapshots_installed),
        (
            "messages_rejected",
            "messages of peers that were refused",
            u64::from(view.rejections.total()),
        ),
        ("log_records", "records written to the log", driver.wal.records),
        ("log_syncs", "syncs of the log", driver.wal.syncs),
        ("log_sync_microseconds", "time spent in them", driver.wal.sync_us),
        ("log_full", "times the log found the disk full", driver.wal.full),
    ] {
        exposition.counter(name, help, value);
    }
    exposition.header(
        "peer_match_index",
        "last entry on a follower's disk, as the leader knows",
        "gauge",
    );
    for peer in &view.peers {
        exposition.labelled("peer_match_index", peer.id.get(), peer.match_index);
    }
    exposition.header(
        "peer_lost_entries",
        "1 if a follower lost entries it had acknowledged: remove it, and let it come back empty \
         under a new id",
        "gauge",
    );
    for peer in &view.peers {
        exposition.labelled("peer_lost_entries", peer.id.get(), peer.lost.is_some().into());
    }
    exposition.header("peer_connected", "1 if the link to the peer is up", "gauge");
    for (id, peer) in &driver.peers {
        exposition.labelled("peer_connected", id.get(), peer.connected.into());
    }
    exposition.header(
        "peer_frames_dropped_total",
        "frames dropped on the way to a peer",
        "counter",
    );
    for (id, peer) in &driver.peers {
        exposition.labelled("peer_frames_dropped_total", id.get(), peer.link.dropped);
    }
    exposition.header(
        "peer_frames_oversized_total",
        "frames dropped because they are longer than the transport takes",
        "counter",
    );
    for (id, peer) in &driver.peers {
        exposition.labelled("peer_frames_oversized_total", id.get(), peer.link.oversized);
    }
    exposition.0
}

struct Exposition(String);

impl Exposition {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.header(name, help, "gauge");
        let _ = writeln!(self.0, "quorate_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.header(&name, help, "counter");
        let _ = writeln!(self.0, "quorate_{name} {value}");
    }

    fn header(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP quorate_{name} {help}\n# TYPE quorate_{name} {kind}");
    }

    fn labelled(&mut self, name: &str, peer: u64, value: u64) {
        let _ = writeln!(self.0, "quorate_{name}{{peer=\"{peer}\"}} {value}");
    }
}
