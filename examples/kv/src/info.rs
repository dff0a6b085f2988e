use core::fmt::Write;

use quorate_tokio::StorageHealth;

use crate::consensus::Role;
use crate::directory::Address;
use crate::node_status::{MemberInfo, NodeStatus};
use crate::server::Server;

/// The version of Redis whose protocol and error texts this server has, for clients that look.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

type Section = fn(&Server, &NodeStatus, &mut String);

/// The text of `INFO`: all sections, or those named.
pub(crate) fn render(server: &Server, view: &NodeStatus, sections: &[&[u8]]) -> String {
    let everything = sections.is_empty()
        || sections.iter().any(|name| {
            [&b"all"[..], b"default", b"everything"]
                .iter()
                .any(|all| name.eq_ignore_ascii_case(all))
        });
    let mut out = String::new();
    let parts: [(&str, Section); 7] = [
        ("Server", server_section),
        ("Clients", clients_section),
        ("Memory", memory_section),
        ("Persistence", persistence_section),
        ("Stats", stats_section),
        ("Replication", replication_section),
        ("Keyspace", keyspace_section),
    ];
    for (name, section) in parts {
        if everything || sections.iter().any(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()))
        {
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            let _ = write!(out, "# {name}\r\n");
            section(server, view, &mut out);
        }
    }
    out
}

/// A field of what [`render`] wrote; empty if it is not there.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default()
}

/// A node's part in its cluster, as people say it.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Leader => "leader",
        Role::Candidate => "candidate",
        Role::PreCandidate => "pre-candidate",
        Role::Follower => "follower",
    }
}

/// A disk's health, as people say it.
pub(crate) fn disk(health: StorageHealth) -> &'static str {
    match health {
        StorageHealth::Good => "ok",
        StorageHealth::Full => "full",
        _ => "failed",
    }
}

macro_rules! line {
    ($out:expr, $($text:tt)*) => {{
        // writing to a string does not fail
        let _ = write!($out, $($text)*);
        $out.push_str("\r\n");
    }};
}

fn server_section(server: &Server, _view: &NodeStatus, out: &mut String) {
    line!(out, "redis_version:{REDIS_VERSION}");
    line!(out, "quorate_version:{}", env!("CARGO_PKG_VERSION"));
    line!(out, "redis_mode:standalone");
    line!(out, "process_id:{}", std::process::id());
    line!(out, "node_id:{}", server.config.id);
    line!(out, "tcp_port:{}", server.config.listen.port());
    line!(out, "uptime_in_seconds:{}", server.started.elapsed().as_secs());
}

fn clients_section(server: &Server, view: &NodeStatus, out: &mut String) {
    line!(out, "connected_clients:{}", server.clients.len());
    line!(out, "maxclients:{}", server.config.max_clients);
    line!(out, "blocked_clients:{}", view.waiting);
    line!(out, "unread_reply_bytes:{}", server.output_budget.bytes());
    line!(out, "slow_clients_closed:{}", server.output_budget.closed());
}

fn memory_section(_server: &Server, view: &NodeStatus, out: &mut String) {
    line!(out, "used_memory_dataset:{}", view.bytes);
    line!(out, "maxmemory:0");
    line!(out, "maxmemory_policy:noeviction");
}

fn persistence_section(_server: &Server, view: &NodeStatus, out: &mut String) {
    line!(out, "loading:0");
    line!(out, "disk:{}", disk(view.disk));
    let failed = view.disk != StorageHealth::Good;
    line!(out, "aof_enabled:1");
    line!(out, "aof_last_write_status:{}", if failed { "err" } else { "ok" });
    line!(out, "rdb_last_bgsave_status:{}", if view.snapshot_failed { "err" } else { "ok" });
    line!(out, "snapshot_index:{}", view.status.snapshot);
    line!(out, "snapshots_written:{}", view.counters.snapshots_written);
    line!(out, "snapshots_installed:{}", view.counters.snapshots_installed);
    line!(out, "log_first:{}", view.status.first);
    line!(out, "log_last:{}", view.status.last);
    line!(out, "log_durable:{}", view.status.durable);
}

