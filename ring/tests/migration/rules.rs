//! The rules of a hand-over, message by message.

use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Ticket, Tickets, Wire};
use quorate_ring::migration::{
    BeginError, Body, Config, Event, ForwardError, HandoverError, Inline, Item, Message, Migration,
    Ownership, Progress, ProvideError, Record, Refusal, Status,
};
use quorate_ring::topology::Version;
use quorate_ring::{Token, TokenRange};

type Node = Migration<u64, Inline<3, 2, 16, 4>>;
type Said = Message<'static, u64>;

const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const C: NodeId = NodeId::new(3);
const VERSION: Version = Version { epoch: 1, digest: 1 };
const CONFIG: Config = Config { max_open: 2, bytes_per_second: u64::MAX, ..Config::lan() };

/// One node, its disk and its clock.
struct Host {
    node: Node,
    log: Vec<Vec<u8>>,
    now: Instant,
    id: NodeId,
    /// Of the last record.
    last: Ticket,
}

/// What a node says, writes and tells, as text.
type Lines = Vec<String>;

impl Host {
    fn new(id: NodeId) -> Self {
        let mut node = Node::new(id, &[A, B, C], CONFIG).unwrap();
        node.tick(Instant::ZERO);
        Self { node, log: Vec::new(), now: Instant::ZERO, id, last: Ticket::default() }
    }

    /// Everything it has to do, with disks that take no time.
    fn run(&mut self) -> Lines {
        let mut said = Vec::new();
        loop {
            let mut last = None;
            while let Some(output) = self.node.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        self.log.push(record.to_vec());
                        last = Some(ticket);
                    }
                    Output::Send(to, message) => said.push(format!("{to} {message:?}")),
                    Output::Event(event) => said.push(format!("{event:?}")),
                }
            }
            match last {
                Some(ticket) => self.node.persisted(ticket),
                None => return said,
            }
        }
    }

    /// What it has to do while its disk is busy.
    fn run_without_disk(&mut self) -> Lines {
        let mut said = Vec::new();
        while let Some(output) = self.node.poll() {
            match output {
                Output::Persist(ticket, record) => {
                    self.log.push(record.to_vec());
                    self.last = ticket;
                }
                Output::Send(to, message) => said.push(format!("{to} {message:?}")),
                Output::Event(event) => said.push(format!("{event:?}")),
            }
        }
        said
    }

    fn hear(&mut self, from: NodeId, message: Message<'_, u64>) -> Result<(), Rejected> {
        self.node.receive(self.now, from, message)
    }

    fn wait(&mut self, us: u64) -> Lines {
        self.now = self.now.after(us);
        self.node.tick(self.now);
        self.run()
    }

    fn restart(&mut self) -> Lines {
        let mut node = Node::new(self.id, &[A, B, C], CONFIG).unwrap();
        for record in &self.log {
            node.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        self.node = node;
        self.node.tick(self.now);
        self.run()
    }

    /// A checkpoint takes the place of the log.
    fn swap_log(&mut self) {
        self.log = self.node.checkpoint().map(|record| record.to_vec()).collect();
    }

    /// A source whose target has begun.
    fn streaming() -> Self {
        let mut host = Self::new(A);
        host.node.begin(7, B, VERSION).unwrap();
        host.run();
        host.hear(B, position(1, 1, 0, false)).unwrap();
        assert!(has(&host.run(), "Read { range: 7, after: [], max_bytes: 16 }"));
        host
    }

    /// A source whose target has everything.
    fn copied() -> Self {
        let mut host = Self::streaming();
        host.node.provide(7, b"all", None).unwrap();
        assert!(has(&host.run(), "last: true"));
        host.hear(B, position(1, 1, 1, true)).unwrap();
        assert!(has(&host.run(), "Copied"));
        host
    }

    /// A source that released the range.
    fn released() -> Self {
        let mut host = Self::copied();
        host.node.release(7).unwrap();
        assert!(has(&host.run(), "2 Released { handover: 1, session: 1, items: 1 }"));
        host
    }

    /// A target that accepted the range.
    fn receiving() -> Self {
        let mut host = Self::new(B);
        host.hear(A, begin(1, 1)).unwrap();
        assert!(has(&host.run(), "Offered"));
        host.node.accept(7).unwrap();
        assert!(has(&host.run(), "1 Position { handover: 1, session: 1, item: 0"));
        host
    }

    /// A target that has everything.
    fn complete() -> Self {
        let mut host = Self::receiving();
        host.hear(A, chunk(1, 1, b"all", true)).unwrap();
        assert!(has(&host.run(), "Apply"));
        host.node.applied(7).unwrap();
        assert!(has(&host.run(), "item: 1, cursor: [], complete: true"));
        host
    }
}

