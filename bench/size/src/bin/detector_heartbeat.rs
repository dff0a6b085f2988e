//! One heartbeat detector.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, detector, program};
use quorate_election::detector::{Heartbeat, HeartbeatConfig};

program!(run, state = Heartbeat, content = 0);

fn run(port: &mut Port) {
    let config = HeartbeatConfig { interval_us: port.u64(), max_missed: 3 };
    let detector = Heartbeat::new(config);
    if let Ok(mut detector) = detector {
        detector::watch(&mut detector, port);
    }
}
