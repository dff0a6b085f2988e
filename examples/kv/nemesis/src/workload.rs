//! Clients that write and read all the time, and record what they are told.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use quorate_core::Rng;

use crate::check::{self, Violation};
use crate::client::{Client, Reply};
use crate::cluster::Endpoints;
use crate::failure::{Failure, Outcome as Result};
use crate::history::{Increment, Key, Kind, Outcome, Read, Write};
use crate::timeline::Timeline;

/// The counter that all writers of counters share.
pub const SHARED: &str = "shared";
/// Clients of each kind.
const WRITERS: [(Kind, u64); 3] = [(Kind::Register, 4), (Kind::Counter, 2), (Kind::Big, 2)];
const READERS: u64 = 4;
/// Keys of 1 MiB that a client leaves behind, at most, before it deletes the oldest.
const BIG_KEYS: usize = 3;

/// What is counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Writes that were acknowledged, of all kinds.
    pub acknowledged: AtomicU64,
    /// Of those, the ones of 1 MiB.
    pub big: AtomicU64,
    /// Writes that the server said were not executed.
    pub refused: AtomicU64,
    /// Writes whose outcome is unknown.
    pub unknown: AtomicU64,
    /// Reads that were answered.
    pub reads: AtomicU64,
    /// When the newest small write that was acknowledged was sent, and the newest of 1 MiB.
    pub newest: [AtomicU64; 2],
}

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    /// The clock.
    pub timeline: Timeline,
    /// What is counted.
    pub counts: Counts,
    endpoints: Endpoints,
    stopped: AtomicBool,
    keys: Mutex<Vec<Arc<Key>>>,
    increments: Mutex<Vec<Increment>>,
    /// What a client noticed at once.
    failure: Mutex<Option<String>>,
}

/// The clients, which end when this is dropped.
#[derive(Debug)]
pub struct Workload {
    /// What they share.
    pub shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a write was answered with.
enum Answer {
    Done(Reply),
    Not(Outcome),
}

impl Workload {
    /// Starts them.
    ///
    /// # Errors
    ///
    /// When there are no threads.
    pub fn start(endpoints: Endpoints, timeline: Timeline, rng: &mut Rng) -> Result<Self> {
        let shared = Arc::new(Shared {
            timeline,
            counts: Counts::default(),
            endpoints,
            stopped: AtomicBool::new(false),
            keys: Mutex::default(),
            increments: Mutex::default(),
            failure: Mutex::default(),
        });
        let mut workload = Self { shared, threads: Vec::new() };
        for (kind, count) in WRITERS {
            for number in 1..=count {
                let (shared, rng) = (workload.shared.clone(), rng.fork());
                let mut writer =
                    Writer { shared, rng, kind, number, keys: Vec::new(), keys_made: 0 };
                workload.spawn(move || writer.run())?;
            }
        }
        for _ in 0..READERS {
            let (shared, mut rng) = (workload.shared.clone(), rng.fork());
            workload.spawn(move || shared.run_reader(&mut rng))?;
        }
        Ok(workload)
    }

    fn spawn(&mut self, run: impl FnOnce() + Send + 'static) -> Result {
        let thread = Builder::new().name("client".into()).spawn(run);
        self.threads.push(thread.map_err(Failure::io("starting a client"))?);
        Ok(())
    }

    /// Ends them, and waits for them.
    pub fn stop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.report("a client of the nemesis panicked".into());
            }
        }
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
    }
}

