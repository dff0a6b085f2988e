use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use quorate_log::{Proposal, ReadId};
use quorate_sim::Marks;

use super::disk::Disk;
use super::parse::{Ballot, Entry, Heartbeat, Kind, NONE, Run, Said, Slot, Written};
use crate::Setup;
use crate::setup::For;

/// What is on the disks and what was said: whether each slot has one entry, and nobody says what its disk does not hold.
pub(super) struct Oracle {
    /// By their numbers: who keeps the log from the slot after one on.
    configurations: Vec<(Slot, Setup)>,
    /// Stop-signs, by their slots, epochs and the number of the configuration that is next: who proposed them, and who is in it.
    stop_signs: BTreeMap<(Slot, u64, u64), (usize, Setup)>,
    /// The configuration that each node is in, as its status says after each step.
    present: Vec<u64>,
    /// That of each ballot.
    ballots: BTreeMap<Ballot, u64>,
    disks: Vec<Disk>,
    /// What a disk held before a checkpoint of which the records are being read.
    replaced: Vec<Option<Disk>>,
    is_erased: Vec<bool>,
    /// How often each node was started.
    life: Vec<u64>,
    /// The life in which each ballot was prepared.
    prepared: BTreeMap<Ballot, u64>,
    /// Of each ballot: who promised it on record, and the votes in lower ballots at that time.
    promises: BTreeMap<Ballot, BTreeMap<usize, Promised>>,
    /// Their ballots, in the order in which they were promised first.
    promised: VecDeque<Ballot>,
    /// The entry that was proposed for each slot in each ballot.
    values: BTreeMap<Slot, BTreeMap<Ballot, Entry>>,
    /// Who voted for that on record.
    voters: BTreeMap<(Slot, Ballot), BTreeSet<usize>>,
    /// Votes of which a candidate was told: which candidate, the slot and the ballot.
    told: HashSet<(usize, Slot, Ballot)>,
    /// What each node has promised, and the last slot of its log then.
    promised_at: Vec<(Ballot, Slot)>,
    /// By a node and another: whether the last heartbeat that it took from the other said that this hears it.
    hears: BTreeMap<(usize, usize), bool>,
    /// The ballot that each epoch belongs to, by the number of its configuration: an epoch may be used again in a later one.
    epochs: BTreeMap<(u64, u64), Ballot>,
    chosen: BTreeMap<Slot, (Ballot, Entry)>,
    /// All slots up to here are chosen.
    chosen_through: Slot,
    /// What each application proposed: by the number of the command.
    operations: BTreeMap<u64, Operation>,
    /// The command that was proposed at each place, in each configuration.
    places: BTreeMap<(Slot, u64, u64), u64>,
    /// The last slot that any application has applied.
    applied: Slot,
    /// The digest of the state of any application that has applied so many slots.
    digests: Vec<u64>,
    /// Reads that each node has accepted and not answered: what had been applied anywhere when they were asked for.
    reads: Vec<Vec<(ReadId, Slot)>>,
    pub(super) marks: Marks,
}

/// What an acceptor had voted for when it promised.
#[derive(Clone, Debug)]
struct Promised {
    commit: Slot,
    votes: BTreeMap<Slot, (Ballot, Entry)>,
}

/// A command that an application proposed.
#[derive(Clone, Copy, Debug)]
struct Operation {
    node: usize,
    place: Proposal,
    is_dropped: bool,
}

/// Whether something holds, or what does not.
type Checked = Result<(), String>;

/// How many ballots are remembered by their promises.
const BALLOTS: usize = 64;

impl Oracle {
    pub(super) fn new(setup: Setup) -> Self {
        let nodes = setup.members.len();
        let mut marks = Marks::default();
        setup.marks().for_each(|mark| marks.hit(mark));
        Self {
            configurations: vec![(0, setup)],
            stop_signs: BTreeMap::new(),
            present: vec![0; nodes],
            ballots: BTreeMap::new(),
            disks: vec![Disk::default(); nodes],
            replaced: vec![None; nodes],
            is_erased: vec![false; nodes],
            life: vec![0; nodes],
            prepared: BTreeMap::new(),
            promises: BTreeMap::new(),
            promised: VecDeque::new(),
            values: BTreeMap::new(),
            voters: BTreeMap::new(),
            told: HashSet::new(),
            promised_at: vec![(NONE, 0); nodes],
            hears: BTreeMap::new(),
            epochs: BTreeMap::new(),
            chosen: BTreeMap::new(),
            chosen_through: 0,
            operations: BTreeMap::new(),
            places: BTreeMap::new(),
            applied: 0,
            digests: vec![0],
            reads: vec![Vec::new(); nodes],
            marks,
        }
    }

