//! A deleted key is forgotten, and does not come back.

use quorate_paxos::register::{Change, CollectError, Message, Outcome, SubmitError};

use super::net::Net;

#[test]
fn collected_key_is_gone_everywhere() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.delete(1);
    assert!(net.collect(1));
    net.settle();
    for id in 1..=3 {
        assert_eq!(net.node(id).keys().count(), 0, "node {id}");
    }
    for id in 1..=3 {
        assert_eq!(net.read(id), None);
        net.crash(id);
        net.restart(id);
    }
    assert_eq!(net.read(2), None);
    net.set(3, b"b");
    assert_eq!(net.read(1).as_deref(), Some(&b"b"[..]));
}

/// A holds (2, 42), B and C the tombstone. If B and C erased it while A still holds 42, a later read could return 42.
#[test]
fn acceptor_that_missed_the_tombstone_is_reached_first() {
    let mut net = Net::new(3);
    net.set(2, b"42");
    net.settle();
    net.cut = vec![1];
    net.delete(2);
    net.settle();
    assert_eq!(net.accepted(1).unwrap().1.as_deref(), Some(&b"42"[..]));
    // without node 1 nothing is erased, however long it takes
    let now = net.now;
    net.node(2).collect(now, b"k").unwrap();
    for _ in 0..50 {
        net.tick(50_000);
        net.settle();
    }
    for id in [2, 3] {
        assert_eq!(net.accepted(id).unwrap().1, None, "the tombstone is there");
    }
    for (away, reader) in [(3, 1), (2, 1), (2, 3)] {
        net.cut = vec![away];
        assert_eq!(net.read(reader), None);
    }
    net.cut.clear();
    net.run();
    if !net.hosts[&2].collected.iter().any(|(_, erased)| *erased) {
        assert!(net.collect(2));
    }
    for id in 1..=3 {
        assert_eq!(net.accepted(id), None);
        assert_eq!(net.read(id), None);
    }
}

/// An accept that was on its way since before the deletion comes after it: the acceptor refuses what the proposer has sent in a lower age.
#[test]
fn delayed_accept_after_the_erasure_is_refused() {
    let mut net = Net::new(3);
    net.set(1, b"41");
    net.settle();
    net.submit(1, b"k", Change::Set { value: b"42" });
    net.sync_all();
    // one is delayed for long
    let late = net.take(|sent| sent.is("Accept") && sent.to == 3);
    assert_eq!(late.len(), 1);
    net.settle();
    let prepare = Message::Prepare { key: b"k", ballot: late_ballot(&late[0]), age: 0 };
    net.delete(2);
    assert!(net.collect(2));
    net.settle();
    assert_eq!(net.accepted(3), None);
    late.iter().for_each(|sent| net.deliver(sent));
    let now = net.now;
    let from = quorate_core::NodeId::new(1);
    assert_eq!(quorate_core::Machine::receive(net.node(3), now, from, prepare), Ok(()));
    net.poll(3);
    assert_eq!(quorate_core::Machine::status(net.node(3)).outdated, 2);
    assert_eq!(net.node(3).keys().count(), 0);
    // after a restart, too
    net.crash(3);
    net.restart(3);
    late.iter().for_each(|sent| net.deliver(sent));
    assert_eq!(net.node(3).keys().count(), 0);
    for away in 1..=3 {
        net.cut = vec![away];
        assert_eq!(net.read(away % 3 + 1), None);
    }
}

fn late_ballot(sent: &super::net::Sent) -> quorate_paxos::Ballot {
    let Message::Accept { state, .. } = sent.message() else { panic!() };
    state.ballot
}

/// The proposer whose accept is under way repeats it in a new age: the key that is collected it must not.
#[test]
fn open_request_begins_again_above_the_tombstone() {
    let mut net = Net::new(3);
    net.set(1, b"41");
    net.settle();
    // node 1 asks, and nobody hears it; node 2 deletes, and collects
    let request = net.submit(1, b"k", Change::Set { value: b"42" });
    net.sync_all();
    net.take(|sent| sent.is("Accept"));
    net.delete(2);
    net.take(|sent| sent.from == 1);
    let now = net.now;
    net.node(2).collect(now, b"k").unwrap();
    net.run();
    // what became of it nobody can tell, and it does not come back afterwards
    assert_eq!(net.hosts[&1].answers[&request].0, Outcome::Unknown);
    assert_eq!(net.read(3), None);
}

