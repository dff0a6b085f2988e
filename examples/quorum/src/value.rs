use quorate_clocks::{Stamp, Timestamp};
use quorate_ring::quorum::{Lww, Order, ReadRepair, Tagged, Value};

/// A kind of value that this program can keep.
pub trait Stored: Value<Context: Send> + Send + 'static {
    /// Whether a write asks first what is there.
    const ORDER: Order;
    /// What a read does for replicas that are behind, if the command does not say it.
    const REPAIR: ReadRepair;

    /// What is to be written at this time; `None` deletes.
    fn form(stamp: Stamp, data: Option<Vec<u8>>) -> Self;

    /// What a person stored; `None` if it was deleted.
    fn data(&self) -> Option<&[u8]>;

    /// The time of the write, if it has one: the reader's clock goes on from there.
    fn stamp(&self) -> Option<Stamp>;

    /// The clock of a value that is written at this time, if its clock is a time.
    fn clock_at(time: Timestamp) -> Option<u64>;
}

/// Of two writes the later one stays, by the clocks of the writers.
impl Stored for Lww<Vec<u8>> {
    const ORDER: Order = Order::Formed;
    const REPAIR: ReadRepair = ReadRepair::Background;

    fn form(stamp: Stamp, data: Option<Vec<u8>>) -> Self {
        data.map_or(Self::tombstone(stamp), |data| Self::new(stamp, data))
    }

    fn data(&self) -> Option<&[u8]> {
        self.get().map(Vec::as_slice)
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(Self::stamp(self))
    }

    fn clock_at(time: Timestamp) -> Option<u64> {
        Some(time.to_bits())
    }
}

/// A linearizable register: no clock counts.
impl Stored for Tagged<Vec<u8>> {
    const ORDER: Order = Order::AfterRead;
    const REPAIR: ReadRepair = ReadRepair::Blocking;

    fn form(_: Stamp, data: Option<Vec<u8>>) -> Self {
        data.map_or_else(Self::tombstone, Self::new)
    }

    fn data(&self) -> Option<&[u8]> {
        self.get().map(Vec::as_slice)
    }

    fn stamp(&self) -> Option<Stamp> {
        None
    }

    fn clock_at(_: Timestamp) -> Option<u64> {
        None
    }
}