    /// Who keeps the log now.
    pub(super) fn setup(&self) -> &Setup {
        &self.configurations[self.configurations.len() - 1].1
    }

    /// The number of the configuration that is in force after a slot.
    fn configuration_at(&self, slot: Slot) -> u64 {
        self.configurations.iter().filter(|(since, _)| *since <= slot).count() as u64 - 1
    }

    fn configuration_of(&self, ballot: Ballot) -> u64 {
        self.ballots.get(&ballot).copied().unwrap_or(0)
    }

    fn setup_of(&self, ballot: Ballot) -> &Setup {
        let number = self.configuration_of(ballot) as usize;
        &self.configurations[number.min(self.configurations.len() - 1)].1
    }

    /// The configuration of the ballot has ended before the slot: what was voted for there counts for nothing.
    fn is_void(&self, ballot: Ballot, slot: Slot) -> bool {
        let next = self.configuration_of(ballot) as usize + 1;
        ballot != NONE && self.configurations.get(next).is_some_and(|(since, _)| slot > *since)
    }

    /// A ballot is used in one configuration alone.
    fn use_ballot(&mut self, node: usize, ballot: Ballot, configuration: u64) -> Checked {
        let known = *self.ballots.entry(ballot).or_insert(configuration);
        if known == configuration && (configuration as usize) < self.configurations.len() {
            return Ok(());
        }
        let name = node + 1;
        Err(format!("node {name} uses {ballot:?} in configuration {configuration}, not {known}"))
    }

    /// The last slot for which a node has a vote that counts, on its disk.
    fn last_on_disk(&self, node: usize) -> Slot {
        let disk = &self.disks[node];
        let counts =
            |(slot, (ballot, _)): &(&Slot, &(Ballot, Entry))| !self.is_void(*ballot, **slot);
        let last = disk.votes.iter().rev().find(counts).map_or(0, |(slot, _)| *slot);
        last.max(disk.commit)
    }

    /// An application proposed a stop-sign.
    pub(super) fn stop_sign(&mut self, node: usize, place: Proposal, next: Setup) {
        let number = self.present[node] + 1;
        self.stop_signs.insert((place.index, place.epoch, number), (node, next));
    }

    /// A stop-sign is chosen, and all before it: the next configuration is in force.
    fn end_configuration(&mut self, slot: Slot, entry: Entry) -> Checked {
        let number = entry.next_configuration().unwrap_or(0);
        let Some((_, next)) = self.stop_signs.get(&(slot, entry.epoch, number)) else {
            return Err(format!("nobody has proposed {entry:?} at {slot}"));
        };
        self.configurations.push((slot, next.clone()));
        self.chosen.split_off(&(slot + 1));
        self.values.split_off(&(slot + 1));
        if !self.voters.split_off(&(slot + 1, NONE)).is_empty() {
            self.marks.hit("votes after a stop-sign");
        }
        self.marks.hit("configuration ended");
        Ok(())
    }

    /// All slots up to here are chosen.
    pub(super) const fn chosen_through(&self) -> Slot {
        self.chosen_through
    }

    /// The last slot for which anything was chosen.
    pub(super) fn last_chosen(&self) -> Slot {
        self.chosen.last_key_value().map_or(0, |(slot, _)| *slot)
    }

    pub(super) fn disk(&self, node: usize) -> &Disk {
        &self.disks[node]
    }

    pub(super) fn is_erased(&self, node: usize) -> bool {
        self.is_erased[node]
    }

    /// The nodes that can still promise and vote.
    pub(super) fn remember(&self) -> impl Iterator<Item = usize> {
        (0..self.disks.len()).filter(|&node| !self.is_erased[node])
    }

    /// A node has crashed.
    pub(super) fn crashed(&mut self, node: usize) {
        self.life[node] += 1;
        self.promised_at[node] = (NONE, 0);
        self.reads[node].clear();
        self.hears.retain(|(one, _), _| *one != node);
    }

    /// A node took a heartbeat of another, which says whether that one hears it.
    pub(super) fn hears(&mut self, node: usize, from: usize, hears: bool) {
        self.hears.insert((node, from), hears);
    }

    /// The records of a node are about to be replaced by those of a checkpoint.
    pub(super) fn replaced(&mut self, node: usize) {
        self.replaced[node] = Some(core::mem::take(&mut self.disks[node]));
    }

    /// The disk of a node was erased.
    pub(super) fn erased(&mut self, node: usize) {
        self.replaced[node] = None;
        self.disks[node] = Disk::default();
        self.is_erased[node] = true;
    }

