use core::fmt;

use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Index;
use crate::raft::LIMIT;

/// Which session: the index of the entry that registered it, so no two are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SessionId(Index);

/// What a client asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// A session.
    Register {
        /// What tells this registration from every other, also from those of the client's earlier lives: a random number, or a node's number and a
        /// count of its starts. Registering again with the token of a session that lives gives that session, so that this can be
        /// sent again as well.
        token: u64,
    },
    /// To have a command carried out.
    Command {
        /// The client's session.
        session: SessionId,
        /// Which of its commands, from 1.
        serial: u64,
        /// The lowest serial number whose answer it still waits for, at most this one: answers below are forgotten.
        lowest: u64,
        /// The command.
        command: &'a [u8],
    },
    /// To be remembered, without a command: for a client that is idle.
    KeepAlive {
        /// The client's session.
        session: SessionId,
        /// The lowest serial number whose answer it still waits for.
        lowest: u64,
    },
    /// To be forgotten.
    Close {
        /// The client's session.
        session: SessionId,
    },
}

/// What a client asks, as it is in the log.
///
/// ```
/// use quorate_core::Wire;
/// use quorate_raft::session::{Call, Request};
/// let call = Call { time_us: 5, request: Request::Register { token: 77 } };
/// let mut buffer = [0; 16];
/// let bytes = call.to_slice(&mut buffer)?;
/// assert_eq!(bytes, [5, 0, 77]);
/// assert_eq!(Call::from_slice(bytes), Ok(call));
/// # Ok::<(), quorate_core::Overflow>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Call<'a> {
    /// The cluster's time when this was proposed, in µs: [`ClusterClock::stamp`](super::ClusterClock::stamp). 0 where sessions do not end by time.
    /// Put there by the node that proposes, never by the client: a time far ahead ends every session.
    pub time_us: u64,
    /// What is asked.
    pub request: Request<'a>,
}

impl SessionId {
    /// The session that was registered by the entry at `index`.
    ///
    /// ```
    /// use quorate_raft::session::SessionId;
    /// assert_eq!(SessionId::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn new(index: Index) -> Self {
        Self(index)
    }

    /// The index of the entry that registered it.
    ///
    /// ```
    /// use quorate_raft::session::SessionId;
    /// assert!(SessionId::new(7).get() < SessionId::new(8).get());
    /// ```
    #[must_use]
    pub const fn get(self) -> Index {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> Wire<'a> for Call<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.time_us);
        match self.request {
            Request::Register { token } => {
                out.u8(0);
                out.u64(token);
            }
            Request::Command { session, serial, lowest, command } => {
                out.u8(1);
                out.u64(session.0);
                out.u64(serial);
                out.u64(lowest);
                out.bytes(command);
            }
            Request::KeepAlive { session, lowest } => {
                out.u8(2);
                out.u64(session.0);
                out.u64(lowest);
            }
            Request::Close { session } => {
                out.u8(3);
                out.u64(session.0);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let time_us = number(input, 0)?;
        let request = match input.u8()? {
            0 => Request::Register { token: input.u64()? },
            1 => {
                let session = SessionId(number(input, 1)?);
                let (serial, lowest) = (number(input, 1)?, number(input, 1)?);
                if lowest > serial {
                    return Err(DecodeError::Invalid);
                }
                Request::Command { session, serial, lowest, command: input.bytes()? }
            }
            2 => Request::KeepAlive {
                session: SessionId(number(input, 1)?),
                lowest: number(input, 1)?,
            },
            3 => Request::Close { session: SessionId(number(input, 1)?) },
            _ => return Err(DecodeError::Invalid),
        };
        Ok(Self { time_us, request })
    }
}

/// A number that an honest node can have come to: nothing overflows when it goes on from there.
pub(super) fn number(input: &mut Reader<'_>, from: u64) -> Result<u64, DecodeError> {
    let number = input.u64()?;
    if (from..LIMIT).contains(&number) { Ok(number) } else { Err(DecodeError::Invalid) }
}
