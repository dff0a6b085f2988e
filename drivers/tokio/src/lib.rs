//! What a [`Machine`](quorate_core::Machine) needs to run on a server: a write-ahead log ([`wal`]), transports over TCP and serial lines ([`tcp`], [`serial`])
//! and the loop that joins them to the machine and an application ([`node`]). Generic over the machine.
//!
//! An application implements [`App`]; [`start`] opens the log, restores the machine and runs it on a thread of its own; a
//! [`Handle`] hands commands in.
//!
//! # Example
//!
//! A machine with one durable counter and nobody to talk to:
//!
//! ```
//! use quorate_core::{Corrupt, DecodeError, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections, Ticket, Tickets, Wire, Writer};
//! use quorate_tokio::{App, NodeOptions, Outbox, start};
//! use tokio::sync::oneshot;
//!
//! #[derive(Debug)]
//! struct Number(u64);
//!
//! impl<'a> Wire<'a> for Number {
//!     fn encode(&self, out: &mut Writer<'_>) { out.u64(self.0) }
//!     fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> { Ok(Self(input.u64()?)) }
//! }
//!
//! #[derive(Default)]
//! struct Counter { value: u64, recorded: u64, tickets: Tickets, durable: u64, told: u64 }
//!
//! impl Machine for Counter {
//!     type Message<'a> = Number;
//!     type Record<'a> = Number;
//!     type Event<'a> = u64;
//!     type Status = u64;
//!
//!     fn restore(&mut self, record: Number) -> Result<(), Corrupt> {
//!         (self.value, self.recorded) = (record.0, record.0);
//!         Ok(())
//!     }
//!     fn receive(&mut self, _: Instant, _: NodeId, _: Number) -> Result<(), Rejected> {
//!         Err(Rejected::UnknownSender)
//!     }
//!     fn tick(&mut self, _: Instant) {}
//!     fn persisted(&mut self, ticket: Ticket) {
//!         if ticket == self.tickets.last() {
//!             self.durable = self.recorded;
//!         }
//!     }
//!     fn poll(&mut self) -> Option<Output<'_, Self>> {
//!         if self.recorded < self.value {
//!             self.recorded = self.value;
//!             return Some(Output::Persist(self.tickets.issue(), Number(self.value)));
//!         }
//!         (self.told < self.durable).then(|| {
//!             self.told = self.durable;
//!             Output::Event(self.durable)
//!         })
//!     }
//!     fn deadline(&self) -> Option<Instant> { None }
//!     fn status(&self) -> u64 { self.value }
//!     fn rejections(&self) -> Rejections { Rejections::default() }
//!     fn checkpoint(&self) -> impl Iterator<Item = Number> { [Number(self.value)].into_iter() }
//! }
//!
//! /// Answers once the count is on disk.
//! #[derive(Default)]
//! struct Answers { waiting: Vec<(u64, oneshot::Sender<u64>)>, durable: u64 }
//!
//! impl App for Answers {
//!     type Machine = Counter;
//!     type Command = oneshot::Sender<u64>;
//!
//!     fn command(&mut self, counter: &mut Counter, _: Instant, answer: oneshot::Sender<u64>) {
//!         counter.value += 1;
//!         self.waiting.push((counter.value, answer));
//!     }
//!     fn event(&mut self, durable: u64) { self.durable = durable }
//!     fn settle(&mut self, _: &mut Counter, _: Instant, _: &mut Outbox) {
//!         for (value, answer) in self.waiting.extract_if(.., |(value, _)| *value <= self.durable) {
//!             let _ = answer.send(value);
//!         }
//!     }
//! }
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().to_path_buf();
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! for count in 1..=3 {
//!     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//!     let options = NodeOptions::new(NodeId::new(1), 7, listener, Vec::new(), dir.clone());
//!     let node = start(Counter::default(), |_restored| Ok(Answers::default()), options)?;
//!     let (answer, answered) = oneshot::channel();
//!     node.handle().send(answer).await?;
//!     assert_eq!(answered.await?, count); // it goes on where it was
//!     node.stop().await?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! * Records are durable before their ticket goes back, in the order they were polled; after a crash the machine is restored from
//!   all of those, and never from damaged ones ([`wal`] tells exactly).
//! * Messages are delivered whole and from whom they say, or not at all ([`tcp`]); nothing that arrives ends the process.
//! * Queues are bounded. A full disk stops the acknowledging, not the process; a failing one stops the node with an [`Error`].
#![cfg_attr(docsrs, feature(doc_cfg))]
// this crate is std through and through
#![allow(clippy::std_instead_of_core)]

/// The application beside a machine.
pub mod app;
mod error;
pub mod frame;
mod log_limit;
/// What a node counts.
pub mod metrics;
pub mod node;
mod priority;
pub mod serial;
pub mod tcp;
pub mod wal;
mod zeros;

pub use app::{App, Outbox, Priority, StorageHealth};
pub use error::Error;
pub use log_limit::LogLimit;
pub use metrics::{Metrics, MetricsSnapshot};
pub use node::{
    Handle, Node, NodeOptions, QueryHandler, Stopped, TrySendError, start, start_with_disk,
};
pub use tcp::TcpOptions;
pub use wal::WalOptions;
