//! Levels, outcomes, and which answers count.

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{Machine as _, NodeId, Wire as _};
use quorate_ring::quorum::{
    Failure, Level, Lww, Message, Order, ReadOptions, ReadRepair, RequestError, WriteOptions,
};

use super::net::{Net, Same, Told, config};

type Cell = Lww<u32>;

fn at(micros: u64, value: u32) -> Cell {
    Lww::new(stamp(micros), value)
}

fn stamp(micros: u64) -> Stamp {
    Stamp { time: Timestamp::from_micros(micros), actor: Actor::from(NodeId::new(1)) }
}

const OK: Told<Cell> = Told::Written { superseded: false };

fn write(level: Level) -> WriteOptions {
    WriteOptions { level, ..WriteOptions::default() }
}

fn read(level: Level) -> ReadOptions {
    ReadOptions { level, repair: ReadRepair::Off, ..ReadOptions::default() }
}

#[test]
fn write_and_read_at_a_replica_take_four_messages() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", at(1, 5), write(Level::Count(2))).unwrap();
    net.run();
    assert_eq!((net.sent, net.told(1)), (4, vec![OK]));
    net.sent = 0;
    net.node(1).read(now, b"k", read(Level::Count(2))).unwrap();
    net.run();
    assert_eq!((net.sent, net.told(1)), (4, vec![Told::Found(Some(at(1, 5)))]));
}

#[test]
fn request_is_done_when_as_many_have_answered_as_it_asks_for() {
    for (level, enough) in
        [(Level::One, 1), (Level::Quorum, 3), (Level::Count(4), 4), (Level::All, 5)]
    {
        let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5, 9], &Same::new(&[1, 2, 3, 4, 5]));
        let now = net.now;
        net.node(9).write(now, b"k", at(1, 5), write(level)).unwrap();
        net.settle_disks();
        for count in 1..=5 {
            let request = net.wire.pop_front().unwrap();
            net.give(&request).unwrap();
            let answer = net.wire.pop_back().unwrap();
            net.give(&answer).unwrap();
            net.give(&answer).unwrap(); // a copy of it counts for nothing
            assert_eq!(net.told(9).len(), usize::from(count == enough), "{level:?} after {count}");
        }
    }
}

