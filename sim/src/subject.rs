use quorate_core::{Instant, Machine, NodeId, Rejected, Rng};

use crate::host::Host;
use crate::{Marks, Swarm};

/// What is simulated: the machines of one run, the application beside each, the clients, and what must hold.
///
/// A subject sees the whole cluster; it is an oracle, not a node. Whatever it returns as an error is a violation.
pub trait Subject: Sized {
    /// The machine under test.
    type Machine: Machine + Clone + PartialEq;

    /// Whether links may be so slow that bulk delays what is behind it, by more than timeouts:
    /// claimed by protocols that recover.
    const SLOW_LINKS: bool = false;

    /// Whether nodes are started again with empty disks, where
    /// [`may_erase_disk`](Self::may_erase_disk) says so.
    const ERASES_DISKS: bool = false;

    /// The subject of a run.
    fn new(swarm: &Swarm, rng: Rng) -> Self;

    /// The longest election timeout (or whatever progress is measured in), in µs of a node's clock.
    fn timeout_us(&self) -> u64;

    /// A machine without a past, for a node (from 0) that boots.
    ///
    /// # Errors
    ///
    /// Why there is none, which is a violation.
    fn boot(&mut self, node: usize) -> Result<Self::Machine, String>;

    /// All records were replayed, and the machine was not ticked yet: the application loads what it has on disk.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String>;

    /// The node crashed: what the application had in memory is gone.
    fn crashed(&mut self, node: usize);

    /// The machine emitted an event. `Some` names a point at which crashes are interesting.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn event(
        &mut self,
        node: usize,
        now: Instant,
        event: <Self::Machine as Machine>::Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String>;

