//! The failure detectors of the election crate, each watching four peers: heartbeat, Chen's, and phi by either distribution.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_core::{Instant, NodeId};
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, Monitor, NormalPhi,
    PhiConfig,
};

const PEERS: usize = 4;
const SAMPLES: usize = 32;
const SLACK_US: u64 = 20_000;

program!(run, state = State, content = 0);

struct State {
    heartbeat: Monitor<Heartbeat, PEERS>,
    chen: Monitor<Chen<SAMPLES>, PEERS>,
    exponential: Monitor<ExponentialPhi<SAMPLES>, PEERS>,
    normal: Monitor<NormalPhi<SAMPLES>, PEERS>,
}

fn run(port: &mut Port) {
    let mut state = State {
        heartbeat: Monitor::new(SLACK_US),
        chen: Monitor::new(SLACK_US),
        exponential: Monitor::new(SLACK_US),
        normal: Monitor::new(SLACK_US),
    };
    if add(&mut state, port).is_none() {
        return;
    }
    loop {
        match port.u8() {
            0 => input(&mut state.heartbeat, port),
            1 => input(&mut state.chen, port),
            2 => input(&mut state.exponential, port),
            3 => input(&mut state.normal, port),
            _ => report(&state, port),
        }
    }
}

#[inline(never)]
fn add(state: &mut State, port: &mut Port) -> Option<()> {
    let max_missed = u32::from(port.u8());
    for _ in 0..PEERS {
        let (node, interval_us) = (NodeId::new(port.u64()), u64::from(port.u8()) << 12);
        let heartbeat = HeartbeatConfig { interval_us, max_missed };
        state.heartbeat.add(node, Heartbeat::new(heartbeat).ok()?).ok()?;
        let chen = ChenConfig { interval_us, margin_us: interval_us };
        state.chen.add(node, Chen::new(chen).ok()?).ok()?;
        let phi = PhiConfig::for_interval(interval_us);
        state.exponential.add(node, ExponentialPhi::new(phi).ok()?).ok()?;
        state.normal.add(node, NormalPhi::new(phi).ok()?).ok()?;
    }
    Some(())
}

#[inline(never)]
fn input<D: Detector>(watch: &mut Monitor<D, PEERS>, port: &mut Port) {
    let now = Instant::from_micros(port.u64());
    if port.u8() == 0 {
        watch.tick(now);
    } else {
        watch.heartbeat(now, NodeId::new(port.u64()));
    }
    while let Some(change) = watch.poll() {
        port.write(&change.node.get().to_le_bytes());
        port.write(&[u8::from(change.suspected)]);
    }
    let deadline = watch.deadline().unwrap_or(Instant::MAX);
    port.write(&deadline.as_micros().to_le_bytes());
}

/// How suspicious a peer is, for a person.
#[inline(never)]
fn report(state: &State, port: &mut Port) {
    let (node, now) = (NodeId::new(port.u64()), Instant::from_micros(port.u64()));
    if let Some(detector) = state.exponential.detector(node) {
        port.write(&detector.phi(now).milli().to_le_bytes());
    }
    if let Some(detector) = state.normal.detector(node) {
        port.write(&detector.phi(now).milli().to_le_bytes());
    }
}
