//! The four detectors over the same arrivals, as one table: `UPDATE=1` rewrites it.
//!
//! What is measured is what Chen, Toueg and Aguilera call quality of service (2002, section 2): how often a live peer is
//! suspected, for how long in all, and how long it takes until a dead one is.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;

use quorate_core::{Instant, Rng};
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, NormalPhi, PhiConfig,
};

/// When heartbeats arrived, in µs, with their numbers; then silence for ever.
struct Arrivals {
    name: &'static str,
    interval_us: u64,
    /// What Chen's detector is told: it takes for granted that the sender keeps to it.
    sent_every_us: u32,
    beats: Vec<(u64, u64)>,
    /// A span in which the watching process itself slept: what arrived then is seen at its end.
    slept: Option<(u64, u64)>,
}

fn arrivals() -> Vec<Arrivals> {
    const T: u64 = 100_000;
    let numbers = 0..2_000_u64;
    let trace = |name, beats: Vec<(u64, u64)>| Arrivals {
        name,
        interval_us: T,
        sent_every_us: T as u32,
        beats,
        slept: None,
    };
    let mut rng = Rng::new(6);
    let jitter = numbers.clone().map(|n| (n * T + rng.below(40_000), n)).collect();
    let loss = numbers.clone().filter(|_| !rng.chance(1, 10)).map(|n| (n * T + 5_000, n)).collect();
    // a queue that fills for 350 ms now and then, and lets everything out at once
    let mut held = 0;
    let mut bursts: Vec<_> = numbers
        .clone()
        .map(|n| {
            if rng.chance(1, 50) {
                held = n * T + 350_000;
            }
            ((n * T + rng.below(5_000)).max(held), n)
        })
        .collect();
    bursts.sort_unstable();
    let slow = numbers.clone().map(|n| (n * T + n.saturating_sub(1_000) * 50_000, n)).collect();
    // the peer stood still for a second: what it would have sent it sends late, and goes on from there
    let pause = |n: u64| n * T + if n >= 1_000 { 1_000_000 } else { 0 };
    let pause = numbers.clone().map(|n| (pause(n), n)).collect();
    let slept = (1_000 * T + 1, 1_010 * T + 50_000);
    vec![
        trace("regular", numbers.clone().map(|n| (n * T, n)).collect()),
        trace("jitter of 40 %", jitter),
        trace("loss of 10 %", loss),
        trace("bursts", bursts),
        trace("slows by half", slow),
        trace("peer pauses 1 s", pause),
        Arrivals {
            slept: Some(slept),
            ..trace("watcher sleeps 1 s", numbers.map(|n| (n * T, n)).collect())
        },
        recorded(),
    ]
}

/// Datagrams every 20 ms over the loopback of a machine with two cores that was compiling: intervals in µs.
fn recorded() -> Arrivals {
    let mut at = 0;
    let mut beats = vec![(0, 0)];
    for line in include_str!("traces/loopback.txt").lines() {
        at += line.parse::<u64>().unwrap();
        beats.push((at, beats.len() as u64));
    }
    let sent_every_us = (at / beats.len() as u64) as u32; // its sender slept 20 ms between sends, which takes longer
    Arrivals { name: "recorded, 20 ms", interval_us: 20_000, sent_every_us, beats, slept: None }
}

#[derive(Default)]
struct Quality {
    mistakes: u64,
    wrong_us: u64,
    detection_us: u64,
}

fn judge<D: Detector>(
    mut detector: D,
    arrivals: &Arrivals,
    hear: impl Fn(&mut D, Instant, u64),
) -> Quality {
    let mut quality = Quality::default();
    for &(at, number) in &arrivals.beats {
        let seen = arrivals.slept.filter(|s| (s.0..s.1).contains(&at)).map_or(at, |s| s.1);
        let now = Instant::from_micros(seen);
        // what a driver sees that sleeps until the deadline, and tells the detector when it overslept
        if let Some(deadline) = detector.suspects_at()
            && deadline < now
        {
            let asleep = arrivals.slept.filter(|s| (s.0..s.1).contains(&deadline.as_micros()));
            if asleep.is_some() {
                detector.excuse(now.since(deadline) + 20_000);
            } else {
                quality.mistakes += 1;
                quality.wrong_us += now.since(deadline);
            }
        }
        hear(&mut detector, now, number);
    }
    let last = Instant::from_micros(arrivals.beats.last().unwrap().0);
    quality.detection_us = detector.suspects_at().unwrap().since(last);
    quality
}

fn table() -> String {
    let mut out = String::from(
        "false suspicions / ms wrongly suspected in all / ms until a crash is suspected, over 2,000 heartbeats\n\n",
    );
    let names = ["heartbeat 3 T", "phi 8 normal", "phi 8 exponential", "Chen, T / 2"];
    write!(out, "{:<20}", "").unwrap();
    names.iter().for_each(|name| write!(out, "{name:>21}").unwrap());
    out.push('\n');
    for arrivals in arrivals() {
        let interval_us = arrivals.interval_us as u32;
        let heartbeat = HeartbeatConfig { interval_us: arrivals.interval_us, missed: 3 };
        let phi = PhiConfig::for_interval(interval_us);
        let chen = ChenConfig { interval_us: arrivals.sent_every_us, margin_us: interval_us / 2 };
        let qualities = [
            judge(Heartbeat::new(heartbeat).unwrap(), &arrivals, |d, now, _| d.heard(now)),
            judge(NormalPhi::<64>::new(phi).unwrap(), &arrivals, |d, now, _| d.heard(now)),
            judge(ExponentialPhi::<64>::new(phi).unwrap(), &arrivals, |d, now, _| d.heard(now)),
            judge(Chen::<64>::new(chen).unwrap(), &arrivals, |d, now, n| d.heard_number(now, n)),
        ];
        write!(out, "{:<20}", arrivals.name).unwrap();
        for q in qualities {
            let cell =
                format!("{} / {} / {}", q.mistakes, q.wrong_us / 1_000, q.detection_us / 1_000);
            write!(out, "{cell:>21}").unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_table_is_as_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/detectors.txt");
    let found = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(wanted == found, "{path} says\n{wanted}\nbut it is\n{found}\nUPDATE=1 takes it over");
}
