use crate::noise::ForeignFrame;
use crate::{Failure, TestBench, bully, gossip, register, setpoint, synod};

/// What runs on the boards of a bench.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, and its image's.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Makes frames that its boards must reject.
    pub foreign_frame: ForeignFrame,
    /// What of its status a person wants to see: keys of the answer to `status`.
    pub columns: &'static [&'static str],
    /// Its scenarios.
    pub scenarios: &'static [Scenario],
}

/// A test on a fresh bench.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it tests, in a line.
    pub about: &'static str,
    /// Node 3 is a server process instead of a board.
    pub server: bool,
    /// Runs it on a bench with everything wired and nothing started; returns what was measured.
    pub run: fn(&mut TestBench) -> Result<String, Failure>,
}

/// Every program there is.
pub const PROGRAMS: &[Program] = &[
    setpoint::PROGRAM,
    bully::PROGRAM,
    gossip::TALLY,
    gossip::ROSTER,
    register::PROGRAM,
    synod::PROGRAM,
];
