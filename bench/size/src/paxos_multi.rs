// The programs `paxos_multi` and `paxos_multi_inline` include this; `Kind` is the storage. A node of a log among up to five, with its codec: everything
// that the program of a board calls, in the order that a world beyond the port says.

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Machine as _, NodeId, Quorums};
use quorate_paxos::Member;
use quorate_paxos::multi::{Config, Entries, Event, MultiPaxos, max_message_len};

const LOG_BYTES: usize = 4096;
const LOG_ENTRIES: usize = 128;
const CHUNK_BYTES: usize = 256;
const CONFIG: Config = Config { max_accept_bytes: 384, max_entry_bytes: 256, ..Config::lan() };
const FRAME_BYTES: usize = 512;

type Memory = Kind<5, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>;
type Node = MultiPaxos<Memory>;

const _: () = assert!(max_message_len::<Memory>(&CONFIG) <= FRAME_BYTES);

program!(run, state = Node, content = LOG_BYTES + LOG_ENTRIES * size_of::<u32>());

/// Boots from the records on the port, then does what the port says for ever.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 3].map(|()| Member::new(NodeId::new(port.u64())));
    let (id, seed) = (NodeId::new(port.u64()), port.u64());
    let Ok(mut node) = Node::new(id, members, Quorums::majority(3), CONFIG, seed) else { return };
    if !machine::boot(&mut node, port, &mut frame) || node.resume(port.u64()).is_err() {
        return;
    }
    loop {
        input(&mut node, port, &mut frame);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

/// Whatever happens to a node.
#[inline(never)]
fn input(node: &mut Node, port: &mut Port, frame: &mut [u8]) {
    let done = match port.u8() {
        0 => machine::receive(node, port, frame),
        1 => machine::tick(node, port),
        2 => node.propose(port.read(frame)).is_ok(),
        3 => node.read().is_ok(),
        4 => node.snapshot_taken(port.u64(), port.u64()).is_ok(),
        5 => node.snapshot_installed(port.u64()).is_ok(),
        6 => {
            node.snapshot_refused();
            true
        }
        7 => send_snapshot(node, port, frame),
        8 => machine::checkpoint(node, port, frame),
        9 => {
            node.found();
            true
        }
        10 => {
            let members = [(); 3].map(|()| Member::new(NodeId::new(port.u64())));
            node.reconfigure(members, Quorums::majority(3)).is_ok()
        }
        _ => {
            report(node, port);
            true
        }
    };
    port.write(&[u8::from(done)]);
}

#[inline(never)]
fn send_snapshot(node: &mut Node, port: &mut Port, frame: &mut [u8]) -> bool {
    let (to, slot, offset) = (NodeId::new(port.u64()), port.u64(), port.u64());
    let done = port.u8() != 0;
    node.send_snapshot(to, slot, offset, port.read(frame), done).is_ok()
}

/// The application.
#[inline(never)]
fn tell(event: Event<'_>, port: &mut Port) {
    match event {
        Event::Committed(entries) => apply(entries, port),
        Event::Leading { ballot, .. } | Event::Leaderless { ballot, .. } => {
            port.write(&ballot.round.to_le_bytes());
        }
        Event::Following { leader, ballot, .. } => {
            port.write(&ballot.round.to_le_bytes());
            port.write(&leader.get().to_le_bytes());
        }
        Event::SnapshotWanted { to, slot, offset, max_len } => {
            port.write(&to.get().to_le_bytes());
            port.write(&slot.to_le_bytes());
            port.write(&offset.to_le_bytes());
            port.write(&max_len.to_le_bytes());
        }
        Event::SnapshotChunk { slot, offset, data, done } => {
            port.write(&slot.to_le_bytes());
            port.write(&offset.to_le_bytes());
            port.write(data);
            port.write(&[u8::from(done)]);
        }
        Event::LogFull => port.write(b"F"),
        _ => port.write(b"R"),
    }
}

fn apply(entries: Entries<'_>, port: &mut Port) {
    for entry in entries.iter() {
        port.write(&entry.slot.to_le_bytes());
        port.write(&[entry.kind as u8]);
        port.write(entry.data);
    }
}

/// What a person is shown.
#[inline(never)]
fn report(node: &Node, port: &mut Port) {
    let status = node.status();
    port.write(&[status.role as u8]);
    port.write(&status.promised.round.to_le_bytes());
    port.write(&status.commit.to_le_bytes());
    port.write(&node.rejections().total().to_le_bytes());
}
