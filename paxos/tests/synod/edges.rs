//! Rules that only matter at the edge of what happens.

use quorate_core::{Instant, Machine, NodeId, Quorums};
use quorate_paxos::synod::{Acceptor, Config, Learner, Learning, Message, Phase, Proposer, Vote};
use quorate_paxos::{ConfigError, Inline, Member, ProposeError, Roles};

use super::net;
use crate::common::{Net, ballot};

type Memory = Inline<5, 8>;

const PROPOSER: u64 = 9;

fn members() -> Vec<Member> {
    let mut members: Vec<Member> =
        (1..=3).map(|id| Member::new(NodeId::new(id)).with_roles(Roles::ACCEPTOR)).collect();
    members.push(Member::new(NodeId::new(PROPOSER)).with_roles(Roles::PROPOSER));
    members.push(Member::new(NodeId::new(8)).with_roles(Roles::LEARNER));
    members
}

/// A proposer by itself, in phase 2 of its first ballot.
fn accepting() -> Net<Proposer<Memory>> {
    let quorums = Quorums::majority(3);
    let id = NodeId::new(PROPOSER);
    let mut proposer = Proposer::new(id, &members(), quorums, Config::lan(), 1).unwrap();
    proposer.found();
    proposer.propose(Instant::ZERO, b"x").unwrap();
    let mut net = Net::new([proposer]);
    net.sync_all();
    for from in [1, 2] {
        let promise = Message::Promise { ballot: ballot(1, PROPOSER), vote: None };
        net.node(PROPOSER).receive(Instant::ZERO, NodeId::new(from), promise).unwrap();
    }
    net.poll_all();
    net.take(|_| true);
    assert_eq!(net.node(PROPOSER).status().phase, Phase::Accepting);
    net
}

fn hear(net: &mut Net<Proposer<Memory>>, from: u64, message: Message<'_>) {
    net.node(PROPOSER).receive(Instant::ZERO, NodeId::new(from), message).unwrap();
    net.poll_all();
}

const fn accepted(round: u64, node: u64) -> Message<'static> {
    let ballot = quorate_paxos::Ballot::new(round, NodeId::new(node));
    Message::Accepted { vote: Vote { ballot, value: b"x" } }
}

/// An acceptor that has voted in a later ballot since has voted in this one all the same.
#[test]
fn proposer_counts_votes_that_a_learner_forgot() {
    let mut net = accepting();
    hear(&mut net, 1, accepted(1, PROPOSER));
    hear(&mut net, 1, accepted(2, 7));
    assert_eq!(net.node(PROPOSER).decided(), None);
    hear(&mut net, 2, accepted(1, PROPOSER));
    assert_eq!(net.host(PROPOSER).decided, [b"x"]);
    let told = net.take(|_| true);
    assert_eq!(told.len(), 1); // the learner
    assert_eq!(told[0].message(), Message::Decided { value: b"x" });
}

#[test]
fn proposer_that_knows_tells_who_asks() {
    let mut net = accepting();
    hear(&mut net, 8, Message::Learn);
    assert!(net.take(|_| true).is_empty()); // it does not know yet
    hear(&mut net, 1, Message::Decided { value: b"y" });
    assert_eq!(net.host(PROPOSER).decided, [b"y"]);
    assert!(net.take(|_| true).is_empty(), "it was told, and does not announce it");
    hear(&mut net, 8, Message::Learn);
    assert_eq!(net.take(|_| true)[0].message(), Message::Decided { value: b"y" });
}

/// When those that have not refused are no quorum, nothing is waited for.
#[test]
fn preempted_proposer_backs_off_at_once() {
    let preempted = Message::Preempted { ballot: ballot(1, PROPOSER), promised: ballot(2, 7) };
    let mut net = accepting();
    hear(&mut net, 1, preempted);
    assert_eq!(net.node(PROPOSER).status().phase, Phase::Accepting);
    hear(&mut net, 2, preempted);
    assert_eq!(net.node(PROPOSER).status().phase, Phase::BackingOff);
    // the first time for once to twice `backoff_us`
    let config = Config::lan();
    let wait_us = net.node(PROPOSER).deadline().unwrap().since(Instant::ZERO);
    assert!((config.backoff_us..2 * config.backoff_us).contains(&wait_us), "{wait_us}");
    // it is above what it was refused for
    net.tick(2 * config.backoff_us);
    assert_eq!(net.node(PROPOSER).status().ballot, ballot(3, PROPOSER));
    assert_eq!(net.take(|_| true).len(), 3);
}

