//! What goes in and what comes out, byte for byte, at a cluster of one.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::common::{self, Cluster, connect};

/// A connection each: what is sent, what comes. Nothing else may come before the mark.
const EXCHANGES: &[(&str, &str)] = &[
    ("PING\r\n", "+PONG\r\n"),
    ("*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
    ("*2\r\n$4\r\nping\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n"),
    ("PING a b\r\n", "-ERR wrong number of arguments for 'ping' command\r\n"),
    ("\r\n*0\r\n*-1\r\nECHO x\r\n", "$1\r\nx\r\n"),
    ("ECHO \"a\\x00\\r\\n\\\"\" \r\n", "$5\r\na\0\r\n\"\r\n"),
    // strings
    (
        "FLUSHALL\r\nGET k\r\nSET k v\r\nGET k\r\nSTRLEN k\r\nTYPE k\r\nTYPE none\r\n",
        "+OK\r\n$-1\r\n+OK\r\n$1\r\nv\r\n:1\r\n+string\r\n+none\r\n",
    ),
    (
        "SET k v NX\r\nSET new v NX\r\nSET other v XX\r\nSET k w XX GET\r\nGET k\r\n",
        "$-1\r\n+OK\r\n$-1\r\n$1\r\nv\r\n$1\r\nw\r\n",
    ),
    (
        "SET k x NX GET\r\nGET k\r\nSET fresh x GET NX\r\nGET fresh\r\n",
        "$1\r\nw\r\n$1\r\nw\r\n$-1\r\n$1\r\nx\r\n",
    ),
    (
        "SET k v NX XX\r\nSET k v WHAT\r\nSET k\r\n",
        "-ERR syntax error\r\n-ERR syntax error\r\n-ERR wrong number of arguments for 'set' command\r\n",
    ),
    ("SET k v EX 10\r\n", "-ERR SET EX is not supported: keys of this server do not expire\r\n"),
    (
        "SET k v nx keepttl\r\n",
        "-ERR SET KEEPTTL is not supported: keys of this server do not expire\r\n",
    ),
    (
        "FLUSHALL ASYNC\r\nMSET a 1 b 2\r\nMGET a b c a\r\nMSET a\r\nMSET a 1 b\r\n",
        "+OK\r\n+OK\r\n*4\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n$1\r\n1\r\n-ERR wrong number of arguments for 'mset' command\r\n-ERR wrong number of arguments for 'mset' command\r\n",
    ),
    ("EXISTS a b c a\r\nDEL a c a\r\nEXISTS a\r\nDBSIZE\r\n", ":3\r\n:1\r\n:0\r\n:1\r\n"),
    (
        "FLUSHALL\r\nAPPEND s abc\r\nAPPEND s de\r\nGET s\r\nSET e \"\"\r\nGET e\r\nSTRLEN none\r\n",
        "+OK\r\n:3\r\n:5\r\n$5\r\nabcde\r\n+OK\r\n$0\r\n\r\n:0\r\n",
    ),
    // numbers
    (
        "FLUSHALL\r\nINCR n\r\nINCRBY n 41\r\nDECR n\r\nDECRBY n 1\r\nINCRBY n -100\r\nGET n\r\n",
        "+OK\r\n:1\r\n:42\r\n:41\r\n:40\r\n:-60\r\n$3\r\n-60\r\n",
    ),
    (
        "SET n 9223372036854775807\r\nINCR n\r\nGET n\r\nSET n -9223372036854775808\r\nDECR n\r\n",
        "+OK\r\n-ERR increment or decrement would overflow\r\n$19\r\n9223372036854775807\r\n+OK\r\n-ERR increment or decrement would overflow\r\n",
    ),
    (
        "SET n 1.5\r\nINCR n\r\nINCRBY n x\r\nDECRBY n -9223372036854775808\r\nSET n \" 1\"\r\nINCR n\r\n",
        "+OK\r\n-ERR value is not an integer or out of range\r\n-ERR value is not an integer or out of range\r\n-ERR decrement would overflow\r\n+OK\r\n-ERR value is not an integer or out of range\r\n",
    ),
    // a batch sees its own writes, in order
    (
        "FLUSHALL\r\nGET x\r\nSET x 1\r\nGET x\r\nINCR x\r\nGET x\r\nDEL x\r\nGET x\r\n",
        "+OK\r\n$-1\r\n+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n:1\r\n$-1\r\n",
    ),
    // SCAN
    (
        "FLUSHALL\r\nSCAN 0\r\nSET only v\r\nSCAN 0 MATCH o* COUNT 100\r\nSCAN 0 MATCH x*\r\nSCAN 0 TYPE string\r\nSCAN 0 TYPE list\r\n",
        "+OK\r\n*2\r\n$1\r\n0\r\n*0\r\n+OK\r\n*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n*2\r\n$1\r\n0\r\n*0\r\n*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n*2\r\n$1\r\n0\r\n*0\r\n",
    ),
    (
        "SCAN x\r\nSCAN 0 COUNT 0\r\nSCAN 0 COUNT x\r\nSCAN 0 MATCH\r\nSCAN 0 WHAT 1\r\n",
        "-ERR invalid cursor\r\n-ERR syntax error\r\n-ERR value is not an integer or out of range\r\n-ERR syntax error\r\n-ERR syntax error\r\n",
    ),
    // what there is not
    ("NOSUCH a b\r\n", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n"),
    (
        "*2\r\n$5\r\nA\r\nB\n\r\n$3\r\n\r\nx\r\n",
        "-ERR unknown command 'A  B ', with args beginning with: '  x' \r\n",
    ),
    (
        "GET\r\nGET a b\r\nINCR\r\nEXISTS\r\nDEL\r\nFLUSHALL now\r\n",
        "-ERR wrong number of arguments for 'get' command\r\n-ERR wrong number of arguments for 'get' command\r\n-ERR wrong number of arguments for 'incr' command\r\n-ERR wrong number of arguments for 'exists' command\r\n-ERR wrong number of arguments for 'del' command\r\n-ERR syntax error\r\n",
    ),
    // the connection
    (
        "SELECT 0\r\nSELECT 1\r\nSELECT x\r\n",
        "+OK\r\n-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n",
    ),
    (
        "CLIENT GETNAME\r\nCLIENT SETNAME me\r\nCLIENT GETNAME\r\nCLIENT SETNAME \"a b\"\r\nRESET\r\nCLIENT GETNAME\r\n",
        "$-1\r\n+OK\r\n$2\r\nme\r\n-ERR Client names cannot contain spaces, newlines or special characters.\r\n+RESET\r\n$-1\r\n",
    ),
    (
        "CLIENT SETINFO LIB-NAME x\r\nCLIENT SETINFO lib-ver 1.0\r\nCLIENT SETINFO what 1\r\nCLIENT NO-EVICT on\r\nCLIENT WHAT\r\nCLIENT ID 1\r\n",
        "+OK\r\n+OK\r\n-ERR Unrecognized option 'what'\r\n+OK\r\n-ERR unknown subcommand 'WHAT'. Try CLIENT HELP.\r\n-ERR wrong number of arguments for 'client|id' command\r\n",
    ),
    (
        "HELLO 3 SETNAME x\r\nGET nothing\r\nHELLO 9\r\nHELLO x\r\nHELLO 2 WHAT\r\nCLIENT GETNAME\r\n",
        "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:ID\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n_\r\n-NOPROTO unsupported protocol version\r\n-ERR Protocol version is not an integer or out of range\r\n-ERR Syntax error in HELLO option 'WHAT'\r\n$1\r\nx\r\n",
    ),
    (
        "CONFIG GET save\r\nCONFIG GET appendo* maxmemory\r\nCONFIG GET nothing\r\nCONFIG SET save x\r\n",
        "*2\r\n$4\r\nsave\r\n$0\r\n\r\n*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n*0\r\n-ERR CONFIG SET is not supported: settings are given on the command line of the node\r\n",
    ),
    (
        "COMMAND COUNT\r\nCOMMAND INFO nosuch get\r\nCOMMAND DOCS nosuch\r\nCOMMAND WHAT\r\n",
        ":36\r\n*2\r\n$-1\r\n*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*1\r\n+@read\r\n*0\r\n*0\r\n*0\r\n*0\r\n-ERR unknown subcommand 'WHAT'. Try COMMAND HELP.\r\n",
    ),
    (
        "READONLY\r\nSET k v\r\nGET k\r\nREADWRITE\r\nGET k\r\n",
        "+OK\r\n+OK\r\n$1\r\nv\r\n+OK\r\n$1\r\nv\r\n",
    ),
    (
        "WAIT 0 0\r\nWAIT 1 20\r\nWAIT x 0\r\nWAIT 1 x\r\nWAIT 1 -1\r\n",
        ":0\r\n:0\r\n-ERR value is not an integer or out of range\r\n-ERR timeout is not an integer or out of range\r\n-ERR timeout is negative\r\n",
    ),
    (
        "AUTH secret\r\n",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
    ),
    // the wrong type of a key cannot be, so the words for it are Redis's but unused; an error in between keeps the order
    (
        "FLUSHALL\r\nSET a 1\r\nNOSUCH\r\nGET a\r\nSET a\r\nINCR a\r\n",
        "+OK\r\n+OK\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n$1\r\n1\r\n-ERR wrong number of arguments for 'set' command\r\n:2\r\n",
    ),
];

/// What ends a connection, and its last words.
const CLOSING_EXCHANGES: &[(&str, &str)] = &[
    ("QUIT\r\nPING\r\n", "+OK\r\n"),
    ("*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
    ("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
    ("*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
    ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
    ("*1\r\n$999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
    ("GET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    (
        "PING\r\n*1\r\n*1\r\n$4\r\nPING\r\n",
        "+PONG\r\n-ERR Protocol error: expected '$', got '*'\r\n",
    ),
    ("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a b\r\n", ""),
];

#[test]
fn replies_match_redis() {
    let cluster = Cluster::start("conformance", 1, &[]);
    cluster.wait_for_leader();
    for (input, expected) in EXCHANGES {
        let mut socket = connect(cluster.ports[0]);
        let mark = "the end of the exchange";
        socket.write_all(input.as_bytes()).unwrap();
        socket.write_all(format!("ECHO '{mark}'\r\n").as_bytes()).unwrap();
        let mark = format!("{mark}\r\n");
        let mut got = Vec::new();
        while !got.ends_with(mark.as_bytes()) {
            let mut part = [0; 4096];
            let read = socket.read(&mut part).unwrap();
            assert!(
                read > 0,
                "{input:?}: the connection ended after {:?}",
                String::from_utf8_lossy(&got)
            );
            got.extend_from_slice(&part[..read]);
        }
        let got = String::from_utf8(got).unwrap();
        let got = got.strip_suffix(&format!("${}\r\n{mark}", mark.len() - 2)).unwrap();
        assert_eq!(without_id(got), *expected, "{input:?}");
    }
    for (input, expected) in CLOSING_EXCHANGES {
        let mut socket = connect(cluster.ports[0]);
        socket.write_all(input.as_bytes()).unwrap();
        let mut got = Vec::new();
        socket.read_to_end(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), *expected, "{input:?}");
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// A connection's id is its own.
fn without_id(reply: &str) -> String {
    match reply.split_once("$2\r\nid\r\n:") {
        Some((before, after)) => {
            let rest = after.split_once("\r\n").unwrap().1;
            format!("{before}$2\r\nid\r\n:ID\r\n{rest}")
        }
        None => reply.to_owned(),
    }
}

#[test]
fn long_pipeline_is_answered_in_order() {
    let cluster = Cluster::start("pipeline", 1, &[]);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    for number in 0..20_000 {
        let text = number.to_string();
        client.send(&[&["SET", "k", &text], &["GET", "k"]]).unwrap();
        if number % 500 == 499 {
            for expected in number - 499..=number {
                assert_eq!(client.receive().unwrap().text(), "OK");
                assert_eq!(client.receive().unwrap().number(), expected);
            }
        }
    }
}

#[test]
fn scan_returns_every_key_once() {
    let cluster = Cluster::start("scan", 1, &[]);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    for number in 0..1_000 {
        client.call_ok(&["SET", &format!("key:{number}"), "v"]);
    }
    let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
    loop {
        let common::client::Value::Array(reply) =
            client.call_ok(&["SCAN", &cursor, "COUNT", "37", "MATCH", "key:*"])
        else {
            panic!("no array")
        };
        let common::client::Value::Array(part) = &reply[1] else { panic!("no array") };
        assert!(part.len() <= 37);
        keys.extend(part.iter().map(common::client::Value::text));
        cursor = reply[0].text();
        if cursor == "0" {
            break;
        }
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 1_000);
}
