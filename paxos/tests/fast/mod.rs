//! Fast Paxos.

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng};
use quorate_paxos::fast::{Config, FastPaxos, FastQuorums};
use quorate_paxos::synod::{Message, Phase, Vote};
use quorate_paxos::{Ballot, ConfigError, Inline};

use crate::common::{Net, ballot, chaos};

type Node = FastPaxos<Inline<9, 8>>;

fn node(id: u64, quorums: FastQuorums, seed: u64) -> Node {
    let ids: Vec<NodeId> = (1..=quorums.members()).map(|id| NodeId::new(id.into())).collect();
    Node::new(NodeId::new(id), &ids, quorums, Config::lan(), seed + id).unwrap()
}

fn net(quorums: FastQuorums, seed: u64) -> Net<Node> {
    let mut net = Net::new((1..=quorums.members()).map(|id| {
        let mut node = node(id.into(), quorums, seed);
        node.found();
        node
    }));
    net.sync_all();
    net.nodes.values_mut().for_each(|host| host.syncs = 0);
    net
}

/// Lamport, "Fast Paxos", section 2.2: any two fast quorums and a classic one share an acceptor.
#[test]
fn fast_quorums_are_as_small_as_can_be() {
    let fast = [3, 4, 5, 6, 7, 8, 9].map(|n| FastQuorums::minimal(n).fast());
    assert_eq!(fast, [3, 3, 4, 5, 6, 6, 7]);
    for n in 1..=255_u8 {
        let FastQuorums { .. } = FastQuorums::minimal(n);
        let (classic, fast) = (FastQuorums::minimal(n).classic(), FastQuorums::minimal(n).fast());
        assert!(FastQuorums::new(n, classic, fast).is_ok(), "{n}");
        assert_eq!(FastQuorums::new(n, classic, fast - 1), Err(ConfigError::FastQuorums), "{n}");
        // of two values no more than one can have been chosen, whatever classic quorum replies
        for replies in classic..=n {
            assert!(
                2 * u16::from(FastQuorums::minimal(n).possibly_chosen(replies))
                    > u16::from(replies)
            );
        }
    }
    let smallest = [5, 7, 9].map(|n| FastQuorums::minimal(n).possibly_chosen(n / 2 + 1));
    assert_eq!(smallest, [2, 3, 3]);
}

/// Without a collision: the value to the acceptors, their votes to all, one write each; two message delays.
#[test]
fn value_is_chosen_after_two_message_delays() {
    let mut net = net(FastQuorums::minimal(4), 1);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    for _ in 0..2 {
        net.sync_all();
        net.deliver_if(|_| true);
    }
    assert!((1..=4).all(|id| net.host(id).decided == [b"x"]));
    assert_eq!(net.sent, [("Accepted", 12), ("Propose", 3)].into());
    assert!((1..=4).all(|id| net.host(id).syncs == 1));
}

/// Two values, neither of which has a fast quorum: a classic ballot chooses one of them.
#[test]
fn collision_ends_in_a_classic_ballot() {
    for seed in 0..40 {
        let mut net = net(FastQuorums::minimal(3), seed);
        net.node(1).propose(Instant::ZERO, b"a").unwrap();
        net.node(2).propose(Instant::ZERO, b"b").unwrap();
        net.settle();
        assert_eq!(net.decided(), None);
        for _ in 0..30 {
            net.wait();
            net.settle();
        }
        assert!(net.nodes.values().all(|host| host.decided.len() == 1), "seed {seed}");
        assert!(net.node(1).status().accepted > Ballot::FAST);
    }
}

/// A vote that a node reports, if it has one.
type Reported<'a> = (u64, Option<(Ballot, &'a [u8])>);

