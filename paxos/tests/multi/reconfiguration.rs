use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Quorums, Rejected, Votes, Wire};
use quorate_paxos::multi::{
    Config, Entries, Event, Fixed, Message, MultiPaxos, ProposeError, ReconfigureError, Record,
    Role,
};
use quorate_paxos::{ConfigError, Member, Roles};

use super::net::{Applied, BEAT_US, Net, Node, ballot, id};

fn members(indexes: &[usize]) -> Vec<Member> {
    indexes.iter().map(|&index| Member::new(id(index))).collect()
}

fn majority(indexes: &[usize]) -> (Vec<Member>, Quorums) {
    (members(indexes), Quorums::majority(indexes.len() as u8))
}

/// The leader of these members, once they are in this configuration.
fn lead(net: &mut Net, indexes: &[usize], number: u64) -> usize {
    for _ in 0..60 {
        net.run(BEAT_US);
        let is_led = |&&index: &&usize| {
            net.nodes[index].as_ref().is_some_and(|node| {
                let status = node.status();
                status.role == Role::Leader && status.configuration == number
            })
        };
        if let Some(&leader) = indexes.iter().find(is_led) {
            net.run(4 * BEAT_US);
            return leader;
        }
    }
    let status: Vec<_> = net.nodes.iter().flatten().map(|node| node.status()).collect();
    panic!("no leader: {status:#?}");
}

fn change(net: &mut Net, leader: usize, indexes: &[usize]) {
    let (members, quorums) = majority(indexes);
    net.node(leader).reconfigure(members, quorums).unwrap();
    net.settle();
}

/// Three nodes that have chosen so many commands, and their leader.
fn three(commands: usize) -> (Net, usize) {
    let mut net = Net::new(3);
    let leader = net.elect();
    for number in 0..commands {
        net.propose(leader, format!("command {number}").as_bytes());
    }
    net.run(2 * BEAT_US);
    (net, leader)
}

#[test]
fn node_is_added() {
    let (mut net, leader) = three(5);
    let new = net.join();
    change(&mut net, leader, &[0, 1, 2, new]);
    // it leads on: nobody else need be elected first
    assert_eq!(lead(&mut net, &[0, 1, 2, new], 1), leader);
    for index in 0..4 {
        let status = net.node(index).status();
        assert_eq!((status.configuration, status.commit), (1, 6), "{index}");
        assert_eq!(net.entered[index], 1);
        assert!(net.node(index).members().eq(members(&[0, 1, 2, new])));
        assert_eq!(net.commands(index).len(), 5);
    }
    // three of four are a quorum now, and the new one is needed for it
    net.nodes[(leader + 1) % 3] = None;
    net.propose(leader, b"more");
    net.run(4 * BEAT_US);
    assert_eq!(net.commands(new).last(), Some(&&b"more"[..]));
}

#[test]
fn leader_is_removed_and_hears_of_the_next_one() {
    let (mut net, leader) = three(5);
    let others: Vec<_> = (0..3).filter(|&index| index != leader).collect();
    change(&mut net, leader, &others);
    let next = lead(&mut net, &others, 1);
    assert_ne!(next, leader);
    let status = net.node(leader).status();
    assert_eq!((status.configuration, status.role), (1, Role::Follower));
    assert!(!status.roles.contains(Roles::LEARNER));
    assert_eq!(net.followed[leader], Some(id(next)), "it may be shut down");
    let commit = status.commit;
    net.propose(next, b"without it");
    net.run(4 * BEAT_US);
    assert_eq!(net.node(leader).status().commit, commit, "it needs no more");
    net.nodes[leader] = None;
    net.propose(next, b"and when it is gone");
    net.run(60 * BEAT_US);
    assert_eq!(net.commands(others[0]).len(), 7);
    // nobody speaks to it any more
    let sent = net.sent["heartbeat"];
    net.run(10 * BEAT_US);
    assert!(net.sent["heartbeat"] - sent <= 22, "two nodes tell each other");
}