/// It backs off for longer each time, up to 64 times as long.
#[test]
fn back_off_doubles() {
    let mut net = accepting();
    let config = Config::lan();
    let mut longest = 0;
    for time in 0..40 {
        let mine = net.node(PROPOSER).status().ballot;
        let promised = ballot(mine.round, PROPOSER + 1);
        for from in [1, 2] {
            hear_at(&mut net, from, Message::Preempted { ballot: mine, promised });
        }
        let wait_us = net.node(PROPOSER).deadline().unwrap().since(net.now);
        let most = config.backoff_us << (time + 1).min(6);
        assert!((config.backoff_us..most).contains(&wait_us), "{time}: {wait_us}");
        longest = longest.max(wait_us);
        net.tick(wait_us);
        net.sync_all();
    }
    assert!(longest > config.backoff_us << 5, "{longest}");
}

fn hear_at(net: &mut Net<Proposer<Memory>>, from: u64, message: Message<'_>) {
    let now = net.now;
    net.node(PROPOSER).receive(now, NodeId::new(from), message).unwrap();
    net.poll_all();
}

/// What was not answered is asked again, what was is not.
#[test]
fn proposer_repeats_what_was_not_answered() {
    let mut net = accepting();
    hear(&mut net, 2, accepted(1, PROPOSER));
    net.tick(Config::lan().retry_us - 1);
    assert!(net.take(|_| true).is_empty());
    net.tick(1);
    let again: Vec<u64> = net.take(|_| true).iter().map(|sent| sent.to.get()).collect();
    assert_eq!(again, [1, 3]);
}

/// A value that was found in a promise is proposed, and what this node wanted is not lost from view: it may not propose another.
#[test]
fn adopted_value_is_what_is_accepted() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    let vote = Vote { ballot: ballot(1, 0), value: b"old" };
    let promise = Message::Promise { ballot: ballot(1, 1), vote: Some(vote) };
    net.node(1).receive(Instant::ZERO, NodeId::new(2), promise).unwrap();
    assert_eq!(net.node(1).propose(Instant::ZERO, b"y"), Err(ProposeError::Busy));
    net.settle();
    assert_eq!(net.decided().as_deref(), Some(&b"old"[..]));
    // with the very ballot in which it was found, it is proposed in this one
    assert_eq!(net.node(2).status().accepted, ballot(1, 1));
}

/// A node that asks for what was never proposed proposes nothing.
#[test]
fn question_without_a_proposal_leaves_all_open() {
    let mut net = net(3, Config::lan());
    net.node(1).learn(Instant::ZERO);
    for _ in 0..30 {
        net.settle();
        net.wait();
    }
    net.settle();
    assert_eq!(net.node(1).status().phase, Phase::Idle);
    assert!(net.node(1).status().promised.round > 0, "it has looked by a ballot");
    assert_eq!(net.node(2).status().accepted, quorate_paxos::Ballot::ZERO);
    let now = net.now;
    net.node(2).propose(now, b"x").unwrap();
    net.settle();
    assert_eq!(net.decided().as_deref(), Some(&b"x"[..]));
}

#[test]
fn lengths_are_those_of_the_formulas() {
    let config = Config::lan();
    let quorums = Quorums::majority(3);
    let message = quorate_paxos::synod::max_message_len::<Memory>(&config);
    let record = quorate_paxos::synod::max_record_len::<Memory>(&config);
    let acceptor = Acceptor::<Memory>::new(NodeId::new(1), &members(), quorums, config).unwrap();
    let learner = Learner::<Memory>::new(NodeId::new(8), &members(), quorums, config).unwrap();
    let proposer =
        Proposer::<Memory>::new(NodeId::new(PROPOSER), &members(), quorums, config, 1).unwrap();
    let lengths = [
        (acceptor.max_message_len(), acceptor.max_record_len()),
        (learner.max_message_len(), learner.max_record_len()),
        (proposer.max_message_len(), proposer.max_record_len()),
    ];
    assert_eq!(lengths, [(Some(message), Some(record)); 3]);
    #[cfg(feature = "alloc")]
    {
        let config = Config { max_value_bytes: 300, ..config };
        let message = quorate_paxos::synod::max_message_len::<quorate_paxos::Heap>(&config);
        assert_eq!(message, 2 + 2 * 19 + 302);
    }
}

