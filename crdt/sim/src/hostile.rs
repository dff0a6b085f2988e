//! Data types and a replica against anything: what the fuzz targets run, and the tests replay. Bytes are read as a list of
//! pieces, each with its length before it, so that a fuzzer can cut and splice them.

use quorate_clocks::{Actor, Causality, Inline};
use quorate_core::{
    Declared, FieldValue, Hint, Instant, Machine, NodeId, Output, Reader, Wire, Writer,
};
use quorate_crdt::{
    BoundedCounter, Config, Crdt, DwFlag, EwFlag, GCounter, GSet, List, LwwRegister, LwwSet,
    Message, MvRegister, OrCounter, OrMap, OrSet, PnCounter, Record, Replica, ResettableCounter,
    RwSet, TwoPhaseSet,
};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

type Verdict = Result<(), String>;

/// Two states and a delta of the type that the first byte names. What decodes encodes to the same bytes; merging and applying
/// keep the laws, or err and change nothing, whatever was decoded.
///
/// # Errors
///
/// What was violated.
pub fn decode(data: &[u8]) -> Verdict {
    let Some((&kind, data)) = data.split_first() else { return Ok(()) };
    match kind {
        0 => pieces(&GCounter::<Inline<4>>::new(), data),
        1 => pieces(&PnCounter::<Inline<4>>::new(), data),
        2 => pieces(&BoundedCounter::<Inline<4>>::new(), data),
        3 => pieces(&ResettableCounter::<Inline<4>>::new(), data),
        4 => pieces(&LwwRegister::<u8>::new(), data),
        5 => pieces(&MvRegister::<u8, Inline<3>>::new(), data),
        6 => pieces(&EwFlag::<Inline<3>>::new(), data),
        7 => pieces(&DwFlag::<Inline<3>>::new(), data),
        8 => pieces(&GSet::<u16, Inline<4>>::new(), data),
        9 => pieces(&TwoPhaseSet::<[u8; 2], Inline<4>>::new(), data),
        10 => pieces(&LwwSet::<i16, Inline<4>>::new(), data),
        11 => pieces(&OrSet::<u8, Inline<4>, Inline<3>>::new(), data),
        12 => pieces(&RwSet::<u8, Inline<4>, Inline<3>>::new(), data),
        13 => pieces(&OrMap::<u8, OrSet<u8, Inline<4>, Inline<3>>>::new(), data),
        14 => pieces(&OrMap::<bool, OrMap<u8, OrCounter<Inline<4>>>>::new(), data),
        15 => pieces(&List::<u8, Inline<6>>::new(), data),
        16 => check_round_trip::<Message<'_, GCounter<Inline<4>>>>(data),
        17 => check_round_trip::<Record<'_, GCounter<Inline<4>>>>(data),
        _ => Ok(()),
    }
}

/// A replica of three that hears only this. It says a bounded number of things, and its state stays one that others can read. A
/// sender of 128 and more has its message made by the declaration.
///
/// # Errors
///
/// What was violated.
pub fn messages(data: &[u8]) -> Verdict {
    outcomes(data).map(drop)
}

/// The same; what became of the messages.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<Outcomes, String> {
    let mut victim =
        Victim::new(Config { durable: data.len().is_multiple_of(2), ..Config::default() })?;
    let mut input = Reader::new(data);
    for time in 1..40 {
        let (Ok(from), Ok(piece)) = (input.u8(), input.bytes()) else { break };
        victim.step(Instant::from_millis(time * 200), from, piece);
        victim.drain()?;
        is_canonical(victim.node.state())?;
    }
    Ok(victim.outcomes)
}

type Set = OrSet<u8, Inline<4>, Inline<3>>;

struct Victim {
    node: Replica<Set, Inline<2>, Inline<128>>,
    echo: Echo,
    outcomes: Outcomes,
}

impl Victim {
    fn new(config: Config) -> Result<Self, String> {
        let ids = [1, 2, 3].map(NodeId::new);
        let node = Replica::new(Actor::from(ids[0]), &ids, Set::new(), config);
        let node = node.map_err(|error| error.to_string())?;
        Ok(Self { node, echo: Echo::default(), outcomes: Outcomes::default() })
    }

    fn step(&mut self, now: Instant, from: u8, piece: &[u8]) {
        let sender = NodeId::new(u64::from((from & 0x7f).saturating_sub(2)));
        match from {
            0 => self.node.tick(now),
            1 => _ = self.node.update(|set, me| set.add(me, piece.len() as u8)),
            2 => _ = self.node.update(|set, _| Ok::<_, ()>(set.clear())),
            3..128 => {
                if let Ok(message) = Message::from_slice(piece) {
                    self.receive(now, sender, message);
                }
            }
            _ => self.receive_generated(now, sender, piece),
        }
    }

    /// A message with states and deltas of a peer that has what the replica has, and more.
    fn receive_generated(&mut self, now: Instant, from: NodeId, piece: &[u8]) {
        let mut later = self.node.state().clone();
        let mut batch = Vec::new();
        for element in 0..2 {
            let Ok(delta) = later.add(Actor::from(from), element) else { continue };
            let frame = delta_bytes::<Set>(&delta);
            batch.push(frame.len() as u8);
            batch.extend(frame);
        }
        let states = [bytes(&later), bytes(self.node.state()), bytes(&Set::new())];
        let states: Vec<&[u8]> = states.iter().map(Vec::as_slice).collect();
        let batches = [
            &batch[..],
            batch.get(..usize::from(batch.first().copied().unwrap_or(0)) + 1).unwrap_or_default(),
        ];
        let (generation, last) = (self.echo.last("generation"), self.node.status().last);
        let (own, theirs) = ([generation], [self.echo.last("acks_generation"), 1]);
        let (acked, next) = ([last], [self.echo.last("acks").saturating_add(1)]);
        let hints = [
            Hint::near("acks_generation", &own),
            Hint::near("generation", &theirs),
            Hint::near("acks", &acked),
            Hint::near("first", &next),
            Hint::near("last", &next),
            Hint::bytes("batch", &batches),
            Hint::bytes("state", &states),
        ];
        if let Some(message) = Input::new(piece).message(&hints) {
            self.receive(now, from, message);
        }
    }