fn has(said: &[String], what: &str) -> bool {
    said.iter().any(|line| line.contains(what))
}

const fn begin(handover: u64, session: u64) -> Said {
    Message::Begin { handover, session, range: 7, version: VERSION }
}

const fn position(handover: u64, session: u64, item: u64, complete: bool) -> Said {
    Message::Position { handover, session, item, cursor: &[], complete }
}

const fn chunk(session: u64, item: u64, bytes: &[u8], last: bool) -> Message<'_, u64> {
    let body = Body::Chunk { bytes, cursor: if last { b"" } else { b"k" }, last };
    Message::Item { handover: 1, session, item, body }
}

const fn released(session: u64, items: u64) -> Said {
    Message::Released { handover: 1, session, items }
}

#[test]
fn begun_ranges_are_bounded_and_do_not_overlap() {
    let mut host = Host::new(A);
    assert_eq!(host.node.begin(7, A, VERSION), Err(BeginError::UnknownTarget(A)));
    assert_eq!(
        host.node.begin(7, NodeId::new(9), VERSION),
        Err(BeginError::UnknownTarget(NodeId::new(9)))
    );
    host.node.begin(7, B, VERSION).unwrap();
    assert_eq!(host.node.begin(7, C, VERSION), Err(BeginError::Overlap));
    host.node.begin(8, C, VERSION).unwrap();
    assert_eq!(host.node.begin(9, C, VERSION), Err(BeginError::Busy));
    let mut fresh = Node::new(A, &[A, B], CONFIG).unwrap();
    assert_eq!(fresh.begin(7, B, VERSION), Err(BeginError::NotStarted));
}

#[test]
fn token_ranges_overlap_at_a_token() {
    let mut node = Migration::<TokenRange, Inline<2, 2, 16, 4>>::new(A, &[A, B], CONFIG).unwrap();
    node.tick(Instant::ZERO);
    let range = |first, last| TokenRange::new(Token::new(first), Token::new(last));
    node.begin(range(u64::MAX - 5, 10), B, VERSION).unwrap();
    assert_eq!(node.begin(range(10, 20), B, VERSION), Err(BeginError::Overlap));
    node.begin(range(11, 20), B, VERSION).unwrap();
    assert_eq!(node.ownership(range(3, 3)), Ownership::HandingOver(B));
    assert_eq!(node.ownership(range(21, 21)), Ownership::Settled);
}

#[test]
fn nothing_leaves_before_the_record_of_the_beginning() {
    let mut host = Host::new(A);
    host.node.begin(7, B, VERSION).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]);
}

#[test]
fn a_ticket_that_was_not_issued_makes_nothing_durable() {
    let mut others = Tickets::default();
    while others.issue().get() < 9 {}
    let mut host = Host::new(A);
    host.node.persisted(others.last());
    host.node.begin(7, B, VERSION).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]);
    host.node.persisted(others.last());
    assert_eq!(host.run_without_disk(), [""; 0]);
    host = Host::copied();
    while others.issue().get() < 99 {}
    host.node.release(7).unwrap();
    host.run_without_disk();
    host.node.persisted(others.last());
    assert_eq!(host.run_without_disk(), [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Releasing(B));
}

#[test]
fn the_source_owns_until_its_record_is_durable_and_then_the_target_is_told() {
    let mut host = Host::copied();
    host.node.release(7).unwrap();
    assert_eq!(host.node.forward(7, b"w"), Err(ForwardError::Releasing));
    assert_eq!(host.run_without_disk(), [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Releasing(B));
    assert_eq!(host.node.cancel(7), Err(HandoverError::Released));
    // the record was written, and the node crashed
    let said = host.restart();
    assert!(
        has(&said, "Released { range: 7") && has(&said, "2 Released { handover: 1"),
        "{said:?}"
    );
    assert_eq!(host.node.ownership(7), Ownership::Released(B));
}

#[test]
fn the_target_owns_when_its_record_is_durable() {
    let mut host = Host::complete();
    assert_eq!(host.node.ownership(7), Ownership::Arriving(A));
    host.hear(A, released(1, 1)).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Arriving(A));
    let said = host.restart();
    assert!(has(&said, "Arrived { range: 7") && has(&said, "1 Arrived { handover: 1"), "{said:?}");
    assert_eq!(host.node.ownership(7), Ownership::Arrived(A));
}

