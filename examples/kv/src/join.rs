//! What a node with an empty disk learns from the cluster before it joins: the founding id, and
//! whether its own id was used before.

use core::time::Duration;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use tracing::info;

use crate::Failure;
use crate::admin_client::{self, IdRecord, NodeInfo};
use crate::consensus::LogProtocol;

/// How long to wait for a node that answers.
const TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The founding id of the cluster that this node joins.
///
/// Every node of `--join` is queried: one that lags may not have applied a removal yet.
///
/// # Errors
///
/// No node answers, they are not of one cluster, or one of them knows this id with another disk.
pub(crate) fn find_cluster(
    id: u64,
    nodes: &[String],
    protocol: LogProtocol,
) -> Result<u64, Failure> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let queried = nodes.iter().map(|node| (node.as_str(), query_node(node, id)));
        let answers: Vec<(&str, (u64, LogProtocol, IdRecord))> =
            queried.filter_map(|(node, answer)| Some((node, answer.ok()?))).collect();
        if let Some(why) = answers.iter().find_map(|(_, (_, _, record))| refusal_reason(id, record))
        {
            return Err(Failure::Run(why));
        }
        if let Some(&(node, (cluster, _, _))) = answers.first() {
            if let Some((other, (other_cluster, _, _))) =
                answers.iter().find(|(_, of)| of.0 != cluster)
            {
                return Err(Failure::Run(format!(
                    "--join names nodes of two clusters: {node} is of the one founded as {cluster:016x}, {other} of {other_cluster:016x}"
                )));
            }
            if let Some((node, (_, of, _))) = answers.iter().find(|(_, (_, of, _))| *of != protocol)
            {
                return Err(Failure::Run(format!(
                    "the cluster of {node} runs on {of}, and this node was started for {protocol}: start it with --consensus {of}, and an empty directory"
                )));
            }
            info!(founding_id = format!("{cluster:016x}"), "joining");
            return Ok(cluster);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run(format!(
                "none of {} answers (--join, where clients reach nodes of the cluster)",
                nodes.join(", ")
            )));
        }
        sleep(RETRY_INTERVAL);
    }
}

/// The founding id of a node's cluster, and what that node knows about `id`.
fn query_node(node: &str, id: u64) -> io::Result<(u64, LogProtocol, IdRecord)> {
    let info = admin_client::fetch_info(node)?;
    if info.cluster == 0 {
        return Err(io::Error::other("it is in no cluster"));
    }
    let record =
        admin_client::fetch_id_record(node, id)?.unwrap_or_else(|| member_record(&info, id));
    Ok((info.cluster, info.protocol, record))
}

/// What `INFO` of a node of an earlier version says about `id`: it lists members only.
fn member_record(info: &NodeInfo, id: u64) -> IdRecord {
    let member = info.member(id);
    let [standing, client] =
        member.map_or(["", ""], |m| [&m.standing, &m.client]).map(str::to_owned);
    IdRecord { standing, client, has_address: member.is_some() }
}

/// Why a node with an empty disk must not join under `id`, if so.
fn refusal_reason(id: u64, record: &IdRecord) -> Option<String> {
    let fresh_id = "an id that was never used, with an empty directory";
    if record.standing.starts_with("voter") {
        return Some(format!(
            "node {id} is a voter of that cluster already, and this disk does not have what it promised there. If this is the wrong \
             directory, check --data. If the disk is lost, remove the node (`quorate-kv ctl remove {id}`), and join under {fresh_id}"
        ));
    }
    let is_member = record.standing.starts_with("learner");
    if is_member && !record.client.is_empty() {
        // a node that was added before its first start has no client address yet
        return Some(format!(
            "node {id} was in that cluster with another disk, and is a learner there. If this is the wrong directory, check --data. If the \
             disk is lost, remove the node (`quorate-kv ctl remove {id}`), and join under {fresh_id}"
        ));
    }
    (!is_member && record.has_address).then(|| {
        format!(
            "node {id} was removed from that cluster, and an id is used once: join under {fresh_id}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_ids_are_refused() {
        let record = |standing: &str, client: &str, has_address| IdRecord {
            standing: standing.into(),
            client: client.into(),
            has_address,
        };
        for (record, may) in [
            (record("no member", "", false), true),
            (record("learner", "", true), true),
            (record("learner, witness", "", true), true),
            (record("learner", "a:1", true), false),
            (record("voter", "", true), false),
            (record("voter until it leaves", "a:1", true), false),
            (record("no member", "a:1", true), false),
            (record("no member", "", true), false),
        ] {
            assert_eq!(refusal_reason(4, &record).is_none(), may, "{record:?}");
        }
    }
}
