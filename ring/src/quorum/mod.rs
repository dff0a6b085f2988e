//! A store without a leader: each key has N replicas, and a request is done when R or W of them have answered.
//!
//! A [`Layout`] names the replicas of a key, and the nodes that stand in for them; [`Replicated`]
//! makes one of a [placement](crate::Placement). Any node makes requests, and chooses for each how
//! many replicas must answer it. Replicas that missed a write get it later: from a fallback that
//! kept it, from a reader that noticed, or from a sweep of another replica.
//!
//! # What to take
//!
//! | machine | holds keys | makes requests | for |
//! |---|---|---|---|
//! | [`Node`] | yes | yes | servers that applications run on, and values that a replica forms |
//! | [`Replica`] | yes | no | servers that only keep what clients ask them to |
//! | [`Coordinator`] | no | yes | clients: one round trip to the replicas, and no disk |
//!
//! All three are a [`Machine`](quorate_core::Machine): they do no I/O. A driver carries messages,
//! writes records and tells the time; `examples/quorum` is a program on one. Memory is bounded, in
//! the value with [`Inline`], on the heap with `Heap`.
//!
//! | value | of two concurrent writes | needs |
//! |---|---|---|
//! | [`Tagged`] | one stays: a register | one writer that counts, or [`Order::AfterRead`] |
//! | [`Lww`] | the one with the later stamp stays | a [hybrid logical clock](quorate_clocks::Hlc) at each writer |
//! | [`Siblings`](quorate_clocks::Siblings) | both stay, until a later write settles them | to be written at a replica of the key |
//! | `Merged` (feature `crdt`) | they are merged, as the CRDT has it | to be written at a replica of the key |
//!
//! [`Value`] is a trait; its documentation has a value of one's own.
//!
//! | option of a request | choices |
//! |---|---|
//! | [`Level`]: how many must answer | `One`, `Quorum`, `All`, or a number; also [how many owners](WriteOptions::primaries) among them |
//! | [`sloppy`](WriteOptions::sloppy) | fallbacks count in the place of owners that do not answer |
//! | [`Order`] of a write | as it was formed, or later than what the replicas have |
//! | [`ReadRepair`] | none, in the background, or before the read returns |
//! | [`read_at_least`](Node::read_at_least) | waits for what the client has seen |
//!
//! # What is promised
//!
//! | requests | promise |
//! |---|---|
//! | R + W ≤ N, or sloppy | **eventual**: when writes cease and nodes hear each other, all replicas of a key come to have the same value. A read may miss acknowledged writes; [`pbs`](crate::pbs) tells how likely that is |
//! | R + W > N, none sloppy | a read **meets each write that was acknowledged** before it began, and returns it or a later one. Of two reads during a write, or after one that failed, the second may go back |
//! | and all reads [`Blocking`](ReadRepair::Blocking) or [`Always`](ReadRepair::Always) | **monotonic quorum reads** as well: a read is not behind one that returned before it began, if it asks [as many replicas](ReadRepair) |
//! | and all writes of a [`Tagged`] by one node that counts, or with [`Order::AfterRead`] | **linearizable**: the register behaves as if there were one copy. `AfterRead` and `Always` are the algorithm as it was published |
//! | any, with [`read_at_least`](Node::read_at_least) | a client **reads its own writes**, and its reads do not go back, also from node to node. It keeps the [context](Value::context) of what it has read and written; of siblings a [`Session`](quorate_clocks::Session) does |
//!
//! A request that failed is not undone: its value may be on some replicas, and may be read later,
//! or never.
//!
//! That R + W > N is not enough for the third row, this history shows. It has three replicas, and
//! R = W = 2:
//!
//! ```
//! use quorate_core::{Instant, Machine, NodeId, Output};
//! use quorate_ring::quorum::{
//!     Config, Coordinator, Event, Inline, ReadOptions, ReadRepair, Replica, Replicated, Tagged, WriteOptions,
//! };
//! # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
//! # type Layout = Replicated<HashRing<quorate_ring::Inline<3, 48>>>;
//! type Client = Coordinator<Tagged<u32>, Layout, Inline<0, 16>>;
//! type Server = Replica<Tagged<u32>, Layout, Inline<8, 16>>;
//!
//! /// Carries the client's messages to these replicas and the answers back; all others are lost. Returns what the client has read.
//! fn run(client: &mut Client, servers: &mut [Server], reached: [u64; 2]) -> Option<u32> {
//!     let from = client.status().id;
//!     while let Some(output) = client.poll() {
//!         match output {
//!             Output::Send(to, message) if reached.contains(&to.get()) => {
//!                 let server = &mut servers[to.get() as usize - 1];
//!                 server.receive(Instant::ZERO, from, message).unwrap();
//!                 while let Some(output) = server.poll() {
//!                     match output {
//!                         Output::Persist(ticket, _record) => server.persisted(ticket),
//!                         Output::Send(_, answer) => client.receive(Instant::ZERO, to, answer).unwrap(),
//!                         Output::Event(_) => {}
//!                     }
//!                 }
//!             }
//!             Output::Event(Event::Found { value, .. }) => return value.and_then(Tagged::get).copied(),
//!             _ => {}
//!         }
//!     }
//!     None
//! }
//!
//! # let ids = [1, 2, 3].map(NodeId::new);
//! # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
//! # ring.add_all(&ids.map(Member::new))?;
//! # let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
//! let history = |repair| {
//!     let mut servers = ids.map(|id| Server::new(id, 1, layout.clone(), Config::lan()).unwrap());
//!     servers.iter_mut().for_each(Server::found);
//!     let client = |id| Client::new(NodeId::new(id), 1, layout.clone(), Config::lan()).unwrap();
//!     let (mut writer, mut first, mut second) = (client(7), client(8), client(9));
//!     let options = ReadOptions { repair, ..ReadOptions::default() };
//!     // the write reaches replica 1 alone, and is not acknowledged
//!     writer.write(Instant::ZERO, b"key", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
//!     run(&mut writer, &mut servers, [1, 1]);
//!     // one read hears replicas 1 and 2, and another one after it 2 and 3
//!     first.read(Instant::ZERO, b"key", options).unwrap();
//!     let found = run(&mut first, &mut servers, [1, 2]);
//!     second.read(Instant::ZERO, b"key", options).unwrap();
//!     (found, run(&mut second, &mut servers, [2, 3]))
//! };
//! assert_eq!(history(ReadRepair::Off), (Some(5), None)); // the second one goes back
//! assert_eq!(history(ReadRepair::Blocking), (Some(5), Some(5))); // the first one wrote to replica 2 before it returned
//! # Ok::<(), quorate_ring::MemberError>(())
//! ```
//!
//! # What is **not** promised
//!
//! * **Transactions over several keys**, compare-and-swap and scans. Each key is on its own.
//! * **Availability of a minority.** Where fewer replicas than R or W are heard, a strict request
//!   fails. A sloppy one goes on as long as enough fallbacks answer.
//! * **A disk that is erased while a write is in flight.** A replica that has acknowledged a write,
//!   and loses its disk before the coordinator has heard enough others, is rebuilt from these,
//!   perhaps without that write. Its answer counts, so the write is acknowledged with one copy less
//!   than W, and a quorum may miss it until a sweep has brought it back.
//! * **A rebuild when several disks are lost.** A replica with an erased disk is rebuilt from all
//!   other nodes, and a node that does not know what it held rebuilds no other: two that are erased
//!   at once wait for each other for ever, whatever the others have. The operator decides then:
//!   with [`found`](Node::found) on one of them the rest goes on, and what only the lost disks had
//!   is gone.
//! * **Protection from nodes that lie.** What a node says is believed, as far as it does not
//!   contradict itself.
//!
//! # Siblings
//!
//! A replica forms them, from what it [holds](Node::local) and what the client has seen. They go above
//! the [seal](Status::sealed), as what was deleted below it may be forgotten:
//!
//! ```
//! use quorate_clocks::{Actor, Siblings, VersionVector};
//! use quorate_core::{Instant, Machine, NodeId, Output};
//! use quorate_ring::quorum::{Config, Event, Inline, Node, ReadOptions, Replicated, WriteOptions};
//! use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
//!
//! type Names = quorate_clocks::Inline<4>; // replicas, and one more for each erased disk
//! type Cart = Siblings<u32, Names>;
//!
//! # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
//! # ring.add(Member::new(NodeId::new(1)))?;
//! # let layout = Replicated::new(Version::default(), ring, 1);
//! let mut node = Node::<Cart, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
//! node.found();
//! let me = Actor::from(NodeId::new(1));
//!
//! // two clients that have seen nothing
//! let nothing = VersionVector::<Names>::new();
//! for item in [7, 8] {
//!     let mut cart = node.local(b"cart").cloned().unwrap_or_default();
//!     cart.write_above(me, &nothing, item, node.status().sealed)?;
//!     node.write(Instant::ZERO, b"cart", cart, WriteOptions::default())?;
//! }
//!
//! // a third one reads both, and settles them
//! node.read(Instant::ZERO, b"cart", ReadOptions::default())?;
//! let mut seen = None;
//! loop {
//!     let mut written = None;
//!     while let Some(output) = node.poll() {
//!         match output {
//!             Output::Persist(ticket, _) => written = Some(ticket),
//!             Output::Event(Event::Found { value, .. }) => seen = value.cloned(),
//!             _ => {}
//!         }
//!     }
//!     let Some(ticket) = written else { break };
//!     node.persisted(ticket);
//! }
//! let seen = seen.ok_or("nothing was read")?;
//! assert_eq!(seen.values().copied().collect::<Vec<_>>(), [7, 8]);
//! let mut cart = node.local(b"cart").cloned().unwrap_or_default();
//! cart.write_above(me, seen.context(), 15, node.status().sealed)?;
//! node.write(Instant::ZERO, b"cart", cart, WriteOptions::default())?;
//! assert_eq!(node.local(b"cart").map(|cart| cart.values().copied().collect()), Some(vec![15]));
//! // to delete the key, `delete_above` in place of `write_above`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the application provides
//!
//! * **An incarnation for each start** of a machine, one that its node has never used, also before
//!   its disk was erased. A counter on that disk begins anew, and gives two writes one [`WriteId`]:
//!   take a random number, or the time of a clock that does not go back.
//! * **The layout, with its version, in durable storage.** No record has it. A node that starts
//!   with an older one is refused by the others until it [learns](Layout::learn) the newer one or
//!   is [given](Node::set_layout) it.
//! * **[`found`](Node::found)**, once, on each node of a new cluster: a node without records may
//!   have been erased, and answers nothing until all others have rebuilt it, which none of a new
//!   cluster can.
//! * **Which nodes are down**, from a failure detector, if there is one:
//!   [`set_down`](Node::set_down). Without it requests wait for the retry.
//! * **Changes of the replicas in two steps**, with the [layouts](Node#changing-the-replicas) between.
//!   In one step the new replicas have nothing, and the old ones drop what they have: a running node
//!   refuses that, but one that starts with a layout cannot tell.
//! * **A limit of the floor** where the [clocks](Value::clock) of values are those of a wall, as those
//!   of [`Lww`] are: [`limit_floor`](Node::limit_floor) on every node, or one delete by a clock that is
//!   years ahead ends all writes for as long.
//! * **A new actor for siblings and CRDTs after an erased disk**:
//!   [`Actor::next_incarnation`](quorate_clocks::Actor::next_incarnation). The dots of the old one
//!   would be given twice. Each actor takes a place in the context.
//! * **A context for each key** that a session reads or writes, for
//!   [`read_at_least`](Node::read_at_least): that of one key is none of another's.
//!
//! # Sources
//!
//! * DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007: levels,
//!   sloppy quorums and hinted handoff (section 4.6), replicas that become equal in the background
//!   (4.7).
//! * Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 42(1),
//!   1995: registers with one writer, and reads that write back.
//! * Lynch and Shvartsman, "Robust Emulation of Shared Memory Using Dynamic Quorum-Acknowledged
//!   Broadcasts", FTCS 1997: registers with many writers.
//! * Meyer, "Range-Based Set Reconciliation", SRDS 2023: sweeps.
//! * Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994: what
//!   `read_at_least` is for.

mod catch_up;
mod change;
mod config;
mod coordinator;
mod digest;
mod error;
mod event;
mod frontier;
mod handoff;
mod holdings;
mod in_flight;
mod layout;
mod level;
mod limits;
mod lww;
#[cfg(feature = "crdt")]
mod merged;
mod message;
mod node;
mod order;
mod replica;
mod request;
mod requests;
mod runs;
mod scrub;
mod siblings;
mod slab;
mod standing;
mod status;
mod storage;
mod sweep;
mod table;
mod tagged;
mod targets;
mod value;

pub use config::{Config, ConfigError};
pub use coordinator::{Coordinator, CoordinatorStatus};
pub use error::{Failure, LayoutError, LevelError, RequestError};
pub use event::Event;
pub use layout::{Layout, Membership, Replicated};
pub use level::{Level, Order, ReadOptions, ReadRepair, WriteOptions};
pub use lww::Lww;
#[cfg(feature = "crdt")]
pub use merged::Merged;
pub use message::{Message, Record};
pub use node::Node;
pub use replica::Replica;
pub use request::{Request, WriteId};
pub use status::Status;
pub use storage::*;
pub use tagged::{Tag, Tagged};
pub use value::{FollowRefused, MergeRefused, Value};
