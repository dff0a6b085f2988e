//! `ctl` and `--join` ask whatever listens at an address: no answer crashes them, holds them up, or reaches the terminal.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use crate::common::{Dir, output};

/// Something that is no node: every connection is given the same answer, and is then closed, or held in silence.
fn fake_server(answer: Vec<u8>, holds: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(&answer);
            if holds {
                held.push(socket);
            }
        }
    });
    address
}

/// What `ctl` says of it: its exit code, and both of its outputs.
fn ctl(address: &str, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
    command.args(["ctl", "--nodes", address]).args(words);
    let done = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout) + &text(done.stderr))
}

fn info(fields: &str) -> Vec<u8> {
    format!("${}\r\n{fields}\r\n", fields.len()).into_bytes()
}

#[test]
fn foreign_replies_are_reported() {
    for (answer, wanted) in [
        (b"*1\r\n".repeat(100_000), "this is no node of Quorate"),
        (
            [b"*3\r\n".repeat(50_000), b"$3\r\nabc\r\n".to_vec()].concat(),
            "this is no node of Quorate",
        ),
        (b"%1\r\n".repeat(100_000), "this is no node of Quorate"),
        (b"$99999999999999\r\n".to_vec(), "this is no node of Quorate"),
        (b"$4294967296\r\n".to_vec(), "this is no node of Quorate"),
        (b"*2147483647\r\n".to_vec(), "this is no node of Quorate"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "this is no node of Quorate"),
        (vec![b'+'; 1 << 20], "this is no node of Quorate"),
        (b"$100\r\nrole:leader".to_vec(), "in the middle of its answer"),
        (Vec::new(), "in the middle of its answer"),
    ] {
        let address = fake_server(answer.clone(), false);
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(20)]).into_owned();
        let (code, said) = ctl(&address, &["status"]);
        assert_eq!(code, Some(1), "{shown:?}: {said}");
        assert!(said.contains(wanted), "{shown:?}: {said}");
    }
}

#[test]
fn silent_server_times_out() {
    for answer in [&b""[..], b"$100\r\nrole:leader"] {
        let (code, said) = ctl(&fake_server(answer.to_vec(), true), &["status"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("no answer within 2 s"), "{said}");
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let hostile = "node_id:1\r\nrole:leader\x1b[2J\r\nstanding:voter\x07\r\ndisk:\x1b]0;owned\x07\u{9b}31m\r\nterm:1\r\n\
        peer1:address=a:1,client=\x1b[31m:1,standing=voter\x08\r\npeer2:address=,client=,standing=\x1b[5mlearner\u{202e}\r\n";
    let (code, said) = ctl(&fake_server(info(hostile), false), &["status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("leader\\u{1b}[2J") && said.contains("\\u{202e}"), "{said}");
    let error = b"-ERR \x1b[2J\x07 owned\r\n".to_vec();
    let (_, complaint) = ctl(&fake_server(error, false), &["transfer", "2"]);
    for text in [said, complaint] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn refusals_are_shown_escaped() {
    // it is asked for its state first, and then refuses
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = [0; 1024];
            let read = socket.read(&mut request).unwrap();
            let asks = String::from_utf8_lossy(&request[..read]).contains("INFO");
            let answer = if asks {
                info("node_id:1\r\nrole:leader\r\nterm:1\r\n")
            } else {
                b"-ERR \x1b[2Jno\x07\r\n".to_vec()
            };
            let _ = socket.write_all(&answer);
        }
    });
    for words in [&["transfer", "2"][..], &["remove", "2"], &["add", "2", "a:1"]] {
        let (code, said) = ctl(&address, words);
        assert_eq!(code, Some(1), "{said:?}");
        assert!(said.contains("\\u{1b}[2Jno\\u{7}"), "{said:?}");
    }
}

#[test]
fn joining_gives_up_where_no_node_answers() {
    let dir = Dir::new("foreign");
    let answers = [b"*1\r\n".repeat(100_000), b"$99999999999999\r\n".to_vec()];
    let mut addresses: Vec<String> =
        answers.into_iter().map(|answer| fake_server(answer, false)).collect();
    addresses.push(fake_server(Vec::new(), true)); // one that is silent
    addresses.push("127.0.0.1:1".to_owned()); // and one that does not listen
    // all at once: each asks until its time is up
    thread::scope(|scope| {
        for (at, address) in addresses.into_iter().enumerate() {
            let data = dir.path().join(format!("node-{at}"));
            scope.spawn(move || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
                command
                    .args(["node", "--id", "4", "--listen", "127.0.0.1:0"])
                    .args(["--peer-listen", "127.0.0.1:0", "--join", &address, "--data"])
                    .arg(data);
                let (code, said) = output(command);
                assert_eq!(code, Some(1), "{said}");
                assert!(said.contains("answers (--join"), "{said}");
            });
        }
    });
}

/// The first may lag, and not have heard yet that the id was used.
#[test]
fn join_queries_every_node() {
    let dir = Dir::new("every-node");
    let says = |of_id: &str| {
        let common = "node_id:1\r\ncluster:7\r\nrole:follower\r\nterm:1\r\n";
        fake_server(info(&format!("{common}{of_id}")), false)
    };
    let lags = says("standing:no member\r\nclient:\r\naddress:\r\n");
    let knows = says("standing:no member\r\nclient:a:1\r\naddress:a:2\r\n");
    for nodes in [format!("{lags},{knows}"), format!("{knows},{lags}")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
        command
            .args(["node", "--id", "4", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"])
            .args(["--join", &nodes, "--data"])
            .arg(dir.path().join("node"));
        let (code, said) = output(command);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("node 4 was removed from that cluster"), "{said}");
    }
}
