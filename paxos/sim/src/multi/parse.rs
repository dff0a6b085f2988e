//! Messages, records and entries, read from their bytes as somebody would who knows the tables of the wire format and not the crate.

use quorate_core::{DecodeError, Reader};

pub(super) use crate::parse::Ballot;

/// A place in the log.
pub(super) type Slot = u64;

/// No ballot.
pub(super) const NONE: Ballot = (0, 0);

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Command,
    NoOp,
    StopSign,
    Hole,
}

/// An entry: equal to another if their bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) epoch: u64,
    pub(super) kind: Kind,
    /// Which command: its first eight bytes; 0 where there is none.
    pub(super) operation: u64,
    /// A digest of all its bytes.
    pub(super) digest: u64,
}

/// Entries, one slot after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) first: Slot,
    pub(super) entries: Vec<Entry>,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    Heartbeat(Heartbeat),
    Prepare {
        configuration: u64,
        ballot: Ballot,
    },
    Promise {
        ballot: Ballot,
        from: Slot,
        accepted: Ballot,
        commit: Slot,
        last: Slot,
        run: Run,
    },
    Accept {
        configuration: u64,
        ballot: Ballot,
        commit: Slot,
        run: Run,
    },
    Accepted {
        ballot: Ballot,
        through: Slot,
    },
    Preempted {
        ballot: Ballot,
        promised: Ballot,
    },
    Fetch {
        from: Slot,
    },
    Chosen {
        commit: Slot,
        run: Run,
    },
    /// With the number of the configuration as of the snapshot, if it is the last part.
    Chunk {
        snapshot: Slot,
        configuration: Option<u64>,
    },
    Query {
        number: u64,
    },
    Answer {
        number: u64,
        promised: Ballot,
        last: Slot,
    },
    Stand {
        configuration: u64,
        ballot: Ballot,
    },
}

/// What an acceptor says once in an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heartbeat {
    pub(super) configuration: u64,
    pub(super) promised: Ballot,
    pub(super) leads: bool,
    pub(super) hears_you: bool,
    pub(super) commit: Slot,
    pub(super) through: Slot,
    pub(super) last: Slot,
}

/// What a slot has: the ballot of the vote, which tells nothing where the slot is chosen, and the entry.
pub(super) type Vote = (Slot, Ballot, Entry);

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Written {
    Founded,
    Promised(Ballot),
    Accepted {
        commit: Slot,
        votes: Vec<Vote>,
    },
    Snapshot {
        slot: Slot,
        compacted: Slot,
    },
    /// The number of the configuration as of a snapshot.
    Configuration {
        slot: Slot,
        number: u64,
    },
}

impl Entry {
    /// The number of the configuration that a stop-sign says to be next.
    pub(super) fn next_configuration(&self) -> Option<u64> {
        // a byte, as there are not that many
        (self.kind == Kind::StopSign).then_some(self.operation & 0xff)
    }
}

impl Run {
    /// The slots and their entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, Entry)> + '_ {
        (self.first..).zip(self.entries.iter().copied())
    }

    /// The slot after the last.
    pub(super) const fn end(&self) -> Slot {
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// Reads a run that begins at a slot.
    pub(super) fn read(first: Slot, bytes: &[u8]) -> Result<Self, String> {
        let mut input = Reader::new(bytes);
        let mut entries = Vec::new();
        while !input.rest().is_empty() {
            let entry = entry(&mut input).map_err(|_| format!("no entries: {bytes:02x?}"))?;
            entries.push(entry);
        }
        Ok(Self { first, entries })
    }
}

/// Reads a message.
pub(super) fn message(bytes: &[u8]) -> Result<Said, String> {
    let mut input = Reader::new(bytes);
    let said = read_message(&mut input).ok().flatten().filter(|_| input.rest().is_empty());
    said.ok_or_else(|| format!("no message of the tables: {bytes:02x?}"))?
}

