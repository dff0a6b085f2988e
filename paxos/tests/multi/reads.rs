use quorate_core::Machine;

use super::net::{BEAT_US, Net};

#[test]
fn leader_that_is_cut_off_answers_no_read() {
    let mut net = Net::new(3);
    let old = net.elect();
    net.propose(old, b"x");
    net.run(2 * BEAT_US);
    let others = [(old + 1) % 3, (old + 2) % 3];
    net.connect_only(&[(others[0], others[1])]);
    let before = net.reads[old];
    net.node(old).read().unwrap();
    net.run(BEAT_US);
    assert_eq!(net.reads[old], before);
    // another leader, and something that the old one does not know
    let new = loop {
        net.run(BEAT_US);
        match net.leader() {
            Some(leader) if leader != old => break leader,
            _ => {}
        }
    };
    net.propose(new, b"y");
    net.run(BEAT_US);
    assert_eq!(net.reads[old], before);
    // it is answered when that is applied
    net.cut.clear();
    net.run(10 * BEAT_US);
    assert_eq!(net.reads[old], 1);
    assert_eq!(net.commands(old), [b"x", b"y"]);
}

#[test]
fn read_at_a_follower_sees_what_the_leader_has_told_nobody() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.run(BEAT_US / 2);
    net.propose(leader, b"x");
    // the leader knows that it is chosen, and the others do not
    let follower = (leader + 1) % 3;
    assert_eq!(net.commands(leader), [b"x"]);
    assert!(net.commands(follower).is_empty());
    net.node(follower).read().unwrap();
    net.settle();
    assert_eq!(net.reads[follower], 0);
    net.run(BEAT_US);
    assert_eq!((net.reads[follower], net.commands(follower)), (1, vec![&b"x"[..]]));
}

#[test]
fn read_at_a_follower_needs_a_quorum() {
    let mut net = Net::new(5);
    let leader = net.elect();
    net.propose(leader, b"x");
    net.run(2 * BEAT_US);
    let [reader, other] = [(leader + 1) % 5, (leader + 2) % 5];
    net.connect_only(&[(reader, other)]);
    net.node(reader).read().unwrap();
    net.run(20 * BEAT_US);
    assert_eq!(net.reads[reader], 0);
    net.cut.clear();
    net.run(20 * BEAT_US);
    assert_eq!(net.reads[reader], 1);
}

#[test]
fn new_leader_reads_what_it_found_only_when_that_is_chosen() {
    let mut net = Net::new(3);
    let old = net.elect();
    let others = [(old + 1) % 3, (old + 2) % 3];
    // chosen, and only the old leader knows
    net.run(BEAT_US / 2);
    net.propose(old, b"x");
    assert_eq!(net.commands(old), [b"x"]);
    net.nodes[old] = None;
    let new = net.elect();
    assert!(others.contains(&new));
    // elect() waits until it has told the other
    assert_eq!(net.commands(new), [b"x"]);
    // again, with a leader whose accepts are lost
    net.node(new).read().unwrap();
    net.settle();
    assert_eq!(net.reads[new], 1);
}

#[test]
fn takeover_counts_for_reads_before_it_is_chosen() {
    let mut net = Net::new(3);
    let old = net.elect();
    let others = [(old + 1) % 3, (old + 2) % 3];
    net.run(BEAT_US / 2);
    net.propose(old, b"x");
    net.nodes[old] = None;
    // the new leader's own disk does not come back: what it found is not chosen anew
    let mut steps = 0;
    let new = loop {
        net.run(BEAT_US / 10);
        steps += 1;
        assert!(steps < 400);
        if let Some(leader) = net.leader() {
            break leader;
        }
        net.slow_disks = others
            .into_iter()
            .filter(|&index| {
                let status = net.nodes[index].as_ref().unwrap().status();
                status.role == quorate_paxos::multi::Role::Leader
            })
            .collect();
    };
    let commit = net.node(new).status().commit;
    net.node(new).read().unwrap();
    net.settle();
    // whether or not it is chosen by now: it is applied before the read is answered
    if net.reads[new] == 1 {
        assert_eq!(net.commands(new), [b"x"]);
    }
    assert!(commit <= 1);
}
