//! A node whose disk was erased leads in no epoch that it, or anybody that is there, has seen before.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use crate::common::{self, Cluster, Node, ids};
use quorate_core::{Corrupt, Drift, Instant, Machine, NodeId, Output, Rejected};
use quorate_election::bully::Message;
use quorate_election::ring::{self, ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Record, Ring, Role, Takeover};

type Bullies = Bully<Inline<5>>;
type Of<A> = Ring<A, Inline<20>>;

const LAN: Config = Config::lan();
const QUORUM: Config = Config { mode: Mode::Quorum, ..LAN };
const LEASE: Config = Config { mode: Mode::Lease { lease_us: 300_000, drift: Drift::NONE }, ..LAN };

/// The epochs that nodes led in, in the order in which they were told.
fn led<M: Node>(cluster: &Cluster<M>) -> Vec<(usize, Epoch)> {
    let led = cluster.events.iter().filter_map(|&(at, event)| match event {
        Event::Leading { epoch } => Some((at, epoch)),
        _ => None,
    });
    led.collect()
}

fn cluster<M: Node>(members: &[u64], config: Config) -> Cluster<M> {
    let ids = ids(members);
    let mut cluster = Cluster::new(&ids, |id| M::make(id, &ids, config));
    cluster.run(3_000_000);
    cluster
}

fn leader<M: Node>(cluster: &Cluster<M>, at: usize) -> Option<u64> {
    cluster.nodes[at].as_ref().unwrap().status().leader.map(NodeId::get)
}

/// A node is started with an empty disk; what it was sent before is lost.
fn erase<M: Node>(cluster: &mut Cluster<M>, at: usize, config: Config) {
    cluster.disks[at].clear();
    let (id, ids) = (cluster.ids[at], cluster.ids.clone());
    cluster.boot(at, M::make(id, &ids, config));
}

/// Every node is erased in turn, while all others are there.
fn one_at_a_time<M: Node>(config: Config) {
    for takeover in [Takeover::Highest, Takeover::Keep] {
        for members in [&[1, 2][..], &[3, 1, 2], &[2, 4, 1, 3], &[3, 1, 5, 2, 4]] {
            let config = Config { takeover, ..config };
            let mut cluster = cluster::<M>(members, config);
            for at in (0..members.len()).cycle().take(2 * members.len()) {
                // it is the leader sometimes
                let now = cluster.now;
                if let Some(leader) = leader(&cluster, at).map(NodeId::new) {
                    cluster.node(at).suspect(now, leader);
                }
                cluster.run(1_000_000);
                let before = led(&cluster).iter().map(|led| led.1).max().unwrap();
                erase(&mut cluster, at, config);
                let from = cluster.events.len();
                cluster.run(3_000_000);
                let after = cluster.events.split_off(from);
                for (at, event) in after.iter().copied() {
                    let told = match event {
                        Event::Leading { epoch } => epoch > before,
                        _ => true,
                    };
                    assert!(told, "{members:?}: place {at} leads in {event:?}, after {before:?}");
                }
                cluster.events.extend(after);
                let leaders: Vec<_> = (0..members.len()).map(|at| leader(&cluster, at)).collect();
                let agree = leaders[0].is_some() && leaders.iter().all(|l| *l == leaders[0]);
                assert!(agree, "{config:?} {members:?}, place {at} was erased: {leaders:?}");
            }
        }
    }
}

#[test]
fn tokens_grow_despite_one_erased_node() {
    one_at_a_time::<Bullies>(LAN);
    one_at_a_time::<Bullies>(QUORUM);
    one_at_a_time::<Bullies>(LEASE);
    one_at_a_time::<Of<Collecting>>(LAN);
    one_at_a_time::<Of<ChangRoberts>>(LAN);
    one_at_a_time::<Of<HirschbergSinclair>>(LAN);
}

