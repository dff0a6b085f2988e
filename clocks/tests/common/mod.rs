//! A member of a causal group of three, hand to hand.
#![allow(dead_code)] // not every test file needs all of it

use quorate_clocks::{Causal, CausalConfig, Dot, Inline, Message, VersionVector, Versions};
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

pub(crate) fn fresh() -> Member {
    Member::new(IDS[0].into(), &IDS, CausalConfig::LAN).unwrap()
}

/// A member that has started, its start durable.
pub(crate) fn started() -> Member {
    let mut member = fresh();
    member.tick(Instant::ZERO);
    drain(&mut member);
    member
}

/// One that both others have been heard of, with nothing.
pub(crate) fn settled() -> Member {
    let mut member = fresh();
    meet(&mut member);
    assert_eq!(member.deadline(), None);
    member
}

/// Starts, and hears from both others that they have nothing: their questions, and their answers
/// to its own.
pub(crate) fn meet(member: &mut Member) {
    member.tick(Instant::ZERO);
    for peer in [1, 2] {
        give(member, peer, question(1, false, Versions::EMPTY)).unwrap();
    }
    drain(member);
    for peer in [1, 2] {
        give(member, peer, answer(1, Versions::EMPTY)).unwrap();
    }
    drain(member);
}

/// The peer started again and says what it has, in a question and, when it is asked, in an answer.
pub(crate) fn start_again(member: &mut Member, from: usize, boot: u32, delivered: &Vector) {
    let now = member.deadline().unwrap_or(Instant::ZERO);
    member.receive(now, IDS[from], question(boot, false, delivered.versions())).unwrap();
    member.tick(member.deadline().unwrap());
    drain(member);
    give(member, from, answer(boot, delivered.versions())).unwrap();
    drain(member);
}

/// Everything polled, as text; records are durable at once.
pub(crate) fn drain<M: Machine>(member: &mut M) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let mut durable = None;
        while let Some(output) = member.poll() {
            said.push(format!("{output:?}"));
            if let Output::Persist(ticket, _) = output {
                durable = Some(ticket);
            }
        }
        match durable {
            Some(ticket) => member.persisted(ticket),
            None => return said,
        }
    }
}

/// The dots that were delivered.
pub(crate) fn delivered(said: &[String]) -> Vec<&str> {
    after(said, "Event(Deliver { dot: ")
}

/// The dots of the messages that were sent to a node.
pub(crate) fn sent_to(said: &[String], node: u64) -> Vec<&str> {
    after(said, &format!("Send(NodeId({node}), Data {{ dot: "))
}

/// What follows in the lines that begin so, up to a comma.
fn after<'a>(said: &'a [String], prefix: &str) -> Vec<&'a str> {
    let rest = said.iter().filter_map(|line| line.strip_prefix(prefix));
    rest.map(|rest| rest.split(',').next().unwrap()).collect()
}

pub(crate) fn count(said: &[String], what: &str) -> usize {
    said.iter().filter(|line| line.contains(what)).count()
}

pub(crate) fn data<'a>(dot: Dot, causes: &'a Vector) -> Message<'a> {
    Message::Data { dot, causes: causes.versions(), payload: b"x" }
}

pub(crate) fn answer(boot: u32, delivered: Versions<'_>) -> Message<'_> {
    Message::Status { boot, ask: false, help: false, delivered }
}

pub(crate) fn question(boot: u32, help: bool, delivered: Versions<'_>) -> Message<'_> {
    Message::Status { boot, ask: true, help, delivered }
}

/// From the peer at that place of [`IDS`], without time passing.
pub(crate) fn give(member: &mut Member, from: usize, message: Message<'_>) -> Result<(), Rejected> {
    member.receive(Instant::ZERO, IDS[from], message)
}

pub(crate) fn give_at(member: &mut Member, ms: u64, from: usize, message: Message<'_>) {
    member.receive(Instant::from_millis(ms), IDS[from], message).unwrap();
}

/// Lets time pass, and everything be said.
pub(crate) fn tick(member: &mut Member, ms: u64) -> Vec<String> {
    member.tick(Instant::from_millis(ms));
    drain(member)
}
