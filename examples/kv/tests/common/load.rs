use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::client::{Client, Value};

/// Clients that write and read through all nodes, and know what they may be told.
///
/// Each writer has a register that it sets to 1, 2, 3, …, and a counter that it increments. A write that was acknowledged
/// must be there ever after; one that failed may be there, once. Readers of any node must see a value no older than what was
/// acknowledged, or seen by themselves, before they asked; and none that was not yet written when they were told. A write
/// whose outcome is unknown is concurrent with everything after it, so its value may be seen at any later time.
pub struct Load {
    registers: Vec<Arc<Register>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub acknowledged: Arc<AtomicU64>,
    pub reads: Arc<AtomicU64>,
    /// When the last write was acknowledged, in ms after `start`.
    last: Arc<AtomicU64>,
    /// The longest time without one, in ms.
    gap: Arc<AtomicU64>,
    start: Instant,
}

#[derive(Default)]
struct Register {
    tried: AtomicU64,
    acknowledged: AtomicU64,
    increments: AtomicU64,
    unknown: AtomicU64,
    /// Values whose outcome is unknown.
    perhaps: Mutex<BTreeSet<u64>>,
}

impl Register {
    fn may_be(&self, value: u64, range: RangeInclusive<u64>) -> bool {
        range.contains(&value) || self.perhaps.lock().unwrap().contains(&value)
    }
}

impl Load {
    pub fn start(ports: &[u16], writers: usize, readers: usize) -> Self {
        let mut load = Self {
            registers: (0..writers).map(|_| Arc::default()).collect(),
            over: Arc::default(),
            threads: Vec::new(),
            acknowledged: Arc::default(),
            reads: Arc::default(),
            last: Arc::default(),
            gap: Arc::default(),
            start: Instant::now(),
        };
        for writer in 0..writers {
            load.spawn_writer(ports.to_vec(), writer);
        }
        for reader in 0..readers {
            load.spawn_reader(ports.to_vec(), reader);
        }
        load
    }

    /// Forgets the longest gap so far: what follows is measured.
    pub fn measure_gap(&self) {
        self.last.store(self.elapsed_ms(), SeqCst);
        self.gap.store(0, SeqCst);
    }

    /// The longest time between two acknowledged writes of anybody.
    pub fn gap(&self) -> Duration {
        let open = self.elapsed_ms().saturating_sub(self.last.load(SeqCst));
        Duration::from_millis(self.gap.load(SeqCst).max(open))
    }

    /// Ends it; a thread that was told what must not be panics here.
    pub fn stop(&mut self) {
        self.over.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client was told what must not be");
        }
    }

    /// Goes on with the same registers, after [`stop`](Self::stop).
    pub fn resume(&mut self, ports: &[u16], readers: usize) {
        self.over = Arc::default();
        for writer in 0..self.registers.len() {
            self.spawn_writer(ports.to_vec(), writer);
        }
        for reader in 0..readers {
            self.spawn_reader(ports.to_vec(), reader);
        }
    }

    /// Reads every register and counter, and checks them.
    pub fn verify(&self, client: &mut Client) {
        for (writer, register) in self.registers.iter().enumerate() {
            let value = client.call_ok(&["GET", &format!("register:{writer}")]).number();
            let (low, high) = (register.acknowledged.load(SeqCst), register.tried.load(SeqCst));
            assert!(
                register.may_be(value, low..=high),
                "register {writer} is {value}, not {low}..={high}"
            );
            let count = client.call_ok(&["GET", &format!("counter:{writer}")]).number();
            let low = register.increments.load(SeqCst);
            let high = low + register.unknown.load(SeqCst);
            assert!(
                (low..=high).contains(&count),
                "counter {writer} is {count}, not {low}..={high}"
            );
        }
    }

    /// Increments whose outcome is unknown.
    pub fn unknown(&self) -> u64 {
        self.registers.iter().map(|register| register.unknown.load(SeqCst)).sum()
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    fn spawn_writer(&mut self, ports: Vec<u16>, writer: usize) {
        let register = self.registers[writer].clone();
        let (over, total) = (self.over.clone(), self.acknowledged.clone());
        let (start, last, gap) = (self.start, self.last.clone(), self.gap.clone());
        self.threads.push(spawn(move || {
            let mut node = writer % ports.len();
            while !over.load(SeqCst) {
                let result = Client::connect(ports[node]).and_then(|mut client| {
                    write(&mut client, &register, writer, &over, &mut || {
                        total.fetch_add(2, SeqCst);
                        let now = u64::try_from(start.elapsed().as_millis()).unwrap();
                        let before = last.swap(now, SeqCst);
                        gap.fetch_max(now.saturating_sub(before), SeqCst);
                    })
                });
                if result.is_err() {
                    node = (node + 1) % ports.len();
                    sleep(Duration::from_millis(2));
                }
            }
        }));
    }

    fn spawn_reader(&mut self, ports: Vec<u16>, reader: usize) {
        let registers = self.registers.clone();
        let (over, total) = (self.over.clone(), self.reads.clone());
        self.threads.push(spawn(move || {
            let mut seen = vec![0; registers.len()];
            let mut node = (reader + 1) % ports.len();
            while !over.load(SeqCst) {
                let result = Client::connect(ports[node])
                    .and_then(|mut client| read(&mut client, &registers, &mut seen, &over, &total));
                if result.is_err() {
                    sleep(Duration::from_millis(2));
                }
                node = (node + 1) % ports.len();
            }
        }));
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
    }
}