/// Node 3 led with the vote of node 1 alone, and forgets it, while node 1 is down. Node 2 knows nothing of it.
fn recovery_waits_for_enough_members(config: Config) {
    let mut cluster = cluster::<Bullies>(&[1, 2, 3], Config { takeover: Takeover::Keep, ..config });
    // a first leader, which all know
    cluster.is_lost = Box::new(|a, b| a == 1 || b == 1);
    cluster.run(2_000_000);
    let at = if leader(&cluster, 2) == Some(3) { 2 } else { 0 };
    // it leads once more, in an epoch that node 2 knows nothing of
    let now = cluster.now;
    let later = Epoch::from_token(64 * 32);
    cluster.node(at).fenced(now, later);
    cluster.run(2_000_000);
    let before = led(&cluster).iter().map(|led| led.1).max().unwrap();
    assert!(before > later);
    let other = 2 - at;
    erase(&mut cluster, at, Config { takeover: Takeover::Keep, ..config });
    cluster.nodes[other] = None;
    cluster.is_lost = Box::new(|_, _| false);
    cluster.events.clear();
    cluster.run(10_000_000);
    assert_eq!(led(&cluster), [], "nobody that is up knows of {before:?}");
    assert_eq!(cluster.node(at).status().role, Role::Recovering);
    assert_eq!(cluster.disks[at], Vec::<Vec<u8>>::new(), "or else it would pass for all it knew");
    // the one that knows comes back
    let (id, ids) = (cluster.ids[other], cluster.ids.clone());
    let node = Bully::new(id, &ids, Config { takeover: Takeover::Keep, ..config }).unwrap();
    cluster.boot(other, node);
    cluster.run(5_000_000);
    assert!(!led(&cluster).is_empty() && led(&cluster).iter().all(|led| led.1 > before));
}

#[test]
fn erased_node_waits_for_informed_members() {
    recovery_waits_for_enough_members(QUORUM);
    recovery_waits_for_enough_members(LEASE);
}

/// The vote of a node that has forgotten what it voted for makes no leader.
#[test]
fn erased_node_does_not_accept_twice() {
    let mut cluster = cluster::<Bullies>(&[1, 2, 3], QUORUM);
    // 3 leads with the vote of 2; 1 knows of nothing
    cluster.is_lost = Box::new(|a, b| a == 0 || b == 0);
    let (now, later) = (cluster.now, Epoch::from_token(64 * 32));
    cluster.node(2).fenced(now, later);
    cluster.run(1_000_000);
    let before = led(&cluster).last().copied().unwrap();
    assert!(before.0 == 2 && before.1 > later);
    // 2 forgets, and hears 1 alone
    erase(&mut cluster, 1, QUORUM);
    cluster.is_lost = Box::new(|a, b| a == 2 || b == 2);
    cluster.events.clear();
    cluster.run(5_000_000);
    assert_eq!(led(&cluster), []);
    cluster.is_lost = Box::new(|_, _| false);
    cluster.run(5_000_000);
    assert!(led(&cluster).iter().all(|led| led.1 > before.1) && leader(&cluster, 0) == Some(3));
}

/// Somebody burned so many epochs that those of the group are further from zero than one message may go.
fn far_epochs<M: Node>(config: Config) {
    for takeover in [Takeover::Highest, Takeover::Keep] {
        let config = Config { takeover, outcome_timeout_us: 600_000, ..config };
        for far in [1 << 39, 1 << 61] {
            let ids = ids(&[3, 1, 5, 2, 4]);
            let make = |id| M::make(id, &ids, config);
            let mut cluster = Cluster::new(&ids, make);
            let record = Record { epoch: Epoch::from_token(far) };
            for (at, id) in ids.iter().enumerate() {
                cluster.disks[at].push(common::bytes(&record));
                cluster.boot(at, make(*id));
            }
            cluster.run(5_000_000);
            for at in 0..ids.len() {
                let before = led(&cluster).iter().map(|led| led.1).max().unwrap();
                assert!(before.token() > far);
                erase(&mut cluster, at, config);
                let from = cluster.events.len();
                cluster.run(5_000_000);
                let after = cluster.events[from..].iter().filter_map(|(_, event)| match event {
                    Event::Leading { epoch } => Some(*epoch),
                    _ => None,
                });
                assert!(after.min().is_none_or(|least| least > before), "place {at}, {config:?}");
                let leaders: Vec<_> = (0..ids.len()).map(|at| leader(&cluster, at)).collect();
                let agree = leaders[0].is_some() && leaders.iter().all(|l| *l == leaders[0]);
                assert!(agree, "{config:?}, place {at} was erased: {leaders:?}");
            }
        }
    }
}

