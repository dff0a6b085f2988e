//! Registers: CASPaxos.

mod changes;
mod collect;
mod counts;
mod membership;
mod net;
mod rejections;
mod restore;
mod retry;
