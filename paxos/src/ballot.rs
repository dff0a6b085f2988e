use core::fmt;

use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer, wire};

wire! {
    by hand;
    /// The number of a ballot: a round, and the node that may use it. Ballots are ordered by their round, then by their node, so those of
    /// different nodes are never equal.
    ///
    /// Source: Lamport, "Paxos Made Simple", 2001, section 2.2 ("different proposals have different numbers"); the pair is that of van
    /// Renesse and Altinbuken, "Paxos Made Moderately Complex", 2015, section 2.2.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::Ballot;
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// assert!(Ballot::ZERO < Ballot::new(1, a));
    /// assert!(Ballot::new(1, a) < Ballot::new(1, b));
    /// assert!(Ballot::new(1, b) < Ballot::new(2, a));
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct Ballot {
        /// The round, from 1 to [`MAX_ROUND`](Ballot::MAX_ROUND); 0 in [`ZERO`](Ballot::ZERO) alone.
        pub round: u64,
        /// The node whose ballot it is.
        pub node: NodeId,
    }
}

/// Written by hand, as ballots are in almost all that is sent and written.
impl Wire<'_> for Ballot {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.round);
        out.u64(self.node.get());
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { round: input.u64()?, node: NodeId::new(input.u64()?) })
    }
}

impl Ballot {
    /// No ballot: below all others.
    pub const ZERO: Self = Self { round: 0, node: NodeId::new(0) };

    /// The fast ballot of [`FastPaxos`](crate::fast::FastPaxos), which is nobody's. There, classic ballots have higher rounds.
    pub const FAST: Self = Self { round: 1, node: NodeId::new(0) };

    /// The last round there is: 2^62 - 1.
    pub const MAX_ROUND: u64 = (1 << 62) - 1;

    /// How far the round of another node's ballot may be ahead of all that a node has seen: 2^32. What is further is refused, so that a
    /// broken node needs 2^30 messages to use up the rounds there are, and 2^23 in a [log](crate::multi), where rounds end at 2^55.
    pub const MAX_AHEAD: u64 = 1 << 32;

    /// The ballot of a node in a round.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::Ballot;
    /// assert_eq!(Ballot::new(3, NodeId::new(1)).to_string(), "3.1");
    /// ```
    #[must_use]
    pub const fn new(round: u64, node: NodeId) -> Self {
        Self { round, node }
    }

    /// Whether it is no ballot: its round is 0.
    ///
    /// ```
    /// use quorate_paxos::Ballot;
    /// assert!(Ballot::ZERO.is_zero() && Ballot::default().is_zero());
    /// ```
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.round == 0
    }

    /// Whether the round is one that a message may name, at a node that has seen none above `seen`.
    pub(crate) const fn is_in_range(self, seen: u64) -> bool {
        self.round <= Self::MAX_ROUND && self.round <= seen.saturating_add(Self::MAX_AHEAD)
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node)
    }
}
