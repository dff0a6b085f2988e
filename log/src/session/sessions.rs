use quorate_core::{List, Wire};

use super::storage::{Kinds, Storage};
use super::table::{Answer, Seen, Session};
use super::{Call, Done, Limits, LimitsError, Refused, Request, SessionId, WhenFull};
use crate::Index;

/// What a node remembers of its clients (Raft thesis, 6.3): a part of the application's state, changed by committed entries alone.
///
/// The module's page shows it at work. It is the same on every node that applied the same entries, and so is its
/// [encoded form](Self::encode).
///
/// RAM: inline, what [`Inline`](super::Inline) says. On the heap: 72 bytes for each session, 48 and its bytes for each answer that the
/// client has not said to have; each list may have room for twice as many.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sessions<S: Storage> {
    pub(super) limits: Limits,
    /// The last entry that was applied.
    pub(super) index: Index,
    /// The latest time in an entry.
    pub(super) time_us: u64,
    /// By id, which is also the order in which they came.
    pub(super) table: S::Sessions,
}

type Answers<S> = <S as Kinds>::Answers;

impl<S: Storage> Sessions<S> {
    /// A table without sessions.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] when a limit is out of range, or above what the storage has room for.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, LimitsError, Sessions};
    /// let limits = Limits { sessions: 8, window: 1, answer_bytes: 16, ..Limits::default() };
    /// assert!(Sessions::<Inline<8, 1, 16>>::new(limits).is_ok());
    /// assert_eq!(Sessions::<Inline<7, 1, 16>>::new(limits), Err(LimitsError::Storage));
    /// ```
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        limits.validate()?;
        let table = S::Sessions::with_limit(limits.sessions);
        let fits = table.limit() >= limits.sessions
            && Answers::<S>::with_limit(limits.window).limit() >= limits.window
            && S::Bytes::with_limit(limits.answer_bytes).limit() >= limits.answer_bytes;
        if !fits {
            return Err(LimitsError::Storage);
        }
        Ok(Self { limits, index: 0, time_us: 0, table })
    }

    /// Takes the committed command at `index`, an encoded [`Call`]: every one, in the log's order, on every node. `run` is called at
    /// most once, if there is a client's command to be carried out; it gives the answer.
    ///
    /// What `run` does must depend on nothing but the command and the application's state, as with any entry; that it fails is an answer too.
    ///
    /// # Errors
    ///
    /// [`Refused`] when nothing was carried out, and why. What is [`Past`](Refused::Past) or [`Garbled`](Refused::Garbled) changed nothing;
    /// after the others the time and the lowest serial that came with it are noted.
    ///
    /// ```
    /// use quorate_core::Wire;
    /// use quorate_log::session::{Call, Done, Inline, Limits, Refused, Request, SessionId, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// let mut sessions = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// let mut buffer = [0; 32];
    /// let call = Call { time_us: 0, request: Request::Register { token: 77 } }.to_slice(&mut buffer)?;
    /// assert_eq!(sessions.apply(2, call, |_| []), Ok(Done::Registered(SessionId::new(2))));
    ///
    /// // a session that there never was, or no longer is
    /// let request = Request::Command { session: SessionId::new(1), serial: 1, lowest: 1, command: b"x" };
    /// let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// assert_eq!(sessions.apply(3, call, |_| -> [u8; 0] { unreachable!() }), Err(Refused::Gone));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply<A: AsRef<[u8]>>(
        &mut self,
        index: Index,
        call: &[u8],
        run: impl FnOnce(&[u8]) -> A,
    ) -> Result<Done<'_>, Refused> {
        match self.begin(index, call)? {
            Step::Done(done) => Ok(done.into()),
            Step::Known { session, answer } => Ok(self.tell(session, answer, true)),
            Step::Run { session, answer, command } => {
                let bytes = run(command);
                self.keep(session, answer, bytes.as_ref());
                Ok(self.tell(session, answer, false))
            }
        }
    }

    /// What was answered to a command that was carried out; `None` if it was not, or if the answer is gone. For a node that installed a
    /// snapshot, and so never sees the entry that somebody waits for.
    ///
    /// ```
    /// # use quorate_core::Wire;
    /// # use quorate_log::session::{Call, Done, Inline, Limits, Request, SessionId, Sessions};
    /// # let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// # let mut sessions = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// # let mut buffer = [0; 32];
    /// # let call = Call { time_us: 0, request: Request::Register { token: 77 } }.to_slice(&mut buffer)?;
    /// # sessions.apply(2, call, |_| [])?;
    /// let session = SessionId::new(2); // registered by the entry at index 2
    /// assert_eq!(sessions.answer(session, 1), None);
    /// let request = Request::Command { session, serial: 1, lowest: 1, command: b"x" };
    /// let call = Call { time_us: 0, request }.to_slice(&mut buffer)?;
    /// sessions.apply(3, call, |_| b"done")?;
    /// assert_eq!(sessions.answer(session, 1), Some(&b"done"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn answer(&self, session: SessionId, serial: u64) -> Option<&[u8]> {
        let session = self.table.get(self.find(session)?)?;
        let answer = session.answers.iter().find(|answer| answer.serial == serial)?;
        answer.kept.then_some(&*answer.bytes)
    }

    /// Whether the session lives: what its client asks next will not be refused as [`Gone`](Refused::Gone), if it comes at once.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, SessionId, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// let sessions = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// assert!(!sessions.is_alive(SessionId::new(2)));
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub fn is_alive(&self, session: SessionId) -> bool {
        let session = self.find(session).and_then(|at| self.table.get(at));
        session.is_some_and(|session| !session.expired(self.time_us, self.limits.idle_us))
    }

    /// How many sessions live.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// assert_eq!(Sessions::<Inline<4, 2, 8>>::new(limits)?.len(), 0);
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        let (time_us, idle_us) = (self.time_us, self.limits.idle_us);
        self.table.iter().filter(|session| !session.expired(time_us, idle_us)).count()
    }

    /// Whether no session is alive.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// assert!(Sessions::<Inline<4, 2, 8>>::new(limits)?.is_empty());
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest time in an entry: for the [`ClusterClock`](super::ClusterClock) of a node that begins with a snapshot.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// assert_eq!(Sessions::<Inline<4, 2, 8>>::new(limits)?.time_us(), 0);
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub const fn time_us(&self) -> u64 {
        self.time_us
    }

    /// The limits it was made with.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// assert_eq!(Sessions::<Inline<4, 2, 8>>::new(limits)?.limits(), limits);
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Everything but the application's part, which differs from program to program.
    fn begin<'c>(&mut self, index: Index, call: &'c [u8]) -> Result<Step<'c>, Refused> {
        if index <= self.index {
            return Err(Refused::Past);
        }
        let Call { time_us, request } = Call::from_slice(call)?;
        self.index = index;
        self.time_us = self.time_us.max(time_us);
        match request {
            Request::Register { token } => Ok(Step::Done(Plain::Registered(self.register(token)?))),
            Request::Command { session, serial, lowest, command } => {
                self.look_up(session, serial, lowest, command)
            }
            Request::KeepAlive { session, lowest } => {
                self.admit(session, lowest)?;
                Ok(Step::Done(Plain::Alive))
            }
            Request::Close { session } => {
                let at = self.admit(session, 0)?;
                self.table.remove(at);
                Ok(Step::Done(Plain::Closed))
            }
        }
    }

    fn look_up<'c>(
        &mut self,
        session: SessionId,
        serial: u64,
        lowest: u64,
        command: &'c [u8],
    ) -> Result<Step<'c>, Refused> {
        let at = self.admit(session, lowest)?;
        let Limits { window, answer_bytes, .. } = self.limits;
        let session = self.table.get_mut(at).ok_or(Refused::Gone)?;
        match session.seen(serial, window) {
            Seen::New => {
                // it counts as carried out before it is: whatever happens in there, it does not happen twice
                let answer = session.reserve(serial, answer_bytes).ok_or(Refused::Ahead)?;
                Ok(Step::Run { session: at, answer, command })
            }
            Seen::Answered(answer) => Ok(Step::Known { session: at, answer }),
            Seen::Settled => Err(Refused::Settled),
            Seen::Ahead => Err(Refused::Ahead),
        }
    }

    /// The session of a client that was just heard.
    fn admit(&mut self, session: SessionId, lowest: u64) -> Result<usize, Refused> {
        let at = self.find(session).ok_or(Refused::Gone)?;
        let found = self.table.get_mut(at).ok_or(Refused::Gone)?;
        if found.expired(self.time_us, self.limits.idle_us) {
            self.table.remove(at);
            return Err(Refused::Gone);
        }
        found.heard = self.index;
        found.heard_us = self.time_us;
        found.settle(lowest);
        Ok(at)
    }

    fn register(&mut self, token: u64) -> Result<SessionId, Refused> {
        let (time_us, idle_us) = (self.time_us, self.limits.idle_us);
        let same = |s: &&Session<_>| s.token == token && !s.expired(time_us, idle_us);
        if let Some(id) = self.table.iter().find(same).map(|session| SessionId::new(session.id)) {
            self.admit(id, 0)?;
            return Ok(id);
        }
        self.make_room()?;
        let session = Session {
            id: self.index,
            token,
            lowest: 1,
            heard: self.index,
            heard_us: time_us,
            answers: Answers::<S>::with_limit(self.limits.window),
        };
        self.table.push(session).map_err(|_| Refused::Full)?;
        Ok(SessionId::new(self.index))
    }

    /// Sessions that ended by time stay in the table until their place is wanted: nobody can tell the difference.
    fn make_room(&mut self) -> Result<(), Refused> {
        if self.table.len() < self.limits.sessions {
            return Ok(());
        }
        let mut at = 0;
        while let Some(session) = self.table.get(at) {
            if session.expired(self.time_us, self.limits.idle_us) {
                self.table.remove(at);
            } else {
                at = at.saturating_add(1);
            }
        }
        if self.table.len() < self.limits.sessions {
            return Ok(());
        }
        match self.limits.when_full {
            WhenFull::Refuse => Err(Refused::Full),
            WhenFull::EndOldest => {
                let heard = |(_, session): &(usize, &Session<_>)| session.heard;
                let oldest = self.table.iter().enumerate().min_by_key(heard);
                let at = oldest.map(|(at, _)| at).ok_or(Refused::Full)?;
                self.table.remove(at);
                Ok(())
            }
        }
    }

    pub(super) fn find(&self, session: SessionId) -> Option<usize> {
        self.table.binary_search_by_key(&session.get(), |session| session.id).ok()
    }

    fn keep(&mut self, session: usize, answer: usize, bytes: &[u8]) {
        let session = self.table.get_mut(session);
        let Some(answer) = session.and_then(|session| session.answers.get_mut(answer)) else {
            return;
        };
        let fits = bytes.len() <= self.limits.answer_bytes;
        answer.kept = fits && answer.bytes.extend_from_slice(bytes).is_ok();
    }

    fn tell(&self, session: usize, answer: usize, repeated: bool) -> Done<'_> {
        let session = self.table.get(session);
        match session.and_then(|session| session.answers.get(answer)) {
            Some(Answer { kept: true, bytes, .. }) if repeated => Done::Repeated(bytes),
            Some(Answer { kept: true, bytes, .. }) => Done::Applied(bytes),
            _ => Done::Unkept { repeated },
        }
    }
}

/// What is left to do of a call.
enum Step<'c> {
    Done(Plain),
    /// The command was carried out before.
    Known {
        session: usize,
        answer: usize,
    },
    /// The command is to be carried out, and its answer to be put there.
    Run {
        session: usize,
        answer: usize,
        command: &'c [u8],
    },
}

/// What became of a call that holds no command.
enum Plain {
    Registered(SessionId),
    Alive,
    Closed,
}

impl From<Plain> for Done<'_> {
    fn from(plain: Plain) -> Self {
        match plain {
            Plain::Registered(session) => Self::Registered(session),
            Plain::Alive => Self::Alive,
            Plain::Closed => Self::Closed,
        }
    }
}
