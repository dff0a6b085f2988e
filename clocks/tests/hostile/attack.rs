//! Clocks and the causal buffer against anything: what the fuzz targets run, and the tests replay.

use core::fmt::Debug;
use std::collections::BTreeMap;

use quorate_clocks::{
    Actor, Causal, CausalConfig, Dot, DotContext, Event, Inline, Message, Pruned, Record, Session,
    Siblings, Stamp, VersionVector,
};
use quorate_core::{Instant, Machine, NodeId, Output, Reader, Wire};

type Verdict = Result<(), String>;
type Small = Inline<4>;

/// Bytes as what the first one names. What decodes encodes to the same bytes.
pub(crate) fn decode(data: &[u8]) -> Verdict {
    let Some((&kind, data)) = data.split_first() else { return Ok(()) };
    match kind {
        0 => same(data, VersionVector::<Small>::from_slice(data).ok()),
        1 => same(data, DotContext::<Small>::from_slice(data).ok()),
        2 => same(data, Pruned::<Small>::from_slice(data).ok()),
        3 => same(data, Siblings::<Stamp, Small>::from_slice(data).ok()),
        4 => same(data, Session::<Small>::from_slice(data).ok()),
        5 => same(data, Message::from_slice(data).ok()),
        6 => same(data, Record::from_slice(data).ok()),
        _ => Ok(()),
    }
}

/// A member of three that hears only this. It delivers each actor's messages in order, once, after all that was said to cause
/// them; it keeps no more than it has room for, and stops talking.
pub(crate) fn messages(data: &[u8]) -> Verdict {
    const ROOM: usize = 6;
    let ids = [1, 2, 3].map(NodeId::new);
    let Ok(mut node) = Causal::<Inline<3>, Inline<ROOM>, Inline<8>>::new(
        Actor::from(ids[0]),
        &ids,
        CausalConfig::LAN,
    ) else {
        return Err("a group of three cannot be made".into());
    };
    let mut watch = Watch::default();
    let mut input = Reader::new(data);
    node.tick(Instant::ZERO);
    for time in 1..60 {
        watch.drain(&mut node)?;
        if node.held() > ROOM {
            return Err(format!("{} messages in room for {ROOM}", node.held()));
        }
        let (Ok(from), Ok(piece)) = (input.u8(), input.bytes()) else { break };
        let now = Instant::from_millis(time * 40);
        match (from, Message::from_slice(piece)) {
            (0, _) => node.tick(now),
            (1, _) => _ = node.broadcast(piece),
            (_, Ok(message)) => {
                watch.told(message);
                _ = node.receive(now, NodeId::new(u64::from(from)), message);
            }
            _ => {}
        }
    }
    watch.drain(&mut node)
}

/// What was delivered, and what was said to come before what.
#[derive(Default)]
struct Watch {
    delivered: BTreeMap<Actor, u64>,
    /// All that were told of a dot: a hostile peer may tell two stories of one, of which one counts.
    causes: BTreeMap<Dot, Vec<Vec<Dot>>>,
}

impl Watch {
    fn told(&mut self, message: Message<'_>) {
        if let Message::Data { dot, causes, .. } = message {
            self.causes.entry(dot).or_default().push(causes.iter().collect());
        }
    }

    fn drain(&mut self, node: &mut Causal<Inline<3>, Inline<6>, Inline<8>>) -> Verdict {
        for _ in 0..20 {
            let mut last = None;
            for said in 0.. {
                match node.poll() {
                    Some(Output::Persist(ticket, _)) => last = Some(ticket),
                    Some(Output::Event(Event::Deliver { dot, .. })) => self.delivered(dot)?,
                    Some(_) if said < 200 => {}
                    Some(_) => return Err("it does not stop talking".into()),
                    None => break,
                }
            }
            let Some(ticket) = last else { return Ok(()) };
            node.persisted(ticket);
        }
        Err("it does not stop writing".into())
    }

    fn delivered(&mut self, dot: Dot) -> Verdict {
        let seen = |of: Dot| self.delivered.get(&of.actor()).copied().unwrap_or(0);
        if seen(dot) + 1 != dot.counter() {
            return Err(format!("{dot} after {}", seen(dot)));
        }
        let stories = self.causes.get(&dot);
        let told = |causes: &Vec<Dot>| causes.iter().all(|cause| cause.counter() <= seen(*cause));
        if stories.is_some_and(|stories| !stories.iter().any(told)) {
            return Err(format!("{dot} before its causes"));
        }
        self.delivered.insert(dot.actor(), dot.counter());
        Ok(())
    }
}

fn same<'a, T: Wire<'a> + Debug>(data: &[u8], value: Option<T>) -> Verdict {
    let Some(value) = value else { return Ok(()) };
    let mut bytes = vec![0; value.encoded_len()];
    match value.to_slice(&mut bytes) {
        Ok(written) if written == data => Ok(()),
        other => Err(format!("{value:?} was read from {data:02x?} and is written as {other:02x?}")),
    }
}