#[test]
fn the_source_tells_again_until_the_target_has_it_on_record() {
    let mut host = Host::released();
    for _ in 0..3 {
        assert!(has(&host.wait(CONFIG.retry_us), "2 Released"));
    }
    assert_eq!(host.node.retire(7), Err(HandoverError::Open));
    let arrived = Message::Arrived { handover: 1 };
    host.hear(B, arrived).unwrap();
    assert!(has(&host.run(), "2 Closed"));
    assert_eq!(host.wait(CONFIG.retry_us), [""; 0]);
    host.hear(B, arrived).unwrap();
    assert!(has(&host.run(), "2 Closed"));
    host.node.retire(7).unwrap();
    host.run();
    // and still it answers
    host.hear(B, arrived).unwrap();
    assert!(has(&host.run(), "2 Closed"));
    host.restart();
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn the_target_keeps_the_hand_over_until_the_source_knows() {
    let mut host = Host::complete();
    host.hear(A, released(1, 1)).unwrap();
    host.run();
    assert_eq!(host.node.retire(7), Err(HandoverError::Open));
    assert!(has(&host.wait(CONFIG.retry_us), "1 Arrived"));
    host.hear(A, Message::Gone { handover: 1 }).unwrap(); // to a late position, by a source that retired it
    assert_eq!(host.node.ownership(7), Ownership::Arrived(A));
    host.hear(A, Message::Closed { handover: 1 }).unwrap();
    host.node.retire(7).unwrap();
    assert_eq!(host.run(), [""; 0]);
    // what comes late does not make it the owner again
    host.hear(A, Message::Gone { handover: 1 }).unwrap();
    for late in [begin(1, 1), chunk(1, 1, b"old", true), released(1, 1)] {
        host.hear(A, late).unwrap();
        let said = host.run();
        assert!(has(&said, "Lost { handover: 1") && !has(&said, "Offered"), "{said:?}");
    }
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn what_is_decided_is_told_again_after_a_restart() {
    let mut source = Host::released();
    assert!(has(&source.restart(), "Released { range: 7, to"));
    source.hear(B, Message::Arrived { handover: 1 }).unwrap();
    assert!(has(&source.run(), "Closed { range: 7"));
    let said = source.restart();
    assert!(has(&said, "Closed { range: 7") && !has(&said, "Released"), "{said:?}");
    let mut target = Host::complete();
    target.hear(A, released(1, 1)).unwrap();
    assert!(has(&target.run(), "Arrived { range: 7"));
    target.hear(A, Message::Closed { handover: 1 }).unwrap();
    assert!(has(&target.restart(), "Arrived { range: 7"));
    // it asks once more, as what the source knows is not on record here
    target.hear(A, Message::Closed { handover: 1 }).unwrap();
    for host in [&mut source, &mut target] {
        host.node.retire(7).unwrap();
        host.run();
        assert_eq!(host.restart(), [""; 0]);
    }
}

#[test]
fn a_retired_hand_over_is_listed_no_longer() {
    let mut source = Host::released();
    source.hear(B, Message::Arrived { handover: 1 }).unwrap();
    source.run();
    let mut target = Host::complete();
    target.hear(A, released(1, 1)).unwrap();
    target.run();
    target.hear(A, Message::Closed { handover: 1 }).unwrap();
    let counts = |host: &Host| {
        let Status { leaving, released, arriving, arrived, .. } = host.node.status();
        assert_eq!(host.node.outgoing().count(), leaving + released);
        assert_eq!(host.node.incoming().count(), arriving + arrived);
        (leaving, released, arriving, arrived)
    };
    assert_eq!((counts(&source), counts(&target)), ((0, 1, 0, 0), (0, 0, 0, 1)));
    for host in [&mut source, &mut target] {
        host.node.retire(7).unwrap();
        assert_eq!(host.node.retire(7), Err(HandoverError::Unknown));
        assert_eq!(counts(host), (0, 0, 0, 0)); // also before its record is made
        host.run();
        assert_eq!(counts(host), (0, 0, 0, 0));
    }
}

#[test]
fn a_write_is_forwarded_before_it_is_told() {
    let mut host = Host::streaming();
    assert_eq!(host.node.release(7), Err(HandoverError::NotCopied));
    assert_eq!(host.node.forward(7, b"a"), Ok(1));
    assert_eq!(host.run(), [""; 0]); // a chunk is being read, and the write is behind it
    host.node.provide(7, b"part", Some(b"k")).unwrap();
    assert!(has(&host.run(), "Chunk"));
    assert_eq!(host.node.forward(7, b"b"), Ok(2));
    host.hear(B, position(1, 1, 1, false)).unwrap();
    let said = host.run();
    assert!(has(&said, "item: 2, body: Writes { frames: [1, 97, 1, 98] }"), "{said:?}");
    assert!(!has(&said, "Forwarded") && !has(&said, "Read"), "{said:?}");
    host.hear(B, position(1, 1, 2, false)).unwrap();
    let said = host.run();
    // told before the next chunk is read, so that it has them
    assert!(said[0].contains("Forwarded { range: 7, write: 2 }"), "{said:?}");
    assert!(said[1].contains("Read { range: 7, after: [107]"), "{said:?}");
}

#[test]
fn writes_that_wait_are_bounded() {
    let mut host = Host::streaming();
    assert_eq!(host.node.forward(7, &[0; 16]), Err(ForwardError::TooLong));
    assert_eq!(host.node.forward(7, &[0; 12]), Ok(1));
    assert_eq!(host.node.forward(7, &[0; 3]), Err(ForwardError::Busy));
    assert_eq!(host.node.forward(7, &[0; 2]), Ok(2));
    assert_eq!(host.node.forward(8, b"a"), Err(ForwardError::Unknown));
    assert_eq!(host.node.provide(7, &[0; 17], None), Err(ProvideError::TooLong));
    assert_eq!(host.node.provide(7, b"", Some(&[0; 5])), Err(ProvideError::TooLong));
    assert_eq!(host.node.provide(7, b"", None), Ok(()));
    assert_eq!(host.node.provide(7, b"", None), Err(ProvideError::NotRequested));
}

#[test]
fn a_range_is_released_behind_its_last_write() {
    let mut host = Host::copied();
    host.node.forward(7, b"a").unwrap();
    host.node.forward(7, b"b").unwrap(); // behind the first, which is under way
    host.node.release(7).unwrap();
    assert_eq!(host.node.forward(7, b"c"), Err(ForwardError::Releasing));
    let said = host.run();
    assert!(has(&said, "Writes") && !has(&said, "Released"), "{said:?}");
    assert_eq!(host.node.ownership(7), Ownership::Releasing(B));
    host.hear(B, position(1, 1, 2, true)).unwrap();
    let said = host.run();
    assert!(has(&said, "Writes { frames: [1, 98] }") && !has(&said, "Released"), "{said:?}");
    host.hear(B, position(1, 1, 3, true)).unwrap();
    let said = host.run();
    assert!(has(&said, "Forwarded { range: 7, write: 2 }") && has(&said, "items: 3"), "{said:?}");
}

#[test]
fn a_source_that_restarts_goes_on_where_the_target_is() {
    let mut host = Host::streaming();
    host.node.provide(7, b"part", Some(b"k")).unwrap();
    host.run();
    let said = host.restart();
    assert!(has(&said, "2 Begin { handover: 1, session: 2"), "{said:?}");
    // answers of the session before do not count
    host.hear(B, position(1, 1, 1, true)).unwrap();
    assert_eq!(host.run(), [""; 0]);
    let (item, cursor, complete) = (1, &b"k"[..], false);
    host.hear(B, Message::Position { handover: 1, session: 2, item, cursor, complete }).unwrap();
    assert!(has(&host.run(), "Read { range: 7, after: [107]"));
    host.node.provide(7, b"rest", None).unwrap();
    assert!(has(&host.run(), "session: 2, item: 2"));
}

#[test]
fn a_source_that_restarted_forwards_writes_from_the_start() {
    let mut host = Host::streaming();
    host.restart();
    host.node.forward(7, b"a").unwrap();
    assert_eq!(host.run(), [""; 0]);
}

#[test]
fn a_target_that_restarts_knows_where_it_was() {
    let mut host = Host::receiving();
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    host.run();
    host.node.applied(7).unwrap();
    host.run();
    host.hear(A, chunk(1, 2, b"more", false)).unwrap();
    assert!(has(&host.run(), "Apply"));
    host.restart(); // before the second was applied
    assert_eq!(host.node.applied(7), Err(HandoverError::NotRequested));
    host.hear(A, chunk(1, 2, b"more", false)).unwrap();
    assert!(has(&host.run(), "Apply"));
    host.node.applied(7).unwrap();
    assert!(has(&host.run(), "item: 2, cursor: [107], complete: false"));
}

#[test]
fn an_item_is_acknowledged_when_it_is_durable_and_applied_once() {
    let mut host = Host::receiving();
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    assert!(has(&host.run(), "Apply"));
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    assert_eq!(host.run(), [""; 0]);
    host.node.applied(7).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]);
    host.log.pop();
    host.restart(); // the record was lost
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    assert!(has(&host.run(), "Apply"));
    host.node.applied(7).unwrap();
    assert!(has(&host.run(), "item: 1"));
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    let said = host.run();
    assert!(has(&said, "item: 1") && !has(&said, "Apply"), "{said:?}");
}

