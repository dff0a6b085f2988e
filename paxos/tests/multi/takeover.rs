//! What a new leader proposes (Lamport, "Paxos Made Simple", 2001, section 3).

use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::multi::{Ballots, EntryKind, Event, Message, Record, Role};

use super::net::{Applied, BEAT_US, Net, Node, ballot, id};

/// A command of epoch 64 as it is encoded.
fn command(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![64, (data.len() as u8) << 2];
    bytes.extend(data);
    bytes
}

/// What a node did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) sent: Vec<(NodeId, Vec<u8>)>,
    pub(super) applied: Vec<Applied>,
    /// The last read that it answered.
    pub(super) reads: u64,
}

impl Done {
    /// The entries that the accepts for a node propose, and in which ballot.
    fn proposed(&self, to: NodeId) -> Vec<(u64, Ballot, EntryKind, Vec<u8>)> {
        let mut proposed = Vec::new();
        for (_, bytes) in self.sent.iter().filter(|sent| sent.0 == to) {
            if let Message::Accept { ballot, first, entries, .. } =
                Message::from_slice(bytes).unwrap()
            {
                let run = quorate_paxos::multi::Entries::new(first, 99, entries);
                let entry = |entry: quorate_paxos::multi::Entry<'_>| {
                    (entry.slot, ballot, entry.kind, entry.data.to_vec())
                };
                proposed.extend(run.iter().map(entry));
            }
        }
        proposed
    }
}

/// Lets a node write, and takes what it says.
pub(super) fn drain(node: &mut Node) -> Done {
    let mut done = Done::default();
    loop {
        let mut last = None;
        while let Some(output) = node.poll() {
            match output {
                Output::Persist(ticket, _) => last = Some(ticket),
                Output::Send(to, message) => done.sent.push((to, message.to_vec())),
                Output::Event(Event::Committed(entries)) => {
                    done.applied.extend(entries.iter().map(|entry| match entry.kind {
                        EntryKind::Command => Applied::Command(entry.slot, entry.data.to_vec()),
                        _ => Applied::NoOp(entry.slot),
                    }));
                }
                Output::Event(Event::Read { through }) => done.reads = through.get(),
                Output::Event(_) => {}
            }
        }
        match last {
            Some(ticket) => node.persisted(ticket),
            None => return done,
        }
    }
}

/// The first of some nodes, which has promised in round 9 and has these votes; its prepares, in round 10, are out.
pub(super) fn candidate(size: usize, votes: &[(u64, Ballot, &[u8])]) -> (Net, Node) {
    let mut net = Net::new(size);
    net.run(1); // founded
    net.disks[0].truncate(1);
    for &(first, ballot, data) in votes {
        let entries = command(data);
        let record = Record::Accepted {
            first,
            ballot,
            then: Ballots::default(),
            commit: 0,
            entries: &entries,
        };
        net.disks[0].push(record.to_vec());
    }
    net.disks[0].push(Record::Promised { ballot: ballot(9, 1) }.to_vec());
    net.restart(0);
    let mut node = net.nodes[0].take().unwrap();
    loop {
        net.now += BEAT_US;
        node.tick(net.instant());
        for index in 1..size {
            let heartbeat = Message::Heartbeat {
                configuration: 0,
                promised: Ballot::ZERO,
                leads: false,
                has_leader: false,
                hears_you: true,
                commit: 0,
                through: 0,
                last: 0,
            };
            node.receive(net.instant(), id(index), heartbeat).unwrap();
        }
        drain(&mut node);
        if node.status().role == Role::Candidate {
            assert_eq!(node.status().promised, ballot(10, 0));
            return (net, node);
        }
    }
}

/// A page of one vote, or none.
fn promise(
    node: &mut Node,
    now: Instant,
    index: usize,
    (from, last): (u64, u64),
    vote: Option<(u64, Ballot, &[u8])>,
) -> Result<(), Rejected> {
    let entries = vote.map_or(Vec::new(), |(_, _, data)| command(data));
    let (first, accepted) = vote.map_or((from, Ballot::ZERO), |(slot, ballot, _)| (slot, ballot));
    let ballot = ballot(10, 0);
    let page =
        Message::Promise { ballot, from, first, accepted, entries: &entries, commit: 0, last };
    node.receive(now, id(index), page)
}