#[test]
fn request_that_cannot_be_met_is_not_sent() {
    let mut net = Net::<Cell>::new(&[1, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    for down in [2, 3] {
        net.node(9).set_down(NodeId::new(down), true);
    }
    let before = net.node(9).clone();
    let unavailable = RequestError::Unavailable { required: 2, alive: 1 };
    let result = net.node(9).write(now, b"k", at(1, 5), write(Level::Quorum));
    assert_eq!(result, Err(unavailable));
    assert_eq!(net.node(9).read(now, b"k", read(Level::Quorum)), Err(unavailable));
    assert!(matches!(
        net.node(9).read(now, b"k", read(Level::Count(4))),
        Err(RequestError::Level(_))
    ));
    assert_eq!(
        net.node(9).write(now, &[0; 17], at(1, 5), write(Level::One)),
        Err(RequestError::KeyTooLong)
    );
    let mut after = net.node(9).clone();
    after.tick(now);
    let mut before = before;
    before.tick(now);
    assert_eq!(before, after);
    assert!(net.wire.is_empty());
}

#[test]
fn request_times_out_and_says_how_many_answered() {
    let mut net = Net::<Cell>::new(&[1, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", at(1, 5), write(Level::Quorum)).unwrap();
    for _ in 0..4 {
        net.run();
        assert_eq!(net.told(9), []);
        net.tick(1_000);
    }
    let timeout = Failure::Timeout { acked: 1, required: 2 };
    assert_eq!(net.told(9), [Told::Failed(timeout, None)]);
    assert_eq!(net.node(9).status().requests, 0);
    // it is not undone
    assert_eq!(net.node(1).local(b"k"), Some(&at(1, 5)));
}

#[test]
fn answer_waits_for_the_disk() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.slow_disks = vec![1, 2];
    net.node(1).write(now, b"k", at(1, 5), write(Level::Quorum)).unwrap();
    net.run();
    assert_eq!(net.told(1), []); // node 3 alone has it
    net.node(1).read(now, b"k", read(Level::Quorum)).unwrap();
    net.run();
    assert_eq!(net.told(1), []); // nobody shows what a crash could take back
    net.slow_disks = vec![1];
    net.run();
    assert_eq!(net.told(1), [OK, Told::Found(Some(at(1, 5)))]);
}

#[test]
fn later_value_stays_and_the_writer_is_told() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", Lww::tombstone(stamp(9)), write(Level::All)).unwrap();
    net.run();
    net.node(2).write(now, b"k", at(4, 1), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(2), [Told::Written { superseded: true }]);
    net.node(2).read(now, b"k", read(Level::One)).unwrap();
    net.run();
    assert_eq!(net.told(2), [Told::Found(Some(Lww::tombstone(stamp(9))))]);
}

#[test]
fn write_that_is_not_later_than_what_is_there_fails_and_is_not_sent() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", at(9, 5), write(Level::All)).unwrap();
    net.run();
    net.told(1);
    let options = WriteOptions { order: Order::AfterRead, ..write(Level::Quorum) };
    net.node(1).write(now, b"k", at(8, 6), options).unwrap();
    net.run();
    assert_eq!(net.told(1), [Told::Failed(Failure::Behind { floor: 0 }, Some(at(9, 5)))]);
    assert_eq!(net.failed_sent, [false]);
}

/// Directories from before nodes recorded whether they have caught up open: such a node takes part, and asks the others once.
#[test]
fn records_from_before_catching_up_was_recorded_restore() {
    let layout = Same::new(&[1, 2]);
    let mut net = Net::<Cell>::new(&[1, 2], &layout);
    let node = net.disks.iter_mut().find(|(at, ..)| *at == 1).unwrap();
    let old: [&[u8]; 3] = [&[3, 1], &[0, 1, b'k', 7, 0x80, 0x80, 0x4b, 1, 0, 1, 5], &[6, 3]];
    let value = Cell::from_slice(&old[1][4..]);
    assert!(value.is_ok(), "{value:?}");
    node.1 = old.map(<[u8]>::to_vec).to_vec();
    net.restart(1, &layout);
    net.tick(0);
    let status = net.node(1).status();
    assert!(status.founded && !status.synchronized && status.sealed == 3, "{status:?}");
    net.tick(config().retry_us);
    net.run();
    assert!(net.node(1).status().synchronized);
    assert_eq!(net.node(2).status().sealed, 0);
}

/// A node from before asked for sweeps by another number: what it would take is not what this one sends.
#[test]
fn question_of_nodes_from_before_is_refused() {
    for number in [16, 18] {
        assert!(Message::<Cell>::from_slice(&[7, 1, 1, 0, number]).is_err(), "{number}");
    }
    assert!(Message::<Cell>::from_slice(&[7, 1, 1, 0, 17]).is_ok());
}

/// What the bytes of messages and records are, in this version and in later ones.
#[test]
fn bytes_are_stable() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut net = Net::<Cell>::new(&[1, 2], &Same::new(&[1, 2]));
    let now = net.now;
    net.node(1).write(now, b"k", at(300, 5), write(Level::All)).unwrap();
    net.settle_disks();
    let asked = net.wire.pop_front().unwrap();
    assert_eq!(hex(&asked.bytes), "0780800401000000016b0780804b01000105");
    net.give(&asked).unwrap();
    let answer = net.wire.pop_front().unwrap();
    assert_eq!(hex(&answer.bytes), "0780800401000200");
    net.give(&answer).unwrap();
    net.node(1).read(now, b"k", read(Level::All)).unwrap();
    net.settle_disks();
    let asked = net.wire.pop_front().unwrap();
    assert_eq!(hex(&asked.bytes), "0780800801000300016b");
    net.give(&asked).unwrap();
    let answer = net.wire.pop_front().unwrap();
    assert_eq!(hex(&answer.bytes), "07808008010004010780804b0100010500");
    let records: Vec<_> = net.disks[1].1.iter().map(|record| hex(record)).collect();
    assert_eq!(records, ["0301", "080100", "00016b0780804b01000105"]);
}
