//! A simple model of sessions: it remembers every answer and removes expired sessions at once.

use std::collections::BTreeMap;

use quorate_core::Wire;
use quorate_log::session::{Call, Done, Limits, Refused, Request, WhenFull};

/// An outcome that borrows nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Registered(u64),
    Applied(Vec<u8>),
    Repeated(Vec<u8>),
    Unkept { repeated: bool },
    Alive,
    Closed,
    Refused(Refused),
}

impl Outcome {
    pub(crate) fn of(result: Result<Done<'_>, Refused>) -> Self {
        match result {
            Ok(Done::Registered(id)) => Self::Registered(id.get()),
            Ok(Done::Applied(answer)) => Self::Applied(answer.to_vec()),
            Ok(Done::Repeated(answer)) => Self::Repeated(answer.to_vec()),
            Ok(Done::Unkept { repeated }) => Self::Unkept { repeated },
            Ok(Done::Alive) => Self::Alive,
            Ok(Done::Closed) => Self::Closed,
            Ok(other) => panic!("an outcome that the model does not know: {other:?}"),
            Err(refused) => Self::Refused(refused),
        }
    }

    /// The client need not retry.
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(self, Self::Applied(_) | Self::Repeated(_) | Self::Unkept { .. })
    }
}

struct Session {
    token: u64,
    lowest: u64,
    heard: u64,
    heard_us: u64,
}

pub(crate) struct Model {
    limits: Limits,
    time_us: u64,
    sessions: BTreeMap<u64, Session>,
    /// The answer of every command ever applied, by session and serial.
    answers: BTreeMap<(u64, u64), Vec<u8>>,
    runs: BTreeMap<(u64, u64), u32>,
    counter: u64,
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            time_us: 0,
            sessions: BTreeMap::new(),
            answers: BTreeMap::new(),
            runs: BTreeMap::new(),
            counter: 0,
        }
    }

    /// A command that was applied more than once.
    pub(crate) fn twice(&self) -> Option<(u64, u64)> {
        self.runs.iter().find(|(_, runs)| **runs > 1).map(|(which, _)| *which)
    }

    pub(crate) fn apply(&mut self, index: u64, call: &[u8]) -> Outcome {
        let Call { time_us, request } = Call::from_slice(call).unwrap();
        self.time_us = self.time_us.max(time_us);
        let (now, idle_us) = (self.time_us, self.limits.idle_us);
        self.sessions.retain(|_, s| idle_us == 0 || now - s.heard_us <= idle_us);
        match request {
            Request::Register { token } => self.register(index, token),
            Request::Command { session, serial, lowest, command } => {
                if !self.refresh(index, session.get(), lowest) {
                    return Outcome::Refused(Refused::Gone);
                }
                self.command(session.get(), serial, command)
            }
            Request::KeepAlive { session, lowest } => {
                match self.refresh(index, session.get(), lowest) {
                    true => Outcome::Alive,
                    false => Outcome::Refused(Refused::Gone),
                }
            }
            Request::Close { session } => match self.sessions.remove(&session.get()) {
                Some(_) => Outcome::Closed,
                None => Outcome::Refused(Refused::Gone),
            },
            other => panic!("a request that the model does not know: {other:?}"),
        }
    }

    fn refresh(&mut self, index: u64, session: u64, lowest: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&session) else { return false };
        session.lowest = session.lowest.max(lowest);
        (session.heard, session.heard_us) = (index, self.time_us);
        true
    }

    fn register(&mut self, index: u64, token: u64) -> Outcome {
        let known = self.sessions.iter().find(|(_, s)| s.token == token).map(|(id, _)| *id);
        if let Some(id) = known {
            self.refresh(index, id, 0);
            return Outcome::Registered(id);
        }
        if self.sessions.len() == self.limits.sessions {
            if self.limits.when_full == WhenFull::Refuse {
                return Outcome::Refused(Refused::Full);
            }
            let oldest = self.sessions.iter().min_by_key(|(_, s)| s.heard).map(|(id, _)| *id);
            self.sessions.remove(&oldest.unwrap());
        }
        let session = Session { token, lowest: 1, heard: index, heard_us: self.time_us };
        self.sessions.insert(index, session);
        Outcome::Registered(index)
    }

    fn command(&mut self, id: u64, serial: u64, command: &[u8]) -> Outcome {
        let lowest = self.sessions[&id].lowest;
        if serial < lowest {
            return Outcome::Refused(Refused::Settled);
        }
        if serial >= lowest + self.limits.window as u64 {
            return Outcome::Refused(Refused::Ahead);
        }
        let repeated = self.answers.contains_key(&(id, serial));
        if !repeated {
            *self.runs.entry((id, serial)).or_default() += 1;
            self.counter += 1;
            let mut answer = self.counter.to_le_bytes().to_vec();
            answer.resize(command.first().map_or(0, |&len| usize::from(len)), 0xaa);
            self.answers.insert((id, serial), answer);
        }
        let answer = self.answers[&(id, serial)].clone();
        match repeated {
            _ if answer.len() > self.limits.answer_bytes => Outcome::Unkept { repeated },
            true => Outcome::Repeated(answer),
            false => Outcome::Applied(answer),
        }
    }
}
