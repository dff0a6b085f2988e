//! A change whose outcome is not known is never applied twice, and never said to have failed when it was applied.

use quorate_core::Quorums;
use quorate_paxos::Ballot;
use quorate_paxos::register::{Attempt, Cancelled, Change, Outcome};

use super::net::Net;

const A: Change<'_> = Change::Set { value: b"a" };
const B: Change<'_> = Change::Set { value: b"b" };

/// Node 1 sends a change to these acceptors, and crashes. What its client was told before.
fn crash_after_accepts(net: &mut Net, to: &[u64], change: Change<'_>) -> Attempt {
    let request = net.submit(1, b"k", change);
    net.sync_all();
    net.deliver_if(|sent| sent.is("Prepare"));
    net.sync_all();
    net.deliver_if(|sent| sent.is("Promise"));
    net.sync_all();
    net.deliver_if(|sent| sent.is("Accept") && to.contains(&sent.to));
    net.sync_all();
    net.in_flight.clear();
    let attempt = net.hosts[&1].attempts[&request];
    net.crash(1);
    attempt
}

fn retry(
    net: &mut Net,
    id: u64,
    change: Change<'_>,
    attempt: Attempt,
) -> (Outcome, Option<Vec<u8>>) {
    let now = net.now;
    let request = net.node(id).retry(now, b"k", change, attempt).unwrap();
    net.poll(id);
    let (outcome, _, value) = net.answer(id, request);
    (outcome, value)
}

#[test]
fn attempt_is_told_before_its_messages() {
    let mut net = Net::new(3);
    let attempt = crash_after_accepts(&mut net, &[2], A);
    assert_eq!(net.accepted(2).unwrap().0, attempt.last);
    assert_eq!(attempt.first, attempt.last);
}

/// The node's own acceptor may have the change on disk before anybody else hears of it: the attempt is told before that record.
#[test]
fn attempt_is_told_before_its_own_record() {
    let mut net = Net::new(3);
    net.set(1, b"x");
    net.settle();
    let now = net.now;
    net.node(1).submit(now, b"k", A).unwrap();
    let first = quorate_core::Machine::poll(net.node(1));
    let is_told = matches!(
        first,
        Some(quorate_core::Output::Event(quorate_paxos::register::Event::Attempted { .. }))
    );
    assert!(is_told, "{first:?}");
}

/// Chosen, and its node has crashed before it answered: at any node it was applied.
#[test]
fn chosen_attempt_was_already_applied() {
    for id in 1..=3 {
        let mut net = Net::new(3);
        let attempt = crash_after_accepts(&mut net, &[2, 3], A);
        net.restart(1);
        let answer = retry(&mut net, id, A, attempt);
        assert_eq!(answer, (Outcome::AlreadyApplied, Some(b"a".to_vec())), "node {id}");
    }
}

/// One acceptor has it, and its value is what a read completes.
#[test]
fn attempt_of_one_acceptor_is_completed_by_the_retry() {
    let mut net = Net::new(3);
    let attempt = crash_after_accepts(&mut net, &[2], A);
    let answer = retry(&mut net, 2, A, attempt);
    assert_eq!(answer, (Outcome::AlreadyApplied, Some(b"a".to_vec())));
}

/// A quorum has accepted nothing since, and has promised more: it is applied anew, and the old messages are too late.
#[test]
fn attempt_that_cannot_be_chosen_is_applied_anew() {
    let mut net = Net::new(3);
    let request = net.submit(1, b"k", A);
    net.sync_all();
    net.deliver_if(|sent| sent.is("Prepare"));
    net.sync_all();
    net.deliver_if(|sent| sent.is("Promise"));
    let late = net.take(|sent| sent.is("Accept"));
    assert_eq!(late.len(), 2);
    let attempt = net.hosts[&1].attempts[&request];
    net.crash(1); // its own vote is lost
    let answer = retry(&mut net, 2, B, attempt);
    assert_eq!(answer, (Outcome::Applied, Some(b"b".to_vec())));
    late.iter().for_each(|sent| net.deliver(sent));
    net.settle();
    net.cut = vec![1];
    assert_eq!(net.read(3).as_deref(), Some(&b"b"[..]));
}

