use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Crdt;

/// What replicas say to each other. Every message acknowledges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a, T> {
    /// Which of the sender's lives numbers its updates.
    pub(crate) life: u64,
    /// Of the receiver's life …
    pub(crate) acks_life: u64,
    /// … everything up to this number is here and durable.
    pub(crate) acks: u64,
    /// The sender cannot get on with deltas: it wants the whole state.
    pub(crate) wants: bool,
    pub(crate) body: Body<'a, T>,
}

/// What a message brings besides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Body<'a, T> {
    /// Nothing.
    Ack,
    /// What the sender's state amounts to, up to its update `last`; it has deltas from `first` on.
    Digest { first: u64, last: u64, digest: u64 },
    /// Consecutive updates from number `first` on, as [frames](super::log::frames).
    Deltas { first: u64, run: &'a [u8] },
    /// Everything up to the update `last`.
    State { last: u64, state: Whole<'a, T> },
    /// Before the receiver began its present life, the sender had its update `last` of another life.
    /// Nodes of versions before this do not know it, and drop it.
    Former { life: u64, last: u64 },
}

/// A whole state: by reference when sent, as bytes when received. Both have the same encoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whole<'a, T> {
    Here(&'a T),
    Bytes(&'a [u8]),
}

impl<'a, T: Crdt> Wire<'a> for Whole<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Here(state) => {
                out.u64(state.encoded_len() as u64);
                state.encode(out);
            }
            Self::Bytes(bytes) => out.bytes(bytes),
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        input.bytes().map(Self::Bytes)
    }
}

impl<'a, T: Crdt> Wire<'a> for Message<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        [self.life, self.acks_life, self.acks].into_iter().for_each(|number| out.u64(number));
        out.bool(self.wants);
        match &self.body {
            Body::Ack => out.u8(0),
            Body::Digest { first, last, digest } => {
                out.u8(1);
                [*first, *last, *digest].into_iter().for_each(|number| out.u64(number));
            }
            Body::Deltas { first, run } => {
                out.u8(2);
                out.u64(*first);
                out.bytes(run);
            }
            Body::State { last, state } => {
                out.u8(3);
                out.u64(*last);
                state.encode(out);
            }
            Body::Former { life, last } => {
                out.u8(4);
                [*life, *last].into_iter().for_each(|number| out.u64(number));
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (life, acks_life, acks) = (input.u64()?, input.u64()?, input.u64()?);
        let wants = input.bool()?;
        let body = match input.u8()? {
            0 => Body::Ack,
            1 => Body::Digest { first: input.u64()?, last: input.u64()?, digest: input.u64()? },
            2 => Body::Deltas { first: input.u64()?, run: input.bytes()? },
            3 => Body::State { last: input.u64()?, state: Whole::decode(input)? },
            4 => Body::Former { life: input.u64()?, last: input.u64()? },
            _ => return Err(DecodeError::Invalid),
        };
        Ok(Self { life, acks_life, acks, wants, body })
    }
}

/// What a durable replica writes down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a, T>(pub(crate) Entry<'a, T>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry<'a, T> {
    /// A life begins: its number was not used before.
    Life(u64),
    /// Updates, as [frames](super::log::frames).
    Deltas(&'a [u8]),
    /// Everything.
    State(Whole<'a, T>),
}

impl<'a, T: Crdt> Wire<'a> for Record<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match &self.0 {
            Entry::Life(life) => {
                out.u8(0);
                out.u64(*life);
            }
            Entry::Deltas(run) => {
                out.u8(1);
                out.bytes(run);
            }
            Entry::State(state) => {
                out.u8(2);
                state.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(match input.u8()? {
            0 => Entry::Life(input.u64()?),
            1 => Entry::Deltas(input.bytes()?),
            2 => Entry::State(Whole::decode(input)?),
            _ => return Err(DecodeError::Invalid),
        }))
    }
}
