//! What others take, measured on one machine in the same way: three nodes in one thread, instructions by callgrind.

/// What a library takes for a proposal.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) payload: usize,
    pub(crate) batch: usize,
    pub(crate) instructions: u64,
    pub(crate) allocations: f64,
    pub(crate) messages: f64,
}

const fn peer(
    name: &'static str,
    (payload, batch): (usize, usize),
    instructions: u64,
    allocations: f64,
    messages: f64,
) -> Peer {
    Peer { name, payload, batch, instructions, allocations, messages }
}

/// "encoded": every message is encoded and decoded, records are not; "by value": messages are moved.
pub(crate) const PEERS: &[Peer] = &[
    peer("raft-rs 0.7, encoded", (16, 1), 45_428, 31.0, 8.0),
    peer("omnipaxos 0.2.4, encoded", (16, 1), 18_990, 42.0, 6.0),
    peer("sailing-proto 0.0.0, by value", (16, 1), 14_564, 7.0, 8.0),
    peer("noraft 0.7.1, by value, no payload", (16, 1), 6_371, 4.0, 4.0),
    peer("raft-rs 0.7 batch_append, encoded", (16, 64), 9_040, 9.6, 0.125),
    peer("omnipaxos 0.2.4, encoded", (16, 64), 2_078, 4.0, 0.094),
    peer("sailing-proto 0.0.0, by value", (16, 64), 3_196, 4.05, 0.125),
    peer("noraft 0.7.1, by value, no payload", (16, 64), 1_226, 0.06, 0.063),
    peer("raft-rs 0.7, encoded", (256, 1), 45_892, 31.0, 8.0),
    peer("omnipaxos 0.2.4, encoded", (256, 1), 25_193, 49.9, 6.0),
    peer("raft-rs 0.7 batch_append, encoded", (256, 64), 9_647, 9.6, 0.125),
    peer("omnipaxos 0.2.4, encoded", (256, 64), 4_562, 10.0, 0.094),
    peer("sailing-proto 0.0.0, by value", (256, 64), 3_265, 4.05, 0.125),
];

impl Peer {
    /// Whether its messages are encoded and decoded, as ours are.
    pub(crate) fn encoded(&self) -> bool {
        self.name.ends_with("encoded")
    }

    /// The name without how it was run.
    pub(crate) fn library(&self) -> &'static str {
        self.name.split_once(',').map_or(self.name, |(library, _)| library)
    }
}
