//! The four detectors over the same arrivals, through a [`Monitor`], as one table: `UPDATE=1`
//! rewrites it.
//!
//! What is measured is what Chen, Toueg and Aguilera call quality of service (2002, section 2): how often a live peer is
//! suspected, for how long in all, and how long it takes until a dead one is.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;

use quorate_core::{Instant, NodeId, Rng};
use quorate_election::detector::{
    Chen, ChenConfig, Detector, ExponentialPhi, Heartbeat, HeartbeatConfig, Monitor, NormalPhi,
    PhiConfig,
};

const PEER: NodeId = NodeId::new(2);
const HEARTBEATS: u64 = 2_000;
const T: u64 = 100_000;
const MINUTE: u64 = 60_000_000;

/// When heartbeats arrived, in µs, with their numbers; then silence for ever.
struct Arrivals {
    name: &'static str,
    interval_us: u64,
    /// What Chen's detector is told: it takes for granted that the sender keeps to it.
    sent_every_us: u64,
    heartbeats: Vec<(u64, u64)>,
    /// A span in which the watching process itself slept: what arrived then is seen at its end.
    local_pause: Option<(u64, u64)>,
}

fn trace(name: &'static str, interval_us: u64, heartbeats: Vec<(u64, u64)>) -> Arrivals {
    Arrivals { name, interval_us, sent_every_us: interval_us, heartbeats, local_pause: None }
}

/// Heartbeats of which some are lost, in 1/1000.
fn lossy(interval_us: u64, heartbeats: u64, loss: u64, rng: &mut Rng) -> Vec<(u64, u64)> {
    let arrive = (0..heartbeats).filter(|_| !rng.chance(loss, 1_000));
    arrive.map(|n| (n * interval_us + interval_us / 20, n)).collect()
}

fn arrivals() -> Vec<Arrivals> {
    let numbers = 0..HEARTBEATS;
    let mut rng = Rng::new(6);
    let jitter = numbers.clone().map(|n| (n * T + rng.below(40_000), n)).collect();
    let loss = lossy(T, HEARTBEATS, 100, &mut rng);
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
    // the peer restarts, and counts from 0 again
    let restart =
        numbers.clone().map(|n| (pause(n), if n < 1_000 { n + 70_000 } else { n - 1_000 }));
    let gap = numbers.clone().map(|n| (n * T, if n < 1_000 { n } else { n + 1_000_000 })).collect();
    let local_pause = (1_000 * T + 1, 1_010 * T + 50_000);
    let regular: Vec<_> = numbers.clone().map(|n| (n * T, n)).collect();
    vec![
        trace("regular", T, regular.clone()),
        trace("jitter of 40 %", T, jitter),
        trace("loss of 2 %", T, lossy(T, HEARTBEATS, 20, &mut rng)),
        trace("loss of 10 %", T, loss),
        trace("bursts", T, bursts),
        trace("slows by half", T, slow),
        trace("peer pauses 1 s", T, numbers.clone().map(|n| (pause(n), n)).collect()),
        trace("peer counts anew", T, restart.collect()),
        trace("a million missing", T, gap),
        Arrivals { local_pause: Some(local_pause), ..trace("watcher sleeps 1 s", T, regular) },
        trace("every 10 min", 10 * MINUTE, numbers.map(|n| (n * 10 * MINUTE, n)).collect()),
        trace("every 2 h, loss 2 %", 120 * MINUTE, lossy(120 * MINUTE, HEARTBEATS, 20, &mut rng)),
        recorded(),
    ]
}

/// Datagrams every 20 ms over the loopback of a machine with two cores that was compiling: intervals in µs.
fn recorded() -> Arrivals {
    let mut at = 0;
    let mut heartbeats = vec![(0, 0)];
    for line in include_str!("traces/loopback.txt").lines() {
        at += line.parse::<u64>().unwrap();
        heartbeats.push((at, heartbeats.len() as u64));
    }
    let sent_every_us = at / heartbeats.len() as u64; // its sender slept 20 ms between sends, which takes longer
    Arrivals { sent_every_us, ..trace("recorded, 20 ms", 20_000, heartbeats) }
}

