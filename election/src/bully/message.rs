use quorate_core::{DecodeError, Reader, Wire, Writer, wire};

use crate::Epoch;

wire! {
    by hand;
    /// What bully nodes say to each other: 2 to 5 bytes in ordinary groups, 20 at most, as nodes make
    /// them ([`Bully::max_message_len`](crate::Bully::max_message_len)).
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[non_exhaustive]
    pub enum Message {
        /// Asks who is alive, and tells the highest epoch that the sender knows. A candidate sends
        /// it to all higher nodes, a follower that misses its leader to the leader, and a node that
        /// starts without a record to all. With [`Takeover::Keep`](crate::Takeover::Keep), a
        /// candidate also asks all nodes whether they miss the leader.
        0 => Election {
            /// The highest epoch that the sender knows.
            epoch: Epoch,
        },
        /// Answers [`Election`](Self::Election): the sender is alive. The answer of a higher node
        /// ends a candidacy. With [`Takeover::Keep`](crate::Takeover::Keep), the answer of a lower
        /// node supports it: that node hears no leader.
        1 => Answer {
            /// The highest epoch that the sender knows.
            epoch: Epoch,
        },
        /// Announces to all nodes that the sender leads in this epoch, which is its own. In quorum
        /// mode it asks them to accept.
        2 => Coordinator {
            /// The leader's epoch.
            epoch: Epoch,
        },
        /// The leader's heartbeat to all nodes.
        3 => Alive {
            /// The leader's epoch.
            epoch: Epoch,
            /// Grows with each heartbeat that a majority answered. In classic mode 0, unless the
            /// leader asks who follows it.
            round: u64,
        },
        /// Accepts the leader, in answer to [`Coordinator`](Self::Coordinator) or
        /// [`Alive`](Self::Alive): in quorum mode, or when the leader asks.
        4 => Accept {
            /// The leader's epoch.
            epoch: Epoch,
            /// The round that it answers; 0 answers a `Coordinator`.
            round: u64,
        },
        /// Tells the leader of an earlier epoch that there has been a later one. With
        /// [`Takeover::Keep`](crate::Takeover::Keep), also refuses an [`Election`](Self::Election):
        /// the sender still hears its leader.
        5 => Stale {
            /// The highest epoch that the sender knows.
            epoch: Epoch,
        },
    }
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

/// Written by hand: all messages share the code for epochs, which saves 4 % of a machine's code.
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