fn stats_section(server: &Server, view: &NodeStatus, out: &mut String) {
    let [commands, connections, rejected, protocol_errors] = server.counters.get();
    let counters = &view.counters;
    line!(out, "total_connections_received:{connections}");
    line!(out, "total_commands_processed:{commands}");
    line!(out, "rejected_connections:{rejected}");
    line!(out, "protocol_errors:{protocol_errors}");
    line!(out, "applied_batches:{}", counters.applied);
    line!(out, "duplicate_batches:{}", counters.duplicates);
    line!(out, "forwarded_out:{}", counters.forwarded_out);
    line!(out, "forwarded_in:{}", counters.forwarded_in);
    line!(out, "retried_batches:{}", counters.retries);
    line!(out, "timeouts:{}", counters.timeouts);
    line!(out, "leader_changes:{}", counters.leader_changes);
    line!(out, "invalid_requests:{}", counters.invalid_requests);
    line!(out, "incarnation_changes:{}", counters.incarnation_changes);
    line!(out, "turn_read_steps_max:{}", view.meter.most_reads);
    line!(out, "turn_write_steps_max:{}", view.meter.most_writes);
    line!(out, "peer_messages_rejected:{}", view.rejections.total());
}

fn replication_section(server: &Server, view: &NodeStatus, out: &mut String) {
    let status = &view.status;
    line!(out, "role:{}", if status.fatal.is_some() { "stopped" } else { role(status.role) });
    line!(out, "consensus:{}", server.config.protocol);
    match status.ballot {
        Some((round, node)) => line!(out, "ballot:{round}.{node}"),
        None => line!(out, "term:{}", status.epoch),
    }
    line!(out, "epoch:{}", status.epoch);
    if let Some(configuration) = status.configuration {
        line!(out, "configuration:{configuration}");
    }
    line!(out, "leader:{}", status.leader.map_or(0, |leader| leader.get()));
    line!(out, "commit:{}", status.commit);
    line!(out, "applied:{}", view.applied);
    line!(out, "standing:{}", status.standing);
    line!(out, "removed:{}", status.removed.unwrap_or(0));
    line!(out, "awaits_snapshot:{}", u8::from(status.awaits_snapshot));
    match status.refusing {
        Some((peer, reason)) => line!(out, "refusing:peer={},reason={reason}", peer.get()),
        None => line!(out, "refusing:"),
    }
    line!(out, "cluster:{}", server.config.cluster);
    line!(out, "founding_id:{:016x}", server.config.cluster);
    line!(out, "members_index:{}", status.members_index);
    line!(out, "members_settled:{}", u8::from(!status.is_changing));
    let links = server.node.metrics().snapshot().peers;
    let is_up = |id| links.iter().any(|(peer, link)| *peer == id && link.connected);
    line!(out, "connected_slaves:{}", view.peers.iter().filter(|peer| is_up(peer.id)).count());
    line!(out, "links:{}", links.len());
    line!(out, "addresses:{}", view.known);
    line!(out, "peers:{}", view.members.len());
    for MemberInfo { id, standing, address } in &view.members {
        let progress = view.peers.iter().find(|peer| peer.id == *id);
        let Address { peer, client } = address;
        let link = match links.iter().find(|(peer, _)| peer == id) {
            Some((_, link)) if link.connected => ",link=up",
            Some(_) => ",link=down",
            None => "",
        };
        let who = format!("peer{id}:address={peer},client={client},standing={standing}{link}");
        match progress {
            Some(peer) => line!(
                out,
                "{who},state={},match={},lag={},silent_ms={}{}",
                peer.state,
                peer.match_index,
                status.last.saturating_sub(peer.match_index),
                peer.silent_us / 1_000,
                peer.lost.map(|index| format!(",lost={index}")).unwrap_or_default()
            ),
            None => line!(out, "{who}"),
        }
    }
}

fn keyspace_section(_server: &Server, view: &NodeStatus, out: &mut String) {
    if view.keys > 0 {
        line!(out, "db0:keys={},expires=0,avg_ttl=0", view.keys);
    }
}