/// The watching process.
struct MonitorRun<D> {
    monitor: Monitor<D, 1>,
    local_pause: Option<(u64, u64)>,
    now: u64,
    since: u64,
    mistakes: u64,
    wrong_us: u64,
}

impl<D: Detector> MonitorRun<D> {
    fn new(detector: D, local_pause: Option<(u64, u64)>) -> Self {
        let mut monitor = Monitor::new(20_000);
        monitor.add(PEER, detector).unwrap();
        Self { monitor, local_pause, now: 0, since: 0, mistakes: 0, wrong_us: 0 }
    }

    /// When it sees what happens at this time.
    fn seen(&self, at: u64) -> u64 {
        self.local_pause
            .filter(|local_pause| (local_pause.0..local_pause.1).contains(&at))
            .map_or(at, |local_pause| local_pause.1)
    }

    /// Sleeps from deadline to deadline, until something arrives.
    fn wait_until(&mut self, at: u64) {
        while let Some(deadline) = self.monitor.deadline() {
            let now = self.seen(deadline.as_micros()).max(self.now);
            if now > at {
                return;
            }
            self.now = now;
            self.monitor.tick(Instant::from_micros(now));
            self.update(now);
        }
    }

    fn update(&mut self, now: u64) {
        while let Some(change) = self.monitor.poll() {
            if change.suspected {
                self.mistakes += 1;
                self.since = now;
            } else {
                self.wrong_us += now - self.since;
            }
        }
    }

    fn record(&mut self, at: u64, number: Option<u64>) {
        let now = self.seen(at);
        self.wait_until(now);
        self.now = now;
        let heard = Instant::from_micros(now);
        assert!(match number {
            Some(number) => self.monitor.heartbeat_numbered(heard, PEER, number),
            None => self.monitor.heartbeat(heard, PEER),
        });
        self.update(now);
    }
}

/// False suspicions, ms wrongly suspected, ms until a crash is suspected.
fn quality_of_service(detector: impl Detector, arrivals: &Arrivals, numbered: bool) -> [u64; 3] {
    let mut run = MonitorRun::new(detector, arrivals.local_pause);
    for &(at, number) in &arrivals.heartbeats {
        run.record(at, Some(number).filter(|_| numbered));
    }
    let last = arrivals.heartbeats.last().unwrap().0;
    let detected = run.monitor.deadline().map_or(0, |at| at.since(Instant::from_micros(last)));
    [run.mistakes, run.wrong_us / 1_000, detected / 1_000]
}