    /// The machine was polled dry: the application acts on the events. True if it called the
    /// machine.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn run_application(
        &mut self,
        node: usize,
        now: Instant,
        machine: &mut Self::Machine,
        marks: &mut Marks,
    ) -> Result<bool, String>;

    /// A record became durable on a node, in order.
    fn durable(&mut self, node: usize, record: <Self::Machine as Machine>::Record<'_>);

    /// The durable records of a node were replaced as a whole: [`durable`](Self::durable) is called for each of the new ones.
    fn records_replaced(&mut self, node: usize);

    /// A record was issued.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn issued(
        &mut self,
        node: usize,
        record: <Self::Machine as Machine>::Record<'_>,
    ) -> Result<(), String>;

    /// Outputs of one node in one step, at most; more are a violation: the machine never becomes
    /// idle.
    fn max_outputs_per_step(&self) -> u64 {
        5_000
    }

    /// Messages of all nodes in one second of virtual time, at most; more are a storm, and a violation.
    fn max_messages_per_second(&self) -> u64 {
        u64::MAX
    }

    /// A message left a node. Whatever it promises must be durable by now.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn sent(
        &mut self,
        node: usize,
        to: NodeId,
        message: <Self::Machine as Machine>::Message<'_>,
    ) -> Result<(), String>;

    /// A machine took a message. `order` counts messages as they are sent: [`Access::sent`] tells how many there have been.
    fn received(&mut self, node: usize, from: usize, order: u64, machine: &Self::Machine) {
        let _ = (node, from, order, machine);
    }

    /// The machine refused a message that came from another, unaltered: most reasons are a violation.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn rejected(&mut self, node: usize, reason: Rejected, marks: &mut Marks) -> Result<(), String>;

    /// Checks what must hold of a node after each of its steps.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn check(
        &mut self,
        node: usize,
        machine: &Self::Machine,
        marks: &mut Marks,
    ) -> Result<(), String>;

    /// Clients act, at nodes that are up. Returns how long until they want to act again, in µs.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String>;

    /// Whether some node among those up leads (or whatever the first sign of progress is).
    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool;

    /// Whether a machine leads, and how good its log is, if the protocol elects leaders in partial
    /// partitions.
    fn leader_status(&self, machine: &Self::Machine) -> Option<LeaderStatus> {
        let _ = machine;
        None
    }

    /// A node is about to be started again with an empty disk, or with an older copy of it: changes its records, and what
    /// the application has on disk, and tells what was done in a mark. `None` where the protocol does not claim to notice, or
    /// where nobody could: `leader` must know that the node had what it loses.
    fn inject_amnesia(
        &mut self,
        node: usize,
        leader: &Self::Machine,
        records: &mut Vec<Vec<u8>>,
        rng: &mut Rng,
    ) -> Option<&'static str> {
        let _ = (node, leader, records, rng);
        None
    }

    /// Whether the loss of state was reported, or a snapshot repaired it before it could be.
    fn detected_amnesia(&self) -> bool {
        false
    }

    /// Whether a node may be started again with an empty disk now: claimed by protocols that survive that. What it sent, and was sent, is
    /// lost with its disk. `calm`: nothing else goes wrong, and all nodes are up.
    fn may_erase_disk(&self, node: usize, calm: bool) -> bool {
        let _ = (node, calm);
        false
    }

    /// A node's disk was erased; it is started again.
    fn disk_erased(&mut self, node: usize) {
        let _ = node;
    }

    /// Whether a node has stopped itself and is to be restarted, once.
    fn wants_restart(&mut self, node: usize) -> bool {
        let _ = node;
        false
    }

    /// The leader, from 0, if it must stay the leader while a minority of the others is cut off,
    /// and when they come back; `None` where the protocol does not claim that.
    fn stable_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> Option<usize> {
        let _ = machines;
        None
    }

    /// From now on only the nodes that are away may follow another leader: `(leader, away)`; `None`
    /// ends that.
    fn expect_stable_leader(&mut self, kept: Option<(usize, &[usize])>) {
        let _ = kept;
    }

    /// The shortest frame of a transport that the protocol gets along with, in bytes; `None` where it claims to get along with none.
    fn min_frame_bytes(&self) -> Option<usize> {
        None
    }

    /// A node's disk is damaged: it stays down for good, and nothing is expected of it any more.
    fn node_lost(&mut self, node: usize) {
        let _ = node;
    }

    /// The commands that start this run in the interaction harness (see [`crate::interact`]), if it
    /// can run there.
    fn scenario_setup(&self) -> Option<Vec<String>> {
        None
    }

    /// The commands that do what the application and the clients have done since the last call.
    fn take_commands(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// A message in a line of a trace.
    fn format_message(message: &<Self::Machine as Machine>::Message<'_>) -> String {
        format!("{message:?}")
    }

    /// A record in a line of a trace.
    fn format_record(record: &<Self::Machine as Machine>::Record<'_>) -> String {
        format!("{record:?}")
    }

    /// An event in a line of a trace.
    fn format_event(event: &<Self::Machine as Machine>::Event<'_>) -> String {
        format!("{event:?}")
    }

    /// A message in one number, as in
    /// [`Protocol::message_digest`](crate::interact::Protocol::message_digest).
    fn message_digest(message: &<Self::Machine as Machine>::Message<'_>) -> u64 {
        let _ = message;
        0
    }

    /// How much was completed so far, such as the number of acknowledged operations: it must grow
    /// after healing.
    fn completed(&self) -> u64;

    /// Whether all nodes are to heal, as the subject alone knows which are a majority.
    fn needs_all_nodes(&self) -> bool {
        false
    }

    /// A node's connections broke or came back, and its driver has seen that.
    fn links_changed(&mut self, node: usize, now: Instant, machine: &mut Self::Machine) {
        let _ = (node, now, machine);
    }

    /// Stops issuing operations, so that the nodes can converge.
    fn stop_clients(&mut self);

    /// Whether the nodes have converged.
    fn converged(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool;

    /// The run ended: checks the history.
    ///
    /// # Errors
    ///
    /// What was violated.
    fn finish(&mut self, marks: &mut Marks) -> Result<(), String>;

    /// A number that two runs of a seed must share.
    fn fingerprint(&self) -> u64;
}

/// A machine as a leader or a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaderStatus {
    /// It is a leader.
    pub is_leader: bool,
    /// Its term (ballot, view …): the newest leader is the one that counts.
    pub term: u64,
    /// How good its log is: a node can only be elected by those whose log is no better.
    pub log: (u64, u64),
}

/// What clients may touch: the machines of nodes that are up.
pub struct Access<'a, S: Subject> {
    pub(crate) hosts: &'a mut [Host<S::Machine>],
    pub(crate) now: u64,
    pub(crate) sent: u64,
    /// Nodes whose machine was called.
    pub(crate) touched: &'a mut Vec<usize>,
    /// How often each rare thing happened.
    pub marks: &'a mut Marks,
}

impl<S: Subject> Access<'_, S> {
    /// How many nodes there are, up or down.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.hosts.len()
    }

    /// Virtual time in µs.
    #[must_use]
    pub const fn now_us(&self) -> u64 {
        self.now
    }

    /// How many messages the nodes have sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// What the clock of a node shows.
    #[must_use]
    pub fn clock(&self, node: usize) -> Instant {
        self.hosts.get(node).map_or(Instant::ZERO, |host| host.clock.local(self.now))
    }

    /// The machine of a node that is up, paused or not, to look at.
    #[must_use]
    pub fn peek(&self, node: usize) -> Option<&S::Machine> {
        self.hosts.get(node)?.machine.as_ref()
    }

    /// The machine of a node, if it is up and not paused. It is polled afterwards.
    pub fn machine(&mut self, node: usize) -> Option<&mut S::Machine> {
        let host = self.hosts.get_mut(node)?;
        let paused = host.paused_until > self.now;
        let machine = host.machine.as_mut().filter(|_| !paused)?;
        if !self.touched.contains(&node) {
            self.touched.push(node);
        }
        Some(machine)
    }
}