impl Shared {
    /// All keys that were ever written.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<Key>> {
        lock(&self.keys).clone()
    }

    /// What happened is what a linearizable store does.
    ///
    /// # Errors
    ///
    /// What is not.
    pub fn check(&self, shared_counter: Option<u64>) -> Result {
        if let Some(failure) = &*lock(&self.failure) {
            return Err(Failure::server(failure.clone()));
        }
        for key in self.keys() {
            let failure =
                |violation: Violation| Failure::server(format!("key {}: {violation}", key.name));
            // copied, so that clients go on meanwhile
            let operations = key.operations().clone();
            check::key(&operations).map_err(failure)?;
        }
        let increments = lock(&self.increments).clone();
        check::shared_counter(&increments, shared_counter)
            .map_err(|violation| Failure::server(format!("key {SHARED}: {violation}")))
    }

    fn report(&self, text: String) {
        lock(&self.failure).get_or_insert(text);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Connects to some node; `None` when it is not there.
    fn connect(&self, rng: &mut Rng) -> Option<(u64, Client)> {
        let (node, port) = {
            let endpoints = lock(&self.endpoints);
            let at = usize::try_from(rng.below(endpoints.len() as u64)).unwrap_or(0);
            endpoints.get(at).copied()?
        };
        match Client::connect(port) {
            Ok(client) => Some((node, client)),
            Err(_) => {
                sleep(Duration::from_millis(5));
                None
            }
        }
    }

    fn run_reader(&self, rng: &mut Rng) {
        while !self.is_stopped() {
            let Some((node, mut client)) = self.connect(rng) else { continue };
            for _ in 0..rng.range(20, 200) {
                let Some(key) = self.random_key(rng) else { break };
                if self.is_stopped() || !self.read(&mut client, node, &key) {
                    break;
                }
                sleep(Duration::from_micros(rng.range(500, 3_000)));
            }
        }
    }

    /// A key: rather one that is being written, seldom one of 1 MiB.
    fn random_key(&self, rng: &mut Rng) -> Option<Arc<Key>> {
        let keys = lock(&self.keys);
        if keys.is_empty() {
            return None;
        }
        let recent = keys.len().saturating_sub(if rng.chance(1, 4) { keys.len() } else { 24 });
        let at = rng.range(recent as u64, keys.len() as u64);
        let key = keys.get(usize::try_from(at).unwrap_or(0))?;
        if key.kind == Kind::Big && !rng.chance(1, 20) {
            return keys.iter().rev().find(|key| key.kind == Kind::Register).cloned();
        }
        Some(key.clone())
    }

    /// Reads a key and records it; false when the connection is of no use any more.
    pub fn read(&self, client: &mut Client, node: u64, key: &Key) -> bool {
        let start = self.timeline.now();
        let value = match client.call(&[b"GET", key.name.as_bytes()]) {
            Ok(Reply::Bulk(bytes)) => match key.decode(&bytes) {
                Ok(value) => value,
                Err(beginning) => {
                    if !key.operations().retired {
                        self.report(format!(
                            "node {node} returned what was not written to key {}: {beginning}…",
                            key.name
                        ));
                    }
                    return false;
                }
            },
            Ok(Reply::Null) => 0,
            Ok(_) | Err(_) => return false,
        };
        let end = self.timeline.now();
        let mut operations = key.operations();
        if !operations.retired {
            operations.reads.push(Read { value, start, end, node });
            self.counts.reads.fetch_add(1, SeqCst);
        }
        true
    }
}

/// A client that writes a key again and again, and goes on with another when it does not know what became of a write.
struct Writer {
    shared: Arc<Shared>,
    rng: Rng,
    kind: Kind,
    number: u64,
    /// Those that are not deleted, the present one last.
    keys: Vec<Arc<Key>>,
    keys_made: u64,
}

impl Writer {
    fn run(&mut self) {
        self.next_key();
        while !self.shared.is_stopped() {
            let Some((node, mut client)) = self.shared.connect(&mut self.rng) else { continue };
            for _ in 0..self.rng.range(10, 500) {
                if self.shared.is_stopped() || !self.write(&mut client) {
                    break;
                }
                let pause = if self.kind == Kind::Big { 60_000 } else { 3_000 };
                sleep(Duration::from_micros(self.rng.range(500, pause)));
            }
            if self.kind == Kind::Big && self.keys.len() > BIG_KEYS {
                self.delete_oldest(&mut client, node);
            }
        }
    }

    fn next_key(&mut self) {
        self.keys_made += 1;
        let kind = match self.kind {
            Kind::Register => "register",
            Kind::Big => "big",
            Kind::Counter => "counter",
        };
        let key = Key::new(format!("{kind}-{}-{}", self.number, self.keys_made), self.kind);
        let key = Arc::new(key);
        lock(&self.shared.keys).push(key.clone());
        self.keys.push(key);
    }

    /// Writes once; false when the connection is of no use any more.
    fn write(&mut self, client: &mut Client) -> bool {
        let Some(key) = self.keys.last().cloned() else { return false };
        if self.kind == Kind::Counter {
            return self.increment(client, &key) && self.increment_shared(client);
        }
        let sequence = key.operations().writes.last().map_or(0, |write| write.sequence) + 1;
        let value = key.encode(sequence);
        let start = self.begin(&key, sequence);
        let answer = self.send_write(client, &[b"SET", key.name.as_bytes(), &value]);
        let outcome = match answer {
            Answer::Done(Reply::Simple(_)) => Outcome::Acknowledged,
            Answer::Done(reply) => {
                self.shared.report(format!("SET was answered with {reply:?}"));
                Outcome::Unknown
            }
            Answer::Not(outcome) => outcome,
        };
        self.end(&key, start, outcome)
    }