#[test]
fn all_nodes_are_replaced() {
    let (mut net, leader) = three(20);
    let new = [net.join(), net.join(), net.join()];
    // who the new ones ask has a snapshot and some entries
    for index in 0..3 {
        net.node(index).snapshot_taken(12, 10).unwrap();
    }
    net.settle();
    change(&mut net, leader, &new);
    let next = lead(&mut net, &new, 1);
    for index in 0..3 {
        net.nodes[index] = None;
    }
    net.propose(next, b"after");
    net.run(20 * BEAT_US);
    for &index in &new {
        assert_eq!(net.applied[index][0], Applied::Snapshot(12), "{index}");
        assert_eq!(net.node(index).status().applied, 22);
        // and from their disks
        net.restart(index);
    }
    lead(&mut net, &new, 1);
    for &index in &new {
        assert_eq!(net.node(index).status().applied, 22);
        assert!(net.node(index).members().eq(members(&new)));
    }
}

#[test]
fn snapshot_carries_the_members_as_of_it() {
    let (mut net, leader) = three(5);
    let new = net.join();
    change(&mut net, leader, &[0, 1, 2, new]);
    lead(&mut net, &[0, 1, 2, new], 1);
    for index in 0..4 {
        // the stop-sign is in slot 6
        net.node(index).snapshot_taken(6, 6).unwrap();
        net.snapshots[index] = 6;
    }
    net.settle();
    let another = net.join();
    let leader = net.leader().unwrap();
    change(&mut net, leader, &[0, 1, 2, new, another]);
    lead(&mut net, &[0, 1, 2, new, another], 2);
    assert_eq!(net.applied[another][0], Applied::Snapshot(6));
    assert_eq!(net.node(another).status().configuration, 2);
    assert!(net.sent["last chunk"] > 0);
    for index in 0..5 {
        net.restart(index);
    }
    lead(&mut net, &[0, 1, 2, new, another], 2);
    for index in 0..5 {
        let status = net.node(index).status();
        assert_eq!((status.configuration, status.snapshot), (2, 6), "{index}");
        assert_eq!(net.entered[index], 2, "told after each start");
    }
}

#[test]
fn members_survive_a_crash_between_the_snapshot_and_its_record() {
    let (mut net, leader) = three(5);
    let new = net.join();
    change(&mut net, leader, &[0, 1, 2, new]);
    lead(&mut net, &[0, 1, 2, new], 1);
    for index in 0..4 {
        net.node(index).snapshot_taken(6, 6).unwrap();
        net.snapshots[index] = 6;
    }
    net.settle();
    let another = net.join();
    let leader = net.leader().unwrap();
    change(&mut net, leader, &[0, 1, 2, new, another]);
    lead(&mut net, &[0, 1, 2, new, another], 2);
    // the record of the snapshot is lost, as if the power had failed once the application had the snapshot
    let is_before = |bytes: &Vec<u8>| {
        matches!(
            Record::from_slice(bytes),
            Ok(Record::Founded { .. } | Record::Configuration { .. })
        )
    };
    net.disks[another].retain(is_before);
    assert_eq!(net.disks[another].len(), 2);
    net.restart(another);
    assert_eq!(net.node(another).status().configuration, 1);
    lead(&mut net, &[0, 1, 2, new, another], 2);
    assert_eq!(net.node(another).status().configuration, 2);
    // a snapshot of which no record tells the members
    let mut node = net.make(another);
    let records = [
        Record::Configuration {
            slot: 6,
            number: 1,
            quorums: Quorums::majority(4),
            members: match Record::from_slice(&net.disks[another][1]).unwrap() {
                Record::Configuration { members, .. } => members,
                other => panic!("{other:?}"),
            },
        },
        Record::Snapshot { slot: 6, compacted: 6 },
    ];
    for record in records {
        node.restore(record).unwrap();
    }
    assert_eq!(node.resume(9), Err(Corrupt::Gap));
    assert_eq!(node.resume(6), Ok(()));
}

#[test]
fn cluster_of_one_grows() {
    let mut net = Net::new(1);
    net.run(2 * BEAT_US);
    net.propose(0, b"alone");
    let new = [net.join(), net.join()];
    change(&mut net, 0, &[0, new[0], new[1]]);
    let leader = lead(&mut net, &[0, 1, 2], 1);
    net.propose(leader, b"together");
    net.run(4 * BEAT_US);
    for index in 0..3 {
        assert_eq!(net.commands(index), [b"alone" as &[u8], b"together"]);
    }
}

