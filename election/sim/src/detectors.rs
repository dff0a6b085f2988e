//! Failure detectors against absurd times: what a fuzz target runs, and the tests replay.

use quorate_core::{Instant, NodeId};
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, Monitor, NormalPhi,
    Phi, PhiConfig,
};

use quorate_sim::hostile::Input;

/// Gives each detector a list of inputs: heartbeats and queries at times that may be anything. What
/// must hold: nothing panics; who was never heard is not suspected; the instant foretold is the
/// first suspicious one; who is suspected stays so until it is heard; and somebody who falls silent
/// is suspected, however seldom the monitor is ticked.
///
/// # Errors
///
/// What was violated.
pub fn detectors(data: &[u8]) -> Result<(), String> {
    let mut input = Input::new(data);
    let scale = input.byte().unwrap_or(0) % 34; // up to weeks
    let interval_us = 1 + (u64::from(input.byte().unwrap_or(0)) << scale);
    let pause_us = u64::from(input.byte().unwrap_or(0)) << scale;
    let phi = PhiConfig {
        threshold: Phi::from_milli(500 + 390 * u32::from(input.byte().unwrap_or(0))),
        pause_us,
        min_deviation_us: 1 + (interval_us >> (input.byte().unwrap_or(0) % 32)),
        first_interval_us: interval_us,
    };
    let heartbeat = HeartbeatConfig { interval_us, max_missed: 3 };
    let chen = ChenConfig { interval_us, margin_us: pause_us };
    let wrong = |e| format!("{e}");
    let rest = input.rest();
    run(Heartbeat::new(heartbeat).map_err(wrong)?, rest, |_, _, _| Ok(()))?;
    run(Chen::<4>::new(chen).map_err(wrong)?, rest, |detector, now, byte| {
        let before = detector.clone();
        detector.heartbeat_numbered(now, u64::from(byte) << (byte % 64));
        if *detector == before { Ok(()) } else { check_chen(detector, now, chen) }
    })?;
    run(NormalPhi::<4>::new(phi).map_err(wrong)?, rest, |d, now, _| {
        check_phi(d, d.phi(now), now, phi)
    })?;
    run(ExponentialPhi::<4>::new(phi).map_err(wrong)?, rest, |d, now, _| {
        check_phi(d, d.phi(now), now, phi)
    })
}

/// What phi says is what the detector says, but for the error that is stated.
fn check_phi(
    detector: &(impl Detector + core::fmt::Debug),
    phi: Phi,
    now: Instant,
    config: PhiConfig,
) -> Result<(), String> {
    let (found, threshold) = (phi.milli(), config.threshold.milli());
    let slack = 4 + threshold / 500;
    let wrong =
        if detector.suspects(now) { found + slack < threshold } else { found > threshold + slack };
    if wrong {
        Err(format!(
            "phi is {phi} of {} at {now:?}, suspected or not: {detector:?}",
            config.threshold
        ))
    } else {
        Ok(())
    }
}

/// Whatever it heard before: if this heartbeat was the peer's last, it is suspected an interval and the margin later, and the longer of both
/// once more at most.
fn check_chen(detector: &Chen<4>, now: Instant, config: ChenConfig) -> Result<(), String> {
    let longer = config.interval_us.max(config.margin_us);
    let most = config.interval_us + config.margin_us + longer + 8 + (longer >> 20);
    let after = detector.suspects_at().map_or(0, |at| at.since(now));
    if now.as_micros() < LAST && after > most {
        return Err(format!("it sees nothing for {after} µs of at most {most}: {detector:?}"));
    }
    Ok(())
}

/// Times this close to the end of the clock are not foretold to the microsecond.
const LAST: u64 = u64::MAX - (1 << 50);

fn run<D: Detector + Clone>(
    detector: D,
    data: &[u8],
    more: impl Fn(&mut D, Instant, u8) -> Result<(), String>,
) -> Result<(), String> {
    let (mut one, mut now, mut input) = (detector.clone(), 0_u64, Input::new(data));
    let mut heard = false;
    while let Some(what) = input.byte() {
        let by = u64::from(input.byte().unwrap_or(0));
        match what % 8 {
            0..4 => now = now.saturating_add(by << (what / 8)),
            4 => now = now.saturating_sub(by << (what / 8)),
            5 => one.ignore_local_pause(by << (what / 4)),
            _ => {
                one.heartbeat(Instant::from_micros(now));
                heard = true;
            }
        }
        if !heard {
            let never = !one.suspects(Instant::MAX) && one.suspects_at().is_none();
            if !never {
                return Err("somebody is suspected who was never heard".into());
            }
            continue;
        }
        more(&mut one, Instant::from_micros(now), what)?;
        check_prediction(&one, Instant::from_micros(now))?;
    }
    check_silence(detector, now.min(LAST))
}

fn check_prediction(detector: &impl Detector, now: Instant) -> Result<(), String> {
    let Some(at) = detector.suspects_at() else { return Ok(()) };
    let at = at.as_micros();
    if at >= LAST {
        return Ok(());
    }
    let suspects = |us: u64| detector.suspects(Instant::from_micros(us));
    if !suspects(at) || (at > 0 && suspects(at - 1)) {
        return Err(format!("{at} is foretold, and is not the first suspicious instant"));
    }
    let later = [at.saturating_add(1), at.saturating_mul(2), 1 << 63, LAST, u64::MAX];
    if later.into_iter().filter(|&us| us >= at).any(|us| !suspects(us)) {
        return Err(format!("what is suspicious at {at} is not so later"));
    }
    if detector.suspects(now) != (now.as_micros() >= at) {
        return Err(format!("at {now:?} it does not say what it foretold for {at}"));
    }
    Ok(())
}

/// A peer that was heard once and never again.
fn check_silence(detector: impl Detector, now: u64) -> Result<(), String> {
    let (node, mut monitor) = (NodeId::new(1), Monitor::<_, 1>::new(1_000));
    monitor.add(node, detector).map_err(|e| e.to_string())?;
    monitor.heartbeat(Instant::from_micros(now), node);
    for round in 1..4 {
        monitor.tick(Instant::from_micros(now.saturating_add(round << 48)));
    }
    if monitor.poll().is_some() {
        Ok(())
    } else {
        Err("a peer is silent for ever, and not suspected".into())
    }
}