    fn increment(&mut self, client: &mut Client, key: &Arc<Key>) -> bool {
        let sequence = key.operations().writes.last().map_or(0, |write| write.sequence) + 1;
        let start = self.begin(key, sequence);
        let outcome = match self.send_write(client, &[b"INCR", key.name.as_bytes()]) {
            Answer::Done(Reply::Integer(reply)) if u64::try_from(reply) == Ok(sequence) => {
                Outcome::Acknowledged
            }
            Answer::Done(Reply::Integer(reply)) => {
                let reply = u64::try_from(reply).unwrap_or(0);
                let violation = Violation::Miscounted { expected: sequence, reply };
                self.shared.report(format!("key {}: {violation}", key.name));
                Outcome::Unknown
            }
            Answer::Done(reply) => {
                self.shared.report(format!("INCR was answered with {reply:?}"));
                Outcome::Unknown
            }
            Answer::Not(outcome) => outcome,
        };
        self.end(key, start, outcome)
    }

    fn increment_shared(&mut self, client: &mut Client) -> bool {
        let start = self.shared.timeline.now();
        let answer = self.send_write(client, &[b"INCR", SHARED.as_bytes()]);
        let end = self.shared.timeline.now();
        let reply = match answer {
            Answer::Done(Reply::Integer(reply)) => u64::try_from(reply).ok(),
            Answer::Done(reply) => {
                self.shared.report(format!("INCR was answered with {reply:?}"));
                None
            }
            Answer::Not(Outcome::NotApplied) => return false,
            Answer::Not(_) => None,
        };
        lock(&self.shared.increments).push(Increment { start, end, reply });
        reply.is_some()
    }

    /// Records that a write is on its way: it may be read before its answer comes.
    fn begin(&self, key: &Key, sequence: u64) -> u64 {
        let start = self.shared.timeline.now();
        let write = Write { sequence, start, end: u64::MAX, outcome: Outcome::Unknown };
        key.operations().writes.push(write);
        start
    }

    /// Records how the last write ended; false when the connection is of no use any more.
    fn end(&mut self, key: &Key, start: u64, outcome: Outcome) -> bool {
        let end = self.shared.timeline.now();
        let mut operations = key.operations();
        // an increment that was not executed leaves its number to the next
        if key.kind == Kind::Counter && outcome == Outcome::NotApplied {
            operations.writes.pop();
        } else if let Some(write) = operations.writes.last_mut() {
            (write.end, write.outcome) = (end, outcome);
        }
        drop(operations);
        match outcome {
            Outcome::Acknowledged => {
                let big = usize::from(key.kind == Kind::Big);
                self.shared.counts.newest[big].fetch_max(start, SeqCst);
                self.shared.counts.big.fetch_add(big as u64, SeqCst);
            }
            Outcome::NotApplied => sleep(Duration::from_millis(self.rng.range(5, 50))),
            Outcome::Unknown => self.next_key(),
        }
        outcome == Outcome::Acknowledged
    }

    /// Sends a write, and counts how it ended.
    fn send_write(&self, client: &mut Client, words: &[&[u8]]) -> Answer {
        let counts = &self.shared.counts;
        match client.call(words) {
            Ok(Reply::Error(error)) if error.contains("was not executed") => {
                counts.refused.fetch_add(1, SeqCst);
                Answer::Not(Outcome::NotApplied)
            }
            Ok(Reply::Error(error)) => {
                let unknown = error.contains("unknown") || error.contains("its reply was lost");
                if !unknown {
                    self.shared.report(format!("a write was answered with: {error}"));
                }
                counts.unknown.fetch_add(1, SeqCst);
                Answer::Not(Outcome::Unknown)
            }
            Ok(reply) => {
                counts.acknowledged.fetch_add(1, SeqCst);
                Answer::Done(reply)
            }
            Err(_) => {
                counts.unknown.fetch_add(1, SeqCst);
                Answer::Not(Outcome::Unknown)
            }
        }
    }

    /// Reads the oldest key for the last time, and deletes it.
    fn delete_oldest(&mut self, client: &mut Client, node: u64) {
        let key = self.keys[0].clone();
        if !self.shared.read(client, node, &key) {
            return;
        }
        key.operations().retired = true;
        if matches!(client.call(&[b"DEL", key.name.as_bytes()]), Ok(Reply::Integer(_))) {
            self.keys.remove(0);
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