#[test]
fn learner_is_given_a_vote() {
    let (mut net, leader) = three(5);
    let new = net.join();
    let learner = Member::new(id(new)).with_roles(Roles::LEARNER);
    let with_learner = [members(&[0, 1, 2]), vec![learner]].concat();
    net.node(leader).reconfigure(with_learner, Quorums::majority(3)).unwrap();
    net.settle();
    let leader = lead(&mut net, &[0, 1, 2], 1);
    assert_eq!(net.node(new).status().roles, Roles::LEARNER);
    net.propose(leader, b"heard");
    net.run(4 * BEAT_US);
    assert_eq!(net.commands(new).len(), 6);
    change(&mut net, leader, &[0, 1, 2, new]);
    lead(&mut net, &[0, 1, 2, new], 2);
    assert_eq!(net.node(new).status().roles, Roles::ALL);
}

#[test]
fn quorums_may_be_any() {
    let (mut net, leader) = three(2);
    let members = [0, 1, 2].map(|at| Member::new(id(at)).with_votes(Votes::new(1 + at as u8)));
    let quorums = Quorums::flexible(6, 4, 3).unwrap();
    net.node(leader).reconfigure(members, quorums).unwrap();
    net.settle();
    lead(&mut net, &[0, 1, 2], 1);
    for index in 0..3 {
        assert_eq!(net.node(index).quorums(), quorums);
        assert!(net.node(index).members().eq(members));
    }
}

#[test]
fn stop_sign_that_a_leader_finds_is_proposed_again() {
    let (mut net, leader) = three(3);
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let new = net.join();
    // only one has it when the leader fails
    net.cut = vec![(leader, other), (one, leader)];
    change(&mut net, leader, &[0, 1, 2, new]);
    assert_eq!(net.node(leader).propose(b"x"), Err(ProposeError::Reconfiguring));
    net.nodes[leader] = None;
    net.cut.clear();
    let next = lead(&mut net, &[one, other, new], 1);
    net.propose(next, b"goes on");
    net.run(4 * BEAT_US);
    for index in [one, other, new] {
        assert_eq!(net.node(index).status().configuration, 1);
        assert_eq!(net.commands(index).last(), Some(&&b"goes on"[..]));
    }
    net.restart(leader);
    net.run(20 * BEAT_US);
    assert_eq!(net.node(leader).status().configuration, 1);
    assert_eq!(net.commands(leader), net.commands(one));
}

#[test]
fn votes_after_a_stop_sign_count_for_nothing() {
    let (mut net, leader) = three(3);
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    // it proposes for slots 4 to 6, and nobody hears it
    net.cut = vec![(leader, one), (leader, other)];
    for _ in 0..3 {
        net.propose(leader, b"of before");
    }
    net.run(6 * BEAT_US);
    let next = lead(&mut net, &[one, other], 0);
    net.cut =
        (0..3).filter(|&at| at != leader).flat_map(|at| [(leader, at), (at, leader)]).collect();
    let end = net.node(next).status().last;
    assert_eq!(end, 3);
    change(&mut net, next, &[one, other]);
    let next = lead(&mut net, &[one, other], 1);
    net.propose(next, b"of after");
    assert_eq!(net.node(leader).status().last, 6);
    let epoch = net.epochs(leader)[0];
    // the removed one learns of it: none of what it had proposed is chosen
    net.cut.clear();
    net.run(10 * BEAT_US);
    let status = net.node(leader).status();
    assert_eq!((status.configuration, status.commit, status.last), (1, 5, 5));
    assert_eq!(net.dropped[leader], Some(epoch + 1));
    assert_eq!(net.commands(leader).len(), 4);
    assert_eq!(net.commands(leader).last(), Some(&&b"of after"[..]));
    net.restart(leader);
    net.run(4 * BEAT_US);
    assert_eq!(net.node(leader).status().last, 5);
}

#[test]
fn what_was_dropped_is_not_on_disk_either() {
    // a node has voted for slots 4 to 6, then learned that slot 4 is a stop-sign, and voted for slot 5 in the new configuration
    let (mut net, leader) = three(3);
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let all = [0, 1, 2];
    net.cut = vec![(leader, one), (leader, other)];
    for _ in 0..3 {
        net.propose(leader, b"of before");
    }
    net.run(6 * BEAT_US);
    net.cut =
        (0..3).filter(|&at| at != leader).flat_map(|at| [(leader, at), (at, leader)]).collect();
    let next = lead(&mut net, &[one, other], 0);
    change(&mut net, next, &all);
    let next = lead(&mut net, &[one, other], 1);
    net.cut.clear();
    net.run(10 * BEAT_US);
    net.propose(next, b"of after");
    net.run(4 * BEAT_US);
    assert_eq!(net.node(leader).status().last, 5);
    net.restart(leader);
    let status = net.node(leader).status();
    assert_eq!((status.configuration, status.last), (1, 5), "6 was voted for before");
    net.run(4 * BEAT_US);
    assert_eq!(net.commands(leader).last(), Some(&&b"of after"[..]));
    // a checkpoint says as much
    let records: Vec<_> = net.node(leader).checkpoint().map(|record| record.to_vec()).collect();
    net.disks[leader] = records;
    net.restart(leader);
    let status = net.node(leader).status();
    assert_eq!((status.configuration, status.last), (1, 5));
}

