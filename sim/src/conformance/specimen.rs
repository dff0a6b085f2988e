use quorate_core::{Instant, Machine, Rejected, Rng};

/// A machine in the conformance suite: how it is made, and the application of one node beside it.
///
/// The value is that application. The suite makes one for each node, and keeps it when the node
/// crashes: what the application has in memory only is lost in [`restored`](Self::restored).
pub trait Specimen: Sized + Clone {
    /// The machine.
    type Machine: Machine + Clone;

    /// What the machine is called in failures.
    const NAME: &'static str;

    /// How many nodes there are.
    const NODES: usize = 3;

    /// How long a run takes, in µs of virtual time. It should be long enough for everything that the
    /// machine does: elections, anti-entropy, timeouts.
    const RUN_US: u64 = 3_000_000;

    /// How often [`act`](Self::act) is called at each node, in µs, on average.
    const ACT_US: u64 = 50_000;

    /// The most messages that a node sends to one other node within a second, whatever its peers
    /// do: what the documentation of the machine promises.
    const MESSAGES_PER_SECOND: u64;

    /// The most messages that a node sends to one other node within a shorter time, in µs: the time, and
    /// how many. `None` where the documentation of the machine bounds no burst.
    const BURST: Option<(u64, u64)> = None;

    /// And so many for each message of a peer that restarts all the time and is up within a
    /// millisecond, in a second, where answers are bounded by its rate only: 0 where they are bounded by time. A
    /// peer that takes 50 ms, or refuses everything, must not cause any more.
    const ANSWERS_PER_MESSAGE: u64 = 0;

    /// Why the machine refuses messages. The check of the refusals fails if none is refused for one of
    /// these reasons, as it has looked at no such refusal then: name all that one changed number or
    /// another sender can cause, in any state that a run comes to.
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender];

    /// Whether the machine writes records. The checks that are about them fail where there are none.
    const RECORDS: bool = true;

    /// Whether the machine knows how long its messages and records get. Where it does, the check of
    /// the sizes fails without the longest of each.
    const KNOWN_SIZES: bool = true;

    /// The application of a node, from 0, at its first start. The node's id is its number plus 1.
    fn new(node: usize) -> Self;

    /// The machine of this node, without a past. Each start has another seed.
    fn boot(&self, seed: u64) -> Self::Machine;

    /// All records were replayed, and the machine was not ticked yet: the application forgets what
    /// it had in memory, and tells the machine what it has on disk.
    fn restored(&mut self, machine: &mut Self::Machine) {
        let _ = machine;
    }

    /// What a restart must not lose, as text: from the status and the accessors of a machine, and
    /// not from its checkpoint. It is compared between a machine that was restored from its
    /// checkpoint and one that was restored from all of its records, and must change in a run.
    fn durable(machine: &Self::Machine) -> String;

    /// The machine emitted an event.
    fn event(&mut self, event: <Self::Machine as Machine>::Event<'_>) {
        let _ = event;
    }

    /// The machine has nothing to do: the application does what the events ask for. True if it
    /// called the machine.
    fn respond(&mut self, machine: &mut Self::Machine, now: Instant) -> bool {
        let _ = (machine, now);
        false
    }

    /// A client or an operator does something, now and then; the machine was ticked at `now`.
    fn act(&mut self, machine: &mut Self::Machine, now: Instant, rng: &mut Rng);

    /// The messages by which a node that refuses everything answers this one, encoded. The check of
    /// the message rate fails if there are none in a run. Where the protocol has no such message: one
    /// that acknowledges nothing, such as the oldest state.
    fn refusals(message: &<Self::Machine as Machine>::Message<'_>) -> Vec<Vec<u8>> {
        let _ = message;
        Vec::new()
    }

    /// What is bounded, how much of it there is, and the documented bound. The check of the memory
    /// fails if there is none.
    fn memory(machine: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        let _ = machine;
        Vec::new()
    }

    /// How long messages get: what the machine says, or a formula that only the application can
    /// complete.
    fn max_message_len(machine: &Self::Machine) -> Option<usize> {
        machine.max_message_len()
    }

    /// How long records get.
    fn max_record_len(machine: &Self::Machine) -> Option<usize> {
        machine.max_record_len()
    }

    /// The longest message, encoded, as long as [`max_message_len`](Self::max_message_len) says: the
    /// numbers in it are the largest that there are. `None` where its length is not known.
    fn longest_message(&self) -> Option<Vec<u8>> {
        None
    }

    /// The longest record, encoded, as long as [`max_record_len`](Self::max_record_len) says.
    fn longest_record(&self) -> Option<Vec<u8>> {
        None
    }

    /// A message as text: two messages are the same if their texts are.
    fn message_text(message: &<Self::Machine as Machine>::Message<'_>) -> String {
        format!("{message:?}")
    }

    /// A record as text: two records are the same if their texts are.
    fn record_text(record: &<Self::Machine as Machine>::Record<'_>) -> String {
        format!("{record:?}")
    }
}