/// All votes of an acceptor, a page each.
pub(super) fn promise_all(
    node: &mut Node,
    now: Instant,
    index: usize,
    votes: &[(u64, Ballot, &[u8])],
) {
    let last = votes.last().map_or(0, |vote| vote.0);
    let mut from = 1;
    for &vote in votes {
        promise(node, now, index, (from, last), Some(vote)).unwrap();
        from = vote.0 + 1;
    }
    if votes.is_empty() {
        promise(node, now, index, (1, 0), None).unwrap();
    }
}

/// What the leader of five proposes that two others made these promises, beside its own.
fn proposed(own: &[(u64, Ballot, &[u8])], others: [&[(u64, Ballot, &[u8])]; 2]) -> Vec<Vec<u8>> {
    let (net, mut node) = candidate(5, own);
    for (index, votes) in [1, 2].into_iter().zip(others) {
        assert_eq!(node.status().role, Role::Candidate);
        promise_all(&mut node, net.instant(), index, votes);
    }
    assert_eq!(node.status().role, Role::Leader);
    let next = node.propose(b"next").unwrap().index;
    let proposed = drain(&mut node).proposed(id(1));
    assert!(proposed.iter().all(|(_, in_ballot, ..)| *in_ballot == ballot(10, 0)));
    assert!(proposed.iter().map(|proposal| proposal.0).eq(1..=next));
    // and that is what is chosen
    for index in [1, 2] {
        let through = Message::Accepted { ballot: ballot(10, 0), through: next };
        node.receive(net.instant(), id(index), through).unwrap();
    }
    let applied = drain(&mut node).applied;
    let commands = proposed.into_iter().map(|(slot, _, kind, data)| {
        let is_no_op = kind == EntryKind::NoOp;
        let expected =
            if is_no_op { Applied::NoOp(slot) } else { Applied::Command(slot, data.clone()) };
        assert_eq!(applied.get(slot as usize - 1), Some(&expected));
        if is_no_op { b"no-op".to_vec() } else { data }
    });
    commands.collect()
}

#[test]
fn vote_in_the_highest_ballot_counts_for_each_slot() {
    let (b1, b2) = (ballot(1, 1), ballot(2, 1));
    let two: &[(u64, Ballot, &[u8])] = &[(1, b1, b"a"), (3, b1, b"c")];
    let three: &[(u64, Ballot, &[u8])] = &[(1, b1, b"a"), (2, b2, b"x")];
    let expected = [&b"a"[..], b"x", b"c", b"next"];
    assert_eq!(proposed(&[], [two, three]), expected);
    assert_eq!(proposed(&[], [three, two]), expected);
    assert_eq!(proposed(two, [three, &[]]), expected);
    assert_eq!(proposed(three, [&[], two]), expected);
}

#[test]
fn slot_without_a_vote_before_one_with_a_vote_gets_a_no_op() {
    let b1 = ballot(1, 1);
    let two: &[(u64, Ballot, &[u8])] = &[(1, b1, b"a"), (3, b1, b"c")];
    let expected = [&b"a"[..], b"no-op", b"c", b"next"];
    assert_eq!(proposed(&[], [&[], two]), expected);
    assert_eq!(proposed(&[], [two, &[]]), expected);
    assert_eq!(proposed(two, [&[], &[]]), expected);
}

#[test]
fn highest_accepted_ballot_counts_and_not_the_order_of_promises() {
    let (b1, b2) = (ballot(1, 1), ballot(2, 1));
    let [old, new]: [&[(u64, Ballot, &[u8])]; 2] = [&[(1, b1, b"old")], &[(1, b2, b"new")]];
    let expected = [&b"new"[..], b"next"];
    assert_eq!(proposed(&[], [old, new]), expected);
    assert_eq!(proposed(&[], [new, old]), expected);
    assert_eq!(proposed(new, [old, &[]]), expected);
    assert_eq!(proposed(old, [new, old]), expected);
    // in one round, that of the later node
    let [two, three]: [&[(u64, Ballot, &[u8])]; 2] =
        [&[(1, ballot(2, 1), b"two")], &[(1, ballot(2, 2), b"three")]];
    assert_eq!(proposed(&[], [two, three]), [&b"three"[..], b"next"]);
}