#[test]
fn recovering_node_accepts_any_epoch() {
    far_epochs::<Bullies>(LAN);
    far_epochs::<Bullies>(QUORUM);
    far_epochs::<Bullies>(LEASE);
    far_epochs::<Of<Collecting>>(LAN);
    far_epochs::<Of<ChangRoberts>>(LAN);
    far_epochs::<Of<HirschbergSinclair>>(LAN);
}

/// And no longer than until it knows one; those at the end are refused all the same.
#[test]
fn recovered_node_bounds_epochs() {
    let ids = ids(&[1, 2, 3]);
    let (far, end) = (Epoch::from_token((1 << 61) + 2), Epoch::from_token((1 << 62) + 2));
    let further = Epoch::from_token(far.token() + (1 << 38) + 32);
    for config in [LAN, QUORUM] {
        let mut node = Bully::<Inline<3>>::new(ids[0], &ids, config).unwrap();
        let answer = |epoch| Message::Answer { epoch };
        let now = Instant::ZERO;
        assert_eq!(node.receive(now, ids[1], answer(end)), Err(Rejected::OutOfRange));
        node.receive(now, ids[1], answer(far)).unwrap();
        assert_eq!((node.status().role, node.status().epoch), (Role::Recovering, far));
        node.receive(now, ids[2], answer(further)).unwrap();
        assert_ne!(node.status().role, Role::Recovering);
        let still_further = Epoch::from_token(further.token() + (1 << 38) + 32);
        assert_eq!(node.receive(now, ids[1], answer(still_further)), Err(Rejected::OutOfRange));
        // one with a record never did
        let mut node = Bully::<Inline<3>>::new(ids[0], &ids, config).unwrap();
        node.restore(record(0)).unwrap();
        assert_eq!(node.receive(now, ids[1], answer(far)), Err(Rejected::OutOfRange));
    }
    // a ring node learns as its token goes round, until somebody leads
    let mut node = Ring::<Collecting, Inline<4>>::new(ids[0], &ids, LAN).unwrap();
    let alive = |epoch| ring::Message::Alive { epoch };
    let now = Instant::ZERO;
    node.tick(now);
    assert_eq!(node.receive(now, ids[2], alive(end)), Err(Rejected::OutOfRange));
    node.receive(now, ids[2], alive(far)).unwrap();
    assert_eq!(node.status().epoch, far);
    assert_eq!(node.receive(now, ids[2], alive(further)), Err(Rejected::OutOfRange));
    let mut node = Ring::<Collecting, Inline<4>>::new(ids[0], &ids, LAN).unwrap();
    node.restore(record(0)).unwrap();
    assert_eq!(node.receive(now, ids[2], alive(far)), Err(Rejected::OutOfRange));
}

/// Of five, three others are enough; and two are not.
#[test]
fn recovery_needs_most_of_the_others() {
    let ids = ids(&[1, 2, 3, 4, 5]);
    for config in [QUORUM, LEASE] {
        let mut node = Bullies::new(ids[4], &ids, config).unwrap();
        node.tick(Instant::ZERO);
        for (heard, other) in [0, 1, 1, 3].into_iter().enumerate() {
            assert_eq!(node.status().role, Role::Recovering, "{heard}");
            let answer = Message::Answer { epoch: Epoch::from_token(32 * heard as u64) };
            node.receive(Instant::ZERO, ids[other], answer).unwrap();
        }
        assert_eq!(
            (node.status().role, node.status().epoch.token()),
            match config.mode {
                Mode::Quorum => (Role::Claiming, 96),
                _ => (Role::Waiting, 96), // what it may have promised has to run out
            }
        );
    }
}

