//! Clients that do not read their replies take a bounded part of a node's memory, and hold up nobody for long.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::common::{Cluster, connect, until};

/// Three of them are the longest replies that are sent together.
const LONG: usize = (4 << 20) - 100;
const REQUESTS: &[u8] = b"GET long\r\nGET long\r\nGET long\r\n";
const CLIENTS: usize = 200;
/// As many take twice what may wait at a time.
const READERS: usize = 40;

fn cluster(name: &str) -> (Cluster, [usize; 2]) {
    let mut cluster = Cluster::start(name, 3, &["--timeout-ms", "60000"]);
    let leader = cluster.wait_for_agreement();
    cluster.client(leader).call_ok(&["SET", "long", &"x".repeat(LONG)]);
    cluster.client(leader).call_ok(&["SET", "short", "1"]);
    cluster.wait_until_converged();
    (cluster, [leader, (leader + 1) % 3])
}

/// The most memory that a node's process had, in bytes.
fn peak(cluster: &Cluster, index: usize) -> u64 {
    let id = cluster.info(index, "process_id").unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn unread_replies_take_bounded_memory() {
    let (cluster, nodes) = cluster("unread");
    for node in nodes {
        let idle: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut socket = connect(cluster.ports[node]);
                socket.write_all(REQUESTS).unwrap();
                socket
            })
            .collect();
        until("clients that read nothing to be closed", || {
            (cluster.number(node, "slow_clients_closed") > 0).then_some(())
        });
        assert_eq!(cluster.client(node).call_ok(&["GET", "short"]).text(), "1");
        let peak = peak(&cluster, node);
        println!("at most {} MiB", peak >> 20);
        // 2,400 MiB were asked for; 256 wait, or 512 of what another node sent already, and the allocator keeps some
        assert!(peak < 1_100 << 20, "{} MiB", peak >> 20);
        drop(idle);
        until("what waited to be given back", || {
            (cluster.number(node, "unread_reply_bytes") == 0).then_some(())
        });
    }
}

#[test]
fn any_number_of_reading_clients_is_served() {
    let (cluster, nodes) = cluster("readers");
    for node in nodes {
        thread::scope(|scope| {
            for _ in 0..READERS {
                let mut socket = connect(cluster.ports[node]);
                scope.spawn(move || {
                    socket.write_all(REQUESTS).unwrap();
                    // no more than it must: a client that has something else to do is slow
                    let reply = format!("${LONG}\r\n").len() + LONG + 2;
                    let (mut missing, mut part) = (3 * reply, vec![0; 256 << 10]);
                    while missing > 0 {
                        let read = socket.read(&mut part).unwrap();
                        assert!(read > 0, "closed, and {missing} bytes missing");
                        missing -= read;
                    }
                    assert!(part.contains(&b'x'));
                });
            }
        });
        println!("at most {} MiB", peak(&cluster, node) >> 20);
        assert_eq!(cluster.number(node, "slow_clients_closed"), 0);
    }
}

#[test]
fn muted_replies_take_no_memory() {
    let cluster = Cluster::start("muted", 1, &["--timeout-ms", "60000"]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "long", &"x".repeat(LONG)]);
    let mut muted = connect(cluster.ports[0]);
    // they go off in batches of a few, and would be more than may wait
    let asks = "GET long\r\nPING\r\n".repeat(200);
    muted.write_all(format!("CLIENT REPLY OFF\r\n{asks}").as_bytes()).unwrap();
    until("all of them to be executed", || {
        (cluster.number(0, "total_commands_processed") > 400).then_some(())
    });
    until("nothing to wait", || (cluster.number(0, "unread_reply_bytes") == 0).then_some(()));
    assert_eq!(cluster.client(0).call_ok(&["STRLEN", "long"]).number(), LONG as u64);
    assert_eq!(cluster.client(0).call_ok(&["GET", "long"]).text().len(), LONG);
    assert_eq!(cluster.number(0, "slow_clients_closed"), 0);
}

#[test]
fn client_lists_are_refused_without_memory() {
    let cluster = Cluster::start("listed", 1, &["--timeout-ms", "60000"]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "long", &"x".repeat(LONG)]);
    let name = "n".repeat(1_000);
    let _named: Vec<_> = (0..60)
        .map(|_| {
            let mut client = cluster.client(0);
            assert_eq!(client.call(&["CLIENT", "SETNAME", &name]).unwrap().text(), "OK");
            assert_eq!(client.call(&["CLIENT", "SETINFO", "LIB-VER", &name]).unwrap().text(), "OK");
            client
        })
        .collect();
    let mut silent = connect(cluster.ports[0]);
    // the system takes some of it
    silent.write_all(&b"CLIENT LIST\r\n".repeat(200)).unwrap();
    until("a list to wait", || (cluster.number(0, "unread_reply_bytes") > 100_000).then_some(()));
    drop(silent);
    let mut client = cluster.client(0);
    let mut others = Vec::new();
    until("a list to be refused", || {
        let mut other = connect(cluster.ports[0]);
        other.write_all(REQUESTS).unwrap();
        others.push(other);
        let list = client.call(&["CLIENT", "LIST"]).unwrap().text();
        assert!(list.starts_with("TRYAGAIN ") || list.len() > 120_000, "{list}");
        list.starts_with("TRYAGAIN ").then_some(())
    });
    drop(others);
    let list = client.call_until(&["CLIENT", "LIST"], "id=");
    assert!(list.len() > 120_000);
    // what a client took counts no more, though it stays
    until("nothing to wait", || (cluster.number(0, "unread_reply_bytes") == 0).then_some(()));
    drop(client);
}

