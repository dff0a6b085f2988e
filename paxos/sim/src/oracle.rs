use std::collections::{BTreeMap, BTreeSet};

use quorate_paxos::Roles;
use quorate_sim::Marks;

use crate::Setup;
use crate::disk::Disk;
use crate::parse::{Ballot, FAST, Said, Value, Vote, Written};
use crate::setup::{For, Kind};

/// What is on the disks, and what was said: whether one value is chosen at most, and nobody says what its disk does not hold.
#[derive(Clone, Debug)]
pub struct Oracle {
    setup: Setup,
    disks: Vec<Disk>,
    is_erased: Vec<bool>,
    /// How often each node was started.
    life: Vec<u64>,
    /// The life in which each ballot was prepared.
    prepared: BTreeMap<Ballot, u64>,
    /// Of each ballot: who promised it on record, and its last vote at that time.
    promises: BTreeMap<Ballot, BTreeMap<usize, Option<Vote>>>,
    /// The value of each classic ballot.
    values: BTreeMap<Ballot, Value>,
    /// The votes that were ever on record.
    votes: BTreeMap<Ballot, BTreeMap<Value, BTreeSet<usize>>>,
    /// The value that was chosen, and the ballots in which it was.
    chosen: Option<Value>,
    chosen_in: BTreeSet<Ballot>,
    /// What the application proposed at each node, in all of its lives.
    proposed: Vec<BTreeSet<Value>>,
    /// What rare things happened.
    pub marks: Marks,
}

/// Whether something holds, or what does not.
type Checked = Result<(), String>;

