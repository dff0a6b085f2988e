//! One phi accrual detector with a normal distribution.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, detector, program};
use quorate_election::detector::{NormalPhi, PhiConfig};

program!(run, state = NormalPhi<64>, content = 0);

fn run(port: &mut Port) {
    let config = PhiConfig::for_interval(u64::from(port.u64() as u32));
    let detector = NormalPhi::<64>::new(config);
    if let Ok(mut detector) = detector {
        detector::watch(&mut detector, port);
    }
}
