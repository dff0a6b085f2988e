//! One of Chen's detectors.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, detector, program};
use quorate_election::detector::{Chen, ChenConfig};

program!(run, state = Chen<64>, content = 0);

fn run(port: &mut Port) {
    let config = ChenConfig { interval_us: port.u64(), margin_us: 50_000 };
    let detector = Chen::<64>::new(config);
    if let Ok(mut detector) = detector {
        detector::watch(&mut detector, port);
    }
}
