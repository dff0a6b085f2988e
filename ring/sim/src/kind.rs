//! What differs between the kinds of values.

use core::fmt::Debug;

use quorate_core::{Instant, Rng};
use quorate_ring::quorum::{Failure, Order, Value};

/// What keys hold in a run, how clients form it, and what they must be told.
pub trait Kind: Sized + 'static {
    /// What keys hold.
    type Value: Value + 'static;

    /// What is known of a write before it is acknowledged.
    type Write: Clone + Debug;

    /// A run of so many nodes.
    fn new(nodes: usize, rng: &mut Rng) -> Self;

    /// A node starts.
    fn started(&mut self, node: usize, incarnation: u64);

    /// What the node holds may be less than it has written: its disk was erased, or it goes by another layout.
    fn forgot(&mut self, node: usize);

    /// A client at a node forms a write of `data`, or a deletion if that is `None`; `None` if it cannot now. A client of a session has seen what
    /// the session has.
    fn form(
        &mut self,
        place: Place<'_, Self::Value>,
        data: Option<u64>,
        rng: &mut Rng,
    ) -> Option<(Self::Value, Order, Self::Write)>;

    /// The write is on its way.
    fn called(&mut self, key: u8, write: &mut Self::Write);

    /// The write was acknowledged, by a quorum of replicas if it is `strict`.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn wrote(
        &mut self,
        key: u8,
        write: &Self::Write,
        value: &Self::Value,
        strict: bool,
    ) -> Result<(), String>;

    /// Whether a request may fail like that: names it.
    fn failed(
        &mut self,
        place: Place<'_, Self::Value>,
        failure: Failure,
        write: Option<&Self::Write>,
    ) -> Option<&'static str>;

    /// The write failed before its value was sent to anybody: nobody may ever read it.
    fn never_sent(&mut self, key: u8, write: &Self::Write) {
        let _ = (key, write);
    }

    /// A node was stopped while the write was on its way.
    fn abandoned(&mut self, node: usize, key: u8, write: &Self::Write);

    /// A read is on its way: when.
    fn call_read(&mut self) -> u64;

    /// A read of a quorum of replicas returned.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn read(
        &mut self,
        key: u8,
        called: u64,
        value: Option<&Self::Value>,
        atomic: bool,
    ) -> Result<(), String>;

    /// A read of a client that has seen this returned.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn read_after(
        &mut self,
        key: u8,
        seen: &Context<Self>,
        value: Option<&Self::Value>,
    ) -> Result<(), String>;

    /// A client at a node was told this.
    fn saw(&mut self, node: usize, now: Instant, key: u8, value: &Self::Value);

    /// A client has seen the one and the other.
    fn join(seen: &mut Context<Self>, also: Context<Self>);

    /// A disk was erased: what one node alone acknowledged may be lost.
    fn forget_weak(&mut self);

    /// A node may have left: what it alone has, and what was not acknowledged, may be lost, even if it was read.
    fn left(&mut self);

    /// What all replicas of a key have in the end.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn end(&self, key: u8, value: Option<&Self::Value>) -> Result<(), String>;
}

/// What a client has seen of a key.
pub type Context<K> = <<K as Kind>::Value as Value>::Context;

/// Where a client writes.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, V: Value> {
    /// The node.
    pub node: usize,
    /// The time there.
    pub now: Instant,
    /// The key.
    pub key: u8,
    /// What the node holds, or what a request that failed had read.
    pub stored: Option<&'a V>,
    /// No new value up to this clock is taken, as far as the node says.
    pub floor: u64,
    /// What the client has seen, if it keeps account of that.
    pub seen: Option<&'a V::Context>,
}
