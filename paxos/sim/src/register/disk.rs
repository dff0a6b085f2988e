use std::collections::BTreeMap;

use quorate_paxos::register::{Message, Record, State};

/// A round and a node; ordered as ballots are.
pub(crate) type Ballot = (u64, u64);

pub(crate) fn pair(ballot: quorate_paxos::Ballot) -> Ballot {
    (ballot.round, ballot.node.get())
}

/// What was accepted: the ballot, the version, the value.
pub(crate) type Accepted = (Ballot, Ballot, Option<Vec<u8>>);

pub(crate) fn owned(state: State<'_>) -> Accepted {
    (pair(state.ballot), pair(state.origin), state.value.map(<[u8]>::to_vec))
}

/// What the records of a node amount to.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Disk {
    pub(crate) is_founded: bool,
    pub(crate) cells: BTreeMap<Vec<u8>, (Ballot, Option<Accepted>)>,
    rounds: u64,
    age: u64,
    floor: Ballot,
    fenced: BTreeMap<u64, u64>,
    pub(crate) version: u64,
    /// Which node it is of, and its votes as an acceptor of the present and of the next set, as far as they are of a membership that is not
    /// written whole.
    node: u64,
    votes: (u8, u8),
}

/// The first stage of a change.
const ACCEPTING: u8 = 1;

/// The votes of a seat whose node has left.
const HAS_LEFT: u8 = u8::MAX;

impl Disk {
    pub(crate) fn of(node: u64) -> Self {
        Self { node, ..Self::default() }
    }

    /// A record is durable.
    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Result<(), String> {
        match *record {
            Record::Founded { version } => {
                (self.is_founded, self.version) = (true, self.version.max(version));
            }
            Record::Rounds { through } => self.rounds = through,
            Record::Promised { key, ballot } => self.promise(key, pair(ballot))?,
            Record::Accepted { key, state, promised } => {
                let state = owned(state);
                self.promise(key, pair(promised))?;
                let cell = self.cells.entry(key.to_vec()).or_default();
                if cell.1.as_ref().is_some_and(|old| old.0 == state.0 && *old != state) {
                    return Err(format!("accepts {state:?} after {:?}", cell.1));
                }
                if cell.1.as_ref().is_some_and(|old| old.0 > state.0) {
                    return Err(format!("accepts {state:?} after {:?}", cell.1));
                }
                cell.1 = Some(state);
            }
            Record::Erased { key } => {
                self.cells.remove(key);
            }
            Record::Aged { age, floor } => (self.age, self.floor) = (age, pair(floor)),
            Record::Fenced { node, age } => {
                self.fenced.insert(node.get(), age);
            }
            Record::Seat { node, present, next } if node.get() == self.node => {
                self.votes = (if present == HAS_LEFT { 0 } else { present }, next);
            }
            Record::Configured { version, stage, .. } => {
                self.version = version;
                // a node that becomes an acceptor has nothing of what it was told before
                if stage == ACCEPTING && self.votes.0 == 0 && self.votes.1 > 0 {
                    self.cells.clear();
                }
                self.votes = (0, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn promise(&mut self, key: &[u8], ballot: Ballot) -> Result<(), String> {
        let cell = self.cells.entry(key.to_vec()).or_default();
        if ballot < cell.0 {
            return Err(format!("promises {ballot:?} after {:?}", cell.0));
        }
        cell.0 = ballot;
        Ok(())
    }

    /// Whether what a message says of its sender is on record.
    pub(crate) fn keeps(&self, to: u64, message: &Message<'_>) -> bool {
        let cell = |key: &[u8]| self.cells.get(key).cloned().unwrap_or_default();
        self.is_founded
            && match *message {
                Message::Prepare { ballot, age, .. } => {
                    self.rounds >= ballot.round && self.age == age
                }
                Message::Accept { next, age, .. } => self.rounds >= next.round && self.age == age,
                Message::Promise { key, ballot, state } => {
                    let (promised, accepted) = cell(key);
                    promised == pair(ballot) && accepted == state.map(owned)
                }
                Message::Accepted { key, ballot, promised } => {
                    let (has, accepted) = cell(key);
                    has == pair(promised) && accepted.is_some_and(|is| is.0 == pair(ballot))
                }
                Message::Conflict { key, promised } => cell(key).0 == pair(promised),
                Message::Collected { tombstone } => self.floor >= pair(tombstone),
                Message::Fence { age } => self.age == age,
                Message::Fenced { age } => self.fenced.get(&to).copied().unwrap_or(0) >= age,
                Message::Collect { version, .. } => self.version == version,
                _ => true,
            }
    }
}
