//! Inputs that would make the quorum store lose acknowledged writes, resurrect deleted keys, or stall.

use std::cell::Cell;
use std::rc::Rc;

use quorate_core::{Machine as _, NodeId, Output, Rejected, Shown, Wire as _};
use quorate_ring::quorum::{
    Failure, Inline, Layout, Level, Membership, Message, Node, Order, ReadOptions, ReadRepair,
    Tagged, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{PreferenceList, Token, Zone};

use super::net::{Envelope, Net, Same, Store, Told, config};

type Register = Tagged<u32>;

/// Numbers of messages that ask for a seal and for a sweep that rebuilds have these bits.
pub(super) const SEAL: u64 = 3 << 62;
pub(super) const CATCH_UP: u64 = 1 << 62;

fn write(level: Level) -> WriteOptions {
    WriteOptions { level, ..WriteOptions::default() }
}

fn read(repair: ReadRepair) -> ReadOptions {
    ReadOptions { repair, ..ReadOptions::default() }
}

pub(super) fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A message of the topology of epoch 1: its kind, and numbers.
pub(super) fn forged(incarnation: u64, number: u64, kind: u64, fields: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [incarnation, number, 1, 0, kind].iter().chain(fields) {
        varint(&mut bytes, *field);
    }
    bytes
}

pub(super) fn seal(sealed: u64) -> Vec<u8> {
    forged(7, SEAL | 9, 14, &[1, 0, sealed])
}

pub(super) fn text(bytes: &[u8]) -> String {
    Shown(&Message::<Register>::from_slice(bytes).unwrap()).to_string()
}

pub(super) fn forge(
    net: &mut Net<Register>,
    from: u64,
    to: u64,
    bytes: Vec<u8>,
) -> Result<(), Rejected> {
    net.give(&Envelope { from, to, bytes })
}

pub(super) fn erase(net: &mut Net<Register>, id: u64, layout: &Same) {
    let disk = net.disks.iter_mut().find(|(at, ..)| *at == id).unwrap();
    disk.1.clear();
    net.restart(id, layout);
}

/// Where node 3 holds nothing any more, and where it is to hold everything again.
fn without_3() -> Same {
    Same { epoch: 2, fallbacks: vec![3], ..Same::new(&[1, 2]) }
}

fn with_3_again() -> Same {
    Same { epoch: 3, next: Some(vec![1, 2, 3]), ..without_3() }
}

/// Two ranges with other nodes each, whose lookups are counted.
#[derive(Clone, Debug)]
struct Split {
    lookups: Rc<Cell<u64>>,
}

impl Layout for Split {
    fn version(&self) -> Version {
        Version { epoch: 1, digest: 0 }
    }

    fn token(&self, key: &[u8]) -> Token {
        Token::new(u64::from(key[0]))
    }

    fn replicas(&self, at: Token) -> PreferenceList {
        let nodes = if at.get() < 64 { [1, 2] } else { [2, 3] };
        let walk = || nodes.into_iter().map(|id| (NodeId::new(id), Zone::default()));
        PreferenceList::select(walk, 1, 2, 0)
    }

    fn end_of_range(&self, at: Token) -> Token {
        if at.get() < 64 { Token::new(63) } else { Token::MAX }
    }

    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        self.lookups.set(self.lookups.get() + 1);
        let nodes = [1, 2, 3].map(NodeId::new).into_iter();
        nodes.filter(|node| after.is_none_or(|after| *node > after)).min()
    }

    fn membership(&self, node: NodeId) -> Membership {
        self.lookups.set(self.lookups.get() + 1);
        if node.get() <= 3 { Membership::Member } else { Membership::None }
    }
}

type SplitNode = Node<Register, Split, Inline<8, 16, 4, 16, 4>>;

fn split_node(id: u64) -> SplitNode {
    let layout = Split { lookups: Rc::default() };
    Node::new(NodeId::new(id), 7, layout, config()).unwrap()
}

/// What the node sends, with its disk written at once.
fn drain(node: &mut SplitNode) -> Vec<(u64, Vec<u8>)> {
    let mut sent = Vec::new();
    loop {
        let mut last = None;
        while let Some(output) = node.poll() {
            match output {
                Output::Persist(ticket, _) => last = Some(ticket),
                Output::Send(to, message) => {
                    let mut bytes = vec![0; message.encoded_len()];
                    message.to_slice(&mut bytes).unwrap();
                    sent.push((to.get(), bytes));
                }
                Output::Event(_) => {}
            }
        }
        let Some(ticket) = last else { return sent };
        node.persisted(ticket);
    }
}

