//! A burst of messages, when all members start at once, is as long as the documentation says at most.
#![allow(unreachable_pub, clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Event, Inline, Mode, Ring, Takeover};

use crate::common::{Cluster, Node, ids};

/// What `Bully` promises for an `answer_timeout_us`, with so many members.
pub const fn bully_burst(members: u64) -> u64 {
    2 * members + 6
}

/// What `Ring` promises, with probes (Hirschberg-Sinclair) or tokens.
pub const fn ring_burst(members: u64, probes: bool) -> u64 {
    let phases = (members.next_power_of_two().trailing_zeros() + 1) as u64;
    if probes { 8 * phases + 3 * members + 3 } else { 5 * members + 3 }
}

/// The most messages from one node to another, until nothing is under way; no time passes.
fn burst<E: Node + for<'a> quorate_core::Machine<Event<'a> = Event>>(
    order: &[u64],
    config: Config,
) -> u64 {
    let ids = ids(order);
    let sent = Rc::new(RefCell::new(BTreeMap::new()));
    let mut cluster = Cluster::new(&ids, |id| E::make(id, &ids, config));
    let counts = sent.clone();
    cluster.is_lost = Box::new(move |from, to| {
        *counts.borrow_mut().entry((from, to)).or_insert(0) += 1;
        false
    });
    cluster.tick();
    if config.takeover == Takeover::Keep {
        // all miss a leader at once
        sent.borrow_mut().clear();
        cluster.now = cluster.now.after(config.leader_timeout_us);
        cluster.tick();
    }
    sent.borrow().values().copied().max().unwrap_or(0)
}

/// Members of one to three rings: in order, the other way round, and high ones beside low ones.
fn orders(members: u64) -> [Vec<u64>; 3] {
    let up: Vec<u64> = (1..=members).collect();
    let down = up.iter().rev().copied().collect();
    let mixed = up.iter().map(|&id| if id % 2 == 0 { id } else { members + 1 + id }).collect();
    [up, down, mixed]
}

fn assert_bursts<E: Node>(promised: impl Fn(u64) -> u64, modes: &[Mode]) {
    for members in [2, 3, 7, 32] {
        for order in orders(members) {
            for &mode in modes {
                for takeover in [Takeover::Highest, Takeover::Keep] {
                    let config = Config { mode, takeover, ..Config::lan() };
                    let (found, most) = (burst::<E>(&order, config), promised(members));
                    assert!((1..=most).contains(&found), "{found} of {most}: {order:?} {config:?}");
                }
            }
        }
    }
}

#[test]
fn bursts_of_bully() {
    assert_bursts::<Bully<Inline<32>>>(bully_burst, &[Mode::Classic, Mode::Quorum]);
}

#[test]
fn bursts_of_rings() {
    assert_bursts::<Ring<Collecting, Inline<32>>>(|n| ring_burst(n, false), &[Mode::Classic]);
    assert_bursts::<Ring<ChangRoberts, Inline<32>>>(|n| ring_burst(n, false), &[Mode::Classic]);
    assert_bursts::<Ring<HirschbergSinclair, Inline<32>>>(
        |n| ring_burst(n, true),
        &[Mode::Classic],
    );
}
