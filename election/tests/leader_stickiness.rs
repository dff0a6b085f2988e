//! With `Takeover::Keep` a leader that is heard stays: in every mode, on every ring, whichever node was cut off.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use crate::common::{self, Cluster, Node, ids};
use quorate_core::{Drift, NodeId};
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Ring, Takeover};

type Bullies = Bully<Inline<5>>;
type Of<A> = Ring<A, Inline<20>>;

const KEEP: Config = Config { takeover: Takeover::Keep, ..Config::lan() };
const QUORUM: Config = Config { mode: Mode::Quorum, ..KEEP };
const LEASE: Config =
    Config { mode: Mode::Lease { lease_us: 300_000, drift: Drift::NONE }, ..KEEP };

/// Members as rings have them: neither up nor down.
const ORDERS: [&[u64]; 4] = [&[1, 2], &[3, 1, 2], &[2, 4, 1, 3], &[3, 1, 5, 2, 4]];

fn cluster<M: Node>(members: &[u64], config: Config) -> Cluster<M> {
    let ids = ids(members);
    let mut cluster = Cluster::new(&ids, |id| M::make(id, &ids, config));
    cluster.run(3_000_000);
    assert!(leader(&cluster).is_some(), "{members:?}");
    cluster
}

/// The leader, if all that are up know it.
fn leader<M: Node>(cluster: &Cluster<M>) -> Option<NodeId> {
    let mut leaders: Vec<_> = cluster.nodes.iter().flatten().map(|n| n.status().leader).collect();
    leaders.dedup();
    if let [leader] = leaders[..] { leader } else { None }
}

fn epoch<M: Node>(cluster: &Cluster<M>, id: NodeId) -> Epoch {
    let at = cluster.ids.iter().position(|&other| other == id).unwrap();
    cluster.nodes[at].as_ref().unwrap().status().epoch
}

/// What the nodes but for one were told of another leader than this, and the one: of any but itself.
fn changes<M: Node>(cluster: &Cluster<M>, leader: NodeId, away: NodeId) -> Vec<(NodeId, Event)> {
    let events = cluster.events.iter().map(|&(at, event)| (cluster.ids[at], event));
    let wrong = events.filter(|&(node, event)| match event {
        Event::Following { leader: other, .. } => {
            other != leader && (node != away || other != away)
        }
        Event::Leading { .. } => node != leader && node != away,
        _ => node == leader,
    });
    wrong.collect()
}

/// Cuts a node off for 2 s, ten times.
fn isolate<M: Node>(cluster: &mut Cluster<M>, away: NodeId) {
    let at = cluster.ids.iter().position(|&id| id == away).unwrap();
    for _ in 0..10 {
        cluster.is_lost = Box::new(move |a, b| a == at || b == at);
        cluster.run(2_000_000);
        cluster.is_lost = Box::new(|_, _| false);
        cluster.run(1_000_000);
    }
}

fn every_other_node<M: Node>(config: Config, may_lead: bool) {
    for members in &ORDERS[1..] {
        for attempts in [1, 3] {
            let mut cluster = cluster::<M>(members, Config { attempts, ..config });
            let kept = leader(&cluster).unwrap();
            for away in cluster.ids.clone().into_iter().filter(|&id| id != kept) {
                cluster.events.clear();
                let before = epoch(&cluster, kept);
                isolate(&mut cluster, away);
                let wrong = changes(&cluster, kept, away);
                assert!(wrong.is_empty(), "{away} of {members:?} was away: {wrong:?}");
                assert_eq!(leader(&cluster), Some(kept), "{away} of {members:?} was away");
                // an epoch that was led in alone has to be superseded, and no other
                assert_eq!(epoch(&cluster, kept) > before, may_lead, "{away} of {members:?}");
            }
        }
    }
}

#[test]
fn partitioned_node_deposes_nobody() {
    every_other_node::<Bullies>(KEEP, true);
}

#[test]
fn partitioned_node_raises_no_epoch_with_quorum() {
    every_other_node::<Bullies>(QUORUM, false);
    every_other_node::<Bullies>(LEASE, false);
}

/// Whether a link is cut.
type Partition = Box<dyn Fn(usize, usize) -> bool>;

