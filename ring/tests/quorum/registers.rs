//! ABD registers, and what they cost.

use quorate_core::Machine as _;
use quorate_ring::quorum::{Order, ReadOptions, ReadRepair, Tagged, WriteOptions};

use super::net::{Net, Same, Told};

type Register = Tagged<u32>;

fn atomic() -> ReadOptions {
    ReadOptions { repair: ReadRepair::Always, ..ReadOptions::default() }
}

fn after_read() -> WriteOptions {
    WriteOptions { order: Order::AfterRead, ..WriteOptions::default() }
}

#[test]
fn messages_are_those_of_the_papers() {
    for n in [1, 3, 5, 7] {
        let replicas: Vec<u64> = (1..=n).collect();
        let layout = Same::new(&replicas);
        // the client is apart from the replicas
        let nodes: Vec<u64> = (1..=n + 1).collect();
        let mut net = Net::<Register>::new(&nodes, &layout);
        let (client, n) = (n + 1, n as usize);
        let now = net.now;
        net.node(client).write(now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
        net.run();
        assert_eq!(
            (net.sent, net.told(client)),
            (2 * n, vec![Told::Written { superseded: false }])
        );

        net.sent = 0;
        net.node(client).read(now, b"x", atomic()).unwrap();
        net.run();
        assert_eq!(
            (net.sent, net.told(client)),
            (4 * n, vec![Told::Found(Some(Tagged::nth(1, 10)))])
        );

        net.sent = 0;
        net.node(client).write(now, b"x", Tagged::new(11), after_read()).unwrap();
        net.run();
        assert_eq!(
            (net.sent, net.told(client)),
            (4 * n, vec![Told::Written { superseded: false }])
        );

        net.sent = 0;
        net.node(client).read(now, b"x", ReadOptions::default()).unwrap();
        net.run();
        let told = net.told(client);
        let [Told::Found(Some(found))] = &told[..] else { panic!("{told:?}") };
        assert_eq!((net.sent, found.get(), found.tag().number()), (2 * n, Some(&11), 2));
        // nothing is left to do
        assert_eq!(net.node(client).status().requests, 0);
    }
}

#[test]
fn second_reader_sees_what_the_first_one_saw() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3, 8, 9], &layout);
    let now = net.now;
    net.node(8).write(now, b"x", Tagged::nth(1, 1), WriteOptions::default()).unwrap();
    net.run_among(&[1, 8]); // write 1 reached node 1 only
    assert_eq!(net.told(8), []);

    for (repair, seen) in
        [(ReadRepair::Always, true), (ReadRepair::Blocking, true), (ReadRepair::Off, false)]
    {
        let mut net = Net::<Register>::new(&[1, 2, 3, 8, 9], &layout);
        net.node(8).write(now, b"x", Tagged::nth(1, 1), WriteOptions::default()).unwrap();
        net.run_among(&[1, 8]);
        let options = ReadOptions { repair, ..ReadOptions::default() };
        net.node(9).read(now, b"x", options).unwrap();
        net.run_among(&[1, 2, 9]);
        assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 1)))]);
        net.node(8).read(now, b"x", options).unwrap();
        net.run_among(&[2, 3, 8]);
        let found = net.told(8);
        // without the write-back the second reader is behind the first: W + R > N is not linearizable
        assert_eq!(found, [Told::Found(seen.then(|| Tagged::nth(1, 1)))], "{repair:?}");
    }
}

#[test]
fn failure_tells_whether_the_value_was_sent() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let time_out = |net: &mut Net<Register>| {
        for _ in 0..4 {
            net.tick(1_000);
            net.run_among(&[1]);
        }
        assert_eq!(net.told(1).len(), 1);
        core::mem::take(&mut net.failed_sent)
    };
    let now = net.now;
    net.node(1).write(now, b"x", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run_among(&[1]);
    assert_eq!(time_out(&mut net), [true]);
    let now = net.now;
    net.node(1).write(now, b"x", Tagged::new(6), after_read()).unwrap();
    net.run_among(&[1]);
    assert_eq!(time_out(&mut net), [false]);
    // it was asked what is there, and only then nobody answers any more
    let now = net.now;
    net.node(1).write(now, b"x", Tagged::new(7), after_read()).unwrap();
    net.settle_disks();
    for question in core::mem::take(&mut net.wire) {
        net.give(&question).unwrap();
    }
    for answer in core::mem::take(&mut net.wire) {
        net.give(&answer).unwrap();
    }
    net.wire.clear();
    assert_eq!(time_out(&mut net), [true]);
    let now = net.now;
    net.node(1).read(now, b"x", atomic()).unwrap();
    net.run_among(&[1]);
    assert_eq!(time_out(&mut net), [false]);
}
