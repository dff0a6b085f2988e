//! The protocol that keeps the log, as the replica sees it: Raft or Multi-Paxos.

mod machine;
mod paxos;
mod protocol;
mod raft;
mod types;

pub(crate) use machine::Consensus;
pub(crate) use protocol::LogProtocol;
pub(crate) use types::{
    Change, Content, Entry, Event, Member, Progress, ProposeError, Role, Standing, Status,
};
