//! The program of the single detectors around one that knows nothing: what it takes is no detector's.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, detector, program};
use quorate_core::Instant;
use quorate_election::detector::Detector;

program!(run, state = Nothing, content = 0);

/// Keeps what it is told, and clears and copies as much as the others.
struct Nothing {
    last: Instant,
    told: [u32; 64],
}

#[inline(never)]
fn new(last: Instant) -> Result<Nothing, u32> {
    let told = [0; 64];
    if last == Instant::MAX { Err(0) } else { Ok(Nothing { last, told }) }
}

impl Detector for Nothing {
    fn heartbeat(&mut self, now: Instant) {
        self.last = now;
    }

    fn suspects(&self, now: Instant) -> bool {
        self.told.iter().any(|&told| u64::from(told) == now.as_micros())
    }

    fn suspects_at(&self) -> Option<Instant> {
        Some(self.last)
    }

    fn ignore_local_pause(&mut self, us: u64) {
        self.last = Instant::from_micros(us);
    }
}

fn run(port: &mut Port) {
    if let Ok(mut detector) = new(Instant::from_micros(port.u64())) {
        detector::watch(&mut detector, port);
    }
}