    /// A checkpoint has lost nothing.
    pub(super) fn check_checkpoint(&mut self, node: usize) -> Checked {
        let Some(mut before) = self.replaced[node].take() else { return Ok(()) };
        let is_void = |slot: &Slot, vote: &(Ballot, Entry)| self.is_void(vote.0, *slot);
        before.votes.retain(|slot, vote| !is_void(slot, vote));
        let disk = &self.disks[node];
        if let Some(lost) = disk.misses(&before) {
            return Err(format!("the checkpoint of node {} loses {lost}: {disk:?}", node + 1));
        }
        for slot in before.commit.max(disk.snapshot) + 1..=disk.commit {
            let chosen = self.chosen.get(&slot).map(|(_, chosen)| *chosen);
            if chosen.is_none() || chosen != disk.entry(slot) {
                let vote = disk.votes.get(&slot);
                return Err(format!(
                    "the checkpoint of node {} has {vote:?} at {slot}, chosen is {chosen:?}",
                    node + 1
                ));
            }
        }
        // what was on its way to the disk is there now
        let disk = disk.clone();
        if disk.promised > before.promised {
            self.remember_promise(node, disk.promised);
        }
        for (slot, (ballot, entry)) in disk.votes.range(disk.commit + 1..) {
            if before.votes.get(slot) != Some(&(*ballot, *entry)) && *ballot == disk.promised {
                self.voted(node, *slot, *ballot, *entry)?;
            }
        }
        Ok(())
    }

    /// In any configuration.
    fn is_acceptor(&self, node: usize) -> bool {
        self.configurations.iter().any(|(_, setup)| setup.acceptors().any(|one| one == node))
    }

    fn is_acceptor_in(&self, node: usize, ballot: Ballot) -> bool {
        self.setup_of(ballot).acceptors().any(|one| one == node)
    }

    /// A record is made.
    pub(super) fn issued(&mut self, node: usize, record: &Written) -> Checked {
        self.check_checkpoint(node)?;
        let name = node + 1;
        if self.is_erased[node] {
            if *record == Written::Founded {
                return Err(format!("node {name} was erased, and is founded"));
            }
            if record.ballot() != NONE && self.is_acceptor_in(node, record.ballot()) {
                return Err(format!("node {name} was erased, and writes {record:?}"));
            }
        }
        let own = record.ballot();
        if own.1 == name as u64 && own > self.disks[node].promised {
            // one that an earlier life of the node had in mind was told to nobody
            self.ballots.insert(own, self.present[node]);
        }
        match record {
            Written::Accepted { commit, votes } => {
                self.check_commit(node, *commit)?;
                for (slot, ballot, entry) in votes {
                    self.check_record(node, *ballot, *slot, *entry)?;
                    let number = self.configuration_of(*ballot) as usize;
                    let since = self.configurations[number].0;
                    if *ballot != NONE
                        && *slot > since
                        && *commit < since
                        && !self.is_void(*ballot, *slot)
                    {
                        return Err(format!(
                            "node {name} votes at {slot} in configuration {number}, and knows \
                             what is chosen up to {commit}"
                        ));
                    }
                }
                Ok(())
            }
            Written::Snapshot { slot, .. } => self.check_commit(node, *slot),
            Written::Configuration { slot, number } => {
                self.check_commit(node, *slot)?;
                self.check_configuration(node, *slot, *number)
            }
            _ => Ok(()),
        }
    }

    /// The configuration as of a snapshot.
    fn check_configuration(&self, node: usize, snapshot: Slot, number: u64) -> Checked {
        let is = self.configuration_at(snapshot);
        if number == is {
            return Ok(());
        }
        let name = node + 1;
        Err(format!("node {name} says that {snapshot} is of configuration {number}, it is of {is}"))
    }

    fn check_record(&mut self, node: usize, ballot: Ballot, slot: Slot, entry: Entry) -> Checked {
        let name = node + 1;
        if (entry.kind == Kind::Hole && ballot == NONE) || self.is_void(ballot, slot) {
            return Ok(());
        }
        let chosen = self.chosen.get(&slot).map(|(_, chosen)| *chosen);
        if chosen == Some(entry) {
            return Ok(());
        }
        if ballot == NONE {
            return Err(format!("node {name} learns {entry:?} at {slot}, chosen is {chosen:?}"));
        }
        let is_copy = self.told.contains(&(node, slot, ballot));
        if ballot.1 == node as u64 + 1 && !is_copy {
            // its own vote may be on record before it has asked anybody
            self.propose_in(node, ballot, slot, entry)?;
        }
        let value = self.values.get(&slot).and_then(|values| values.get(&ballot));
        let (promised, last) = self.promised_at[node];
        if is_copy && ballot < promised {
            self.marks.hit("vote of another copied");
        } else if ballot < promised && slot > last && self.is_acceptor_in(node, ballot) {
            return Err(format!(
                "node {name} votes at {slot} in {ballot:?} after it promised {promised:?}"
            ));
        }
        if value == Some(&entry) {
            return Ok(());
        }
        Err(format!("node {name} votes at {slot} in {ballot:?} for {entry:?}, asked was {value:?}"))
    }

