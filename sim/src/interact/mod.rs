//! Interaction tests: text files of commands and of the trace each gives. They are specification, regression test and
//! documentation at once (after the `testdata` of etcd's Raft and the scenarios of CCF's).
//!
//! ```text
//! # A leader is elected by two votes of three.
//! #
//! # Source: Raft thesis, 3.4
//!
//! nodes 3 pre-vote=off
//! ----
//!
//! campaign 1
//! ----
//!   1 event: candidate in term 1
//!   1 writes Vote term 1, vote 1
//!   1->2  RequestVote term 1, last 0@0
//! ```
//!
//! A file is a row of blocks, set apart by blank lines. Lines that start with `#` are comments; the first block tells what is
//! shown and has a line `Source:`. Any other block is commands, a line `----`, and what is to be printed. With `UPDATE=1` in the
//! environment the expectations are written anew, to be read before they are committed.
//!
//! Nothing happens by itself: no time passes, no message arrives and no slow disk is done until a command says so.
//!
//! | command | what it does |
//! |---|---|
//! | `nodes N [NAME=VALUE …]` | starts N nodes; comes first; the options are the protocol's |
//! | `set-disk NODE …` | the node restarts from a disk that holds this; the arguments are the protocol's |
//! | `tick NODES TIME` | time passes for these nodes, and they tick |
//! | `advance NODES TIME` | time passes for these nodes without a tick, until their next input |
//! | `set-clock NODES TIME` | their clocks show this, counted from the start, if it is later than what they show |
//! | `run TIME` | all nodes run for this time: ticks at each deadline, all messages arrive; only events are shown |
//! | `deliver LINKS [N\|last\|all]` | the oldest (the Nth, the newest, every; with `#DIGEST` a certain one) message on each of the links arrives |
//! | `duplicate LINKS [N\|last\|all]` | the same, and it stays in flight |
//! | `drop LINKS [N\|last\|all]` | it is lost |
//! | `stabilize [NODES]` | messages (among these nodes) arrive, oldest first, until there are none |
//! | `partition LINKS`, `isolate NODES`, `heal` | blocks links: what is sent over them is lost; `heal` unblocks all |
//! | `disk NODES slow\|fast` | whether writes wait for `sync`; they are done at once before the first `disk` |
//! | `sync NODE [N]` | all writes (the first N) are done |
//! | `crash NODE [keeping N]` | the power fails; of the waiting writes the first N (none) are on the disk |
//! | `restart NODE` | the node starts from its disk |
//! | `checkpoint NODE` | the record log is written anew, as short as it can be |
//! | `forge A->B …` | puts a message in flight that no node sent; the arguments are the protocol's |
//! | `messages` | the messages in flight |
//! | `status [NODES]` | each node in a line |
//! | `show all\|events\|nothing` | how much of what happens is printed |
//!
//! `NODES` is `all` or numbers (`1,3`); `LINKS` are `1->2`, `1-2` (both ways), `1->*`, `*->2`; `TIME` is `50ms`, `2s`, `10us`.
//! Anything else is a command of the protocol, the node first: `propose 1 x`; with ` &` at its end the node is not polled before
//! the next. See [`Protocol`].

mod arguments;
mod delivery;
mod disks;
mod error;
mod harness;
mod outputs;
mod protocol;
mod scenario;

pub use arguments::{Links, Options, time_us};
pub use error::Error;
pub use harness::Harness;
pub use protocol::Protocol;
pub use scenario::{Block, Scenario};

use std::path::Path;

/// Runs every `.txt` file of a folder on a harness of its own; returns how many there were.
///
/// With `UPDATE=1` in the environment, files whose expectations differ are rewritten instead.
///
/// # Errors
///
/// The differences, or what is wrong with a file, all files together.
pub fn check_folder<P: Protocol>(folder: &Path) -> Result<usize, String> {
    let cannot = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|e| e == "txt") {
            files.push(path);
        }
    }
    files.sort();
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut errors = String::new();
    for path in &files {
        if let Err(what) = check_file::<P>(path, update) {
            errors.push_str(&format!("\n{}: {what}\n", path.display()));
        }
    }
    if errors.is_empty() { Ok(files.len()) } else { Err(errors) }
}

fn check_file<P: Protocol>(path: &Path, update: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let scenario = Scenario::parse(&text)?;
    if !scenario.has_source() {
        return Err("the first block must be a comment with a line `# Source: …`".into());
    }
    let actual = scenario.run::<P>()?;
    if update {
        let fresh = actual.to_string();
        if fresh != text {
            std::fs::write(path, fresh).map_err(|e| e.to_string())?;
        }
        return Ok(());
    }
    scenario.compare(&actual)
}
