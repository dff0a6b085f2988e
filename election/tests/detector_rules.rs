//! What all detectors promise: of excuses, of clocks that go back, and of who was never heard.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Drift, Instant};
use quorate_election::ConfigError;
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, NormalPhi, Phi,
    PhiConfig,
};

const T: u64 = 100_000;

fn us(us: u64) -> Instant {
    Instant::from_micros(us)
}

fn each(mut check: impl FnMut(&str, &mut dyn Detector)) {
    let phi = PhiConfig::for_interval(T);
    let heartbeat = HeartbeatConfig { interval_us: T, max_missed: 3 };
    let chen = ChenConfig { interval_us: T, margin_us: T / 2 };
    check("heartbeat", &mut Heartbeat::new(heartbeat).unwrap());
    check("normal", &mut NormalPhi::<16>::new(phi).unwrap());
    check("exponential", &mut ExponentialPhi::<16>::new(phi).unwrap());
    check("chen", &mut Chen::<16>::new(chen).unwrap());
}

fn learn(detector: &mut dyn Detector) -> u64 {
    (0..50).for_each(|n| detector.heartbeat_numbered(us(n * T), n));
    detector.suspects_at().unwrap().as_micros()
}

#[test]
fn peer_without_heartbeat_is_not_suspected() {
    each(|name, detector| {
        assert!(!detector.suspects(Instant::MAX), "{name}");
        assert_eq!(detector.suspects_at(), None, "{name}");
        detector.ignore_local_pause(7);
        assert_eq!(detector.suspects_at(), None, "{name}");
    });
}

#[test]
fn suspects_at_is_the_first_suspicious_instant() {
    each(|name, detector| {
        let at = learn(detector);
        assert!(!detector.suspects(us(at - 1)) && detector.suspects(us(at)), "{name}");
        assert!(detector.suspects(us(at + 1)) && detector.suspects(us(u64::MAX)), "{name}");
        assert!(!detector.suspects(us(0)), "{name}");
    });
}

#[test]
fn ignored_pause_has_exact_length() {
    each(|name, detector| {
        let at = learn(detector);
        for (excuse, all) in [(5_120, 5_120), (1_024_000, 1_029_120)] {
            detector.ignore_local_pause(excuse);
            assert_eq!(detector.suspects_at(), Some(us(at + all)), "{name}");
            assert!(!detector.suspects(us(at + all - 1)) && detector.suspects(us(at + all)));
        }
    });
}

/// What was excused is no part of the interval that is learnt.
#[test]
fn ignored_pause_is_not_sampled() {
    each(|name, detector| {
        let before = learn(detector) - 49 * T;
        detector.ignore_local_pause(5_120_000);
        for n in 50..70 {
            detector.heartbeat_numbered(us(5_120_000 + n * T), n + 51);
        }
        let after = detector.suspects_at().unwrap().as_micros() - 5_120_000 - 69 * T;
        assert!(after.abs_diff(before) < T / 4, "{name}: {before} {after}");
    });
}

#[test]
fn clock_going_back_counts_as_standing_still() {
    each(|name, detector| {
        let at = learn(detector);
        detector.heartbeat_numbered(us(3 * T), 49);
        let after = detector.suspects_at().unwrap().as_micros();
        assert!(after <= at + T && after > 49 * T, "{name}: {at} {after}");
        assert!(!detector.suspects(us(49 * T)), "{name}");
    });
}

#[test]
fn invalid_detector_configs_are_rejected() {
    let phi = PhiConfig::for_interval(T);
    let long = 50 * 86_400_000_000;
    for (wrong, config) in [
        (false, phi),
        (false, PhiConfig { threshold: Phi::from_milli(500), ..phi }),
        (true, PhiConfig { threshold: Phi::from_milli(499), ..phi }),
        (false, PhiConfig { threshold: Phi::from_milli(100_000), ..phi }),
        (true, PhiConfig { threshold: Phi::from_milli(100_001), ..phi }),
        (true, PhiConfig { min_deviation_us: 0, ..phi }),
        (true, PhiConfig { first_interval_us: 0, ..phi }),
        (false, PhiConfig { pause_us: 0, ..phi }),
        (
            false,
            PhiConfig { pause_us: long, min_deviation_us: long, first_interval_us: long, ..phi },
        ),
        (true, PhiConfig { pause_us: long + 1, ..phi }),
        (true, PhiConfig { min_deviation_us: long + 1, ..phi }),
        (true, PhiConfig { first_interval_us: long + 1, ..phi }),
    ] {
        let expected = wrong.then_some(ConfigError::Detector);
        assert_eq!(config.validate().err(), expected, "{config:?}");
        assert_eq!(NormalPhi::<8>::new(config).err(), expected);
        assert_eq!(ExponentialPhi::<8>::new(config).err(), expected);
    }
    for (interval_us, max_missed) in [(0, 3), (T, 0)] {
        let config = HeartbeatConfig { interval_us, max_missed };
        assert_eq!(Heartbeat::new(config), Err(ConfigError::Detector));
    }
}