/// Node 1 prepares a classic ballot; the votes that promises report decide what it proposes. The first of them is its own, in the fast ballot.
fn recovered(quorums: FastQuorums, votes: &[Reported<'_>]) -> Vec<u8> {
    let mut net = net(quorums, 7);
    let ((_, first), others) = votes.split_first().unwrap();
    let (first, value) = first.unwrap();
    assert_eq!(first, Ballot::FAST);
    net.node(1).receive(Instant::ZERO, NodeId::new(2), Message::Propose { value }).unwrap();
    // it has seen a later ballot, and so begins a classic one
    net.node(1)
        .receive(Instant::ZERO, NodeId::new(2), Message::Prepare { ballot: ballot(4, 2) })
        .unwrap();
    net.settle_unheard();
    net.node(1).propose(Instant::ZERO, b"own").unwrap();
    net.settle_unheard();
    assert_eq!(net.node(1).status().phase, Phase::Preparing);
    let mine = net.node(1).status().ballot;
    for (from, vote) in others {
        let vote = vote.map(|(ballot, value)| Vote { ballot, value });
        let promise = Message::Promise { ballot: mine, vote };
        net.node(1).receive(Instant::ZERO, NodeId::new(*from), promise).unwrap();
    }
    net.poll_all();
    let accept = net.take(|_| true).into_iter().find_map(|sent| match sent.message() {
        Message::Accept { vote } => Some(vote.value.to_vec()),
        _ => None,
    });
    accept.unwrap()
}

/// Section 2.2: v is proposed if so many have voted for it that a fast quorum may have.
#[test]
fn possibly_chosen_value_is_proposed() {
    let f = Ballot::FAST;
    // n = 5: three replies, two of which are enough
    let five = FastQuorums::minimal(5);
    assert_eq!(
        recovered(five, &[(2, Some((f, b"a"))), (3, Some((f, b"b"))), (4, Some((f, b"b")))]),
        b"b"
    );
    // a vote in the fast ballot and none: of a fast quorum of four, two would be among any three
    assert_eq!(recovered(five, &[(2, Some((f, b"a"))), (3, None), (4, None)]), b"own");
    assert_eq!(recovered(five, &[(2, Some((f, b"a"))), (3, Some((f, b"a"))), (4, None)]), b"a");
    // n = 7: four replies, three of which are enough
    let seven = FastQuorums::minimal(7);
    let vote = |value| Some((f, value));
    let votes = [(2, vote(&b"a"[..])), (3, vote(b"b")), (4, vote(b"a")), (5, vote(b"a"))];
    assert_eq!(recovered(seven, &votes), b"a");
    let votes = [(2, vote(&b"a"[..])), (3, vote(b"b")), (4, vote(b"a")), (5, vote(b"b"))];
    assert_eq!(recovered(seven, &votes), b"own");
    // n = 9: five replies, three of which are enough
    let nine = FastQuorums::minimal(9);
    let votes =
        [(2, vote(&b"a"[..])), (3, vote(b"b")), (4, vote(b"a")), (5, vote(b"c")), (6, vote(b"a"))];
    assert_eq!(recovered(nine, &votes), b"a");
}

/// Only the votes of the highest ballot that is reported count: a classic ballot gives its value.
#[test]
fn votes_of_the_highest_ballot_alone_count() {
    let (f, classic) = (Ballot::FAST, ballot(3, 5));
    let five = FastQuorums::minimal(5);
    let votes = [(2, Some((f, &b"a"[..]))), (3, Some((f, b"a"))), (4, Some((classic, b"c")))];
    assert_eq!(recovered(five, &votes), b"c");
    let seven = FastQuorums::minimal(7);
    let votes = [
        (2, Some((f, &b"a"[..]))),
        (3, Some((ballot(2, 6), b"b"))),
        (4, Some((f, b"a"))),
        (5, Some((f, b"a"))),
    ];
    assert_eq!(recovered(seven, &votes), b"b");
}

/// An acceptor votes once in the fast ballot, and not at all after it has promised a classic one.
#[test]
fn acceptor_votes_once_in_the_fast_ballot() {
    let mut net = net(FastQuorums::minimal(3), 1);
    let propose = |value| Message::Propose { value };
    net.node(1).receive(Instant::ZERO, NodeId::new(2), propose(b"a")).unwrap();
    net.node(1).receive(Instant::ZERO, NodeId::new(3), propose(b"b")).unwrap();
    net.poll_all();
    assert!(net.in_flight.is_empty(), "a vote that is on no disk");
    net.sync_all();
    let vote = Vote { ballot: Ballot::FAST, value: b"a" };
    let sent = net.take(|_| true);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|sent| sent.message() == Message::Accepted { vote }));
    net.node(2)
        .receive(Instant::ZERO, NodeId::new(3), Message::Prepare { ballot: ballot(2, 3) })
        .unwrap();
    net.settle_unheard();
    net.node(2).receive(Instant::ZERO, NodeId::new(1), propose(b"a")).unwrap();
    net.poll_all();
    let promised = ballot(2, 3);
    let refused = Message::Preempted { ballot: Ballot::FAST, promised };
    assert_eq!(net.take(|_| true)[0].message(), refused);
    assert_eq!(net.node(2).status().accepted, Ballot::ZERO);
}

#[test]
fn node_refuses_what_cannot_be() {
    let mut net = net(FastQuorums::minimal(3), 1);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    let vote = |ballot, value| Vote { ballot, value };
    let far = ballot(Ballot::MAX_ROUND + 1, 2);
    let cases = [
        (Message::Accepted { vote: vote(Ballot::ZERO, b"") }, Rejected::Malformed),
        (Message::Accepted { vote: vote(far, b"") }, Rejected::OutOfRange),
        (Message::Accepted { vote: vote(Ballot::FAST, b"other") }, Rejected::Impossible),
        (Message::Accepted { vote: vote(ballot(2, 2), &[0; 9]) }, Rejected::Full),
        (Message::Preempted { ballot: Ballot::FAST, promised: Ballot::FAST }, Rejected::Impossible),
        (Message::Preempted { ballot: Ballot::FAST, promised: far }, Rejected::OutOfRange),
        (Message::Propose { value: &[0; 9] }, Rejected::Full),
        (Message::Accept { vote: vote(Ballot::FAST, b"x") }, Rejected::Malformed),
        (Message::Prepare { ballot: ballot(1, 2) }, Rejected::Malformed),
        (
            Message::Promise { ballot: ballot(1, 1), vote: Some(vote(ballot(1, 2), b"x")) },
            Rejected::Impossible,
        ),
    ];
    for (message, reason) in cases {
        let refused = net.node(1).receive(Instant::ZERO, NodeId::new(2), message);
        assert_eq!(refused, Err(reason), "{message:?}");
    }
    let five = FastQuorums::minimal(5);
    let ids = [1, 2, 3].map(NodeId::new);
    let wrong = Node::new(ids[0], &ids, five, Config::lan(), 1);
    assert_eq!(wrong.err(), Some(ConfigError::FastQuorums));
}

