//! Nodes that exchange messages while their wall clocks jump, drift, stand still, are set back and
//! are set right again; while they restart, and while some have no wall clock at all.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading, Timestamp};
use quorate_core::{Instant, Rng};

const SEEDS: u64 = 50;
const STEPS: usize = 600;
const START_US: u64 = 1_700_000_000_000_000;

/// A wall clock: what it shows at some true time, and how it goes on from there.
#[derive(Clone, Copy)]
struct WallClock {
    at_us: u64,
    shown_us: u64,
    /// How much it gains, in 1/1,000,000; -1,000,000 stands still.
    rate_ppm: i64,
}

impl WallClock {
    fn correct(at_us: u64) -> Self {
        Self { at_us, shown_us: START_US + at_us, rate_ppm: 0 }
    }

    fn read(self, now_us: u64) -> u64 {
        let passed = i128::from(now_us - self.at_us);
        let shown = passed + passed * i128::from(self.rate_ppm) / 1_000_000;
        self.shown_us + u64::try_from(shown).unwrap()
    }

    /// Goes on from what it shows, moved, at another rate.
    fn change(&mut self, now_us: u64, by_us: i64, rate_ppm: i64) {
        let shown_us = self.read(now_us).saturating_add_signed(by_us);
        *self = Self { at_us: now_us, shown_us, rate_ppm };
    }
}

struct Node {
    clock: Hlc,
    wall: Option<WallClock>,
    /// Its monotonic clock gains this, in 1/1,000,000.
    crystal_ppm: u64,
    /// The greatest ceiling on its disk.
    written: Timestamp,
    /// The last timestamp of all its lives.
    last: Timestamp,
    /// The greatest wall clock that a timestamp was made by, and when, on the monotonic clock.
    trusted: Option<(Instant, u64)>,
    /// The first message of a life without a wall clock: when it came, and what it said.
    first_message: Option<(Instant, Timestamp)>,
    stamps: u64,
}

struct Cluster {
    config: HlcConfig,
    rng: Rng,
    now_us: u64,
    nodes: Vec<Node>,
    /// When, to whom, which.
    in_flight: Vec<(u64, usize, Timestamp)>,
    /// The greatest time that a wall clock showed by which a timestamp was made, or that a disk or
    /// a liar took for it.
    reached_us: u64,
    stamps: u64,
    refusals: [u64; 4],
}

impl Cluster {
    fn new(seed: u64, config: HlcConfig, boards: bool) -> Self {
        let mut rng = Rng::new(seed);
        let nodes = (0..4)
            .map(|at| Node {
                clock: Hlc::new(config),
                wall: (!boards || at > 1).then(|| WallClock::correct(0)),
                crystal_ppm: rng.below(200),
                written: Timestamp::ZERO,
                last: Timestamp::ZERO,
                trusted: None,
                first_message: None,
                stamps: 0,
            })
            .collect();
        Self {
            config,
            rng,
            now_us: 0,
            nodes,
            in_flight: Vec::new(),
            reached_us: 0,
            stamps: 0,
            refusals: [0; 4],
        }
    }

    fn reading(&self, at: usize) -> Reading {
        let node = &self.nodes[at];
        let now = Instant::from_micros(self.now_us + self.now_us * node.crystal_ppm / 1_000_000);
        Reading { now, wall_us: node.wall.map(|wall| wall.read(self.now_us)) }
    }

    fn step(&mut self, far_ahead: bool) {
        self.now_us += match self.rng.below(20) {
            0 => self.rng.below(3_000_000),
            1..10 => self.rng.below(20_000),
            _ => 0,
        };
        let at = self.rng.below(4) as usize;
        match self.rng.below(12) {
            0 => self.perturb_wall_clock(at),
            1 if self.rng.chance(1, 4) => self.restart(at),
            2 if far_ahead => self.send_far_ahead(at),
            _ => self.stamp(at),
        }
        while let Some(next) = self.in_flight.iter().position(|(due, ..)| *due <= self.now_us) {
            let (_, to, message) = self.in_flight.swap_remove(next);
            self.receive(to, message);
        }
    }

    fn perturb_wall_clock(&mut self, at: usize) {
        let by_us = self.rng.below(5_000_000) as i64;
        let (now_us, kind) = (self.now_us, self.rng.below(6));
        let drift = self.rng.below(2_000) as i64 - 1_000;
        let Some(wall) = &mut self.nodes[at].wall else { return };
        match kind {
            0 => wall.change(now_us, -by_us, 0),
            1 => wall.change(now_us, by_us, 0),
            2 => wall.change(now_us, 0, -1_000_000),
            3 => wall.change(now_us, 0, drift),
            4 => wall.change(now_us, -(by_us % 2_000), drift),
            _ => *wall = WallClock::correct(now_us),
        }
    }

