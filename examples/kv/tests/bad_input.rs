//! Bad input is an answer, never a crash.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{Cluster, connect, output};

/// Sends bytes and takes what comes until the other side ends it, or says nothing for a while.
fn send_raw(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut socket = connect(port);
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut got = Vec::new();
    for piece in bytes.chunks(64 << 10) {
        if socket.write_all(piece).is_err() {
            break;
        }
    }
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.take(1 << 20).read_to_end(&mut got);
    got
}

fn noise(rng: &mut quorate_core::Rng, len: u64) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

#[test]
fn garbage_on_both_ports_is_harmless() {
    let mut cluster = Cluster::start("garbage", 3, &[]);
    let leader = cluster.wait_for_leader();
    cluster.client(leader).call_ok(&["SET", "a", "1"]);
    let identity = cluster.info(leader, "cluster");
    let mut rng = quorate_core::Rng::new(7);
    let ports = [cluster.ports[leader], cluster.peer_port(leader)];
    for port in ports {
        let half_frames: Vec<TcpStream> = (0..20)
            .map(|_| {
                let mut socket = connect(port);
                // it may be closed already
                let _ = socket.write_all(b"*3\r\n$3\r\nSET\r\n$1000\r\nhal");
                socket
            })
            .collect();
        for _ in 0..30 {
            let len = rng.range(1, 2_000);
            send_raw(port, &noise(&mut rng, len));
        }
        // announced, and not sent
        send_raw(port, b"*1048576\r\n$4194304\r\n");
        send_raw(port, &[0xff; 64]);
        // sent, and not wanted
        send_raw(port, &noise(&mut rng, 8 << 20));
        send_raw(port, &b"*1\r\n".repeat(500_000));
        send_raw(port, &b"PING\r\n".repeat(100_000)[..500_000]);
        drop(half_frames);
    }
    for index in 0..3 {
        assert!(cluster.is_running(index));
        assert_eq!(cluster.client(index).call_ok(&["GET", "a"]).text(), "1");
        cluster.client(index).call_ok(&["SET", "b", "1"]);
        assert_eq!(cluster.info(index, "cluster"), identity, "it is in its cluster as before");
    }
}

/// A client that sends all of its command before it reads is told as well.
#[test]
fn oversized_value_is_refused() {
    let cluster = Cluster::start("too-long", 1, &[]);
    cluster.wait_for_leader();
    for len in [(4 << 20) + 1, 16 << 20] {
        let mut socket = connect(cluster.ports[0]);
        write!(socket, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\n").unwrap();
        socket.write_all(&vec![b'v'; len]).unwrap();
        socket.write_all(b"\r\n").unwrap();
        let mut told = String::new();
        socket.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("-ERR Protocol error: invalid bulk length"), "{told}");
    }
    assert_eq!(cluster.client(0).call_ok(&["GET", "k"]).text(), "");
}

#[test]
fn hostile_client_cannot_grow_memory() {
    let cluster = Cluster::start("memory", 1, &[]);
    cluster.wait_for_leader();
    let before = resident(&cluster);
    // a command that never ends: the largest that is taken, by many, until the node takes no more
    let mut command = b"*4\r\n$3\r\nSET\r\n$4194304\r\n".to_vec();
    command.resize(command.len() + (4 << 20), b'x');
    command.extend(b"\r\n$1048576\r\n");
    command.resize(command.len() + (1 << 20), b'x');
    let mut sockets: Vec<(TcpStream, &[u8])> =
        (0..100).map(|_| (connect(cluster.ports[0]), &command[..])).collect();
    for (socket, _) in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let mut progress = Instant::now();
    while progress.elapsed() < Duration::from_millis(500) {
        for (socket, rest) in &mut sockets {
            if let Ok(written @ 1..) = socket.write(&rest[..rest.len().min(64 << 10)]) {
                *rest = &rest[written..];
                progress = Instant::now();
            }
        }
        sleep(Duration::from_millis(1));
    }
    // 500 MiB were offered; 9 MiB of large commands are taken in at a time (limits.rs), and 64 KiB of each that waits
    let after = resident(&cluster);
    println!("resident before {} MiB, after {} MiB", before >> 20, after >> 20);
    let grown = after.saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
    drop(sockets);
    // asks for much, and takes nothing
    let mut client = cluster.client(0);
    client.call_ok(&["SET", "big", &"x".repeat(4 << 20)]);
    let keys = vec!["big"; 1_000];
    let many: Vec<&str> = ["MGET"].into_iter().chain(keys).collect();
    assert!(client.call(&many).unwrap().text().starts_with("ERR the reply is too long"));
}

fn resident(cluster: &Cluster) -> u64 {
    let id = cluster.info(0, "process_id").unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}

