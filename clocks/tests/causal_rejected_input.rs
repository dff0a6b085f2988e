//! Any message whatever: what is refused changes nothing but its counter, and no single one stops a
//! member.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{count, delivered, drain, sent_to};
use proptest::prelude::*;
use quorate_clocks::causal::{BroadcastError, Config, Message};
use quorate_clocks::{Actor, Causal, Dot, Inline, VersionVector};
use quorate_core::{Fatal, Instant, Machine, NodeId, Rejected, Ticket};

/// Room for incarnations that are made up, so that they take none of those there are.
type Member = Causal<Inline<6>, Inline<8>, Inline<8>>;
type Vector = VersionVector<Inline<8>>;

const IDS: [NodeId; 3] = [NodeId::new(1), NodeId::new(2), NodeId::new(3)];

#[derive(Clone, Debug)]
enum Input {
    Data(Dot, Vector, Vec<u8>),
    Status(u32, bool, bool, Vector),
    Behind(Vector),
}

impl Input {
    fn message(&self) -> Message<'_> {
        match self {
            Self::Data(dot, causes, payload) => {
                Message::Data { dot: *dot, causes: causes.versions(), payload }
            }
            Self::Status(boot, request, relay, delivered) => Message::Status {
                boot: *boot,
                request: *request,
                relay: *relay,
                delivered: delivered.versions(),
            },
            Self::Behind(floor) => Message::Behind { floor: floor.versions() },
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// From whom, how many ms later (or earlier), what, and how often.
    Receive(u64, i64, Input, usize),
    Tick(u64),
    Broadcast,
    /// All is polled; or the disk is slow, and the tickets come back with the next such step.
    Drain(bool),
    /// The application merged the state of another: up to these events.
    Resume(Vector),
}

fn dots() -> impl Strategy<Value = Dot> {
    let counter = prop_oneof![8 => 1u64..6, 1 => Just(1_000), 1 => Just(u64::MAX)];
    let node = prop_oneof![6 => 1u64..4, 1 => Just(9u64)];
    (node, prop_oneof![6 => Just(0u32), 1 => 1u32..3], counter).prop_map(|(node, life, counter)| {
        Dot::new(Actor::new(NodeId::new(node), life), counter).unwrap()
    })
}

fn vectors() -> impl Strategy<Value = Vector> {
    prop::collection::vec(dots(), 0..4).prop_map(|dots| {
        let mut vector = Vector::new();
        dots.into_iter().for_each(|dot| _ = vector.observe(dot).unwrap());
        vector
    })
}

fn inputs() -> impl Strategy<Value = Input> {
    let boot = prop_oneof![6 => 0u32..4, 1 => Just(u32::MAX)];
    let payload = prop::collection::vec(any::<u8>(), 0..10);
    prop_oneof![
        4 => (dots(), vectors(), payload).prop_map(|(dot, causes, payload)| Input::Data(dot, causes, payload)),
        4 => (boot, any::<bool>(), any::<bool>(), vectors())
            .prop_map(|(boot, request, relay, delivered)| Input::Status(boot, request, relay, delivered)),
        1 => vectors().prop_map(Input::Behind),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1u64..5, -50i64..300, inputs(), 1usize..3)
            .prop_map(|(from, later, input, times)| Step::Receive(from, later, input, times)),
        2 => (0u64..400).prop_map(Step::Tick),
        1 => Just(Step::Broadcast),
        3 => any::<bool>().prop_map(Step::Drain),
        1 => vectors().prop_map(Step::Resume),
    ];
    prop::collection::vec(step, 0..40)
}

/// All that there is of a member but its counters of refusals.
fn state(member: &Member) -> String {
    let shown = format!("{member:?}");
    let (before, rest) = shown.split_once("rejections: Rejections {").unwrap();
    format!("{before}{}", rest.split_once('}').unwrap().1)
}

/// All that can be seen of it: what it would say and do from here on, and what it answers.
fn observable_state(member: &Member, now: Instant) -> Vec<String> {
    let mut probe = member.clone();
    let mut observable_state = drain(&mut probe);
    probe.tick(now.after(10_000_000));
    observable_state.extend(drain(&mut probe));
    observable_state.extend(member.checkpoint().map(|record| format!("{record:?}")));
    observable_state.push(format!("{:?} {:?}", member.deadline(), member.fatal()));
    observable_state.push(format!("{:?} {:?}", member.delivered(), member.stable()));
    observable_state.push(format!("{:?} {:?}", member.gap(), member.stored()));
    observable_state.push(format!("{:?}", member.clone().broadcast(b"next")));
    observable_state
}

struct Harness {
    member: Member,
    now: Instant,
    pending_ticket: Option<Ticket>,
}

