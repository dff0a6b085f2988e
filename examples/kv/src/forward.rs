use quorate_core::{DecodeError, Reader};
use quorate_log::Index;

use crate::op::put;
use crate::reply::Protocol;

/// Frames between nodes beside Raft: a client's batch on its way to the leader, and its response.
///
/// A frame may get lost. The node whose client waits sends a request again until it is answered, refused, or given up;
/// [`Sessions`](crate::session::Sessions) see to it that writes are applied once all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frame<'a> {
    Request { request_id: RequestId, floor: u64, protocol: Protocol, ops: &'a [u8] },
    Response { request_id: RequestId, index: Index, replies: &'a [u8] },
    Refusal { request_id: RequestId, reason: Refusal },
}

/// Which batch of the node whose client waits. Reads and writes are numbered apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RequestId {
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
    pub(crate) write: bool,
}

/// Why a batch was not executed. It is certain that this request did not do anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Try another node, or the same when it has won its election.
    NotLeader,
    /// Too much is on its way: try again soon.
    Busy,
    /// The leader's disk takes no more.
    Disk,
    /// The batch is beyond what the leader takes.
    TooLarge,
    /// It was executed before; the response is lost, or on its way.
    Duplicate,
    /// No honest node can have sent it.
    Invalid,
}

impl<'a> Frame<'a> {
    pub(crate) fn to_vec(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        match self {
            Self::Request { request_id, floor, protocol, ops } => {
                out.push(0);
                request_id.encode(&mut out);
                put::number(&mut out, floor);
                out.push(u8::from(protocol == Protocol::Resp3));
                out.extend_from_slice(ops);
            }
            Self::Response { request_id, index, replies } => {
                out.push(1);
                request_id.encode(&mut out);
                put::number(&mut out, index);
                out.extend_from_slice(replies);
            }
            Self::Refusal { request_id, reason } => {
                out.push(2);
                request_id.encode(&mut out);
                out.push(match reason {
                    Refusal::NotLeader => 0,
                    Refusal::Busy => 1,
                    Refusal::Disk => 2,
                    Refusal::TooLarge => 3,
                    Refusal::Duplicate => 4,
                    Refusal::Invalid => 5,
                });
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let kind = input.u8()?;
        let request_id = RequestId::decode(&mut input)?;
        match kind {
            0 => {
                let floor = input.u64()?;
                let protocol = if input.bool()? { Protocol::Resp3 } else { Protocol::Resp2 };
                Ok(Self::Request { request_id, floor, protocol, ops: input.rest() })
            }
            1 => Ok(Self::Response { request_id, index: input.u64()?, replies: input.rest() }),
            2 => {
                let reason = match input.u8()? {
                    0 => Refusal::NotLeader,
                    1 => Refusal::Busy,
                    2 => Refusal::Disk,
                    3 => Refusal::TooLarge,
                    4 => Refusal::Duplicate,
                    5 => Refusal::Invalid,
                    _ => return Err(DecodeError::Invalid),
                };
                input.finish()?;
                Ok(Self::Refusal { request_id, reason })
            }
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl RequestId {
    fn encode(self, out: &mut Vec<u8>) {
        put::number(out, self.incarnation);
        put::number(out, self.number);
        out.push(u8::from(self.write));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { incarnation: input.u64()?, number: input.u64()?, write: input.bool()? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_frames_are_canonical(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(frame.to_vec(), bytes);
            }
        }
    }

    #[test]
    fn frames_round_trip() {
        let request_id = RequestId { incarnation: 1 << 50, number: 300, write: true };
        for frame in [
            Frame::Request { request_id, floor: 299, protocol: Protocol::Resp3, ops: b"ops" },
            Frame::Response { request_id, index: 7, replies: b"+OK\r\n" },
            Frame::Refusal { request_id, reason: Refusal::Disk },
        ] {
            let bytes = frame.to_vec();
            assert_eq!(Frame::decode(&bytes).unwrap().to_vec(), bytes);
        }
    }
}
