use quorate_core::{Machine, NodeId};
use quorate_log::{Index, ReplicatedLog};
use quorate_tokio::Priority;

use super::{Change, Entry, Event, LogProtocol, Member, Progress, ProposeError, Standing, Status};

/// A machine that keeps the log: what the replica needs besides [`ReplicatedLog`].
///
/// An error that is a `String` is for people, as a reply to a client.
pub(crate) trait Consensus: ReplicatedLog + Send + Sized + 'static {
    const PROTOCOL: LogProtocol;

    /// One of the nodes that found the cluster: these, which all vote.
    fn founder(id: NodeId, voters: &[NodeId], seed: u64) -> Result<Self, String>;

    /// A node that waits to be added.
    fn joining(id: NodeId, seed: u64) -> Result<Self, String>;

    /// The log was restored, and the application has what it says up to `applied`: as much of that as the machine can confirm is not
    /// given again. At each start, before the first tick.
    fn begin(&mut self, applied: Index) -> Result<(), String>;

    fn priority(message: &<Self as Machine>::Message<'_>) -> Priority;

    /// What an event is to the replica; `None` for what it needs not know.
    fn describe<'a>(event: &'a <Self as Machine>::Event<'_>) -> Option<Event<'a>>;

    fn view(&self) -> Status;

    fn members(&self) -> impl Iterator<Item = Member>;

    /// How far the others are; of a leader.
    fn progress(&self) -> impl Iterator<Item = Progress>;

    /// Entries from here on, as many as lie together; none where the log does not have it.
    fn entries(&self, from: Index) -> impl Iterator<Item = Entry<'_>>;

    /// The members that an entry lists.
    fn decode_members(data: &[u8]) -> Option<Vec<NodeId>>;

    /// How many other nodes certainly have the entry with this index on their disks; of a leader.
    fn replicas(&self, index: Index) -> usize;

    /// Whether the entry with this index is of the present leader: then nothing of an earlier one comes after it.
    fn is_of_leader(&self, index: Index) -> bool;

    /// Proposes a command on the leader; gives its place in the log.
    fn propose(&mut self, command: &[u8]) -> Result<Index, ProposeError>;

    /// Gives no vote to a node that is far behind.
    fn change(&mut self, change: Change) -> Result<(), String>;

    fn transfer(&mut self, to: NodeId) -> Result<(), String>;

    /// Leads no more, so that another node may.
    fn step_down(&mut self);

    fn snapshot_taken(&mut self, index: Index, compacted: Index) -> Result<(), String>;

    fn snapshot_installed(&mut self, index: Index) -> Result<(), String>;

    fn snapshot_refused(&mut self);

    fn send_snapshot(
        &mut self,
        to: NodeId,
        index: Index,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> Result<(), String>;

    fn is_member(&self, id: NodeId) -> bool {
        self.members().any(|member| member.id == id)
    }

    fn standing(&self, id: NodeId) -> Standing {
        let member = self.members().find(|member| member.id == id);
        member.map_or(Standing::None, |member| member.standing)
    }
}