#[test]
fn node_that_missed_everything_is_found_by_the_new_members() {
    let (mut net, leader) = three(3);
    let away = (leader + 1) % 3;
    net.nodes[away] = None;
    let new = [net.join(), net.join()];
    // it is a member all the time, and all others are replaced
    change(&mut net, leader, &[away, (leader + 2) % 3, new[0]]);
    let leader = lead(&mut net, &[(leader + 2) % 3, new[0]], 1);
    change(&mut net, leader, &[away, new[0], new[1]]);
    let leader = lead(&mut net, &new, 2);
    for index in (0..3).filter(|&index| index != away) {
        net.nodes[index] = None;
    }
    net.propose(leader, b"later");
    net.restart(away);
    net.run(20 * BEAT_US);
    assert_eq!(net.node(away).status().configuration, 2);
    assert_eq!(net.commands(away), net.commands(leader));
    assert_eq!(net.commands(away).len(), 4);
}

/// It has the whole log from others that were removed; the new members have never heard of it.
#[test]
fn removed_node_that_was_away_hears_who_leads() {
    let (mut net, leader) = three(3);
    let away = (leader + 1) % 3;
    net.nodes[away] = None;
    let new = [net.join(), net.join(), net.join()];
    change(&mut net, leader, &new);
    let leader = lead(&mut net, &new, 1);
    net.run(10 * BEAT_US);
    net.restart(away);
    net.run(20 * BEAT_US);
    assert_eq!(net.entered[away], 1);
    assert_eq!(net.followed[away], Some(id(leader)), "it may be shut down");
}

#[test]
fn read_of_the_old_configuration_waits_for_the_new_one() {
    let (mut net, leader) = three(3);
    let behind = (leader + 1) % 3;
    let other = (leader + 2) % 3;
    let new = net.join();
    // it hears nothing of what follows, but for what it asks
    net.cut = vec![(leader, behind), (other, behind), (new, behind)];
    change(&mut net, leader, &[leader, other, new]);
    let next = lead(&mut net, &[leader, other, new], 1);
    net.propose(next, b"later");
    net.node(behind).read().unwrap();
    net.settle();
    net.cut.clear();
    net.run(BEAT_US / 2);
    if net.reads[behind] == 1 {
        assert_eq!(net.commands(behind).len(), 4, "it has read what was written before");
    }
    let status = net.node(next).status();
    assert!(status.foreign > 0, "the question was of the old configuration");
}

#[test]
fn leader_read_that_waits_for_the_stop_sign_is_asked_again() {
    let (mut net, leader) = three(3);
    let new = net.join();
    let (members, quorums) = majority(&[0, 1, 2, new]);
    net.node(leader).reconfigure(members, quorums).unwrap();
    net.node(leader).read().unwrap();
    net.settle();
    lead(&mut net, &[0, 1, 2, new], 1);
    assert_eq!(net.reads[leader], 1);
}

#[test]
fn late_messages_of_the_old_configuration_have_no_effect() {
    let (mut net, leader) = three(3);
    let new = net.join();
    let old = net.node(leader).status().promised;
    change(&mut net, leader, &[0, 1, 2, new]);
    let leader = lead(&mut net, &[0, 1, 2, new], 1);
    let (now, from) = (net.instant(), id((leader + 1) % 3));
    let late = ballot(old.round + 9, (leader + 1) % 3);
    let entry: &[u8] = &[1, 4, b'x'];
    for message in [
        Message::Prepare { configuration: 0, ballot: late, from: 1 },
        Message::Accept { configuration: 0, ballot: late, first: 5, commit: 0, entries: entry },
        Message::Query { configuration: 0, number: 3 },
    ] {
        let node = net.node(leader);
        let before = node.status();
        assert_eq!(node.receive(now, from, message), Ok(()), "{message:?}");
        let after = node.status();
        assert_eq!(after.foreign, before.foreign + 1, "{message:?}");
        assert_eq!((after.promised, after.last), (before.promised, before.last));
        assert_eq!(after.role, Role::Leader);
    }
}

