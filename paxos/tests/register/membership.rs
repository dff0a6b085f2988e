//! Acceptors enter and leave, step by step.

use quorate_core::{Machine, NodeId, Quorums};
use quorate_paxos::Member;
use quorate_paxos::register::{Change, Outcome, Plan, Sizes, Stage, Step, StepError, SubmitError};

use super::net::Net;

fn ids(all: &[u64]) -> Vec<NodeId> {
    all.iter().map(|id| NodeId::new(*id)).collect()
}

fn take(net: &mut Net, id: u64, step: Step<'_>) {
    assert_eq!(net.node(id).take(step), Ok(()), "node {id}: {step:?}");
    net.poll(id);
    net.sync_all();
}

/// All keys that any acceptor knows are read, at this node.
fn scan(net: &mut Net, id: u64, acceptors: &[u64]) {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for id in acceptors {
        keys.extend(net.node(*id).keys().map(<[u8]>::to_vec));
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        net.change(id, &key, Change::Read);
    }
}

/// Takes one set of acceptors to another, as the operator does.
fn change(net: &mut Net, from: &[u64], to: &[u64], scans: bool) {
    let version = net.node(from[0]).status().version;
    let mut all: Vec<u64> = [from, to].concat();
    all.sort_unstable();
    all.dedup();
    let (nodes, acceptors) = (ids(&all), ids(to));
    let mut plan = Plan::new(version, &nodes, &acceptors, Sizes::majority(to.len() as u8));
    while !plan.is_done() {
        let Some(step) = plan.step() else {
            if scans {
                let stays = from.iter().find(|id| to.contains(id)).unwrap();
                scan(net, *stays, from);
            }
            assert!(plan.confirm_keys_read());
            continue;
        };
        for id in &all {
            take(net, *id, step);
            plan.observe(&net.node(*id).status());
        }
    }
    for id in to {
        let status = net.node(*id).status();
        assert_eq!((status.version, status.stage), (version + 3, Stage::Stable));
    }
}

fn each_reads(net: &mut Net, all: &[u64], value: &[u8]) {
    for id in all {
        assert_eq!(net.read(*id).as_deref(), Some(value), "node {id}");
    }
}

/// One becomes seven, and one again; every step is taken by all, and what was written is there.
#[test]
fn sets_grow_and_shrink() {
    let mut net = Net::new(1);
    net.set(1, b"a");
    let mut all = vec![1];
    for id in 2..=7 {
        let version = net.node(1).status().version;
        net.members = all.iter().map(|id| Member::new(NodeId::new(*id))).collect();
        net.quorums = Quorums::majority(all.len() as u8);
        net.add(id, version);
        let next = [&all[..], &[id]].concat();
        change(&mut net, &all, &next, true);
        all = next;
        each_reads(&mut net, &all, b"a");
        net.set(id, b"b");
        net.set(1, b"a");
    }
    while all.len() > 1 {
        let next = all[1..].to_vec();
        change(&mut net, &all, &next, true);
        net.settle();
        net.hosts.remove(&all[0]);
        all = next;
        each_reads(&mut net, &all, b"a");
    }
    assert_eq!(all, [7]);
}

/// From an odd number: F+2 of 2F+2 are a quorum of each set, as the paper has it (section 2.3.1).
#[test]
fn odd_set_grows_by_the_papers_quorums() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.add(4, 0);
    let acceptors = ids(&[1, 2, 3, 4]);
    let accept = Step::Accept { version: 1, acceptors: &acceptors, sizes: Sizes::majority(4) };
    for id in 1..=4 {
        take(&mut net, id, accept);
    }
    // accepts go to all four, and three of them must answer; prepares go to the three
    net.forget();
    net.cut = vec![3, 4];
    let request = net.submit(2, b"k", Change::Set { value: b"b" });
    for _ in 0..10 {
        net.settle();
        net.tick(50_000);
    }
    assert!(!net.hosts[&2].answers.contains_key(&request), "two of four are no quorum");
    net.cut = vec![3];
    net.answer(2, request);
    net.cut.clear();
    net.settle();
    net.forget();
    net.set(3, b"c");
    net.settle();
    assert_eq!((net.sent["Prepare"], net.sent["Accept"]), (2 + 2, 3), "{:?}", net.sent);
    // then the keys, then prepares go to four, of which three must promise
    scan(&mut net, 1, &[1, 2, 3]);
    for id in 1..=4 {
        take(&mut net, id, Step::Prepare { version: 2, floor: 100 });
    }
    net.cut = vec![3, 4];
    let request = net.submit(1, b"k", Change::Read);
    for _ in 0..10 {
        net.settle();
        net.tick(50_000);
    }
    assert!(!net.hosts[&1].answers.contains_key(&request));
    net.cut.clear();
    net.answer(1, request);
}

