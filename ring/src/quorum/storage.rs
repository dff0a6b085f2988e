use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::Element;
use quorate_core::{InlineList, List};

use super::order::{Order, Placed};
use super::slab::Cell;

/// Where a node of the quorum store keeps keys, requests, answers and hints: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
///
/// ```
/// use quorate_ring::quorum::{Config, Heap, Inline, Layout, Node, Storage, Tagged, Value};
///
/// /// Works with a node, wherever its memory is.
/// fn is_full<V: Value + 'static, L: Layout, S: Storage>(node: &Node<V, L, S>, max_keys: usize) -> bool {
///     node.status().keys >= max_keys
/// }
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// let config = Config { max_keys: 1_000, ..Config::lan() };
/// let board = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), config)?;
/// let server = Node::<Tagged<u32>, _, Heap>::new(NodeId::new(1), 1, layout, config)?;
/// assert!(!is_full(&board, 8) && !is_full(&server, config.max_keys));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Cell, Debug, Element, Hash, List, Order};

    pub trait Kinds {
        type Key: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Entries<T: Element>: List<Cell<T>> + Clone + PartialEq + Eq + Hash + Debug;
        type Order: Order;
        type HintOrder: Order;
        type Requests<T: Element>: List<Cell<T>> + Clone + PartialEq + Eq + Hash + Debug;
        type Answers<T: Element>: List<Cell<T>> + Clone + PartialEq + Eq + Hash + Debug;
        type Hints<T: Element>: List<Cell<T>> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | when it is full |
/// |---|---|---|
/// | `KEYS` | keys that a replica holds, tombstones among them | writes of other keys are refused with [`Failure::Full`](super::Failure::Full) |
/// | `KEY_BYTES` | bytes of a key | [`RequestError::KeyTooLong`](super::RequestError::KeyTooLong) |
/// | `REQUESTS` | requests of a coordinator in flight | [`RequestError::Busy`](super::RequestError::Busy) |
/// | `ANSWERS` | answers that a replica owes | [`Rejected::Full`](quorate_core::Rejected::Full) |
/// | `HINTS` | writes that are kept for others | writes of sloppy quorums are refused with [`Failure::Full`](super::Failure::Full) |
///
/// ```
/// use quorate_ring::quorum::{Config, Inline, Node, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// // one key of up to 16 bytes
/// let mut node = Node::<Tagged<u32>, _, Inline<1, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// node.found();
/// for key in [b"a", b"b"] {
///     node.write(Instant::ZERO, key, Tagged::nth(1, 7), WriteOptions::default())?;
/// }
/// let mut told = Vec::new();
/// while let Some(output) = node.poll() {
///     match output {
///         Output::Persist(ticket, _record) => node.persisted(ticket),
///         Output::Event(event) => told.push(format!("{event:?}")),
///         _ => {}
///     }
/// }
/// told.sort();
/// assert!(told[0].starts_with("Failed") && told[0].contains("Full") && told[1].starts_with("Written"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<
    const KEYS: usize,
    const KEY_BYTES: usize,
    const REQUESTS: usize = 4,
    const ANSWERS: usize = 8,
    const HINTS: usize = 0,
>;

impl<const K: usize, const B: usize, const R: usize, const A: usize, const H: usize> Storage
    for Inline<K, B, R, A, H>
{
}

impl<const K: usize, const B: usize, const R: usize, const A: usize, const H: usize> Kinds
    for Inline<K, B, R, A, H>
{
    type Key = InlineList<u8, B>;
    type Entries<T: Element> = InlineList<Cell<T>, K>;
    type Order = InlineList<Placed, K>;
    type HintOrder = InlineList<Placed, H>;
    type Requests<T: Element> = InlineList<Cell<T>, R>;
    type Answers<T: Element> = InlineList<Cell<T>, A>;
    type Hints<T: Element> = InlineList<Cell<T>, H>;
}

/// Everything on the heap, up to the limits of [`Config`](super::Config).
///
/// ```
/// use quorate_ring::quorum::{Config, Heap, Node, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// let config = Config { max_keys: 1_000, max_key_len: 64, ..Config::lan() };
/// let mut node = Node::<Tagged<u32>, _, Heap>::new(NodeId::new(1), 1, layout, config)?;
/// node.found();
/// node.write(Instant::ZERO, &[7; 64], Tagged::nth(1, 7), WriteOptions::default())?;
/// assert!(node.write(Instant::ZERO, &[7; 65], Tagged::nth(1, 7), WriteOptions::default()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    type Key = quorate_core::HeapList<u8>;
    type Entries<T: Element> = quorate_core::HeapList<Cell<T>>;
    type Order = alloc::collections::BTreeSet<Placed>;
    type HintOrder = alloc::collections::BTreeSet<Placed>;
    type Requests<T: Element> = quorate_core::HeapList<Cell<T>>;
    type Answers<T: Element> = quorate_core::HeapList<Cell<T>>;
    type Hints<T: Element> = quorate_core::HeapList<Cell<T>>;
}