    fn receive(&mut self, now: Instant, from: NodeId, message: Message<'_, Set>) {
        let body = body(&message);
        let result = self.node.receive(now, from, message);
        self.outcomes.record(body, result);
    }

    fn drain(&mut self) -> Verdict {
        let mut last = None;
        for said in 0.. {
            match self.node.poll() {
                Some(Output::Persist(ticket, _)) => last = Some(ticket),
                Some(Output::Send(_, message)) if said < 100 => self.echo.sent(&message),
                Some(_) if said < 100 => {}
                Some(_) => return Err("it does not stop talking".into()),
                None => break,
            }
        }
        if let Some(ticket) = last {
            self.node.persisted(ticket);
        }
        Ok(())
    }
}

/// The name of what the message carries.
fn body(message: &Message<'_, Set>) -> &'static str {
    let mut body = "";
    message.visit(&mut |field| {
        if let FieldValue::Variant(name) = field.value {
            body = name;
        }
    });
    body
}

fn pieces<T: Crdt>(new: &T, data: &[u8]) -> Verdict {
    let mut input = Reader::new(data);
    let (Ok(a), Ok(b)) = (input.bytes(), input.bytes()) else { return Ok(()) };
    let delta = input.rest();
    let (a, b) = (read(new, a)?, read(new, b)?);
    if let (Some(a), Some(b)) = (&a, &b) {
        join(a, b)?;
    }
    if let (Some(state), Ok(read)) = (&a, new.read_delta(&mut input)) {
        if input.rest().is_empty() && delta_bytes::<T>(&read) != delta {
            return Err(format!("{read:?} was read from {delta:02x?}"));
        }
        apply(state, &read)?;
    }
    Ok(())
}

fn read<T: Crdt>(new: &T, bytes: &[u8]) -> Result<Option<T>, String> {
    let state = T::from_slice(bytes).ok();
    check_round_trip::<T>(bytes)?;
    if let Some(state) = &state
        && (state.compare(state) != Causality::Equal
            || !matches!(new.compare(state), Causality::Before | Causality::Equal))
    {
        return Err(format!("{state:?} is not beyond nothing"));
    }
    Ok(state)
}

/// Both ways round, once and twice.
fn join<T: Crdt>(a: &T, b: &T) -> Verdict {
    let (mut ab, mut ba) = (a.clone(), b.clone());
    let say = |what: &str| Err(format!("{what}: {a:?} and {b:?}"));
    match (ab.merge(b), ba.merge(a)) {
        (Ok(news), Ok(back)) => {
            is_canonical(&ab)?;
            if ab != ba || bytes(&ab) != bytes(&ba) {
                return say("merged otherwise the other way round");
            }
            if news != (ab != *a) || back != (ba != *b) {
                return say("whether it changed is wrong");
            }
            if ab.merge(b) != Ok(false) || ab.merge(a) != Ok(false) {
                return say("twice is not once");
            }
            let below = |x: &T| matches!(x.compare(&ab), Causality::Before | Causality::Equal);
            if !below(a) || !below(b) {
                return say("merging went back");
            }
        }
        (Err(_), Err(_)) if ab == *a && ba == *b => {}
        (Err(_), Err(_)) => return say("an error changed something"),
        _ => return say("merged one way only"),
    }
    if a.compare(b).ordering() != b.compare(a).ordering().map(core::cmp::Ordering::reverse) {
        return say("the order has two opinions");
    }
    if (a.compare(b) == Causality::Equal) != (a == b) {
        return say("equal and not equal");
    }
    Ok(())
}

fn apply<T: Crdt>(state: &T, delta: &T::Delta) -> Verdict {
    let mut after = state.clone();
    let outcome = after.apply(delta);
    is_canonical(&after)?;
    if outcome.unwrap_or(false) != (after != *state) {
        return Err(format!("{outcome:?} from {state:?} to {after:?} by {delta:?}"));
    }
    if outcome.is_ok() && after.clone().apply(delta) != Ok(false) {
        return Err(format!("{delta:?} twice is not once"));
    }
    Ok(())
}

fn is_canonical<T: Crdt>(state: &T) -> Verdict {
    let bytes = bytes(state);
    match T::from_slice(&bytes) {
        Ok(read) if read == *state => Ok(()),
        other => Err(format!("{state:?} is written as {bytes:02x?} and read as {other:?}")),
    }
}

fn bytes<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    if value.to_slice(&mut buffer).is_err() {
        buffer.clear();
    }
    buffer
}

fn delta_bytes<T: Crdt>(delta: &T::Delta) -> Vec<u8> {
    let mut count = Writer::new(&mut []);
    T::write_delta(delta, &mut count);
    let mut buffer = vec![0; count.needed()];
    T::write_delta(delta, &mut Writer::new(&mut buffer));
    buffer
}
