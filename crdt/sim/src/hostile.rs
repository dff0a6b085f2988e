//! Data types and a replica against anything: what the fuzz targets run, and the tests replay. Bytes are read as a list of
//! pieces, each with its length before it, so that a fuzzer can cut and splice them.

use core::fmt::Debug;

use quorate_clocks::{Actor, Causality, Inline};
use quorate_core::{Instant, Machine, NodeId, Output, Reader, Wire, Writer};
use quorate_crdt::{
    BoundedCounter, Config, Crdt, DwFlag, EwFlag, GCounter, GSet, List, LwwRegister, LwwSet,
    Message, MvRegister, OrCounter, OrMap, OrSet, PnCounter, Record, Replica, ResettableCounter,
    RwSet, TwoPhaseSet,
};

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
        16 => same(data, Message::<GCounter<Inline<4>>>::from_slice(data).ok()),
        17 => same(data, Record::<GCounter<Inline<4>>>::from_slice(data).ok()),
        _ => Ok(()),
    }
}

/// A replica of three that hears only this. It says a bounded number of things, and its state stays one that others can read.
///
/// # Errors
///
/// What was violated.
pub fn messages(data: &[u8]) -> Verdict {
    type Set = OrSet<u8, Inline<4>, Inline<3>>;
    let ids = [1, 2, 3].map(NodeId::new);
    let config = Config { durable: data.len().is_multiple_of(2), ..Config::default() };
    type Node = Replica<Set, Inline<2>, Inline<128>>;
    let mut node = Node::new(Actor::from(ids[0]), &ids, Set::new(), config)
        .map_err(|error| error.to_string())?;
    let mut input = Reader::new(data);
    for time in 1..40 {
        let (Ok(from), Ok(piece)) = (input.u8(), input.bytes()) else { break };
        let now = Instant::from_millis(time * 200);
        match (from, Message::from_slice(piece)) {
            (0, _) => node.tick(now),
            (1, _) => _ = node.update(|set, me| set.add(me, piece.len() as u8)),
            (2, _) => _ = node.update(|set, _| Ok::<_, ()>(set.clear())),
            (_, Ok(message)) => _ = node.receive(now, NodeId::new(u64::from(from) - 2), message),
            _ => {}
        }
        let mut tickets = Vec::new();
        for said in 0.. {
            match node.poll() {
                Some(Output::Persist(ticket, _)) => tickets.push(ticket),
                Some(_) if said < 100 => {}
                Some(_) => return Err("it does not stop talking".into()),
                None => break,
            }
        }
        tickets.into_iter().for_each(|ticket| node.persisted(ticket));
        is_canonical(node.state())?;
    }
    Ok(())
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
    same(bytes, state.clone())?;
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

fn same<'a, T: Wire<'a> + Debug>(data: &[u8], value: Option<T>) -> Verdict {
    match value {
        Some(value) if bytes(&value) != data => {
            Err(format!("{value:?} was read from {data:02x?} and is written otherwise"))
        }
        _ => Ok(()),
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
