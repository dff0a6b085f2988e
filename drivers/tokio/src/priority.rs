/// The priority of a message, each with a connection of its own where the peer accepts two: within
/// a priority messages keep their order, and urgent ones may overtake bulk.
///
/// A protocol whose leader is missed when it is silent for long should send what tells of it (heartbeats, votes, their answers) as
/// urgent, if it stands that these overtake the rest; megabytes on their way do not delay them then.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Priority {
    /// Short messages that must not wait.
    Urgent,
    /// Everything else, and what the application sends.
    Bulk,
}