/// Somebody has changed the value since: whether it was made of the attempt nobody can tell.
#[test]
fn attempt_below_another_change_is_unknown() {
    for chosen in [&[2, 3][..], &[]] {
        let mut net = Net::new(3);
        let attempt = crash_after_accepts(&mut net, chosen, A);
        net.restart(1);
        net.set(3, b"c");
        assert_eq!(retry(&mut net, 2, A, attempt), (Outcome::Unknown, None));
        assert_eq!(net.read(2).as_deref(), Some(&b"c"[..]));
    }
}

/// A swap that was applied finds another version than it expects. It is not said to be refused.
#[test]
fn applied_swap_is_never_refused() {
    let mut net = Net::new(3);
    let version = net.set(2, b"x");
    net.settle();
    let swap = Change::CompareAndSet { version, value: b"y" };
    let attempt = crash_after_accepts(&mut net, &[2, 3], swap);
    net.restart(1);
    assert_eq!(retry(&mut net, 3, swap, attempt), (Outcome::AlreadyApplied, Some(b"y".to_vec())));
    net.set(1, b"z");
    assert_eq!(retry(&mut net, 3, swap, attempt), (Outcome::Unknown, None));
}

/// The first attempt is at one acceptor, the second at none. What comes between them is made of the first one: to apply the change once more
/// because the second one is gone would apply it twice.
#[test]
fn change_made_of_the_first_attempt_is_not_overlooked() {
    let mut net = Net::new(3);
    // node 1: its first attempt is on its own disk alone
    let request = net.submit(1, b"k", A);
    net.sync_all();
    net.deliver_if(|sent| sent.is("Prepare"));
    net.sync_all();
    net.deliver_if(|sent| sent.is("Promise"));
    net.sync_all();
    net.take(|sent| sent.is("Accept"));
    let first = net.hosts[&1].attempts[&request];
    // node 2 finds it there, makes its change of it, and only node 2 accepts that
    net.cut = vec![3];
    net.submit(2, b"k", B);
    net.sync_all();
    for _ in 0..3 {
        net.deliver_if(|sent| sent.is("Prepare") || sent.is("Promise") || sent.is("Conflict"));
        net.sync_all();
        net.tick(40_000);
        net.sync_all();
    }
    net.take(|sent| sent.is("Accept"));
    assert_eq!(net.accepted(2).unwrap().1.as_deref(), Some(&b"b"[..]));
    net.crash(1);
    net.in_flight.clear();
    // the client asks node 3, which hears node 2: the attempt is below what is accepted there
    net.cut = vec![1];
    assert_eq!(retry(&mut net, 3, A, first), (Outcome::Unknown, None));
}

/// What acceptors have erased they do not know: that nothing is there does not say that nothing was applied.
#[test]
fn attempt_before_a_collection_is_unknown() {
    for id in 1..=3 {
        let mut net = Net::new(3);
        let attempt = crash_after_accepts(&mut net, &[2, 3], A);
        net.restart(1);
        net.delete(2);
        assert!(net.collect(2));
        assert_eq!(retry(&mut net, id, A, attempt), (Outcome::Unknown, None), "node {id}");
        assert_eq!(net.read(id), None);
        // after a restart as well
        net.crash(id);
        net.restart(id);
        assert_eq!(retry(&mut net, id, A, attempt), (Outcome::Unknown, None), "node {id}");
    }
}

/// A conflict after the accept was sent: the proposer itself asks whether its attempt is still there.
#[test]
fn proposer_does_not_apply_its_own_change_twice() {
    let mut net = Net::new(3);
    net.set(1, b"x");
    net.settle();
    let request = net.submit(1, b"k", A);
    net.sync_all();
    // node 2 has accepted it: it is chosen. Node 1 does not hear of that, and node 3 takes over
    net.deliver_if(|sent| sent.is("Accept") && sent.to == 2);
    net.sync_all();
    net.take(|sent| sent.is("Accepted") || sent.is("Accept"));
    assert_eq!(net.read(3).as_deref(), Some(&b"a"[..]));
    let (outcome, version, value) = net.answer(1, request);
    assert_eq!((outcome, value.as_deref()), (Outcome::Applied, Some(&b"a"[..])));
    assert_eq!(version, net.hosts[&1].attempts[&request].last, "one attempt");
}

