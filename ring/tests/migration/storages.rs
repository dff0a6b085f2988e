//! Both storages take the same, answer the same and refuse the same.

use quorate_core::{Instant, Machine, NodeId, Output, Rng, Wire};
use quorate_ring::Heap;
use quorate_ring::migration::{
    Config, Event, Inline, Message, Migration, Progress, Record, Refusal, Storage,
};
use quorate_ring::topology::Version;

const RANGES: u64 = 4;
const CHUNK: usize = 12;
const CURSOR: usize = 2;

/// Limits of [`Heap`] that are those of the [`Inline`] below.
const CONFIG: Config = Config {
    retry_us: 10_000,
    stall_us: 40_000,
    bytes_per_second: 10_000,
    max_open: 3,
    max_members: 3,
    max_handovers: 2,
    max_chunk_bytes: CHUNK,
    max_cursor_bytes: CURSOR,
};

fn ids() -> [NodeId; 3] {
    [1, 2, 3].map(NodeId::new)
}

struct Host<S: Storage> {
    machine: Migration<u64, S>,
    log: Vec<Vec<u8>>,
}

impl<S: Storage> Host<S> {
    fn restored(at: usize, log: Vec<Vec<u8>>) -> Self {
        let mut machine = Migration::new(ids()[at], &ids(), CONFIG).unwrap();
        for record in &log {
            machine.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        Self { machine, log }
    }
}

/// All that three nodes say, record, tell, refuse and show while commands and messages come in a random order.
fn transcript<S: Storage>(seed: u64) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let mut hosts: Vec<Host<S>> = (0..3).map(|at| Host::restored(at, Vec::new())).collect();
    let (mut network, mut lines, mut now) = (Vec::new(), Vec::new(), Instant::ZERO);
    for _ in 0..1_000 {
        let at = rng.below(3) as usize;
        now = now.after(rng.below(1_000));
        let machine = &mut hosts[at].machine;
        machine.tick(now);
        let range = rng.below(RANGES);
        let bytes = [7; 2 * CHUNK];
        let some = &bytes[..rng.below(CHUNK as u64 + 3) as usize];
        let said = match rng.below(20) {
            0..3 => {
                let to = ids()[rng.below(3) as usize];
                format!("{:?}", machine.begin(range, to, Version { epoch: 1, digest: 2 }))
            }
            3..6 => {
                let cursor = &bytes[..rng.below(CURSOR as u64 + 2) as usize];
                let cursor = rng.chance(1, 2).then_some(cursor);
                format!("{:?}", machine.provide(range, some, cursor))
            }
            6..8 => format!("{:?}", machine.forward(range, some)),
            8 => format!("{:?}", machine.release(range)),
            9 if rng.chance(1, 3) => format!("{:?}", machine.cancel(range)),
            9 => format!("{:?}", machine.reclaim(range)),
            10 | 11 => format!("{:?}", machine.accept(range)),
            12 if rng.chance(1, 4) => {
                format!("{:?}", machine.refuse(range, Refusal::Unwanted))
            }
            12 | 13 => format!("{:?}", machine.applied(range)),
            14 => format!("{:?}", machine.retire(range)),
            15 if rng.chance(1, 8) => {
                let log = if rng.chance(1, 2) {
                    machine.checkpoint().map(|record| record.to_vec()).collect()
                } else {
                    hosts[at].log.clone()
                };
                hosts[at] = Host::restored(at, log);
                "restarted".into()
            }
            _ if network.is_empty() => String::new(),
            _ => {
                let place = rng.below(network.len() as u64) as usize;
                let (from, to, bytes): (usize, usize, Vec<u8>) = network.swap_remove(place);
                let message = Message::from_slice(&bytes).unwrap();
                format!("{:?}", hosts[to].machine.receive(now, ids()[from], message))
            }
        };
        lines.push(said);
        for (at, host) in hosts.iter_mut().enumerate() {
            let mut last = None;
            while let Some(output) = host.machine.poll() {
                lines.push(format!("{at} {output:?}"));
                match output {
                    Output::Persist(ticket, record) => {
                        host.log.push(record.to_vec());
                        last = Some(ticket);
                    }
                    Output::Send(to, message) => {
                        network.push((at, to.get() as usize - 1, message.to_vec()));
                    }
                    Output::Event(Event::Arrived { .. }) => lines.push("arrived".into()),
                    Output::Event(_) => {}
                }
            }
            if let Some(ticket) = last {
                host.machine.persisted(ticket);
            }
            let machine = &host.machine;
            lines.push(format!("{:?} {:?}", machine.status(), machine.deadline()));
            lines.push(format!("{:?}", machine.checkpoint().collect::<Vec<_>>()));
            for range in 0..RANGES {
                lines.push(format!("{:?}", machine.ownership(range)));
            }
            let is_over = |progress: Progress| progress == Progress::Closed;
            lines.push(format!("{}", machine.outgoing().any(|one| is_over(one.progress))));
        }
    }
    lines
}

#[test]
fn heap_and_inline_behave_alike() {
    let mut all = Vec::new();
    for seed in 0..40 {
        let inline = transcript::<Inline<3, 2, CHUNK, CURSOR>>(seed);
        let heap = transcript::<Heap>(seed);
        let same = inline.iter().zip(&heap).take_while(|(one, other)| one == other).count();
        assert_eq!(inline.get(same), heap.get(same), "seed {seed}, line {same}");
        all.extend(inline);
    }
    // each limit was reached, and ranges changed hands
    let reached =
        ["Err(Full)", "Err(TooLong)", "Err(Busy)", "Err(Overlap)", "reason: Full", "arrived"];
    for what in reached {
        assert!(all.iter().any(|line| line.contains(what)), "{what}: never");
    }
}
