//! A migration between five nodes: two hand-overs of token ranges in each direction, in chunks of 256 bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Machine as _, NodeId};
use quorate_ring::migration::{
    Config, Event, Inline, Item, Migration, Ownership, Progress, Refusal,
};
use quorate_ring::topology::Version;
use quorate_ring::{Token, TokenRange};

const HANDOVERS: usize = 2;
const CHUNK_BYTES: usize = 256;
const CURSOR_BYTES: usize = 16;
const CONFIG: Config = Config::radio();
const FRAME_BYTES: usize = 384;

type Node = Migration<TokenRange, Inline<5, HANDOVERS, CHUNK_BYTES, CURSOR_BYTES>>;

const _: () = assert!(Node::max_message_len(&CONFIG) <= FRAME_BYTES);
const _: () = assert!(Node::max_record_len(&CONFIG) <= FRAME_BYTES);

// a chunk, the writes that wait and those under way of each hand-over that leaves, and a chunk of each that comes
program!(run, state = Node, content = HANDOVERS * 3 * CHUNK_BYTES);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let Ok(mut node) = Node::new(NodeId::new(port.u64()), &members, CONFIG) else { return };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = input(&mut node, port, &mut frame);
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

/// Whatever happens to a node.
#[inline(never)]
fn input(node: &mut Node, port: &mut Port, frame: &mut [u8]) -> bool {
    match port.u8() {
        0 => machine::receive(node, port, frame),
        1 => machine::tick(node, port),
        2 => machine::checkpoint(node, port, frame),
        3 => {
            let (range, to) = (range(port), NodeId::new(port.u64()));
            node.begin(range, to, Version { epoch: port.u64(), digest: port.u64() }).is_ok()
        }
        4 => provide(node, port, frame),
        5 => node.forward(range(port), port.read(frame)).is_ok(),
        6 => node.release(range(port)).is_ok(),
        7 => node.cancel(range(port)).is_ok(),
        8 => node.reclaim(range(port)).is_ok(),
        9 => node.accept(range(port)).is_ok(),
        10 => node.refuse(range(port), Refusal::Full).is_ok(),
        11 => node.applied(range(port)).is_ok(),
        12 => node.retire(range(port)).is_ok(),
        13 => look_up(node, port),
        _ => report(node, port),
    }
}

#[inline(never)]
fn range(port: &mut Port) -> TokenRange {
    TokenRange::new(Token::new(port.u64()), Token::new(port.u64()))
}

#[inline(never)]
fn provide(node: &mut Node, port: &mut Port, frame: &mut [u8]) -> bool {
    let range = range(port);
    let mut cursor = [0; CURSOR_BYTES];
    let more = port.u8() != 0;
    let cursor = port.read(&mut cursor);
    node.provide(range, port.read(frame), more.then_some(cursor)).is_ok()
}

#[inline(never)]
fn look_up(node: &Node, port: &mut Port) -> bool {
    let token = Token::new(port.u64());
    match node.ownership(TokenRange::new(token, token)) {
        Ownership::Settled => {}
        Ownership::HandingOver(other)
        | Ownership::Releasing(other)
        | Ownership::Released(other)
        | Ownership::Arriving(other)
        | Ownership::Arrived(other) => port.write(&other.get().to_le_bytes()),
        _ => port.write(b"?"),
    }
    true
}

#[inline(never)]
fn report(node: &Node, port: &mut Port) -> bool {
    for handover in node.outgoing().chain(node.incoming()) {
        port.write(&handover.peer.get().to_le_bytes());
        port.write(&[u8::from(handover.progress >= Progress::Released)]);
    }
    port.write(&node.rejections().total().to_le_bytes());
    node.status().stalled
}

/// The application.
#[inline(never)]
fn tell(event: Event<'_, TokenRange>, port: &mut Port) {
    match event {
        Event::Read { range, after, .. } => {
            send(range, port);
            port.write(after);
        }
        Event::Apply { range, item: Item::Chunk(chunk), .. } => {
            send(range, port);
            port.write(chunk);
        }
        Event::Apply { range, item: Item::Writes(writes), .. } => {
            send(range, port);
            writes.iter().for_each(|write| port.write(write));
        }
        Event::Forwarded { range, write } => {
            send(range, port);
            port.write(&write.to_le_bytes());
        }
        Event::Copied { range, .. }
        | Event::Released { range, .. }
        | Event::Closed { range, .. }
        | Event::Arrived { range, .. } => send(range, port),
        _ => port.write(b"?"),
    }
}

fn send(range: TokenRange, port: &mut Port) {
    port.write(&range.first.get().to_le_bytes());
    port.write(&range.last.get().to_le_bytes());
}
