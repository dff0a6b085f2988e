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
    Client::new(NodeId::new(CLIENT), 3, layout.clone(), config()).unwrap()
}

/// Carries messages between the client and the nodes until none is left; returns how many, and what the client was told.
fn run(client: &mut Client, net: &mut Net<Register>, among: &[u64]) -> (usize, Vec<String>) {
    let (mut messages, mut events) = (0, Vec::new());
    loop {
        let mut out = Vec::new();
        while let Some(output) = client.poll() {
            match output {
                Output::Send(to, message) => out.push((to.get(), message.to_vec())),
                Output::Event(event) => events.push(format!("{:?}", told(CLIENT, event).2)),
                Output::Persist(..) => panic!("a client has no disk"),
            }
        }
        messages += out.len();
        for (to, bytes) in out.iter().filter(|(to, _)| among.contains(to)) {
            net.give(&Envelope { from: CLIENT, to: *to, bytes: bytes.clone() }).unwrap();
        }
        let answers: Vec<Envelope> = net.wire.drain(..).collect();
        messages += answers.len();
        if out.is_empty() && answers.is_empty() {
            return (messages, events);
        }
        for answer in answers {
            assert_eq!(answer.to, CLIENT);
            let message = Message::from_slice(&answer.bytes).unwrap();
            client.receive(net.now, NodeId::new(answer.from), message).unwrap();
        }
    }
}

#[test]
fn costs_what_the_papers_say() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let mut client = client(&layout);
    let (now, all) = (net.now, [1, 2, 3]);
    client.write(now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
    assert_eq!(run(&mut client, &mut net, &all), (6, vec!["Written { superseded: false }".into()]));
    let after_read = WriteOptions { order: Order::AfterRead, ..WriteOptions::default() };
    client.write(now, b"x", Tagged::new(11), after_read).unwrap();
    assert_eq!(run(&mut client, &mut net, &all).0, 12);
    let atomic = ReadOptions { repair: ReadRepair::Always, ..ReadOptions::default() };
    client.read(now, b"x", atomic).unwrap();
    let (messages, events) = run(&mut client, &mut net, &all);
    assert_eq!(messages, 12);
    assert!(events[0].contains("Some(11)"), "{events:?}");
    assert_eq!((client.status().requests, client.checkpoint().count()), (0, 0));
}

#[test]
fn request_without_enough_answers_times_out() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let mut client = client(&layout);
    client.write(net.now, b"x", Tagged::nth(1, 10), WriteOptions::default()).unwrap();
    let mut events = run(&mut client, &mut net, &[1]).1;
    while let Some(at) = client.deadline() {
        net.now = at;
        client.tick(at);
        events.extend(run(&mut client, &mut net, &[1]).1);
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
    let mut events = run(&mut client, &mut net, &[1, 2, 3]).1;
    assert_eq!(events.pop().as_deref(), Some("Written { superseded: false }"));
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
