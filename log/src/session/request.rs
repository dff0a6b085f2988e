use core::fmt;

use quorate_core::{DecodeError, Field, Form, Reader, Source, Wire, Writer, wire};

use crate::{Index, MAX_INDEX};

/// A session's id: the index of the entry that registered it, so it is unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SessionId(Index);

wire! {
    by hand;
    /// What a client requests.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub enum Request<'a> {
        /// Registers a session.
        0 => Register {
            /// Distinguishes this registration from all others, also from those of the client's
            /// earlier incarnations: a random number, or a node's number and a count of its starts.
            /// Registering again with the token of a session that is alive returns that session, so
            /// this request can be retried as well.
            token: u64,
        },
        /// Executes a command, once.
        1 => Command {
            /// The client's session.
            session: SessionId,
            /// Which of its commands, from 1.
            serial: u64,
            /// The lowest serial number whose response the client still waits for, at most this
            /// one: it acknowledges all responses below, and they are dropped.
            lowest: u64,
            /// The command.
            command: &'a [u8],
        },
        /// Keeps the session of an idle client alive, without a command.
        2 => KeepAlive {
            /// The client's session.
            session: SessionId,
            /// The lowest serial number whose response the client still waits for.
            lowest: u64,
        },
        /// Ends the session.
        3 => Close {
            /// The client's session.
            session: SessionId,
        },
    }
}

wire! {
    by hand;
    /// A client's request, as it is in the log.
    ///
    /// ```
    /// use quorate_core::Wire;
    /// use quorate_log::session::{Call, Request};
    /// let call = Call { time_us: 5, request: Request::Register { token: 77 } };
    /// let mut buffer = [0; 16];
    /// let bytes = call.to_slice(&mut buffer)?;
    /// assert_eq!(bytes, [5, 0, 77]);
    /// assert_eq!(Call::from_slice(bytes), Ok(call));
    /// # Ok::<(), quorate_core::Overflow>(())
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Call<'a> {
        /// The cluster's time when this was proposed, in µs:
        /// [`ClusterClock::stamp`](super::ClusterClock::stamp). 0 where sessions have no timeout.
        /// The node that proposes sets it, never the client: a time far ahead expires every
        /// session.
        pub time_us: u64,
        /// What is requested.
        pub request: Request<'a>,
    }
}

impl SessionId {
    /// The session that was registered by the entry at `index`.
    ///
    /// ```
    /// use quorate_log::session::SessionId;
    /// assert_eq!(SessionId::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn new(index: Index) -> Self {
        Self(index)
    }

    /// The index of the entry that registered it.
    ///
    /// ```
    /// use quorate_log::session::SessionId;
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

impl Wire<'_> for SessionId {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        number(input, 1).map(Self)
    }
}

impl Field<'_> for SessionId {
    const FORM: Form = Form::named("varint");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn generate(source: &mut Source<'_>) -> Self {
        Self(source.number().clamp(1, MAX_INDEX))
    }
}

/// Written by hand: it refuses numbers that no honest client sends as it reads them, which takes
/// less code.
impl<'a> Wire<'a> for Request<'a> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Register { token } => {
                out.u8(0);
                out.u64(token);
            }
            Self::Command { session, serial, lowest, command } => {
                out.u8(1);
                out.u64(session.0);
                out.u64(serial);
                out.u64(lowest);
                out.bytes(command);
            }
            Self::KeepAlive { session, lowest } => {
                out.u8(2);
                out.u64(session.0);
                out.u64(lowest);
            }
            Self::Close { session } => {
                out.u8(3);
                out.u64(session.0);
            }
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Register { token: input.u64()? },
            1 => {
                let session = SessionId(number(input, 1)?);
                let (serial, lowest) = (number(input, 1)?, number(input, 1)?);
                if lowest > serial {
                    return Err(DecodeError::Invalid);
                }
                Self::Command { session, serial, lowest, command: input.bytes()? }
            }
            2 => {
                Self::KeepAlive { session: SessionId(number(input, 1)?), lowest: number(input, 1)? }
            }
            3 => Self::Close { session: SessionId(number(input, 1)?) },
            _ => return Err(DecodeError::Invalid),
        })
    }
}

impl<'a> Wire<'a> for Call<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.time_us);
        self.request.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { time_us: number(input, 0)?, request: Request::decode(input)? })
    }
}

/// A number that an honest node can reach: counting on from it does not overflow.
pub(super) fn number(input: &mut Reader<'_>, from: u64) -> Result<u64, DecodeError> {
    let number = input.u64()?;
    if (from..=MAX_INDEX).contains(&number) { Ok(number) } else { Err(DecodeError::Invalid) }
}