#[test]
fn another_session_waits_for_the_item_under_way() {
    let mut host = Host::receiving();
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    host.run();
    host.hear(A, begin(1, 2)).unwrap();
    assert_eq!(host.run(), [""; 0]);
    host.node.applied(7).unwrap();
    assert!(has(&host.run(), "session: 2, item: 1"));
    // what is late of the session before is not taken for the next item
    host.hear(A, chunk(1, 2, b"late", false)).unwrap();
    assert_eq!(host.run(), [""; 0]);
}

#[test]
fn a_target_refuses_and_the_source_goes_on_asking() {
    let mut host = Host::new(A);
    host.node.begin(7, B, VERSION).unwrap();
    host.run();
    let refused = Message::Refused { handover: 1, session: 1, reason: Refusal::Version };
    host.hear(B, refused).unwrap();
    assert!(has(&host.run(), "Refused { range: 7, to: NodeId(2), reason: Version }"));
    host.hear(B, refused).unwrap();
    assert_eq!(host.run(), [""; 0]); // told once, and asked again when it is time
    assert!(has(&host.wait(CONFIG.retry_us), "2 Begin"));

    let mut host = Host::receiving();
    let begin = Message::Begin { handover: 4, session: 4, range: 7, version: VERSION };
    host.hear(C, begin).unwrap();
    assert!(has(&host.run(), "3 Refused { handover: 4, session: 4, reason: Overlap }"));
}

