//! Keys are written and read all the time while members join and leave, through all nodes in turn.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use quorate_quorum_demo::{Answer, Cluster, Command, Get, Put, Stored};
use quorate_ring::quorum::{Lww, Tagged};

const KEYS: u64 = 12;
/// A change that has not ended by then never will: a machine with other work may take a minute for it.
const FOREVER: Duration = Duration::from_secs(600);

#[test]
fn last_write_wins() {
    Client::<Lww<Vec<u8>>>::start().change_members();
}

#[test]
fn registers() {
    Client::<Tagged<Vec<u8>>>::start().change_members();
}

/// Writes and reads one request after the other, and knows what was acknowledged.
struct Client<V: Stored> {
    cluster: Cluster<V>,
    /// The last value that was acknowledged, of each key.
    values: BTreeMap<String, String>,
    requests: u64,
}

impl<V: Stored> Client<V> {
    fn start() -> Self {
        let cluster = Cluster::start(5, 3).unwrap();
        let mut client = Self { cluster, values: BTreeMap::new(), requests: 0 };
        (0..KEYS).for_each(|_| client.write_one_and_read_one());
        client
    }

    fn change_members(mut self) {
        // a member is down meanwhile, and the change waits for it
        self.cluster.join(6).unwrap();
        self.go_on(Some(3));
        self.cluster.leave(2).unwrap();
        self.go_on(None);
        // a node that has held keys before
        self.cluster.join(2).unwrap();
        self.go_on(None);
        // all of it is where it is to be
        let keys: Vec<String> = self.values.keys().cloned().collect();
        for key in keys {
            let condition = format!("wait copies {key}");
            let Ok(Command::Wait(condition)) = Command::parse(&condition) else { unreachable!() };
            let began = Instant::now();
            while let Err(missing) = self.cluster.check(&condition) {
                assert!(began.elapsed() < FOREVER, "{missing}");
                std::thread::sleep(Duration::from_millis(20));
            }
            for at in self.cluster.ids() {
                self.read(&key, at);
            }
        }
    }

    /// Writes and reads until the members have changed; a node that is down has to be started for that.
    fn go_on(&mut self, mut down: Option<u64>) {
        let began = Instant::now();
        if let Some(id) = down {
            self.cluster.kill(id).unwrap();
        }
        let mut rounds = 0;
        loop {
            self.write_one_and_read_one();
            rounds += 1;
            if rounds >= KEYS
                && let Some(id) = down.take()
            {
                self.cluster.revive(id).unwrap();
            }
            if self.cluster.tick().unwrap() {
                break;
            }
            assert!(began.elapsed() < FOREVER, "members are still changing");
        }
        // every key once more, as it is now
        (0..KEYS).for_each(|_| self.write_one_and_read_one());
    }

    fn write_one_and_read_one(&mut self) {
        self.requests += 1;
        let key = format!("key-{}", self.requests % KEYS);
        let value = format!("value-{}", self.requests);
        let at = self.some_node(self.requests);
        let line = format!("put {key} {value} at={at}");
        let Ok(Command::Put(put)) = Command::parse(&line) else { unreachable!("{line}") };
        self.write(&put);
        self.values.insert(key, value);
        let key = format!("key-{}", self.requests * 5 % KEYS);
        if self.values.contains_key(&key) {
            let at = self.some_node(self.requests * 7);
            self.read(&key, at);
        }
    }

    /// One of those that run.
    fn some_node(&self, number: u64) -> u64 {
        let runs = |id: &u64| self.cluster.view(*id, &[]).is_some();
        let running: Vec<u64> = self.cluster.ids().into_iter().filter(runs).collect();
        running[number as usize % running.len()]
    }

    /// Until it is acknowledged: a busy machine may let a request time out.
    fn write(&mut self, put: &Put) {
        let began = Instant::now();
        loop {
            match self.cluster.put(put) {
                Ok(Answer::Written { superseded: false, .. }) => return,
                // the clocks of the nodes are one clock, which may have been set back
                other => assert!(began.elapsed() < FOREVER, "{put:?}: {other:?}"),
            }
        }
    }

    /// What was acknowledged last is what is found, whichever node is asked.
    fn read(&mut self, key: &str, at: u64) {
        let Ok(Command::Get(get)) = Command::parse(&format!("get {key} at={at}")) else {
            unreachable!("it is a read")
        };
        let found = self.find(&get);
        let expected = self.values.get(key).map(|value| value.clone().into_bytes());
        assert_eq!(found, expected, "{key} at node {at}, request {}", self.requests);
    }

    fn find(&mut self, get: &Get) -> Option<Vec<u8>> {
        let began = Instant::now();
        loop {
            match self.cluster.get(get) {
                Ok(Answer::Found(value)) => return value,
                other => assert!(began.elapsed() < FOREVER, "{get:?}: {other:?}"),
            }
        }
    }
}
