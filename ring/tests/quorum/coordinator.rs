//! A coordinator that is no replica.

use quorate_core::{Corrupt, Instant, Machine as _, NodeId, Output, Rejected, Wire as _};
use quorate_ring::quorum::{
    Coordinator, Failure, Inline, Level, Message, Order, ReadOptions, ReadRepair, Record,
    RequestError, Tagged, WriteOptions,
};

use super::net::{Envelope, Net, Same, config, told};

type Register = Tagged<u32>;
type Client = Coordinator<Register, Same, Inline<0, 16>>;

const CLIENT: u64 = 9;

fn client(layout: &Same) -> Client {
    client_with_id(CLIENT, layout)
}

fn client_with_id(id: u64, layout: &Same) -> Client {
    Client::new(NodeId::new(id), 3, layout.clone(), config()).unwrap()
}

/// What came of messages between a client and nodes.
#[derive(PartialEq, Debug, Default)]
struct Ran {
    messages: usize,
    round_trips: usize,
    /// What the client was told.
    events: Vec<String>,
}

/// Carries messages between the client and the nodes until none is left.
fn run(client: &mut Client, net: &mut Net<Register>, among: &[u64]) -> Ran {
    let mut ran = Ran::default();
    let id = client.status().id.get();
    net.settle_disks();
    loop {
        let mut out = Vec::new();
        while let Some(output) = client.poll() {
            match output {
                Output::Send(to, message) => out.push((to.get(), message.to_vec())),
                Output::Event(event) => ran.events.push(format!("{:?}", told(id, event).2)),
                Output::Persist(..) => panic!("a client has no disk"),
            }
        }
        ran.messages += out.len();
        ran.round_trips += usize::from(!out.is_empty());
        for (to, bytes) in out.iter().filter(|(to, _)| among.contains(to)) {
            net.give(&Envelope { from: id, to: *to, bytes: bytes.clone() }).unwrap();
        }
        let answers: Vec<Envelope> = net.wire.drain(..).collect();
        ran.messages += answers.len();
        if out.is_empty() && answers.is_empty() {
            return ran;
        }
        for answer in answers {
            assert_eq!(answer.to, id);
            let message = Message::from_slice(&answer.bytes).unwrap();
            client.receive(net.now, NodeId::new(answer.from), message).unwrap();
        }
    }
}

const WRITTEN: &str = "Written { superseded: false }";

/// The event of a read that found this value.
fn found(number: u64, value: u32) -> String {
    format!("Found({:?})", Some(Tagged::nth(number, value)))
}

