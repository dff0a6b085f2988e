use super::{Survey, survey};
use crate::Failure;
use crate::admin_client::{NodeInfo, leader};
use crate::consensus::LogProtocol;

/// Prints a table of all members and of the other nodes that were named.
///
/// # Errors
///
/// A problem, which was printed, or no node is the leader.
pub(super) fn run(nodes: &[String]) -> Result<(), Failure> {
    let Survey { seen, unreachable } = survey(nodes);
    let mut healthy = true;
    let protocol = seen.first().map_or(LogProtocol::Raft, |(_, node)| node.protocol);
    let epoch_name = seen.first().map_or("term", |(_, node)| node.protocol.epoch_name());
    out!(
        "{:>4}  {:<21} {:<13} {:>6} {:>12} {:>12} {:>8}  disk",
        "node",
        "address",
        "role",
        epoch_name,
        "commit",
        "applied",
        "behind"
    );
    let furthest = seen.iter().map(|(_, seen)| seen.commit).max().unwrap_or(0);
    for (address, node) in &seen {
        let NodeInfo { id, term, commit, applied, disk, .. } = node;
        let (role, behind) = (node.role_label(), furthest.saturating_sub(*applied));
        out!(
            "{id:>4}  {address:<21} {role:<13} {term:>6} {commit:>12} {applied:>12} {behind:>8}  {disk}"
        );
    }
    for (_, node) in &seen {
        for member in &node.members {
            if let Some(index) = member.lost_entries {
                let id = member.id;
                healthy = false;
                out!(
                    "node {id} lost entries that it had acknowledged (up to {index}): remove it (ctl remove {id}), and let it come \
                     back with an empty data directory under a new id"
                );
            }
        }
        healthy &= node.disk == "ok";
        for line in problems(node) {
            healthy = false;
            out!("      {line}");
        }
    }
    let newest = leader(&seen).or_else(|| seen.iter().max_by_key(|(_, seen)| seen.commit));
    let members = newest.map_or(&[][..], |(_, seen)| &seen.members[..]);
    let mut named = Vec::new();
    for member in members.iter().filter(|m| seen.iter().all(|(_, seen)| seen.id != m.id)) {
        let (id, client, standing) = (member.id, &member.client, &member.standing);
        let why = match unreachable.iter().find(|(address, _)| address == client) {
            Some((_, error)) => format!("does not answer: {error}"),
            None => "does not answer: where clients reach it is not known yet".into(),
        };
        named.push(client);
        healthy = false;
        out!("{id:>4}  {client:<21} {standing:<13} {why}");
    }
    for (address, error) in unreachable.iter().filter(|(address, _)| !named.contains(&address)) {
        healthy = false;
        let what = match error.kind() {
            std::io::ErrorKind::Other => "answers",
            _ => "does not answer",
        };
        out!("   ?  {address:<21} {what}: {error}");
    }
    for (address, node) in &seen {
        let (id, cluster) = (node.id, node.cluster);
        if let Some((_, NodeInfo { cluster: other, .. })) =
            newest.filter(|(_, newest)| newest.cluster != cluster)
        {
            healthy = false;
            out!(
                "NOT ONE CLUSTER: node {id} ({address}) is of the one founded as {cluster:016x}, others of {other:016x}"
            );
        }
    }
    if let Some((_, NodeInfo { cluster, .. })) = newest {
        out!("cluster founded as {cluster:016x}, on {protocol}");
    }
    if seen.is_empty() {
        let says = unreachable.iter().any(|(_, error)| error.kind() == std::io::ErrorKind::Other);
        let why = if says { "no node serves: see above" } else { "no node answers: see --nodes" };
        return Err(Failure::Run(why.into()));
    }
    match leader(&seen) {
        None => Err(Failure::Run("none of these nodes is the leader".into())),
        Some(_) if !healthy => Err(Failure::Run("not all is well: see above".into())),
        Some(_) => Ok(()),
    }
}

/// What does not heal by itself, and the way out.
fn problems(node: &NodeInfo) -> Vec<String> {
    let id = node.id;
    let mut lines = Vec::new();
    if node.removed {
        lines.push(format!(
            "node {id} was removed while it was cut off: stop it; it comes back under a new id, \
             with an empty directory"
        ));
    }
    if !node.refusing.is_empty() {
        let what = &node.refusing;
        lines.push(format!(
            "node {id} keeps refusing messages ({what}). If that lasts, one of the two has lost \
             entries, and it may be the other: look at both logs, and remove (`ctl remove`) the \
             one whose disk was erased or is an older copy; it comes back under a new id"
        ));
    }
    if matches!(node.role.as_str(), "candidate" | "pre-candidate") {
        lines.push(format!(
            "node {id} follows no leader: if that lasts, the leader does not reach it. Has it \
             moved? Its log and the leader's say at which addresses they try"
        ));
    }
    if node.awaits_snapshot && node.role == "leader" {
        lines.push(format!(
            "node {id} is the leader, and applies nothing until it gets a snapshot: `ctl \
             transfer` its leadership to a node whose state is whole"
        ));
    }
    lines
}
