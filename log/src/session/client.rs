use super::{Config, Request, SessionId};

/// A client's side of a session: which commands are in flight.
///
/// It is the client's memory, and ends with it: a client that restarts registers again, unless it
/// stored this with each command.
///
/// ```
/// use quorate_log::session::{Client, Request, SessionId};
/// let mut client = Client::new(SessionId::new(7), 2);
/// assert_eq!((client.begin(), client.begin()), (Some(1), Some(2)));
/// assert_eq!(client.begin(), None); // two may be in flight
///
/// client.finish(2); // its response came first
/// assert_eq!((client.lowest(), client.begin()), (1, None));
/// client.finish(1);
/// assert_eq!((client.lowest(), client.begin()), (3, Some(3)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    session: SessionId,
    window: u64,
    /// The lowest serial number in flight, or the next.
    lowest: u64,
    next: u64,
    /// Which of those from `lowest` on have a response: a bit each, the lowest first.
    finished: u64,
}

impl Client {
    /// A client that has just registered. `window` is that of the cluster's [`Config`], or less; it
    /// is clamped to 1 to 64.
    ///
    /// ```
    /// use quorate_log::session::{Client, SessionId};
    /// assert_eq!(Client::new(SessionId::new(7), 16).session().get(), 7);
    /// ```
    #[must_use]
    pub fn new(session: SessionId, window: usize) -> Self {
        let window = window.clamp(1, Config::MAX_WINDOW) as u64;
        Self { session, window, lowest: 1, next: 1, finished: 0 }
    }

    /// The serial number of another command; `None` when the window is full: wait for the response
    /// to the [`lowest`](Self::lowest).
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

    /// Notes the response to a command, which need not be sent again. False if it was not in
    /// flight, as after a second response.
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
        self.finished |= self.bit(serial);
        let done = self.finished.trailing_ones();
        self.finished = self.finished.checked_shr(done).unwrap_or(0);
        self.lowest = self.lowest.saturating_add(u64::from(done));
        true
    }

    /// The request to send for a command in flight, again until there is a response.
    ///
    /// ```
    /// use quorate_log::session::{Client, Request, SessionId};
    /// let mut client = Client::new(SessionId::new(7), 4);
    /// let serial = client.begin().ok_or("too many")?;
    /// let session = client.session();
    /// let request = Request::Command { session, serial, lowest: 1, command: b"x" };
    /// assert_eq!(client.request(serial, b"x"), request);
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn request<'a>(&self, serial: u64, command: &'a [u8]) -> Request<'a> {
        let lowest = self.lowest.min(serial);
        Request::Command { session: self.session, serial, lowest, command }
    }

    /// The request to send when the client has been idle for a while, so that its session does not
    /// expire.
    ///
    /// ```
    /// use quorate_log::session::{Client, Request, SessionId};
    /// let client = Client::new(SessionId::new(7), 4);
    /// let session = client.session();
    /// assert_eq!(client.keep_alive(), Request::KeepAlive { session, lowest: 1 });
    /// ```
    #[must_use]
    pub const fn keep_alive(&self) -> Request<'static> {
        Request::KeepAlive { session: self.session, lowest: self.lowest }
    }

    /// Whether the command is in flight.
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
        (self.lowest..self.next).contains(&serial) && self.finished & self.bit(serial) == 0
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

    /// The lowest serial number in flight; that of the next command if none is.
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
