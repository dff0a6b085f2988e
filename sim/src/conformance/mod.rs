//! The contract of [`Machine`](quorate_core::Machine), as checks that every machine must pass.
//!
//! The crate of a machine describes it once, as a [`Specimen`]: how a node is made, what its
//! application does, and what is documented of its memory, sizes and message rate. The suite runs
//! such nodes in virtual time, three of them unless the specimen says otherwise
//! ([`NODES`](Specimen::NODES)), with messages that are late, lost and duplicated, and looks at each of
//! them before every input. A run depends on its seed alone.
//!
//! | check | what a machine must keep |
//! |---|---|
//! | [`Deadlines`](Check::Deadlines) | nothing happens before the deadline, and a tick moves it |
//! | [`Encoding`](Check::Encoding) | each message and record has one encoding, and reads back as it was |
//! | [`Sizes`](Check::Sizes) | the longest message and record are as long as it says |
//! | [`Memory`](Check::Memory) | memory stays within the documented formulas |
//! | [`Determinism`](Check::Determinism) | same inputs, same outputs; polled or drained |
//! | [`SpuriousInputs`](Check::SpuriousInputs) | spurious ticks, old tickets and unissued ones change nothing |
//! | [`Refusals`](Check::Refusals) | a refused message is counted, and changes nothing else |
//! | [`Checkpoints`](Check::Checkpoints) | a checkpoint restores what all the records restore |
//! | [`Replay`](Check::Replay) | records are accepted without any unacknowledged suffix |
//! | [`MessageRate`](Check::MessageRate) | no storm with a peer that refuses or forgets everything |
//!
//! A machine that panics fails the check that is running, with the seed and the step.
//!
//! A check fails, too, if there was nothing to look at: a machine that refused none of the messages
//! that were tried, wrote no record or has no documented bound passes nothing. What a machine does
//! not have its specimen says ([`RECORDS`](Specimen::RECORDS),
//! [`KNOWN_SIZES`](Specimen::KNOWN_SIZES)).
//!
//! Not checked: what only the protocol knows, such as agreement, and that nothing leaves before its
//! record is durable. That is what a [`Subject`](crate::Subject) is for.
//!
//! # Testing your own machine
//!
//! A machine of a few lines: it counts, keeps the count in a record, and tells it to the other nodes
//! ten times a second. [`conformance_tests!`](crate::conformance_tests) makes a test of each check.
//!
//! ```
//! use quorate_core::{
//!     Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Rng, Ticket, Tickets, Wire,
//!     wire,
//! };
//! use quorate_sim::conformance::{Specimen, check_all};
//!
//! wire! {
//!     /// A count: the only message, and the only record.
//!     #[derive(Clone, Copy, PartialEq, Debug)]
//!     pub struct Count {
//!         count: u64,
//!     }
//! }
//!
//! #[derive(Clone, Default)]
//! struct Counter {
//!     peers: Vec<NodeId>,
//!     count: u64,
//!     /// The count is to be written, and how many of the peers are to be told.
//!     dirty: bool,
//!     untold: usize,
//!     /// The largest count of another node.
//!     heard: u64,
//!     started: bool,
//!     tell_at: Instant,
//!     tickets: Tickets,
//!     durable: Ticket,
//!     rejections: Rejections,
//! }
//!
//! impl Machine for Counter {
//!     type Message<'a> = Count;
//!     type Record<'a> = Count;
//!     type Event<'a> = ();
//!     type Status = (u64, u64);
//!
//!     fn restore(&mut self, record: Count) -> Result<(), Corrupt> {
//!         if self.started {
//!             return Err(Corrupt::Started);
//!         }
//!         if record.count < self.count {
//!             return Err(Corrupt::Regression);
//!         }
//!         self.count = record.count;
//!         Ok(())
//!     }
//!
//!     fn receive(&mut self, _: Instant, from: NodeId, message: Count) -> Result<(), Rejected> {
//!         if !self.peers.contains(&from) {
//!             return Err(self.rejections.count(Rejected::UnknownSender));
//!         }
//!         self.heard = self.heard.max(message.count);
//!         Ok(())
//!     }
//!
//!     fn tick(&mut self, now: Instant) {
//!         self.started = true;
//!         if now >= self.tell_at {
//!             self.tell_at = now.after(100_000);
//!             self.untold = self.peers.len();
//!         }
//!     }
//!
//!     fn persisted(&mut self, ticket: Ticket) {
//!         if ticket <= self.tickets.last() {
//!             self.durable = self.durable.max(ticket);
//!         }
//!     }
//!
//!     fn poll(&mut self) -> Option<Output<'_, Self>> {
//!         let count = Count { count: self.count };
//!         if core::mem::take(&mut self.dirty) {
//!             return Some(Output::Persist(self.tickets.issue(), count));
//!         }
//!         if self.durable < self.tickets.last() {
//!             return None; // what it tells must be durable
//!         }
//!         self.untold = self.untold.checked_sub(1)?;
//!         Some(Output::Send(*self.peers.get(self.untold)?, count))
//!     }
//!
//!     fn deadline(&self) -> Option<Instant> {
//!         Some(self.tell_at)
//!     }
//!
//!     fn checkpoint(&self) -> impl Iterator<Item = Count> {
//!         [Count { count: self.count }].into_iter()
//!     }
//!
//!     fn status(&self) -> (u64, u64) {
//!         (self.count, self.heard)
//!     }
//!
//!     fn rejections(&self) -> Rejections {
//!         self.rejections
//!     }
//!
//!     fn max_message_len(&self) -> Option<usize> {
//!         Some(10)
//!     }
//!
//!     fn max_record_len(&self) -> Option<usize> {
//!         Some(10)
//!     }
//! }
//!
//! /// The application of one node, which has nothing to remember.
//! #[derive(Clone)]
//! struct Application {
//!     node: usize,
//! }
//!
//! impl Specimen for Application {
//!     type Machine = Counter;
//!
//!     const NAME: &'static str = "counter";
//!     const MESSAGES_PER_SECOND: u64 = 11;
//!
//!     fn new(node: usize) -> Self {
//!         Self { node }
//!     }
//!
//!     fn boot(&self, _seed: u64) -> Counter {
//!         let me = NodeId::new(self.node as u64 + 1);
//!         let peers = [1, 2, 3].map(NodeId::new).into_iter().filter(|id| *id != me).collect();
//!         Counter { peers, ..Counter::default() }
//!     }
//!
//!     fn durable(machine: &Counter) -> String {
//!         machine.count.to_string()
//!     }
//!
//!     fn act(&mut self, machine: &mut Counter, _now: Instant, rng: &mut Rng) {
//!         machine.count += rng.below(9);
//!         machine.dirty = true;
//!     }
//!
//!     fn refusals(_message: &Count) -> Vec<Vec<u8>> {
//!         vec![Count { count: 0 }.to_vec()]
//!     }
//!
//!     fn memory(machine: &Counter) -> Vec<(&'static str, usize, usize)> {
//!         vec![("peers", machine.peers.len(), 2)]
//!     }
//!
//!     fn longest_message(&self) -> Option<Vec<u8>> {
//!         Some(Count { count: u64::MAX }.to_vec())
//!     }
//!
//!     fn longest_record(&self) -> Option<Vec<u8>> {
//!         self.longest_message()
//!     }
//! }
//!
//! // in a test: `quorate_sim::conformance_tests! { counter: Application, seeds 0..8; }`
//! check_all::<Application>(0..2)?;
//! # Ok::<(), quorate_sim::conformance::Failure>(())
//! ```