#[test]
fn one_value_is_chosen_whatever_happens() {
    let (mut fast, mut classic) = (0, 0);
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let quorums = FastQuorums::minimal(1 + rng.below(6) as u8);
        let mut net = net(quorums, seed);
        let boot = |id: NodeId| node(id.get(), quorums, seed + 1_000);
        chaos(&mut net, &mut rng, 500, boot, |node, now, rng| {
            let _ = node.propose(now, &rng.next_u64().to_le_bytes());
        });
        for id in net.ids() {
            if net.nodes[&id].machine.is_none() {
                net.restart(boot(id));
            }
            let now = net.now;
            net.node(id.get()).learn(now);
        }
        let now = net.now;
        let _ = net.node(1).propose(now, b"last");
        for _ in 0..200 {
            net.settle();
            if net.nodes.values().all(|host| host.machine.as_ref().unwrap().decided().is_some()) {
                break;
            }
            net.wait();
        }
        assert!(net.decided().is_some(), "seed {seed}: nothing was chosen");
        for id in net.ids() {
            assert!(net.node(id.get()).decided().is_some(), "seed {seed}: node {id} does not know");
        }
        let is_fast =
            net.ids().iter().all(|id| net.node(id.get()).status().accepted <= Ballot::FAST);
        *(if is_fast { &mut fast } else { &mut classic }) += 1;
    }
    assert!(fast > 20 && classic > 20, "{fast} in the fast ballot, {classic} in classic ones");
}

/// A classic ballot that begins while this node waits for votes in the fast one ends that.
#[test]
fn fast_ballot_is_given_up_for_a_classic_one() {
    let mut net = net(FastQuorums::minimal(3), 1);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    assert_eq!(net.node(1).status().phase, Phase::Fast);
    let prepare = Message::Prepare { ballot: ballot(2, 2) };
    net.node(1).receive(Instant::ZERO, NodeId::new(2), prepare).unwrap();
    assert_eq!(net.node(1).status().phase, Phase::Fast, "the promise is on no disk");
    net.poll_all();
    net.sync_all();
    assert_eq!(net.node(1).status().phase, Phase::BackingOff);
    let wait_us = net.node(1).deadline().unwrap().since(Instant::ZERO);
    assert!(wait_us < Config::lan().backoff_us, "{wait_us}");
    net.tick(wait_us);
    assert_eq!(net.node(1).status().ballot, ballot(3, 1));
}

/// A fast quorum that is not there is waited for no longer than `retry_us`.
#[test]
fn fast_ballot_without_enough_nodes_is_followed_by_a_classic_one() {
    let mut net = net(FastQuorums::minimal(3), 1);
    net.crash(3);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    assert_eq!(net.decided(), None);
    assert_eq!(net.node(1).deadline(), Some(Instant::ZERO.after(Config::lan().retry_us)));
    net.wait();
    net.settle();
    assert_eq!(net.host(1).decided, [b"x"]);
    assert_eq!(net.node(1).status().accepted, ballot(2, 1));
}

/// A proposer that is gone, and votes that are not enough: those that voted finish it.
#[test]
fn what_was_begun_is_finished_by_others() {
    let mut net = net(FastQuorums::minimal(3), 1);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.deliver_if(|sent| sent.to == NodeId::new(2));
    net.crash(1);
    net.sync_all();
    net.take(|_| true);
    for _ in 0..40 {
        net.settle();
        net.wait();
    }
    assert_eq!(net.host(2).decided, [b"x"]);
    assert_eq!(net.host(3).decided, [b"x"]);
}

/// A node that has voted for another's value does not send its own to collide with it.
#[test]
fn node_that_has_voted_proposes_in_a_classic_ballot() {
    let mut net = net(FastQuorums::minimal(5), 1);
    net.node(2).receive(Instant::ZERO, NodeId::new(1), Message::Propose { value: b"a" }).unwrap();
    net.node(2).propose(Instant::ZERO, b"b").unwrap();
    assert_eq!(net.node(2).status().phase, Phase::Preparing);
    net.settle();
    // one vote of three that reply is too few to have been chosen
    assert_eq!(net.decided().as_deref(), Some(&b"b"[..]));
}

/// The counts are those of large groups, too: nothing wraps.
#[test]
fn possibly_chosen_is_exact() {
    for n in 1..=255_u16 {
        let quorums = FastQuorums::minimal(n as u8);
        for replies in u16::from(quorums.classic())..=n {
            let exact = replies + u16::from(quorums.fast()) - n;
            assert_eq!(u16::from(quorums.possibly_chosen(replies as u8)), exact, "{n}: {replies}");
        }
    }
}
