//! What a node begins with after a restart.

use std::path::Path;

use quorate_log::Index;
use tracing::warn;

use crate::apply::{Entry, State};
use crate::batch::Ops;
use crate::consensus::{Consensus, Content};
use crate::snapshot;

/// The state to begin with: the newest snapshot that is whole, and what the log has of the time up to the one that the machine knows.
///
/// # Errors
///
/// A sentence that names the file, if the log begins after what can be loaded.
pub(crate) fn recover<C: Consensus>(dir: &Path, cluster: u64, log: &C) -> Result<State, String> {
    let status = log.view();
    let compacted = status.first.saturating_sub(1);
    let listed = snapshot::list(dir)
        .map_err(|error| format!("cannot read the directory {}: {error}", dir.display()))?;
    let mut fault = None;
    for index in listed.into_iter().filter(|&index| index >= compacted) {
        let path = snapshot::path(dir, index);
        let loaded = snapshot::load(&path, cluster).and_then(|state| match state.applied {
            applied if applied == index => Ok(state),
            applied => {
                let what = format!("it covers entry {applied}, and is named for {index}");
                Err(snapshot::Fault { path, offset: 8, what })
            }
        });
        match loaded {
            Ok(state) => return Ok(replay(state, log, status.snapshot)),
            Err(damage) => {
                warn!(%damage, "a snapshot is damaged");
                fault.get_or_insert(damage);
            }
        }
    }
    if compacted == 0 {
        return Ok(replay(State::new(), log, status.snapshot));
    }
    let needed = snapshot::path(dir, status.snapshot);
    let what = match fault {
        Some(fault) => format!(
            "the snapshot {fault}. The log begins at entry {} and cannot replace it",
            status.first
        ),
        None => format!(
            "the snapshot {} is missing, and the log begins at entry {}",
            needed.display(),
            status.first
        ),
    };
    Err(format!(
        "{what}. Nothing was deleted. Restore that file from a copy; or, if it is lost, remove this node on a healthy one \
         (`quorate-kv ctl remove {}`), and add it again under a new id with an empty directory and --join",
        status.id
    ))
}

/// Applies what the log has up to the snapshot that the machine knows: it does not give those entries again.
fn replay<C: Consensus>(mut state: State, log: &C, through: Index) -> State {
    while state.applied < through {
        let before = state.applied;
        for entry in log.entries(before + 1).filter(|entry| entry.index <= through) {
            state.applied = entry.index;
            match entry.content {
                Content::Members(data) => state.set_members(C::decode_members(data)),
                Content::Command(data) => {
                    if let Ok(command) = Entry::decode(data)
                        && state.sessions.admit(command.id, command.floor)
                    {
                        state.execute(Ops::new(command.ops), None);
                    }
                }
                Content::Nothing => {}
            }
        }
        if state.applied == before {
            break;
        }
    }
    state
}