fn take(node: &mut SplitNode, now: quorate_core::Instant, from: u64, bytes: &[u8]) {
    node.receive(now, NodeId::new(from), Message::from_slice(bytes).unwrap()).unwrap();
}

/// What the node says when it is asked to seal up to 5.
fn report(node: &mut SplitNode, now: quorate_core::Instant) -> String {
    take(node, now, 1, &seal(5));
    let sent = drain(node);
    let (_, bytes) = sent.iter().find(|(to, _)| *to == 1).unwrap();
    text(bytes)
}

#[test]
fn rebuild_is_not_over_while_a_repair_is_under_way() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::Count(2))).unwrap();
    net.run_among(&[1, 3]);
    assert_eq!(net.told(1), [Told::Written { superseded: false }]);
    for _ in 0..4 {
        net.tick(1_000); // the write is tried for node 2, in vain
        net.wire.clear();
    }
    erase(&mut net, 3, &layout);
    for _ in 0..8 {
        net.tick(1_000);
        while let Some(envelope) = net.wire.pop_front() {
            let text = text(&envelope.bytes);
            if text.contains("Want") {
                // time passes before the node puts out what it owes
                let (now, message) = (net.now, Message::from_slice(&envelope.bytes).unwrap());
                let node = net.node(envelope.to);
                node.receive(now, NodeId::new(envelope.from), message).unwrap();
                node.tick(now);
                net.settle_disks();
            } else if !text.contains("Write") {
                net.give(&envelope).unwrap();
            }
        }
    }
    assert_eq!(net.node(3).local(b"k"), None);
    assert!(!net.node(3).status().founded);
    for _ in 0..8 {
        net.tick(config().handoff_us);
        net.run();
    }
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
    assert!(net.node(3).status().founded);
}

#[test]
fn node_that_does_not_know_the_floor_keeps_nothing_for_others() {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &layout);
    erase(&mut net, 4, &layout);
    net.node(1).set_down(NodeId::new(3), true);
    let now = net.now;
    let options = WriteOptions { sloppy: true, ..write(Level::All) };
    net.node(1).write(now, b"k", Tagged::nth(1, 5), options).unwrap();
    for _ in 0..5 {
        net.run_among(&[1, 2, 4]);
        net.tick(1_000);
    }
    let blank = Told::Failed(Failure::Blank, None);
    assert!(net.told(1).contains(&blank));
    assert_eq!(net.node(4).status().hints, 0);
}

#[test]
fn key_that_is_about_to_go_is_recorded_anew_before_a_write_of_it_is_acknowledged() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.run();
    let node = net.node(3);
    node.force_layout(without_3());
    node.tick(now); // the key is to go, and that is not recorded yet
    node.force_layout(with_3_again());
    net.node(1).force_layout(with_3_again());
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    let now = net.now;
    while let Some(Output::Send(to, message)) = net.node(1).poll() {
        let mut bytes = vec![0; message.encoded_len()];
        message.to_slice(&mut bytes).unwrap();
        if to == NodeId::new(3) {
            let message = Message::from_slice(&bytes).unwrap();
            net.node(3).receive(now, NodeId::new(1), message).unwrap();
            break;
        }
    }
    net.settle_disks();
    let answers = core::mem::take(&mut net.wire);
    assert!(answers.iter().any(|answer| text(&answer.bytes).contains("Written")));
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
    net.restart(3, &with_3_again());
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
}

#[test]
fn key_that_goes_right_after_its_record_was_made_goes_from_the_disk_too() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.settle_disks();
    let envelope = net.wire.iter().find(|envelope| envelope.to == 3).unwrap().clone();
    let message = Message::from_slice(&envelope.bytes).unwrap();
    net.node(3).receive(now, NodeId::new(1), message).unwrap();
    // the driver takes the record, and time passes before it asks for more
    let Some(Output::Persist(ticket, record)) = net.node(3).poll() else { panic!() };
    let mut bytes = vec![0; record.encoded_len()];
    record.to_slice(&mut bytes).unwrap();
    net.disks.iter_mut().find(|(at, ..)| *at == 3).unwrap().2.push((ticket, bytes));
    net.node(3).force_layout(without_3());
    net.node(3).tick(now);
    net.settle_disks();
    assert_eq!(net.node(3).local(b"k"), None);
    net.restart(3, &without_3());
    assert_eq!(net.node(3).local(b"k"), None);
}

