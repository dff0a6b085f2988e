//! What a node with an empty disk learns from the cluster before it joins: the founding id, and
//! whether its own id was used before.

use core::time::Duration;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use tracing::info;

use crate::Failure;
use crate::remote::{self, Known, Seen};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// The founding id of the cluster that this node joins.
///
/// Every node of `--join` is asked, because one that lags may not have applied a removal yet.
///
/// # Errors
///
/// No node answers, they are not of one cluster, or one of them knows this id with another disk.
pub(crate) fn ask(id: u64, nodes: &[String]) -> Result<u64, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = nodes.iter().map(|node| (node.as_str(), ask_one(node, id)));
        let answers: Vec<(&str, (u64, Known))> =
            asked.filter_map(|(node, answer)| Some((node, answer.ok()?))).collect();
        if let Some(why) = answers.iter().find_map(|(_, (_, known))| refusal(id, known)) {
            return Err(Failure::Run(why));
        }
        if let Some(&(node, (cluster, _))) = answers.first() {
            if let Some((other, (theirs, _))) = answers.iter().find(|(_, of)| of.0 != cluster) {
                return Err(Failure::Run(format!(
                    "--join names nodes of two clusters: {node} is of the one founded as {cluster:016x}, {other} of {theirs:016x}"
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
        sleep(PAUSE);
    }
}

/// The founding id of a node's cluster, and what that node knows about `id`.
fn ask_one(node: &str, id: u64) -> io::Result<(u64, Known)> {
    let seen = remote::ask(node)?;
    if seen.cluster == 0 {
        return Err(io::Error::other("it is in no cluster"));
    }
    let known = remote::known(node, id)?.unwrap_or_else(|| of_member(&seen, id));
    Ok((seen.cluster, known))
}

/// What `INFO` of a node of an earlier version says about `id`: it lists members only.
fn of_member(seen: &Seen, id: u64) -> Known {
    let member = seen.member(id);
    let [standing, client] =
        member.map_or(["", ""], |m| [&m.standing, &m.client]).map(str::to_owned);
    Known { standing, client, entered: member.is_some() }
}

/// Why a node with an empty disk must not join under `id`, if so.
fn refusal(id: u64, known: &Known) -> Option<String> {
    let anew = "an id that was never used, with an empty directory";
    if known.standing.starts_with("voter") {
        return Some(format!(
            "node {id} is a voter of that cluster already, and this disk does not have what it promised there. If this is the wrong \
             directory, check --data. If the disk is lost, remove the node (`quorate-kv ctl remove {id}`), and join under {anew}"
        ));
    }
    let is_member = known.standing.starts_with("learner");
    if is_member && !known.client.is_empty() {
        // a node that was added before its first start has no client address yet
        return Some(format!(
            "node {id} was in that cluster with another disk, and is a learner there. If this is the wrong directory, check --data. If the \
             disk is lost, remove the node (`quorate-kv ctl remove {id}`), and join under {anew}"
        ));
    }
    (!is_member && known.entered).then(|| {
        format!(
            "node {id} was removed from that cluster, and an id is used once: join under {anew}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_ids_are_refused() {
        let known = |standing: &str, client: &str, entered| Known {
            standing: standing.into(),
            client: client.into(),
            entered,
        };
        for (known, may) in [
            (known("no member", "", false), true),
            (known("learner", "", true), true),
            (known("learner, witness", "", true), true),
            (known("learner", "a:1", true), false),
            (known("voter", "", true), false),
            (known("voter until it leaves", "a:1", true), false),
            (known("no member", "a:1", true), false),
            (known("no member", "", true), false),
        ] {
            assert_eq!(refusal(4, &known).is_none(), may, "{known:?}");
        }
    }
}