fn read_message(input: &mut Reader<'_>) -> Result<Option<Result<Said, String>>, DecodeError> {
    Ok(Some(Ok(match input.u8()? {
        0 => {
            let configuration = input.u64()?;
            let promised = ballot(input)?;
            let [leads, _has_leader, hears_you] =
                [input.u8()? != 0, input.u8()? != 0, input.u8()? != 0];
            let [commit, through, last] = [input.u64()?, input.u64()?, input.u64()?];
            Said::Heartbeat(Heartbeat {
                configuration,
                promised,
                leads,
                hears_you,
                commit,
                through,
                last,
            })
        }
        1 => {
            let configuration = input.u64()?;
            let (ballot, _from) = (ballot(input)?, input.u64()?);
            Said::Prepare { configuration, ballot }
        }
        2 => {
            let (ballot, from, first) = (ballot(input)?, input.u64()?, input.u64()?);
            let accepted = self::ballot(input)?;
            let run = Run::read(first, input.bytes()?);
            let (commit, last) = (input.u64()?, input.u64()?);
            return Ok(Some(run.map(|run| Said::Promise {
                ballot,
                from,
                accepted,
                commit,
                last,
                run,
            })));
        }
        3 => {
            let configuration = input.u64()?;
            let (ballot, first, commit) = (ballot(input)?, input.u64()?, input.u64()?);
            let run = Run::read(first, input.bytes()?);
            return Ok(Some(run.map(|run| Said::Accept { configuration, ballot, commit, run })));
        }
        4 => Said::Accepted { ballot: ballot(input)?, through: input.u64()? },
        5 => Said::Preempted { ballot: ballot(input)?, promised: ballot(input)? },
        6 => {
            let from = input.u64()?;
            let [_snapshot, _offset] = [input.u64()?, input.u64()?];
            Said::Fetch { from }
        }
        7 => {
            let (first, commit) = (input.u64()?, input.u64()?);
            let run = Run::read(first, input.bytes()?);
            return Ok(Some(run.map(|run| Said::Chosen { commit, run })));
        }
        8 => {
            let (snapshot, _offset, done) = (input.u64()?, input.u64()?, input.u8()? != 0);
            let _data = input.bytes()?;
            Said::Chunk { snapshot, configuration: done.then_some(0) }
        }
        9 => {
            let _configuration = input.u64()?;
            Said::Query { number: input.u64()? }
        }
        10 => Said::Answer { number: input.u64()?, promised: ballot(input)?, last: input.u64()? },
        11 => {
            let (snapshot, _offset) = (input.u64()?, input.u64()?);
            let number = configuration(input)?;
            let _data = input.bytes()?;
            Said::Chunk { snapshot, configuration: Some(number) }
        }
        12 => Said::Stand { configuration: input.u64()?, ballot: ballot(input)? },
        _ => return Ok(None),
    })))
}

/// The number of a configuration, after which are its quorums and members.
fn configuration(input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let number = input.u64()?;
    match input.u8()? {
        1 => {
            input.u8()?;
            input.u8()?;
        }
        kind => {
            for _ in 0..if kind == 0 { 3 } else { 6 } {
                input.u64()?;
            }
        }
    }
    let members = input.bytes()?;
    if members.len() % 11 == 0 { Ok(number) } else { Err(DecodeError::Invalid) }
}

/// Reads a record.
pub(super) fn record(bytes: &[u8]) -> Result<Written, String> {
    let mut input = Reader::new(bytes);
    let written = read_record(&mut input).ok().flatten().filter(|_| input.rest().is_empty());
    written.ok_or_else(|| format!("no record of the tables: {bytes:02x?}"))?
}

fn read_record(input: &mut Reader<'_>) -> Result<Option<Result<Written, String>>, DecodeError> {
    Ok(Some(Ok(match input.u8()? {
        0 => {
            let _members = input.u64()?;
            Written::Founded
        }
        1 => Written::Promised(ballot(input)?),
        2 => {
            let (first, ballot) = (input.u64()?, ballot(input)?);
            let then = input.bytes()?;
            let commit = input.u64()?;
            let run = Run::read(first, input.bytes()?);
            return Ok(Some(run.and_then(|run| {
                let votes = votes(&run, ballot, then)?;
                Ok(Written::Accepted { commit, votes })
            })));
        }
        3 => Written::Snapshot { slot: input.u64()?, compacted: input.u64()? },
        4 => Written::Configuration { slot: input.u64()?, number: configuration(input)? },
        _ => return Ok(None),
    })))
}

/// The ballot of each entry: one for all of them, and then runs of a slot and a ballot.
fn votes(run: &Run, ballot: Ballot, then: &[u8]) -> Result<Vec<Vote>, String> {
    let number =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
    let mut runs = vec![(run.first, ballot)];
    for bytes in then.chunks(24) {
        let [slot, round, node] = [0, 8, 16].map(|at| number(bytes.get(at..at + 8).unwrap_or(&[])));
        if bytes.len() != 24 || runs.last().is_some_and(|last| last.0 >= slot) || slot >= run.end()
        {
            return Err(format!("no runs: {then:02x?}"));
        }
        runs.push((slot, (round, node)));
    }
    let ballot_at =
        |slot: Slot| runs.iter().rev().find(|run| run.0 <= slot).map_or(NONE, |run| run.1);
    Ok(run.iter().map(|(slot, entry)| (slot, ballot_at(slot), entry)).collect())
}

impl Written {
    /// The highest ballot that it promises.
    pub(super) fn ballot(&self) -> Ballot {
        match self {
            Self::Promised(ballot) => *ballot,
            Self::Accepted { votes, .. } => {
                votes.iter().map(|(_, ballot, _)| *ballot).max().unwrap_or(NONE)
            }
            _ => NONE,
        }
    }
}

fn ballot(input: &mut Reader<'_>) -> Result<Ballot, DecodeError> {
    Ok((input.u64()?, input.u64()?))
}

fn entry(input: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let (epoch, tag) = (input.u64()?, input.u64()?);
    let kind = match tag & 3 {
        0 => Kind::Command,
        1 => Kind::NoOp,
        2 => Kind::StopSign,
        _ => Kind::Hole,
    };
    let mut digest = quorate_sim::Digest::new();
    digest.mix(&[epoch, tag], &[]);
    let mut operation = [0; 8];
    for at in 0..tag >> 2 {
        let byte = input.u8()?;
        digest.mix(&[], &[byte]);
        if let Some(place) = operation.get_mut(at as usize) {
            *place = byte;
        }
    }
    Ok(Entry { epoch, kind, operation: u64::from_le_bytes(operation), digest: digest.value() })
}
