//! The protocol that keeps the log, as the replica sees it: Raft or Multi-Paxos.

mod consensus;
mod paxos;
mod protocol;
mod raft;
mod types;

pub(crate) use consensus::Consensus;
pub(crate) use protocol::LogProtocol;
pub(crate) use types::{
    Change, Content, Entry, Event, Member, Progress, ProposeError, Role, Standing, Status,
};