#[test]
fn read_that_was_done_when_the_layout_changed_repairs_nobody_of_the_old_one() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::One)).unwrap();
    net.run_among(&[1, 9]);
    net.told(9);
    let fresh = Net::new(&[9], &Same::new(&[1, 2, 3])).node(9).clone();
    net.node(9).clone_from(&fresh);
    net.node(9).read(now, b"k", read(ReadRepair::Background)).unwrap();
    net.settle_disks();
    for request in core::mem::take(&mut net.wire) {
        if request.to != 2 {
            net.give(&request).unwrap();
        }
    }
    for answer in core::mem::take(&mut net.wire) {
        let message = Message::from_slice(&answer.bytes).unwrap();
        net.node(9).receive(now, NodeId::new(answer.from), message).unwrap();
    }
    for node in [9, 1, 2, 3] {
        net.node(node).force_layout(without_3());
    }
    for _ in 0..6 {
        net.tick(1_000);
        net.run();
    }
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
    assert_eq!(net.node(9).status().requests, 0);
    assert_eq!(net.node(3).local(b"k"), None);
}

#[test]
fn only_the_collector_seals() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    for from in [2, 9] {
        assert_eq!(forge(&mut net, from, 3, seal(u64::MAX)), Err(Rejected::Impossible));
    }
    let now = net.now;
    net.node(3).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(3), [Told::Written { superseded: false }]);
    assert_eq!(forge(&mut net, 1, 3, seal(5)), Ok(()));
}

#[test]
fn floor_of_an_answer_that_was_not_asked_for_counts_for_nothing() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let sealed = forged(7, SEAL | 9, 15, &[u64::MAX, u64::MAX, 1, 0, 0]);
    let _ = forge(&mut net, 2, 1, sealed);
    assert_eq!(net.node(1).status().floor, 0);
    erase(&mut net, 3, &Same::new(&[1, 2, 3]));
    for (from, asked) in [(2, CATCH_UP | 1), (9, CATCH_UP | 1), (1, CATCH_UP | 2)] {
        net.tick(1); // it asks node 1
        let swept = forged(7, 1 << 63 | 5, 12, &[8, asked, u64::MAX, u64::MAX]);
        let _ = forge(&mut net, from, 3, swept);
        assert_eq!(net.node(3).status().floor, 0, "{from}");
    }
}

#[test]
fn only_members_are_rebuilt() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let rebuild = || forged(7, CATCH_UP | 1, 17, &[]);
    assert_eq!(forge(&mut net, 9, 1, rebuild()), Err(Rejected::Impossible));
    assert_eq!(forge(&mut net, 2, 1, rebuild()), Ok(()));
}

#[test]
fn round_of_sweeps_that_left_a_replica_out_counts_for_nothing() {
    let mut node = split_node(2);
    node.found();
    let mut now = quorate_core::Instant::ZERO;
    drain(&mut node);
    let put = |number: u64, key: u64| forged(7, number, 0, &[0, 1, key, 5, 1, 0, 0, 0, 0]);
    take(&mut node, now, 3, &put(1, 100));
    drain(&mut node);
    let mut taken = false;
    let mut passes = Vec::new();
    for _ in 0..12 {
        now = now.after(config().sweep_us.max(config().sweep_pause_us));
        node.tick(now);
        let mut sent = drain(&mut node);
        while let Some((to, bytes)) = sent.pop() {
            let text = text(&bytes);
            // an answer repeats incarnation and number of the question, which are its first four fields with the version
            let mut ends = (1..).zip(&bytes).filter(|(_, byte)| **byte <= 0x7f);
            let mut answer = bytes[..ends.nth(3).unwrap().0].to_vec();
            if text.contains("Summary") {
                answer.push(8); // the same
            } else if text.contains("Swept") {
                passes.push(to);
                answer.push(13);
                if !taken && passes.len() == 2 {
                    // another key, shared with node 1, comes where this pass has been
                    taken = true;
                    take(&mut node, now, 1, &put(2, 10));
                    drain(&mut node);
                    let said = report(&mut node, now);
                    assert!(said.contains("done false"), "{said}");
                }
            } else {
                continue;
            }
            take(&mut node, now, to, &answer);
            sent.extend(drain(&mut node));
            if taken && report(&mut node, now).contains("done true") {
                assert!(passes.contains(&1), "node 1 was left out: {passes:?}");
                return;
            }
        }
    }
    panic!("it is never done: {passes:?}");
}

