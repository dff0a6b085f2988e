//! A node of the quorum store with a linearizable register for each of sixteen keys, on a ring of eight nodes: replica and coordinator, hints, sweeps,
//! deletes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Instant, Machine as _, NodeId};
use quorate_ring::quorum::{
    Config, Event, Inline, Level, Node, Order, ReadOptions, ReadRepair, Replicated, Tagged,
    WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};

const KEYS: usize = 16;
const KEY_BYTES: usize = 16;
/// The longest encoding of a value: four numbers, and that there is one, and the number that it is.
const VALUE_BYTES: usize = 5 * 10 + 1;
const CONFIG: Config = Config { max_key_len: KEY_BYTES, ..Config::radio() };
const FRAME_BYTES: usize = 384;

type Value = Tagged<u64>;
type Ring = HashRing<quorate_ring::Inline<8, 128>>;
type Store = Node<Value, Replicated<Ring>, Inline<KEYS, KEY_BYTES, 4, 8, 4>>;

const _: () = assert!(Store::max_message_len(&CONFIG, VALUE_BYTES, 0) <= FRAME_BYTES);
const _: () = assert!(Store::max_record_len(&CONFIG, VALUE_BYTES) <= FRAME_BYTES);

program!(run, state = Store, content = KEYS * (KEY_BYTES + size_of::<Value>()));

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let Some(layout) = layout(port) else { return };
    let Ok(mut node) = Store::new(NodeId::new(port.u64()), port.u64(), layout, CONFIG) else {
        return;
    };
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
fn input(node: &mut Store, port: &mut Port, frame: &mut [u8]) -> bool {
    match port.u8() {
        0 => machine::receive(node, port, frame),
        1 => machine::tick(node, port),
        2 => machine::checkpoint(node, port, frame),
        3 => write(node, port, frame),
        4 => read(node, port, frame),
        5 => {
            node.set_down(NodeId::new(port.u64()), port.u8() != 0);
            true
        }
        6 => {
            node.found();
            true
        }
        7 => change_layout(node, port),
        _ => report(node, port),
    }
}

#[inline(never)]
fn layout(port: &mut Port) -> Option<Replicated<Ring>> {
    let mut ring = Ring::new(KeyHash::new([port.u64(), port.u64()]), 16);
    for _ in 0..port.u8() {
        ring.add(Member::new(NodeId::new(port.u64()))).ok()?;
    }
    let version = Version { epoch: port.u64(), digest: port.u64() };
    Some(Replicated::new(version, ring, 3).with_fallbacks(1))
}

#[inline(never)]
fn change_layout(node: &mut Store, port: &mut Port) -> bool {
    layout(port).is_some_and(|layout| node.set_layout(layout).is_ok())
}

#[inline(never)]
fn write(node: &mut Store, port: &mut Port, frame: &mut [u8]) -> bool {
    let (now, level, sloppy) =
        (Instant::from_micros(port.u64()), Level::Count(port.u8()), port.u8() != 0);
    let value = if port.u8() == 0 { Value::tombstone() } else { Value::new(port.u64()) };
    let options = WriteOptions { level, primaries: 0, sloppy, order: Order::AfterRead };
    node.write(now, port.read(frame), value, options).is_ok()
}

#[inline(never)]
fn read(node: &mut Store, port: &mut Port, frame: &mut [u8]) -> bool {
    let (now, level, sloppy) =
        (Instant::from_micros(port.u64()), Level::Count(port.u8()), port.u8() != 0);
    let options = ReadOptions { level, primaries: 0, sloppy, repair: ReadRepair::Blocking };
    node.read(now, port.read(frame), options).is_ok()
}

#[inline(never)]
fn report(node: &Store, port: &mut Port) -> bool {
    let status = node.status();
    port.write(&[u8::from(status.founded), u8::from(status.synchronized)]);
    port.write(&status.floor.to_le_bytes());
    port.write(&status.keys.to_le_bytes());
    port.write(&node.rejections().total().to_le_bytes());
    status.founded
}

/// The application.
#[inline(never)]
fn tell(event: Event<'_, Value>, port: &mut Port) {
    match event {
        Event::Written { request, superseded, .. } => {
            port.write(&request.get().to_le_bytes());
            port.write(&[u8::from(superseded)]);
        }
        Event::Found { request, value } => {
            port.write(&request.get().to_le_bytes());
            if let Some(value) = value.and_then(Value::get) {
                port.write(&value.to_le_bytes());
            }
        }
        Event::Failed { request, .. } => {
            port.write(&request.get().to_le_bytes());
            port.write(b"!");
        }
        Event::Swept { with } => port.write(&with.get().to_le_bytes()),
        _ => port.write(b"?"),
    }
}