impl Harness {
    fn new() -> Self {
        let mut member = Member::new(IDS[0].into(), &IDS, Config::lan()).unwrap();
        member.tick(Instant::ZERO);
        Self { member, now: Instant::ZERO, pending_ticket: None }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Receive(from, later, input, times) => {
                let now = self.now.as_micros().saturating_add_signed(later * 1_000);
                for _ in 0..times {
                    self.receive(NodeId::new(from), Instant::from_micros(now), &input)?;
                }
                self.now = self.now.max(Instant::from_micros(now));
            }
            Step::Tick(ms) => {
                self.now = self.now.after(ms * 1_000);
                self.member.tick(self.now);
            }
            Step::Broadcast => _ = self.member.broadcast(b"own"),
            Step::Drain(true) => {
                drain(&mut self.member);
            }
            Step::Drain(false) => {
                self.pending_ticket
                    .take()
                    .into_iter()
                    .for_each(|ticket| self.member.persisted(ticket));
                while let Some(output) = self.member.poll() {
                    if let quorate_core::Output::Persist(ticket, _) = output {
                        self.pending_ticket = Some(ticket);
                    }
                }
            }
            Step::Resume(state) => {
                let before = self::state(&self.member);
                if self.member.resume(&state).is_err() {
                    prop_assert_eq!(before, self::state(&self.member));
                }
            }
        }
        prop_assert!(self.member.stored() <= 8);
        let is_stopped = self.member.clone().broadcast(b"") == Err(BroadcastError::Stopped);
        prop_assert_eq!(self.member.fatal(), is_stopped.then_some(Fatal::LostState));
        Ok(())
    }

    fn receive(&mut self, from: NodeId, now: Instant, input: &Input) -> Result<(), TestCaseError> {
        let before = self.member.clone();
        let Err(why) = self.member.receive(now, from, input.message()) else { return Ok(()) };
        prop_assert_eq!(state(&self.member), state(&before), "{:?}: {:?}", why, input);
        prop_assert_eq!(
            observable_state(&self.member, self.now),
            observable_state(&before, self.now)
        );
        let counts = (before.rejections().total() + 1, self.member.rejections().total());
        prop_assert_eq!(counts.0, counts.1);
        let own = match why {
            Rejected::UnknownSender => self.member.rejections().unknown_sender,
            Rejected::Malformed => self.member.rejections().malformed,
            Rejected::Impossible => self.member.rejections().impossible,
            Rejected::Full => self.member.rejections().full,
            Rejected::Stopped if before.fatal().is_some() => self.member.rejections().stopped,
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert!(own > 0);
        Ok(())
    }
}

/// A member in the middle of an honest life: it has broadcast, delivered and been acknowledged,
/// more or less.
fn running_member(own: u64, theirs: u64, acknowledged: u64) -> Harness {
    let mut world = Harness::new();
    drain(&mut world.member);
    let receive = |world: &mut Harness, from: usize, input: &Input| {
        world.member.receive(world.now, IDS[from], input.message()).unwrap();
        drain(&mut world.member);
    };
    for _ in 0..own {
        world.member.broadcast(b"own").unwrap();
        drain(&mut world.member);
    }
    for n in 1..=theirs {
        let dot = Dot::new(IDS[1].into(), n).unwrap();
        receive(&mut world, 1, &Input::Data(dot, Vector::new(), b"two".to_vec()));
    }
    let mut has = Vector::new();
    if let Some(dot) = Dot::new(IDS[0].into(), acknowledged.min(own)) {
        has.observe(dot).unwrap();
    }
    for from in [1, 2] {
        receive(&mut world, from, &Input::Status(1, false, false, has.clone()));
    }
    world
}

/// It broadcasts, delivers what it broadcast, sends it to both others, and delivers what the other
/// honest one broadcasts.
fn check_progress(world: &mut Harness) -> Result<(), TestCaseError> {
    let member = &mut world.member;
    drain(member);
    let own = member.broadcast(b"go on");
    prop_assert_ne!(own, Err(BroadcastError::Stopped));
    let own = own.unwrap().to_string();
    let outputs = drain(member);
    prop_assert!(delivered(&outputs).contains(&own.as_str()), "{outputs:?}");
    for node in [2, 3] {
        prop_assert!(sent_to(&outputs, node).contains(&own.as_str()), "to {node}: {outputs:?}");
    }
    let next = member.delivered().next(IDS[1].into()).unwrap();
    let input = Input::Data(next, Vector::new(), b"on".to_vec());
    prop_assert_eq!(member.receive(world.now, IDS[1], input.message()), Ok(()));
    let outputs = drain(member);
    prop_assert!(delivered(&outputs).contains(&next.to_string().as_str()), "{outputs:?}");
    Ok(())
}

proptest! {
    #[test]
    fn rejected_input_changes_nothing(steps in steps()) {
        let mut world = Harness::new();
        for step in steps {
            world.step(step)?;
        }
    }

    #[test]
    fn single_message_never_stops_a_member(own in 0u64..3, theirs in 0u64..3, acknowledged in 0u64..3, input in inputs(), times in 1u64..4) {
        let mut world = running_member(own, theirs, acknowledged);
        for _ in 0..times {
            // as often as a network likes, and whenever
            let _ = world.member.receive(world.now, IDS[2], input.message());
            drain(&mut world.member);
            world.now = world.now.after(70_000);
            world.member.tick(world.now);
            drain(&mut world.member);
        }
        check_progress(&mut world)?;
        // nor is the sender kept out: what it says next counts
        let status = Input::Status(u32::MAX, true, false, Vector::new());
        prop_assert_eq!(world.member.receive(world.now, IDS[2], status.message()), Ok(()));
        prop_assert_eq!(count(&drain(&mut world.member), "Send(NodeId(3), Status"), 1);
    }
}
