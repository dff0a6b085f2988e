//! Clients that write large values to a running cluster, and whether it keeps its leader meanwhile.
//!
//! With `quorate-kv cluster` in another terminal:
//!
//! ```text
//! cargo run --release -p quorate-kv --example large_values -- --clients 64 --mib 4 --seconds 60
//! ```
//!
//! Each client sends `SET` after `SET` to one of the nodes, over keys of its own, and waits for each reply. At the end the terms of
//! all nodes before and after are printed, with the replies that were errors. Exit code 1 if a term changed or a reply was an error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

struct Options {
    nodes: Vec<String>,
    clients: usize,
    bytes: usize,
    seconds: u64,
}

#[derive(Default)]
struct Tally {
    acknowledged: AtomicU64,
    errors: AtomicU64,
    slowest_ms: AtomicU64,
    over: AtomicBool,
}

fn main() -> ExitCode {
    let options = options();
    let before: Vec<_> = options.nodes.iter().map(|node| term(node)).collect();
    let tally = Tally::default();
    let started = Instant::now();
    thread::scope(|scope| {
        for client in 0..options.clients {
            let (options, tally) = (&options, &tally);
            scope.spawn(move || write_values(options, client, tally));
        }
        thread::sleep(Duration::from_secs(options.seconds));
        tally.over.store(true, Relaxed);
    });
    let seconds = started.elapsed().as_secs_f64();
    let after: Vec<_> = options.nodes.iter().map(|node| term(node)).collect();
    let (acknowledged, errors) = (tally.acknowledged.load(Relaxed), tally.errors.load(Relaxed));
    println!(
        "{} clients, {} bytes a value, {seconds:.0} s: {acknowledged} acknowledged ({:.1} a second), {errors} errors, slowest {} ms",
        options.clients,
        options.bytes,
        acknowledged as f64 / seconds,
        tally.slowest_ms.load(Relaxed),
    );
    println!("terms before {before:?}, after {after:?}");
    if errors == 0 && before == after { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const HELP: &str = "\
Writes large values to a running cluster, and tells whether its leader stayed.

Usage: large_values [OPTIONS]        (with `quorate-kv cluster` in another terminal)

  --nodes HOST:PORT,…  where clients reach the nodes
                       [default: 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003]
  --clients N          clients, each with one connection and one key [default: 64]
  --mib N              MiB of each value, at most 4 [default: 64 bytes less than 4 MiB]
  --bytes N            bytes of each value, instead of --mib
  --seconds N          how long they write [default: 60]
  -h, --help           this text

Exit code 0 if no term changed and no reply was an error, 1 if one did, 2 if an option is wrong
or a node cannot be reached.
Example: large_values --clients 16 --mib 1 --seconds 10";

/// Ends the program with a plain sentence.
fn fail(what: &str) -> ! {
    eprintln!("error: {what}");
    std::process::exit(2)
}

fn options() -> Options {
    let nodes = ["127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"].map(str::to_owned).to_vec();
    let mut options = Options { nodes, clients: 64, bytes: (4 << 20) - 64, seconds: 60 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-h" | "--help" => {
                println!("{HELP}");
                std::process::exit(0);
            }
            "--nodes" | "--clients" | "--mib" | "--bytes" | "--seconds" => {}
            _ => fail(&format!("there is no option {word}; --help lists them")),
        }
        let value = words.next().unwrap_or_else(|| fail(&format!("{word} needs a value")));
        if word == "--nodes" {
            options.nodes = value.split(',').map(str::to_owned).collect();
            continue;
        }
        let number = match value.parse::<u32>() {
            Ok(number @ 1..) => number as usize,
            _ => fail(&format!("{word} takes a number from 1 on, and {value:?} is none")),
        };
        match word.as_str() {
            "--clients" => options.clients = number,
            "--mib" => options.bytes = number << 20,
            "--bytes" => options.bytes = number,
            _ => options.seconds = number as u64,
        }
    }
    if options.bytes > 4 << 20 {
        fail("a value has at most 4 MiB: give a smaller --mib or --bytes");
    }
    options
}

/// A connection to a node, or the end of the program.
fn connect(node: &str) -> TcpStream {
    TcpStream::connect(node).unwrap_or_else(|error| {
        fail(&format!(
            "cannot reach a node at {node}: {error}; start `quorate-kv cluster`, or name the nodes \
             by --nodes"
        ))
    })
}

fn write_values(options: &Options, client: usize, tally: &Tally) {
    let node = &options.nodes[client % options.nodes.len()];
    let value = vec![b'a' + (client % 26) as u8; options.bytes];
    let mut stream = connect(node);
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    while !tally.over.load(Relaxed) {
        let started = Instant::now();
        let head = format!("*3\r\n$3\r\nSET\r\n$8\r\nlarge{client:03}\r\n${}\r\n", value.len());
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&value))
            .and_then(|()| stream.write_all(b"\r\n"));
        let mut reply = String::new();
        let received = sent.and_then(|()| replies.read_line(&mut reply));
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tally.slowest_ms.fetch_max(ms, Relaxed);
        if received.is_ok() && reply == "+OK\r\n" {
            tally.acknowledged.fetch_add(1, Relaxed);
            continue;
        }
        tally.errors.fetch_add(1, Relaxed);
        eprintln!("client {client} at {node} after {ms} ms: {received:?} {reply:?}");
        if received.is_err() || reply.is_empty() {
            stream = connect(node);
            replies = BufReader::new(stream.try_clone().unwrap());
        }
    }
}

/// The node's term, by its `INFO`.
fn term(node: &str) -> u64 {
    let mut stream = connect(node);
    stream.write_all(b"INFO\r\n").unwrap();
    let mut replies = BufReader::new(stream);
    let mut head = String::new();
    replies.read_line(&mut head).unwrap();
    let length = head.trim_start_matches('$').trim_end().parse().expect("a bulk string");
    let mut info = vec![0; length];
    replies.read_exact(&mut info).unwrap();
    let info = String::from_utf8_lossy(&info);
    let term = info.lines().find_map(|line| line.strip_prefix("term:")).expect("a term in INFO");
    term.trim().parse().expect("a number")
}
