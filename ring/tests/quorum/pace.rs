//! How fast repairs are: in round trips, and in virtual time as a table, which `UPDATE=1` rewrites.

use core::cell::Cell;
use core::ops::Range;
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

    fn requests(&self, id: u64) -> usize {
        self.node(id).status().requests
    }

    fn set_down(&mut self, at: u64, node: u64, down: bool) {
        self.nodes.get_mut(&at).unwrap().set_down(NodeId::new(node), down);
    }

    /// A node goes by the next layout, with the same replicas.
    fn change_layout(&mut self, at: u64) {
        let epoch = self.node(at).layout().epoch + 1;
        let layout = Same { epoch, ..self.layout.clone() };
        self.nodes.get_mut(&at).unwrap().force_layout(layout);
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
        let from = self.now;
        let limit = from.after(100_000_000).after(self.round_trip_us.saturating_mul(4_000));
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

    /// Node 1 writes these keys.
    fn write(&mut self, keys: Range<u32>, sloppy: bool) {
        let at_once = self.config.max_requests.min(1_000);
        for key in keys {
            let options = WriteOptions { level: Level::All, sloppy, ..WriteOptions::default() };
            let (now, value) = (self.now, Tagged::nth(1, key));
            let node = self.nodes.get_mut(&1).unwrap();
            node.write(now, &key.to_be_bytes(), value, options).unwrap();
            if node.status().requests == at_once {
                self.run_until(|world| world.requests(1) == 0);
            }
        }
        self.run_until(|world| world.requests(1) == 0);
    }
}

/// Three nodes, of which the third was erased after so many keys were written.
fn with_an_erased_node(keys: u32, config: Config, round_trip_us: u64) -> World {
    let mut world = World::new(&Same::new(&[1, 2, 3]), &[1, 2, 3], config, round_trip_us);
    world.write(0..keys, false);
    world.boot(3, 2);
    world
}

/// Three replicas, and a fallback that keeps so many hints for the third of them, which is said to be down.
fn with_hints(hints: u32, config: Config, round_trip_us: u64) -> World {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut world = World::new(&layout, &[1, 2, 3, 4], config, round_trip_us);
    [1, 4].into_iter().for_each(|id| world.set_down(id, 3, true));
    world.write(0..hints, true);
    assert_eq!(world.node(4).status().hints, hints as usize);
    world
}

/// How long it takes until a node of three, which was erased, has all keys again, in µs.
fn rebuild(keys: u32, config: Config, round_trip_us: u64) -> u64 {
    let mut world = with_an_erased_node(keys, config, round_trip_us);
    let took = world.run_until(|world| world.node(3).status().founded);
    assert_eq!(world.node(3).status().keys, keys as usize);
    took
}

/// How long it takes until a fallback has handed all hints over, in µs.
fn hand_over(hints: u32, config: Config, round_trip_us: u64) -> u64 {
    let mut world = with_hints(hints, config, round_trip_us);
    world.set_down(4, 3, false);
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
    for (most, trips) in [(1, 200), (4, 2 + 50), (16, 4 + 12), (32, 5 + 6)] {
        assert_eq!(hand_over(200, far(most), FAR_US) / FAR_US, trips, "{most} at once");
    }
}

#[test]
fn repairs_and_hints_leave_the_application_most_of_its_requests() {
    for (max_requests, expected) in [(1, 1), (8, 1), (32, 4), (4_096, 32)] {
        let config = Config { max_requests, max_repairs: 32, ..Config::lan() };
        let most = Cell::new(0);
        let mut world = with_an_erased_node(200, config, 500);
        world.run_until(|world| {
            most.set(most.get().max(world.requests(1)).max(world.requests(2)));
            world.node(3).status().founded
        });
        assert_eq!(most.take(), expected, "repairs with {max_requests}");
        let mut world = with_hints(200, config, 500);
        world.set_down(4, 3, false);
        world.run_until(|world| {
            most.set(most.get().max(world.requests(4)));
            world.node(4).status().hints == 0
        });
        assert_eq!(most.take(), expected, "hints with {max_requests}");
    }
}

#[test]
fn change_of_the_layout_cancels_what_is_under_way_and_it_begins_anew() {
    let mut world = with_an_erased_node(200, Config::lan(), 500);
    world.run_until(|world| world.requests(1).max(world.requests(2)) == 16);
    [1, 2].into_iter().for_each(|id| world.change_layout(id));
    assert_eq!((world.requests(1), world.requests(2)), (0, 0));
    world.change_layout(3);
    world.run_until(|world| world.node(3).status().founded);
    assert_eq!(world.node(3).status().keys, 200);

    let mut world = with_hints(200, Config::lan(), 500);
    world.set_down(4, 3, false);
    world.run_until(|world| world.requests(4) == 16);
    world.change_layout(4);
    assert_eq!(world.requests(4), 0);
    (1..4).for_each(|id| world.change_layout(id));
    world.run_until(|world| world.node(4).status().hints == 0);
    assert_eq!(world.node(3).status().keys, 200);
}

#[test]
fn repair_that_fails_gives_the_pass_up_and_cancels_the_others() {
    let mut world = with_an_erased_node(200, Config::lan(), 500);
    // it has room for those that come first
    let config = Config { max_keys: 16, ..world.config };
    let small = Store::new(NodeId::new(3), 3, world.layout.clone(), config).unwrap();
    world.nodes.insert(3, small);
    let is_to_it = |(from, to, _): &(u64, u64, Vec<u8>)| (*from, *to) == (1, 3);
    world.run_until(|world| {
        let under_way = world.wire.values().filter(|envelope| is_to_it(envelope)).count();
        world.node(3).status().keys == 16 && under_way == 16
    });
    // of those that come next it refuses one, and the others are lost
    let mut seen = false;
    world.wire.retain(|_, envelope| !is_to_it(envelope) || !core::mem::replace(&mut seen, true));
    assert_eq!(world.requests(1), 16);
    world.run_until(|world| world.requests(1) < 16);
    assert_eq!(world.requests(1), 0);
    let end = world.now.after(10_000_000);
    world.run_until(|world| world.now >= end);
    assert!(!world.node(3).status().founded); // no pass counts
}

#[test]
fn node_that_does_not_take_a_hint_is_asked_for_one_at_a_time() {
    let mut world = with_hints(200, Config::lan(), 500);
    world.set_down(4, 3, false);
    world.run_until(|world| world.requests(4) == 16);
    let away = world.nodes.remove(&3).unwrap();
    world.run_until(|world| world.requests(4) == 0);
    let (left, most) = (world.node(4).status().hints, Cell::new(0));
    let end = world.now.after(10 * world.config.handoff_us);
    world.run_until(|world| {
        most.set(most.get().max(world.requests(4)));
        world.now >= end
    });
    assert_eq!((most.get(), world.node(4).status().hints), (1, left));
    world.nodes.insert(3, away);
    world.run_until(|world| world.node(4).status().hints == 0);
    assert_eq!(world.node(3).status().keys, 200);
}

#[test]
fn hints_for_nodes_that_are_down_do_not_hold_up_those_for_others() {
    let mut world = with_hints(1_000, Config::lan(), 500);
    world.set_down(1, 3, false);
    [1, 4].into_iter().for_each(|id| world.set_down(id, 2, true));
    world.write(1_000..1_010, true);
    assert_eq!(world.node(4).status().hints, 1_010);
    world.set_down(4, 2, false);
    let took = world.run_until(|world| world.node(4).status().hints == 1_000);
    assert!(took < world.config.handoff_us, "{took} us");
    assert_eq!(world.node(2).status().keys, 1_010);
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
