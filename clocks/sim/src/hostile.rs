//! Clocks and the causal buffer against anything: what the fuzz targets run, and the tests replay.

use std::collections::BTreeMap;

use quorate_clocks::causal::{BroadcastError, Config, Event, Message, Record};
use quorate_clocks::{
    Actor, Causal, Dot, DotContext, Inline, Pruned, Session, Siblings, Stamp, VersionVector,
};
use quorate_core::{Declared, Hint, Instant, Machine, NodeId, Output, Reader, Wire};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

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
        0 => check_round_trip::<VersionVector<Small>>(data),
        1 => check_round_trip::<DotContext<Small>>(data),
        2 => check_round_trip::<Pruned<Small>>(data),
        3 => check_round_trip::<Siblings<Stamp, Small>>(data),
        4 => check_round_trip::<Session<Small>>(data),
        5 => check_round_trip::<Message<'_>>(data),
        6 => check_round_trip::<Record<'_>>(data),
        _ => Ok(()),
    }
}

type Victim = Causal<Inline<3>, Inline<ROOM>, Inline<8>>;

const ROOM: usize = 6;
const ME: Actor = Actor::new(NodeId::new(1), 0);

/// A member of three that receives only this input. It delivers each actor's messages in order,
/// once, as they were sent and after their causes; rejected input changes nothing; the store stays
/// within its limit, output ends, and the member does not stop itself before a peer that claimed
/// own broadcasts repeated the claim on request. A sender of 128 and more has its message made by
/// the declaration.
///
/// # Errors
///
/// What was violated.
pub fn messages(data: &[u8]) -> Verdict {
    outcomes(data).map(drop)
}

/// The same; what became of the messages, and whether the member stopped itself, for a good reason.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<(Outcomes, bool), String> {
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
        let sender = NodeId::new(u64::from(from & 0x7f));
        match from {
            0 => node.tick(now),
            1 => oracle.broadcast(&mut node, piece)?,
            2..128 => {
                if let Ok(message) = Message::from_slice(piece) {
                    oracle.receive(&mut node, now, sender, message)?;
                }
            }
            _ => oracle.receive_generated(&mut node, now, sender, piece)?,
        }
    }
    oracle.drain(&mut node)?;
    Ok((oracle.outcomes, oracle.stopped))
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
    echo: Echo,
    outcomes: Outcomes,
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

    /// A message with dots near those that were delivered, and vectors like the member's own.
    fn receive_generated(
        &mut self,
        node: &mut Victim,
        now: Instant,
        from: NodeId,
        bytes: &[u8],
    ) -> Verdict {
        let counters = [1, 2, 3].map(|id| {
            let actor = Actor::from(NodeId::new(id));
            (
                actor,
                self.delivered
                    .get(&actor)
                    .copied()
                    .unwrap_or(0)
                    .max(u64::from(id == 1) * self.sent),
            )
        });
        let vector = |ahead: [u64; 3]| {
            let mut out = Vec::new();
            for ((actor, counter), ahead) in counters.into_iter().zip(ahead) {
                out.extend(Dot::new(actor, counter + ahead).map(encoded).unwrap_or_default());
            }
            out
        };
        let vectors = [[0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 9, 9], [1, 0, 0]].map(vector);
        let vectors: Vec<&[u8]> = vectors.iter().map(Vec::as_slice).chain([&[][..]]).collect();
        let next = counters.map(|(_, counter)| counter + 1);
        let (boots, payloads) = ([1, self.echo.last("boot")], [&b"payload"[..], &[]]);
        let hints = [
            Hint::near("dot", &next),
            Hint::near("boot", &boots),
            Hint::bytes("causes", &vectors),
            Hint::bytes("delivered", &vectors),
            Hint::bytes("floor", &vectors),
            Hint::bytes("payload", &payloads),
        ];
        match Input::new(bytes).message(&hints) {
            Some(message) => self.receive(node, now, from, message),
            None => Ok(()),
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
        let result = node.receive(now, from, message);
        self.outcomes.record(message.name(), result);
        if let Err(why) = result {
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
                    Some(Output::Send(_, message)) if polled < 200 => self.echo.sent(&message),
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

fn encoded<'a>(value: impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    if value.to_slice(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}
