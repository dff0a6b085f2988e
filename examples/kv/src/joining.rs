//! What a node with an empty disk asks the cluster that it is to join: which one it is, and whether its id was ever used there.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use tracing::info;

use crate::Failure;
use crate::cli::NodeArgs;
use crate::remote::{self, Known, Seen};

/// How long the nodes of a cluster are asked for its number.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// The number of the cluster that a node with an empty disk is to join.
///
/// # Errors
///
/// When nobody answers, or this id was in the cluster with another disk.
pub(crate) fn ask(arguments: &NodeArgs) -> Result<u64, Failure> {
    let id = arguments.id;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answers =
            arguments.join.iter().filter_map(|node| Some((node, remote::ask(node).ok()?)));
        if let Some((node, seen @ Seen { cluster: cluster @ 1.., .. })) = answers.next() {
            let known = remote::known(node, id).unwrap_or_else(|_| of_member(&seen, id));
            if let Some(why) = refusal(id, &known) {
                return Err(Failure::Run(why));
            }
            info!(founding_id = format!("{cluster:016x}"), "joining");
            return Ok(cluster);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run(format!(
                "none of {} answers (--join, where clients reach nodes of the cluster)",
                arguments.join.join(", ")
            )));
        }
        sleep(PAUSE);
    }
}

/// What a node of an earlier version says of another: it knows of members alone.
fn of_member(seen: &Seen, id: u64) -> Known {
    let member = seen.member(id);
    let [standing, client] =
        member.map_or(["", ""], |m| [&m.standing, &m.client]).map(str::to_owned);
    Known { standing, client, entered: member.is_some() }
}

/// Why a node with an empty disk may not join under its id.
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
        // one that was added before it was started never said where clients reach it
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
    fn an_id_is_used_once() {
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
