use super::SessionId;

/// The response to a client's request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Response<'a> {
    /// The client has this session; the existing one if a session with its token is alive.
    Registered(SessionId),
    /// The command was applied now: the application's response.
    Applied(&'a [u8]),
    /// The command had been applied before: the response of that time.
    Duplicate(&'a [u8]),
    /// The command was applied, now or before, but its response is longer than
    /// [`max_response_bytes`](super::Config::max_response_bytes), and was not stored.
    ResponseDropped {
        /// It had been applied before.
        duplicate: bool,
    },
    /// The session stays alive.
    KeptAlive,
    /// The session ended, as the client requested.
    Closed,
}
