use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::{Dot, Versions};

/// Messages between the members of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A broadcast, from its origin or relayed by another member.
    Data {
        /// Which event of whom.
        dot: Dot,
        /// What it depends on besides the event before it of the same actor and what that depends on.
        causes: Versions<'a>,
        /// What was broadcast.
        payload: &'a [u8],
    },
    /// What the sender has delivered.
    Status {
        /// Boot number of the sender, from 1: statuses of an earlier boot no longer count.
        /// Those of its `n`th incarnation (from 0) are counted from `n` times 2^22. Another one than
        /// before is believed once it is repeated in an answer.
        boot: u32,
        /// Requests the receiver's status, and the messages that the sender lacks.
        request: bool,
        /// In a request: also requests messages of other origins, as those did not respond. In a
        /// reply: the flag of the request, which distinguishes the reply from earlier statuses.
        relay: bool,
        /// Everything delivered.
        delivered: Versions<'a>,
    },
    /// The sender no longer has all that the receiver lacks.
    Behind {
        /// What it delivered and may have dropped.
        floor: Versions<'a>,
    },
}

impl<'a> Wire<'a> for Message<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Data { dot, causes, payload } => {
                out.u8(0);
                dot.encode(out);
                causes.encode(out);
                out.bytes(payload);
            }
            Self::Status { boot, request, relay, delivered } => {
                out.u8(1);
                out.u64(u64::from(boot));
                out.bool(request);
                out.bool(relay);
                delivered.encode(out);
            }
            Self::Behind { floor } => {
                out.u8(2);
                floor.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Data {
                dot: Dot::decode(input)?,
                causes: Versions::decode(input)?,
                payload: input.bytes()?,
            },
            1 => Self::Status {
                boot: u32::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)?,
                request: input.bool()?,
                relay: input.bool()?,
                delivered: Versions::decode(input)?,
            },
            2 => Self::Behind { floor: Versions::decode(input)? },
            _ => return Err(DecodeError::Invalid),
        })
    }
}

/// What a member keeps on disk, so that it never makes a dot twice and never forgets what it broadcast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Record<'a> {
    /// The member started.
    Boot {
        /// How often, this time included.
        boot: u32,
    },
    /// The member's own next broadcast.
    Sent {
        /// Its number, from 1.
        counter: u64,
        /// What it depends on.
        causes: Versions<'a>,
        /// What was broadcast.
        payload: &'a [u8],
    },
    /// Everybody has the member's own broadcasts up to this one.
    Stable {
        /// Its number.
        counter: u64,
    },
}

impl<'a> Wire<'a> for Record<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Boot { boot } => {
                out.u8(0);
                out.u64(u64::from(boot));
            }
            Self::Sent { counter, causes, payload } => {
                out.u8(1);
                out.u64(counter);
                causes.encode(out);
                out.bytes(payload);
            }
            Self::Stable { counter } => {
                out.u8(2);
                out.u64(counter);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => {
                Self::Boot { boot: u32::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)? }
            }
            1 => Self::Sent {
                counter: input.u64()?,
                causes: Versions::decode(input)?,
                payload: input.bytes()?,
            },
            2 => Self::Stable { counter: input.u64()? },
            _ => return Err(DecodeError::Invalid),
        })
    }
}