impl Oracle {
    /// Nothing has happened.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let nodes = setup.members.len();
        let mut marks = Marks::default();
        setup.marks().for_each(|mark| marks.hit(mark));
        Self {
            setup,
            disks: vec![Disk::default(); nodes],
            is_erased: vec![false; nodes],
            life: vec![0; nodes],
            prepared: BTreeMap::new(),
            promises: BTreeMap::new(),
            values: BTreeMap::new(),
            votes: BTreeMap::new(),
            chosen: None,
            chosen_in: BTreeSet::new(),
            proposed: vec![BTreeSet::new(); nodes],
            marks,
        }
    }

    /// The application proposes a value at a node.
    pub(crate) fn proposed(&mut self, node: usize, value: &[u8]) {
        if let Some(proposed) = self.proposed.get_mut(node) {
            proposed.insert(value.to_vec());
        }
    }

    /// A node has crashed.
    pub(crate) fn crashed(&mut self, node: usize) {
        if let Some(life) = self.life.get_mut(node) {
            *life += 1;
        }
    }

    /// Whether a node's disk was erased at some time.
    pub(crate) fn is_erased(&self, node: usize) -> bool {
        self.is_erased.get(node) == Some(&true)
    }

    /// Whether a node has a record that it was founded.
    pub(crate) fn is_founded(&self, node: usize) -> bool {
        self.disks.get(node).is_some_and(|disk| disk.is_founded)
    }

    /// What a node promised and voted for last, by its records.
    pub(crate) fn on_disk(&self, node: usize) -> (Ballot, Ballot) {
        let disk = self.disks.get(node);
        disk.map_or_else(Default::default, |disk| (disk.promised, disk.voted()))
    }

    /// The value that was chosen.
    pub(crate) fn chosen(&self) -> Option<&[u8]> {
        self.chosen.as_deref()
    }

    /// The records of a node are about to be replaced.
    pub(crate) fn replaced(&mut self, node: usize) {
        if let Some(disk) = self.disks.get_mut(node) {
            let before = core::mem::take(disk);
            disk.before = Some(Box::new(before));
        }
    }

    /// The disk of a node was erased.
    pub(crate) fn erased(&mut self, node: usize) {
        if let (Some(disk), Some(erased)) = (self.disks.get_mut(node), self.is_erased.get_mut(node))
        {
            (*disk, *erased) = (Disk::default(), true);
        }
    }

    /// A checkpoint has lost nothing.
    pub(crate) fn check_checkpoint(&mut self, node: usize) -> Checked {
        let Some(disk) = self.disks.get_mut(node) else { return Ok(()) };
        let Some(before) = disk.before.take() else { return Ok(()) };
        if disk.includes(&before) {
            return Ok(());
        }
        Err(format!("the checkpoint of node {} makes {before:?} {disk:?}", node + 1))
    }

    /// A record is durable.
    pub(crate) fn durable(&mut self, node: usize, record: Written) -> Checked {
        let erased = self.is_erased(node);
        let Some(disk) = self.disks.get_mut(node) else { return Ok(()) };
        let name = node + 1;
        if erased {
            return Err(format!("node {name} was erased, and writes {record:?}"));
        }
        let before = disk.apply(&record).map_err(|what| format!("node {name} {what}"))?;
        match record {
            Written::Promised(ballot) => {
                self.promises.entry(ballot).or_default().entry(node).or_insert(before);
                Ok(())
            }
            Written::Accepted(vote) => self.voted(node, vote),
            _ => Ok(()),
        }
    }

    /// A vote is on record.
    fn voted(&mut self, node: usize, (ballot, value): Vote) -> Checked {
        if ballot == FAST {
            if !self.is_proposed(&value) {
                return Err(format!("node {} votes for {value:?}, which is nobody's", node + 1));
            }
        } else if ballot.1 == node as u64 + 1 {
            // its own vote may be on record before it has asked anybody
            self.propose_in(node, &(ballot, value.clone()))?;
        } else if self.values.get(&ballot) != Some(&value) {
            return Err(format!("node {} votes for what nobody asked: {value:?}", node + 1));
        }
        let votes = self.votes.entry(ballot).or_default();
        votes.entry(value.clone()).or_default().insert(node);
        if ballot == FAST {
            self.mark_collision();
        }
        let what = if ballot == FAST { For::FastVotes } else { For::Votes };
        let voters = self.votes.get(&ballot).and_then(|votes| votes.get(&value));
        let has = |node: usize| voters.is_some_and(|voters| voters.contains(&node));
        if !self.chosen_in.contains(&ballot) && self.setup.is_quorum(what, has) {
            return self.choose(ballot, value);
        }
        Ok(())
    }

    /// Whether votes for several values leave none in the fast ballot that can be chosen.
    fn mark_collision(&mut self) {
        let Some(votes) = self.votes.get(&FAST).filter(|votes| votes.len() > 1) else { return };
        self.marks.hit("several values in the fast ballot");
        let voted = |node: usize| votes.values().any(|voters| voters.contains(&node));
        let may = |voters: &BTreeSet<usize>| {
            let has = |node: usize| voters.contains(&node) || !voted(node);
            self.setup.is_quorum(For::FastVotes, has)
        };
        if !votes.values().any(may) {
            self.marks.hit("collision in the fast ballot");
        }
    }

    /// A quorum has voted for a value in a ballot.
    fn choose(&mut self, ballot: Ballot, value: Value) -> Checked {
        match &self.chosen {
            Some(first) if *first != value => {
                return Err(format!("{value:?} is chosen in {ballot:?} after {first:?}"));
            }
            Some(_) => self.marks.hit("chosen again in a later ballot"),
            None if ballot == FAST => self.marks.hit("chosen in the fast ballot"),
            None => self.marks.hit("chosen in a classic ballot"),
        }
        if let Some(other) = self.values.range(ballot..).find(|(_, other)| **other != value) {
            return Err(format!("{value:?} is chosen in {ballot:?}, and proposed was {other:?}"));
        }
        self.chosen_in.insert(ballot);
        self.chosen = Some(value);
        Ok(())
    }

    /// The application of a node is told what was chosen, or a node tells others.
    pub(crate) fn decided(&mut self, node: usize, value: &[u8]) -> Checked {
        if self.chosen.as_deref() == Some(value) {
            return Ok(());
        }
        Err(format!("node {} tells that {value:?} was chosen, not {:?}", node + 1, self.chosen))
    }

    /// A message leaves a node.
    pub(crate) fn sent(&mut self, node: usize, to: usize, said: Said) -> Checked {
        let name = node + 1;
        let asks = matches!(said, Said::Prepare(_) | Said::Accept(_) | Said::Propose(_));
        if asks && self.is_erased(to) {
            self.marks.hit("erased node asked");
        }
        if self.is_erased(node) && !matches!(said, Said::Learn | Said::Decided(_)) {
            return Err(format!("node {name} was erased, and says {said:?}"));
        }
        let Some(disk) = self.disks.get(node) else { return Ok(()) };
        if !disk.keeps(&said) {
            return Err(format!("node {name} says {said:?}, and its disk holds {disk:?}"));
        }
        match said {
            Said::Prepare(ballot) => self.prepare(node, ballot),
            Said::Accept(vote) => self.propose_in(node, &vote),
            Said::Decided(value) => self.decided(node, &value),
            Said::Propose(value) => {
                if self.proposed.get(node).is_some_and(|proposed| proposed.contains(&value)) {
                    return Ok(());
                }
                Err(format!("node {name} proposes {value:?}, which is not its application's"))
            }
            _ => Ok(()),
        }
    }

    fn prepare(&mut self, node: usize, ballot: Ballot) -> Checked {
        let life = self.life.get(node).copied().unwrap_or(0);
        if ballot.1 != node as u64 + 1 || ballot <= FAST {
            return Err(format!("node {} prepares {ballot:?}, which is not its", node + 1));
        }
        if *self.prepared.entry(ballot).or_insert(life) == life {
            return Ok(());
        }
        Err(format!("node {} prepares {ballot:?} again after a restart", node + 1))
    }

    /// A proposer has proposed a value in a classic ballot.
    fn propose_in(&mut self, node: usize, (ballot, value): &Vote) -> Checked {
        let (name, life) = (node + 1, self.life.get(node).copied().unwrap_or(0));
        if let Some(known) = self.values.get(ballot) {
            if known == value {
                return Ok(());
            }
            return Err(format!("{known:?} and {value:?} are both proposed in {ballot:?}"));
        }
        // a quorum of one needs nobody else's promise
        let is_prepared = *self.prepared.entry(*ballot).or_insert(life) == life;
        if ballot.1 != node as u64 + 1 || !is_prepared {
            return Err(format!("node {name} proposes in {ballot:?}, which it has not prepared"));
        }
        self.check_value(node, *ballot, value)?;
        self.values.insert(*ballot, value.clone());
        let other = |earlier: &&Ballot| **earlier < *ballot;
        if self.chosen_in.iter().any(|earlier| other(&earlier))
            && self.chosen.as_ref() != Some(value)
        {
            let chosen = &self.chosen;
            return Err(format!("{value:?} is proposed in {ballot:?}, chosen was {chosen:?}"));
        }
        Ok(())
    }

    /// Whether a value may be proposed in a ballot, by the promises that are on record: some quorum of them must allow it.
    fn check_value(&mut self, node: usize, ballot: Ballot, value: &Value) -> Checked {
        let promises = self.promises.get(&ballot).cloned().unwrap_or_default();
        let all: Vec<(usize, Option<Vote>)> = promises.into_iter().collect();
        let mut quorums = 0;
        for subset in 1_u32..1 << all.len() {
            let is_in = |at: usize| subset & (1 << at) != 0;
            let in_subset = all.iter().enumerate().filter(|(at, _)| is_in(*at));
            let replies: Vec<&(usize, Option<Vote>)> = in_subset.map(|(_, one)| one).collect();
            let has = |node: usize| replies.iter().any(|(one, _)| *one == node);
            if !self.setup.is_quorum(For::Promises, has) {
                continue;
            }
            quorums += 1;
            if let Some(mark) = self.allows(node, &replies, value) {
                self.marks.hit(mark);
                return Ok(());
            }
        }
        if quorums == 0 {
            let who: Vec<usize> = all.iter().map(|(node, _)| node + 1).collect();
            return Err(format!("{ballot:?} is promised by {who:?} alone, which are no quorum"));
        }
        // what a later ballot proposed is safe in this one as well
        if self.setup.fast.is_some() && self.values.range(ballot..).any(|(_, v)| v == value) {
            self.marks.hit("value of a later ballot");
            return Ok(());
        }
        Err(format!("no quorum of {all:?} allows {value:?} in {ballot:?}"))
    }

    /// Whether these promises allow to propose a value, and why.
    fn allows(
        &self,
        node: usize,
        replies: &[&(usize, Option<Vote>)],
        value: &Value,
    ) -> Option<&'static str> {
        let votes = || replies.iter().filter_map(|(_, vote)| vote.as_ref());
        let own = self.proposed.get(node).is_some_and(|proposed| proposed.contains(value));
        let Some(highest) = votes().map(|vote| vote.0).max() else {
            return own.then_some("own value proposed");
        };
        let mut of_highest = votes().filter(|vote| vote.0 == highest).map(|vote| &vote.1);
        let (true, Kind::Fast([_, fast])) = (highest == FAST, &self.setup.kind) else {
            return of_highest.any(|voted| voted == value).then_some("value adopted");
        };
        let (replied, nodes) = (replies.len() as u64, self.setup.members.len() as u64);
        let needed = (replied + fast).saturating_sub(nodes);
        let count = |of: &Value| of_highest.clone().filter(|voted| *voted == of).count() as u64;
        let possible = of_highest.clone().find(|voted| count(voted) >= needed);
        match possible {
            Some(possible) => (possible == value).then_some("possibly chosen value recovered"),
            None => (own || count(value) > 0).then_some("free choice after a collision"),
        }
    }

    fn is_proposed(&self, value: &Value) -> bool {
        self.proposed.iter().any(|proposed| proposed.contains(value))
    }

    /// Whether what was chosen was proposed by somebody.
    pub(crate) fn finish(&self) -> Checked {
        match &self.chosen {
            None => Err("nothing was chosen".into()),
            Some(value) if !self.is_proposed(value) => {
                Err(format!("{value:?} was chosen, and nobody has proposed it"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The nodes that can still promise and vote, or propose: those that are there and remember.
    pub(crate) fn remember(&self) -> impl Iterator<Item = usize> {
        (0..self.disks.len()).filter(|&node| !self.is_erased(node))
    }

    /// Whether a node can vote.
    pub(crate) fn is_acceptor(&self, node: usize) -> bool {
        self.setup.has_roles(node, Roles::ACCEPTOR)
    }
}