#[test]
fn what_cannot_be_a_configuration_is_refused() {
    let (mut net, leader) = three(1);
    let node = net.node(leader);
    let config = |error| Err(ReconfigureError::Config(error));
    let (five, _) = majority(&[0, 1, 2, 3, 4]);
    assert_eq!(node.reconfigure(five, Quorums::majority(3)), config(ConfigError::Quorums));
    let (twice, quorums) = majority(&[0, 1, 1]);
    let duplicate = ConfigError::DuplicateMember(id(1));
    assert_eq!(node.reconfigure(twice, quorums), config(duplicate));
    assert_eq!(node.reconfigure([], Quorums::majority(1)), config(ConfigError::Quorums));
    let proposer = [Member::new(id(0)).with_roles(Roles::PROPOSER)];
    assert_eq!(node.reconfigure(proposer, Quorums::majority(1)), config(ConfigError::Roles));
    // three and four more have no room together
    let (four, quorums) = majority(&[3, 4, 5, 6]);
    assert_eq!(node.reconfigure(four, quorums), config(ConfigError::TooManyMembers));
    let (three, quorums) = majority(&[0, 1, 2]);
    let follower = net.node((leader + 1) % 3);
    let not_leader = ProposeError::NotLeader(Some(id(leader)));
    assert_eq!(
        follower.reconfigure(three.clone(), quorums),
        Err(ReconfigureError::Propose(not_leader))
    );
    let node = net.node(leader);
    node.reconfigure(three.clone(), quorums).unwrap();
    let reconfiguring = ReconfigureError::Propose(ProposeError::Reconfiguring);
    assert_eq!(node.reconfigure(three, quorums), Err(reconfiguring));
}

#[test]
fn storage_for_fixed_members_refuses_others() {
    type Board = MultiPaxos<Fixed<3, 1024, 16, 64>>;
    let config = Config { max_entry_bytes: 256, ..Config::lan() };
    assert_eq!(Board::join(id(1), config, 1), Err(ConfigError::Fixed));
    let mut node = Board::new(id(0), members(&[0, 1]), Quorums::majority(2), config, 1).unwrap();
    let (one, quorums) = majority(&[0]);
    assert_eq!(node.reconfigure(one, quorums), Err(ReconfigureError::Fixed));
    node.found();
    node.tick(Instant::ZERO);
    // number 1, a majority of one, one member: id 1 with all roles and a vote
    let stop_sign = b"\x01\x46\x01\x00\x01\x01\x01\x0b\x07\x01\x00\x01\0\0\0\0\0\0\0";
    assert_eq!(Entries::new(1, 1, stop_sign).iter().count(), 1);
    let accept = Message::Accept {
        configuration: 0,
        ballot: ballot(1, 1),
        first: 1,
        commit: 0,
        entries: stop_sign,
    };
    assert_eq!(node.receive(Instant::ZERO, id(1), accept), Err(Rejected::Full));
    let mut node = Node::new(id(0), members(&[0, 1]), Quorums::majority(2), config, 1).unwrap();
    node.found();
    assert_eq!(node.receive(Instant::ZERO, id(1), accept), Ok(()));
    let cut = Message::Accept {
        configuration: 0,
        ballot: ballot(1, 1),
        first: 1,
        commit: 0,
        entries: b"\x01\x06\x01",
    };
    assert_eq!(node.receive(Instant::ZERO, id(1), cut), Err(Rejected::Malformed));
}

#[test]
fn founder_does_not_open_what_a_joiner_wrote() {
    let (mut net, _) = three(1);
    let new = net.join();
    net.run(BEAT_US);
    let founded = net.disks[new][0].clone();
    assert_eq!(Record::from_slice(&founded), Ok(Record::Founded { members: 0 }));
    let mut founder = net.make(0);
    assert_eq!(founder.restore(Record::from_slice(&founded).unwrap()), Err(Corrupt::Founders));
    let mut joiner = net.make(new);
    let founders = Record::from_slice(&net.disks[0][0]).unwrap();
    assert_eq!(joiner.restore(founders), Err(Corrupt::Founders));
}

