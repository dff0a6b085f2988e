//! One decision.

mod counts;
mod edges;
mod learning;
mod pitfalls;
mod quorums;
mod random;
mod rejections;
mod restore;

use quorate_core::{NodeId, Quorums};
use quorate_paxos::synod::{Acceptor, Config, Synod};
use quorate_paxos::{Inline, Member, Roles};

use crate::common::Net;

type Storage = Inline<9, 8>;
type Node = Synod<Storage>;

fn members(n: u64) -> Vec<Member> {
    (1..=n).map(|id| Member::new(NodeId::new(id))).collect()
}

/// A node of so many, that has a record that it was founded, or not.
fn node(id: u64, n: u64, config: Config) -> Node {
    let quorums = Quorums::majority(n as u8);
    Node::new(NodeId::new(id), &members(n), quorums, config, id).unwrap()
}

fn founded(id: u64, n: u64, config: Config) -> Node {
    let mut node = node(id, n, config);
    node.found();
    node
}

/// Nodes that were founded, with that on disk.
fn net(n: u64, config: Config) -> Net<Node> {
    let mut net = Net::new((1..=n).map(|id| founded(id, n, config)));
    net.sync_all();
    net.nodes.values_mut().for_each(|host| host.syncs = 0);
    net
}

/// Acceptor 1 of three, and proposers 8 and 9, which the test plays.
fn acceptor() -> Net<Acceptor<Storage>> {
    let acceptors = [1, 2, 3].map(|id| Member::new(NodeId::new(id)).with_roles(Roles::ACCEPTOR));
    let proposers = [8, 9].map(|id| Member::new(NodeId::new(id)).with_roles(Roles::PROPOSER));
    let members = [&acceptors[..], &proposers].concat();
    let quorums = Quorums::majority(3);
    let mut acceptor = Acceptor::new(NodeId::new(1), &members, quorums, Config::lan()).unwrap();
    acceptor.found();
    let mut net = Net::new([acceptor]);
    net.sync_all();
    net
}
