use crate::parse::{Ballot, FAST, Said, Vote, Written};

/// What the records of a node amount to.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Disk {
    pub(crate) is_founded: bool,
    pub(crate) promised: Ballot,
    pub(crate) vote: Option<Vote>,
    pub(crate) rounds: u64,
    /// What they were before a checkpoint took their place.
    pub(crate) before: Option<Box<Disk>>,
}

impl Disk {
    /// A record is durable. Returns the last vote before it.
    pub(crate) fn apply(&mut self, record: &Written) -> Result<Option<Vote>, String> {
        let before = self.vote.clone();
        match record {
            Written::Founded => self.is_founded = true,
            Written::Rounds(through) if *through < self.rounds => {
                return Err(format!("sets aside {through} after {}", self.rounds));
            }
            Written::Rounds(through) => self.rounds = *through,
            Written::Promised(ballot) => self.promise(*ballot)?,
            Written::Accepted(vote) => {
                self.promise(vote.0)?;
                if before.as_ref().is_some_and(|before| before.0 == vote.0 && before != vote) {
                    return Err(format!("votes for {vote:?} after {before:?}"));
                }
                self.vote = Some(vote.clone());
            }
        }
        Ok(before)
    }

    fn promise(&mut self, ballot: Ballot) -> Result<(), String> {
        if ballot < self.promised || ballot < FAST {
            return Err(format!("promises {ballot:?} after {:?}", self.promised));
        }
        self.promised = ballot;
        Ok(())
    }

    /// The ballot of the last vote.
    pub(crate) fn voted(&self) -> Ballot {
        self.vote.as_ref().map_or((0, 0), |vote| vote.0)
    }

    /// Whether what a message says of its sender is on record.
    pub(crate) fn keeps(&self, said: &Said) -> bool {
        match said {
            Said::Prepare(ballot) | Said::Accept((ballot, _)) => {
                self.is_founded && self.rounds.max(self.promised.0) >= ballot.0
            }
            Said::Promise(ballot, vote) => {
                let below = self.vote.as_ref().filter(|vote| vote.0 < *ballot);
                self.is_founded && self.promised >= *ballot && below == vote.as_ref()
            }
            Said::Accepted(vote) => self.is_founded && self.vote.as_ref() == Some(vote),
            Said::Preempted(ballot, promised) => self.promised >= *promised && promised > ballot,
            _ => true,
        }
    }

    /// Whether nothing is lost that another has.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.promised >= other.promised
            && self.rounds >= other.rounds
            && self.is_founded >= other.is_founded
            && (self.vote == other.vote || self.voted() > other.voted())
    }
}
