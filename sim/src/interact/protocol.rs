use quorate_core::{Instant, Machine, NodeId, Rejected};

use super::Options;

/// A protocol in interaction tests: how its nodes boot, its commands, and how messages, records and
/// events are printed, one line each.
///
/// It is also the application beside each node: what it learns in
/// [`handle_event`](Self::handle_event) it may act on in
/// [`run_application`](Self::run_application).
pub trait Protocol: Sized {
    /// The machine under test.
    type Machine: Machine;

    /// A cluster of `nodes` nodes, numbered from 1.
    ///
    /// # Errors
    ///
    /// What is wrong with the options, which are read with [`Options::finish`].
    fn new(nodes: u64, options: &mut Options<'_>) -> Result<Self, String>;

    /// A machine without a past.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn boot(&mut self, node: NodeId) -> Result<Self::Machine, String>;

    /// All records were replayed, and the machine was not ticked yet.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn restored(&mut self, node: NodeId, machine: &mut Self::Machine) -> Result<(), String>;

    /// The node crashed: what the application had in memory is gone.
    fn crashed(&mut self, node: NodeId);

    /// Does what a command of the protocol says; returns what to print, with newlines between lines.
    ///
    /// # Errors
    ///
    /// What is wrong with the command: the scenario is at fault, not the machine. A refusal of the
    /// machine is something to print.
    fn command(
        &mut self,
        name: &str,
        node: NodeId,
        machine: &mut Self::Machine,
        now: Instant,
        args: &[&str],
    ) -> Result<String, String>;

    /// The node was polled until it was quiet: the application may call it, and tells what it did, if anything.
    fn run_application(&mut self, node: NodeId, machine: &mut Self::Machine) -> Option<String>;

    /// A message in one line.
    fn format_message(message: &<Self::Machine as Machine>::Message<'_>) -> String;

    /// A record in one line.
    fn format_record(record: &<Self::Machine as Machine>::Record<'_>) -> String;

    /// The application takes an event; returns it in one line.
    fn handle_event(
        &mut self,
        node: NodeId,
        event: &<Self::Machine as Machine>::Event<'_>,
    ) -> String;

    /// A node in one line.
    fn format_status(&self, node: NodeId, machine: &Self::Machine) -> String;

    /// The encoded records that the arguments of `set-disk` name.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments.
    fn disk_records(args: &[&str]) -> Result<Vec<Vec<u8>>, String>;

    /// The encoded message that the arguments of `forge` name.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments.
    fn forge(args: &[&str]) -> Result<Vec<u8>, String>;

    /// A message in one number, which two messages share that differ only in what the application put in: a recorded run is
    /// replayed with other contents.
    fn message_digest(message: &<Self::Machine as Machine>::Message<'_>) -> u64;

    /// A record was written, and is not durable yet.
    fn issued(&mut self, node: NodeId, record: &<Self::Machine as Machine>::Record<'_>);

    /// A record became durable.
    fn durable(&mut self, node: NodeId, record: &<Self::Machine as Machine>::Record<'_>);

    /// The durable records of a node are replaced: each of the new ones follows.
    fn records_replaced(&mut self, node: NodeId);

    /// A message left a node.
    fn sent(&mut self, node: NodeId, to: NodeId, message: &<Self::Machine as Machine>::Message<'_>);

    /// A machine took a message that was the `order`th to be sent, or refused it.
    fn received(
        &mut self,
        node: NodeId,
        from: NodeId,
        order: u64,
        result: Result<(), Rejected>,
        machine: &Self::Machine,
    );

    /// The scenario puts things in the nodes' way that no honest run brings about: what holds only
    /// of those is not judged any more.
    fn tampered(&mut self);

    /// Checks what must hold of the nodes that are up, after each command.
    ///
    /// # Errors
    ///
    /// What is violated, now or since the last call.
    fn check(&mut self, machines: &[(NodeId, &Self::Machine)]) -> Result<(), String>;
}
