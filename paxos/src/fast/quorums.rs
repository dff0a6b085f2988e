use crate::ConfigError;

/// How many acceptors are a quorum in a classic ballot and in the fast one (Lamport, "Fast Paxos", 2006, section 2.1 and 3.1).
///
/// Two classic quorums share an acceptor, and a classic one shares one with any two fast quorums:
/// `2 * classic > members` and `classic + 2 * fast > 2 * members`.
///
/// | members | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
/// |---|---|---|---|---|---|---|---|
/// | classic, a majority | 2 | 3 | 3 | 4 | 4 | 5 | 5 |
/// | fast | 3 | 3 | 4 | 5 | 6 | 6 | 7 |
///
/// ```
/// use quorate_paxos::{ConfigError, fast::FastQuorums};
/// let quorums = FastQuorums::minimal(5);
/// assert_eq!((quorums.classic(), quorums.fast()), (3, 4));
/// assert_eq!(FastQuorums::new(5, 3, 3), Err(ConfigError::FastQuorums));
/// assert!(FastQuorums::new(5, 5, 3).is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FastQuorums {
    members: u8,
    classic: u8,
    fast: u8,
}

impl FastQuorums {
    /// So many acceptors of so many.
    ///
    /// # Errors
    ///
    /// [`ConfigError::FastQuorums`] for a size that is 0 or above the members, and where quorums need not share an acceptor as they must.
    ///
    /// ```
    /// use quorate_paxos::{ConfigError, fast::FastQuorums};
    /// assert!(FastQuorums::new(4, 3, 3).is_ok());
    /// assert_eq!(FastQuorums::new(4, 2, 4), Err(ConfigError::FastQuorums));
    /// assert_eq!(FastQuorums::new(3, 2, 4), Err(ConfigError::FastQuorums));
    /// ```
    pub const fn new(members: u8, classic: u8, fast: u8) -> Result<Self, ConfigError> {
        let (n, c, f) = (members as u16, classic as u16, fast as u16);
        let classic_meet = c.saturating_mul(2) > n;
        let all_meet = f.saturating_mul(2).saturating_add(c) > n.saturating_mul(2);
        if c > n || f > n || !classic_meet || !all_meet {
            return Err(ConfigError::FastQuorums);
        }
        Ok(Self { members, classic, fast })
    }

    /// Majorities in classic ballots, and as few as can be in the fast one.
    ///
    /// ```
    /// use quorate_paxos::fast::FastQuorums;
    /// let sizes = [3, 4, 5, 6, 7, 8, 9].map(|members| FastQuorums::minimal(members).fast());
    /// assert_eq!(sizes, [3, 3, 4, 5, 6, 6, 7]);
    /// ```
    #[must_use]
    pub const fn minimal(members: u8) -> Self {
        let classic = (members / 2).saturating_add(1);
        // more than half of what a classic quorum leaves of twice the members
        let left = members.saturating_sub(classic);
        let fast = left.saturating_add(classic / 2).saturating_add(1);
        Self { members, classic, fast: if fast > members { members } else { fast } }
    }

    /// The members.
    ///
    /// ```
    /// use quorate_paxos::fast::FastQuorums;
    /// assert_eq!(FastQuorums::minimal(3).members(), 3);
    /// ```
    #[must_use]
    pub const fn members(&self) -> u8 {
        self.members
    }

    /// The size of a classic quorum.
    ///
    /// ```
    /// use quorate_paxos::fast::FastQuorums;
    /// assert_eq!(FastQuorums::minimal(7).classic(), 4);
    /// ```
    #[must_use]
    pub const fn classic(&self) -> u8 {
        self.classic
    }

    /// The size of a fast quorum.
    ///
    /// ```
    /// use quorate_paxos::fast::FastQuorums;
    /// assert_eq!(FastQuorums::minimal(7).fast(), 6);
    /// ```
    #[must_use]
    pub const fn fast(&self) -> u8 {
        self.fast
    }

    /// How many of so many acceptors that replied must have voted for a value in the fast ballot for it to be possibly chosen: of a fast
    /// quorum that many at least are among them, `replies + fast - members` (section 2.2, observation 4). No two values have so many.
    ///
    /// ```
    /// use quorate_paxos::fast::FastQuorums;
    /// let of_smallest = |members| {
    ///     let quorums = FastQuorums::minimal(members);
    ///     (quorums.possibly_chosen(quorums.classic()), quorums.classic())
    /// };
    /// assert_eq!([5, 7, 9].map(of_smallest), [(2, 3), (3, 4), (3, 5)]);
    /// assert_eq!(FastQuorums::minimal(5).possibly_chosen(5), 4);
    /// ```
    #[must_use]
    pub const fn possibly_chosen(&self, replies: u8) -> u8 {
        // no more than `fast`, as there are no more replies than members
        let others = self.members.saturating_sub(replies);
        self.fast.saturating_sub(others)
    }
}
