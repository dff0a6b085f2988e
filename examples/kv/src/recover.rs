//! What a node begins with after a restart.

use quorate_core::Machine;
use std::path::Path;

use quorate_raft::{EntryKind, Heap, Index, Raft};
use tracing::warn;

use crate::apply::{Entry, State};
use crate::batch::Ops;
use crate::snapshot;

/// The state to begin with: the newest snapshot that is whole, and what the log has of the time up to the one that Raft knows.
///
/// # Errors
///
/// A sentence that names the file, if the log begins after what can be loaded.
pub(crate) fn recover(dir: &Path, cluster: u64, raft: &Raft<Heap>) -> Result<State, String> {
    let status = raft.status();
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
            Ok(state) => return Ok(replay(state, raft, status.snapshot)),
            Err(damage) => {
                warn!(%damage, "a snapshot is damaged");
                fault.get_or_insert(damage);
            }
        }
    }
    if compacted == 0 {
        return Ok(replay(State::new(), raft, status.snapshot));
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

/// Applies what the log has up to the snapshot that Raft knows: it does not give those entries again.
fn replay(mut state: State, raft: &Raft<Heap>, through: Index) -> State {
    while state.applied < through {
        let before = state.applied;
        for entry in raft.entries(before + 1).iter().filter(|entry| entry.index <= through) {
            state.applied = entry.index;
            if entry.kind == EntryKind::Config {
                state.set_members(entry.data);
            }
            if let (EntryKind::Command, Ok(command)) = (entry.kind, Entry::decode(entry.data))
                && state.sessions.admit(command.id, command.floor)
            {
                state.execute(Ops::new(command.ops), None);
            }
        }
        if state.applied == before {
            break;
        }
    }
    state
}
