//! Messages and records, read from their bytes as somebody would who knows the tables of the wire format and not the crate.

use quorate_core::{DecodeError, Reader};

/// A round and a node; ordered as ballots are.
pub(crate) type Ballot = (u64, u64);
/// A value.
pub(crate) type Value = Vec<u8>;
/// A value in a ballot.
pub(crate) type Vote = (Ballot, Value);

/// The fast ballot.
pub(crate) const FAST: Ballot = (1, 0);

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Prepare(Ballot),
    Promise(Ballot, Option<Vote>),
    Accept(Vote),
    Accepted(Vote),
    Preempted(Ballot, Ballot),
    Decided(Value),
    Learn,
    Propose(Value),
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    Founded,
    Rounds(u64),
    Promised(Ballot),
    Accepted(Vote),
}

/// Reads a message.
pub(crate) fn message(bytes: &[u8]) -> Result<Said, String> {
    let mut input = Reader::new(bytes);
    let read = |input: &mut Reader<'_>| -> Result<Option<Said>, DecodeError> {
        Ok(Some(match input.u8()? {
            0 => Said::Prepare(ballot(input)?),
            1 => {
                let promised = ballot(input)?;
                Said::Promise(promised, if input.u8()? == 0 { None } else { Some(vote(input)?) })
            }
            2 => Said::Accept(vote(input)?),
            3 => Said::Accepted(vote(input)?),
            4 => Said::Preempted(ballot(input)?, ballot(input)?),
            5 => Said::Decided(input.bytes()?.to_vec()),
            6 => Said::Learn,
            7 => Said::Propose(input.bytes()?.to_vec()),
            _ => return Ok(None),
        }))
    };
    let said = read(&mut input).ok().flatten().filter(|_| input.rest().is_empty());
    said.ok_or_else(|| format!("no message of the tables: {bytes:02x?}"))
}

/// Reads a record.
pub(crate) fn record(bytes: &[u8]) -> Result<Written, String> {
    let mut input = Reader::new(bytes);
    let read = |input: &mut Reader<'_>| -> Result<Option<Written>, DecodeError> {
        Ok(Some(match input.u8()? {
            0 => Written::Founded,
            1 => Written::Rounds(input.u64()?),
            2 => Written::Promised(ballot(input)?),
            3 => Written::Accepted(vote(input)?),
            _ => return Ok(None),
        }))
    };
    let written = read(&mut input).ok().flatten().filter(|_| input.rest().is_empty());
    written.ok_or_else(|| format!("no record of the tables: {bytes:02x?}"))
}

fn ballot(input: &mut Reader<'_>) -> Result<Ballot, DecodeError> {
    Ok((input.u64()?, input.u64()?))
}

fn vote(input: &mut Reader<'_>) -> Result<Vote, DecodeError> {
    Ok((ballot(input)?, input.bytes()?.to_vec()))
}