    fn restart(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        // without ceilings it must not be set back meanwhile, as its documentation says; `last`
        // stands for that
        let from = if self.config.window_us > 0 { node.written } else { node.last };
        node.clock = Hlc::restart(self.config, from);
        (node.trusted, node.first_message) = (None, None);
        self.reached_us = self.reached_us.max(from.micros());
    }

    /// A message as far ahead as the node just takes, or a little farther.
    fn send_far_ahead(&mut self, at: usize) {
        let reading = self.reading(at);
        if reading.wall_us.is_none() && self.nodes[at].first_message.is_none() {
            return; // the first message is taken on trust
        }
        let taken_us = reading.wall_us.unwrap_or(self.nodes[at].last.micros());
        let ahead_us = self.config.max_offset_us - 200 + self.rng.below(400);
        let message = Timestamp::new(taken_us + ahead_us, self.rng.below(4096) as u16).unwrap();
        self.receive(at, message);
    }

    fn stamp(&mut self, at: usize) {
        let Some(stamp) = self.try_stamp(at, None) else { return };
        for to in (0..4).filter(|to| *to != at) {
            for _ in 0..[0, 1, 1, 2][self.rng.below(4) as usize] {
                let due = self.now_us + self.rng.below(40_000);
                self.in_flight.push((due, to, stamp));
            }
        }
    }

    fn receive(&mut self, at: usize, message: Timestamp) {
        let reading = self.reading(at);
        let node = &mut self.nodes[at];
        if let Some(wall_us) = reading.wall_us {
            node.first_message = None;
            if message.micros() > wall_us + self.config.max_offset_us {
                let by_us = message.micros() - wall_us - self.config.max_offset_us;
                let expected = Err(HlcError::TooFarAhead { by_us });
                assert_eq!(node.clock.receive(reading, message), expected);
                self.refusals[0] += 1;
                return;
            }
        }
        if self.try_stamp(at, Some(message)).is_some() && reading.wall_us.is_some() {
            // one that was taken is within the bound of a wall clock here
            self.reached_us = self.reached_us.max(message.micros());
        }
    }

    /// A timestamp, alone or for a message, with everything checked that must hold of it; or `None`
    /// for a good reason.
    fn try_stamp(&mut self, at: usize, message: Option<Timestamp>) -> Option<Timestamp> {
        let reading = self.reading(at);
        let before = self.nodes[at].clock;
        let result = attempt(&mut self.nodes[at].clock, reading, message);
        let stamp = match result {
            Ok(stamp) => stamp,
            Err(why) => {
                assert_eq!(self.nodes[at].clock, before, "{why}");
                return self.check_error(at, message, why);
            }
        };
        let node = &mut self.nodes[at];
        assert!(stamp > node.last, "{stamp} after {}", node.last);
        assert!(message.is_none_or(|message| stamp > message));
        assert!(self.config.window_us == 0 || stamp <= node.written);
        (node.last, node.stamps) = (stamp, node.stamps + 1);
        self.stamps += 1;
        if let Some(wall_us) = reading.wall_us {
            assert!(stamp.micros() >= wall_us, "behind physical time");
            let bound_us = self.config.max_ahead_us.max(self.config.max_offset_us);
            assert!(stamp.micros() - wall_us <= bound_us, "too far ahead of physical time");
            self.reached_us = self.reached_us.max(wall_us);
            self.record_wall_clock(at, reading.now, wall_us);
            // nothing but wall clocks and messages within their bounds takes it on, and 4096
            // timestamps a microsecond
            let logical_us = self.stamps / 4096 + 1;
            let most_us = self.reached_us.max(message.map_or(0, Timestamp::micros)) + logical_us;
            assert!(stamp.micros() <= most_us, "{stamp} is beyond {most_us}");
        } else {
            self.check_unsynchronised(at, reading.now, stamp, message);
        }
        Some(stamp)
    }

    fn record_wall_clock(&mut self, at: usize, now: Instant, wall_us: u64) {
        let node = &mut self.nodes[at];
        if node.trusted.is_none_or(|(_, was_us)| wall_us > was_us) {
            node.trusted = Some((now, wall_us));
        }
    }

    /// Without a wall clock: no farther than the first message, the time since then, a 256th of it,
    /// and the offset bound.
    fn check_unsynchronised(
        &mut self,
        at: usize,
        now: Instant,
        stamp: Timestamp,
        message: Option<Timestamp>,
    ) {
        let node = &mut self.nodes[at];
        if message.is_some() && node.first_message.is_none() {
            node.first_message = Some((now, node.last));
        }
        let Some((then, first)) = node.first_message else { return };
        let passed_us = now.since(then);
        let most_us = first.micros() + passed_us + passed_us / 256 + self.config.max_offset_us;
        assert!(stamp.micros() <= most_us + 1 + node.stamps / 4096, "{stamp} was dragged along");
    }