/// In classic mode those that do not answer are dead.
#[test]
fn classic_recovery_treats_silent_nodes_as_dead() {
    let ids = ids(&[1, 2, 3]);
    let mut node = Bully::<Inline<3>>::new(ids[0], &ids, LAN).unwrap();
    node.tick(Instant::ZERO);
    let requests = |node: &mut Bully<Inline<3>>| {
        let mut requests = Vec::new();
        while let Some(output) = node.poll() {
            match output {
                Output::Send(to, Message::Election { .. }) => requests.push(to.get()),
                Output::Persist(ticket, _) => node.persisted(ticket),
                other => panic!("{other:?}"),
            }
        }
        requests
    };
    assert_eq!(requests(&mut node), [2, 3]);
    node.receive(Instant::ZERO, ids[1], Message::Answer { epoch: Epoch::from_token(65) }).unwrap();
    node.tick(Instant::from_millis(50));
    assert_eq!(requests(&mut node), [3], "the other has answered");
    node.tick(Instant::from_millis(99));
    assert_eq!(node.status().role, Role::Recovering);
    node.tick(Instant::from_millis(100));
    assert_eq!((node.status().role, node.status().epoch.token()), (Role::Candidate, 65));
    assert_eq!(requests(&mut node), [2, 3]);
}

/// When it asks, in ms, from deadline to deadline, and what it says of that.
fn election_requests(node: &mut Bullies, from: u64, until: u64) -> (Vec<u64>, Vec<Event>) {
    let (mut election_requests, mut events, mut now) = (Vec::new(), Vec::new(), from);
    while now <= until {
        node.tick(Instant::from_millis(now));
        while let Some(output) = node.poll() {
            match output {
                Output::Send(_, Message::Election { .. })
                    if election_requests.last() == Some(&now) => {}
                Output::Send(_, Message::Election { .. }) => election_requests.push(now),
                Output::Event(event) => events.push(event),
                other => panic!("{other:?}"),
            }
        }
        now = node.deadline().unwrap().as_micros() / 1_000;
    }
    (election_requests, events)
}

#[test]
fn unanswered_recovery_backs_off_and_reports_once() {
    let ids = ids(&[1, 2, 3, 4, 5]);
    let answer = Message::Answer { epoch: Epoch::from_token(3) };
    let patient = Config { leader_timeout_us: 5_000_000, ..QUORUM };
    let mut node = Bullies::new(ids[0], &ids, patient).unwrap();
    let (times, events) = election_requests(&mut node, 0, 4_100);
    assert_eq!(times, [0, 50, 100, 200, 400, 800, 1_600, 2_400, 3_200, 4_000]);
    assert_eq!(events, [Event::Leaderless]);
    // somebody new answers: the others may have come, too; the same one once more tells nothing
    node.receive(Instant::from_millis(4_100), ids[1], answer).unwrap();
    assert_eq!(node.deadline(), Some(Instant::from_millis(4_150)));
    let (times, events) = election_requests(&mut node, 4_150, 7_000);
    assert_eq!((times, events), (vec![4_150, 4_350, 4_750, 5_550, 6_350], vec![]));
    node.receive(Instant::from_millis(7_000), ids[1], answer).unwrap();
    assert_eq!(node.deadline(), Some(Instant::from_millis(7_150)));
    // never less often than a leader is missed, and however often it is to ask before it says anything
    for attempts in [1, 3, 255] {
        let mut node = Bullies::new(ids[0], &ids, Config { attempts, ..QUORUM }).unwrap();
        let (times, events) = election_requests(&mut node, 0, 120_000);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 200), "{times:?}");
        assert!(times.windows(2).last().is_some_and(|pair| pair[1] - pair[0] == 200));
        assert_eq!(events, [Event::Leaderless]);
    }
    // and then somebody leads
    let mut node = Bullies::new(ids[0], &ids, QUORUM).unwrap();
    election_requests(&mut node, 0, 1_000);
    let answers = [1, 2].map(|from| node.receive(Instant::from_millis(1_000), ids[from], answer));
    assert_eq!(answers, [Ok(()); 2]);
    let alive = Message::Alive { epoch: Epoch::from_token(36), round: 2 };
    node.receive(Instant::from_millis(1_000), ids[4], alive).unwrap();
    let mut events = Vec::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Event(event) => events.push(event),
            Output::Send(..) => {}
        }
    }
    let epoch = Epoch::from_token(36);
    assert_eq!(events, [Event::Following { leader: ids[4], epoch }]);
}