/// What is checked of elections, at its bounds.
#[test]
fn invalid_election_configs_are_rejected() {
    use quorate_election::{Config, Mode};
    let lan = Config {
        answer_timeout_us: 50,
        outcome_timeout_us: 250,
        heartbeat_us: 100,
        leader_timeout_us: 350,
        ..Config::lan()
    };
    let lease = |lease_us| Config { mode: Mode::Lease { lease_us, drift: Drift::NONE }, ..lan };
    for (config, expected) in [
        (lan, Ok(())),
        (Config { answer_timeout_us: 0, ..lan }, Err(ConfigError::Timeouts)),
        (Config { outcome_timeout_us: 50, ..lan }, Ok(())),
        (Config { outcome_timeout_us: 49, ..lan }, Err(ConfigError::Timeouts)),
        (Config { heartbeat_us: 0, ..lan }, Err(ConfigError::Heartbeat)),
        (Config { heartbeat_us: 175, ..lan }, Ok(())),
        (Config { heartbeat_us: 176, ..lan }, Err(ConfigError::Heartbeat)),
        (Config { attempts: 0, ..lan }, Err(ConfigError::Attempts)),
        (lease(199), Err(ConfigError::Lease)),
        (lease(200), Ok(())),
        (lease(350), Ok(())),
        (lease(351), Err(ConfigError::Lease)),
    ] {
        assert_eq!(config.validate(), expected, "{config:?}");
    }
}

#[test]
fn config_errors_display_cause() {
    let errors = [
        ConfigError::NotAMember,
        ConfigError::DuplicateMember(quorate_core::NodeId::new(7)),
        ConfigError::TooManyMembers,
        ConfigError::Timeouts,
        ConfigError::Heartbeat,
        ConfigError::Attempts,
        ConfigError::Lease,
        ConfigError::Mode,
        ConfigError::Detector,
    ];
    let words: std::collections::BTreeSet<String> =
        errors.iter().map(ToString::to_string).filter(|text| text.len() > 20).collect();
    assert_eq!(words.len(), errors.len(), "{words:?}");
    assert!(words.iter().any(|text| text.contains("member 7")));
}

/// A heartbeat that comes later than is borne, or much earlier than expected, or counts anew, tells nothing of the others.
#[test]
fn implausible_heartbeat_restarts_chen_window() {
    let config = ChenConfig { interval_us: T, margin_us: T / 2 };
    let after = |at: u64, number: u64| {
        let mut detector = Chen::<16>::new(config).unwrap();
        for n in 0..50 {
            detector.heartbeat_numbered(us(n * T), n);
        }
        assert_eq!(detector.suspects_at(), Some(us(50 * T + T / 2 + 1)));
        detector.heartbeat_numbered(us(at), number);
        detector.suspects_at().unwrap().as_micros() - at
    };
    let fresh = T + T / 2 + 1;
    assert_eq!(after(50 * T + T / 2 + 1, 50), fresh, "too late");
    assert_eq!(after(90 * T, 50), fresh);
    assert_eq!(after(90 * T, 0), fresh, "counts anew");
    assert_eq!(after(50 * T, 70), fresh, "much too early");
    assert!(after(50 * T + T / 4, 50) < fresh, "late, but borne: the next is expected in time");
}

