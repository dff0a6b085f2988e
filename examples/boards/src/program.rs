use crate::noise::Stranger;
use crate::{Failure, Rig, bully, gossip, setpoint};

/// What runs on the boards of a bench.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, and its image's.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Frames that its boards must refuse.
    pub stranger: Stranger,
    /// What of its status a person wants to see: keys of the answer to `status`.
    pub columns: &'static [&'static str],
    /// What is tried with it.
    pub scenarios: &'static [Scenario],
}

/// Something that is tried on a fresh bench.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What is tried, in a line.
    pub about: &'static str,
    /// Node 3 is a server process instead of a board.
    pub server: bool,
    /// Does it. Gets everything wired and nothing started; returns what was measured.
    pub run: fn(&mut Rig) -> Result<String, Failure>,
}

/// Every program there is.
pub const PROGRAMS: &[Program] =
    &[setpoint::PROGRAM, bully::PROGRAM, gossip::TALLY, gossip::ROSTER];