#[test]
fn clients_that_do_not_read_do_not_block_large_commands() {
    let cluster = Cluster::start("echo", 1, &[]);
    cluster.wait_for_leader();
    let echo = format!("*2\r\n$4\r\nECHO\r\n${LONG}\r\n{}\r\n", "x".repeat(LONG));
    let silent: Vec<_> = (0..6)
        .map(|_| {
            let mut socket = connect(cluster.ports[0]);
            socket.write_all(echo.as_bytes()).unwrap();
            socket
        })
        .collect();
    until("their replies to wait", || {
        (cluster.number(0, "unread_reply_bytes") > 5 * LONG as u64).then_some(())
    });
    let value = "v".repeat(100_000);
    assert_eq!(cluster.client(0).call_ok(&["SET", "large", &value]).text(), "OK");
    assert_eq!(cluster.number(0, "slow_clients_closed"), 0, "it did not wait for that");
    drop(silent);
}

/// Nothing more can be read at once.
fn is_silent(socket: &mut TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let nothing =
        matches!(socket.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    socket.set_nonblocking(false).unwrap();
    nothing
}

fn set(key: &str, len: usize) -> Vec<u8> {
    let value = "v".repeat(len);
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${len}\r\n{value}\r\n", key.len()).into_bytes()
}

/// `WAIT` in the same segment kept the reply before it, and the memory of a large command, for a minute.
#[test]
fn waiting_clients_hold_no_memory() {
    let cluster = Cluster::start("waiters", 1, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "long", &"x".repeat(LONG)]);
    let wait = b"WAIT 9 60000\r\n";
    let mut asked = connect(cluster.ports[0]);
    asked.write_all(&[b"GET long\r\n", wait.as_slice()].concat()).unwrap();
    let head = format!("${LONG}\r\n");
    asked.read_exact(&mut vec![0; head.len() + LONG + 2]).unwrap();
    until("its reply to count no more", || {
        (cluster.number(0, "unread_reply_bytes") == 0).then_some(())
    });
    // two of these leave no room for a third
    let mut holders: Vec<_> = ["a", "b"]
        .map(|key| {
            let mut socket = connect(cluster.ports[0]);
            socket.write_all(&[set(key, LONG).as_slice(), wait].concat()).unwrap();
            let mut reply = [0; 5];
            socket.read_exact(&mut reply).unwrap();
            assert_eq!(&reply, b"+OK\r\n");
            socket
        })
        .into();
    let value = "v".repeat(LONG);
    assert_eq!(cluster.client(0).call_ok(&["SET", "third", &value]).text(), "OK");
    assert!(is_silent(&mut asked), "it waits still");
    assert!(holders.iter_mut().all(is_silent), "they wait still");
}

/// The beginning of another large command behind it kept the memory of the one that was answered.
#[test]
fn clients_that_keep_sending_do_not_block_large_commands() {
    let cluster = Cluster::start("goers-on", 1, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "long", &"x".repeat(LONG)]);
    let silent: Vec<_> = ["a", "b"]
        .map(|key| {
            let mut socket = connect(cluster.ports[0]);
            let command = set(key, LONG);
            let (most, last) = command.split_at(command.len() - 10);
            socket.write_all(most).unwrap();
            let header = &command[..200];
            socket.write_all(&[last, REQUESTS, header].concat()).unwrap();
            socket
        })
        .into();
    until("their replies to wait", || {
        (cluster.number(0, "unread_reply_bytes") > 5 * LONG as u64).then_some(())
    });
    let value = "v".repeat(LONG);
    assert_eq!(cluster.client(0).call_ok(&["SET", "third", &value]).text(), "OK");
    assert_eq!(cluster.number(0, "slow_clients_closed"), 0, "it did not wait for that");
    drop(silent);
}

/// Those that announce a large command and send nothing hold its memory for seconds while others
/// wait, and not for two minutes.
#[test]
fn clients_that_only_announce_do_not_block_large_commands() {
    let cluster = Cluster::start("announcers", 1, &[]);
    cluster.wait_for_leader();
    let idle: Vec<_> = (0..4)
        .map(|_| {
            let mut socket = connect(cluster.ports[0]);
            socket.write_all(b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$70000\r\n").unwrap();
            socket
        })
        .collect();
    let value = "v".repeat(LONG);
    assert_eq!(cluster.client(0).call_ok(&["SET", "large", &value]).text(), "OK");
    drop(idle);
}
