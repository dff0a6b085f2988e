use quorate_core::{DecodeError, Reader, Wire, Writer, wire};

use crate::Epoch;

wire! {
    /// The direction in which a message goes round the ring.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub enum Direction {
        /// To the next member of the list.
        0 => Forward,
        /// To the previous member of the list.
        1 => Backward,
    }
}

impl Direction {
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    const fn number(self) -> u8 {
        self as u8
    }
}

wire! {
    by hand;
    /// What ring nodes say to each other: 2 to 8 bytes in ordinary groups, 24 at most, as nodes make
    /// them ([`Ring::max_message_len`](crate::ring::Ring::max_message_len)).
    ///
    /// A `token` names an attempt and its owner; `highest` collects the highest epoch that any node
    /// on the way knows, so that the new leader's is higher.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[non_exhaustive]
    pub enum Message {
        /// A candidate's token, which goes all the way round the ring.
        0 => Elect {
            /// The attempt, and so the candidate.
            token: Epoch,
            /// The highest epoch on the way.
            highest: Epoch,
            /// The nodes that it has passed, a bit for each place; 0 where no algorithm needs them.
            passed: u32,
        },
        /// A candidate's token that goes `2^phase` hops, unless a better candidate is on the way
        /// (Hirschberg and Sinclair).
        1 => Probe {
            /// The attempt, and so the candidate.
            token: Epoch,
            /// The highest epoch on the way.
            highest: Epoch,
            /// It is to go `2^phase` hops.
            phase: u8,
            /// Hops that are left, this one included.
            hops: u8,
            /// Which way it goes.
            direction: Direction,
        },
        /// Returns to the candidate: its [`Probe`](Self::Probe) met no better candidate (Hirschberg
        /// and Sinclair).
        2 => Reply {
            /// The attempt that it answers.
            token: Epoch,
            /// The highest epoch on the way.
            highest: Epoch,
            /// The phase that it answers.
            phase: u8,
            /// Which way it goes.
            direction: Direction,
        },
        /// Announces the new leader, once round the ring.
        3 => Coordinator {
            /// The attempt that was successful.
            token: Epoch,
            /// The leader's epoch, and so the leader.
            epoch: Epoch,
        },
        /// Acknowledges to the previous hop that a message of an attempt arrived.
        4 => Ack {
            /// The attempt.
            token: Epoch,
            /// Which of the messages that an attempt may have under way, 0 to 3.
            slot: u8,
            /// The phase up to which it acknowledges.
            phase: u8,
        },
        /// The leader's heartbeat to all nodes. From a follower, the answer to
        /// [`ConfirmLeadership`](Self::ConfirmLeadership): it follows that leader.
        5 => Alive {
            /// The leader's epoch.
            epoch: Epoch,
        },
        /// A leader that has heard of a rival asks all nodes whether they still follow it, where
        /// the present leader is to be kept ([`Takeover::Keep`](crate::Takeover::Keep)).
        6 => ConfirmLeadership {
            /// The leader's epoch.
            epoch: Epoch,
        },
    }
}

/// The phase that stands for COORDINATOR: after all others.
const LAST: u8 = 7;

impl Message {
    /// What an acknowledgement names: the attempt, which of its messages, and the phase.
    pub(crate) const fn key(&self) -> Option<(Epoch, u8, u8)> {
        match *self {
            Self::Elect { token, .. } => Some((token, 0, 0)),
            Self::Probe { token, phase, direction, .. } => Some((token, direction.number(), phase)),
            Self::Reply { token, phase, direction, .. } => {
                Some((token, 2 | direction.number(), phase))
            }
            Self::Coordinator { token, .. } => Some((token, 2, LAST)),
            Self::Ack { .. } | Self::Alive { .. } | Self::ConfirmLeadership { .. } => None,
        }
    }

    pub(crate) const fn direction(&self) -> Direction {
        match *self {
            Self::Probe { direction, .. } | Self::Reply { direction, .. } => direction,
            _ => Direction::Forward,
        }
    }

    /// All epochs in it.
    pub(crate) const fn epochs(&self) -> [Epoch; 2] {
        match *self {
            Self::Elect { token, highest, .. }
            | Self::Probe { token, highest, .. }
            | Self::Reply { token, highest, .. } => [token, highest],
            Self::Coordinator { token, epoch } => [token, epoch],
            Self::Ack { token, .. } => [token, token],
            Self::Alive { epoch } | Self::ConfirmLeadership { epoch } => [epoch, epoch],
        }
    }
}

/// Written by hand: all messages share the code for epochs, which saves 4 % of a machine's code.
impl<'a> Wire<'a> for Message {
    fn encode(&self, out: &mut Writer<'_>) {
        let kind = match self {
            Self::Elect { .. } => 0,
            Self::Probe { .. } => 1,
            Self::Reply { .. } => 2,
            Self::Coordinator { .. } => 3,
            Self::Ack { .. } => 4,
            Self::Alive { .. } => 5,
            Self::ConfirmLeadership { .. } => 6,
        };
        out.u8(kind);
        let [first, second] = self.epochs();
        first.encode(out);
        if kind < 4 {
            second.encode(out);
        }
        match *self {
            Self::Elect { passed, .. } => out.u64(u64::from(passed)),
            Self::Probe { phase, hops, direction, .. } => {
                out.raw(&[phase, hops, direction.number()])
            }
            Self::Reply { phase, direction, .. } => out.raw(&[phase, direction.number()]),
            Self::Ack { slot, phase, .. } => out.raw(&[slot, phase]),
            Self::Coordinator { .. } | Self::Alive { .. } | Self::ConfirmLeadership { .. } => {}
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = input.u8()?;
        if kind > 6 {
            return Err(DecodeError::Invalid);
        }
        let token = Epoch::decode(input)?;
        let highest = if kind < 4 { Epoch::decode(input)? } else { token };
        Ok(match kind {
            0 => {
                let passed = u32::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)?;
                Self::Elect { token, highest, passed }
            }
            1 => {
                let (phase, hops) = (input.u8()?, input.u8()?);
                Self::Probe { token, highest, phase, hops, direction: Direction::decode(input)? }
            }
            2 => Self::Reply {
                token,
                highest,
                phase: input.u8()?,
                direction: Direction::decode(input)?,
            },
            3 => Self::Coordinator { token, epoch: highest },
            4 => Self::Ack { token, slot: input.u8()?, phase: input.u8()? },
            5 => Self::Alive { epoch: token },
            _ => Self::ConfirmLeadership { epoch: token },
        })
    }
}