#[test]
fn monitor_within_slack_ignores_no_pause() {
    use quorate_core::NodeId;
    use quorate_election::detector::{Monitor, SuspicionChange};
    let (a, b) = (NodeId::new(1), NodeId::new(2));
    let config = HeartbeatConfig { interval_us: 100_000, max_missed: 3 };
    let mut monitor: Monitor<Heartbeat, 2> = Monitor::new(20_000);
    monitor.add(a, Heartbeat::new(config).unwrap()).unwrap();
    monitor.add(b, Heartbeat::new(config).unwrap()).unwrap();
    monitor.heartbeat(us(0), a);
    let due = monitor.deadline().unwrap().as_micros();
    let mut punctual = monitor.clone();
    punctual.tick(us(due + 20_000));
    assert_eq!(punctual.poll(), Some(SuspicionChange { node: a, suspected: true }));
    // this node slept; who was heard just before has nothing that could be overlooked, yet
    monitor.heartbeat(us(390_000), b);
    monitor.tick(us(due + 100_000));
    assert_eq!(monitor.poll(), None);
    monitor.tick(us(due + 121_000));
    assert_eq!(monitor.poll(), Some(SuspicionChange { node: a, suspected: true }));
    // and when it sleeps once more, that is overlooked once
    monitor.tick(us(2_000_000));
    assert_eq!(monitor.poll(), None);
    monitor.tick(us(2_021_000));
    assert_eq!(monitor.poll(), Some(SuspicionChange { node: b, suspected: true }));
}

/// A microsecond of the least deviation more or less is seen, and one of the pause, whatever the unit.
#[test]
fn configured_pause_and_deviation_apply() {
    for scale in [1, 1 << 14] {
        let t = T * scale;
        let config =
            PhiConfig { pause_us: 0, min_deviation_us: t / 10, ..PhiConfig::for_interval(t) };
        let at = |config: PhiConfig| {
            let mut normal = NormalPhi::<16>::new(config).unwrap();
            let mut exponential = ExponentialPhi::<16>::new(config).unwrap();
            for n in 0..50 {
                normal.heartbeat(us(n * t));
                exponential.heartbeat(us(n * t));
            }
            let since = |at: Option<Instant>| at.unwrap().as_micros() - 49 * t;
            (since(normal.suspects_at()), since(exponential.suspects_at()))
        };
        let plain = at(config);
        // mean and 5.2 deviations; 18.4 means
        assert!((t * 3 / 2..t * 8 / 5).contains(&plain.0), "{plain:?}");
        assert!((t * 184 / 10..t * 185 / 10).contains(&plain.1), "{plain:?}");
        let pause = at(PhiConfig { pause_us: t, ..config });
        assert!((pause.0 - plain.0).abs_diff(t) <= 2 * scale, "{pause:?}");
        assert!((pause.1 - plain.1).abs_diff(t) <= 2 * scale, "{pause:?}");
        let wide = at(PhiConfig { min_deviation_us: t / 5, ..config });
        let more = (wide.0 - t) as f64 / (plain.0 - t) as f64;
        assert!((1.99..2.01).contains(&more), "{more}");
        let least = at(PhiConfig { min_deviation_us: 2 * t, ..config });
        let more = least.1 as f64 / plain.1 as f64;
        assert!((1.99..2.01).contains(&more), "{more}");
    }
}

/// What the tables of the presets promise: a lost heartbeat is ridden out where they say so, and a dead peer is
/// suspected before the election's own timeout.
#[test]
fn presets_suspect_before_leader_timeout() {
    use quorate_election::Config;
    use quorate_election::detector::ChenConfig;

    fn silence_tolerated(mut detector: impl Detector, interval_us: u64) -> u64 {
        (0..100).for_each(|n| detector.heartbeat_numbered(us(n * interval_us), n));
        detector.suspects_at().unwrap().as_micros() - 99 * interval_us
    }
    for (election, heartbeat, chen, phi, message_us) in [
        (Config::lan(), HeartbeatConfig::lan(), ChenConfig::lan(), PhiConfig::lan(), 10_000),
        (Config::wan(), HeartbeatConfig::wan(), ChenConfig::wan(), PhiConfig::wan(), 200_000),
        (
            Config::radio(),
            HeartbeatConfig::radio(),
            ChenConfig::radio(),
            PhiConfig::radio(),
            2_000_000,
        ),
    ] {
        let interval_us = election.heartbeat_us;
        let heartbeat = silence_tolerated(Heartbeat::new(heartbeat).unwrap(), interval_us);
        let chen = silence_tolerated(Chen::<64>::new(chen).unwrap(), interval_us);
        let normal = silence_tolerated(NormalPhi::<64>::new(phi).unwrap(), interval_us);
        for tolerated in [heartbeat, chen] {
            assert!(tolerated > 2 * interval_us + message_us, "{tolerated} of {interval_us}");
        }
        if phi.pause_us == interval_us {
            assert!(normal > 2 * interval_us + message_us, "{normal} of {interval_us}");
        }
        for tolerated in [heartbeat, chen, normal] {
            assert!(tolerated < election.leader_timeout_us, "{tolerated} of {interval_us}");
        }
    }
}
