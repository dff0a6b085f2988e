use quorate_log::Index;

/// An entry of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) index: Index,
    pub(crate) bytes: usize,
    pub(crate) content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    Command(&'a [u8]),
    /// The members from here on, encoded by the protocol.
    Members(&'a [u8]),
    /// Nothing for the application.
    Nothing,
}

/// Why a command was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProposeError {
    NotLeader,
    TooLarge,
    /// Some of what is proposed must be committed first.
    Busy,
    LogFull,
}