/// Which links of and to a minority are cut: all, those to the others, those of the others to it, or those from the others; and also
/// those of the minority among itself.
fn partitions(minority: &[usize]) -> Vec<(&'static str, Partition)> {
    let is_in = |minority: &[usize]| {
        let minority = minority.to_vec();
        move |at: usize| minority.contains(&at)
    };
    let (a, b, c, d) = (is_in(minority), is_in(minority), is_in(minority), is_in(minority));
    vec![
        ("together", Box::new(move |from, to| a(from) != a(to))),
        ("each alone", Box::new(move |from, to| b(from) || b(to))),
        ("deaf", Box::new(move |from, to| !c(from) && c(to))),
        ("mute", Box::new(move |from, to| d(from) && !d(to))),
    ]
}

/// Five nodes, of which node 5 was cut off until the others had a leader.
fn led_by_another_than_the_highest<M>(members: &[u64], config: Config) -> Cluster<M>
where
    M: Node + for<'a> quorate_core::Machine<Record<'a> = quorate_election::Record>,
{
    let ids = ids(members);
    let mut cluster = Cluster::new(&ids, |id| M::make(id, &ids, config));
    let at = ids.iter().position(|id| id.get() == 5).unwrap();
    cluster.is_lost = Box::new(move |a, b| a == at || b == at);
    for at in 0..5 {
        // or else it would ask, and too few would answer
        let record = quorate_election::Record { epoch: Epoch::ZERO };
        cluster.node(at).restore(record).unwrap();
    }
    cluster.run(3_000_000);
    cluster.is_lost = Box::new(|_, _| false);
    cluster.run(3_000_000);
    assert!(leader(&cluster).is_some_and(|leader| leader.get() < 5));
    cluster
}

/// As many as a majority can spare are cut off at once, and perhaps hear each other: no trace of that is left.
fn every_minority<M>(config: Config)
where
    M: Node + for<'a> quorate_core::Machine<Record<'a> = quorate_election::Record>,
{
    for members in [&[1, 2, 3, 4, 5][..], &[3, 1, 5, 2, 4]] {
        for highest in [true, false] {
            let mut cluster = if highest {
                cluster::<M>(members, config)
            } else {
                led_by_another_than_the_highest::<M>(members, config)
            };
            let kept = leader(&cluster).unwrap();
            assert_eq!(kept.get() == 5, highest);
            let others = (0..5).filter(|&at| cluster.ids[at] != kept).collect::<Vec<_>>();
            for (n, &a) in others.iter().enumerate() {
                for &b in &others[n + 1..] {
                    for (how, cut) in partitions(&[a, b]) {
                        let before = epoch(&cluster, kept);
                        let disks = cluster.disks.clone();
                        cluster.events.clear();
                        cluster.is_lost = Box::new(cut);
                        cluster.run(2_000_000);
                        cluster.is_lost = Box::new(|_, _| false);
                        cluster.run(2_000_000);
                        let what = format!("{a} and {b} of {members:?} were {how}");
                        assert_eq!(leader(&cluster), Some(kept), "{what}");
                        assert_eq!(epoch(&cluster, kept), before, "{what}");
                        assert_eq!(cluster.disks, disks, "{what}");
                        let told = |&&(at, event): &&(usize, Event)| match event {
                            Event::Following { leader, .. } => leader != kept,
                            _ => ![a, b].contains(&at),
                        };
                        let wrong = cluster.events.iter().filter(told);
                        assert_eq!(wrong.count(), 0, "{what}: {:?}", cluster.events);
                    }
                }
            }
        }
    }
}

#[test]
fn partitioned_minority_raises_no_epoch() {
    for attempts in [1, 3] {
        every_minority::<Bullies>(Config { attempts, ..QUORUM });
        every_minority::<Bullies>(Config { attempts, ..LEASE });
    }
}

#[test]
fn ring_leader_is_sticky() {
    every_other_node::<Of<Collecting>>(KEEP, true);
    every_other_node::<Of<ChangRoberts>>(KEEP, true);
    every_other_node::<Of<HirschbergSinclair>>(KEEP, true);
}

/// Those that remain elect another, which stays as well.
fn leader_of<M: Node>(config: Config) {
    for members in &ORDERS[1..] {
        let mut cluster = cluster::<M>(members, config);
        let first = leader(&cluster).unwrap();
        let at = cluster.ids.iter().position(|&id| id == first).unwrap();
        cluster.is_lost = Box::new(move |a, b| a == at || b == at);
        cluster.run(2_000_000);
        cluster.is_lost = Box::new(|_, _| false);
        cluster.run(1_000_000);
        let second = leader(&cluster).unwrap();
        assert_ne!(second, first, "{members:?}");
        cluster.events.clear();
        isolate(&mut cluster, first);
        assert!(changes(&cluster, second, first).is_empty(), "{:?}", cluster.events);
        assert_eq!(leader(&cluster), Some(second));
    }
}

