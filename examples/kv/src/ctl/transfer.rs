use std::thread::sleep;
use std::time::Instant;

use super::{Outcome, POLL_INTERVAL, TIMEOUT, execute, survey};
use crate::Failure;
use crate::admin_client::leader;

/// Transfers leadership to a node, and waits until it is the leader.
pub(super) fn run(nodes: &[String], to: u64) -> Result<(), Failure> {
    let first = survey(nodes);
    let Some((address, old)) = leader(&first.seen) else {
        return Err(Failure::Run("none of these nodes is the leader: see `ctl status`".into()));
    };
    if old.id == to {
        out!("node {to} is the leader already, in {} {}", old.protocol.epoch_name(), old.term);
        return Ok(());
    }
    match execute(address, &["QUORATE", "TRANSFER", &to.to_string()]) {
        Outcome::Started => {}
        Outcome::Failed(why) | Outcome::Retry(why) => return Err(Failure::Run(why)),
    }
    out!("node {} transfers its leadership to node {to}", old.id);
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        let now = survey(nodes);
        match leader(&now.seen) {
            Some((_, new)) if new.id == to && new.epoch > old.epoch => {
                out!("node {to} is the leader, in {} {}", new.protocol.epoch_name(), new.term);
                return Ok(());
            }
            Some((_, new)) if new.epoch > old.epoch => {
                return Err(Failure::Run(format!(
                    "node {} was elected in {} {} meanwhile: try again",
                    new.id,
                    new.protocol.epoch_name(),
                    new.term
                )));
            }
            _ => sleep(POLL_INTERVAL),
        }
    }
    Err(Failure::Run(format!(
        "node {to} is not the leader after {} s, node {} may still be: is node {to} up, and is its log not far behind (`ctl status`)?",
        TIMEOUT.as_secs(),
        old.id
    )))
}
