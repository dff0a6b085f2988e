use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Crdt;

/// A message between replicas. Every message acknowledges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a, T> {
    /// Which of the sender's generations numbers its updates.
    pub(crate) generation: u64,
    /// Of the receiver's generation …
    pub(crate) acks_generation: u64,
    /// … everything up to this number is here and durable.
    pub(crate) acks: u64,
    /// The sender cannot get on with deltas: it requests the whole state.
    pub(crate) requests_state: bool,
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
    Deltas { first: u64, batch: &'a [u8] },
    /// Everything up to the update `last`.
    State { last: u64, state: StateRef<'a, T> },
    /// Before the receiver began its present generation, the sender had its update `last` of
    /// another generation. Nodes of versions before this do not know it, and drop it.
    FormerGeneration { generation: u64, last: u64 },
}

/// A whole state: by reference when sent, as bytes when received. Both have the same encoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StateRef<'a, T> {
    Local(&'a T),
    Encoded(&'a [u8]),
}

impl<'a, T: Crdt> Wire<'a> for StateRef<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Local(state) => {
                out.u64(state.encoded_len() as u64);
                state.encode(out);
            }
            Self::Encoded(bytes) => out.bytes(bytes),
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        input.bytes().map(Self::Encoded)
    }
}

impl<'a, T: Crdt> Wire<'a> for Message<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        [self.generation, self.acks_generation, self.acks]
            .into_iter()
            .for_each(|number| out.u64(number));
        out.bool(self.requests_state);
        match &self.body {
            Body::Ack => out.u8(0),
            Body::Digest { first, last, digest } => {
                out.u8(1);
                [*first, *last, *digest].into_iter().for_each(|number| out.u64(number));
            }
            Body::Deltas { first, batch } => {
                out.u8(2);
                out.u64(*first);
                out.bytes(batch);
            }
            Body::State { last, state } => {
                out.u8(3);
                out.u64(*last);
                state.encode(out);
            }
            Body::FormerGeneration { generation, last } => {
                out.u8(4);
                [*generation, *last].into_iter().for_each(|number| out.u64(number));
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (generation, acks_generation, acks) = (input.u64()?, input.u64()?, input.u64()?);
        let requests_state = input.bool()?;
        let body = match input.u8()? {
            0 => Body::Ack,
            1 => Body::Digest { first: input.u64()?, last: input.u64()?, digest: input.u64()? },
            2 => Body::Deltas { first: input.u64()?, batch: input.bytes()? },
            3 => Body::State { last: input.u64()?, state: StateRef::decode(input)? },
            4 => Body::FormerGeneration { generation: input.u64()?, last: input.u64()? },
            _ => return Err(DecodeError::Invalid),
        };
        Ok(Self { generation, acks_generation, acks, requests_state, body })
    }
}

/// A record of a durable replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a, T>(pub(crate) RecordBody<'a, T>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RecordBody<'a, T> {
    /// A generation begins: its number was not used before.
    Generation(u64),
    /// Updates, as [frames](super::log::frames).
    Deltas(&'a [u8]),
    /// Everything.
    State(StateRef<'a, T>),
}

impl<'a, T: Crdt> Wire<'a> for Record<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match &self.0 {
            RecordBody::Generation(generation) => {
                out.u8(0);
                out.u64(*generation);
            }
            RecordBody::Deltas(batch) => {
                out.u8(1);
                out.bytes(batch);
            }
            RecordBody::State(state) => {
                out.u8(2);
                state.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(match input.u8()? {
            0 => RecordBody::Generation(input.u64()?),
            1 => RecordBody::Deltas(input.bytes()?),
            2 => RecordBody::State(StateRef::decode(input)?),
            _ => return Err(DecodeError::Invalid),
        }))
    }
}
