//! Membership changes: each command is sent to the leader, again if that changes, and waits until
//! the change is committed.

use core::time::Duration;
use std::thread::{self, sleep};
use std::time::Instant;

use super::{Outcome, POLL_INTERVAL, TIMEOUT, execute, find_leader};
use crate::Failure;
use crate::admin_client::{Member, NodeInfo};

/// How often the progress of a learner is printed.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Brings a node in, as a learner, and gives it a vote when it has caught up.
pub(super) fn add(
    nodes: &[String],
    id: u64,
    address: &str,
    learner: bool,
    patience: Duration,
) -> Result<(), Failure> {
    let (_, before) = find_leader(nodes)?;
    if let Some(member) = before.member(id) {
        out!("node {id} is in the cluster already: {}", member.standing);
    }
    change(nodes, &["QUORATE", "ADD", &id.to_string(), address])?;
    // all of the cluster is asked, not the new node
    let leader = wait_committed(nodes, |seen| seen.member(id).is_some())?;
    if leader.member(id).is_some_and(is_voter) {
        return Ok(());
    }
    out!("node {id} is a learner, and catches up");
    if learner {
        return Ok(());
    }
    on_interrupt(format!(
        "node {id} is left as a learner: `ctl promote {id}` gives it a vote, `ctl remove {id}` takes it out"
    ));
    catch_up(nodes, id, address, patience)?;
    confirm_voter(nodes, id)
}

/// Enters where a member has moved to.
pub(super) fn move_node(nodes: &[String], id: u64, address: &str) -> Result<(), Failure> {
    change(nodes, &["QUORATE", "MOVE", &id.to_string(), address])?;
    out!("node {id} is reached at {address} from now on");
    Ok(())
}

/// Gives a learner a vote.
pub(super) fn promote(nodes: &[String], id: u64) -> Result<(), Failure> {
    let (_, seen) = find_leader(nodes)?;
    if seen.member(id).is_some_and(is_voter) {
        out!("node {id} is a voter already");
        return Ok(());
    }
    if let Some(index) = seen.member(id).and_then(|member| member.lost_entries) {
        return Err(Failure::Run(format!(
            "node {id} lost entries that it had acknowledged (up to {index}): it is given no vote. `ctl remove {id}`, and let it come back \
             with an empty data directory under a new id"
        )));
    }
    change(nodes, &["QUORATE", "PROMOTE", &id.to_string()])?;
    confirm_voter(nodes, id)
}

/// Takes a node its vote.
pub(super) fn demote(nodes: &[String], id: u64) -> Result<(), Failure> {
    change(nodes, &["QUORATE", "DEMOTE", &id.to_string()])?;
    let seen =
        wait_committed(nodes, |seen| seen.member(id).is_some_and(|member| !is_voter(member)))?;
    out!("node {id} is a learner now; {}", summary(&seen));
    Ok(())
}

/// Takes a node out.
pub(super) fn remove(nodes: &[String], id: u64) -> Result<(), Failure> {
    change(nodes, &["QUORATE", "REMOVE", &id.to_string()])?;
    let seen = wait_committed(nodes, |seen| seen.member(id).is_none())?;
    out!(
        "node {id} is out of the cluster: stop its process, and use its id for no other; {}",
        summary(&seen)
    );
    Ok(())
}

/// Sends a change to the leader until it has started.
fn change(nodes: &[String], words: &[&str]) -> Result<(), Failure> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (address, _) = find_leader(nodes)?;
        match execute(&address, words) {
            Outcome::Started => return Ok(()),
            Outcome::Failed(why) => return Err(Failure::Run(why)),
            Outcome::Retry(why) if Instant::now() >= deadline => {
                return Err(Failure::Run(format!("not within {} s: {why}", TIMEOUT.as_secs())));
            }
            Outcome::Retry(_) => sleep(POLL_INTERVAL),
        }
    }
}

/// Waits until a change holds and is committed. A change that another leader took back does not.
fn wait_committed(
    nodes: &[String],
    holds: impl Fn(&NodeInfo) -> bool,
) -> Result<NodeInfo, Failure> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (_, seen) = find_leader(nodes)?;
        if seen.config_committed && holds(&seen) {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run(format!(
                "begun, and not committed within {} s: see `ctl status`; another leader may have taken it back, then ask again",
                TIMEOUT.as_secs()
            )));
        }
        sleep(POLL_INTERVAL);
    }
}

/// Requests the promotion until the leader finds that the learner has caught up; prints progress.
fn catch_up(nodes: &[String], id: u64, address: &str, patience: Duration) -> Result<(), Failure> {
    let (mut reported, mut last_answer) = (Instant::now(), Instant::now());
    let (mut lowest_lag, mut last_gain) = (u64::MAX, Instant::now());
    loop {
        let (at, seen) = find_leader(nodes)?;
        match execute(&at, &["QUORATE", "PROMOTE", &id.to_string()]) {
            Outcome::Started => return Ok(()),
            // by another leader's log it has one
            Outcome::Failed(_) if seen.member(id).is_some_and(is_voter) => return Ok(()),
            Outcome::Failed(why) => return Err(Failure::Run(why)),
            Outcome::Retry(_) => {}
        }
        let lag = seen.member(id).and_then(|member| member.lag);
        if lag.is_some_and(|(_, silent_ms)| silent_ms < 1_000) {
            last_answer = Instant::now();
        }
        if last_answer.elapsed() >= patience {
            return Err(Failure::Run(format!(
                "node {id} did not answer for {} s at {address}. It is left as a learner: start it (with --join), then `ctl promote {id}`; or `ctl remove {id}`",
                patience.as_secs()
            )));
        }
        if reported.elapsed() >= PROGRESS_INTERVAL {
            reported = Instant::now();
            match lag {
                Some((lag, silent_ms)) if silent_ms < 1_000 => {
                    if lag < lowest_lag {
                        (lowest_lag, last_gain) = (lag, Instant::now());
                    }
                    match last_gain.elapsed() {
                        time if time < patience => out!("node {id} is {lag} entries behind"),
                        time => out!(
                            "node {id} is {lag} entries behind, and has not gained for {} s: a long snapshot may be on its way, or the node does not take it \
                             (its log says why, such as --max-snapshot-mb or a full disk). Ctrl-C leaves it as a learner",
                            time.as_secs()
                        ),
                    }
                }
                _ => out!("node {id} does not answer yet"),
            }
        }
        sleep(POLL_INTERVAL);
    }
}

fn confirm_voter(nodes: &[String], id: u64) -> Result<(), Failure> {
    let seen = wait_committed(nodes, |seen| seen.member(id).is_some_and(is_voter))?;
    out!("node {id} is a voter; {}", summary(&seen));
    Ok(())
}

fn is_voter(member: &Member) -> bool {
    member.standing == "voter"
}

fn summary(seen: &NodeInfo) -> String {
    let voters = seen.members.iter().filter(|member| is_voter(member)).count();
    let learners = seen.members.len() - voters;
    let learners = if learners > 0 {
        format!(", {learners} learner{}", if learners == 1 { "" } else { "s" })
    } else {
        String::new()
    };
    format!("{voters} voters{learners}: {} may fail", voters.saturating_sub(1) / 2)
}

/// Prints where things stand when the program is interrupted.
fn on_interrupt(text: String) {
    // without a thread Ctrl-C ends the program all the same
    let _ = thread::Builder::new().name("interrupt".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime
            && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
        {
            eprintln!("quorate-kv: interrupted; {text}");
            std::process::exit(130);
        }
    });
}
