use super::{Limits, Request, SessionId};

/// A client's side of a session: which commands are under way.
///
/// It is the client's memory, and ends with it: a client that starts again registers anew, unless it kept this with each command.
///
/// ```
/// use quorate_log::session::{Client, Request, SessionId};
/// let mut client = Client::new(SessionId::new(7), 2);
/// assert_eq!((client.begin(), client.begin()), (Some(1), Some(2)));
/// assert_eq!(client.begin(), None); // two may be under way
///
/// client.finish(2); // answered first
/// assert_eq!((client.lowest(), client.begin()), (1, None));
/// client.finish(1);
/// assert_eq!((client.lowest(), client.begin()), (3, Some(3)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    session: SessionId,
    window: u64,
    /// The lowest serial that is under way, or the next.
    lowest: u64,
    next: u64,
    /// Which of those from `lowest` on are answered: a bit each, the lowest first.
    answered: u64,
}

impl Client {
    /// A client that has just registered. `window` is the one of the cluster's [`Limits`], or less; taken as 1 below that, as 64 above.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// assert_eq!(Client::new(SessionId::new(7), 16).session().get(), 7);
    /// ```
    #[must_use]
    pub fn new(session: SessionId, window: usize) -> Self {
        let window = window.clamp(1, Limits::MAX_WINDOW) as u64;
        Self { session, window, lowest: 1, next: 1, answered: 0 }
    }

    /// The serial number of another command; `None` when as many are under way as may be: wait for the answer to the
    /// [`lowest`](Self::lowest).
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// let mut client = Client::new(SessionId::new(7), 1);
    /// assert_eq!((client.begin(), client.begin()), (Some(1), None));
    /// ```
    pub fn begin(&mut self) -> Option<u64> {
        let serial = self.next;
        if serial.wrapping_sub(self.lowest) >= self.window {
            return None;
        }
        self.next = serial.saturating_add(1);
        Some(serial)
    }

    /// Notes that a command needs not be sent again: it was answered. False if it was not under way, as after a second answer.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// let mut client = Client::new(SessionId::new(7), 4);
    /// let serial = client.begin().ok_or("too many")?;
    /// assert!(client.finish(serial));
    /// assert!(!client.finish(serial));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn finish(&mut self, serial: u64) -> bool {
        if !self.is_pending(serial) {
            return false;
        }
        self.answered |= self.bit(serial);
        let done = self.answered.trailing_ones();
        self.answered = self.answered.checked_shr(done).unwrap_or(0);
        self.lowest = self.lowest.saturating_add(u64::from(done));
        true
    }

    /// What to ask for a command that is under way, as often as it takes.
    ///
    /// ```
    /// use quorate_log::session::{Client, Request, SessionId};
    /// let mut client = Client::new(SessionId::new(7), 4);
    /// let serial = client.begin().ok_or("too many")?;
    /// let session = client.session();
    /// assert_eq!(client.request(serial, b"x"), Request::Command { session, serial, lowest: 1, command: b"x" });
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn request<'a>(&self, serial: u64, command: &'a [u8]) -> Request<'a> {
        let lowest = self.lowest.min(serial);
        Request::Command { session: self.session, serial, lowest, command }
    }

    /// What to ask when there was nothing to ask for a while, so that the session does not end.
    ///
    /// ```
    /// use quorate_log::session::{Client, Request, SessionId};
    /// let client = Client::new(SessionId::new(7), 4);
    /// assert_eq!(client.keep_alive(), Request::KeepAlive { session: client.session(), lowest: 1 });
    /// ```
    #[must_use]
    pub const fn keep_alive(&self) -> Request<'static> {
        Request::KeepAlive { session: self.session, lowest: self.lowest }
    }

    /// Whether the command is under way.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// let mut client = Client::new(SessionId::new(7), 4);
    /// assert!(!client.is_pending(1));
    /// client.begin();
    /// assert!(client.is_pending(1));
    /// ```
    #[must_use]
    pub fn is_pending(&self, serial: u64) -> bool {
        (self.lowest..self.next).contains(&serial) && self.answered & self.bit(serial) == 0
    }

    /// The session.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// assert_eq!(Client::new(SessionId::new(7), 4).session(), SessionId::new(7));
    /// ```
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The lowest serial number that is under way; that of the next command if none is.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// assert_eq!(Client::new(SessionId::new(7), 4).lowest(), 1);
    /// ```
    #[must_use]
    pub const fn lowest(&self) -> u64 {
        self.lowest
    }

    /// The bit of a serial number that is not below the lowest.
    fn bit(&self, serial: u64) -> u64 {
        let place = u32::try_from(serial.wrapping_sub(self.lowest)).unwrap_or(u32::MAX);
        1_u64.checked_shl(place).unwrap_or(0)
    }
}