#[test]
fn partitioned_leader_is_replaced_once() {
    leader_of::<Bullies>(KEEP);
    leader_of::<Bullies>(QUORUM);
    leader_of::<Bullies>(LEASE);
    leader_of::<Of<Collecting>>(KEEP);
    leader_of::<Of<ChangRoberts>>(KEEP);
    leader_of::<Of<HirschbergSinclair>>(KEEP);
}

/// Of two nodes each is alone, and neither has a majority: the same one of both goes on every time.
fn of_two<M: Node>() {
    let mut cluster = cluster::<M>(ORDERS[0], KEEP);
    let first = NodeId::new(1);
    isolate(&mut cluster, first);
    let kept = leader(&cluster).unwrap();
    cluster.events.clear();
    isolate(&mut cluster, first);
    assert!(changes(&cluster, kept, first).is_empty(), "{:?}", cluster.events);
    assert_eq!(leader(&cluster), Some(kept));
}

#[test]
fn two_nodes_keep_the_same_leader() {
    of_two::<Bullies>();
    of_two::<Of<Collecting>>();
    of_two::<Of<ChangRoberts>>();
    of_two::<Of<HirschbergSinclair>>();
}

fn wrong_suspicions<M: Node>(config: Config) {
    for members in ORDERS {
        let mut cluster = cluster::<M>(members, config);
        let kept = leader(&cluster).unwrap();
        for at in 0..members.len() {
            cluster.events.clear();
            let now = cluster.now;
            cluster.node(at).suspect(now, kept);
            cluster.deliver_all();
            cluster.run(1_000_000);
            assert_eq!(leader(&cluster), Some(kept), "{members:?}, place {at}");
            let node = cluster.ids[at];
            assert!(changes(&cluster, kept, node).is_empty(), "{members:?}: {:?}", cluster.events);
        }
    }
}

/// All of five miss a leader for a moment that is not the highest.
fn missed_by_all<M>(config: Config)
where
    M: Node + for<'a> quorate_core::Machine<Record<'a> = quorate_election::Record>,
{
    let mut cluster = led_by_another_than_the_highest::<M>(&[3, 1, 5, 2, 4], config);
    let kept = leader(&cluster).unwrap();
    cluster.events.clear();
    let now = cluster.now;
    for at in 0..5 {
        cluster.node(at).suspect(now, kept);
    }
    cluster.deliver_all();
    cluster.run(2_000_000);
    assert_eq!(leader(&cluster), Some(kept));
    let of_leader = cluster.events.iter().filter(|(at, _)| cluster.ids[*at] == kept);
    assert_eq!(of_leader.count(), 0, "{:?}", cluster.events);
}

#[test]
fn leader_suspected_by_all_at_once_stays() {
    missed_by_all::<Bullies>(KEEP);
    missed_by_all::<Bullies>(QUORUM);
    missed_by_all::<Bullies>(LEASE);
}

/// Who misses the leader asks it; on a ring, the leader takes the token, and renews its epoch.
#[test]
fn suspected_live_leader_stays() {
    wrong_suspicions::<Bullies>(KEEP);
    wrong_suspicions::<Bullies>(QUORUM);
    wrong_suspicions::<Bullies>(LEASE);
    wrong_suspicions::<Of<Collecting>>(KEEP);
    wrong_suspicions::<Of<ChangRoberts>>(KEEP);
    wrong_suspicions::<Of<HirschbergSinclair>>(KEEP);
}

/// A node is heard and does not hear: it misses the leader for ever, and asks for elections.
fn deaf<M: Node>(config: Config) {
    for members in &ORDERS[1..] {
        let mut cluster = cluster::<M>(members, config);
        let kept = leader(&cluster).unwrap();
        for at in (0..members.len()).filter(|&at| members[at] != kept.get()) {
            cluster.events.clear();
            cluster.is_lost = Box::new(move |_, to| to == at);
            cluster.run(5_000_000);
            let away = cluster.ids[at];
            let wrong = changes(&cluster, kept, away);
            assert!(wrong.is_empty(), "{away} of {members:?} is deaf: {wrong:?}");
            cluster.is_lost = Box::new(|_, _| false);
            cluster.run(2_000_000);
            assert_eq!(leader(&cluster), Some(kept), "{away} of {members:?} was deaf");
        }
    }
}

#[test]
fn node_that_cannot_receive_deposes_nobody() {
    deaf::<Bullies>(KEEP);
    deaf::<Bullies>(QUORUM);
    deaf::<Bullies>(LEASE);
    deaf::<Of<Collecting>>(KEEP);
    deaf::<Of<ChangRoberts>>(KEEP);
    deaf::<Of<HirschbergSinclair>>(KEEP);
}