#[test]
fn presets_wait_longer_for_slower_links() {
    let [lan, wan, radio] = [Config::lan(), Config::wan(), Config::radio()];
    for of in [|c: Config| c.retry_us, |c: Config| c.backoff_us, |c: Config| c.learn_us] {
        assert!(of(lan) < of(wan) && of(wan) < of(radio));
    }
    for zero in [
        Config { retry_us: 0, ..lan },
        Config { backoff_us: 0, ..lan },
        Config { learn_us: 0, ..lan },
    ] {
        assert_eq!(zero.validate(), Err(ConfigError::Timeouts));
    }
}

#[test]
fn members_are_checked() {
    let new = |id: u64, members: &[Member]| {
        let votes = members.iter().filter(|member| member.roles.contains(Roles::ACCEPTOR)).count();
        let quorums = Quorums::majority(votes as u8);
        super::Node::new(NodeId::new(id), members, quorums, Config::lan(), 1).err()
    };
    let one = Member::new(NodeId::new(1));
    assert_eq!(new(1, &[one]), None);
    assert_eq!(new(2, &[one]), Some(ConfigError::NotAMember));
    assert_eq!(new(1, &[one, one]), Some(ConfigError::DuplicateMember(NodeId::new(1))));
    assert_eq!(new(1, &super::members(10)), Some(ConfigError::TooManyMembers));
    let learner = one.with_roles(Roles::LEARNER.and(Roles::ACCEPTOR));
    assert_eq!(new(1, &[learner]), Some(ConfigError::Roles));
    assert_eq!(Roles::PROPOSER.and(Roles::PROPOSER), Roles::PROPOSER);
    assert_eq!(Roles::PROPOSER.and(Roles::ALL), Roles::ALL);
}

#[test]
fn errors_say_what_to_do() {
    let texts = [
        ConfigError::NotAMember.to_string(),
        ConfigError::DuplicateMember(NodeId::new(3)).to_string(),
        ConfigError::TooManyMembers.to_string(),
        ConfigError::Roles.to_string(),
        ConfigError::Quorums.to_string(),
        ConfigError::Timeouts.to_string(),
        ConfigError::FastQuorums.to_string(),
        ProposeError::NotFounded.to_string(),
        ProposeError::Decided.to_string(),
        ProposeError::Busy.to_string(),
        ProposeError::TooLong.to_string(),
        ProposeError::Exhausted.to_string(),
    ];
    let different: std::collections::BTreeSet<&String> = texts.iter().collect();
    assert_eq!(different.len(), texts.len());
    assert!(texts.iter().all(|text| text.len() > 10));
    assert!(texts[1].contains('3') && texts[7].contains("found()"));
}

/// A proposer that was refused, backs off, and hears then that its ballot was chosen: it tells the learners all the same.
#[test]
fn choice_that_is_learned_while_backing_off_is_announced() {
    let mut net = accepting();
    let preempted = Message::Preempted { ballot: ballot(1, PROPOSER), promised: ballot(2, 7) };
    hear(&mut net, 3, preempted);
    hear(&mut net, 1, accepted(1, PROPOSER));
    net.tick(Config::lan().retry_us);
    assert_eq!(net.node(PROPOSER).status().phase, Phase::BackingOff);
    net.take(|_| true);
    hear_at(&mut net, 2, accepted(1, PROPOSER));
    assert_eq!(net.host(PROPOSER).decided, [b"x"]);
    assert_eq!(net.take(|sent| sent.to == NodeId::new(8)).len(), 1);
}

/// A node that promised and missed the rest asks by itself; and so does one that has heard a vote.
#[test]
fn who_missed_the_end_asks() {
    for learning in [Learning::Distinguished, Learning::Direct] {
        let mut net = net(3, Config { learning, ..Config::lan() });
        net.node(1).propose(Instant::ZERO, b"x").unwrap();
        net.poll_all();
        net.sync_all();
        net.deliver_if(|sent| sent.to == NodeId::new(3)); // it promises, and is away
        for _ in 0..20 {
            net.poll_all();
            net.sync_all();
            net.take(|sent| sent.to == NodeId::new(3));
            net.deliver_if(|_| true);
        }
        assert_eq!([1, 2, 3].map(|id| net.host(id).decided.len()), [1, 1, 0]);
        net.wait();
        net.settle();
        assert_eq!(net.host(3).decided, [b"x"], "{learning:?}");
    }
}