#[test]
fn input_that_finds_nothing_due_looks_for_no_nodes() {
    for id in [1, 2, 9] {
        let mut node = split_node(id);
        if id != 9 {
            node.found();
        }
        let now = quorate_core::Instant::ZERO;
        node.tick(now);
        drain(&mut node);
        let layout = node.layout().clone();
        let before = layout.lookups.get();
        for step in 1..100 {
            let now = now.after(step);
            node.tick(now);
            assert!(node.deadline().is_some_and(|at| at > now));
            let question = forged(7, step, 3, &[0, 1, 10]);
            take(&mut node, now, 3, &question);
            drain(&mut node);
        }
        assert_eq!(layout.lookups.get(), before, "node {id}");
    }
}

/// The key is deleted and its tombstone purged, while node 9 stands still.
fn delete_and_purge(net: &mut Net<Register>) {
    let now = net.now;
    let after_read = WriteOptions { order: Order::AfterRead, ..write(Level::All) };
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read).unwrap();
    net.run();
    for _ in 0..600 {
        net.now = net.now.after(config().sweep_pause_us);
        let now = net.now;
        for node in [1, 2, 3] {
            net.node(node).tick(now);
            net.run();
        }
    }
    assert_eq!(net.node(1).local(b"k"), None);
    assert!(net.node(1).status().floor >= 2);
    net.told(9);
}

#[test]
fn read_that_was_long_on_its_way_does_not_return_what_was_deleted_meanwhile() {
    for repair in
        [ReadRepair::Off, ReadRepair::Background, ReadRepair::Blocking, ReadRepair::Always]
    {
        // the old value comes first, or last
        for late in [false, true] {
            let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
            let now = net.now;
            net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
            net.run();
            net.node(9).read(now, b"k", read(repair)).unwrap();
            net.settle_disks();
            let asked = core::mem::take(&mut net.wire);
            // node 3 answers; the questions to the others are long on their way, and node 9 stands still
            net.give(&asked[2]).unwrap();
            let answer = net.wire.pop_front().unwrap();
            if !late {
                net.give(&answer).unwrap();
            }
            delete_and_purge(&mut net);
            net.give(&asked[0]).unwrap();
            let nothing = net.wire.pop_front().unwrap();
            net.give(&nothing).unwrap();
            net.wire.clear(); // the questions of the next attempt
            if late {
                assert_eq!(net.told(9), []);
                net.give(&answer).unwrap();
            }
            assert_eq!(net.told(9), [Told::Found(None)], "{repair:?} {late}");
            // the last replica answers: there is nothing to repair with, and nothing is left to do
            net.give(&asked[1]).unwrap();
            let nothing = net.wire.pop_front().unwrap();
            net.give(&nothing).unwrap();
            assert_eq!(net.node(9).status().requests, 0, "{repair:?} {late}");
        }
    }
}

#[test]
fn joining_node_that_has_not_got_a_value_yet_has_not_purged_it() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"alive", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.run();
    delete_and_purge(&mut net);
    let moving = Same { epoch: 2, next: Some(vec![2, 3, 4]), ..Same::new(&[1, 2, 3]) };
    let joining = Store::new(NodeId::new(4), 7, moving.clone(), config()).unwrap();
    net.nodes.push((4, joining));
    net.disks.push((4, Vec::new(), Vec::new()));
    for node in [1, 2, 3, 4, 9] {
        net.node(node).force_layout(moving.clone());
    }
    let now = net.now;
    net.node(1).tick(now);
    net.run();
    assert!(net.node(4).status().founded && net.node(4).status().sealed >= 2);
    assert_eq!(net.node(4).local(b"alive"), None);
    net.node(9).read(now, b"alive", read(ReadRepair::Off)).unwrap();
    net.settle_disks();
    // node 4 answers first
    net.wire.make_contiguous().sort_by_key(|envelope| core::cmp::Reverse(envelope.to));
    net.run();
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
}

