// The programs `raft` and `raft_inline` include this; `Kind` is the storage.

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Machine as _, NodeId};
use quorate_raft::{Config, Entries, Event, Raft, ReplicatedLog as _};

const LOG_BYTES: usize = 4096;
const LOG_ENTRIES: usize = 128;
const PART_BYTES: usize = 256;
const CONFIG: Config = Config { max_append_bytes: 400, max_entry_bytes: 256, ..Config::lan() };
const FRAME_BYTES: usize = 512;

type Node = Raft<Kind<5, LOG_BYTES, LOG_ENTRIES, PART_BYTES>>;

const _: () = assert!(Node::max_message_len(&CONFIG) <= FRAME_BYTES);

program!(run, state = Node, content = LOG_BYTES + LOG_ENTRIES * size_of::<u32>());

/// Boots from the records on the port, then does what the port says until it says to stop.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let voters = [port.u64(), port.u64(), port.u64()].map(NodeId::new);
    let Ok(mut node) = Node::new(NodeId::new(port.u64()), &voters, CONFIG, port.u64()) else {
        return;
    };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    if node.resume(port.u64(), port.u64()).is_err() {
        return;
    }
    while node.fatal().is_none() {
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
        _ => {
            report(node, port);
            true
        }
    };
    port.write(&[u8::from(done)]);
}

#[inline(never)]
fn send_snapshot(node: &mut Node, port: &mut Port, frame: &mut [u8]) -> bool {
    let (to, index, offset) = (NodeId::new(port.u64()), port.u64(), port.u64());
    let done = port.u8() != 0;
    node.send_snapshot(to, index, offset, port.read(frame), done).is_ok()
}

/// The application.
#[inline(never)]
fn tell(event: Event<'_>, port: &mut Port) {
    match event {
        Event::Committed(entries) => apply(entries, port),
        Event::Leading { term } | Event::Leaderless { term } => {
            port.write(&term.to_le_bytes());
        }
        Event::Following { leader, term } => {
            port.write(&term.to_le_bytes());
            port.write(&leader.get().to_le_bytes());
        }
        Event::SnapshotWanted { to, index, offset, max_len } => {
            port.write(&to.get().to_le_bytes());
            port.write(&index.to_le_bytes());
            port.write(&offset.to_le_bytes());
            port.write(&max_len.to_le_bytes());
        }
        Event::SnapshotChunk { index, index_term, offset, data, done } => {
            port.write(&index.to_le_bytes());
            port.write(&index_term.to_le_bytes());
            port.write(&offset.to_le_bytes());
            port.write(data);
            port.write(&[u8::from(done)]);
        }
        Event::Fatal(reason) => port.write(&[reason as u8]),
        Event::LogFull => port.write(b"F"),
        _ => port.write(b"R"),
    }
}

fn apply(entries: Entries<'_>, port: &mut Port) {
    for entry in entries {
        port.write(&entry.index.to_le_bytes());
        port.write(&[entry.kind as u8]);
        port.write(entry.data);
    }
}

/// What a person is shown.
#[inline(never)]
fn report(node: &Node, port: &mut Port) {
    let status = node.status();
    port.write(&[status.role as u8]);
    port.write(&status.term.to_le_bytes());
    port.write(&status.commit.to_le_bytes());
    port.write(&node.rejections().total().to_le_bytes());
    for peer in node.peers() {
        port.write(&[peer.replication as u8]);
        port.write(&peer.match_index.to_le_bytes());
        port.write(&peer.silent_us.to_le_bytes());
    }
}
