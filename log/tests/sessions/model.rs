//! A simple model of sessions: it remembers every response and removes expired sessions at once.

use std::collections::BTreeMap;

use quorate_core::Wire;
use quorate_log::session::{Call, Config, Request, Response, SessionError, WhenFull};

/// An outcome that borrows nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Registered(u64),
    Applied(Vec<u8>),
    Duplicate(Vec<u8>),
    ResponseDropped { duplicate: bool },
    KeptAlive,
    Closed,
    Refused(SessionError),
}

impl Outcome {
    pub(crate) fn of(result: Result<Response<'_>, SessionError>) -> Self {
        match result {
            Ok(Response::Registered(id)) => Self::Registered(id.get()),
            Ok(Response::Applied(response)) => Self::Applied(response.to_vec()),
            Ok(Response::Duplicate(response)) => Self::Duplicate(response.to_vec()),
            Ok(Response::ResponseDropped { duplicate }) => Self::ResponseDropped { duplicate },
            Ok(Response::KeptAlive) => Self::KeptAlive,
            Ok(Response::Closed) => Self::Closed,
            Ok(other) => panic!("an outcome that the model does not know: {other:?}"),
            Err(error) => Self::Refused(error),
        }
    }

    /// The client need not retry.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Applied(_) | Self::Duplicate(_) | Self::ResponseDropped { .. })
    }
}

struct Session {
    token: u64,
    lowest: u64,
    last_index: u64,
    last_time_us: u64,
}

pub(crate) struct Model {
    config: Config,
    time_us: u64,
    sessions: BTreeMap<u64, Session>,
    /// The response to every command ever applied, by session and serial.
    responses: BTreeMap<(u64, u64), Vec<u8>>,
    runs: BTreeMap<(u64, u64), u32>,
    counter: u64,
}

impl Model {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            time_us: 0,
            sessions: BTreeMap::new(),
            responses: BTreeMap::new(),
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
        let (now, timeout_us) = (self.time_us, self.config.timeout_us);
        self.sessions.retain(|_, s| timeout_us == 0 || now - s.last_time_us <= timeout_us);
        match request {
            Request::Register { token } => self.register(index, token),
            Request::Command { session, serial, lowest, command } => {
                if !self.refresh(index, session.get(), lowest) {
                    return Outcome::Refused(SessionError::Expired);
                }
                self.command(session.get(), serial, command)
            }
            Request::KeepAlive { session, lowest } => {
                match self.refresh(index, session.get(), lowest) {
                    true => Outcome::KeptAlive,
                    false => Outcome::Refused(SessionError::Expired),
                }
            }
            Request::Close { session } => match self.sessions.remove(&session.get()) {
                Some(_) => Outcome::Closed,
                None => Outcome::Refused(SessionError::Expired),
            },
            other => panic!("a request that the model does not know: {other:?}"),
        }
    }

    fn refresh(&mut self, index: u64, session: u64, lowest: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&session) else { return false };
        session.lowest = session.lowest.max(lowest);
        (session.last_index, session.last_time_us) = (index, self.time_us);
        true
    }

    fn register(&mut self, index: u64, token: u64) -> Outcome {
        let known = self.sessions.iter().find(|(_, s)| s.token == token).map(|(id, _)| *id);
        if let Some(id) = known {
            self.refresh(index, id, 0);
            return Outcome::Registered(id);
        }
        if self.sessions.len() == self.config.max_sessions {
            if self.config.when_full == WhenFull::Refuse {
                return Outcome::Refused(SessionError::TooManySessions);
            }
            let oldest = self.sessions.iter().min_by_key(|(_, s)| s.last_index).map(|(id, _)| *id);
            self.sessions.remove(&oldest.unwrap());
        }
        let session = Session { token, lowest: 1, last_index: index, last_time_us: self.time_us };
        self.sessions.insert(index, session);
        Outcome::Registered(index)
    }

    fn command(&mut self, id: u64, serial: u64, command: &[u8]) -> Outcome {
        let lowest = self.sessions[&id].lowest;
        if serial < lowest {
            return Outcome::Refused(SessionError::Acknowledged);
        }
        if serial >= lowest + self.config.window as u64 {
            return Outcome::Refused(SessionError::WindowExceeded);
        }
        let duplicate = self.responses.contains_key(&(id, serial));
        if !duplicate {
            *self.runs.entry((id, serial)).or_default() += 1;
            self.counter += 1;
            let mut response = self.counter.to_le_bytes().to_vec();
            response.resize(command.first().map_or(0, |&len| usize::from(len)), 0xaa);
            self.responses.insert((id, serial), response);
        }
        let response = self.responses[&(id, serial)].clone();
        match duplicate {
            _ if response.len() > self.config.max_response_bytes => {
                Outcome::ResponseDropped { duplicate }
            }
            true => Outcome::Duplicate(response),
            false => Outcome::Applied(response),
        }
    }
}