#[test]
fn candidate_reads_all_pages_before_it_proposes() {
    let (net, mut node) = candidate(3, &[]);
    let b1 = ballot(1, 1);
    let now = net.instant();
    promise(&mut node, now, 1, (1, 2), Some((1, b1, b"a"))).unwrap();
    assert_eq!(node.status().role, Role::Candidate);
    // it asks for the next one
    let asked = drain(&mut node).sent.iter().any(|(to, bytes)| {
        let message = Message::from_slice(bytes).unwrap();
        *to == id(1) && matches!(message, Message::Prepare { from: 2, .. })
    });
    assert!(asked);
    // the first one again is none
    promise(&mut node, now, 1, (1, 1), Some((1, b1, b"a"))).unwrap();
    assert_eq!(node.status().role, Role::Candidate);
    promise(&mut node, now, 1, (2, 2), Some((2, b1, b"b"))).unwrap();
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn promises_of_one_node_are_no_quorum() {
    let (net, mut node) = candidate(5, &[]);
    for _ in 0..9 {
        promise(&mut node, net.instant(), 1, (1, 0), None).unwrap();
    }
    assert_eq!(node.status().role, Role::Candidate);
}

#[test]
fn promise_that_nobody_asked_for_is_refused() {
    let (net, mut node) = candidate(3, &[]);
    for (of, expected) in [
        (ballot(10, 1), Rejected::Impossible),
        (ballot(11, 0), Rejected::Impossible),
        (Ballot::new(u64::MAX, id(0)), Rejected::OutOfRange),
    ] {
        let page = Message::Promise {
            ballot: of,
            from: 1,
            first: 1,
            accepted: Ballot::ZERO,
            entries: b"",
            commit: 0,
            last: 0,
        };
        assert_eq!(node.receive(net.instant(), id(1), page), Err(expected));
    }
    assert_eq!(node.status().role, Role::Candidate);
    assert_eq!(node.rejections().total(), 3);
}

#[test]
fn what_others_know_to_be_chosen_is_chosen() {
    let (net, mut node) = candidate(3, &[(1, ballot(1, 1), b"old"), (2, ballot(1, 1), b"b")]);
    let entries = command(b"new");
    let page = Message::Promise {
        ballot: ballot(10, 0),
        from: 1,
        first: 1,
        accepted: Ballot::ZERO,
        entries: &entries,
        commit: 1,
        last: 1,
    };
    node.receive(net.instant(), id(1), page).unwrap();
    assert_eq!((node.status().role, node.status().commit), (Role::Leader, 1));
    let done = drain(&mut node);
    assert_eq!(done.applied, [Applied::Command(1, b"new".to_vec())]);
    assert_eq!(done.proposed(id(1))[0].3, b"b");
}

#[test]
fn entry_keeps_its_epoch_when_another_leader_proposes_it() {
    let mut net = Net::new(3);
    let first = net.elect();
    // it is on the disks of all, and nobody knows that it is chosen
    let proposal = net.node(first).propose(b"kept").unwrap();
    net.drive(first);
    let others = [(first + 1) % 3, (first + 2) % 3];
    net.cut = others.iter().map(|&other| (other, first)).collect();
    net.settle();
    net.nodes[first] = None;
    net.cut.clear();
    let second = net.elect();
    assert_ne!(second, first);
    assert_eq!(net.commands(second), [b"kept"]);
    net.restart(first);
    net.run(8 * BEAT_US);
    assert_eq!(net.commands(first), [b"kept"]);
    let epochs = net.epochs(second);
    assert_eq!(epochs, [proposal.epoch]);
}

#[test]
fn acceptor_tells_all_its_votes_page_by_page() {
    let mut net = Net::new(3);
    net.run(1);
    let [b1, b2] = [ballot(1, 1), ballot(2, 2)];
    net.disks[0].truncate(1);
    let votes = [(1, b1, &b"a"[..]), (2, b1, b"b"), (3, b2, b"c"), (6, b1, b"f")];
    for (first, ballot, data) in votes {
        let (then, entries) = (Ballots::default(), command(data));
        let record =
            Record::Accepted { first, ballot, then, commit: 1.min(first), entries: &entries };
        net.disks[0].push(record.to_vec());
    }
    net.restart(0);
    let mut node = net.nodes[0].take().unwrap();
    let own = ballot(9, 1);
    // what is chosen, then each run of votes; there are none for the slots 4 and 5
    let pages = [
        (1, 1, Ballot::ZERO, &b"a"[..]),
        (2, 2, b1, b"b"),
        (3, 3, b2, b"c"),
        (4, 6, b1, b"f"),
        (7, 7, Ballot::ZERO, b""),
    ];
    for (from, first, accepted, data) in pages {
        let prepare = Message::Prepare { configuration: 0, ballot: own, from };
        node.receive(net.instant(), id(1), prepare).unwrap();
        let sent = drain(&mut node).sent;
        let told = sent.iter().find_map(|(_, bytes)| match Message::from_slice(bytes).unwrap() {
            Message::Promise { ballot, from, first, accepted, entries, commit, last } => {
                assert_eq!((ballot, commit, last), (own, 1, 6));
                Some((from, first, accepted, entries.to_vec()))
            }
            _ => None,
        });
        let entries = if data.is_empty() { Vec::new() } else { command(data) };
        assert_eq!(told, Some((from, first, accepted, entries)));
    }
}

#[test]
fn votes_of_a_page_are_asked_for_again_if_what_follows_was_chosen_meanwhile() {
    let (net, mut node) = candidate(3, &[]);
    let now = net.instant();
    // its vote, as it was; before the next page it learns that something else is chosen there, and what follows
    promise(&mut node, now, 1, (1, 2), Some((1, ballot(1, 1), b"old"))).unwrap();
    drain(&mut node);
    let chosen = |from, entries: &[u8]| {
        let (ballot, accepted) = (ballot(10, 0), Ballot::ZERO);
        let first = from;
        Message::Promise { ballot, from, first, accepted, entries, commit: 2, last: 2 }.to_vec()
    };
    let page = chosen(2, &command(b"b"));
    node.receive(now, id(1), Message::from_slice(&page).unwrap()).unwrap();
    assert_eq!((node.status().role, node.status().commit), (Role::Candidate, 0));
    let asked = drain(&mut node).sent.iter().any(|(to, bytes)| {
        let message = Message::from_slice(bytes).unwrap();
        *to == id(1) && matches!(message, Message::Prepare { from: 1, .. })
    });
    assert!(asked);
    let page = chosen(1, &[command(b"new"), command(b"b")].concat());
    node.receive(now, id(1), Message::from_slice(&page).unwrap()).unwrap();
    assert_eq!((node.status().role, node.status().commit), (Role::Leader, 2));
    let command = |slot, data: &[u8]| Applied::Command(slot, data.to_vec());
    assert_eq!(drain(&mut node).applied, [command(1, b"new"), command(2, b"b")]);
}

#[test]
fn leader_that_learns_of_another_choice_leads_no_more() {
    let (net, mut node) = candidate(5, &[]);
    let now = net.instant();
    for index in [1, 2] {
        promise(&mut node, now, index, (1, 0), None).unwrap();
    }
    node.propose(b"mine").unwrap();
    drain(&mut node);
    assert_eq!(node.status().role, Role::Leader);
    // somebody who was asked for what is chosen tells of a later leader's choice
    let theirs = command(b"theirs");
    let chosen = Message::Chosen { first: 1, commit: 1, entries: &theirs };
    node.receive(now, id(3), chosen).unwrap();
    assert_eq!((node.status().role, node.status().commit), (Role::Follower, 1));
    let done = drain(&mut node);
    assert_eq!(done.applied, [Applied::Command(1, b"theirs".to_vec())]);
    assert!(done.sent.iter().all(|(_, bytes)| {
        !matches!(Message::from_slice(bytes).unwrap(), Message::Heartbeat { leads: true, .. })
    }));
}

#[test]
fn leader_that_learns_what_it_proposed_goes_on() {
    let (net, mut node) = candidate(5, &[]);
    let now = net.instant();
    for index in [1, 2] {
        promise(&mut node, now, index, (1, 0), None).unwrap();
    }
    node.propose(b"mine").unwrap();
    drain(&mut node);
    let entries = node.entries(1).bytes().to_vec();
    let chosen = Message::Chosen { first: 1, commit: 1, entries: &entries };
    node.receive(now, id(3), chosen).unwrap();
    assert_eq!((node.status().role, node.status().commit), (Role::Leader, 1));
}