/// Until something fails: then whether the last command was executed is not known.
fn write(
    client: &mut Client,
    register: &Register,
    writer: usize,
    over: &AtomicBool,
    acknowledged: &mut dyn FnMut(),
) -> io::Result<()> {
    while !over.load(SeqCst) {
        let next = register.tried.fetch_add(1, SeqCst) + 1;
        // two commands in one batch, and the counter's reply says what happened to it
        let (key, counter) = (format!("register:{writer}"), format!("counter:{writer}"));
        register.unknown.fetch_add(1, SeqCst);
        register.perhaps.lock().unwrap().insert(next);
        client.send(&[&["SET", &key, &next.to_string()], &["INCR", &counter]])?;
        let set = client.receive()?;
        let count = client.receive()?;
        match (set, count) {
            (Value::Simple(ok), Value::Integer(count)) if ok == "OK" => {
                register.perhaps.lock().unwrap().remove(&next);
                register.acknowledged.fetch_max(next, SeqCst);
                let sure = register.increments.fetch_add(1, SeqCst) + 1;
                register.unknown.fetch_sub(1, SeqCst);
                let count = u64::try_from(count).unwrap();
                let high = sure + register.unknown.load(SeqCst);
                assert!(
                    (sure..=high).contains(&count),
                    "counter {writer}: told {count}, not {sure}..={high}"
                );
                acknowledged();
            }
            (Value::Error(error), _) => {
                if !error.contains("unknown") && !error.contains("its reply was lost") {
                    assert!(error.contains("was not executed"), "{error}");
                    register.unknown.fetch_sub(1, SeqCst);
                }
                return Err(io::Error::other(error));
            }
            other => panic!("writer {writer} was told {other:?}"),
        }
    }
    Ok(())
}

fn read(
    client: &mut Client,
    registers: &[Arc<Register>],
    seen: &mut [u64],
    over: &AtomicBool,
    total: &AtomicU64,
) -> io::Result<()> {
    // a while at one node, then at the next
    for _ in 0..50 {
        for (writer, register) in registers.iter().enumerate() {
            if over.load(SeqCst) {
                return Ok(());
            }
            let low = register.acknowledged.load(SeqCst).max(seen[writer]);
            let value = match client.call(&["GET", &format!("register:{writer}")])? {
                Value::Error(error) => return Err(io::Error::other(error)),
                value => value.number(),
            };
            let high = register.tried.load(SeqCst);
            assert!(
                register.may_be(value, low..=high),
                "register {writer}: read {value}, not {low}..={high}"
            );
            if !register.perhaps.lock().unwrap().contains(&value) {
                seen[writer] = value;
            }
            total.fetch_add(1, SeqCst);
        }
    }
    Ok(())
}
