//! The guarantees of a session, over reads and writes of one replica each.

use quorate_clocks::{Dot, Guarantees, Session, Siblings, VersionVector};
use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{Failure, Level, ReadOptions, ReadRepair, Value, WriteOptions};

use super::net::{Net, Same, Told};

type Names = quorate_clocks::Inline<3>;
type Both = Siblings<u32, Names>;

const ONE: WriteOptions = WriteOptions {
    level: Level::One,
    primaries: 0,
    sloppy: false,
    order: quorate_ring::quorum::Order::Formed,
};
const READ: ReadOptions =
    ReadOptions { level: Level::One, primaries: 0, sloppy: false, repair: ReadRepair::Background };

/// A client of one key, which goes from node to node.
struct Client {
    session: Session<Names>,
    /// What it saw last.
    context: VersionVector<Names>,
}

impl Client {
    fn new() -> Self {
        Self { session: Session::new(Guarantees::ALL), context: VersionVector::new() }
    }

    /// Writes at a node, which reaches those among which messages arrive. False if that node is behind what the client has seen.
    fn write(&mut self, net: &mut Net<Both>, node: u64, value: u32, among: &[u64]) -> bool {
        let mut local = net.node(node).local(b"x").cloned().unwrap_or_default();
        if self.session.may_write(&Value::context(&local)).is_err() {
            return false;
        }
        let actor = NodeId::new(node).into();
        local.write(actor, &self.context, value).unwrap();
        let dot = Dot::new(actor, local.context().get(actor)).unwrap();
        let now = net.now;
        net.node(node).write(now, b"x", local, ONE).unwrap();
        net.run_among(among);
        assert_eq!(net.told(node), [Told::Written { superseded: false }]);
        self.session.record_write(dot).unwrap();
        true
    }

    /// Reads at a node what includes all that the session needs. `None` if it has not been answered yet.
    fn read(&mut self, net: &mut Net<Both>, node: u64, among: &[u64]) -> Option<Vec<u32>> {
        let (now, needed) = (net.now, self.session.needed_to_read().unwrap());
        net.node(node).read_at_least(now, b"x", READ, needed).unwrap();
        net.run_among(among);
        self.answered(net, node)
    }

    fn answered(&mut self, net: &mut Net<Both>, node: u64) -> Option<Vec<u32>> {
        let told = net.told(node);
        let found = match &told[..] {
            [] => return None,
            [Told::Found(found)] => found.clone().unwrap_or_default(),
            _ => panic!("{told:?}"),
        };
        self.context = Value::context(&found);
        self.session.record_read(&self.context).unwrap();
        Some(found.values().copied().collect())
    }
}

/// Reads have sent what they found to replicas that lack it.
fn repaired(net: &mut Net<Both>) {
    net.run();
    while net.nodes.iter().any(|(_, node)| node.status().requests > 0) {
        net.tick(1_000);
        net.run();
    }
}

fn net() -> Net<Both> {
    Net::new(&[1, 2, 3], &Same::new(&[1, 2, 3]))
}

#[test]
fn reads_see_own_writes() {
    let (mut net, mut client) = (net(), Client::new());
    assert!(client.write(&mut net, 1, 7, &[1]));
    // another client may see nothing yet, this one waits for the node that has it
    assert_eq!(Client::new().read(&mut net, 3, &[3]), Some(vec![]));
    assert_eq!(client.read(&mut net, 3, &[2, 3]), None);
    net.tick(1_000);
    net.run();
    assert_eq!(client.answered(&mut net, 3), Some(vec![7]));
}

#[test]
fn reads_never_go_back() {
    let (mut net, mut reader) = (net(), Client::new());
    assert!(Client::new().write(&mut net, 1, 7, &[1]));
    assert_eq!(reader.read(&mut net, 1, &[1]), Some(vec![7]));
    assert_eq!(reader.read(&mut net, 2, &[2, 3]), None);
    // rather than an older value, the client gets none
    let mut told = Vec::new();
    while net.node(2).status().requests > 0 {
        net.tick(1_000);
        net.run_among(&[2, 3]);
        told.extend(net.told(2));
    }
    assert_eq!(told, [Told::Failed(Failure::Missing, None)]);
}

#[test]
fn writes_follow_what_was_read_and_written() {
    let (mut net, mut client) = (net(), Client::new());
    assert!(Client::new().write(&mut net, 1, 7, &[1]));
    assert_eq!(client.read(&mut net, 1, &[1]), Some(vec![7]));
    // node 2 has not got what the client read: it reads there first, which brings it
    assert!(!client.write(&mut net, 2, 8, &[2]));
    assert_eq!(client.read(&mut net, 2, &[1, 2, 3]), Some(vec![7]));
    repaired(&mut net);
    assert!(client.write(&mut net, 2, 8, &[2]));
    // the client's own write is at node 2 only
    assert!(!client.write(&mut net, 3, 9, &[3]));
    assert_eq!(client.read(&mut net, 3, &[2, 3]), Some(vec![8]));
    repaired(&mut net);
    assert!(client.write(&mut net, 3, 9, &[3]));
    // wherever the last write is, those before it were replaced
    for node in [1, 2, 3] {
        Client::new().read(&mut net, node, &[1, 2, 3]);
        repaired(&mut net);
    }
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).local(b"x").unwrap().values().collect::<Vec<_>>(), [&9]);
    }
}