#[test]
fn cancelled_change_tells_whether_it_was_sent() {
    let mut net = Net::new(3);
    let request = net.submit(1, b"k", A);
    net.sync_all();
    assert_eq!(net.node(1).cancel(request), Some(Cancelled::NotSent));
    let request = net.submit(1, b"k", A);
    net.sync_all();
    net.deliver_if(|sent| sent.is("Prepare"));
    net.sync_all();
    net.deliver_if(|sent| sent.is("Promise"));
    let attempt = net.hosts[&1].attempts[&request];
    assert_eq!(net.node(1).cancel(request), Some(Cancelled::Sent(attempt)));
    net.settle();
    assert_eq!(retry(&mut net, 2, A, attempt).1.as_deref(), Some(&b"a"[..]));
}

/// An attempt that names no ballot, or one that is far ahead.
#[test]
fn foreign_attempts_do_no_harm() {
    let mut net = Net::new(3);
    let none = Attempt { first: Ballot::ZERO, last: Ballot::ZERO };
    assert_eq!(retry(&mut net, 1, A, none), (Outcome::Applied, Some(b"a".to_vec())));
    let far = Ballot { round: u64::MAX, ..Ballot::FAST };
    let far = Attempt { first: far, last: far };
    assert_eq!(retry(&mut net, 1, A, far), (Outcome::Unknown, None));
    assert_eq!(net.read(1).as_deref(), Some(&b"a"[..]));
}

/// What is known is above the first attempt and below the last one: it may be made of the first.
#[test]
fn state_between_two_attempts_is_unknown() {
    let mut net = Net::new(3);
    let known = net.set(2, b"x");
    net.settle();
    let first = Ballot { round: known.round - 1, ..known };
    let first = if first.is_zero() { Ballot { round: 1, ..Ballot::FAST } } else { first };
    assert!(first < known);
    let last = Ballot { round: known.round + 20, ..known };
    assert_eq!(retry(&mut net, 3, A, Attempt { first, last }), (Outcome::Unknown, None));
    let first = last;
    assert_eq!(retry(&mut net, 3, A, Attempt { first, last }).0, Outcome::Applied);
}

/// One that ends without a message must make way for the next one of its key, whichever places the two have.
#[test]
fn request_that_ends_at_once_makes_way_for_the_next_one() {
    let mut net = Net::new(1);
    let request = net.submit(1, b"k", A);
    net.settle();
    let old = net.hosts[&1].attempts[&request];
    net.set(1, b"b");
    let elsewhere = net.submit(1, b"j", A);
    let first = net.submit(1, b"k", A);
    let now = net.now;
    let ends_at_once = net.node(1).retry(now, b"k", B, old).unwrap();
    net.node(1).cancel(elsewhere);
    net.poll(1);
    let last = net.submit(1, b"k", B);
    // nothing comes in but what the disk says
    while net.sync(1) {
        net.poll(1);
    }
    let answers = &net.hosts[&1].answers;
    assert_eq!(answers[&first].0, Outcome::Applied);
    assert_eq!(answers[&ends_at_once].0, Outcome::Unknown);
    assert!(answers.contains_key(&last), "it waits for ever");
}

/// Where one acceptor is a quorum of phase 1, an attempt may be with an acceptor of which another proposer knows nothing: that it is refused
/// there is told only when nobody can take the attempt up any more.
#[test]
fn change_is_refused_when_no_attempt_can_be_taken_up() {
    let mut net = Net::with(2, Quorums::flexible(2, 1, 2).unwrap());
    let change = Change::Other { number: 17, argument: b"new" };
    // nothing that node 1 says arrives: its own acceptor alone has a value, and then what the change makes of it
    net.submit(1, b"k", A);
    net.sync_all();
    net.crash(1);
    net.in_flight.clear();
    net.restart(1);
    let request = net.submit(1, b"k", change);
    net.sync_all();
    let attempt = net.hosts[&1].attempts[&request];
    net.crash(1);
    net.in_flight.clear();
    // the client asks node 2, whose acceptor has nothing
    let now = net.now;
    let request = net.node(2).retry(now, b"k", change, attempt).unwrap();
    net.poll(2);
    net.sync_all();
    assert_eq!(net.hosts[&2].answers.get(&request), None, "it could be taken up at node 1");
    net.restart(1);
    let (outcome, _, value) = net.answer(2, request);
    assert_eq!((outcome, value), (Outcome::Refused, None));
    assert_eq!(net.read(1), None);
}