    /// A record is durable.
    pub(super) fn durable(&mut self, node: usize, record: &Written) -> Checked {
        let name = |what: String| format!("node {} {what}", node + 1);
        if self.replaced[node].is_some() {
            return self.disks[node].load(record).map_err(name);
        }
        let (promised, commit) = (self.disks[node].promised, self.disks[node].commit);
        if record.ballot() > promised {
            self.remember_promise(node, record.ballot());
        }
        let before = self.disks[node].votes.clone();
        self.disks[node].apply(record).map_err(name)?;
        if let Written::Accepted { votes, .. } = record {
            for (slot, ballot, entry) in votes {
                let (slot, entry) = (*slot, *entry);
                let is_chosen = self.chosen.get(&slot).is_some_and(|(_, chosen)| *chosen == entry);
                if is_chosen || entry.kind == Kind::Hole || self.is_void(*ballot, slot) {
                    continue;
                }
                if let Some((higher, _)) = before.get(&slot).filter(|(voted, _)| voted > ballot) {
                    return Err(name(format!("votes at {slot} in {ballot:?} after {higher:?}")));
                }
                if *ballot >= promised {
                    self.voted(node, slot, *ballot, entry)?;
                } else {
                    self.voted_late(node, slot, *ballot, entry);
                }
            }
        }
        let disk = &self.disks[node];
        for slot in commit.max(disk.snapshot) + 1..=disk.commit {
            let chosen = self.chosen.get(&slot).map(|(_, chosen)| *chosen);
            if chosen.is_none() || chosen != disk.entry(slot) {
                let vote = disk.votes.get(&slot);
                return Err(name(format!("takes {vote:?} at {slot} for chosen, not {chosen:?}")));
            }
        }
        Ok(())
    }

    fn remember_promise(&mut self, node: usize, ballot: Ballot) {
        if self.is_erased[node] || !self.is_acceptor_in(node, ballot) {
            return;
        }
        let disk = &self.disks[node];
        let votes = disk.votes.range(disk.commit + 1..).filter(|(_, vote)| vote.0 < ballot);
        let votes = votes.map(|(slot, vote)| (*slot, *vote)).collect();
        let promised = Promised { commit: disk.commit, votes };
        if !self.promises.contains_key(&ballot) {
            self.promised.push_back(ballot);
        }
        self.promises.entry(ballot).or_default().entry(node).or_insert(promised);
        // not the lowest: a node that lost a configuration in a crash goes on with the ballots of that
        while self.promised.len() > BALLOTS
            && let Some(oldest) = self.promised.pop_front()
        {
            self.promises.remove(&oldest);
        }
    }

    /// A vote is on record after the promise of a higher ballot, before which it was cast or taken over from another: it counts for nothing,
    /// but the promise tells of it.
    fn voted_late(&mut self, node: usize, slot: Slot, ballot: Ballot, entry: Entry) {
        self.marks.hit("vote on record after a promise");
        let promises = self.promises.get_mut(&self.disks[node].promised);
        if let Some(promised) = promises.and_then(|promises| promises.get_mut(&node)) {
            promised.votes.insert(slot, (ballot, entry));
        }
    }

    /// What a node has promised, and the last slot in its log, as its status says after each step.
    pub(super) fn seen(&mut self, node: usize, promised: Ballot, last: Slot, configuration: u64) {
        self.present[node] = configuration;
        if self.promised_at[node].0 != promised {
            self.promised_at[node] = (promised, last);
        }
    }

    /// A vote is on record.
    fn voted(&mut self, node: usize, slot: Slot, ballot: Ballot, entry: Entry) -> Checked {
        let counts = self.is_acceptor_in(node, ballot) && !self.is_void(ballot, slot);
        if self.is_erased[node] || !counts {
            return Ok(());
        }
        let setup = self.setup_of(ballot).clone();
        let voters = self.voters.entry((slot, ballot)).or_default();
        voters.insert(node);
        let has = |node: usize| voters.contains(&node);
        if setup.is_quorum(For::Votes, has) {
            return self.choose(slot, ballot, entry);
        }
        Ok(())
    }

