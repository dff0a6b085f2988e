//! How fast repairs are: in round trips, and in virtual time as a table, which `UPDATE=1` rewrites.

use std::collections::BTreeMap;

use quorate_core::{Instant, Machine as _, NodeId, Output, Wire as _};
use quorate_ring::quorum::{Config, Heap, Level, Message, Node, Tagged, WriteOptions};

use super::net::Same;

type Store = Node<Tagged<u32>, Same, Heap>;

/// Nodes whose disks take no time, and whose messages all take the same.
struct World {
    config: Config,
    round_trip_us: u64,
    now: Instant,
    layout: Same,
    nodes: BTreeMap<u64, Store>,
    /// When and for whom, and what from whom.
    wire: BTreeMap<(Instant, u64), (u64, u64, Vec<u8>)>,
    sent: u64,
}

impl World {
    fn new(layout: &Same, nodes: &[u64], config: Config, round_trip_us: u64) -> Self {
        let mut world = Self {
            config,
            round_trip_us,
            now: Instant::ZERO,
            layout: layout.clone(),
            nodes: BTreeMap::new(),
            wire: BTreeMap::new(),
            sent: 0,
        };
        for id in nodes {
            world.boot(*id, 1).found();
        }
        world
    }

    /// A node without records.
    fn boot(&mut self, id: u64, incarnation: u64) -> &mut Store {
        let node = Store::new(NodeId::new(id), incarnation, self.layout.clone(), self.config);
        self.nodes.insert(id, node.unwrap());
        self.nodes.get_mut(&id).unwrap()
    }

    fn node(&self, id: u64) -> &Store {
        &self.nodes[&id]
    }

    /// All that nodes have to put out.
    fn poll(&mut self) {
        let arrives = self.now.after(self.round_trip_us / 2);
        for (id, node) in &mut self.nodes {
            loop {
                let mut last = None;
                while let Some(output) = node.poll() {
                    match output {
                        Output::Persist(ticket, _) => last = Some(ticket),
                        Output::Send(to, message) => {
                            self.sent += 1;
                            let envelope = (*id, to.get(), message.to_vec());
                            self.wire.insert((arrives, self.sent), envelope);
                        }
                        Output::Event(_) => {}
                    }
                }
                let Some(ticket) = last else { break };
                node.persisted(ticket);
            }
        }
    }

    /// Goes on until it is so, and tells how long that took.
    fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) -> u64 {
        let (from, limit) = (self.now, self.now.after(1 << 44));
        self.poll();
        while !is_so(self) {
            let arrives = self.wire.first_key_value().map(|((at, _), _)| *at);
            let deadlines = self.nodes.values().filter_map(Store::deadline);
            let next = deadlines.chain(arrives).min().unwrap();
            self.now = self.now.max(next);
            assert!(self.now < limit, "it does not come to that");
            while let Some(entry) = self.wire.first_entry()
                && entry.key().0 <= self.now
            {
                let (from, to, bytes) = entry.remove();
                let message = Message::from_slice(&bytes).unwrap();
                if let Some(node) = self.nodes.get_mut(&to) {
                    node.receive(self.now, NodeId::new(from), message).unwrap();
                }
            }
            for node in self.nodes.values_mut() {
                node.tick(self.now);
            }
            self.poll();
        }
        self.now.since(from)
    }

    /// Node 1 writes so many keys.
    fn write(&mut self, keys: u32, sloppy: bool) {
        for key in 0..keys {
            let options = WriteOptions { level: Level::All, sloppy, ..WriteOptions::default() };
            let (now, value) = (self.now, Tagged::nth(1, key));
            let node = self.nodes.get_mut(&1).unwrap();
            node.write(now, &key.to_be_bytes(), value, options).unwrap();
            if key % 1_000 == 999 {
                self.run_until(|world| world.node(1).status().requests == 0);
            }
        }
        self.run_until(|world| world.node(1).status().requests == 0);
    }
}

/// How long it takes until a node of three, which was erased, has all keys again, in µs.
fn rebuild(keys: u32, config: Config, round_trip_us: u64) -> u64 {
    let mut world = World::new(&Same::new(&[1, 2, 3]), &[1, 2, 3], config, round_trip_us);
    world.write(keys, false);
    world.boot(3, 2);
    let took = world.run_until(|world| world.node(3).status().founded);
    assert_eq!(world.node(3).status().keys, keys as usize);
    took
}

/// How long it takes until a fallback has handed all hints over, in µs.
fn hand_over(hints: u32, config: Config, round_trip_us: u64) -> u64 {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut world = World::new(&layout, &[1, 2, 3, 4], config, round_trip_us);
    let down = NodeId::new(3);
    [1, 4].into_iter().for_each(|id| world.nodes.get_mut(&id).unwrap().set_down(down, true));
    world.write(hints, true);
    assert_eq!(world.node(4).status().hints, hints as usize);
    world.nodes.get_mut(&4).unwrap().set_down(down, false);
    let took = world.run_until(|world| world.node(4).status().hints == 0);
    assert_eq!(world.node(3).status().keys, hints as usize);
    took
}

/// So many round trips, however long they are: far longer than any pause.
const FAR_US: u64 = 1 << 30;

const fn far(max_repairs: u8) -> Config {
    Config { max_repairs, retry_us: 3_600_000_000, sweep_pause_us: 1_000 * FAR_US, ..Config::lan() }
}

#[test]
fn repairs_take_as_many_round_trips_as_the_configuration_says() {
    // three replicas: the first to be asked sends all keys, and the second finds them there
    for (most, trips) in [(1, 33), (4, 9), (16, 3), (32, 2)] {
        let (short, long) = (rebuild(96, far(most), FAR_US), rebuild(96 + 320, far(most), FAR_US));
        // ten more runs of 32 keys: one round trip for the offer, and one for as many values as are under way at once;
        // and two more until the halves that are compared are so short
        assert_eq!((long - short) / FAR_US, 10 * trips + 2, "{most} at once");
    }
}

#[test]
fn hand_overs_begin_one_at_a_time_and_become_more() {
    for (most, trips) in [(1, 1_000), (4, 1 + 1 + 1 + 249), (16, 66), (32, 36)] {
        assert_eq!(hand_over(1_000, far(most), FAR_US) / FAR_US, trips, "{most} at once");
    }
}

#[test]
fn times_are_those_of_the_table() {
    let mut found = String::from("milliseconds, with the presets of the configuration\n\n");
    let line = |cells: [&str; 4]| {
        format!("{:<8}{:>12}{:>22}{:>14}\n", cells[0], cells[1], cells[2], cells[3])
    };
    found += &line(["config", "round trip", "rebuild 10,000 keys", "1,000 hints"]);
    for (name, config, round_trip_us) in
        [("lan", Config::lan(), 500), ("wan", Config::wan(), 50_000)]
    {
        let times = [
            round_trip_us,
            rebuild(10_000, config, round_trip_us),
            hand_over(1_000, config, round_trip_us),
        ];
        let [trip, keys, hints] = times.map(|us| format!("{}.{}", us / 1_000, us % 1_000 / 100));
        found += &line([name, &trip, &keys, &hints]);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pace.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap();
    assert!(wanted == found, "{path} says\n{wanted}\nbut it is\n{found}\nUPDATE=1 takes it over");
}