#[test]
fn write_back_that_was_long_on_its_way_does_not_return_what_was_deleted_meanwhile() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.run();
    net.node(9).read(now, b"k", read(ReadRepair::Always)).unwrap();
    net.settle_disks();
    let asked = core::mem::take(&mut net.wire);
    for question in &asked {
        net.give(question).unwrap();
    }
    let answers = core::mem::take(&mut net.wire);
    for answer in &answers {
        net.give(answer).unwrap();
    }
    let write_back = core::mem::take(&mut net.wire);
    assert_eq!(write_back.len(), 3);
    delete_and_purge(&mut net);
    write_back.iter().for_each(|request| net.give(request).unwrap());
    net.run();
    // it asks again, with the next attempt
    assert_eq!(net.told(9), []);
    net.tick(1_000);
    net.run();
    assert_eq!(net.told(9), [Told::Found(None)]);
}

#[test]
fn node_that_shares_nothing_goes_over_its_keys_in_long_runs() {
    let mut net = Net::<Register>::new(&[1], &Same::new(&[1]));
    let now = net.now;
    for key in [b"a", b"b", b"c", b"d", b"e", b"f", b"g"] {
        net.node(1).write(now, key, Tagged::nth(1, 5), write(Level::One)).unwrap();
        net.run();
    }
    for _ in 0..3 {
        net.tick(config().sweep_us.max(config().sweep_pause_us));
    }
    assert!(net.node(1).status().synchronized);
}

#[test]
fn new_value_below_the_floor_is_refused_where_there_is_a_later_one_too() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(9, 5), write(Level::All)).unwrap();
    net.run();
    net.told(9);
    for node in [2, 3] {
        forge(&mut net, 1, node, seal(5)).unwrap();
    }
    net.wire.clear();
    net.node(9).write(now, b"k", Tagged::nth(1, 6), write(Level::Quorum)).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Failed(Failure::Purged { floor: 5 }, None)]);
}

#[test]
fn topology_that_comes_late_answers_no_request() {
    let new = Same { epoch: 2, topology: vec![2, 3], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    net.node(1).force_layout(new.clone());
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.settle_disks();
    let asked = net.wire.pop_front().unwrap();
    net.wire.clear();
    net.give(&asked).unwrap();
    let refused = net.wire.pop_front().unwrap();
    net.give(&refused).unwrap();
    let topology = net.wire.pop_front().unwrap();
    assert_eq!(topology.to, 2);
    net.wire.clear();
    // node 2 hears of the layout from its application, and asks something with the same number and incarnation
    net.node(2).force_layout(new.clone());
    net.node(3).force_layout(new);
    net.node(2).write(now, b"l", Tagged::nth(1, 6), write(Level::All)).unwrap();
    net.settle_disks();
    net.give(&topology).unwrap();
    assert_eq!(net.told(2), []);
    net.run();
    assert_eq!(net.told(2), [Told::Written { superseded: false }]);
}

#[test]
fn key_that_is_written_more_often_than_the_disk_finishes_can_be_read() {
    let mut net = Net::<Register>::new(&[1, 2, 9], &Same::new(&[1, 2]));
    net.slow_disks = vec![2];
    let now = net.now;
    let mut read_at = None;
    for number in 1..20 {
        let before = net.disks.iter().find(|(at, ..)| *at == 2).unwrap().2.len();
        net.node(1).write(now, b"k", Tagged::nth(number, 5), write(Level::One)).unwrap();
        net.run_among(&[1, 2]);
        if number == 1 {
            net.node(9)
                .read(now, b"k", ReadOptions { level: Level::All, ..read(ReadRepair::Off) })
                .unwrap();
        }
        net.run();
        // a record comes before the disk of node 2 has finished the one before
        let disk = &mut net.disks.iter_mut().find(|(at, ..)| *at == 2).unwrap().2;
        let finished = disk.drain(..before).next_back();
        if let Some((ticket, _)) = finished {
            net.node(2).persisted(ticket);
        }
        net.run();
        if read_at.is_none() && !net.told(9).is_empty() {
            read_at = Some(number);
        }
    }
    assert_eq!(read_at, Some(3));
    // and it takes writes as before
    let disk = &mut net.disks.iter_mut().find(|(at, ..)| *at == 2).unwrap().2;
    let (ticket, _) = disk.drain(..).next_back().unwrap();
    net.node(2).persisted(ticket);
    net.slow_disks.clear();
    net.node(1).write(now, b"k", Tagged::nth(99, 5), write(Level::All)).unwrap();
    net.told.clear();
    net.run();
    assert_eq!(net.told(1), [Told::Written { superseded: false }]);
}
