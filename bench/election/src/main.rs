//! Failure detectors beside their peers, in one run: nanoseconds for a heartbeat and for the question whether the peer is
//! suspected, and bytes for each watched peer.
//!
//! Every detector sees the same arrivals (every 100 ms, jitter of 4 %) on a clock that is a variable, and answers twice: soon
//! after a heartbeat, when a comparison is enough, and when it is late, which is when the distribution has to be looked at.
//! Rounds of all are interleaved, and the best of them counts: what else the machine does only adds to a time.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant as Wall};

use phi_accrual_failure_detector as accrual;
use phi_accrual_failure_detector::Detector as _;
use quorate_core::{Instant, Rng};
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, NormalPhi, PhiConfig,
};

const BEATS: usize = 4_096;
const ROUNDS: usize = 400;
const SAMPLES: usize = 64;
/// After a heartbeat, in µs: early, and when the peer is late.
const EARLY_US: u64 = 50_000;
const LATE_US: u64 = 160_000;

/// A detector in this bench: times are in µs.
trait Candidate {
    fn heartbeat(&mut self, at: u64);
    fn suspects(&self, at: u64) -> bool;
}

struct Ours<D>(D);

impl<D: Detector> Candidate for Ours<D> {
    #[inline]
    fn heartbeat(&mut self, at: u64) {
        self.0.heartbeat(Instant::from_micros(at));
    }

    #[inline]
    fn suspects(&self, at: u64) -> bool {
        self.0.suspects(Instant::from_micros(at))
    }
}

/// A clock that shows what it is told, for the peer that asks a clock.
struct Told(Rc<Cell<u64>>);

impl accrual::Clock for Told {
    type Timestamp = u64;

    fn timestamp(&self) -> u64 {
        self.0.get()
    }

    fn elapsed(before: &u64, after: &u64) -> Duration {
        Duration::from_micros(after.saturating_sub(*before))
    }
}

struct Accrual {
    clock: Rc<Cell<u64>>,
    detector: accrual::FailureDetector<accrual::UnsyncState<Told>>,
}

impl Accrual {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let clock = Rc::new(Cell::new(0));
        let builder = accrual::FailureDetector::<accrual::UnsyncState<_>>::builder();
        let detector = builder
            .clock(Told(Rc::clone(&clock)))
            .max_sample_size(SAMPLES)
            .acceptable_heartbeat_pause(Duration::from_millis(50))
            .min_std_deviation(Duration::from_millis(10))
            .first_heartbeat_estimate(Duration::from_millis(100))
            .build()
            .map_err(|e| format!("{e:?}"))?;
        Ok(Self { clock, detector })
    }
}

impl Candidate for Accrual {
    fn heartbeat(&mut self, at: u64) {
        self.clock.set(at);
        self.detector.heartbeat();
    }

    fn suspects(&self, at: u64) -> bool {
        self.clock.set(at);
        !self.detector.is_available()
    }
}

/// This peer takes intervals, and keeps running moments instead of a window.
struct Running {
    window: phi_detector::PingWindow,
    last: u64,
}

impl Candidate for Running {
    fn heartbeat(&mut self, at: u64) {
        self.window.add_ping(Duration::from_micros(at - self.last));
        self.last = at;
    }

    fn suspects(&self, at: u64) -> bool {
        self.window.normal_dist().phi(Duration::from_micros(at - self.last)) >= 8.0
    }
}

/// The best times so far, in ns for one call.
struct Row {
    name: &'static str,
    bytes: String,
    best: [f64; 3],
    candidate: Box<dyn Round>,
}

/// One round of a candidate: a virtual call for thousands of operations.
trait Round {
    fn round(&mut self, beats: &[u64], start: u64) -> [Duration; 3];
}

impl<C: Candidate> Round for C {
    fn round(&mut self, beats: &[u64], start: u64) -> [Duration; 3] {
        let clock = Wall::now();
        for &at in beats {
            self.heartbeat(black_box(start + at));
        }
        let heard = clock.elapsed();
        let last = start + beats.last().copied().unwrap_or(0);
        let ask = |from: u64| {
            let clock = Wall::now();
            for n in 0..beats.len() as u64 {
                black_box(self.suspects(black_box(last + from + n)));
            }
            clock.elapsed()
        };
        [heard, ask(EARLY_US), ask(LATE_US)]
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = Rng::new(1);
    let beats: Vec<u64> = (1..=BEATS as u64).map(|n| n * 100_000 + rng.below(4_000)).collect();
    let span = beats.last().copied().unwrap_or(0);
    let phi = PhiConfig::for_interval(100_000);
    let chen = ChenConfig { interval_us: 100_000, margin_us: 50_000 };
    let heartbeat = HeartbeatConfig { interval_us: 100_000, max_missed: 3 };
    let row = |name, bytes: String, candidate| Row { name, bytes, best: [f64::MAX; 3], candidate };
    let inline = |bytes: usize| bytes.to_string();
    let mut rows = [
        row(
            "quorate Heartbeat",
            inline(size_of::<Heartbeat>()),
            Box::new(Ours(Heartbeat::new(heartbeat)?)) as Box<dyn Round>,
        ),
        row(
            "quorate NormalPhi<64>",
            inline(size_of::<NormalPhi<SAMPLES>>()),
            Box::new(Ours(NormalPhi::<SAMPLES>::new(phi)?)),
        ),
        row(
            "quorate ExponentialPhi<64>",
            inline(size_of::<ExponentialPhi<SAMPLES>>()),
            Box::new(Ours(ExponentialPhi::<SAMPLES>::new(phi)?)),
        ),
        row(
            "quorate Chen<64>",
            inline(size_of::<Chen<SAMPLES>>()),
            Box::new(Ours(Chen::<SAMPLES>::new(chen)?)),
        ),
        row(
            "phi-accrual-failure-detector 0.1",
            format!(
                "{} + {} heap",
                size_of::<accrual::FailureDetector<accrual::UnsyncState<Told>>>(),
                8 * SAMPLES
            ),
            Box::new(Accrual::new()?),
        ),
        row(
            "phi-detector 0.4 (no window)",
            inline(size_of::<phi_detector::PingWindow>()),
            Box::new(Running {
                window: phi_detector::PingWindow::new(Duration::from_millis(100)),
                last: 0,
            }),
        ),
    ];
    for round in 0..ROUNDS as u64 {
        for row in &mut rows {
            let times = row.candidate.round(&beats, round * (span + 100_000));
            for (best, time) in row.best.iter_mut().zip(times) {
                *best = best.min(time.as_nanos() as f64 / BEATS as f64);
            }
        }
    }
    println!(
        "{:<34} {:>10} {:>14} {:>14}  bytes a peer",
        "", "heartbeat", "suspect, early", "suspect, late"
    );
    for row in &rows {
        let [heard, early, late] = row.best;
        println!(
            "{:<34} {heard:>7.1} ns {early:>11.1} ns {late:>11.1} ns  {}",
            row.name, row.bytes
        );
    }
    Ok(())
}