#[test]
fn a_canceled_hand_over_is_forgotten_at_both() {
    let mut host = Host::copied();
    host.node.forward(7, b"a").unwrap();
    host.run();
    host.node.cancel(7).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]); // the write is not told before it is on record
    let said = host.restart();
    assert_eq!(said, [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Settled);
    host.hear(B, position(1, 1, 1, true)).unwrap();
    assert!(has(&host.run(), "2 Gone { handover: 1 }"));

    let mut host = Host::complete();
    assert!(has(&host.wait(CONFIG.ask_us()), "1 Position"));
    host.hear(A, Message::Gone { handover: 1 }).unwrap();
    assert!(has(&host.run(), "Canceled { range: 7"));
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn a_target_is_told_that_a_hand_over_is_over_once_that_is_on_record() {
    let mut host = Host::complete();
    let before = host.log.clone();
    // the source knows of an item that this node does not have
    host.hear(A, chunk(1, 3, b"more", false)).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]); // what would be deleted now is there after a crash
    for late in [begin(1, 1), begin(1, 2), begin(4, 4)] {
        host.hear(A, late).unwrap(); // the source says so again
        assert_eq!(host.run_without_disk(), [""; 0]);
    }
    assert_eq!(host.node.status().arriving, 1); // it has a place until then
    let mut crashed = Host { log: before, ..Host::new(B) };
    crashed.restart();
    crashed.hear(A, begin(1, 2)).unwrap();
    assert!(has(&crashed.run(), "1 Position { handover: 1, session: 2, item: 1"));
    host.node.persisted(host.last);
    let said = host.run();
    assert!(has(&said, "Canceled { range: 7") && has(&said, "1 Lost { handover: 1"), "{said:?}");
    host.restart();
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn a_hand_over_begun_again_does_not_go_on_from_the_canceled_one() {
    let mut host = Host::complete();
    host.hear(A, begin(2, 2)).unwrap(); // a new one: writes of between were not forwarded
    assert!(has(&host.run(), "Canceled"));
    host.hear(A, begin(2, 2)).unwrap();
    assert!(has(&host.run(), "Offered"));
    host.node.accept(7).unwrap();
    assert!(has(&host.run(), "handover: 2, session: 2, item: 0"));
}