    /// Whether there is a reason; if it is a ceiling or a jump, what the documentation says to do
    /// helps.
    fn check_error(
        &mut self,
        at: usize,
        message: Option<Timestamp>,
        why: HlcError,
    ) -> Option<Timestamp> {
        let (config, reading) = (self.config, self.reading(at));
        let node = &mut self.nodes[at];
        let seen = node.clock.last().max(message.unwrap_or(Timestamp::ZERO));
        match why {
            HlcError::Ahead { by_us } => {
                assert!(config.max_ahead_us < u64::MAX, "it waits, and need not");
                let next = seen.next().unwrap();
                let bound_us = config.max_ahead_us.max(config.max_offset_us);
                if let Some(wall_us) = reading.wall_us {
                    assert_eq!(next.micros() - wall_us - bound_us, by_us);
                }
                self.refusals[1] += 1;
                None
            }
            HlcError::Jump { by_us } => {
                let (then, was_us) = node.trusted.unwrap();
                let gained_us = reading.wall_us.unwrap() - was_us - reading.now.since(then);
                let slack_us = reading.now.since(then) / 1024;
                assert_eq!(gained_us, by_us);
                assert!(gained_us > config.max_jump_us + slack_us, "it was let pass");
                node.clock.accept_jump(reading);
                node.trusted = Some((reading.now, reading.wall_us.unwrap()));
                self.refusals[2] += 1;
                self.try_stamp(at, message)
            }
            HlcError::Ceiling { due } => {
                assert!(due > node.written);
                if let Some(wall_us) = reading.wall_us {
                    let ahead_us = due.micros() - seen.micros().max(wall_us);
                    assert!(ahead_us <= config.window_us + 1, "a ceiling far from everything");
                }
                node.clock.ceiling_written(due);
                node.written = due;
                self.refusals[3] += 1;
                let after = self.try_stamp(at, message);
                assert!(after.is_some(), "the ceiling that was due did not help");
                after
            }
            HlcError::TooFarAhead { .. } if reading.wall_us.is_none() => None,
            why => panic!("{why}"),
        }
    }
}

fn attempt(
    clock: &mut Hlc,
    reading: Reading,
    message: Option<Timestamp>,
) -> Result<Timestamp, HlcError> {
    match message {
        Some(message) => clock.receive(reading, message),
        None => clock.stamp(reading),
    }
}

/// Runs all seeds, and tells how often timestamps were refused: too far ahead, waiting, jump,
/// ceiling.
fn run(config: HlcConfig, boards: bool, far_ahead: bool) -> [u64; 4] {
    let (mut refusals, mut stamps) = ([0; 4], 0);
    for seed in 0..SEEDS {
        let mut world = Cluster::new(seed, config, boards);
        (0..STEPS).for_each(|_| world.step(far_ahead));
        stamps += world.stamps;
        refusals.iter_mut().zip(world.refusals).for_each(|(all, one)| *all += one);
    }
    assert!(stamps > SEEDS * STEPS as u64 / 4, "{stamps}: hardly anything happened");
    refusals
}

const LAN: HlcConfig = HlcConfig::lan();

#[test]
fn unbounded_clock_never_waits() {
    let no_limit = HlcConfig { max_jump_us: u64::MAX, ..LAN };
    let [far, waits, jumps, ceilings] = run(no_limit, false, false);
    assert_eq!([waits, jumps, ceilings], [0, 0, 0]);
    assert!(far > 100, "clocks that are apart refuse each other's messages");
    let [_, waits, jumps, _] = run(LAN, false, false);
    assert!(waits == 0 && jumps > 100);
}

#[test]
fn bounded_clock_waits_beyond_the_bound() {
    let strict = run(HlcConfig { max_ahead_us: 0, ..LAN }, false, false);
    let bounded = run(HlcConfig { max_ahead_us: 3_000_000, ..LAN }, false, false);
    assert!(strict[1] > bounded[1] && bounded[1] > 100, "{strict:?} {bounded:?}");
}

#[test]
fn ceilings_hold_across_restarts() {
    for max_ahead_us in [0, 10_000_000, u64::MAX] {
        for window_us in [2_000, 1_000_000, 60_000_000] {
            let refusals = run(HlcConfig { max_ahead_us, window_us, ..LAN }, false, false);
            assert!(refusals[3] > 100, "{refusals:?}");
        }
    }
}

#[test]
fn far_ahead_messages_stay_within_drift_bound() {
    for window_us in [0, 1_000_000] {
        let refusals = run(HlcConfig { window_us, ..LAN }, false, true);
        assert!(refusals[0] > 100, "{refusals:?}");
    }
}

#[test]
fn unsynchronised_nodes_slew_at_a_bounded_rate() {
    for far_ahead in [false, true] {
        for window_us in [0, 1_000_000] {
            run(HlcConfig { window_us, ..LAN }, true, far_ahead);
        }
    }
}
