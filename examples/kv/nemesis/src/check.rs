//! Decides whether a linearizable store can have answered as it did.
//!
//! The values of a key are the sequence numbers of its writes, which come one after the other from one client, and at most the
//! last of them has an unknown outcome (see [`Operations`]). So the key's value only grows, and a history is linearizable if and
//! only if each read returns a value that was written, was not refused, and lies between a floor and a ceiling: the newest value
//! that was acknowledged or read before the read was sent, and the newest that was sent before it was answered.

use core::fmt;

use crate::history::{Increment, Operations, Outcome, Read};

/// What a linearizable store cannot have answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A read returned less than was acknowledged before it was sent.
    LostWrite {
        /// The read.
        read: Read,
        /// The value that was acknowledged.
        acknowledged: u64,
    },
    /// A read returned less than another read that was answered before it was sent.
    StaleRead {
        /// The read.
        read: Read,
        /// The earlier one.
        before: Read,
    },
    /// A read returned a value before it was sent, or one that nobody sent.
    NotWritten(Read),
    /// A read returned a value whose write was answered with "not executed".
    Refused(Read),
    /// A counter was said to be at `reply` after increment number `expected`.
    Miscounted {
        /// The increment's number.
        expected: u64,
        /// What the server said.
        reply: u64,
    },
    /// Two increments of the shared counter returned the same.
    CountedTwice(u64),
    /// An increment of the shared counter returned no more than one that was answered before it was sent.
    CounterWentBack {
        /// What it returned.
        reply: u64,
        /// What the earlier one had returned.
        before: u64,
    },
    /// The shared counter's last value is not one that its increments lead to.
    Total {
        /// Its value.
        value: u64,
        /// The least it can be: increments that were acknowledged.
        least: u64,
        /// The most it can be: those, and those whose outcome is unknown.
        most: u64,
    },
    /// Two nodes are of clusters with different identities.
    SecondCluster((u64, String), (u64, String)),
}

/// All nodes say that they are of the same cluster, each by its identity.
///
/// # Errors
///
/// [`Violation::SecondCluster`].
pub fn check_one_cluster(nodes: &[(u64, String)]) -> Result<(), Violation> {
    let Some((first, rest)) = nodes.split_first() else { return Ok(()) };
    match rest.iter().find(|(_, identity)| *identity != first.1) {
        Some(other) => Err(Violation::SecondCluster(first.clone(), other.clone())),
        None => Ok(()),
    }
}

/// Checks one key.
///
/// # Errors
///
/// The first [`Violation`], in the order of the reads.
pub fn key(operations: &Operations) -> Result<(), Violation> {
    let mut reads: Vec<&Read> = operations.reads.iter().collect();
    reads.sort_by_key(|read| read.start);
    // what is known at the time a read is sent: writes that were acknowledged, reads that were answered
    let acknowledged = operations.writes.iter().filter(|w| w.outcome == Outcome::Acknowledged);
    let mut acknowledged = acknowledged.peekable();
    let mut answered: Vec<&Read> = reads.clone();
    answered.sort_by_key(|read| read.end);
    let mut answered = answered.into_iter().peekable();
    let mut floor = 0;
    let mut newest: Option<&Read> = None;
    for &read in &reads {
        while let Some(write) = acknowledged.next_if(|write| write.end < read.start) {
            floor = floor.max(write.sequence);
        }
        while let Some(other) = answered.next_if(|other| other.end < read.start) {
            if newest.is_none_or(|newest| newest.value < other.value) {
                newest = Some(other);
            }
        }
        if read.value < floor {
            return Err(Violation::LostWrite { read: *read, acknowledged: floor });
        }
        if let Some(&before) = newest.filter(|newest| read.value < newest.value) {
            return Err(Violation::StaleRead { read: *read, before });
        }
        if read.value > 0 {
            let at = operations.writes.partition_point(|write| write.sequence < read.value);
            match operations.writes.get(at) {
                Some(write) if write.sequence == read.value && write.start <= read.end => {
                    if write.outcome == Outcome::NotApplied {
                        return Err(Violation::Refused(*read));
                    }
                }
                _ => return Err(Violation::NotWritten(*read)),
            }
        }
    }
    Ok(())
}

/// Checks the counter that all clients increment; `value` is what it holds at the end, where that is known.
///
/// # Errors
///
/// The first [`Violation`].
pub fn shared_counter(increments: &[Increment], value: Option<u64>) -> Result<(), Violation> {
    let mut replies: Vec<u64> = increments.iter().filter_map(|done| done.reply).collect();
    replies.sort_unstable();
    if let Some(twice) = replies.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Violation::CountedTwice(twice[0]));
    }
    let done = || increments.iter().filter_map(|done| done.reply.map(|reply| (done, reply)));
    let mut by_start: Vec<(&Increment, u64)> = done().collect();
    by_start.sort_by_key(|(done, _)| done.start);
    let mut by_end: Vec<(&Increment, u64)> = done().collect();
    by_end.sort_by_key(|(done, _)| done.end);
    let mut by_end = by_end.into_iter().peekable();
    let mut before = 0;
    for (increment, reply) in by_start {
        while let Some((_, earlier)) = by_end.next_if(|(other, _)| other.end < increment.start) {
            before = before.max(earlier);
        }
        if reply <= before {
            return Err(Violation::CounterWentBack { reply, before });
        }
    }
    let least = replies.len() as u64;
    let most = increments.len() as u64;
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(Violation::Total { value, least, most })
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |read: &Read| {
            format!(
                "node {} returned {} between {} and {} µs",
                read.node, read.value, read.start, read.end
            )
        };
        match self {
            Self::LostWrite { read: one, acknowledged } => {
                write!(
                    f,
                    "an acknowledged write is lost: {}, and {acknowledged} was acknowledged before",
                    read(one)
                )
            }
            Self::StaleRead { read: one, before } => {
                write!(f, "a read went back: {}, and before that {}", read(one), read(before))
            }
            Self::NotWritten(one) => write!(f, "a value that was not written: {}", read(one)),
            Self::Refused(one) => {
                write!(f, "a write that was \"not executed\" took effect: {}", read(one))
            }
            Self::Miscounted { expected, reply } => {
                write!(f, "increment {expected} of a counter returned {reply}")
            }
            Self::SecondCluster((one, its), (other, others)) => write!(
                f,
                "there is more than one cluster: node {one} is of {its}, node {other} of {others}"
            ),
            Self::CountedTwice(reply) => write!(f, "two increments returned {reply}"),
            Self::CounterWentBack { reply, before } => {
                write!(f, "an increment returned {reply} after another had returned {before}")
            }
            Self::Total { value, least, most } => {
                write!(f, "the shared counter is {value} in the end, not {least} to {most}")
            }
        }
    }
}
