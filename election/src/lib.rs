//! Leader election and failure detection as state machines without I/O.
//!
//! | what | who thought of it | what it is here |
//! |---|---|---|
//! | [`Bully`] | Garcia-Molina 1982 | the highest live node leads; [quorum](Mode::Quorum) and [lease](Mode::Lease) modes |
//! | [`Ring`] of [`Collecting`](ring::Collecting) | LeLann 1977, Tanenbaum | a token collects who lives |
//! | [`Ring`] of [`ChangRoberts`](ring::ChangRoberts) | Chang and Roberts 1979 | the highest id goes round |
//! | [`Ring`] of [`HirschbergSinclair`](ring::HirschbergSinclair) | Hirschberg and Sinclair 1980 | both ways, in doubling steps |
//! | [`detector`] | Hayashibara 2004, Cassandra, Chen 2002 | who is still there: heartbeat, phi accrual twice, Chen's; data, not machines |
//! | [`lease`] | Gray and Cheriton 1989 | who may act, as long as clocks keep to a drift |
//! | [`Epoch`] | Lamport's ballots, Chubby's sequencers | a term of office that names its owner, and the fencing token |
//!
//! A board needs no heap and no floating point for any of it. [`Bully`] shows the driving loop, [`detector`] how a detector feeds
//! an election, and `examples/election` in the repository is both over UDP.
//!
//! # What to rely on
//!
//! The classic algorithms take for granted that whoever does not answer in time is dead. No network keeps to that, and then two
//! nodes lead at once. What holds whatever happens:
//!
//! * an epoch has at most one leader, for ever, across restarts;
//! * a later leader that a resource hears of has a higher token than an earlier one, or learns of it
//!   ([`fenced`](Bully::fenced)) and takes a higher one;
//! * a node that was started with an empty disk leads in no epoch that it, or anybody who answers it, has seen before. It does not
//!   know whether it is new or was erased, and asks ([`Bully`] tells whom, and what nobody can notice);
//! * with [`Takeover::Keep`], a leader that a majority hears stays, whatever others missed.
//!
//! So **hand the token to the resource, and let it refuse lower ones.** Where there is no such resource, use
//! [`Mode::Lease`] and ask [`holds_lease`](Bully::holds_lease) right before acting.
//!
//! # What survives what
//!
//! Five nodes in virtual time, messages without delay. A test makes this table. "Two leaders at once" never share an epoch.
//!
#![doc = include_str!("failures.md")]
//!
//! A lying node that is believed to be alive can lead whenever it has the highest id, and can burn epochs: one message at most
//! 2^33 of 2^57 rounds, so that 2^24 of them use up all there are. It can tell some nodes of epochs so late that others refuse
//! them; a node that is new, or whose disk was erased, by one message ([`Bully`] tells more). It cannot lead in another's name, and its lies are counted in `rejections`. Nothing here is Byzantine-fault tolerant.
//!
//! # How long it takes
//!
//! Once faults stop and messages arrive in time, the right node leads and all know within [`Config::settle_us`], or
//! [`Ring::settle_us`]. In the simulator, 32,000 runs with every fault (crashes at the worst moments, loss, duplication, replays,
//! partitions, pauses, clocks that are off by 10 %, slow disks) stayed within 56 % of it, half of them within 1 %.
//!
//! # How it is proven
//!
//! * **Model checking**: the machines as they are, every order of messages, early timeouts, a crash and its recovery, losses,
//!   duplicates. At most one leader an epoch, always; and from every state, once faults stop, exactly one leader (the highest that
//!   lives, or any that is kept), known to all. `cargo xtask model` explores, with at most 3 messages in flight (2 where marked *):
//!
//!   | states | 3 nodes | 4 nodes | 5 nodes |
//!   |---|---|---|---|
//!   | bully | 593,556 | 67,536 | 3,939 * |
//!   | bully that keeps its leader | 52,717 (any number in flight, a loss, a duplicate) | | 16,235 |
//!   | bully, quorum | 45,279 (slow disks) | 19,270 | 10,027 |
//!   | bully, lease | 384,333 | | |
//!   | collecting ring | 394,865 | 123,718 * | |
//!   | Chang-Roberts | 425,919 | | 5,746 * |
//!   | Hirschberg-Sinclair | 307,527 | 1,250 * | |
//! * **Message counts** equal the formulas, exactly, in every arrangement of rings of up to 7 and for every initiator of bully.
//! * **Detectors** against floating point by property tests, and over thirteen arrival traces in one table (`tests/golden`): jitter,
//!   losses, pauses, missing and repeated numbers, intervals of hours.
//! * **Simulation** of all four algorithms with a detector on top and a fenced resource; disks are erased, where a quorum is needed
//!   in the middle of everything; kept leaders stay while others are cut off: `SEEDS=8000 cargo test --release -p quorate-election-sim
//!   --test all seeds -- --nocapture`.
//! * **Fuzzing**: bytes as inputs to a node of each algorithm and mode, which then has to settle with honest ones; signs of life at
//!   absurd times. `cargo xtask fuzz election_inputs`; the tests replay what it left behind.
//!
//! # What it costs
//!
//! On a 64-bit machine (`cargo xtask bench election`): a heartbeat into a window of 64 takes 4.1 to 4.6 ns, the question whether a
//! peer is suspected at most 1.0 ns (phi-accrual-failure-detector 0.1: 29 and 23; phi-detector 0.4, without a window: 9 and 11 to
//! 18), in 288 to 296 bytes a peer.
//!
//! On a Cortex-M4F (`thumbv7em-none-eabihf`, `opt-level = "z"`; `cargo xtask size`, programs less those around nothing):
//!
//! | what | code |
//! |---|---|
//! | bully with its codec, quorum and leases | <!-- size: thumbv7em-none-eabihf election-election_nothing code -->5.5 KB |
//! | a Hirschberg-Sinclair ring | <!-- size: thumbv7em-none-eabihf election_ring-election_nothing code -->7.6 KB |
//! | exponential phi detector, without reading phi as a number | <!-- size: thumbv7em-none-eabihf detector_exponential-detector_nothing code -->1.2 KB |
//! | normal phi detector, likewise | <!-- size: thumbv7em-none-eabihf detector_normal-detector_nothing code -->2.0 KB |
//! | Chen's detector | <!-- size: thumbv7em-none-eabihf detector_chen-detector_nothing code -->1.1 KB |
//! | heartbeat detector, the whole program | <!-- size: thumbv7em-none-eabihf detector_heartbeat code -->0.4 KB |
//!
//! # What is **not** there
//!
//! A majority for rings: a ring's winner would ask all for a majority after its round, `n - 1` claims and as many acceptances, and
//! every heartbeat would be answered, `2 (n - 1)` messages for `n - 1`; what is left of the ring is then a dearer way to find the
//! highest node. Take [`Bully`] in [`Mode::Quorum`]. A ring's token fences all the same, see [`Ring::fenced`].
//!
//! Changing members (all nodes must be given the same list), the invitation algorithm, SWIM and gossip membership, authentication
//! (the driver's), Byzantine faults.
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage `Heap` |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for messages, records and plain data |
//! | `defmt` | `defmt::Format` for messages, events and plain data |
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core
    )
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(test)]
extern crate std;

pub mod bully;
mod config;
pub mod detector;
mod epoch;
mod error;
mod event;
mod leadership;
pub mod lease;
mod limits;
mod members;
mod message_counts;
mod record;
#[allow(unnameable_types)] // the sealed parts of `Storage` and `Algorithm`
pub mod ring;
mod storage;

pub use bully::Bully;
pub use config::{Config, Mode, Takeover};
pub use epoch::Epoch;
pub use error::ConfigError;
pub use event::{Event, Role, Status};
pub use message_counts::Counts;
pub use record::Record;
pub use ring::Ring;
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};

/// As many members as an election takes: what fits the owner's place in an [`Epoch`]. Bully sends up to the square of that many
/// messages for one election; larger groups elect among few.
pub const MAX_MEMBERS: usize = 32;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
