//! Rules of bully that a cluster rarely shows: one machine, and messages made by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, NodeId, Output};
use quorate_election::bully::Message;
use quorate_election::lease::Drift;
use quorate_election::{Bully, Config, Epoch, Inline, Mode, Role, Takeover};

type Node = Bully<Inline<3>>;

fn id(n: u64) -> NodeId {
    NodeId::new(n)
}

fn node(me: u64, config: Config) -> Node {
    Bully::new(id(me), &[id(1), id(2), id(3)], config).unwrap()
}

/// Polls until it is quiet; what it sends, with disks that write at once.
fn said(node: &mut Node) -> Vec<(u64, Message)> {
    let mut said = Vec::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Send(to, message) => said.push((to.get(), message)),
            Output::Event(_) => {}
        }
    }
    said
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
    let mut node = node(3, leased());
    node.tick(ms(0));
    // what may have been promised before the start has to run out first
    node.tick(ms(1_000));
    said(&mut node);
    let epoch = node.status().epoch;
    assert_eq!(node.status().role, Role::Claiming);
    node.receive(ms(1_000), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Leader);
    assert!(said(&mut node).contains(&(1, Message::Alive { epoch, round: 1 })));
    (node, epoch)
}

#[test]
fn a_lease_counts_from_the_question() {
    let (mut node, epoch) = leader();
    assert!(!node.holds_lease(ms(1_000)));
    node.receive(ms(1_200), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(node.holds_lease(ms(1_299)));
    assert!(!node.holds_lease(ms(1_300)), "it was asked at 1,000 ms");
}

#[test]
fn an_answer_to_an_earlier_round_renews_nothing() {
    let (mut node, epoch) = leader();
    node.receive(ms(1_050), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    node.tick(ms(1_100));
    said(&mut node); // round 2
    node.receive(ms(1_150), id(1), Message::Accept { epoch, round: 1 }).unwrap();
    assert!(!node.holds_lease(ms(1_300)));
    node.receive(ms(1_150), id(1), Message::Accept { epoch, round: 2 }).unwrap();
    assert!(node.holds_lease(ms(1_399)) && !node.holds_lease(ms(1_400)));
}

#[test]
fn answers_of_one_node_are_no_majority() {
    let config = Config { mode: Mode::Quorum, ..Config::lan() };
    let five = [1, 2, 3, 4, 5].map(NodeId::new);
    let mut node = Bully::<Inline<5>>::new(id(5), &five, config).unwrap();
    node.tick(ms(0));
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        }
    }
    let epoch = node.status().epoch;
    for _ in 0..3 {
        node.receive(ms(1), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    }
    assert_eq!(node.status().role, Role::Claiming);
    node.receive(ms(1), id(2), Message::Accept { epoch, round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn a_leader_that_hears_no_majority_steps_down() {
    let (mut node, _) = leader();
    for at in 10..=12 {
        node.tick(ms(at * 100 + 50));
    }
    assert_eq!(node.status().role, Role::Leader);
    node.tick(ms(1_360));
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
}

#[test]
fn a_restarted_node_waits_out_what_it_may_have_promised() {
    let mut node = node(1, Config { takeover: Takeover::Keep, ..leased() });
    node.tick(ms(0));
    let claim = Message::Coordinator { epoch: Epoch::from_token(34) };
    node.receive(ms(299), id(3), claim).unwrap();
    assert_eq!(said(&mut node), []);
    node.receive(ms(300), id(3), claim).unwrap();
    let accept = Message::Accept { epoch: Epoch::from_token(34), round: 0 };
    assert_eq!(said(&mut node), [(3, accept)]);
}

#[test]
fn a_promise_is_kept_against_a_better_claim() {
    let mut node = node(1, Config { takeover: Takeover::Keep, ..leased() });
    node.tick(ms(0));
    node.receive(ms(400), id(2), Message::Alive { epoch: Epoch::from_token(33), round: 1 })
        .unwrap();
    said(&mut node);
    let better = Message::Coordinator { epoch: Epoch::from_token(66) };
    node.receive(ms(699), id(3), better).unwrap();
    assert_eq!(said(&mut node), []);
    assert_eq!(node.status().leader, Some(id(2)));
    node.receive(ms(700), id(3), better).unwrap();
    assert_eq!(said(&mut node).len(), 1);
}

#[test]
fn a_late_coordinator_is_told_of_the_later_epoch() {
    let mut node = node(1, Config { takeover: Takeover::Keep, ..Config::lan() });
    let (old, new) = (Epoch::from_token(33), Epoch::from_token(66));
    node.receive(ms(0), id(3), Message::Coordinator { epoch: new }).unwrap();
    node.receive(ms(1), id(2), Message::Coordinator { epoch: old }).unwrap();
    assert_eq!(node.status().leader, Some(id(3)));
    assert_eq!(said(&mut node), [(2, Message::Stale { epoch: new })]);
}

#[test]
fn a_kept_leader_is_not_disturbed_by_one_wrong_suspicion() {
    let mut node = node(2, Config { takeover: Takeover::Keep, ..Config::lan() });
    let epoch = Epoch::from_token(34);
    node.receive(ms(0), id(3), Message::Coordinator { epoch }).unwrap();
    node.receive(ms(10), id(1), Message::Election { epoch }).unwrap();
    assert_eq!(said(&mut node), [(1, Message::Answer { epoch })]);
    assert_eq!(node.status().role, Role::Follower);
}

#[test]
fn an_asker_that_was_away_starts_no_election() {
    let mut node = node(2, Config::lan());
    let (old, epoch) = (Epoch::from_token(2), Epoch::from_token(34));
    node.receive(ms(0), id(3), Message::Coordinator { epoch }).unwrap();
    said(&mut node);
    node.receive(ms(10), id(1), Message::Election { epoch: old }).unwrap();
    assert_eq!(said(&mut node), [(1, Message::Answer { epoch })]);
    node.receive(ms(10), id(1), Message::Election { epoch }).unwrap();
    assert_eq!(node.status().role, Role::Candidate);
}

#[test]
fn of_two_that_claim_the_higher_goes_on() {
    for (me, other, goes_on) in [(3, 2, true), (2, 3, false)] {
        let config =
            Config { mode: Mode::Quorum, takeover: Takeover::Keep, attempts: 1, ..Config::lan() };
        let mut node = node(me, config);
        node.campaign(ms(0));
        node.tick(ms(50)); // nobody better answers
        said(&mut node);
        assert_eq!(node.status().role, Role::Claiming);
        let before = node.status().epoch;
        let later = Epoch::from_token(64 + other - 1);
        node.receive(ms(60), id(1), Message::Stale { epoch: later }).unwrap();
        assert_eq!(node.status().role == Role::Claiming, goes_on);
        assert!(node.status().epoch > before);
    }
}

#[test]
fn a_failed_claim_is_repeated_in_the_same_epoch_and_a_led_one_never() {
    let config = Config { mode: Mode::Quorum, attempts: 1, ..Config::lan() };
    let mut node = node(3, config);
    node.tick(ms(0));
    said(&mut node);
    let epoch = node.status().epoch;
    node.tick(ms(50));
    said(&mut node);
    assert_eq!((node.status().role, node.status().epoch), (Role::Claiming, epoch));
    node.receive(ms(60), id(1), Message::Accept { epoch, round: 0 }).unwrap();
    for at in 1..20 {
        node.tick(ms(60 + at * 100)); // nobody answers any more
    }
    said(&mut node);
    assert!(node.status().epoch > epoch, "led, lost, and claimed again in the same epoch");
}

#[test]
fn a_tick_that_comes_late_counts_as_one_timeout() {
    let mut node = node(1, Config { attempts: 3, ..Config::lan() });
    node.tick(ms(0));
    let asked = said(&mut node).len();
    node.tick(ms(60_000));
    assert_eq!((said(&mut node).len(), node.status().role), (asked, Role::Candidate));
}

#[test]
fn an_answer_to_an_earlier_claim_does_not_count() {
    let config = Config { mode: Mode::Quorum, ..Config::lan() };
    let mut node = node(3, config);
    node.tick(ms(0));
    said(&mut node);
    let first = node.status().epoch;
    node.receive(ms(1), id(1), Message::Stale { epoch: Epoch::from_token(65) }).unwrap();
    said(&mut node);
    assert!(node.status().epoch > first);
    node.receive(ms(2), id(1), Message::Accept { epoch: first, round: 0 }).unwrap();
    assert_eq!(node.status().role, Role::Claiming);
}