    /// A quorum has voted for an entry in a ballot.
    fn choose(&mut self, slot: Slot, ballot: Ballot, entry: Entry) -> Checked {
        match self.chosen.get(&slot) {
            Some((first, other)) if *other != entry => {
                return Err(format!(
                    "slot {slot}: {entry:?} is chosen in {ballot:?}, {other:?} was in {first:?}"
                ));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let values = self.values.entry(slot).or_default();
        if let Some((later, other)) = values.range(ballot..).find(|(_, other)| **other != entry) {
            return Err(format!(
                "slot {slot}: {entry:?} is chosen in {ballot:?}, proposed was {other:?} in \
                 {later:?}"
            ));
        }
        let number = self.configuration_of(ballot);
        match entry.kind {
            Kind::Hole => return Err(format!("a hole is chosen at {slot}")),
            Kind::NoOp => self.marks.hit("no-op chosen"),
            Kind::Command if self.epochs.get(&(number, entry.epoch)) != Some(&ballot) => {
                self.marks.hit("chosen in a later ballot than it was proposed in");
            }
            _ => {}
        }
        if slot > self.chosen_through + 1 {
            self.marks.hit("chosen out of order");
        }
        if let Some(operation) = self.operations.get(&entry.operation)
            && operation.is_dropped
            && entry.kind == Kind::Command
        {
            return Err(format!("{entry:?} is chosen at {slot}, and was told to be dropped"));
        }
        self.chosen.insert(slot, (ballot, entry));
        while let Some((_, entry)) = self.chosen.get(&(self.chosen_through + 1)) {
            let entry = *entry;
            self.chosen_through += 1;
            if entry.next_configuration() == Some(self.configurations.len() as u64) {
                self.end_configuration(self.chosen_through, entry)?;
            }
        }
        Ok(())
    }

    /// A node says that all slots up to one are chosen.
    pub(super) fn check_commit(&self, node: usize, commit: Slot) -> Checked {
        if commit <= self.chosen_through {
            return Ok(());
        }
        let through = self.chosen_through;
        Err(format!("node {} takes {commit} for chosen, and {through} are", node + 1))
    }

    /// A leader proposes an entry in its ballot.
    fn propose_in(&mut self, node: usize, ballot: Ballot, slot: Slot, entry: Entry) -> Checked {
        let name = node + 1;
        if self.is_void(ballot, slot) {
            return Ok(());
        }
        let values = self.values.entry(slot).or_default();
        match values.get(&ballot) {
            Some(known) if *known == entry => return Ok(()),
            Some(known) => {
                return Err(format!(
                    "{known:?} and {entry:?} are both proposed at {slot} in {ballot:?}"
                ));
            }
            None => {}
        }
        let life = self.life[node];
        // a quorum of one needs nobody else's promise
        let is_prepared = *self.prepared.entry(ballot).or_insert(life) == life;
        if ballot.1 != node as u64 + 1 || !is_prepared {
            return Err(format!("node {name} proposes in {ballot:?}, which it has not prepared"));
        }
        match self.chosen.get(&slot) {
            Some((_, chosen)) if *chosen == entry => {}
            Some((earlier, chosen)) if *earlier < ballot => {
                return Err(format!(
                    "{entry:?} is proposed at {slot} in {ballot:?}, chosen was {chosen:?} in \
                     {earlier:?}"
                ));
            }
            _ => self.check_value(node, ballot, slot, entry)?,
        }
        self.values.entry(slot).or_default().insert(ballot, entry);
        Ok(())
    }

    /// Whether an entry may be proposed in a ballot, by the promises that are on record: some quorum of them must allow it.
    fn check_value(&mut self, node: usize, ballot: Ballot, slot: Slot, entry: Entry) -> Checked {
        let (none, no_values) = (BTreeMap::new(), BTreeMap::new());
        let promises = self.promises.get(&ballot).unwrap_or(&none);
        // what one of them had voted for; who knows that the slot is decided allows nothing else
        let vote = |node: usize| -> Option<Option<(Ballot, Entry)>> {
            let promised = promises.get(&node).filter(|promised| promised.commit < slot)?;
            // what was voted for in an earlier configuration counts for nothing
            let vote = promised.votes.get(&slot).filter(|(voted, _)| !self.is_void(*voted, slot));
            Some(vote.copied())
        };
        let below = |node: usize, ballot: Ballot| {
            vote(node).is_some_and(|vote| vote.is_none_or(|(voted, _)| voted <= ballot))
        };
        // a candidate may know it from others than those: what could be chosen below the ballot that it is from is the same anyway
        let values = self.values.get(&slot).unwrap_or(&no_values);
        let setup = self.setup_of(ballot).clone();
        for (voted, _) in values.range(..ballot).filter(|(_, value)| **value == entry) {
            if setup.is_quorum(For::Promises, |node| below(node, *voted)) {
                self.marks.hit("entry adopted");
                return Ok(());
            }
        }
        // it may have written what it proposed before, in this life, with a checkpoint, and nobody has heard of it
        let is_mine = |voted: Ballot| {
            voted.1 == ballot.1 && self.prepared.get(&voted) == Some(&self.life[node])
        };
        let is_free = |one: usize| {
            let is_own = |(voted, value)| one == node && value == entry && is_mine(voted);
            vote(one).is_some_and(|vote| vote.is_none_or(is_own))
        };
        if !setup.is_quorum(For::Promises, is_free) {
            let votes: Vec<_> = promises.keys().map(|&node| (node + 1, vote(node))).collect();
            return Err(format!(
                "node {} proposes {entry:?} at {slot} in {ballot:?}, which no quorum of these \
                 allows: {votes:?}",
                node + 1
            ));
        }
        let number = self.configuration_of(ballot);
        let first = *self.epochs.entry((number, entry.epoch)).or_insert(ballot);
        // or it has proposed that in an earlier ballot of this life, and nobody has heard of it
        let is_own = first < ballot && self.prepared.get(&first) == Some(&self.life[node]);
        if first != ballot && !(is_own && first.1 == ballot.1) {
            return Err(format!("{entry:?} at {slot} is proposed anew in {ballot:?}"));
        }
        match entry.kind {
            Kind::NoOp => {
                self.marks.hit("no-op proposed");
                Ok(())
            }
            Kind::Command => self.check_proposed(node, slot, entry),
            Kind::StopSign => {
                let number = entry.next_configuration().unwrap_or(0);
                match self.stop_signs.get(&(slot, entry.epoch, number)) {
                    Some((by, _)) if *by == node => Ok(()),
                    other => Err(format!("{entry:?} at {slot} is proposed as {other:?}")),
                }
            }
            _ => Err(format!("node {} proposes {entry:?} at {slot}", node + 1)),
        }
    }

    /// A command is what the application of its leader has proposed there.
    fn check_proposed(&self, node: usize, slot: Slot, entry: Entry) -> Checked {
        let place = Proposal { epoch: entry.epoch, index: slot };
        match self.operations.get(&entry.operation) {
            Some(operation) if operation.node == node && operation.place == place => Ok(()),
            other => Err(format!("{entry:?} at {slot} is proposed as {other:?}")),
        }
    }

    /// A message leaves a node.
    pub(super) fn sent(&mut self, node: usize, to: usize, said: &Said) -> Checked {
        self.check_checkpoint(node)?;
        let name = node + 1;
        if to >= self.disks.len() || to == node {
            return Err(format!("node {name} says {said:?} to node {}", to + 1));
        }
        let is_acceptor = self.is_acceptor(node);
        let present = match said {
            Said::Heartbeat(heartbeat) => heartbeat.configuration,
            _ => self.present[node],
        };
        let Some((_, present)) = self.configurations.get(present as usize) else {
            return Err(format!("node {name} says {said:?}, and there is no such configuration"));
        };
        let is_acceptor_now = present.acceptors().any(|one| one == node);
        let votes = is_acceptor && !self.is_erased[node] && self.disks[node].is_founded;
        let needs_no_vote = match said {
            Said::Fetch { .. } | Said::Chosen { .. } | Said::Chunk { .. } | Said::Query { .. } => {
                true
            }
            Said::Heartbeat(heartbeat) => !is_acceptor_now && !heartbeat.leads,
            // a learner tells how far it has come
            Said::Accepted { .. } | Said::Preempted { .. } => !is_acceptor_now,
            _ => false,
        };
        if !votes && !needs_no_vote {
            return Err(format!("node {name} has no vote, and says {said:?}"));
        }
        match said {
            Said::Heartbeat(heartbeat) => self.check_heartbeat(node, *heartbeat),
            Said::Prepare { configuration, ballot } => {
                self.use_ballot(node, *ballot, *configuration)?;
                self.prepare(node, *ballot)
            }
            Said::Promise { accepted, run, .. } => {
                self.check_promise(node, said)?;
                self.told.extend(run.iter().map(|(slot, _)| (to, slot, *accepted)));
                Ok(())
            }
            Said::Accept { configuration, ballot, commit, run } => {
                self.use_ballot(node, *ballot, *configuration)?;
                self.check_commit(node, *commit)?;
                for (slot, entry) in run.iter() {
                    self.propose_in(node, *ballot, slot, entry)?;
                }
                Ok(())
            }
            Said::Accepted { ballot, through } => {
                if *ballot < self.disks[node].promised {
                    let promised = self.disks[node].promised;
                    return Err(format!(
                        "node {name} says {said:?} after it promised {promised:?}"
                    ));
                }
                self.check_accepted(node, *ballot, *through)
            }
            Said::Preempted { ballot, promised } => {
                if promised <= ballot {
                    return Err(format!("node {name} says {said:?}"));
                }
                self.check_promised(node, *promised)
            }
            Said::Chosen { commit, run } => {
                self.check_commit(node, *commit)?;
                self.check_chosen(node, run)
            }
            Said::Chunk { snapshot, configuration } => {
                self.check_commit(node, *snapshot)?;
                let Some(number) = *configuration else { return Ok(()) };
                if number > 0 {
                    self.marks.hit("members sent with a snapshot");
                }
                self.check_configuration(node, *snapshot, number)
            }
            Said::Answer { promised, last, .. } => {
                let disk = &self.disks[node];
                if disk.promised > *promised || self.last_on_disk(node) > *last {
                    return Err(format!("node {name} answers {said:?}, its disk holds {disk:?}"));
                }
                Ok(())
            }
            Said::Stand { configuration, ballot } => {
                self.use_ballot(node, *ballot, *configuration)?;
                self.check_leads(node, *ballot)
            }
            Said::Fetch { .. } | Said::Query { .. } => Ok(()),
        }
    }

    fn check_promised(&self, node: usize, promised: Ballot) -> Checked {
        let disk = self.disks[node].promised;
        if disk >= promised {
            return Ok(());
        }
        Err(format!("node {} tells the promise {promised:?}, its disk holds {disk:?}", node + 1))
    }

    fn check_heartbeat(&mut self, node: usize, heartbeat: Heartbeat) -> Checked {
        self.check_promised(node, heartbeat.promised)?;
        self.check_commit(node, heartbeat.commit)?;
        if heartbeat.leads {
            self.use_ballot(node, heartbeat.promised, heartbeat.configuration)?;
            self.check_leads(node, heartbeat.promised)?;
        }
        self.check_accepted(node, heartbeat.promised, heartbeat.through)?;
        let last = self.last_on_disk(node);
        if heartbeat.last < last {
            return Err(format!("node {} says {heartbeat:?}, its disk ends at {last}", node + 1));
        }
        Ok(())
    }

    /// A node leads in a ballot of its own that a quorum has promised.
    pub(super) fn check_leads(&mut self, node: usize, ballot: Ballot) -> Checked {
        let life = self.life[node];
        let is_prepared = *self.prepared.entry(ballot).or_insert(life) == life;
        let promises = self.promises.get(&ballot);
        let has = |node: usize| promises.is_some_and(|promises| promises.contains_key(&node));
        let is_promised = self.setup_of(ballot).is_quorum(For::Promises, has);
        if ballot.1 == node as u64 + 1 && is_prepared && is_promised {
            return Ok(());
        }
        let who: Vec<_> = promises.map(|promises| promises.keys().collect()).unwrap_or_default();
        Err(format!("node {} leads in {ballot:?}, which was promised by {who:?}", node + 1))
    }

    fn prepare(&mut self, node: usize, ballot: Ballot) -> Checked {
        let life = self.life[node];
        if ballot.1 != node as u64 + 1 {
            return Err(format!("node {} prepares {ballot:?}, which is not its", node + 1));
        }
        self.check_promised(node, ballot)?;
        let is_heard = |one: usize| one == node || self.hears.get(&(node, one)) == Some(&true);
        if !self.setup_of(ballot).is_quorum(For::Promises, is_heard) {
            return Err(format!("node {} prepares {ballot:?}, and no quorum hears it", node + 1));
        }
        if *self.prepared.entry(ballot).or_insert(life) == life {
            return Ok(());
        }
        Err(format!("node {} prepares {ballot:?} again after a restart", node + 1))
    }

    /// A promise tells what the disk holds for each slot that it covers.
    fn check_promise(&self, node: usize, said: &Said) -> Checked {
        let Said::Promise { ballot, from, accepted, commit, last, run } = said else {
            return Ok(());
        };
        self.check_promised(node, *ballot)?;
        self.check_commit(node, *commit)?;
        let disk = &self.disks[node];
        let wrong = |slot: Slot| {
            let on_disk = (disk.votes.get(&slot), disk.commit);
            Err(format!("node {} says {said:?}, its disk holds {on_disk:?} at {slot}", node + 1))
        };
        let last_on_disk = self.last_on_disk(node);
        if *last < last_on_disk {
            return wrong(last_on_disk);
        }
        // a page without entries tells that there are none
        let end = if run.entries.is_empty() { last + 1 } else { run.end() };
        let covered = |slot: &Slot| (*from.max(&(commit + 1))..end).contains(slot);
        let counts =
            |(slot, (ballot, _)): &(&Slot, &(Ballot, Entry))| !self.is_void(*ballot, **slot);
        for (slot, _) in disk.votes.iter().filter(counts).filter(|(slot, _)| covered(slot)) {
            if *slot < run.first || *slot >= run.end() {
                return wrong(*slot);
            }
        }
        for (slot, entry) in run.iter() {
            let chosen = self.chosen.get(&slot).is_some_and(|(_, chosen)| *chosen == entry);
            let is_told = disk.votes.get(&slot) == Some(&(*accepted, entry));
            if !(is_told || (chosen && slot <= *commit)) {
                return wrong(slot);
            }
        }
        Ok(())
    }

    /// A node has voted in a ballot, on record, for all slots up to one that are not chosen.
    fn check_accepted(&self, node: usize, ballot: Ballot, through: Slot) -> Checked {
        let disk = &self.disks[node];
        let mut slots = disk.commit.max(self.chosen_through) + 1..=through;
        let is_missing = |slot: &Slot| disk.votes.get(slot).is_none_or(|vote| vote.0 != ballot);
        let missing = slots.find(|slot| !self.chosen.contains_key(slot) && is_missing(slot));
        let Some(slot) = missing else { return Ok(()) };
        let vote = disk.votes.get(&slot);
        Err(format!(
            "node {} says that it voted in {ballot:?} through {through}, its disk holds {vote:?} \
             at {slot}",
            node + 1
        ))
    }

    fn check_chosen(&self, node: usize, run: &Run) -> Checked {
        for (slot, entry) in run.iter() {
            let chosen = self.chosen.get(&slot).map(|(_, chosen)| *chosen);
            if chosen != Some(entry) {
                return Err(format!(
                    "node {} tells that {entry:?} was chosen at {slot}, not {chosen:?}",
                    node + 1
                ));
            }
        }
        Ok(())
    }

    /// An application proposed a command.
    pub(super) fn proposed(&mut self, node: usize, operation: u64, place: Proposal) -> Checked {
        if let Some(other) =
            self.places.insert((place.index, place.epoch, self.present[node]), operation)
        {
            return Err(format!("{other} and {operation} are both proposed at {place:?}"));
        }
        self.operations.insert(operation, Operation { node, place, is_dropped: false });
        Ok(())
    }

    /// An application was told that a command of its own never has an effect.
    pub(super) fn dropped(&mut self, node: usize, operation: u64) -> Checked {
        let Some(known) = self.operations.get_mut(&operation) else { return Ok(()) };
        known.is_dropped = true;
        let (slot, epoch) = (known.place.index, known.place.epoch);
        match self.chosen.get(&slot) {
            Some((_, chosen)) if chosen.epoch == epoch && chosen.operation == operation => {
                Err(format!(
                    "node {} is told that {operation} was dropped, which is chosen at {slot}",
                    node + 1
                ))
            }
            _ => Ok(()),
        }
    }

    /// An application applies an entry, and has this digest then.
    pub(super) fn applied(
        &mut self,
        node: usize,
        slot: Slot,
        entry: Entry,
        digest: u64,
    ) -> Checked {
        self.check_commit(node, slot)?;
        self.check_chosen(node, &Run { first: slot, entries: vec![entry] })?;
        let disk = &self.disks[node];
        if slot > disk.snapshot && disk.entry(slot) != Some(entry) {
            let on_disk = disk.votes.get(&slot);
            return Err(format!(
                "node {} applies {entry:?} at {slot}, its disk holds {on_disk:?}",
                node + 1
            ));
        }
        self.applied = self.applied.max(slot);
        if self.digests.len() as u64 == slot {
            self.digests.push(digest);
        }
        self.check_state(node, slot, digest)
    }

    /// The application of a node has this state.
    pub(super) fn check_state(&self, node: usize, slot: Slot, digest: u64) -> Checked {
        if self.digests.get(slot as usize) == Some(&digest) {
            return Ok(());
        }
        Err(format!("the state of node {} at {slot} is another than that of others", node + 1))
    }

    /// A node accepted a read.
    pub(super) fn read_asked(&mut self, node: usize, id: ReadId) -> Checked {
        if self.reads[node].last().is_some_and(|(last, _)| *last > id) {
            return Err(format!("node {} gives reads ids that go back: {id:?}", node + 1));
        }
        self.reads[node].push((id, self.applied));
        Ok(())
    }

    /// A node says that reads may be answered; its application has applied so much.
    pub(super) fn read_ready(&mut self, node: usize, through: ReadId, applied: Slot) -> Checked {
        let reads = &mut self.reads[node];
        let ready: Vec<_> = reads.extract_if(.., |(id, _)| *id <= through).collect();
        self.marks.add("read answered", ready.len() as u64);
        match ready.iter().find(|(_, asked)| *asked > applied) {
            None => Ok(()),
            Some(read) => Err(format!(
                "node {} answers {read:?} at {applied}, older than what was applied elsewhere",
                node + 1
            )),
        }
    }

    /// Reads that are not answered.
    pub(super) fn has_reads(&self, node: usize) -> bool {
        !self.reads[node].is_empty()
    }
}