fn table() -> String {
    let mut out = String::from(
        "false suspicions / ms wrongly suspected in all / ms until a crash is suspected, over 2,000 heartbeats\n\n",
    );
    let names = [
        "heartbeat 3 T",
        "phi 8 normal",
        "phi 8 exponential",
        "Chen, T / 2",
        "Chen, 3 T / 2",
        "no numbers, 3 T / 2",
    ];
    write!(out, "{:<20}", "").unwrap();
    names.iter().for_each(|name| write!(out, "{name:>26}").unwrap());
    out.push('\n');
    for arrivals in arrivals() {
        let interval_us = arrivals.interval_us;
        let heartbeat = HeartbeatConfig { interval_us, max_missed: 3 };
        let phi = PhiConfig::for_interval(interval_us);
        let chen = |margin_us| {
            let config = ChenConfig { interval_us: arrivals.sent_every_us, margin_us };
            Chen::<64>::new(config).unwrap()
        };
        let (half, more) = (interval_us / 2, interval_us * 3 / 2);
        let qualities = [
            quality_of_service(Heartbeat::new(heartbeat).unwrap(), &arrivals, true),
            quality_of_service(NormalPhi::<64>::new(phi).unwrap(), &arrivals, true),
            quality_of_service(ExponentialPhi::<64>::new(phi).unwrap(), &arrivals, true),
            quality_of_service(chen(half), &arrivals, true),
            quality_of_service(chen(more), &arrivals, true),
            quality_of_service(chen(more), &arrivals, false),
        ];
        write!(out, "{:<20}", arrivals.name).unwrap();
        for [mistakes, wrong, detected] in qualities {
            let cell = format!("{mistakes} / {wrong} / {detected}");
            write!(out, "{cell:>26}").unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn table_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/detectors.txt");
    let found = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(wanted == found, "{path} says\n{wanted}\nbut it is\n{found}\nUPDATE=1 takes it over");
}

/// So many heartbeats in a row are lost, at least: how often that happened, once some are known.
fn gaps(heartbeats: &[(u64, u64)], least: u64) -> u64 {
    let lost = heartbeats.windows(2).map(|pair| pair[1].1 - pair[0].1 - 1);
    lost.filter(|&lost| lost >= least).count() as u64
}

/// A lost heartbeat is not a late one: a margin of `k` intervals and a half is exceeded where more than `k` are lost in a row, and nowhere
/// else.
#[test]
fn suspicion_of_losses_follows_the_margin() {
    for (seed, interval_us) in [(1, T), (2, T), (3, 10 * MINUTE), (4, 120 * MINUTE)] {
        let heartbeats = lossy(interval_us, 3_000, 20, &mut Rng::new(seed));
        let arrivals = trace("loss of 2 %", interval_us, heartbeats);
        for k in 0..3 {
            let margin_us = k * interval_us + interval_us / 2;
            let expected = gaps(&arrivals.heartbeats, k + 1);
            for numbered in [true, false] {
                let chen = Chen::<64>::new(ChenConfig { interval_us, margin_us }).unwrap();
                let [mistakes, ..] = quality_of_service(chen, &arrivals, numbered);
                assert_eq!(mistakes, expected, "margin {margin_us}, {numbered}");
            }
        }
        assert!(gaps(&arrivals.heartbeats, 1) > 20, "nothing was lost");
    }
}

/// Nothing is cut off: not 8.9 minutes with 64 samples, nor 2.2 minutes with 1000.
#[test]
fn hour_long_intervals_are_not_suspected() {
    fn calm(detector: impl Detector, interval_us: u64) {
        let mut rng = Rng::new(interval_us);
        let jitter = (0..300).map(|n| (n * interval_us + rng.below(interval_us / 50), n)).collect();
        let [mistakes, _, detected] =
            quality_of_service(detector, &trace("", interval_us, jitter), true);
        assert_eq!(mistakes, 0, "{interval_us}");
        let limit = interval_us * 20 / 1_000;
        assert!((interval_us / 1_000..limit).contains(&detected), "{interval_us} {detected}");
    }
    for minutes in [1, 2, 3, 8, 9, 10, 60, 120, 24 * 60, 7 * 24 * 60] {
        let interval_us = minutes * MINUTE;
        let phi = PhiConfig::for_interval(interval_us);
        let chen = ChenConfig { interval_us, margin_us: interval_us / 2 };
        let heartbeat = HeartbeatConfig { interval_us, max_missed: 3 };
        calm(Heartbeat::new(heartbeat).unwrap(), interval_us);
        calm(NormalPhi::<8>::new(phi).unwrap(), interval_us);
        calm(NormalPhi::<64>::new(phi).unwrap(), interval_us);
        calm(NormalPhi::<1000>::new(phi).unwrap(), interval_us);
        calm(ExponentialPhi::<64>::new(phi).unwrap(), interval_us);
        calm(ExponentialPhi::<1000>::new(phi).unwrap(), interval_us);
        calm(Chen::<8>::new(chen).unwrap(), interval_us);
        calm(Chen::<1000>::new(chen).unwrap(), interval_us);
    }
}

/// What was guessed was wrong by far: intervals are learnt, as long as they may be.
#[test]
fn longer_intervals_are_learned() {
    fn learns(mut detector: impl Detector, name: &str) {
        let mut wrong = Vec::new();
        for n in 0..400 {
            let now = Instant::from_micros(n * 60 * MINUTE);
            if detector.suspects(now) {
                wrong.push(n);
            }
            detector.heartbeat(now);
        }
        assert!(!wrong.is_empty() && wrong.last() < Some(&200), "{name}: {wrong:?}");
    }
    let phi = PhiConfig::for_interval(1_000_000);
    learns(NormalPhi::<16>::new(phi).unwrap(), "normal");
    learns(ExponentialPhi::<16>::new(phi).unwrap(), "exponential");
}
