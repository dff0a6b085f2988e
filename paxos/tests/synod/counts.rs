//! How many messages and writes a decision costs, exactly.

use quorate_core::{Instant, Machine, NodeId, Quorums};
use quorate_paxos::synod::{Acceptor, Config, Event, Learning, Message, Proposer, Record, Status};
use quorate_paxos::{Member, Roles};

use super::{Storage, net};
use crate::common::Net;

/// One proposer that learns, and three acceptors on other nodes: 4n messages, two writes for each acceptor.
#[test]
fn roles_apart_take_four_messages_for_each_acceptor() {
    let mut members: Vec<Member> =
        (1..=3).map(|id| Member::new(NodeId::new(id)).with_roles(Roles::ACCEPTOR)).collect();
    members.push(Member::new(NodeId::new(9)).with_roles(Roles::PROPOSER));
    let mut net =
        Net::new((1..=3).map(|id| One::acceptor(id, &members)).chain([One::proposer(9, &members)]));
    net.sync_all();
    net.nodes.values_mut().for_each(|host| host.syncs = 0);
    if let One::Proposer(proposer) = net.node(9) {
        proposer.propose(Instant::ZERO, b"x").unwrap();
    }
    net.settle();
    assert_eq!(net.decided().as_deref(), Some(&b"x"[..]));
    let each = [("Accept", 3), ("Accepted", 3), ("Prepare", 3), ("Promise", 3)];
    assert_eq!(net.sent, each.into());
    assert_eq!([1, 2, 3, 9].map(|id| net.host(id).syncs), [2, 2, 2, 1]); // the proposer's: 16 rounds
}

/// All roles in each of three nodes: 4(n - 1), and n - 1 more to tell the others; two writes each.
#[test]
fn roles_together_take_four_messages_for_each_other_node() {
    for (learning, decided, total) in
        [(Learning::Proposer, 0, 8), (Learning::Distinguished, 2, 10), (Learning::Direct, 0, 10)]
    {
        let mut net = net(3, Config { learning, ..Config::lan() });
        net.node(1).propose(Instant::ZERO, b"x").unwrap();
        net.settle();
        let knows = [1, 2, 3].map(|id| net.host(id).decided.len());
        let all = if learning == Learning::Proposer { [1, 0, 0] } else { [1; 3] };
        assert_eq!(knows, all, "{learning:?}");
        assert_eq!(net.sent.get("Decided").copied().unwrap_or(0), decided, "{learning:?}");
        // of direct learning each acceptor tells each learner: 2 Accepted more of the others, and 2 of the proposer's own
        let direct = if learning == Learning::Direct { 2 } else { 0 };
        assert_eq!(net.total(), total + direct, "{learning:?}: {:?}", net.sent);
        assert_eq!([1, 2, 3].map(|id| net.host(id).syncs), [2; 3], "{learning:?}");
    }
}

#[test]
fn one_node_decides_alone() {
    let mut net = net(1, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    assert_eq!((net.decided().as_deref(), net.total()), (Some(&b"x"[..]), 0));
    assert_eq!(net.host(1).syncs, 2);
}

/// Whoever asks once a value was chosen is told with one message.
#[test]
fn late_proposer_is_told() {
    let mut net = net(3, Config { learning: Learning::Proposer, ..Config::lan() });
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    net.sent.clear();
    net.node(2).propose(Instant::ZERO, b"y").unwrap();
    net.settle();
    assert_eq!(net.host(2).decided, [b"x"]);
    assert_eq!(net.sent["Decided"], 1); // node 3 does not know, and promises
}

/// A machine of either role.
enum One {
    Acceptor(Acceptor<Storage>),
    Proposer(Proposer<Storage>),
}

impl One {
    fn acceptor(id: u64, members: &[Member]) -> Self {
        let mut one =
            Acceptor::new(NodeId::new(id), members, Quorums::majority(3), Config::lan()).unwrap();
        one.found();
        Self::Acceptor(one)
    }

    fn proposer(id: u64, members: &[Member]) -> Self {
        let mut one =
            Proposer::new(NodeId::new(id), members, Quorums::majority(3), Config::lan(), 1)
                .unwrap();
        one.found();
        Self::Proposer(one)
    }
}

macro_rules! each {
    ($self:expr, $one:ident => $what:expr) => {
        match $self {
            One::Acceptor($one) => $what,
            One::Proposer($one) => $what,
        }
    };
}

impl Machine for One {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), quorate_core::Corrupt> {
        each!(self, one => one.restore(record))
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), quorate_core::Rejected> {
        each!(self, one => one.receive(now, from, message))
    }

    fn tick(&mut self, now: Instant) {
        each!(self, one => one.tick(now));
    }

    fn persisted(&mut self, ticket: quorate_core::Ticket) {
        each!(self, one => one.persisted(ticket));
    }

    fn poll(&mut self) -> Option<quorate_core::Output<'_, Self>> {
        fn of<'a, M>(output: quorate_core::Output<'a, M>) -> quorate_core::Output<'a, One>
        where
            M: Machine<Message<'a> = Message<'a>, Record<'a> = Record<'a>, Event<'a> = Event<'a>>,
        {
            match output {
                quorate_core::Output::Persist(ticket, record) => {
                    quorate_core::Output::Persist(ticket, record)
                }
                quorate_core::Output::Send(to, message) => quorate_core::Output::Send(to, message),
                quorate_core::Output::Event(event) => quorate_core::Output::Event(event),
            }
        }
        match self {
            Self::Acceptor(one) => one.poll().map(of),
            Self::Proposer(one) => one.poll().map(of),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        each!(self, one => one.deadline())
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let all: Vec<Record<'_>> = each!(self, one => one.checkpoint().collect());
        all.into_iter()
    }

    fn status(&self) -> Status {
        each!(self, one => one.status())
    }

    fn rejections(&self) -> quorate_core::Rejections {
        each!(self, one => one.rejections())
    }
}
