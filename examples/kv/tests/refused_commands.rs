//! What is refused has no effect, and neither has what a client sent along in the belief that it was taken.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};

use crate::common::{Cluster, connect};

const NO_MULTI: &str = "-ERR MULTI is not supported: this server has no transactions. Commands are refused until EXEC or DISCARD; MSET sets several keys at once\r\n";
const NOT_QUEUED: &str =
    "-ERR not queued and not executed: MULTI was refused, EXEC or DISCARD ends that\r\n";
const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";
const NO_DATABASE: &str = "-ERR not executed: the SELECT before was refused, this server has database 0 only; SELECT 0 or RESET ends that\r\n";

/// Sends all at once on a connection of its own, and takes every reply: `QUIT` ends them.
fn exchange(cluster: &Cluster, input: &str) -> String {
    let mut socket = connect(cluster.ports[0]);
    socket.write_all(format!("{input}QUIT\r\n").as_bytes()).unwrap();
    let mut got = String::new();
    socket.read_to_string(&mut got).unwrap();
    got.strip_suffix("+OK\r\n").unwrap_or(&got).to_owned()
}

fn one_node(name: &str) -> Cluster {
    let cluster = Cluster::start(name, 1, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["FLUSHALL"]);
    cluster
}

#[test]
fn refused_transaction_executes_nothing() {
    let cluster = one_node("multi");
    let refused = format!("{NO_MULTI}{NOT_QUEUED}{NOT_QUEUED}{ABORTED}");
    assert_eq!(exchange(&cluster, "MULTI\r\nSET a 1\r\nINCR n\r\nEXEC\r\n"), refused);
    // errors are the same in both versions of the protocol
    let hello = exchange(&cluster, "HELLO 3\r\nMULTI\r\nSET a 1\r\nINCR n\r\nEXEC\r\n");
    assert!(hello.starts_with('%') && hello.ends_with(&refused), "{hello}");
    let discarded = format!("{NO_MULTI}{NOT_QUEUED}+OK\r\n+OK\r\n");
    assert_eq!(exchange(&cluster, "MULTI\r\nSET a 1\r\nDISCARD\r\nSET b 1\r\n"), discarded);
    assert_eq!(
        exchange(&cluster, "EXISTS a\r\nEXISTS n\r\nEXISTS b\r\n"),
        ":0\r\n:0\r\n:1\r\n",
        "only what came after it was executed"
    );
    // what came before is, and is answered first
    let around = format!("+OK\r\n{NO_MULTI}{NOT_QUEUED}{ABORTED}$1\r\n1\r\n");
    assert_eq!(exchange(&cluster, "SET c 1\r\nMULTI\r\nSET c 2\r\nEXEC\r\nGET c\r\n"), around);
}

#[test]
fn transaction_errors_match_redis() {
    let cluster = one_node("words");
    assert_eq!(
        exchange(&cluster, "EXEC\r\nDISCARD\r\nUNWATCH\r\n"),
        "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n"
    );
    let nested =
        exchange(&cluster, "MULTI\r\nMULTI\r\nWATCH a\r\nPING\r\nNOSUCH\r\nRESET\r\nPING\r\n");
    assert_eq!(
        nested,
        format!(
            "{NO_MULTI}-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n{NOT_QUEUED}\
             -ERR unknown command 'NOSUCH', with args beginning with: \r\n+RESET\r\n+PONG\r\n"
        )
    );
    // a compare-and-set, sent in one piece
    let watched =
        exchange(&cluster, "WATCH a\r\nGET a\r\nMULTI\r\nSET a 1\r\nEXEC\r\nEXISTS a\r\n");
    assert!(watched.starts_with("-ERR WATCH is not supported"), "{watched}");
    assert!(watched.ends_with(&format!("{NO_MULTI}{NOT_QUEUED}{ABORTED}:0\r\n")), "{watched}");
    // another connection has nothing to do with it
    let mut socket = connect(cluster.ports[0]);
    socket.write_all(b"MULTI\r\n").unwrap();
    assert_eq!(exchange(&cluster, "SET a 1\r\n"), "+OK\r\n");
}

#[test]
fn refused_select_blocks_key_commands() {
    let cluster = one_node("select");
    let refused = format!(
        "+OK\r\n-ERR DB index is out of range\r\n{NO_DATABASE}{NO_DATABASE}+PONG\r\n+OK\r\n$1\r\n1\r\n"
    );
    let input = "SET a 1\r\nSELECT 1\r\nSET a 2\r\nFLUSHALL\r\nPING\r\nSELECT 0\r\nGET a\r\n";
    assert_eq!(exchange(&cluster, input), refused);
    assert_eq!(
        exchange(&cluster, "SELECT -1\r\nDEL a\r\nRESET\r\nGET a\r\n"),
        format!("-ERR DB index is out of range\r\n{NO_DATABASE}+RESET\r\n$1\r\n1\r\n")
    );
}

#[test]
fn client_reply_off_suppresses_replies() {
    let cluster = one_node("silent");
    let input = "CLIENT REPLY OFF\r\nSET a 1\r\nNOSUCH\r\nGET a\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET a\r\n";
    assert_eq!(exchange(&cluster, input), "+OK\r\n$1\r\n1\r\n");
    let input =
        "GET a\r\nCLIENT REPLY SKIP\r\nGET a\r\nSTRLEN a\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n";
    assert_eq!(exchange(&cluster, input), "$1\r\n1\r\n:1\r\n+PONG\r\n");
    assert_eq!(exchange(&cluster, "CLIENT REPLY OFF\r\nRESET\r\nPING\r\n"), "+RESET\r\n+PONG\r\n");
    assert_eq!(
        exchange(&cluster, "CLIENT REPLY WHAT\r\nCLIENT REPLY\r\n"),
        "-ERR syntax error\r\n-ERR wrong number of arguments for 'client|reply' command\r\n"
    );
}

#[test]
fn long_name_lists_are_refused() {
    let cluster = one_node("names");
    let names = "get ".repeat(5_000);
    for command in ["COMMAND INFO", "COMMAND DOCS", "CONFIG GET"] {
        let said = exchange(&cluster, &format!("{command} {names}\r\n"));
        assert!(said.len() < 100, "{command}: {} bytes", said.len());
        assert_eq!(said, "-ERR too many names: ask for less at once\r\n", "{command}");
    }
}
