//! Rules of bully that a cluster rarely shows: one machine, and messages made by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::nth_ticket;
use quorate_core::{Drift, Instant, Machine, NodeId, Output};
use quorate_election::bully::Message;
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Record, Role, Takeover};

type Node = Bully<Inline<3>>;

fn id(n: u64) -> NodeId {
    NodeId::new(n)
}

/// A node that is known to be new.
fn node(me: u64, config: Config) -> Node {
    let mut node = Bully::new(id(me), &[id(1), id(2), id(3)], config).unwrap();
    node.restore(Record { epoch: Epoch::ZERO }).unwrap();
    node
}

/// Polls until it is quiet; what it sends, with disks that write at once.
fn sent(node: &mut Node) -> Vec<(u64, Message)> {
    let mut sent = Vec::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Send(to, message) => sent.push((to.get(), message)),
            Output::Event(_) => {}
        }
    }
    sent
}

/// The epoch that is claimed in what was said.
fn claimed(sent: &[(u64, Message)]) -> Option<Epoch> {
    sent.iter().find_map(|(_, message)| match message {
        Message::Coordinator { epoch } => Some(*epoch),
        _ => None,
    })
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

const LEASE_US: u64 = 300_000;

fn leased() -> Config {
    Config { mode: Mode::Lease { lease_us: LEASE_US, drift: Drift::NONE }, ..Config::lan() }
}

/// Node 3 leads since 1,000 ms with the votes of 1; its first round is on its way.
fn leader() -> (Node, Epoch) {
    leader_with(leased())
}

fn leader_with(config: Config) -> (Node, Epoch) {
    let mut node = node(3, config);
    node.tick(ms(0));
    // what may have been promised before the start has to run out first
    node.tick(ms(1_000));
    let requests = sent(&mut node);
    let epoch = claimed(&requests).unwrap_or_else(|| {
        let answer = Message::Answer { epoch: Epoch::ZERO };
        node.receive(ms(1_000), id(1), answer).unwrap(); // it misses the leader, too
        claimed(&sent(&mut node)).unwrap()
    });
    assert_eq!(node.status().role, Role::Claiming);
    node.receive(ms(1_000), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Claiming, "it is not on disk");
    assert!(sent(&mut node).contains(&(1, Message::Alive { epoch, round: 1 })));
    assert_eq!(node.status().role, Role::Leader);
    (node, epoch)
}

#[test]
fn lease_counts_from_the_request() {
    let (mut node, epoch) = leader();
    assert!(!node.holds_lease(ms(1_000)));
    node.receive(ms(1_200), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(node.holds_lease(ms(1_299)));
    assert!(!node.holds_lease(ms(1_300)), "it was asked at 1,000 ms");
}

#[test]
fn stale_round_does_not_renew_the_lease() {
    let (mut node, epoch) = leader();
    node.receive(ms(1_050), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    node.tick(ms(1_100));
    sent(&mut node); // round 2
    node.receive(ms(1_150), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(!node.holds_lease(ms(1_300)));
    node.receive(ms(1_150), id(1), Message::Accept { epoch, round: 2 }).unwrap();
    assert!(node.holds_lease(ms(1_399)) && !node.holds_lease(ms(1_400)));
}

#[test]
fn repeated_answers_of_one_node_are_no_majority() {
    let config = Config { mode: Mode::Quorum, ..Config::lan() };
    let five = [1, 2, 3, 4, 5].map(NodeId::new);
    let mut node = Bully::<Inline<5>>::new(id(5), &five, config).unwrap();
    node.restore(Record { epoch: Epoch::ZERO }).unwrap();
    node.tick(ms(0));
    while node.poll().is_some() {}
    let epoch = Epoch::from_token(4);
    for _ in 0..3 {
        node.receive(ms(1), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    }
    assert_eq!(node.status().role, Role::Claiming);
    node.receive(ms(1), id(2), Message::Accept { epoch, round: 0 }).unwrap();
    node.poll();
    node.persisted(nth_ticket(1));
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn leader_without_majority_steps_down() {
    let (mut node, _) = leader();
    for at in 10..=12 {
        node.tick(ms(at * 100 + 50));
    }
    assert_eq!(node.status().role, Role::Leader);
    node.tick(ms(1_360));
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
}

#[test]
fn restarted_node_waits_out_former_leases() {
    let mut node = node(1, Config { takeover: Takeover::Keep, ..leased() });
    node.tick(ms(0));
    let claim = Message::Coordinator { epoch: Epoch::from_token(34) };
    node.receive(ms(299), id(3), claim).unwrap();
    assert_eq!(sent(&mut node), []);
    node.receive(ms(300), id(3), claim).unwrap();
    let accept = Message::Accept { epoch: Epoch::from_token(34), round: 0 };
    assert_eq!(sent(&mut node), [(3, accept)]);
}

#[test]
fn granted_lease_holds_against_higher_claim() {
    let mut node = node(1, leased());
    node.tick(ms(0));
    node.receive(ms(400), id(2), Message::Alive { epoch: Epoch::from_token(33), round: 1 })
        .unwrap();
    sent(&mut node);
    let better = Message::Coordinator { epoch: Epoch::from_token(66) };
    node.receive(ms(699), id(3), better).unwrap();
    assert_eq!(sent(&mut node), []);
    assert_eq!(node.status().leader, Some(id(2)));
    node.receive(ms(700), id(3), better).unwrap();
    assert_eq!(sent(&mut node).len(), 1);
}

#[test]
fn late_coordinator_gets_stale() {
    let mut node = node(1, Config { takeover: Takeover::Keep, ..Config::lan() });
    let (old, new) = (Epoch::from_token(33), Epoch::from_token(66));
    node.receive(ms(0), id(3), Message::Coordinator { epoch: new }).unwrap();
    node.receive(ms(1), id(2), Message::Coordinator { epoch: old }).unwrap();
    assert_eq!(node.status().leader, Some(id(3)));
    assert_eq!(sent(&mut node), [(2, Message::Stale { epoch: new })]);
}

#[test]
fn sticky_leader_survives_one_wrong_suspicion() {
    let mut node = node(2, Config { takeover: Takeover::Keep, ..Config::lan() });
    let epoch = Epoch::from_token(34);
    node.receive(ms(0), id(3), Message::Coordinator { epoch }).unwrap();
    node.receive(ms(10), id(1), Message::Election { epoch }).unwrap();
    assert_eq!(sent(&mut node), [(1, Message::Answer { epoch })]);
    assert_eq!(node.status().role, Role::Follower);
}

#[test]
fn late_election_message_starts_no_election() {
    let mut node = node(2, Config::lan());
    let (old, epoch) = (Epoch::from_token(2), Epoch::from_token(34));
    node.receive(ms(0), id(3), Message::Coordinator { epoch }).unwrap();
    sent(&mut node);
    node.receive(ms(10), id(1), Message::Election { epoch: old }).unwrap();
    assert_eq!(sent(&mut node), [(1, Message::Answer { epoch })]);
    node.receive(ms(10), id(1), Message::Election { epoch }).unwrap();
    assert_eq!(node.status().role, Role::Candidate);
}

#[test]
fn higher_of_two_claimants_continues() {
    for (me, other, goes_on) in [(3, 2, true), (2, 3, false)] {
        let config =
            Config { mode: Mode::Quorum, takeover: Takeover::Keep, attempts: 1, ..Config::lan() };
        let mut node = node(me, config);
        node.campaign(ms(0));
        node.receive(ms(0), id(1), Message::Answer { epoch: Epoch::ZERO }).unwrap();
        if me < 3 {
            node.tick(ms(50)); // nobody better answers
        }
        let before = claimed(&sent(&mut node)).unwrap();
        assert_eq!(node.status().role, Role::Claiming);
        let later = Epoch::from_token(64 + other - 1);
        node.receive(ms(60), id(1), Message::Stale { epoch: later }).unwrap();
        assert_eq!(node.status().role == Role::Claiming, goes_on);
        assert!(node.status().epoch == later && later > before);
        assert_eq!(claimed(&sent(&mut node)), later.next_for(me as usize - 1).filter(|_| goes_on));
    }
}

/// A peer that names a later epoch after each claim makes a node claim again at once only one time until its next timeout.
#[test]
fn later_epochs_after_each_claim_cause_no_storm() {
    let stale = |epoch| Message::Stale { epoch };
    let coordinator = |epoch| Message::Coordinator { epoch };
    let election = |epoch| Message::Election { epoch };
    let alive = |epoch| Message::Alive { epoch, round: 1 };
    let ways: [fn(Epoch) -> Message; 4] = [stale, coordinator, election, alive];
    for (mode, way) in
        [Mode::Classic, Mode::Quorum].into_iter().flat_map(|mode| ways.map(|way| (mode, way)))
    {
        let mut node = node(3, Config { mode, ..Config::lan() });
        node.campaign(ms(0));
        let names_later = |node: &mut Node, at, epoch: Epoch| {
            let later = Epoch::from_token((epoch.token() | 31) + 1); // of node 1
            node.receive(ms(at), id(1), way(later)).unwrap();
        };
        let what = format!("{mode:?} {:?}", way(Epoch::ZERO));
        let mut claims = 0;
        while let Some(epoch) = claimed(&sent(&mut node)) {
            claims += 1;
            assert!(claims < 10, "{what}");
            names_later(&mut node, 0, epoch);
        }
        assert_eq!((claims, node.status().role), (2, Role::Waiting), "{what}");
        assert_eq!(node.deadline(), Some(ms(50)), "{what}");
        // the timeout ends that
        node.tick(ms(50));
        let epoch = claimed(&sent(&mut node)).unwrap();
        names_later(&mut node, 50, epoch);
        assert!(claimed(&sent(&mut node)) > Some(epoch), "{what}");
    }
}

/// The application's own resource is no peer that lies.
#[test]
fn leader_that_is_fenced_again_claims_again_at_once() {
    let mut node = node(3, Config::lan());
    node.campaign(ms(0));
    for _ in 0..4 {
        let epoch = claimed(&sent(&mut node)).unwrap();
        node.fenced(ms(0), Epoch::from_token((epoch.token() | 31) + 1));
    }
}

#[test]
fn new_leader_ends_the_wait_between_claims() {
    let mut node = node(3, Config { mode: Mode::Quorum, ..KEEP });
    let claim_twice = |node: &mut Node| {
        node.campaign(ms(0));
        for from in [1, 2] {
            let epoch = node.status().epoch;
            node.receive(ms(0), id(from), Message::Answer { epoch }).unwrap();
        }
        let epoch = claimed(&sent(node)).unwrap();
        let later = Epoch::from_token((epoch.token() | 31) + 1); // of node 1
        node.receive(ms(0), id(1), Message::Stale { epoch: later }).unwrap();
        claimed(&sent(node)).unwrap()
    };
    let epoch = claim_twice(&mut node);
    let leader = Epoch::from_token((epoch.token() | 31) + 1);
    node.receive(ms(0), id(1), Message::Alive { epoch: leader, round: 1 }).unwrap();
    assert_eq!(node.status().leader, Some(id(1)));
    sent(&mut node);
    assert!(claim_twice(&mut node) > leader);
}

#[test]
fn failed_claim_reuses_its_epoch() {
    let config = Config { mode: Mode::Quorum, attempts: 1, ..Config::lan() };
    let mut node = node(3, config);
    node.tick(ms(0));
    let epoch = claimed(&sent(&mut node));
    node.tick(ms(50));
    assert_eq!(claimed(&sent(&mut node)), epoch);
    let epoch = epoch.unwrap();
    assert_eq!((node.status().role, node.status().epoch), (Role::Claiming, Epoch::ZERO));
    node.receive(ms(60), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    assert_eq!((node.status().epoch, sent(&mut node).len()), (epoch, 2));
    let mut again = None;
    for at in 1..20 {
        node.tick(ms(60 + at * 100)); // nobody answers any more
        again = again.or(claimed(&sent(&mut node)));
    }
    assert!(again > Some(epoch), "led, lost, and claimed again in the same epoch");
}

#[test]
fn late_tick_counts_as_one_timeout() {
    let mut node = node(1, Config { attempts: 3, ..Config::lan() });
    node.tick(ms(0));
    let requests = sent(&mut node).len();
    node.tick(ms(60_000));
    assert_eq!((sent(&mut node).len(), node.status().role), (requests, Role::Candidate));
}

#[test]
fn accept_of_an_earlier_claim_is_ignored() {
    let config = Config { mode: Mode::Quorum, ..Config::lan() };
    let mut node = node(3, config);
    node.tick(ms(0));
    let first = claimed(&sent(&mut node)).unwrap();
    node.receive(ms(1), id(1), Message::Stale { epoch: Epoch::from_token(65) }).unwrap();
    assert!(claimed(&sent(&mut node)) > Some(first));
    node.receive(ms(2), id(1), Message::Accept { epoch: first, round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Claiming);
}

const KEEP: Config = Config { takeover: Takeover::Keep, ..Config::lan() };

/// Node 2 of three, which follows node 3 in epoch 34.
fn follower(config: Config) -> Node {
    let mut node = node(2, config);
    node.tick(ms(0));
    let epoch = Epoch::from_token(34);
    node.receive(ms(0), id(3), Message::Alive { epoch, round: 1 }).unwrap();
    sent(&mut node);
    assert_eq!(node.status().leader, Some(id(3)));
    node
}

#[test]
fn only_suspicion_of_the_leader_starts_an_election() {
    for config in [KEEP, Config::lan()] {
        let mut node = follower(config);
        for other in [1, 2, 9] {
            node.suspect(ms(1), id(other));
            assert_eq!((node.status().role, node.status().leader), (Role::Follower, Some(id(3))));
        }
        node.suspect(ms(1), id(3));
        assert_eq!((node.status().role, node.status().leader), (Role::Candidate, None));
        assert_eq!(sent(&mut node), [(3, Message::Election { epoch: Epoch::from_token(34) })]);
    }
    // nobody leads, and nobody is suspected who is no member
    let mut node = node(1, KEEP);
    node.tick(ms(0));
    [2, 9].into_iter().for_each(|other| node.suspect(ms(1), id(other)));
    assert_eq!(node.status().role, Role::Follower);
    // a leader does not suspect itself
    let (mut node, epoch) = classic_leader();
    node.suspect(ms(300), id(3));
    node.campaign(ms(300));
    assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
    assert_eq!(sent(&mut node), []);
}

/// Node 3 of three leads in classic mode, and is kept, since 100 ms.
fn classic_leader() -> (Node, Epoch) {
    let mut node = node(3, KEEP);
    node.campaign(ms(100));
    let epoch = claimed(&sent(&mut node)).unwrap();
    assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
    (node, epoch)
}

#[test]
fn sticky_leader_supersedes_rival_if_followed() {
    let rival = Epoch::from_token(65);
    for message in [
        Message::Coordinator { epoch: rival },
        Message::Alive { epoch: rival, round: 0 },
        Message::Election { epoch: rival },
        Message::Answer { epoch: rival },
        Message::Stale { epoch: rival },
    ] {
        let (mut node, epoch) = classic_leader();
        node.receive(ms(120), id(2), message).unwrap();
        let requests: Vec<_> = sent(&mut node);
        for other in [1, 2] {
            assert!(
                requests.contains(&(other, Message::Alive { epoch, round: 1 })),
                "{requests:?}"
            );
        }
        assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
        assert_eq!(node.deadline(), Some(ms(170)));
        // another round's answer, and then this one's
        node.receive(ms(130), id(1), Message::Accept { epoch, round: 0 }).unwrap();
        assert_eq!(node.status().epoch, epoch);
        node.receive(ms(130), id(1), Message::Accept { epoch, round: 1 }).unwrap();
        assert_eq!(claimed(&sent(&mut node)), Some(Epoch::from_token(66)), "{message:?}");
        assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(3))));
        assert_eq!(node.deadline(), Some(ms(230)));
        // heartbeats ask for nothing any more
        node.tick(ms(230));
        let epoch = Epoch::from_token(66);
        let alive = Message::Alive { epoch, round: 0 };
        assert_eq!(sent(&mut node), [(1, alive), (2, alive)]);
    }
}

#[test]
fn unfollowed_sticky_leader_steps_down() {
    let (rival, later) = (Epoch::from_token(65), Epoch::from_token(96));
    let (mut node, epoch) = classic_leader();
    node.receive(ms(120), id(1), Message::Election { epoch: later }).unwrap();
    node.receive(ms(125), id(2), Message::Alive { epoch: rival, round: 0 }).unwrap();
    sent(&mut node);
    assert_eq!(node.deadline(), Some(ms(170)), "it is not asked anew");
    node.tick(ms(170)); // the second of two attempts
    let alive = Message::Alive { epoch, round: 1 };
    assert_eq!(sent(&mut node), [(1, alive), (2, alive)]);
    assert_eq!(node.status().role, Role::Leader);
    node.tick(ms(220));
    assert_eq!((node.status().role, node.status().epoch), (Role::Follower, later));
    assert_eq!((node.status().leader, node.deadline()), (None, Some(ms(570))));
    assert_eq!(sent(&mut node), []);
}

/// Two of four are enough if one of them is the highest, and not if none is: it is the same for whoever counts.
#[test]
fn half_with_the_highest_member_wins_ties() {
    let four = [1, 2, 3, 4].map(NodeId::new);
    for (me, with, goes_on) in [(3, 4, true), (3, 1, false), (4, 1, true)] {
        let mut node =
            Bully::<Inline<4>>::new(id(me), &four, Config { attempts: 1, ..KEEP }).unwrap();
        node.restore(Record { epoch: Epoch::ZERO }).unwrap();
        node.campaign(ms(0));
        node.tick(ms(50));
        while let Some(output) = node.poll() {
            if let Output::Persist(ticket, _) = output {
                node.persisted(ticket);
            }
        }
        let epoch = node.status().epoch;
        assert_eq!(node.status().role, Role::Leader);
        let rival = Epoch::from_token(33);
        node.receive(ms(60), id(2), Message::Alive { epoch: rival, round: 0 }).unwrap();
        node.receive(ms(61), id(with), Message::Accept { epoch, round: 1 }).unwrap();
        assert_eq!(node.status().epoch > rival, goes_on, "{me} {with}");
        node.tick(ms(110));
        let outcome = if goes_on { Role::Claiming } else { Role::Follower };
        assert_eq!(node.status().role, outcome, "it is not on disk yet, or no leader");
    }
}

#[test]
fn follower_of_live_leader_accepts_no_other() {
    let other = Epoch::from_token(65); // of node 2
    for mode in [Mode::Classic, Mode::Quorum, leased().mode] {
        let mut node = node(1, Config { mode, ..KEEP });
        node.tick(ms(0));
        let epoch = Epoch::from_token(34);
        let alive = Message::Alive { epoch, round: 1 };
        node.receive(ms(1_000), id(3), alive).unwrap();
        let accept = Message::Accept { epoch, round: 1 };
        assert_eq!(sent(&mut node), [(3, accept)]);
        for message in [
            Message::Coordinator { epoch: other },
            Message::Election { epoch: other },
            Message::Answer { epoch: other },
            Message::Stale { epoch: other },
        ] {
            node.receive(ms(1_349), id(2), message).unwrap();
            let answer = match mode {
                Mode::Classic => Message::Answer { epoch },
                _ => Message::Stale { epoch }, // it misses nobody
            };
            let expected =
                if matches!(message, Message::Election { .. }) { &[(2, answer)][..] } else { &[] };
            assert_eq!(sent(&mut node), expected, "{message:?}");
            assert_eq!((node.status().leader, node.status().epoch), (Some(id(3)), epoch));
        }
        // its own leader goes on in a later epoch
        let renewed = Epoch::from_token(98);
        let mut follows = node.clone();
        follows.receive(ms(1_349), id(3), Message::Coordinator { epoch: renewed }).unwrap();
        assert_eq!(follows.status().epoch, renewed);
        assert_eq!(follows.status().leader.is_some(), mode == Mode::Classic);
        // one that a majority elected is followed at once, as far as promises allow
        let mut elected = node.clone();
        elected.receive(ms(1_349), id(2), Message::Alive { epoch: other, round: 1 }).unwrap();
        let leader = if mode == Mode::Classic { 3 } else { 2 };
        assert_eq!(elected.status().epoch.owner() as u64, leader - 1);
        // and any, when the leader is silent
        node.receive(ms(1_350), id(2), Message::Coordinator { epoch: other }).unwrap();
        assert_eq!(node.status().epoch, other);
    }
}

#[test]
fn unanswered_claim_raises_no_epoch() {
    for mode in [Mode::Quorum, leased().mode] {
        let mut node = node(2, Config { mode, ..KEEP });
        node.tick(ms(0));
        let epoch = Epoch::from_token(34);
        node.receive(ms(1_000), id(3), Message::Alive { epoch, round: 1 }).unwrap();
        sent(&mut node);
        let mut claims = 0;
        for at in 1_001..5_000 {
            if at % 50 == 0 {
                // another misses the leader, too, but accepts nobody
                node.receive(ms(at), id(1), Message::Answer { epoch }).unwrap();
            }
            node.tick(ms(at));
            while let Some(output) = node.poll() {
                match output {
                    Output::Persist(..) => panic!("it writes"),
                    Output::Send(_, Message::Coordinator { epoch }) => {
                        assert_eq!(epoch, Epoch::from_token(65));
                        claims += 1;
                    }
                    _ => {}
                }
            }
        }
        assert!(claims > 10 && node.status().epoch == epoch);
        // it comes back: the leader leads on, and has heard nothing of that
        node.receive(ms(5_000), id(3), Message::Alive { epoch, round: 9 }).unwrap();
        assert_eq!(sent(&mut node), [(3, Message::Accept { epoch, round: 9 })]);
        assert_eq!(node.status().leader, Some(id(3)));
    }
}

#[test]
fn claim_yields_to_later_claim_and_to_leader() {
    let config = Config { mode: Mode::Quorum, attempts: 1, ..KEEP };
    let claiming = || {
        let mut node = node(2, config);
        node.campaign(ms(0));
        node.receive(ms(0), id(1), Message::Answer { epoch: Epoch::ZERO }).unwrap();
        node.tick(ms(50));
        assert_eq!(claimed(&sent(&mut node)), Some(Epoch::from_token(1)));
        node
    };
    // an earlier one is not accepted, nor is what is earlier taken note of
    let mut node = claiming();
    let earlier = Message::Coordinator { epoch: Epoch::from_token(0) };
    node.receive(ms(51), id(1), earlier).unwrap();
    assert_eq!(sent(&mut node), [(1, Message::Stale { epoch: Epoch::from_token(1) })]);
    assert_eq!((node.status().role, node.status().epoch), (Role::Claiming, Epoch::ZERO));
    // a later one is
    let later = Epoch::from_token(2);
    node.receive(ms(52), id(3), Message::Coordinator { epoch: later }).unwrap();
    assert_eq!(sent(&mut node), [(3, Message::Accept { epoch: later, round: 0 })]);
    // what was accepted of the own claim comes too late
    node.receive(ms(53), id(1), Message::Accept { epoch: Epoch::from_token(1), round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Follower);
    // a leader that a majority elected, in whatever epoch that this node does not know to be over
    let mut node = claiming();
    let epoch = Epoch::from_token(0);
    node.receive(ms(51), id(1), Message::Alive { epoch, round: 1 }).unwrap();
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, Some(id(1))));
}

#[test]
fn answer_of_lower_node_ends_no_candidacy() {
    let mut node = follower(KEEP);
    node.suspect(ms(1), id(3));
    sent(&mut node);
    node.receive(ms(2), id(1), Message::Answer { epoch: Epoch::from_token(34) }).unwrap();
    assert_eq!(node.status().role, Role::Candidate);
    node.receive(ms(2), id(3), Message::Answer { epoch: Epoch::from_token(34) }).unwrap();
    assert_eq!((node.status().role, node.deadline()), (Role::Waiting, Some(ms(252))));
}

#[test]
fn highest_queries_missed_leader_before_leading() {
    let epoch = Epoch::from_token(33); // of node 2
    for answers in [true, false] {
        let mut node = node(3, Config { attempts: 2, ..KEEP });
        node.tick(ms(0));
        node.receive(ms(1), id(2), Message::Alive { epoch, round: 0 }).unwrap();
        sent(&mut node);
        for at in [351, 401] {
            node.tick(ms(at));
            assert_eq!(sent(&mut node), [(2, Message::Election { epoch })], "{at}");
        }
        if answers {
            node.receive(ms(402), id(2), Message::Coordinator { epoch }).unwrap();
            assert_eq!(node.status().leader, Some(id(2)));
        } else {
            node.tick(ms(451));
            assert_eq!(claimed(&sent(&mut node)), Some(Epoch::from_token(34)));
        }
    }
}

#[test]
fn election_message_of_higher_node_starts_no_election() {
    let mut node = node(1, KEEP);
    node.tick(ms(0));
    node.receive(ms(1), id(3), Message::Election { epoch: Epoch::ZERO }).unwrap();
    assert_eq!(sent(&mut node), [(3, Message::Answer { epoch: Epoch::ZERO })]);
    assert_eq!(node.status().role, Role::Follower);
    // a leader tells it who leads
    let (mut node, epoch) = classic_leader();
    node.receive(ms(101), id(1), Message::Election { epoch: Epoch::ZERO }).unwrap();
    let told = [(1, Message::Answer { epoch }), (1, Message::Coordinator { epoch })];
    assert_eq!(sent(&mut node), told);
}

#[test]
fn lease_needs_durable_epoch_and_monotonic_clock() {
    let (mut node, epoch) = leader();
    node.receive(ms(1_010), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(node.holds_lease(ms(1_299)));
    node.tick(ms(1_300)); // its clock has shown that
    assert!(!node.holds_lease(ms(1_200)), "the lease is over");
    // it goes on in a later epoch: not before that is on disk
    let (mut node, epoch) = leader_with(Config { takeover: Takeover::Keep, ..leased() });
    node.receive(ms(1_010), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(node.holds_lease(ms(1_020)));
    let rival = Epoch::from_token(epoch.token() + 31);
    node.receive(ms(1_020), id(1), Message::Stale { epoch: rival }).unwrap();
    assert!(node.holds_lease(ms(1_020)), "those that promised wait for it");
    let heartbeat = node.deadline().unwrap();
    node.tick(heartbeat);
    assert!(!node.holds_lease(heartbeat), "it claims");
    let later = claimed(&sent(&mut node)).unwrap();
    assert!(later > rival);
    node.receive(heartbeat, id(1), Message::Accept { epoch: later, round: 0 }).unwrap();
    assert!(!node.holds_lease(heartbeat), "it is not on disk");
    sent(&mut node);
    assert_eq!((node.status().role, node.holds_lease(heartbeat)), (Role::Leader, true));
}

/// Two leaders of which each hears of the other's later epoch before its own heartbeat arrives would supersede each other as fast as
/// the network is, and so would a leader and a peer that lies.
#[test]
fn quorum_leader_supersedes_at_its_heartbeat() {
    for mode in [Mode::Quorum, leased().mode] {
        let (mut node, epoch) = leader_with(Config { takeover: Takeover::Keep, mode, ..leased() });
        let heartbeat = node.deadline().unwrap();
        let last = Epoch::from_token(epoch.token() + 31 * 32);
        for n in 1..=31 {
            let rival = Epoch::from_token(epoch.token() + n * 32);
            node.receive(ms(1_001), id(1), Message::Stale { epoch: rival }).unwrap();
            assert_eq!(sent(&mut node), []);
        }
        // nor does an answer to its heartbeat make it claim earlier
        node.receive(ms(1_002), id(1), Message::Accept { epoch, round: 1 }).unwrap();
        assert_eq!(sent(&mut node), []);
        assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
        assert_eq!(node.deadline(), Some(heartbeat));
        node.tick(heartbeat);
        assert_eq!(claimed(&sent(&mut node)).map(|later| later > last), Some(true));
    }
}

#[test]
fn sticky_leader_ignores_claims() {
    let keep = Config { takeover: Takeover::Keep, mode: Mode::Quorum, ..Config::lan() };
    let (mut node, epoch) = leader_with(keep);
    node.receive(ms(1_001), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    let claim = Epoch::from_token(epoch.token() + 30);
    node.receive(ms(1_002), id(1), Message::Coordinator { epoch: claim }).unwrap();
    assert_eq!(sent(&mut node), []);
    let heartbeat = node.deadline().unwrap();
    node.tick(heartbeat);
    let alive = Message::Alive { epoch, round: 2 };
    assert_eq!(sent(&mut node), [(1, alive), (2, alive)]);
}

#[test]
fn claim_retries_then_new_election() {
    let config = Config { mode: Mode::Quorum, attempts: 2, ..Config::lan() };
    let mut node = node(3, config);
    node.tick(ms(0));
    let epoch = claimed(&sent(&mut node)).unwrap();
    let again = |node: &mut Node| {
        let due = node.deadline().unwrap();
        node.tick(due);
        sent(node)
    };
    let claim = Message::Coordinator { epoch };
    assert_eq!(again(&mut node), [(1, claim), (2, claim)]);
    node.receive(node.deadline().unwrap(), id(3), claim).unwrap_err();
    assert_eq!(again(&mut node), [(1, claim), (2, claim)], "in an election of its own");
    assert_eq!(node.deadline(), Some(ms(150)));
    // a candidate that asks others first asks again then
    let keep = Config { takeover: Takeover::Keep, ..config };
    let (mut node, requests) = (self::node(3, keep), Message::Election { epoch: Epoch::ZERO });
    node.tick(ms(0));
    node.campaign(ms(0));
    assert_eq!(sent(&mut node), [(1, requests), (2, requests)]);
    let answer = Message::Answer { epoch: Epoch::ZERO };
    node.receive(ms(1), id(1), answer).unwrap();
    node.receive(ms(1), id(2), answer).unwrap();
    assert_eq!(sent(&mut node), [(1, claim), (2, claim)]);
    assert_eq!(again(&mut node), [(1, claim), (2, claim)]);
    assert_eq!(again(&mut node), [(1, requests), (2, requests)]);
}

#[test]
fn stale_answer_survives_the_start_of_an_election() {
    let mut node = node(1, KEEP);
    node.tick(ms(0));
    let epoch = Epoch::from_token(66);
    node.receive(ms(1), id(3), Message::Alive { epoch, round: 0 }).unwrap();
    sent(&mut node);
    node.receive(ms(2), id(2), Message::Coordinator { epoch: Epoch::from_token(33) }).unwrap();
    node.campaign(ms(2));
    assert!(sent(&mut node).contains(&(2, Message::Stale { epoch })));
}

/// What a node claims itself is no later epoch, unless it is to depose the other.
#[test]
fn claiming_node_yields_to_an_elected_higher_node() {
    let config = Config { mode: Mode::Quorum, ..Config::lan() };
    for (elected, yields) in [(3, true), (1, false)] {
        let mut node = node(2, config);
        node.tick(ms(0));
        node.tick(ms(50));
        node.tick(ms(100));
        let epoch = claimed(&sent(&mut node)).unwrap();
        assert_eq!(epoch, Epoch::from_token(1));
        // in the epoch before
        let before = Epoch::from_token(if elected == 3 { 2 } else { 0 });
        let mut later = node.clone();
        later.receive(ms(101), id(elected), Message::Alive { epoch: before, round: 1 }).unwrap();
        assert_eq!(later.status().leader, yields.then_some(id(3)), "{elected}");
    }
    // of an epoch that is between the one it knows and the one it claims
    let mut node = self::node(2, config);
    node.receive(ms(0), id(1), Message::Stale { epoch: Epoch::from_token(1) }).unwrap();
    node.tick(ms(0));
    node.tick(ms(50));
    node.tick(ms(100));
    assert_eq!(claimed(&sent(&mut node)), Some(Epoch::from_token(33)));
    let between = Epoch::from_token(2);
    node.receive(ms(101), id(3), Message::Alive { epoch: between, round: 1 }).unwrap();
    assert_eq!((node.status().leader, node.status().epoch), (Some(id(3)), between));
}

#[test]
fn accepted_claim_grants_no_lease() {
    let keep = Config { takeover: Takeover::Keep, ..leased() };
    let mut node = node(1, keep);
    node.tick(ms(0));
    node.tick(ms(999)); // nothing of before the start is promised any more
    sent(&mut node);
    let (first, second) = (Epoch::from_token(33), Epoch::from_token(34));
    node.receive(ms(1_000), id(2), Message::Coordinator { epoch: first }).unwrap();
    assert!(sent(&mut node).contains(&(2, Message::Accept { epoch: first, round: 0 })));
    node.receive(ms(1_001), id(3), Message::Coordinator { epoch: second }).unwrap();
    assert!(sent(&mut node).contains(&(3, Message::Accept { epoch: second, round: 0 })));
    // the first round promises
    node.receive(ms(1_002), id(3), Message::Alive { epoch: second, round: 1 }).unwrap();
    sent(&mut node);
    let third = Epoch::from_token(65);
    node.receive(ms(1_003), id(2), Message::Coordinator { epoch: third }).unwrap();
    assert_eq!(sent(&mut node), []);
}

#[test]
fn nothing_is_sent_before_the_epoch_is_durable() {
    let mut node = node(3, KEEP);
    node.persisted(nth_ticket(99)); // which was not issued
    node.campaign(ms(0));
    let Some(Output::Persist(ticket, record)) = node.poll() else { panic!("nothing to write") };
    assert_eq!((ticket, record.epoch), (nth_ticket(1), node.status().epoch));
    assert!(node.poll().is_none());
    node.persisted(nth_ticket(99)); // nor was it now
    assert!(node.poll().is_none());
    assert_eq!((node.status().role, node.status().leader), (Role::Claiming, None));
    node.fenced(ms(1), Epoch::from_token(33));
    node.receive(ms(2), id(1), Message::Accept { epoch: record.epoch, round: 1 }).unwrap();
    let Some(Output::Persist(second, later)) = node.poll() else { panic!("nothing to write") };
    assert_eq!((second, later.epoch > record.epoch), (nth_ticket(2), true));
    node.persisted(ticket);
    assert!(node.poll().is_none(), "the first is not the second");
    node.persisted(second);
    node.persisted(ticket); // once more
    assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(3))));
    let mut events = Vec::new();
    while let Some(output) = node.poll() {
        if let Output::Event(event) = output {
            events.push(event);
        }
    }
    assert_eq!(events, [Event::Leading { epoch: later.epoch }]);
}

#[test]
fn messages_are_counted_by_kind() {
    let (mut node, epoch) = leader();
    let counts = node.counts();
    assert_eq!((counts.coordinator, counts.alive, counts.algorithm()), (2, 2, 2));
    node.receive(ms(1_001), id(1), Message::Election { epoch }).unwrap();
    node.receive(ms(1_001), id(2), Message::Alive { epoch: Epoch::from_token(1), round: 1 })
        .unwrap();
    sent(&mut node);
    let counts = node.counts();
    assert_eq!((counts.answer, counts.stale, counts.coordinator), (1, 1, 3));
    let mut node = follower(Config { mode: Mode::Quorum, ..KEEP });
    assert_eq!((node.counts().accept, node.counts().election), (1, 0));
    node.suspect(ms(1), id(3));
    sent(&mut node);
    assert_eq!(node.counts().election, 2);
}

const QUORUM: Config = Config { mode: Mode::Quorum, ..KEEP };

/// Of five: each asks all others.
fn of_five(me: u64, config: Config) -> Bully<Inline<5>> {
    let five = [1, 2, 3, 4, 5].map(NodeId::new);
    let mut node = Bully::<Inline<5>>::new(id(me), &five, config).unwrap();
    node.restore(Record { epoch: Epoch::ZERO }).unwrap();
    node.tick(ms(0));
    node.campaign(ms(1_000)); // what may have been promised before the start has run out
    node
}

/// Whom it sends what it sends, in order: ELECTION, or COORDINATOR.
fn to(node: &mut Bully<Inline<5>>) -> (Vec<u64>, Vec<u64>) {
    let (mut requests, mut told) = (Vec::new(), Vec::new());
    while let Some(output) = node.poll() {
        match output {
            Output::Send(to, Message::Election { .. }) => requests.push(to.get()),
            Output::Send(to, Message::Coordinator { .. }) => told.push(to.get()),
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (requests, told)
}

#[test]
fn candidate_claims_with_pre_vote_majority() {
    let answer = Message::Answer { epoch: Epoch::ZERO };
    for mode in [Mode::Quorum, leased().mode] {
        let config = Config { mode, ..KEEP };
        // nobody is better than node 5: it waits for the owner of the last epoch at most, node 1
        let mut node = of_five(5, config);
        assert_eq!(to(&mut node), (vec![1, 2, 3, 4], vec![]));
        for from in [2, 2, 4, 3] {
            node.receive(ms(1_001), id(from), answer).unwrap();
        }
        assert_eq!(node.status().role, Role::Candidate, "the leader may be alive");
        node.receive(ms(1_001), id(1), answer).unwrap();
        assert_eq!(node.status().role, Role::Claiming);
        let mut node = of_five(5, config);
        to(&mut node);
        for from in [1, 1, 1] {
            node.receive(ms(1_001), id(from), answer).unwrap();
            assert_eq!(node.status().role, Role::Candidate, "one of the others is not enough");
        }
        node.tick(ms(1_050));
        assert_eq!(to(&mut node), (vec![2, 3, 4], vec![]), "1 has answered");
        node.receive(ms(1_051), id(4), answer).unwrap();
        assert_eq!(node.status().role, Role::Claiming);
        assert_eq!(to(&mut node), (vec![], vec![1, 2, 3, 4]));
        // 5 may be alive, and is asked twice
        let mut node = of_five(4, config);
        assert_eq!(to(&mut node).0, [1, 2, 3, 5]);
        [1, 2, 3].into_iter().for_each(|from| node.receive(ms(1_001), id(from), answer).unwrap());
        assert_eq!(node.status().role, Role::Candidate);
        node.tick(ms(1_050));
        assert_eq!(to(&mut node), (vec![5], vec![]));
        node.tick(ms(1_100));
        assert_eq!(to(&mut node), (vec![], vec![1, 2, 3, 5]));
        // one that does not miss its leader does not count, nor does an answer in an earlier candidacy
        let mut node = of_five(4, config);
        to(&mut node);
        let hears = Message::Stale { epoch: Epoch::from_token(4) };
        node.receive(ms(1_001), id(1), answer).unwrap();
        [2, 3].into_iter().for_each(|from| node.receive(ms(1_001), id(from), hears).unwrap());
        assert_eq!((node.status().role, node.status().epoch.token()), (Role::Candidate, 4));
        node.tick(ms(1_050));
        assert_eq!(to(&mut node), (vec![2, 3, 5], vec![]));
        node.tick(ms(1_100));
        assert_eq!(to(&mut node), (vec![1, 2, 3, 5], vec![]), "from the start");
        node.receive(ms(1_101), id(2), answer).unwrap();
        node.tick(ms(1_150));
        node.tick(ms(1_200));
        assert_eq!((node.status().role, to(&mut node).1), (Role::Candidate, vec![]));
    }
    // where no majority is needed, and where the highest is to lead, only who is better is asked
    for config in [KEEP, Config { mode: Mode::Quorum, ..Config::lan() }] {
        let mut node = of_five(4, Config { attempts: 1, ..config });
        assert_eq!(to(&mut node), (vec![5], vec![]));
        node.tick(ms(1_050));
        assert_ne!(node.status().role, Role::Candidate);
    }
}

/// Nodes of before asked only better ones, and refused a higher one's question.
#[test]
fn election_message_of_lower_node_is_a_pre_vote() {
    let ask = Message::Election { epoch: Epoch::ZERO };
    let mut node = of_five(5, QUORUM);
    [1, 1].into_iter().for_each(|from| node.receive(ms(1_001), id(from), ask).unwrap());
    assert_eq!(node.status().role, Role::Candidate);
    node.receive(ms(1_001), id(3), ask).unwrap();
    assert_eq!(node.status().role, Role::Claiming);
    // a higher one does not support a lower one
    let mut node = of_five(3, Config { attempts: 1, ..QUORUM });
    node.receive(ms(1_001), id(1), ask).unwrap();
    [4, 5].into_iter().for_each(|from| node.receive(ms(1_001), id(from), ask).unwrap());
    node.tick(ms(1_050));
    assert_eq!(node.status().role, Role::Candidate);
    node.receive(ms(1_051), id(1), ask).unwrap();
    node.receive(ms(1_051), id(2), ask).unwrap();
    assert_eq!(node.status().role, Role::Candidate, "4 and 5 may be alive");
    node.tick(ms(1_100));
    assert_eq!(node.status().role, Role::Claiming);
    // nor does anybody where none is needed
    let mut node = of_five(5, KEEP);
    assert_eq!(node.status().role, Role::Claiming, "it is not on disk yet");
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        }
    }
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn follower_of_live_leader_gives_no_pre_vote() {
    let epoch = Epoch::from_token(33); // of node 2
    let ask = Message::Election { epoch: Epoch::ZERO };
    let (answer, hears) = (Message::Answer { epoch }, Message::Stale { epoch });
    let follower = |me: u64| {
        let mut node = node(me, QUORUM);
        node.tick(ms(0));
        node.receive(ms(0), id(2), Message::Alive { epoch, round: 1 }).unwrap();
        sent(&mut node);
        node
    };
    let said_to = |node: &mut Node, at: u64, from: u64| {
        node.receive(ms(at), id(from), ask).unwrap();
        sent(node)
    };
    assert_eq!(said_to(&mut follower(1), 349, 3), [(3, hears)]);
    assert_eq!(said_to(&mut follower(1), 350, 3), [(3, answer)], "the leader is silent");
    assert_eq!(said_to(&mut follower(1), 1, 2), [(2, answer)], "the leader leads no more");
    assert_eq!(said_to(&mut follower(3), 1, 1), [(1, answer)], "which makes it wait");
    // the leader itself
    let mut node = node(2, QUORUM);
    node.campaign(ms(0));
    node.receive(ms(0), id(1), Message::Answer { epoch: Epoch::ZERO }).unwrap();
    node.tick(ms(50));
    node.tick(ms(100));
    let epoch = claimed(&sent(&mut node)).unwrap();
    node.receive(ms(100), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    sent(&mut node);
    assert_eq!(node.status().role, Role::Leader);
    assert_eq!(said_to(&mut node, 101, 3), [(3, Message::Coordinator { epoch })]);
    let told = [(1, Message::Answer { epoch }), (1, Message::Coordinator { epoch })];
    assert_eq!(said_to(&mut node, 101, 1), told);
}