fn record(epoch: u64) -> Record {
    Record { epoch: Epoch::from_token(epoch) }
}

#[test]
fn recovering_node_answers_and_accepts_nothing() {
    let ids = ids(&[1, 2, 3]);
    let mut node = Bully::<Inline<3>>::new(ids[0], &ids, QUORUM).unwrap();
    node.tick(Instant::ZERO);
    while node.poll().is_some() {}
    let epoch = Epoch::from_token(34);
    node.receive(Instant::ZERO, ids[2], Message::Alive { epoch, round: 1 }).unwrap();
    node.receive(Instant::ZERO, ids[2], Message::Election { epoch }).unwrap();
    node.campaign(Instant::ZERO);
    node.suspect(Instant::ZERO, ids[2]);
    node.fenced(Instant::ZERO, Epoch::from_token(97));
    assert_eq!(node.status().role, Role::Recovering);
    let Some(Output::Send(to, message)) = node.poll() else { panic!("no answer") };
    assert_eq!((to, message), (ids[2], Message::Answer { epoch }));
    assert!(node.poll().is_none(), "it accepts nobody, and writes nothing");
    assert_eq!(node.checkpoint().count(), 0, "or else it would pass for one that knows");
    assert_eq!((node.status().leader, node.status().epoch), (None, epoch));
    // it hears enough, and of a leader: all at once
    let later = Epoch::from_token(66);
    node.receive(Instant::ZERO, ids[1], Message::Alive { epoch, round: 1 }).unwrap_err();
    node.receive(Instant::ZERO, ids[1], Message::Alive { epoch: later, round: 1 }).unwrap_err();
    let later = Epoch::from_token(65);
    node.receive(Instant::ZERO, ids[1], Message::Alive { epoch: later, round: 1 }).unwrap();
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, Some(ids[1])));
    let Some(Output::Persist(ticket, written)) = node.poll() else { panic!("no record") };
    assert_eq!(written, Record { epoch: later });
    assert!(node.checkpoint().eq([written]));
    assert!(!matches!(node.poll(), Some(Output::Send(..))));
    node.persisted(ticket);
    let Some(Output::Send(to, message)) = node.poll() else { panic!("it accepts nobody") };
    assert_eq!((to, message), (ids[1], Message::Accept { epoch: later, round: 1 }));
}

#[test]
fn node_with_record_needs_no_recovery() {
    for epoch in [0, 33] {
        let ids = ids(&[1, 2]);
        let mut node = Bully::<Inline<2>>::new(ids[1], &ids, LAN).unwrap();
        node.restore(record(epoch)).unwrap();
        node.tick(Instant::ZERO);
        assert_eq!(node.status().epoch, Epoch::from_token(epoch).next_for(1).unwrap());
    }
}

/// Nobody remembers: the epochs begin again, and only a resource could tell. Its token helps.
#[test]
fn erasing_all_nodes_is_undetectable() {
    let mut cluster = cluster::<Bullies>(&[1, 2, 3], QUORUM);
    let before = led(&cluster)[0];
    for at in 0..3 {
        erase(&mut cluster, at, QUORUM);
    }
    cluster.events.clear();
    cluster.run(3_000_000);
    assert_eq!(led(&cluster)[0], before, "as the docs say");
    for at in 0..3 {
        cluster.disks[at].clear();
        cluster.nodes[at] = None;
    }
    let ids = cluster.ids.clone();
    let mut told = Bully::new(ids[0], &ids, QUORUM).unwrap();
    told.restore(record(before.1.token())).unwrap();
    cluster.nodes[0] = Some(told);
    for at in [1, 2] {
        cluster.nodes[at] = Some(Bully::new(ids[at], &ids, QUORUM).unwrap());
    }
    cluster.events.clear();
    cluster.run(3_000_000);
    assert!(led(&cluster)[0].1 > before.1);
}

