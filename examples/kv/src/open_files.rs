use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files that are not clients: the log, snapshots, peers, metrics.
const OWN: usize = 96;

/// How many clients there is room for under the limit on open files, which is raised as far as it may be.
///
/// A node that took more would one day have no file left for its log or for a peer.
pub(crate) fn room_for(clients: usize) -> usize {
    let wanted = (clients + OWN) as u64;
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let mut allowed = now.current.unwrap_or(u64::MAX);
    if allowed < wanted {
        let raised = Rlimit { current: Some(wanted.min(hard)), maximum: now.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            allowed = wanted.min(hard);
        }
    }
    let room = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(OWN).max(1);
    if room < clients {
        warn!(
            room,
            asked = clients,
            "taking fewer clients: the limit on open files (ulimit -n) is low"
        );
    }
    room.min(clients)
}
