use core::fmt;

use quorate_core::NodeId;

/// A request of this coordinator, as its methods return it and its events name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request(pub(crate) u64);

impl Request {
    /// Its number: of two requests of one incarnation the later one has the higher number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one write among all there ever were: the node, which of its lives, and the request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WriteId {
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
}

impl WriteId {
    pub(crate) const NONE: Self = Self { node: NodeId::new(0), incarnation: 0, number: 0 };
}