/// The loss of the paper: nodes are replaced one after the other, and nobody reads the keys in between.
#[test]
fn replacing_all_nodes_without_reading_the_keys_loses_them() {
    for (scans, found) in [(true, Some(b"a".to_vec())), (false, None)] {
        let mut net = Net::new(3);
        net.set(1, b"a");
        net.settle();
        let mut all = vec![1, 2, 3];
        for (leaves, enters) in [(1, 4), (2, 5), (3, 6)] {
            // shrink, and grow
            let two: Vec<u64> = all.iter().copied().filter(|id| *id != leaves).collect();
            change(&mut net, &all, &two, scans);
            net.hosts.remove(&leaves);
            let next = [&two[..], &[enters]].concat();
            // the node that enters is started with what there is then
            let version = net.node(two[0]).status().version;
            net.members = two.iter().map(|id| Member::new(NodeId::new(*id))).collect();
            net.quorums = Quorums::majority(2);
            net.add(enters, version);
            change(&mut net, &two, &next, scans);
            all = next;
        }
        for id in &all {
            assert_eq!(net.read(*id), found, "{scans}");
        }
    }
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut net = Net::new(3);
    let two = ids(&[1, 2]);
    let node = net.node(1);
    let accept = |version| Step::Accept { version, acceptors: &two, sizes: Sizes::majority(2) };
    let out = |version| Err(StepError::OutOfOrder { version });
    let before = node.clone();
    assert_eq!(node.take(Step::Prepare { version: 1, floor: 0 }), out(0));
    assert_eq!(node.take(Step::Finish { version: 1, floor: 40 }), out(0));
    assert_eq!(node.take(accept(0)), out(0));
    assert_eq!(node.take(accept(2)), out(0));
    let twice = ids(&[1, 2, 1]);
    let step = |acceptors, sizes| Step::Accept { version: 1, acceptors, sizes };
    let duplicate = StepError::Duplicate(NodeId::new(1));
    assert_eq!(node.take(step(&twice, Sizes::majority(3))), Err(duplicate));
    assert_eq!(node.take(step(&two, Sizes { one: 1, two: 1 })), Err(StepError::Quorums));
    assert_eq!(node.take(step(&[], Sizes { one: 0, two: 0 })), Err(StepError::Quorums));
    let many = ids(&[11, 12, 13, 14, 15]);
    assert_eq!(node.take(step(&many, Sizes::majority(5))), Err(StepError::TooManyMembers));
    assert!(*node == before, "what is refused changes nothing");
    assert_eq!(node.take(accept(1)), Ok(()));
    assert_eq!(node.take(accept(1)), Ok(()), "once more");
    assert_eq!(node.take(accept(2)), out(1));
    assert_eq!(node.take(Step::Finish { version: 2, floor: 40 }), out(1));
    assert_eq!(node.take(Step::Prepare { version: 2, floor: 9 }), Ok(()));
    assert_eq!(node.take(Step::Prepare { version: 3, floor: 9 }), out(2));
    assert_eq!(node.take(Step::Finish { version: 3, floor: 40 }), Ok(()));
    assert_eq!(node.take(Step::Finish { version: 3, floor: 40 }), Ok(()), "once more");
    let different = Err(StepError::Different { version: 3 });
    assert_eq!(node.take(accept(3)), different);
    let floor = u64::MAX;
    assert_eq!(node.take(accept(4)), Ok(()));
    assert_eq!(node.take(Step::Prepare { version: 5, floor }), Err(StepError::Floor));
}