/// What a ring decided before its disk was erased reaches the node that leads by it once more.
#[test]
fn ring_node_ignores_coordinator_of_unknown_attempt() {
    use ring::Message;
    let ids = ids(&[1, 2, 3]);
    let (token, epoch) = (Epoch::from_token(33), Epoch::from_token(64));
    let keep = Config { takeover: Takeover::Keep, ..LAN };
    let mut node = Ring::<Collecting, Inline<4>>::new(ids[0], &ids, keep).unwrap();
    node.tick(Instant::ZERO);
    node.receive(Instant::ZERO, ids[2], Message::Coordinator { token, epoch }).unwrap();
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
    assert_eq!(node.status().epoch, epoch, "but it is noted");
    // its own token, of before
    let mut node = Ring::<ChangRoberts, Inline<4>>::new(ids[0], &ids, keep).unwrap();
    node.tick(Instant::ZERO);
    let token = Epoch::from_token(32);
    node.receive(Instant::ZERO, ids[2], Message::Coordinator { token, epoch }).unwrap();
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
    // as the leader of another epoch it leads on, in a later one
    node.campaign(Instant::ZERO);
    node.suspect(Instant::ZERO, ids[1]);
    node.suspect(Instant::ZERO, ids[2]);
    assert_eq!(node.status().role, Role::Claiming);
    let led = node.status().epoch;
    let (token, told) = (Epoch::from_token(led.token() + 33), Epoch::from_token(led.token() + 64));
    node.receive(Instant::ZERO, ids[2], Message::Coordinator { token, epoch: told }).unwrap();
    assert!(node.status().epoch > told);
}

#[test]
fn impossible_records_are_rejected() {
    let ids = ids(&[1, 2, 3]);
    let mut bully = Bully::<Inline<3>>::new(ids[0], &ids, LAN).unwrap();
    let mut ring = Ring::<Collecting, Inline<3>>::new(ids[0], &ids, LAN).unwrap();
    for (epoch, refused) in [
        (1 << 62, Some(Corrupt::Malformed)),
        (35, Some(Corrupt::Malformed)), // of a fourth member
        (34, None),
        (34, None), // as after a checkpoint
        (33, Some(Corrupt::Regression)),
        ((1 << 62) - 32, None),
    ] {
        let (before, ring_before) = (bully.clone(), ring.clone());
        assert_eq!(bully.restore(record(epoch)).err(), refused, "{epoch}");
        assert_eq!(ring.restore(record(epoch)).err(), refused, "{epoch}");
        assert!(refused.is_none() || (bully == before && ring == ring_before));
    }
    bully.tick(Instant::ZERO);
    ring.tick(Instant::ZERO);
    assert_eq!(bully.restore(record((1 << 62) - 31)), Err(Corrupt::Started));
    assert_eq!(ring.restore(record((1 << 62) - 31)), Err(Corrupt::Started));
}

/// One of five that recovers in quorum mode, with so many attempts.
fn recovering(attempts: u8) -> Bullies {
    let ids = ids(&[1, 2, 3, 4, 5]);
    let mut node = Bullies::new(ids[0], &ids, Config { attempts, ..QUORUM }).unwrap();
    node.tick(Instant::ZERO);
    node
}

/// After how many times of asking the application is told that nobody leads.
fn events_after(node: &mut Bullies, mut before: impl FnMut(&mut Bullies, u32)) -> Option<u32> {
    for requests in 1..300 {
        before(node, requests);
        while let Some(output) = node.poll() {
            if matches!(output, Output::Event(Event::Leaderless)) {
                return Some(requests - 1);
            }
        }
        let due = node.deadline().unwrap();
        node.tick(due);
    }
    None
}

#[test]
fn recovery_reports_after_configured_attempts() {
    for attempts in [1, 2, 100, 251] {
        let told = events_after(&mut recovering(attempts), |_, _| ());
        assert_eq!(told, Some(attempts.into()));
    }
    assert_eq!(events_after(&mut recovering(255), |_, _| ()), Some(251), "no more can be counted");
    // an answer at the last moment, which is not enough, changes nothing of that
    let told = events_after(&mut recovering(3), |node, requests| {
        if requests == 3 {
            let now = node.deadline().unwrap().as_micros() - 1;
            let answer = Message::Answer { epoch: Epoch::ZERO };
            node.receive(Instant::from_micros(now), NodeId::new(2), answer).unwrap();
        }
    });
    assert_eq!(told, Some(3));
}
