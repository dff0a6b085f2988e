//! Clocks and the causal buffer against anything: what the fuzz targets run, and the tests replay.

use core::fmt::Debug;
use std::collections::BTreeMap;

use quorate_clocks::causal::{BroadcastError, Config, Event, Message, Record};
use quorate_clocks::{
    Actor, Causal, Dot, DotContext, Inline, Pruned, Session, Siblings, Stamp, VersionVector,
};
use quorate_core::{Instant, Machine, NodeId, Output, Reader, Wire};

type Verdict = Result<(), String>;
type Small = Inline<4>;

/// Bytes as what the first one names. What decodes encodes to the same bytes.
///
/// # Errors
///
/// What was violated.
pub fn decode(data: &[u8]) -> Verdict {
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

type Victim = Causal<Inline<3>, Inline<ROOM>, Inline<8>>;

const ROOM: usize = 6;
const ME: Actor = Actor::new(NodeId::new(1), 0);

/// A member of three that receives only this input. It delivers each actor's messages in order,
/// once, as they were sent and after their causes; rejected input changes nothing; the store stays
/// within its limit, output ends, and the member does not stop itself before a peer that claimed
/// own broadcasts repeated the claim on request.
///
/// # Errors
///
/// What was violated.
pub fn messages(data: &[u8]) -> Verdict {
    stops(data).map(drop)
}

/// The same; true if the member stopped itself, for a good reason.
///
/// # Errors
///
/// What was violated.
pub fn stops(data: &[u8]) -> Result<bool, String> {
    let ids = [1, 2, 3].map(NodeId::new);
    let Ok(mut node) = Victim::new(ME, &ids, Config::lan()) else {
        return Err("a group of three cannot be made".into());
    };
    let mut oracle = Oracle::default();
    let mut input = Reader::new(data);
    node.tick(Instant::ZERO);
    for time in 1..60 {
        oracle.drain(&mut node)?;
        if node.stored() > ROOM {
            return Err(format!("{} messages in room for {ROOM}", node.stored()));
        }
        let (Ok(from), Ok(piece)) = (input.u8(), input.bytes()) else { break };
        let now = Instant::from_millis(time * 40);
        match (from, Message::from_slice(piece)) {
            (0, _) => node.tick(now),
            (1, _) => oracle.broadcast(&mut node, piece)?,
            (_, Ok(message)) => {
                oracle.receive(&mut node, now, NodeId::new(u64::from(from)), message)?;
            }
            _ => {}
        }
    }
    oracle.drain(&mut node)?;
    Ok(oracle.stopped)
}

/// The causes and the payload of a broadcast.
type Content = (Vec<Dot>, Vec<u8>);

/// What was delivered, and what messages said of it.
#[derive(Default)]
struct Oracle {
    delivered: BTreeMap<Actor, u64>,
    /// The accepted causes and payloads of a dot: a peer may send two versions, of which one
    /// counts.
    contents: BTreeMap<Dot, Vec<Content>>,
    /// Own broadcasts.
    sent: u64,
    /// The peers that claimed to have others of them.
    claims: BTreeMap<NodeId, Claims>,
    /// The event that it stopped was emitted.
    stopped: bool,
}

/// What a peer did that claims own broadcasts of the member.
#[derive(Default)]
struct Claims {
    /// The flags of its claims, `request` and `relay`.
    flags: Vec<(bool, bool)>,
    requested: bool,
    /// It repeated the claim in a reply that is no copy of a claim before the request.
    confirmed: bool,
}

impl Oracle {
    fn broadcast(&mut self, node: &mut Victim, payload: &[u8]) -> Verdict {
        match node.broadcast(payload) {
            Ok(dot) => {
                self.sent += 1;
                if (dot.actor(), dot.counter()) != (ME, self.sent) {
                    return Err(format!("{dot} is its {}th", self.sent));
                }
                self.contents.entry(dot).or_default().push((Vec::new(), payload.to_vec()));
                Ok(())
            }
            Err(BroadcastError::Stopped)
                if !self.claims.values().any(|claims| claims.confirmed) =>
            {
                Err("it doubts itself, and nobody confirmed it".into())
            }
            Err(_) => Ok(()),
        }
    }

    fn receive(
        &mut self,
        node: &mut Victim,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Verdict {
        let observed = |node: &Victim| {
            let vectors = (node.delivered().clone(), node.stable());
            (node.stored(), node.gap(), node.deadline(), vectors)
        };
        let before = observed(node);
        if let Err(why) = node.receive(now, from, message) {
            let same = observed(node) == before;
            return if same { Ok(()) } else { Err(format!("refused ({why}), and not unchanged")) };
        }
        match message {
            // own ones that come back are of no use
            Message::Data { dot, causes, payload } if dot.actor() != ME => {
                let content = (causes.iter().collect(), payload.to_vec());
                self.contents.entry(dot).or_default().push(content);
            }
            Message::Status { request, relay, delivered, .. }
                if delivered.iter().any(|dot| dot.actor() == ME && dot.counter() > self.sent) =>
            {
                let claims = self.claims.entry(from).or_default();
                let is_copy = claims.flags.iter().all(|flags| *flags == (request, relay));
                claims.confirmed |= claims.requested && !request && !is_copy;
                claims.flags.push((request, relay));
            }
            _ => {}
        }
        Ok(())
    }

    fn drain(&mut self, node: &mut Victim) -> Verdict {
        for _ in 0..20 {
            let mut last = None;
            for polled in 0.. {
                match node.poll() {
                    Some(Output::Persist(ticket, _)) => last = Some(ticket),
                    Some(Output::Event(Event::Fatal(_))) => {
                        if core::mem::replace(&mut self.stopped, true) || node.fatal().is_none() {
                            return Err("it tells twice that it stopped, or it did not".into());
                        }
                    }
                    Some(Output::Send(to, _)) if self.stopped => {
                        return Err(format!("it has stopped, and sends to {to}"));
                    }
                    Some(Output::Send(to, Message::Status { request: true, .. })) => {
                        self.claims.entry(to).and_modify(|claims| claims.requested = true);
                    }
                    Some(Output::Event(Event::Deliver { dot, payload })) => {
                        self.delivered(dot, payload)?;
                    }
                    Some(_) if polled < 200 => {}
                    Some(_) => return Err("it does not stop talking".into()),
                    None => break,
                }
            }
            let Some(ticket) = last else {
                let consistent = self.stopped == node.fatal().is_some();
                return if consistent {
                    Ok(())
                } else {
                    Err("it stopped, and does not tell".into())
                };
            };
            node.persisted(ticket);
        }
        Err("it does not stop writing".into())
    }

    fn delivered(&mut self, dot: Dot, payload: &[u8]) -> Verdict {
        let observed = |of: Dot| self.delivered.get(&of.actor()).copied().unwrap_or(0);
        if observed(dot) + 1 != dot.counter() {
            return Err(format!("{dot} after {}", observed(dot)));
        }
        let matches = |(causes, sent): &(Vec<Dot>, Vec<u8>)| {
            sent == payload && causes.iter().all(|cause| cause.counter() <= observed(*cause))
        };
        if !self.contents.get(&dot).is_some_and(|contents| contents.iter().any(matches)) {
            return Err(format!("{dot} before its causes, or with another payload"));
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
