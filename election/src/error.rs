use core::fmt;

use quorate_core::NodeId;

/// Why a node, a detector or a lease cannot be made from a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// This node is not among the members.
    NotAMember,
    /// A member is listed twice.
    DuplicateMember(NodeId),
    /// More members than the storage has room for, or than [`MAX_MEMBERS`](crate::MAX_MEMBERS).
    TooManyMembers,
    /// `answer_timeout_us` is 0, or `outcome_timeout_us` is below it.
    Timeouts,
    /// `heartbeat_us` is 0, or more than half of `leader_timeout_us`.
    Heartbeat,
    /// `attempts` is 0.
    Attempts,
    /// The lease is shorter than two heartbeats or longer than `leader_timeout_us`.
    Lease,
    /// The algorithm knows no quorum: [`Mode::Classic`](crate::Mode::Classic) is all it has.
    Mode,
    /// A detector's interval, threshold or deviation is 0 or too large.
    Detector,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not among the members"),
            Self::DuplicateMember(id) => write!(f, "member {id} is listed twice"),
            Self::TooManyMembers => f.write_str("more members than there is room for"),
            Self::Timeouts => {
                f.write_str("answer_timeout_us must be above 0 and at most outcome_timeout_us")
            }
            Self::Heartbeat => {
                f.write_str("heartbeat_us must be above 0 and at most half of leader_timeout_us")
            }
            Self::Attempts => f.write_str("attempts must be at least 1"),
            Self::Lease => {
                f.write_str("lease_us must be at least 2 * heartbeat_us, at most leader_timeout_us")
            }
            Self::Mode => f.write_str("this algorithm has the classic mode only"),
            Self::Detector => {
                f.write_str("an interval, threshold or deviation is 0 or out of range")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
