//! A board's table of sessions, for eight clients with two commands in flight each: everything that a program calls, in the order
//! in which the port asks for it.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_core::{Instant, Reader, Wire, Writer};
use quorate_log::session::{
    Call, Client, ClusterClock, Config, Inline, Request, Response, SessionId, Sessions, WhenFull,
};

const SESSIONS: usize = 8;
const WINDOW: usize = 2;
const MAX_RESPONSE_BYTES: usize = 16;
const FRAME_BYTES: usize = 512;

type Table = Sessions<Inline<SESSIONS, WINDOW, MAX_RESPONSE_BYTES>>;

program!(run, state = Table, content = SESSIONS * WINDOW * MAX_RESPONSE_BYTES);

/// What the application does with a command: it counts them.
#[derive(Default)]
struct Counter(u64);

fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let config = Config {
        max_sessions: SESSIONS,
        window: WINDOW,
        max_response_bytes: MAX_RESPONSE_BYTES,
        timeout_us: port.u64(),
        when_full: if port.u8() == 0 { WhenFull::Refuse } else { WhenFull::EvictOldest },
    };
    let Ok(mut table) = Table::new(config) else { return };
    let mut clock = ClusterClock::new(Instant::from_micros(port.u64()));
    let mut client = Client::new(SessionId::new(port.u64()), WINDOW);
    let mut counter = Counter::default();
    loop {
        let ok = match port.u8() {
            0 => apply(&mut table, &mut counter, port, &mut frame),
            1 => request(&mut client, &mut clock, port, &mut frame),
            2 => client.finish(port.u64()),
            3 => snapshot(&table, port, &mut frame),
            4 => table.restore(&mut Reader::new(port.read(&mut frame))).is_ok(),
            _ => look(&table, port),
        };
        clock.observe(table.time_us(), Instant::from_micros(port.u64()));
        port.write(&[u8::from(ok)]);
    }
}

/// A committed entry.
#[inline(never)]
fn apply(table: &mut Table, counter: &mut Counter, port: &mut Port, frame: &mut [u8]) -> bool {
    let index = port.u64();
    let call = port.read(frame);
    let run = |command: &[u8]| {
        counter.0 = counter.0.wrapping_add(u64::from(command.first().copied().unwrap_or(0)));
        counter.0.to_le_bytes()
    };
    match table.apply(index, call, run) {
        Ok(Response::Applied(response) | Response::Duplicate(response)) => port.write(response),
        Ok(Response::Registered(session)) => port.write(&session.get().to_le_bytes()),
        Ok(_) => port.write(b"+"),
        Err(_) => return false,
    }
    true
}

/// A request of the client on this board.
#[inline(never)]
fn request(
    client: &mut Client,
    clock: &mut ClusterClock,
    port: &mut Port,
    frame: &mut [u8],
) -> bool {
    let time_us = clock.stamp(Instant::from_micros(port.u64()));
    let command = [port.u8()];
    let request = match port.u8() {
        0 => Request::Register { token: port.u64() },
        1 => client.keep_alive(),
        2 => Request::Close { session: client.session() },
        _ => match client.begin() {
            Some(serial) => client.request(serial, &command),
            None => return false,
        },
    };
    let Ok(bytes) = (Call { time_us, request }).to_slice(frame) else { return false };
    port.write(bytes);
    true
}

#[inline(never)]
fn snapshot(table: &Table, port: &mut Port, frame: &mut [u8]) -> bool {
    let mut out = Writer::new(frame);
    table.encode(&mut out);
    out.finish().is_ok_and(|bytes| {
        port.write(bytes);
        true
    })
}

#[inline(never)]
fn look(table: &Table, port: &mut Port) -> bool {
    let session = SessionId::new(port.u64());
    if let Some(response) = table.response(session, port.u64()) {
        port.write(response);
    }
    port.write(&[u8::from(table.is_alive(session)), u8::from(table.len() > 0)]);
    true
}
