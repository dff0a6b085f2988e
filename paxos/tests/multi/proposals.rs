use quorate_core::Machine;
use quorate_log::{ReplicatedLog, SubmitError, Submitted};
use quorate_paxos::multi::ProposeError;

use super::net::{BEAT_US, Net, id};

#[test]
fn only_the_leader_proposes() {
    let mut net = Net::new(3);
    assert_eq!(net.node(0).propose(b"x"), Err(ProposeError::NotLeader(None)));
    let leader = net.elect();
    let other = (leader + 1) % 3;
    let error = ProposeError::NotLeader(Some(id(leader)));
    assert_eq!(net.node(other).propose(b"x"), Err(error));
    let error = SubmitError::NotLeader(Some(id(leader)));
    assert_eq!(net.node(other).submit(b"x"), Err(error));
    assert!(matches!(net.node(leader).submit(b"x"), Ok(Submitted::Proposed(_))));
    let [leading, following] = [leader, other].map(|index| net.node(index).leadership());
    assert_eq!(leading, following);
    assert_eq!(leading.leader, Some(id(leader)));
}

#[test]
fn too_much_is_refused_and_changes_nothing() {
    let mut net = Net::new(3);
    let leader = net.elect();
    assert_eq!(net.node(leader).propose(&[0; 4097]), Err(ProposeError::TooLarge));
    // nobody answers
    net.cut = (0..3).flat_map(|to| [(leader, to)]).collect();
    let mut taken = 0;
    let error = loop {
        match net.node(leader).propose(&[0; 100]) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, ProposeError::Busy);
    assert!((10..=20).contains(&taken), "{taken}");
    let before = net.node(leader).status();
    assert_eq!(net.node(leader).propose(&[0; 100]), Err(ProposeError::Busy));
    assert_eq!(net.node(leader).status(), before);
}

#[test]
fn old_leader_learns_what_became_of_its_proposals() {
    let mut net = Net::new(3);
    let old = net.elect();
    let others = [(old + 1) % 3, (old + 2) % 3];
    // two that nobody else gets
    net.connect_only(&[(others[0], others[1])]);
    let lost = net.propose(old, b"lost");
    net.propose(old, b"lost, too");
    let new = loop {
        net.run(BEAT_US);
        match net.leader() {
            Some(leader) if leader != old => break leader,
            _ => {}
        }
    };
    let instead = net.propose(new, b"instead");
    assert_eq!(instead.index, lost.index);
    assert!(instead.epoch > lost.epoch);
    assert_eq!(net.dropped[old], None);
    net.cut.clear();
    net.run(10 * BEAT_US);
    // the slot of the second one is filled up, as it is known where the old leader comes back
    assert_eq!(net.dropped[old], Some(lost.epoch + 1));
    for index in 0..3 {
        assert_eq!(net.commands(index), [b"instead"]);
        assert_eq!(net.node(index).status().commit, 2);
    }
    assert_eq!(net.dropped[new], None);
}

#[test]
fn proposals_that_the_next_leader_finds_are_chosen() {
    let mut net = Net::new(3);
    let old = net.elect();
    let others = [(old + 1) % 3, (old + 2) % 3];
    // one other gets it, and its answer is lost
    net.cut = vec![(others[0], old), (old, others[1])];
    let proposal = net.node(old).propose(b"kept").unwrap();
    net.settle();
    assert!(net.commands(old).is_empty());
    net.connect_only(&[(others[0], others[1])]);
    let new = loop {
        net.run(BEAT_US);
        match net.leader() {
            Some(leader) if leader != old => break leader,
            _ => {}
        }
    };
    net.run(BEAT_US);
    assert_eq!(net.commands(new), [b"kept"]);
    net.cut.clear();
    net.run(10 * BEAT_US);
    assert_eq!(net.commands(old), [b"kept"]);
    assert_eq!(net.epochs(old), [proposal.epoch]);
    assert_eq!(net.dropped[old], Some(proposal.epoch + 1));
}
