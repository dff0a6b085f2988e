use core::fmt;

/// Why a replica cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The actor's node is not among the members.
    NotAMember,
    /// The gossip interval is 0.
    Interval,
    /// More members than the storage of peers has room for.
    TooManyMembers,
    /// The state has fewer places for actors than its replicas need at least. A replica without
    /// durable records takes a place for each of its incarnations, one with records for each disk that
    /// was lost, and a place is never given back: give the state more room, or keep records.
    TooFewActors {
        /// A place for each incarnation of this node so far, and one for each other member. A node with
        /// records that lost its disk counts as two, whatever its incarnation is.
        needed: u64,
        /// How many the state has.
        limit: u64,
    },
}

/// Why the members were not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MembersError {
    /// There is no room for so many peers.
    Full,
    /// The epoch is not later than the present one.
    Stale,
    /// The state has fewer places for actors than there are members.
    TooFewActors {
        /// A place for each member.
        needed: u64,
        /// How many the state has.
        limit: u64,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not among the members"),
            Self::Interval => f.write_str("the gossip interval must not be 0"),
            Self::TooManyMembers => f.write_str("more members than there is room for"),
            Self::TooFewActors { needed, limit } => write!(
                f,
                "the state has room for {limit} actors and needs {needed}: each incarnation of a \
                 replica takes one; give it more room, or keep records"
            ),
        }
    }
}

impl fmt::Display for MembersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room for so many peers; nothing was changed"),
            Self::Stale => f.write_str("the epoch is not later than the present one"),
            Self::TooFewActors { needed, limit } => write!(
                f,
                "the state has room for {limit} actors and needs {needed}: one for each member"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
impl core::error::Error for MembersError {}
