use core::fmt;

/// One rule of the contract of [`Machine`](quorate_core::Machine), and how it is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Check {
    /// A refused message is counted once, by its reason, and changes nothing else that can be
    /// observed: status, deadline, checkpoint, outputs now and after the next tick, and what the
    /// next message of the run does. A message that is not refused is not counted. Tried are
    /// messages of the run with flipped, missing and additional bytes, with large numbers, of other
    /// senders, and from earlier, and the [longest](super::Specimen::longest_message). Each of the
    /// [reasons](super::Specimen::REJECTED) that the specimen names must be among those of a run.
    Refusals,
    /// The records of a checkpoint are accepted, give the same checkpoint again, and restore what
    /// the whole log of records restores.
    Checkpoints,
    /// After a crash the records are accepted without any suffix that was not acknowledged, and the
    /// machine starts and does not stop itself. A record after the start is refused.
    Replay,
    /// The same inputs give the same outputs, whether they are polled or drained.
    Determinism,
    /// Spurious ticks, and tickets that were returned before or were not issued, change no output.
    SpuriousInputs,
    /// Before its deadline a tick does nothing, and at its deadline a tick moves the deadline.
    Deadlines,
    /// What is sent and written reads back as the same value, and bytes that decode are the only
    /// encoding of their value.
    Encoding,
    /// Memory stays within the documented formulas.
    Memory,
    /// No message or record is longer than the machine says, and the longest are as long.
    Sizes,
    /// Messages in a second of virtual time, and in a [burst](super::Specimen::BURST), stay bounded: with
    /// honest peers, with a peer that refuses everything, one that forgets everything with each
    /// message, and one that does so once a second.
    MessageRate,
}

impl Check {
    /// All checks, in the order in which [`check_all`](super::check_all) runs them. The deadlines come
    /// first: where they are wrong, no other check has a run that ends.
    pub const ALL: [Self; 10] = [
        Self::Deadlines,
        Self::Encoding,
        Self::Sizes,
        Self::Memory,
        Self::Determinism,
        Self::SpuriousInputs,
        Self::Refusals,
        Self::Checkpoints,
        Self::Replay,
        Self::MessageRate,
    ];
}

/// Which machine breaks which rule, and how to see it again: the checks depend on the seed alone.
///
/// ```
/// use quorate_sim::conformance::{Check, Failure};
/// let (machine, what) = ("counter", "its deadline changed".to_owned());
/// let failure = Failure { machine, check: Check::Refusals, seed: 3, what };
/// assert_eq!(failure.to_string(), "counter fails Refusals with seed 3: its deadline changed");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The [name](super::Specimen::NAME) of the specimen.
    pub machine: &'static str,
    /// The rule.
    pub check: Check,
    /// The seed of the run.
    pub seed: u64,
    /// What happened, at which step, node and time.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, check, seed, what } = self;
        write!(f, "{machine} fails {check:?} with seed {seed}: {what}")
    }
}

impl core::error::Error for Failure {}
