use core::fmt::Debug;
use core::hash::Hash;

/// Which ring election: [`Collecting`], [`ChangRoberts`] or [`HirschbergSinclair`].
pub trait Algorithm: Clone + PartialEq + Eq + Hash + Debug + sealed::Which {}

mod sealed {
    pub trait Which {
        const KIND: super::Kind;
    }
}

pub(crate) use sealed::Which;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Collecting,
    ChangRoberts,
    HirschbergSinclair,
}

/// A token goes round and collects the ids of all that live; its owner then tells all who is the highest (Tanenbaum and van
/// Steen, "Distributed Systems", 3rd edition, section 6.4).
///
/// `2n` messages for each node that starts one: `n` for the token, `n` for COORDINATOR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Collecting;

/// Each candidate's id goes round until it meets a higher one; who gets the own id back has won (Chang and Roberts, "An improved
/// algorithm for decentralized extrema-finding in circular configurations of processes", CACM 22(5), 1979).
///
/// When all start: for each node the distance to the next higher one, `n` for the highest; `2n - 1` at best, `n(n+1)/2` at worst,
/// `n H(n)` on average over all arrangements. And `n` for COORDINATOR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChangRoberts;

/// Each candidate asks its neighbours both ways, 1, 2, 4 … hops far, and gives up when one of them is higher (Hirschberg and
/// Sinclair, "Decentralized extrema-finding in circular configurations of processors", CACM 23(11), 1980).
///
/// When all start: for each phase `k` that a node reaches and each way, `d` messages if a higher node is `d <= 2^k` hops away,
/// else `2 * 2^k` for a probe and its reply, or `n` for a probe that comes round; at most `8 n (1 + ceil(log2 n))`. And `n` for
/// COORDINATOR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HirschbergSinclair;

impl Algorithm for Collecting {}
impl Algorithm for ChangRoberts {}
impl Algorithm for HirschbergSinclair {}

impl Which for Collecting {
    const KIND: Kind = Kind::Collecting;
}

impl Which for ChangRoberts {
    const KIND: Kind = Kind::ChangRoberts;
}

impl Which for HirschbergSinclair {
    const KIND: Kind = Kind::HirschbergSinclair;
}