#[test]
fn a_target_that_forgot_makes_the_source_start_over() {
    let mut target = Host::new(B); // it forgot what it had
    target.hear(A, chunk(1, 2, b"more", false)).unwrap();
    assert!(has(&target.run(), "1 Lost { handover: 1, session: 1, seen: 1 }"));

    let mut source = Host::streaming();
    source.node.provide(7, b"part", Some(b"k")).unwrap();
    source.run();
    source.hear(B, Message::Lost { handover: 1, session: 1, seen: 5 }).unwrap();
    assert_eq!(source.run(), [""; 0]); // in its time
    let said = source.wait(CONFIG.retry_us);
    assert!(has(&said, "Restarted") && has(&said, "Begin { handover: 6, session: 6"), "{said:?}");
}

#[test]
fn an_older_disk_of_the_target_is_found_out() {
    let mut host = Host::receiving();
    let old = host.log.clone();
    host.hear(A, chunk(1, 1, b"part", false)).unwrap();
    host.run();
    host.node.applied(7).unwrap();
    host.run();
    host.log = old;
    host.restart();
    host.hear(A, chunk(1, 2, b"more", false)).unwrap();
    let said = host.run();
    assert!(has(&said, "Lost { handover: 1") && has(&said, "Canceled"), "{said:?}");
    // and a release of what it does not have
    let mut host = Host::receiving();
    host.hear(A, released(1, 1)).unwrap();
    assert!(has(&host.run(), "Lost { handover: 1"));
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn a_released_range_that_the_target_forgot_can_be_reclaimed() {
    let mut host = Host::released();
    assert_eq!(host.node.reclaim(7), Err(HandoverError::Open));
    host.hear(B, Message::Lost { handover: 1, session: 1, seen: 0 }).unwrap();
    assert!(has(&host.run(), "TargetLost"));
    host.node.reclaim(7).unwrap();
    assert_eq!(host.run_without_disk(), [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Released(B));
    assert_eq!(host.restart(), [""; 0]);
    assert_eq!(host.node.ownership(7), Ownership::Settled);
}

#[test]
fn a_silent_target_is_told_of_once() {
    let mut host = Host::streaming();
    host.node.provide(7, b"part", Some(b"k")).unwrap();
    host.run();
    assert!(has(&host.wait(CONFIG.stall_us), "Stalled"));
    assert!(host.node.status().stalled);
    assert!(!has(&host.wait(CONFIG.stall_us), "Stalled"));
    host.hear(B, position(1, 1, 1, false)).unwrap();
    assert!(!host.node.status().stalled);
}

#[test]
fn chunks_are_paced_and_writes_are_not() {
    let config = Config { bytes_per_second: 1_000, ..CONFIG };
    let mut host = Host::new(A);
    host.node = Node::new(A, &[A, B, C], config).unwrap();
    host.node.tick(Instant::ZERO);
    host.node.begin(7, B, VERSION).unwrap();
    host.run();
    host.hear(B, position(1, 1, 0, false)).unwrap();
    host.run();
    host.node.provide(7, &[0; 10], Some(b"k")).unwrap();
    host.run();
    host.hear(B, position(1, 1, 1, false)).unwrap();
    assert_eq!(host.run(), [""; 0]);
    assert_eq!(host.node.deadline(), Some(Instant::from_millis(10)));
    host.node.forward(7, b"w").unwrap();
    assert!(has(&host.run(), "Writes"));
    host.hear(B, position(1, 1, 2, false)).unwrap();
    assert!(!has(&host.run(), "Read"));
    assert!(has(&host.wait(10_000), "Read"));
}

#[test]
fn hostile_messages_are_refused_and_change_nothing() {
    let mut hosts = [Host::released(), Host::streaming(), Host::complete()];
    let (source, streaming, target) = (0, 1, 2);
    let last = 1 << 62;
    let cases: [(usize, NodeId, Message<'_, u64>, Rejected); 13] = [
        (source, NodeId::new(9), begin(9, 9), Rejected::UnknownSender),
        (source, B, begin(0, 9), Rejected::Malformed),
        (source, B, begin(9, 8), Rejected::Malformed),
        (source, B, begin(9, last), Rejected::OutOfRange),
        (source, B, Message::Lost { handover: 1, session: 1, seen: 1 << 40 }, Rejected::OutOfRange),
        (source, C, Message::Arrived { handover: 1 }, Rejected::Impossible),
        (source, B, position(1, 2, 1, true), Rejected::Impossible),
        (streaming, B, Message::Arrived { handover: 1 }, Rejected::Impossible),
        (streaming, B, position(1, 1, 1, true), Rejected::Impossible),
        (target, A, chunk(1, 2, b"more", false), Rejected::Impossible),
        (target, A, Message::Closed { handover: 1 }, Rejected::Impossible),
        (
            target,
            A,
            Message::Begin { handover: 1, session: 1, range: 8, version: VERSION },
            Rejected::Impossible,
        ),
        (
            target,
            A,
            Message::Item {
                handover: 1,
                session: 1,
                item: 2,
                body: Body::Writes { frames: &[9, 1] },
            },
            Rejected::Malformed,
        ),
    ];
    for (host, from, message, reason) in cases {
        let host = &mut hosts[host];
        let (before, counted) = (host.node.clone(), host.node.rejections().total());
        assert_eq!(host.hear(from, message), Err(reason), "{message:?}");
        assert_eq!(host.node.rejections().total(), counted + 1);
        assert_eq!(host.node.status(), before.status());
        assert!(host.node.checkpoint().eq(before.checkpoint()));
        assert_eq!(host.run(), [""; 0], "{message:?}");
    }
}

#[test]
fn records_that_cannot_follow_are_refused() {
    let outgoing = |handover, session, range| Record::Outgoing {
        handover,
        session,
        range,
        to: B,
        version: VERSION,
        items: 0,
        stage: quorate_ring::migration::Stage::Copying,
    };
    let mut node = Node::new(A, &[A, B], CONFIG).unwrap();
    assert_eq!(node.restore(outgoing(0, 1, 7)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(outgoing(2, 3, 7)), Ok(()));
    assert_eq!(node.restore(outgoing(2, 2, 7)), Err(Corrupt::Regression));
    node.tick(Instant::ZERO);
    assert_eq!(node.restore(outgoing(2, 4, 7)), Err(Corrupt::Started));
}

#[test]
fn what_is_applied_borrows_the_item() {
    let mut host = Host::receiving();
    let body = Body::Writes { frames: &[1, b'a', 2, b'b', b'c'] };
    host.hear(A, Message::Item { handover: 1, session: 1, item: 1, body }).unwrap();
    let Some(Output::Event(Event::Apply { item: Item::Writes(writes), .. })) = host.node.poll()
    else {
        panic!("nothing to apply")
    };
    assert!(writes.into_iter().eq([&b"a"[..], b"bc"]));
    assert_eq!(host.node.incoming().next().map(|one| one.progress), Some(Progress::Copying));
}

#[test]
fn numbers_grow_across_a_checkpoint_of_nothing_else() {
    let mut host = Host::released();
    host.hear(B, Message::Arrived { handover: 1 }).unwrap();
    host.run();
    host.node.retire(7).unwrap();
    host.run();
    host.swap_log();
    assert_eq!(host.log.len(), 1, "the highest number alone is left to keep");
    host.restart();
    host.node.begin(7, B, VERSION).unwrap();
    let said = host.run();
    assert!(has(&said, "2 Begin { handover: 2, session: 2"), "{said:?}");
}

#[test]
fn what_comes_late_is_known_after_a_checkpoint_of_nothing_else() {
    let mut host = Host::complete();
    host.hear(A, released(1, 1)).unwrap();
    host.run();
    host.hear(A, Message::Closed { handover: 1 }).unwrap();
    host.node.retire(7).unwrap();
    host.run();
    host.swap_log();
    assert_eq!(host.log.len(), 1, "the highest session alone is left to keep");
    host.restart();
    host.hear(A, begin(1, 1)).unwrap();
    let said = host.run();
    assert!(has(&said, "1 Lost { handover: 1, session: 1, seen: 1 }"), "{said:?}");
    assert!(!has(&said, "Offered"), "{said:?}");
}