/// Every proposer is visited: one that is down holds the collection up, and after that it knows.
#[test]
fn every_proposer_is_visited() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.delete(1);
    net.settle();
    let now = net.now;
    net.node(1).collect(now, b"k").unwrap();
    net.poll(1);
    net.sync_all();
    // all accept, and then node 3 hears nothing any more
    while !net.in_flight.iter().any(|sent| sent.is("Collect")) {
        net.deliver_if(|_| true);
        net.sync_all();
    }
    net.cut = vec![3];
    for _ in 0..20 {
        net.settle();
        net.tick(50_000);
    }
    assert!(net.hosts[&1].collected.is_empty());
    assert!(net.node(2).accepted(b"k").is_some(), "nothing is erased before");
    net.cut.clear();
    net.run();
    assert_eq!(net.hosts[&1].collected, [(b"k".to_vec(), true)]);
    for id in 1..=3 {
        assert_eq!(quorate_core::Machine::status(net.node(id)).age, 1, "node {id}");
    }
}

/// A proposer that was visited uses ballots above the tombstone's, after a restart as well: an acceptor that still has the tombstone would
/// outvote it otherwise.
#[test]
fn ballots_after_a_visit_are_above_the_tombstone() {
    let mut net = Net::new(3);
    net.cut = vec![3];
    for _ in 0..30 {
        net.set(1, b"a");
    }
    net.delete(1);
    net.cut.clear();
    assert!(net.collect(1));
    let tombstone = net.sent.len(); // something was sent
    assert!(tombstone > 0);
    net.crash(3);
    net.restart(3);
    assert!(net.set(3, b"b").round > 31);
}

/// A key that is written again in between stays.
#[test]
fn key_in_use_is_not_collected() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    assert!(!net.collect(1), "it was not deleted");
    net.delete(1);
    net.settle();
    let now = net.now;
    net.node(1).collect(now, b"k").unwrap();
    assert_eq!(net.node(1).collect(now, b"k"), Err(CollectError::Busy));
    // the own application uses it
    net.set(1, b"b");
    net.run();
    assert_eq!(net.hosts[&1].collected.last(), Some(&(b"k".to_vec(), false)));
    assert_eq!(net.read(2).as_deref(), Some(&b"b"[..]));
    // another node writes after the tombstone was accepted by all
    net.delete(1);
    net.settle();
    let now = net.now;
    net.node(1).collect(now, b"k").unwrap();
    net.poll(1);
    net.sync_all();
    while !net.in_flight.iter().any(|sent| sent.is("Collect")) {
        net.deliver_if(|_| true);
        net.sync_all();
    }
    let visits = net.take(|sent| sent.is("Collect"));
    net.set(2, b"c");
    visits.iter().for_each(|sent| net.deliver(sent));
    net.run();
    assert_eq!(net.hosts[&1].collected.last(), Some(&(b"k".to_vec(), false)));
    for id in 1..=3 {
        assert_eq!(net.read(id).as_deref(), Some(&b"c"[..]), "node {id}");
    }
}

/// The node that collects crashes at any point, and it begins again.
#[test]
fn collection_begins_again_after_a_crash() {
    for steps in 0..40 {
        let mut net = Net::new(3);
        net.set(1, b"a");
        net.delete(1);
        net.settle();
        let now = net.now;
        net.node(1).collect(now, b"k").unwrap();
        net.poll(1);
        for _ in 0..steps {
            net.sync_all();
            if let Some(sent) = net.in_flight.pop_front() {
                net.deliver(&sent);
            }
        }
        net.crash(1);
        net.restart(1);
        assert_eq!(net.read(2), None);
        assert!(net.collect(1), "after {steps} messages");
        assert_eq!(net.node(2).keys().count(), 0);
        net.set(1, b"b");
        assert_eq!(net.read(3).as_deref(), Some(&b"b"[..]));
    }
}