#[test]
fn unknown_sender_is_met_if_its_configuration_is_another_one() {
    let mut node = Node::join(id(3), Config::lan(), 1).unwrap();
    node.found();
    node.tick(Instant::ZERO);
    let heartbeat = |configuration| Message::Heartbeat {
        configuration,
        promised: ballot(1, 0),
        leads: true,
        has_leader: true,
        hears_you: false,
        commit: 9,
        through: 9,
        last: 9,
    };
    let now = Instant::ZERO;
    let unknown = Err(Rejected::UnknownSender);
    assert_eq!(node.receive(now, id(0), heartbeat(0)), unknown);
    let query = Message::Query { configuration: 1, number: 1 };
    assert_eq!(node.receive(now, id(0), query), unknown);
    assert_eq!(node.receive(now, id(0), heartbeat(1)), Ok(()));
    let mut asked = Vec::new();
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        } else if let Output::Send(to, Message::Fetch { .. }) = output {
            asked.push(to);
        } else if let Output::Event(Event::Fatal(reason)) = output {
            panic!("{reason}");
        }
    }
    assert_eq!(asked, [id(0)]);
    // there is room for five more; those that are heard stay
    for other in 10..15 {
        let from = NodeId::new(other);
        let expected = if other < 14 { Ok(()) } else { unknown };
        assert_eq!(node.receive(now, from, heartbeat(2)), expected, "{other}");
    }
    let later = now.after(Config::lan().election_us);
    assert_eq!(node.receive(later, NodeId::new(14), heartbeat(2)), Ok(()));
}

#[test]
fn epochs_do_not_depend_on_who_else_is_known() {
    let (mut net, leader) = three(1);
    let of = net.node(leader).status().promised;
    let before = net.node(leader).epoch_of(of);
    let heartbeat = Message::Heartbeat {
        configuration: 7,
        promised: ballot(1, 5),
        leads: false,
        has_leader: false,
        hears_you: false,
        commit: 0,
        through: 0,
        last: 0,
    };
    let now = net.instant();
    // its id is below those of all members
    assert_eq!(net.node(leader).receive(now, NodeId::new(0), heartbeat), Ok(()));
    assert_eq!(net.node(leader).epoch_of(of), before);
}

#[test]
fn late_answers_of_a_node_that_votes_no_more_have_no_effect() {
    let (mut net, leader) = three(3);
    let others: Vec<_> = (0..3).filter(|&index| index != leader).collect();
    change(&mut net, leader, &others);
    let next = lead(&mut net, &others, 1);
    let (now, old) = (net.instant(), net.node(next).status().promised);
    let promise = Message::Promise {
        ballot: old,
        from: 1,
        first: 1,
        accepted: ballot(0, 0),
        entries: b"",
        commit: 0,
        last: 0,
    };
    let answer = Message::Answer { number: 1, promised: old, last: 9 };
    for message in [promise, answer] {
        let node = net.node(next);
        let before = node.status();
        assert_eq!(node.receive(now, id(leader), message), Ok(()), "{message:?}");
        assert_eq!(node.status(), before);
    }
    assert_eq!(net.node(leader).read(), Err(quorate_log::ReadError::NotAMember));
}

/// It was asked in a configuration in which it votes, of which this node has lost the record in a crash. Where members never change, that
/// cannot be.
#[test]
fn answers_of_a_node_that_does_not_vote_yet_have_no_effect() {
    let listed = [Member::new(id(0)), Member::new(id(1)).with_roles(Roles::LEARNER)];
    let answer = Message::Answer { number: 1, promised: ballot(1, 1), last: 9 };
    let (now, config) = (Instant::ZERO, Config::lan());
    let quorums = Quorums::majority(1);
    let mut node = Node::new(id(0), listed, quorums, config, 1).unwrap();
    node.tick(now);
    let before = node.status();
    assert_eq!(node.receive(now, id(1), answer), Ok(()));
    assert_eq!(node.status(), before);
    type Board = MultiPaxos<Fixed<3, 1024, 16, 64>>;
    let mut node = Board::new(id(0), listed, quorums, config, 1).unwrap();
    node.tick(now);
    assert_eq!(node.receive(now, id(1), answer), Err(Rejected::Impossible));
}
