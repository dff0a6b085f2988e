//! A member of a causal group of three, hand to hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_clocks::causal::{Config, Message};
use quorate_clocks::{Causal, Dot, Inline, VersionVector, Versions};
use quorate_core::{Instant, Machine, NodeId, Output, Rejected};

pub(crate) type Member = Causal<Inline<3>, Inline<6>, Inline<8>>;
pub(crate) type Vector = VersionVector<Inline<3>>;

pub(crate) const IDS: [NodeId; 3] = [NodeId::new(1), NodeId::new(2), NodeId::new(3)];

pub(crate) fn dot(node: u64, counter: u64) -> Dot {
    Dot::new(NodeId::new(node).into(), counter).unwrap()
}

pub(crate) fn vector(dots: &[Dot]) -> Vector {
    let mut vector = Vector::new();
    dots.iter().for_each(|&dot| _ = vector.observe(dot).unwrap());
    vector
}

pub(crate) fn new_member() -> Member {
    Member::new(IDS[0].into(), &IDS, Config::lan()).unwrap()
}

/// A member that has started, its start durable.
pub(crate) fn started() -> Member {
    let mut member = new_member();
    member.tick(Instant::ZERO);
    drain(&mut member);
    member
}

/// One that both others have been heard of, with nothing.
pub(crate) fn synced() -> Member {
    let mut member = new_member();
    exchange_statuses(&mut member);
    assert_eq!(member.deadline(), None);
    member
}

/// Starts, and hears from both others that they have nothing: their questions, and their answers
/// to its own.
pub(crate) fn exchange_statuses(member: &mut Member) {
    member.tick(Instant::ZERO);
    for peer in [1, 2] {
        receive(member, peer, status_request(1, false, Versions::EMPTY)).unwrap();
    }
    drain(member);
    for peer in [1, 2] {
        receive(member, peer, status_reply(1, Versions::EMPTY)).unwrap();
    }
    drain(member);
}

/// The peer started again and says what it has, in a question and, when it is asked, in an answer.
pub(crate) fn restart_peer(member: &mut Member, from: usize, boot: u32, delivered: &Vector) {
    let now = member.deadline().unwrap_or(Instant::ZERO);
    member.receive(now, IDS[from], status_request(boot, false, delivered.versions())).unwrap();
    member.tick(member.deadline().unwrap());
    drain(member);
    receive(member, from, status_reply(boot, delivered.versions())).unwrap();
    drain(member);
}

/// Everything polled, as text; records are durable at once.
pub(crate) fn drain<M: Machine>(member: &mut M) -> Vec<String> {
    let mut outputs = Vec::new();
    loop {
        let mut durable = None;
        while let Some(output) = member.poll() {
            outputs.push(format!("{output:?}"));
            if let Output::Persist(ticket, _) = output {
                durable = Some(ticket);
            }
        }
        match durable {
            Some(ticket) => member.persisted(ticket),
            None => return outputs,
        }
    }
}

/// The dots that were delivered.
pub(crate) fn delivered(outputs: &[String]) -> Vec<&str> {
    after(outputs, "Event(Deliver { dot: ")
}

/// The dots of the messages that were sent to a node.
pub(crate) fn sent_to(outputs: &[String], node: u64) -> Vec<&str> {
    after(outputs, &format!("Send(NodeId({node}), Data {{ dot: "))
}

/// What follows in the lines that begin so, up to a comma.
fn after<'a>(outputs: &'a [String], prefix: &str) -> Vec<&'a str> {
    let rest = outputs.iter().filter_map(|line| line.strip_prefix(prefix));
    rest.map(|rest| rest.split(',').next().unwrap()).collect()
}

pub(crate) fn count(outputs: &[String], what: &str) -> usize {
    outputs.iter().filter(|line| line.contains(what)).count()
}

pub(crate) fn data<'a>(dot: Dot, causes: &'a Vector) -> Message<'a> {
    Message::Data { dot, causes: causes.versions(), payload: b"x" }
}

pub(crate) fn status_reply(boot: u32, delivered: Versions<'_>) -> Message<'_> {
    Message::Status { boot, request: false, relay: false, delivered }
}

pub(crate) fn status_request(boot: u32, relay: bool, delivered: Versions<'_>) -> Message<'_> {
    Message::Status { boot, request: true, relay, delivered }
}

/// From the peer at that place of [`IDS`], without time passing.
pub(crate) fn receive(
    member: &mut Member,
    from: usize,
    message: Message<'_>,
) -> Result<(), Rejected> {
    member.receive(Instant::ZERO, IDS[from], message)
}

pub(crate) fn receive_at(member: &mut Member, ms: u64, from: usize, message: Message<'_>) {
    member.receive(Instant::from_millis(ms), IDS[from], message).unwrap();
}

/// Lets time pass, and everything be said.
pub(crate) fn tick(member: &mut Member, ms: u64) -> Vec<String> {
    member.tick(Instant::from_millis(ms));
    drain(member)
}
