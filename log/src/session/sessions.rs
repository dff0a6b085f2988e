use quorate_core::{List, Wire};

use super::storage::{Kinds, Storage};
use super::table::{SerialState, Session, StoredResponse};
use super::{Call, Config, ConfigError, Request, Response, SessionError, SessionId, WhenFull};
use crate::Index;

/// The table of sessions (Raft thesis, 6.3): a part of the application's state, changed by
/// committed entries alone.
///
/// The module's page has an example. The table is the same on every node that applied the same
/// entries, and so is its [encoded form](Self::encode).
///
/// RAM: inline, what [`Inline`](super::Inline) says. On the heap: 72 bytes for each session, 48 and
/// its bytes for each response that the client has not acknowledged; each list may have room for
/// twice as many.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sessions<S: Storage> {
    pub(super) config: Config,
    /// The last entry that was applied.
    pub(super) index: Index,
    /// The latest time in an entry.
    pub(super) time_us: u64,
    /// By id, which is also the order of registration.
    pub(super) table: S::Sessions,
}

type Responses<S> = <S as Kinds>::Responses;

impl<S: Storage> Sessions<S> {
    /// A table without sessions.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a field is out of range, or above what the storage has room for.
    ///
    /// ```
    /// use quorate_log::session::{Config, ConfigError, Inline, Sessions};
    /// let config = Config { max_sessions: 8, window: 1, ..Config::default() };
    /// assert!(Sessions::<Inline<8, 1, 256>>::new(config).is_ok());
    /// assert_eq!(Sessions::<Inline<7, 1, 256>>::new(config), Err(ConfigError::Storage));
    /// ```
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let Config { max_sessions, window, max_response_bytes, .. } = config;
        let table = S::Sessions::with_limit(max_sessions);
        let fits = table.limit() >= max_sessions
            && Responses::<S>::with_limit(window).limit() >= window
            && S::Bytes::with_limit(max_response_bytes).limit() >= max_response_bytes;
        if !fits {
            return Err(ConfigError::Storage);
        }
        Ok(Self { config, index: 0, time_us: 0, table })
    }

    /// Applies the committed command at `index`, an encoded [`Call`]. Call it for each, in the
    /// log's order, on every node. It calls `run` at most once, if there is a client's command to
    /// apply; `run` returns the response.
    ///
    /// What `run` does must depend on nothing but the command and the application's state, as with
    /// any entry; a failure is a response too.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when no command was applied, and why. After
    /// [`AlreadyApplied`](SessionError::AlreadyApplied) and [`Malformed`](SessionError::Malformed)
    /// the table is unchanged; after the others it has noted the time of the call and the responses
    /// that it acknowledges.
    ///
    /// ```
    /// use quorate_core::Wire;
    /// use quorate_log::session::{Call, Config, Inline, Request, Response, Sessions};
    /// use quorate_log::session::{SessionError, SessionId};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// let mut sessions = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// let mut buffer = [0; 32];
    /// let request = Request::Register { token: 77 };
    /// let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// assert_eq!(sessions.apply(2, call, |_| []), Ok(Response::Registered(SessionId::new(2))));
    ///
    /// // a session that never existed, or expired
    /// let session = SessionId::new(1);
    /// let request = Request::Command { session, serial: 1, lowest: 1, command: b"x" };
    /// let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// let refused = sessions.apply(3, call, |_| -> [u8; 0] { unreachable!() });
    /// assert_eq!(refused, Err(SessionError::Expired));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply<A: AsRef<[u8]>>(
        &mut self,
        index: Index,
        call: &[u8],
        run: impl FnOnce(&[u8]) -> A,
    ) -> Result<Response<'_>, SessionError> {
        match self.step(index, call)? {
            Step::Control(control) => Ok(control.into()),
            Step::Duplicate { session, response } => Ok(self.stored(session, response, true)),
            Step::Apply { session, response, command } => {
                let bytes = run(command);
                self.store(session, response, bytes.as_ref());
                Ok(self.stored(session, response, false))
            }
        }
    }

    /// The stored response to a command; `None` if the command was not applied, or if its response
    /// was acknowledged or too long. For a node that installed a snapshot, and so never applies the
    /// entry that a client waits for.
    ///
    /// ```
    /// # use quorate_core::Wire;
    /// # use quorate_log::session::{Call, Config, Inline, Request, SessionId, Sessions};
    /// # let config = Config { max_sessions: 4, ..Config::default() };
    /// # let mut sessions = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// # let mut buffer = [0; 32];
    /// # let request = Request::Register { token: 77 };
    /// # let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// # sessions.apply(2, call, |_| [])?;
    /// let session = SessionId::new(2); // registered by the entry at index 2
    /// assert_eq!(sessions.response(session, 1), None);
    /// let request = Request::Command { session, serial: 1, lowest: 1, command: b"x" };
    /// let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// sessions.apply(3, call, |_| b"done")?;
    /// assert_eq!(sessions.response(session, 1), Some(&b"done"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn response(&self, session: SessionId, serial: u64) -> Option<&[u8]> {
        let session = self.table.get(self.find(session)?)?;
        let response = session.responses.iter().find(|response| response.serial == serial)?;
        response.stored.then_some(&*response.bytes)
    }

    /// Whether the session is alive: a request of its client that is applied next will not be
    /// refused as [`Expired`](SessionError::Expired), unless its time is past the timeout.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, SessionId, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// let sessions = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// assert!(!sessions.is_alive(SessionId::new(2)));
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_alive(&self, session: SessionId) -> bool {
        let session = self.find(session).and_then(|at| self.table.get(at));
        session.is_some_and(|session| !session.is_expired(self.time_us, self.config.timeout_us))
    }

    /// How many sessions are alive.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// assert_eq!(Sessions::<Inline<4, 16, 256>>::new(config)?.len(), 0);
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        let (time_us, timeout_us) = (self.time_us, self.config.timeout_us);
        self.table.iter().filter(|session| !session.is_expired(time_us, timeout_us)).count()
    }

    /// Whether no session is alive.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// assert!(Sessions::<Inline<4, 16, 256>>::new(config)?.is_empty());
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest time in an entry: for the [`ClusterClock`](super::ClusterClock) of a node that
    /// starts from a snapshot.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// assert_eq!(Sessions::<Inline<4, 16, 256>>::new(config)?.time_us(), 0);
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn time_us(&self) -> u64 {
        self.time_us
    }

    /// The configuration that it was made with.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// assert_eq!(Sessions::<Inline<4, 16, 256>>::new(config)?.config(), config);
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn config(&self) -> Config {
        self.config
    }

    /// Everything but the application's part, which differs from program to program.
    fn step<'c>(&mut self, index: Index, call: &'c [u8]) -> Result<Step<'c>, SessionError> {
        if index <= self.index {
            return Err(SessionError::AlreadyApplied);
        }
        let Call { time_us, request } = Call::from_slice(call)?;
        self.index = index;
        self.time_us = self.time_us.max(time_us);
        match request {
            Request::Register { token } => {
                Ok(Step::Control(Control::Registered(self.register(token)?)))
            }
            Request::Command { session, serial, lowest, command } => {
                self.command(session, serial, lowest, command)
            }
            Request::KeepAlive { session, lowest } => {
                self.refresh(session, lowest)?;
                Ok(Step::Control(Control::KeptAlive))
            }
            Request::Close { session } => {
                let at = self.refresh(session, 0)?;
                self.table.remove(at);
                Ok(Step::Control(Control::Closed))
            }
        }
    }

    fn command<'c>(
        &mut self,
        session: SessionId,
        serial: u64,
        lowest: u64,
        command: &'c [u8],
    ) -> Result<Step<'c>, SessionError> {
        let at = self.refresh(session, lowest)?;
        let Config { window, max_response_bytes, .. } = self.config;
        let session = self.table.get_mut(at).ok_or(SessionError::Expired)?;
        match session.serial_state(serial, window) {
            SerialState::New => {
                // it counts as applied before it runs: whatever `run` does, it does not run twice
                let response = session
                    .reserve(serial, max_response_bytes)
                    .ok_or(SessionError::WindowExceeded)?;
                Ok(Step::Apply { session: at, response, command })
            }
            SerialState::Applied(response) => Ok(Step::Duplicate { session: at, response }),
            SerialState::Acknowledged => Err(SessionError::Acknowledged),
            SerialState::WindowExceeded => Err(SessionError::WindowExceeded),
        }
    }

    /// Finds the session of the client whose request is being applied, restarts its timeout, and
    /// drops the responses that the client acknowledges.
    fn refresh(&mut self, session: SessionId, lowest: u64) -> Result<usize, SessionError> {
        let at = self.find(session).ok_or(SessionError::Expired)?;
        let found = self.table.get_mut(at).ok_or(SessionError::Expired)?;
        if found.is_expired(self.time_us, self.config.timeout_us) {
            self.table.remove(at);
            return Err(SessionError::Expired);
        }
        found.last_index = self.index;
        found.last_time_us = self.time_us;
        found.acknowledge_below(lowest);
        Ok(at)
    }

    fn register(&mut self, token: u64) -> Result<SessionId, SessionError> {
        let (time_us, timeout_us) = (self.time_us, self.config.timeout_us);
        let same = |s: &&Session<_>| s.token == token && !s.is_expired(time_us, timeout_us);
        if let Some(id) = self.table.iter().find(same).map(|session| SessionId::new(session.id)) {
            self.refresh(id, 0)?;
            return Ok(id);
        }
        self.make_room()?;
        let session = Session {
            id: self.index,
            token,
            lowest: 1,
            last_index: self.index,
            last_time_us: time_us,
            responses: Responses::<S>::with_limit(self.config.window),
        };
        self.table.push(session).map_err(|_| SessionError::TooManySessions)?;
        Ok(SessionId::new(self.index))
    }

    /// Expired sessions stay in the table until their room is needed: no client can tell the
    /// difference.
    fn make_room(&mut self) -> Result<(), SessionError> {
        if self.table.len() < self.config.max_sessions {
            return Ok(());
        }
        let mut at = 0;
        while let Some(session) = self.table.get(at) {
            if session.is_expired(self.time_us, self.config.timeout_us) {
                self.table.remove(at);
            } else {
                at = at.saturating_add(1);
            }
        }
        if self.table.len() < self.config.max_sessions {
            return Ok(());
        }
        match self.config.when_full {
            WhenFull::Refuse => Err(SessionError::TooManySessions),
            WhenFull::EvictOldest => {
                let last_index = |(_, session): &(usize, &Session<_>)| session.last_index;
                let oldest = self.table.iter().enumerate().min_by_key(last_index);
                let at = oldest.map(|(at, _)| at).ok_or(SessionError::TooManySessions)?;
                self.table.remove(at);
                Ok(())
            }
        }
    }

    pub(super) fn find(&self, session: SessionId) -> Option<usize> {
        self.table.binary_search_by_key(&session.get(), |session| session.id).ok()
    }

    fn store(&mut self, session: usize, response: usize, bytes: &[u8]) {
        let session = self.table.get_mut(session);
        let Some(response) = session.and_then(|session| session.responses.get_mut(response)) else {
            return;
        };
        let fits = bytes.len() <= self.config.max_response_bytes;
        response.stored = fits && response.bytes.extend_from_slice(bytes).is_ok();
    }

    fn stored(&self, session: usize, response: usize, duplicate: bool) -> Response<'_> {
        let session = self.table.get(session);
        match session.and_then(|session| session.responses.get(response)) {
            Some(StoredResponse { stored: true, bytes, .. }) if duplicate => {
                Response::Duplicate(bytes)
            }
            Some(StoredResponse { stored: true, bytes, .. }) => Response::Applied(bytes),
            _ => Response::ResponseDropped { duplicate },
        }
    }
}

/// What remains to be done for a call.
enum Step<'c> {
    Control(Control),
    /// The command was applied before.
    Duplicate {
        session: usize,
        response: usize,
    },
    /// The command is to be applied, and its response to be stored there.
    Apply {
        session: usize,
        response: usize,
        command: &'c [u8],
    },
}

/// The response to a request without a command.
enum Control {
    Registered(SessionId),
    KeptAlive,
    Closed,
}

impl From<Control> for Response<'_> {
    fn from(control: Control) -> Self {
        match control {
            Control::Registered(session) => Self::Registered(session),
            Control::KeptAlive => Self::KeptAlive,
            Control::Closed => Self::Closed,
        }
    }
}