/// A node's log, and where its content ends: space is reserved behind it.
fn log_file(data: &Path) -> (PathBuf, usize) {
    let path = data.join("wal");
    let bytes = fs::read(&path).unwrap();
    // a header of 56 bytes; a record is 20 bytes, the length of the rest being the second four, and the rest
    let mut end = 56;
    loop {
        let length = u32::from_le_bytes(bytes[end + 4..end + 8].try_into().unwrap()) as usize;
        // a seal has no rest either, but a checksum
        if bytes[end..end + 20] == [0; 20] {
            return (path, end);
        }
        end += 20 + length;
    }
}

/// A node that was killed after so many writes.
fn killed_after(name: &str, writes: u64, options: &[&str]) -> Cluster {
    let mut cluster = Cluster::start(name, 1, options);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    for number in 0..writes {
        client.call_ok(&["SET", &format!("key:{number}"), &"v".repeat(100)]);
    }
    cluster.kill(0);
    cluster
}

#[test]
fn torn_tail_is_repaired() {
    let mut cluster = killed_after("torn", 200, &[]);
    let (file, end) = log_file(&cluster.data(0));
    // a record that was being written
    let half = fs::read(&file).unwrap()[end / 2..end / 2 + 31].to_vec();
    let mut torn = fs::File::options().write(true).open(&file).unwrap();
    torn.seek(SeekFrom::Start(end as u64)).unwrap();
    torn.write_all(&half).unwrap();
    drop(torn);
    cluster.start_node(0);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    assert_eq!(client.call_ok(&["DBSIZE"]).number(), 200);
    client.call_ok(&["SET", "after", "1"]);
    cluster.kill(0);
    cluster.start_node(0);
    cluster.wait_for_leader();
    assert_eq!(cluster.client(0).call_ok(&["DBSIZE"]).number(), 201);
}

#[test]
fn damaged_log_is_refused_and_kept() {
    let mut cluster = killed_after("damaged", 200, &[]);
    let (file, end) = log_file(&cluster.data(0));
    let good = fs::read(&file).unwrap();
    let mut bad = good.clone();
    let middle = end / 2;
    bad[middle] ^= 0xff;
    fs::write(&file, &bad).unwrap();
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    let offset =
        said.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<usize>().ok());
    assert!(offset.into_iter().any(|offset| offset <= middle && offset + 1_000 > middle), "{said}");
    assert_eq!(fs::read(&file).unwrap(), bad);
    // with what was lost restored, it goes on
    fs::write(&file, &good).unwrap();
    cluster.start_node(0);
    cluster.wait_for_leader();
    assert_eq!(cluster.client(0).call_ok(&["DBSIZE"]).number(), 200);
}

#[test]
fn damaged_snapshot_is_refused_without_an_older_one() {
    let options = ["--snapshot-entries", "50", "--keep-entries", "120"];
    let mut cluster = killed_after("snapshots", 400, &options);
    let damage = |path: &Path, offset: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[offset] ^= 1;
        fs::write(path, &bytes).unwrap();
    };
    let files = snapshots(&cluster);
    assert!(files.len() >= 2, "the newest two are kept: {files:?}");
    damage(files.last().unwrap(), 100);
    // the log reaches back to the one before
    cluster.start_node(0);
    cluster.wait_for_leader();
    assert_eq!(cluster.client(0).call_ok(&["DBSIZE"]).number(), 400);
    assert!(fs::read_to_string(cluster.log(0)).unwrap().contains("a snapshot is damaged"));
    cluster.kill(0);
    let files = snapshots(&cluster);
    for file in &files {
        damage(file, 200);
    }
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    let newest = files.last().unwrap();
    assert!(said.contains(newest.to_str().unwrap()) && said.contains("at byte"), "{said}");
    assert_eq!(snapshots(&cluster), files, "nothing was deleted");
}

/// The complete snapshots of a node, oldest first.
fn snapshots(cluster: &Cluster) -> Vec<PathBuf> {
    let dir = fs::read_dir(cluster.data(0).join("snapshots")).unwrap();
    let mut files: Vec<PathBuf> = dir
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(|last: char| last.is_ascii_digit()))
        .collect();
    files.sort();
    files
}

#[test]
fn misnamed_snapshot_is_refused() {
    let options = ["--snapshot-entries", "50", "--keep-entries", "1"];
    let cluster = killed_after("renamed", 400, &options);
    let files = snapshots(&cluster);
    let (older, newest) = (&files[0], files.last().unwrap());
    assert_ne!(older, newest);
    fs::copy(older, newest).unwrap();
    for file in files.iter().filter(|file| *file != newest) {
        fs::remove_file(file).unwrap();
    }
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(newest.to_str().unwrap()) && said.contains("named for"), "{said}");
}

#[test]
fn missing_log_is_refused() {
    let cluster = killed_after("no-log", 20, &[]);
    let log = cluster.data(0).join("wal");
    if log.is_dir() {
        fs::remove_dir_all(&log).unwrap();
    } else {
        fs::remove_file(&log).unwrap();
    }
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(log.to_str().unwrap()) && said.contains("is missing"), "{said}");
    assert!(!log.exists(), "nothing was begun anew");
}