/// Two of five led by one of them, and three by another: whichever has the later epoch, the three keep theirs.
fn halves<M: Node>(config: Config, majority_first: bool) {
    let members = ORDERS[3];
    let mut cluster = cluster::<M>(members, config);
    let place = |id: u64| members.iter().position(|&other| other == id).unwrap();
    let small = if majority_first { [4, 5] } else { [1, 2] }.map(place);
    cluster.is_lost = Box::new(move |a, b| small.contains(&a) != small.contains(&b));
    cluster.run(3_000_000);
    let leads = |at: usize, cluster: &Cluster<M>| {
        cluster.nodes[at].as_ref().unwrap().status().leader == Some(cluster.ids[at])
    };
    let kept = (0..5).find(|&at| !small.contains(&at) && leads(at, &cluster)).unwrap();
    // the others have the later epoch
    if let Some(other) = small.into_iter().find(|&at| leads(at, &cluster)) {
        let (now, before) = (cluster.now, epoch(&cluster, cluster.ids[kept]).token());
        cluster.node(other).fenced(now, Epoch::from_token((before & !31) + 64));
        cluster.run(1_000_000);
    }
    let kept = cluster.ids[kept];
    cluster.events.clear();
    cluster.is_lost = Box::new(|_, _| false);
    cluster.run(3_000_000);
    assert_eq!(leader(&cluster), Some(kept));
    let wrong = cluster.events.iter().filter(|(at, event)| {
        !small.contains(at)
            && match event {
                Event::Following { leader, .. } => *leader != kept,
                Event::Leading { .. } => cluster.ids[*at] != kept,
                _ => false,
            }
    });
    assert_eq!(wrong.count(), 0, "{:?}", cluster.events);
}

#[test]
fn majority_leader_stays() {
    for majority_first in [true, false] {
        halves::<Bullies>(KEEP, majority_first);
        halves::<Bullies>(QUORUM, majority_first);
        halves::<Of<Collecting>>(KEEP, majority_first);
        halves::<Of<ChangRoberts>>(KEEP, majority_first);
        halves::<Of<HirschbergSinclair>>(KEEP, majority_first);
    }
}

/// A leader that died is replaced, whoever misses it first and however long the others still believe in it.
fn dead_leader<M: Node>(config: Config) {
    for members in &ORDERS[1..] {
        for first in 0..members.len() {
            let mut cluster = cluster::<M>(members, config);
            let dead = leader(&cluster).unwrap();
            let at = cluster.ids.iter().position(|&id| id == dead).unwrap();
            cluster.nodes[at] = None;
            if first != at {
                let now = cluster.now;
                cluster.node(first).suspect(now, dead);
            }
            cluster.run(config.settle_us());
            let new = leader(&cluster);
            assert!(new.is_some_and(|new| new != dead), "{members:?}, {first}: {new:?}");
        }
    }
}

/// The others miss it one after the other, in any order.
fn missed_one_by_one<M: Node>(config: Config) {
    let members = ORDERS[3];
    for order in common::orders(5) {
        let mut cluster = cluster::<M>(members, config);
        let dead = leader(&cluster).unwrap();
        let at = cluster.ids.iter().position(|&id| id == dead).unwrap();
        cluster.nodes[at] = None;
        let start = cluster.now;
        for node in order.into_iter().map(|n| n as usize - 1).filter(|&node| node != at) {
            let now = cluster.now;
            cluster.node(node).suspect(now, dead);
            cluster.deliver_all();
            cluster.run(70_000);
        }
        let left = config.settle_us().saturating_sub(cluster.now.since(start));
        cluster.run(left);
        let new = leader(&cluster);
        assert!(new.is_some_and(|new| new != dead), "{new:?}");
    }
}

#[test]
fn dead_leader_missed_at_different_times_is_replaced() {
    missed_one_by_one::<Bullies>(KEEP);
    missed_one_by_one::<Bullies>(QUORUM);
    missed_one_by_one::<Bullies>(LEASE);
}

#[test]
fn dead_leader_is_replaced() {
    dead_leader::<Bullies>(KEEP);
    dead_leader::<Bullies>(QUORUM);
    dead_leader::<Bullies>(LEASE);
    dead_leader::<Of<Collecting>>(KEEP);
    dead_leader::<Of<ChangRoberts>>(KEEP);
    dead_leader::<Of<HirschbergSinclair>>(KEEP);
}