/// Collected keys give their room back.
#[test]
fn room_is_given_back() {
    let mut net = Net::new(3);
    for name in 0..8 {
        net.change(1, &[name], Change::Set { value: b"a" });
    }
    let now = net.now;
    assert_eq!(net.node(1).submit(now, b"k", Change::Read), Err(SubmitError::NoRoom));
    net.change(1, &[3], Change::Delete);
    let now = net.now;
    net.node(1).collect(now, &[3]).unwrap();
    net.run();
    assert_eq!(net.hosts[&1].collected, [(vec![3], true)]);
    net.set(1, b"b");
    for name in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(net.change(2, &[name], Change::Read).2.as_deref(), Some(&b"a"[..]));
    }
}

/// Hands node 1 a message of another node, and what it says then, once its records are on disk.
fn hand(net: &mut Net, from: u64, message: Message<'_>) -> Vec<super::net::Sent> {
    let now = net.now;
    let from = quorate_core::NodeId::new(from);
    quorate_core::Machine::receive(net.node(1), now, from, message).unwrap();
    net.poll(1);
    net.sync_all();
    net.take(|_| true)
}

fn accept(net: &mut Net, ballot: quorate_paxos::Ballot, value: Option<&[u8]>) {
    let state = quorate_paxos::register::State { ballot, origin: ballot, value };
    let message = Message::Accept { key: b"k", state, next: ballot, age: 0 };
    assert!(hand(net, ballot.node.get(), message)[0].is("Accepted"));
}

/// It erases the tombstone that all have accepted, if it has promised nothing since, and nothing else.
#[test]
fn acceptor_erases_that_tombstone_alone() {
    use crate::common::ballot;
    let erase = |net: &mut Net, round| {
        let said = hand(net, 2, Message::Erase { key: b"k", tombstone: ballot(round, 2) });
        let Message::Erased { erased, .. } = said[0].message() else { panic!("{said:?}") };
        erased
    };
    let mut net = Net::new(3);
    accept(&mut net, ballot(10, 2), None);
    for round in [9, 11] {
        assert!(!erase(&mut net, round), "another tombstone");
    }
    hand(&mut net, 3, Message::Prepare { key: b"k", ballot: ballot(12, 3), age: 0 });
    assert!(!erase(&mut net, 10), "it has promised since");
    accept(&mut net, ballot(12, 3), Some(b"a"));
    assert!(!erase(&mut net, 10), "it has accepted since");
    accept(&mut net, ballot(14, 2), None);
    assert!(erase(&mut net, 14));
    assert_eq!(net.accepted(1), None);
    assert!(erase(&mut net, 14), "once more");
}

/// A proposer that is visited answers when all acceptors have its age on record; then its ballots are above the tombstone's, after a crash as
/// well. One whose membership is another does not answer.
#[test]
fn visited_proposer_is_fenced_before_it_answers() {
    let tombstone = crate::common::ballot(40, 2);
    let collect = |version| Message::Collect { key: b"k", tombstone, version };
    let mut net = Net::new(3);
    assert_eq!(hand(&mut net, 2, collect(1)), []);
    let said = hand(&mut net, 2, collect(0));
    assert_eq!(said.iter().filter(|sent| sent.is("Fence")).count(), 2, "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(hand(&mut net, 3, Message::Fenced { age: 1 }), []);
    assert_eq!(hand(&mut net, 2, collect(0)), [], "it waits for one more");
    let said = hand(&mut net, 2, Message::Fenced { age: 1 });
    assert!(said.len() == 1 && said[0].is("Collected"), "{said:?}");
    for restarts in [false, true] {
        if restarts {
            net.crash(1);
            net.restart(1);
        }
        net.submit(1, b"k", Change::Read);
        net.sync_all();
        let said = net.take(|sent| sent.is("Prepare"));
        let Message::Prepare { ballot, age, .. } = said[0].message() else { panic!() };
        assert!(ballot > tombstone && age == 1, "{ballot}");
    }
}
