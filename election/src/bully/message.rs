use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Epoch;

/// What bully nodes say to each other: 2 to 21 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Message {
    /// To every higher node: is anybody better alive? To a leader that is missed: are you there? To all, where a majority keeps its
    /// leader: do you miss it, too? To all, from a node without a record: which epochs have there been? With the highest epoch the
    /// asker knows.
    Election {
        /// The highest epoch it knows.
        epoch: Epoch,
    },
    /// To who asks: I am alive; and what I know. A higher node's ends a candidacy. Where a majority keeps its leader, a lower node's
    /// supports it: I hear no leader, either.
    Answer {
        /// The highest epoch it knows.
        epoch: Epoch,
    },
    /// To all: I lead in this epoch of mine; in quorum mode: will you accept me?
    Coordinator {
        /// The epoch.
        epoch: Epoch,
    },
    /// To all, every so often: I still lead.
    Alive {
        /// The leader's epoch.
        epoch: Epoch,
        /// Grows with each heartbeat that a majority answered. In classic mode 0, unless the leader asks who follows it.
        round: u64,
    },
    /// To the leader, in quorum mode or if it asks: I accept you.
    Accept {
        /// The leader's epoch.
        epoch: Epoch,
        /// The round it answers; 0 answers a `Coordinator`.
        round: u64,
    },
    /// To a leader of old: there has been a later epoch. To a higher node that asks, where a majority keeps its leader: I hear mine; and
    /// what I know.
    Stale {
        /// The highest epoch the sender knows.
        epoch: Epoch,
    },
}

impl Message {
    pub(crate) const fn epoch(&self) -> Epoch {
        match *self {
            Self::Election { epoch }
            | Self::Answer { epoch }
            | Self::Coordinator { epoch }
            | Self::Alive { epoch, .. }
            | Self::Accept { epoch, .. }
            | Self::Stale { epoch } => epoch,
        }
    }
}

impl<'a> Wire<'a> for Message {
    fn encode(&self, out: &mut Writer<'_>) {
        let (kind, round) = match *self {
            Self::Election { .. } => (0, None),
            Self::Answer { .. } => (1, None),
            Self::Coordinator { .. } => (2, None),
            Self::Alive { round, .. } => (3, Some(round)),
            Self::Accept { round, .. } => (4, Some(round)),
            Self::Stale { .. } => (5, None),
        };
        out.u8(kind);
        self.epoch().encode(out);
        if let Some(round) = round {
            out.u64(round);
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = input.u8()?;
        if kind > 5 {
            return Err(DecodeError::Invalid);
        }
        let epoch = Epoch::decode(input)?;
        Ok(match kind {
            0 => Self::Election { epoch },
            1 => Self::Answer { epoch },
            2 => Self::Coordinator { epoch },
            3 => Self::Alive { epoch, round: input.u64()? },
            4 => Self::Accept { epoch, round: input.u64()? },
            _ => Self::Stale { epoch },
        })
    }
}