/// However often the application asks, what others have begun is finished, and no more is sent than is stated.
#[test]
fn asking_in_a_loop_does_no_harm() {
    for every_us in [50_000, 500_000] {
        let mut net = net(3, Config::lan());
        net.node(1).propose(Instant::ZERO, b"x").unwrap();
        net.poll_all();
        net.sync_all();
        net.deliver_if(|sent| sent.to == NodeId::new(2));
        net.sync_all();
        net.deliver_if(|sent| sent.to == NodeId::new(1));
        net.deliver_if(|sent| sent.to == NodeId::new(2));
        net.sync_all();
        net.crash(1);
        net.take(|_| true);
        net.sent.clear();
        let mut waited_us = 0;
        while net.nodes.values().any(|host| host.machine.is_some() && host.decided.is_empty()) {
            let now = net.now;
            net.node(2).learn(now);
            net.node(3).learn(now);
            net.settle();
            net.tick(every_us);
            waited_us += every_us;
            assert!(waited_us < 10_000_000, "nothing is decided");
        }
        assert!(net.sent["Learn"] as u64 <= 2 * 2 * (2 + waited_us / 200_000), "{:?}", net.sent);
    }
}

/// Where there is nothing to learn, a node asks less and less often, and writes as seldom.
#[test]
fn questions_without_an_answer_become_rare() {
    let mut net = net(3, Config::lan());
    net.node(1).learn(Instant::ZERO);
    while net.now < Instant::from_millis(600_000) {
        net.settle();
        net.wait();
    }
    net.settle();
    // four questions after each doubling up to 64 times 200 ms, and then one in 12.8 s; all three ask, since they have promised
    assert!(net.sent["Learn"] < 6 * 80, "{:?}", net.sent);
    assert!(net.host(1).syncs < 100, "{}", net.host(1).syncs);
}

/// A broken proposer that goes up by all that is allowed again and again ends nothing.
#[test]
fn rounds_far_ahead_are_followed() {
    let mut net = net(3, Config::lan());
    net.crash(3);
    let mut round = 0;
    for _ in 0..3 {
        round += quorate_paxos::Ballot::MAX_AHEAD;
        let prepare = Message::Prepare { ballot: ballot(round, 3) };
        net.node(2).receive(Instant::ZERO, NodeId::new(3), prepare).unwrap();
    }
    net.settle();
    net.take(|_| true);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    for _ in 0..40 {
        net.settle();
        net.wait();
    }
    assert_eq!(net.decided().as_deref(), Some(&b"x"[..]));
}

/// A checkpoint that was written before a record that is due: the log has that record once more.
#[test]
fn checkpoint_before_a_record_that_is_due_restores() {
    let mut net = net(3, Config::lan());
    let vote = Vote { ballot: ballot(1, 2), value: b"x" };
    let now = Instant::ZERO;
    net.node(1).receive(now, NodeId::new(2), Message::Accept { vote }).unwrap();
    net.node(1).receive(now, NodeId::new(3), Message::Prepare { ballot: ballot(2, 3) }).unwrap();
    use quorate_core::Wire;
    net.nodes.get_mut(&NodeId::new(1)).unwrap().disk = net.nodes[&NodeId::new(1)]
        .machine
        .as_ref()
        .unwrap()
        .checkpoint()
        .map(|r| r.to_vec())
        .collect();
    net.poll_all();
    net.sync_all();
    net.crash(1);
    net.restart(super::node(1, 3, Config::lan()));
    assert_eq!(net.node(1).status().promised, ballot(2, 3));
    assert_eq!(net.node(1).status().accepted, ballot(1, 2));
}

/// Lists of the members in different orders are the same list.
#[test]
fn order_of_the_members_does_not_matter() {
    let ids = [[1, 2, 3, 4], [4, 2, 1, 3]];
    let [a, b] = ids.map(|ids| {
        let members = ids.map(|id| Member::new(NodeId::new(id)));
        let quorums = Quorums::grid(2, 2).unwrap();
        super::Node::new(NodeId::new(1), &members, quorums, Config::lan(), 1).unwrap()
    });
    assert_eq!(a, b);
    let none = [Member::new(NodeId::new(1)).with_roles(Roles::PROPOSER)];
    let quorums = Quorums::majority(0);
    let proposer = Proposer::<Memory>::new(NodeId::new(1), &none, quorums, Config::lan(), 1);
    assert_eq!(proposer.err(), Some(ConfigError::Quorums));
}