#[test]
fn worked_example_abd_messages_and_round_trips() {
    for n in [3, 5] {
        let replicas: Vec<u64> = (1..=n).collect();
        let layout = Same::new(&replicas);
        let mut net = Net::<Register>::new(&replicas, &layout);
        let mut client = client(&layout);
        let (now, n) = (net.now, n as usize);
        let atomic = ReadOptions { repair: ReadRepair::Always, ..ReadOptions::default() };
        // the only writer counts its writes itself
        client.write(now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
        let ran = run(&mut client, &mut net, &replicas);
        assert_eq!(ran, Ran { messages: 2 * n, round_trips: 1, events: vec![WRITTEN.into()] });
        client.read(now, b"x", atomic).unwrap();
        let ran = run(&mut client, &mut net, &replicas);
        assert_eq!(ran, Ran { messages: 4 * n, round_trips: 2, events: vec![found(1, 10)] });
        // one of many asks first
        let after_read = WriteOptions { order: Order::AfterRead, ..WriteOptions::default() };
        client.write(now, b"x", Tagged::new(11), after_read).unwrap();
        let ran = run(&mut client, &mut net, &replicas);
        assert_eq!(ran, Ran { messages: 4 * n, round_trips: 2, events: vec![WRITTEN.into()] });
        client.read(now, b"x", atomic).unwrap();
        let ran = run(&mut client, &mut net, &replicas);
        assert_eq!((ran.messages, ran.round_trips), (4 * n, 2));
        assert!(ran.events[0].contains("Some(11)"), "{ran:?}");
        // without the write-back: one round trip less, and less of a promise
        let plain = ReadOptions { repair: ReadRepair::Off, ..ReadOptions::default() };
        client.read(now, b"x", plain).unwrap();
        let ran = run(&mut client, &mut net, &replicas);
        assert_eq!((ran.messages, ran.round_trips), (2 * n, 1));
        assert_eq!((client.status().requests, client.checkpoint().count()), (0, 0));
    }
}

/// Write 1 has reached replica 1 only, and is still open. Then A asks replicas 1 and 2, and when it has returned B asks 2 and 3: what A and B found, and what
/// replica 2 held when A returned.
fn history(repair: ReadRepair) -> ([Vec<String>; 2], Option<Register>) {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let now = net.now;
    let [mut writer, mut a, mut b] = [7, 8, 9].map(|id| client_with_id(id, &layout));
    let options = ReadOptions { repair, ..ReadOptions::default() };
    writer.write(now, b"x", Tagged::nth(1, 1), WriteOptions::default()).unwrap();
    assert_eq!(run(&mut writer, &mut net, &[1]).events, [""; 0]);
    a.read(now, b"x", options).unwrap();
    // what is written back is not on the disk of replica 2 yet
    net.slow_disks = vec![2];
    let mut found_by_a = run(&mut a, &mut net, &[1, 2]).events;
    let writes_back = !matches!(repair, ReadRepair::Off);
    assert_eq!(found_by_a.is_empty(), writes_back, "{repair:?}");
    net.slow_disks.clear();
    found_by_a.extend(run(&mut a, &mut net, &[1, 2]).events);
    let at_2 = net.node(2).local(b"x").cloned();
    b.read(now, b"x", options).unwrap();
    let found_by_b = run(&mut b, &mut net, &[2, 3]).events;
    ([found_by_a, found_by_b], at_2)
}

#[test]
fn worked_example_inversion() {
    for repair in [ReadRepair::Always, ReadRepair::Blocking] {
        let (found_by, at_2) = history(repair);
        assert_eq!(found_by, [vec![found(1, 1)], vec![found(1, 1)]], "{repair:?}");
        assert_eq!(at_2, Some(Tagged::nth(1, 1)), "{repair:?}");
    }
}

/// R + W > N, and no order of the write and the two reads is one of a register: B begins after A has returned 1, and returns what was there before.
#[test]
fn worked_example_inversion_without_write_back() {
    let (found_by, at_2) = history(ReadRepair::Off);
    assert_eq!(found_by, [vec![found(1, 1)], vec!["Found(None)".into()]]);
    assert_eq!(at_2, None);
}

#[test]
fn request_without_enough_answers_times_out() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let mut client = client(&layout);
    client.write(net.now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
    let mut events = run(&mut client, &mut net, &[1]).events;
    while let Some(at) = client.deadline() {
        net.now = at;
        client.tick(at);
        events.extend(run(&mut client, &mut net, &[1]).events);
    }
    let timeout = Failure::Timeout { acked: 1, required: 2 };
    assert_eq!(events, [format!("Failed({timeout:?}, None)")]);
}

#[test]
fn request_that_cannot_succeed_is_not_sent() {
    let mut client = client(&Same::new(&[1, 2, 3]));
    client.set_down(NodeId::new(1), true);
    client.set_down(NodeId::new(2), true);
    let result = client.read(Instant::ZERO, b"x", ReadOptions::default());
    assert_eq!(result, Err(RequestError::Unavailable { required: 2, alive: 1 }));
    let four = ReadOptions { level: Level::Count(4), ..ReadOptions::default() };
    assert!(client.read(Instant::ZERO, b"x", four).is_err());
    assert!(client.poll().is_none());
    assert_eq!(client.status().requests, 0);
    client.set_down(NodeId::new(2), false);
    assert!(client.read(Instant::ZERO, b"x", ReadOptions::default()).is_ok());
}

#[test]
fn older_layout_is_replaced_by_that_of_a_replica() {
    let mut newer = Same::new(&[1, 2, 3]);
    (newer.epoch, newer.topology) = (2, vec![2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &newer);
    let mut client = client(&Same::new(&[1, 2]));
    client.write(net.now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
    let mut events = run(&mut client, &mut net, &[1, 2, 3]).events;
    assert_eq!(events.pop().as_deref(), Some(WRITTEN));
    assert_eq!(events, ["LayoutChanged"]);
    assert_eq!(client.status().version.epoch, 2);
    // the new one's third replica has it, so it was asked as well
    assert!(net.node(3).local(b"x").is_some());
}

#[test]
fn what_is_not_for_a_client_is_refused() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3, 8], &layout);
    let mut client = client(&layout);
    net.node(8).write(Instant::ZERO, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
    net.settle_disks();
    let request = net.wire.pop_front().unwrap();
    let message = || Message::from_slice(&request.bytes).unwrap();
    assert_eq!(client.receive(net.now, NodeId::new(8), message()), Err(Rejected::Impossible));
    assert_eq!(client.receive(net.now, NodeId::new(CLIENT), message()), Err(Rejected::Impossible));
    assert_eq!(client.rejections().total(), 2);
    let (_, records, _) = &net.disks[0];
    let record = Record::from_slice(&records[0]).unwrap();
    assert_eq!(client.restore(record), Err(Corrupt::Malformed));
    assert!(client.poll().is_none());
}
