//! The protocol that keeps the log, as the replica sees it: Raft or Multi-Paxos.

mod entry;
mod event;
mod machine;
mod member;
mod paxos;
mod protocol;
mod raft;
mod status;

pub(crate) use entry::{Content, Entry, ProposeError};
pub(crate) use event::Event;
pub(crate) use machine::Consensus;
pub(crate) use member::{Change, Member, Standing};
pub(crate) use protocol::LogProtocol;
pub(crate) use status::{Progress, Role, Status};