mod check;
mod checks;
mod damage;
mod emitted;
mod host;
mod net;
mod observed;
mod panics;
mod specimen;

use core::ops::Range;

pub use check::{Check, Failure};
pub use specimen::Specimen;

/// Runs one check with each of the seeds.
///
/// # Errors
///
/// The first failure.
pub fn check<S: Specimen>(check: Check, seeds: Range<u64>) -> Result<(), Failure> {
    let run = match check {
        Check::Refusals => checks::refusals::<S>,
        Check::Checkpoints => checks::checkpoints::<S>,
        Check::Replay => checks::replay::<S>,
        Check::Determinism => checks::determinism::<S>,
        Check::SpuriousInputs => checks::spurious_inputs::<S>,
        Check::Deadlines => checks::deadlines::<S>,
        Check::Encoding => checks::encoding::<S>,
        Check::Memory => checks::memory::<S>,
        Check::Sizes => checks::sizes::<S>,
        Check::MessageRate => checks::message_rate::<S>,
    };
    seeds.into_iter().try_for_each(|seed| {
        let result = panics::caught(|| run(seed)).and_then(|result| result);
        result.map_err(|what| Failure { machine: S::NAME, check, seed, what })
    })
}

/// Runs all checks with each of the seeds.
///
/// # Errors
///
/// The first failure.
pub fn check_all<S: Specimen>(seeds: Range<u64>) -> Result<(), Failure> {
    Check::ALL.into_iter().try_for_each(|rule| check::<S>(rule, seeds.clone()))
}

/// Tests that machines conform: a module for each specimen, with a test for each check, so that
/// the name of a failed test says what is wrong with which machine.
#[macro_export]
macro_rules! conformance_tests {
    ($($name:ident: $specimen:ty, seeds $seeds:expr;)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            type Tested = $specimen;

            $crate::conformance_tests! { @tests Tested, $seeds;
                deadlines Deadlines,
                encoding Encoding,
                sizes Sizes,
                memory Memory,
                determinism Determinism,
                spurious_inputs SpuriousInputs,
                refusals Refusals,
                checkpoints Checkpoints,
                replay Replay,
                message_rate MessageRate,
            }
        }
    )+};
    (@tests $specimen:ty, $seeds:expr; $($test:ident $check:ident,)+) => {$(
        #[test]
        #[allow(clippy::panic)]
        fn $test() {
            let check = $crate::conformance::Check::$check;
            if let Err(failure) = $crate::conformance::check::<$specimen>(check, $seeds) {
                panic!("{failure}");
            }
        }
    )+};
}