/// A node is in the middle of one change: it takes no step of another, and no other plan counts it.
#[test]
fn two_plans_from_one_version_do_not_mix() {
    let mut net = Net::new(3);
    let (all, two, other) = (ids(&[1, 2, 3]), ids(&[1, 2]), ids(&[1, 3]));
    let mut plans = [&two, &other].map(|to| Plan::new(0, &all, to, Sizes::majority(2)));
    let steps = plans.clone().map(|plan| plan.step().unwrap());
    take(&mut net, 1, steps[0]);
    let different = Err(StepError::Different { version: 1 });
    assert_eq!(net.node(1).take(steps[1]), different);
    for id in [2, 3] {
        take(&mut net, id, steps[1]);
    }
    for id in 1..=3 {
        let status = net.node(id).status();
        plans.iter_mut().for_each(|plan| plan.observe(&status));
    }
    assert_eq!(plans.map(|plan| plan.step().unwrap()), steps, "neither goes on");
}

/// What a node answers while some others neither hear nor say anything.
fn answer_without(net: &mut Net, id: u64, cut: &[u64], change: Change<'_>) -> Option<Vec<u8>> {
    net.take(|_| true);
    net.cut = cut.to_vec();
    let (outcome, _, value) = net.change(id, b"k", change);
    assert_eq!(outcome, Outcome::Applied);
    net.cut.clear();
    net.take(|_| true);
    value
}

/// Quorums of the present set and of the next one need not meet: what was begun with the one alone does not come after the other.
#[test]
fn ballots_of_the_next_set_are_above_those_of_the_present_one() {
    let mut net = Net::new(3);
    net.set(1, b"s");
    net.settle();
    net.add(4, 0);
    let (nodes, acceptors) = (ids(&[1, 2, 3, 4]), ids(&[1, 2, 4]));
    let mut plan = Plan::new(0, &nodes, &acceptors, Sizes::majority(3));
    let step_at = |net: &mut Net, plan: &mut Plan<'_>, all: &[u64]| {
        let step = plan.step().unwrap();
        for id in all {
            take(net, *id, step);
            plan.observe(&net.node(*id).status());
        }
    };
    step_at(&mut net, &mut plan, &[1, 2, 3, 4]);
    scan(&mut net, 1, &[1, 2, 3]);
    assert!(plan.confirm_keys_read());
    step_at(&mut net, &mut plan, &[1]);
    // one node prepares with the present set, again and again, and nobody else hears what it wants accepted
    for _ in 0..3 {
        net.submit(2, b"k", Change::Set { value: b"late" });
        net.sync_all();
        net.deliver_if(|sent| [sent.from, sent.to].iter().all(|id| [2, 3].contains(id)));
        net.sync_all();
        net.deliver_if(|sent| [sent.from, sent.to].iter().all(|id| [2, 3].contains(id)));
        net.sync_all();
        net.take(|_| true);
        net.crash(2);
        net.restart(2);
    }
    assert_eq!(net.accepted(2).and_then(|accepted| accepted.1).as_deref(), Some(&b"late"[..]));
    step_at(&mut net, &mut plan, &[2, 3, 4]);
    step_at(&mut net, &mut plan, &[1, 2, 3, 4]);
    assert!(plan.is_done());
    answer_without(&mut net, 1, &[2, 3], Change::Set { value: b"new" });
    let read = answer_without(&mut net, 4, &[1, 3], Change::Read);
    assert_eq!(read.as_deref(), Some(&b"new"[..]));
}

/// What a node had when it left was counted by nobody since, and the key may have been collected.
#[test]
fn node_that_comes_back_brings_nothing_back() {
    let mut net = Net::new(3);
    net.set(1, b"old");
    net.settle();
    change(&mut net, &[1, 2, 3], &[1, 2], true);
    net.delete(1);
    net.settle();
    assert!(net.collect(1));
    assert_eq!(net.accepted(1), None);
    assert!(net.accepted(3).is_some());
    change(&mut net, &[1, 2], &[1, 2, 3], true);
    assert_eq!(answer_without(&mut net, 2, &[1], Change::Read), None);
    // nor after a restart
    net.crash(3);
    net.restart(3);
    assert_eq!(net.accepted(3).and_then(|accepted| accepted.1), None);
    assert_eq!(answer_without(&mut net, 2, &[1], Change::Read), None);
}

