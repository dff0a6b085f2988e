//! Client sessions on a cluster: clients send requests without a response to every leader, while leaders change.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::Cluster;
use quorate_core::{Machine, Reader, Wire, Writer};
use quorate_raft::session::{Call, Client, Config, Inline, Request, Response, SessionId, Sessions};

/// A state machine that records each command it applies, and its table of sessions.
struct Replica {
    table: Sessions<Inline<3, 4, 9>>,
    ran: Vec<Vec<u8>>,
}

impl Replica {
    fn new() -> Self {
        let config = Config {
            max_sessions: 3,
            window: 4,
            max_response_bytes: 9,
            timeout_us: 0,
            ..Config::default()
        };
        Self { table: Sessions::new(config).unwrap(), ran: Vec::new() }
    }

    /// Whether the command had been applied before.
    fn apply(&mut self, index: u64, call: &[u8]) -> bool {
        let Self { table, ran } = self;
        let response = table.apply(index, call, |command| {
            ran.push(command.to_vec());
            [1]
        });
        matches!(response, Ok(Response::Duplicate(_)))
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.table.encoded_len()];
        let mut out = Writer::new(&mut bytes);
        self.table.encode(&mut out);
        out.finish().unwrap();
        bytes
    }

    fn restore(&mut self, bytes: &[u8]) {
        self.table.restore(&mut Reader::new(bytes)).unwrap();
    }
}

fn encode(call: Call<'_>) -> Vec<u8> {
    let mut bytes = vec![0; call.encoded_len()];
    call.to_slice(&mut bytes).unwrap();
    bytes
}

fn drive(cluster: &mut Cluster, seed: u64) {
    let mut clients: Vec<Client> = Vec::new();
    for token in 0..3 {
        let call = encode(Call { time_us: 0, request: Request::Register { token } });
        let index = cluster.raft(1).propose(&call).unwrap().index;
        clients.push(Client::new(SessionId::new(index), 4));
    }
    cluster.settle();
    let mut cut_off = 0;
    for round in 0..60_u64 {
        // the leader is partitioned for a while, and its last proposals may be dropped
        match round % 12 {
            3 => cut_off = cluster.leader().unwrap_or(0),
            9 => cut_off = 0,
            _ => {}
        }
        for (at, client) in clients.iter_mut().enumerate() {
            client.begin();
            for serial in client.lowest()..client.lowest() + 4 {
                if client.is_pending(serial) && (seed + round + serial) % 3 < 2 {
                    propose_on_all_nodes(cluster, client, serial, at as u8);
                }
            }
            // responses are late: requests below `lowest` may still be in flight
            if (seed + round + at as u64).is_multiple_of(3) {
                client.finish(client.lowest());
            }
        }
        cluster.run_if(60, |e| e.to != cut_off && e.from != cut_off);
    }
    cluster.run(2_000);
}

/// Proposes on all nodes; only current and deposed leaders accept it.
fn propose_on_all_nodes(cluster: &mut Cluster, client: &Client, serial: u64, name: u8) {
    let command = [8, name, serial as u8];
    let call = encode(Call { time_us: 0, request: client.request(serial, &command) });
    for node in 1..=3 {
        let _ = cluster.raft(node).propose(&call);
        cluster.drain(node);
    }
}

#[test]
fn command_accepted_by_two_leaders_is_applied_once() {
    let (mut duplicates, mut led) = (0, 0);
    for seed in 0..20 {
        let mut cluster = Cluster::new(3);
        cluster.elect(1);
        drive(&mut cluster, seed);
        led += cluster.raft(1).status().term;
        let mut states = Vec::new();
        for node in 1..=3 {
            let mut replica = Replica::new();
            let entries = cluster.host(node).applied.clone();
            for (index, data) in entries.iter().filter(|(_, data)| !data.is_empty()) {
                duplicates += u32::from(replica.apply(*index, data));
                if (index + node).is_multiple_of(7) {
                    replica.restore(&replica.snapshot());
                }
            }
            let mut ran = replica.ran.clone();
            ran.sort();
            ran.dedup();
            assert_eq!(ran.len(), replica.ran.len(), "seed {seed}: a command was applied twice");
            states.push((replica.snapshot(), replica.ran));
        }
        assert!(states.iter().all(|state| *state == states[0]), "seed {seed}");
        assert!(states[0].1.len() > 10, "seed {seed}: hardly any command was applied");
    }
    assert!(duplicates > 100 && led > 60, "too few duplicates commands or leader changes");
}
