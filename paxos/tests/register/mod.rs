//! Registers: CASPaxos.

mod changes;
mod collect;
mod conformance;
mod counts;
mod membership;
mod net;
mod rejections;
mod restore;
mod retry;
pub(crate) mod wire;