/// A plan goes on when every node has the step on disk, and not before.
#[test]
fn plan_waits_for_every_disk() {
    let mut net = Net::new(3);
    let (all, two) = (ids(&[1, 2, 3]), ids(&[1, 2]));
    let mut plan = Plan::new(0, &all, &two, Sizes::majority(2));
    let step = plan.step().unwrap();
    for id in 1..=3 {
        net.node(id).take(step).unwrap();
        net.poll(id);
        plan.observe(&net.node(id).status());
    }
    assert_eq!(plan.step(), Some(step));
    assert!(!plan.confirm_keys_read());
    net.sync_all();
    for id in 1..=3 {
        assert_eq!(plan.step(), Some(step));
        plan.observe(&net.node(id).status());
    }
    assert_eq!(plan.step(), None);
    assert!(plan.confirm_keys_read() && !plan.is_done());
    assert!(matches!(plan.step(), Some(Step::Prepare { version: 2, .. })));
}

/// A node that is to enter proposes nothing before it has; one that leaves nothing since the first step, and nobody serves what it sent.
#[test]
fn nodes_that_enter_or_leave_do_not_propose() {
    let mut net = Net::new(3);
    net.set(3, b"a");
    net.settle();
    net.add(4, 0);
    let now = net.now;
    let read = |net: &mut Net, id| net.node(id).submit(now, b"k", Change::Read).err();
    assert_eq!(read(&mut net, 4), Some(SubmitError::NotAMember));
    net.submit(3, b"k", Change::Set { value: b"late" });
    net.sync_all();
    let late = net.take(|sent| sent.is("Accept"));
    let acceptors = ids(&[1, 2, 4]);
    let accept = Step::Accept { version: 1, acceptors: &acceptors, sizes: Sizes::majority(3) };
    for id in 1..=4 {
        take(&mut net, id, accept);
    }
    for id in [3, 4] {
        assert_eq!(read(&mut net, id), Some(SubmitError::NotAMember), "node {id}");
    }
    late.iter().for_each(|sent| net.deliver(sent));
    assert_eq!([1, 2].map(|id| net.node(id).status().outdated), [1, 1]);
    net.take(|sent| sent.from == 3);
    scan(&mut net, 1, &[1, 2, 3]);
    for step in [Step::Prepare { version: 2, floor: 40 }, Step::Finish { version: 3, floor: 40 }] {
        for id in 1..=4 {
            take(&mut net, id, step);
        }
    }
    assert_eq!(read(&mut net, 3), Some(SubmitError::NotAMember));
    assert!(net.set(4, b"b").round > 40, "it begins above the floor");
    assert_eq!(net.read(1).as_deref(), Some(&b"b"[..]));
}

/// What a node has of the membership is on its disk, whatever it was started with.
#[test]
fn membership_is_restored() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.add(4, 0);
    let acceptors = ids(&[2, 3, 4]);
    let accept = Step::Accept { version: 1, acceptors: &acceptors, sizes: Sizes::majority(3) };
    let steps =
        [accept, Step::Prepare { version: 2, floor: 40 }, Step::Finish { version: 3, floor: 40 }];
    for (at, step) in steps.into_iter().enumerate() {
        for id in 1..=4 {
            take(&mut net, id, step);
            net.crash(id);
            net.restart(id);
            assert_eq!(net.node(id).status().version, at as u64 + 1);
        }
        if at == 0 {
            scan(&mut net, 2, &[1, 2, 3]);
        }
    }
    net.hosts.remove(&1);
    for id in 2..=4 {
        assert_eq!(net.read(id).as_deref(), Some(&b"a"[..]));
    }
    net.cut = vec![2];
    assert_eq!(net.read(4).as_deref(), Some(&b"a"[..]));
}

/// Nodes with another membership do not take part in a collection: they may ask acceptors that the others do not know of.
#[test]
fn nothing_is_collected_while_the_membership_changes() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.delete(1);
    net.add(4, 0);
    let acceptors = ids(&[1, 2, 3, 4]);
    let accept = Step::Accept { version: 1, acceptors: &acceptors, sizes: Sizes::majority(4) };
    take(&mut net, 3, accept);
    let now = net.now;
    net.node(1).collect(now, b"k").unwrap();
    for _ in 0..20 {
        net.settle();
        net.tick(50_000);
    }
    assert!(net.node(1).status().collecting);
    assert!(net.node(2).accepted(b"k").is_some());
    take(&mut net, 1, accept);
    net.poll(1);
    assert_eq!(net.hosts[&1].collected, [(b"k".to_vec(), false)]);
    let now = net.now;
    let refused = net.node(1).collect(now, b"k");
    assert_eq!(refused, Err(quorate_paxos::register::CollectError::Reconfiguring));
}
