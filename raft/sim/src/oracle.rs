use std::collections::{BTreeMap, HashMap, HashSet};

use quorate_core::{Machine, NodeId};
use quorate_raft::{Entries, Index, Message, Raft, ReadId, Record, Role, Status, Storage, Term};
use quorate_sim::Marks;

use super::configs::{Config, Configs};
use super::reads::ReadChecker;
use super::shadow::{METADATA_ONLY, Shadow, hashes, parse, same};

/// Remembers what was ever sent, written and committed, and reports contradictions.
pub(crate) struct Oracle {
    pub(crate) shadows: Vec<Shadow>,
    /// By index from 1: term and hash.
    committed: Vec<(Term, u64)>,
    /// By index from 1: the term of the node that first committed it.
    committed_in: Vec<Term>,
    /// The entry of an index and term: the term before it, and its hash.
    entries: HashMap<(Index, Term), (Term, u64)>,
    /// Index and term of what was ever on the disk of a node that is no witness; `None` if there are nodes that are not seen.
    complete_entries: Option<HashSet<(Index, Term)>>,
    leaders: BTreeMap<Term, usize>,
    /// A node lost what it had promised: later leaders may have been elected by its vote, which it
    /// may give twice.
    pub(crate) amnesia: bool,
    votes: HashMap<(usize, Term), NodeId>,
    seen: Vec<Option<Status>>,
    pub(crate) reads: ReadChecker,
    /// The last index a node issued records for, and the term of each entry after its compacted.
    issued: Vec<HashMap<Index, Term>>,
    /// Whether a node issued the record of its founders, or has it on disk.
    founders_recorded: Vec<bool>,
    /// The founders that were ever durable on a node: they never change.
    first_founders: Vec<Option<Config>>,
    /// Who founded the cluster.
    founders: Config,
    /// By index: the configurations that are committed.
    committed_configs: Configs,
    /// Those in the log of each node.
    configs: Vec<Configs>,
    /// The members that came to each with snapshots, by where these end.
    snapshot_configs: Vec<Configs>,
    /// How far each log was looked at for them: index and term.
    scanned: Vec<(Index, Term)>,
}

impl Oracle {
    pub(crate) fn new(nodes: usize, founders: usize) -> Self {
        Self {
            shadows: vec![Shadow::default(); nodes],
            committed: Vec::new(),
            committed_in: Vec::new(),
            entries: HashMap::new(),
            complete_entries: Some(HashSet::new()),
            leaders: BTreeMap::new(),
            amnesia: false,
            votes: HashMap::new(),
            seen: vec![None; nodes],
            reads: ReadChecker::new(nodes),
            issued: vec![HashMap::new(); nodes],
            founders_recorded: vec![false; nodes],
            first_founders: vec![None; nodes],
            founders: Config::of_founders(founders),
            committed_configs: Configs::default(),
            configs: vec![Configs::default(); nodes],
            snapshot_configs: vec![Configs::default(); nodes],
            scanned: vec![(0, 0); nodes],
        }
    }

    /// Sees only one of the nodes.
    pub(crate) fn for_single_node(self) -> Self {
        Self { complete_entries: None, ..self }
    }

    pub(crate) fn committed(&self) -> Index {
        self.committed.len() as u64
    }

    pub(crate) fn crashed(&mut self, node: usize) {
        self.seen[node] = None;
        self.issued[node].clear();
        self.founders_recorded[node] = self.shadows[node].founders.is_some();
        self.reads.drop_pending(node);
        self.configs[node] = self.shadows[node].configs.clone();
        self.snapshot_configs[node] = self.shadows[node].snapshot_configs.clone();
    }

    /// The members that a node must go by: of the last configuration in its log, or of its snapshot.
    fn config(&self, node: usize) -> &Config {
        let snapshot = self.shadows[node].snapshot();
        let snapshot = self.seen[node].map_or(snapshot, |s| s.snapshot.max(snapshot));
        // what is below the snapshot may be of a log that the snapshot took the place of
        let in_log = self.configs[node].last(Index::MAX).filter(|(index, _)| *index > snapshot);
        let (came, committed_configs) =
            (self.snapshot_configs[node].last(snapshot), self.committed_configs.last(snapshot));
        // the members that come with a snapshot may be later than its end
        let before = if came.map(|c| c.0) >= committed_configs.map(|c| c.0) {
            came
        } else {
            committed_configs
        };
        let last = if in_log.map(|c| c.0) > before.map(|c| c.0) { in_log } else { before };
        last.map_or(&self.founders, |(_, config)| config)
    }

    /// A later term that somebody leads or has led.
    pub(crate) fn later_leader_term(&self, term: Term) -> Option<Term> {
        self.leaders.last_key_value().map(|(later, _)| *later).filter(|later| *later > term)
    }

    /// The members as far as anybody has committed them.
    pub(crate) fn members(&self) -> &Config {
        self.committed_configs.last(Index::MAX).map_or(&self.founders, |(_, config)| config)
    }

    /// A node says that reads up to one may be answered by an application that has applied so much.
    pub(crate) fn read(
        &mut self,
        node: usize,
        through: ReadId,
        applied: Index,
    ) -> Result<(), String> {
        // whoever confirmed it went by its own members, and may have others by now
        let nodes = 0..self.shadows.len();
        let mut configs: Vec<_> = nodes.map(|node| vec![self.config(node).clone()]).collect();
        for own in &mut configs {
            own.extend([self.config(node).clone(), self.members().clone()]);
        }
        let has_quorum = |leader: usize, yes: &dyn Fn(usize) -> bool| {
            configs[leader].iter().any(|config| config.has_quorum(yes))
        };
        self.reads.check_ready(node, through, applied, self.seen[node], &has_quorum)
    }

    /// The last entry that is durable on a node.
    pub(crate) fn last_durable(&self, node: usize) -> Index {
        self.shadows[node].last()
    }

    /// A record became durable.
    pub(crate) fn durable(&mut self, node: usize, record: Record<'_>) {
        self.shadows[node].apply(record);
        if let (Record::Founders { .. }, first) = (record, &mut self.first_founders[node]) {
            first.get_or_insert(self.shadows[node].founders.clone().unwrap_or_default());
        }
        if let Record::Append { first, entries, .. } = record
            && !self.config(node).is_witness(node)
            && let Some(kept) = &mut self.complete_entries
        {
            kept.extend(parse(first, entries).map(|(index, term, _)| (index, term)));
        }
    }

    /// A node has its founders on disk from an earlier start.
    pub(crate) fn founders_already_durable(&mut self, node: usize, founders: Record<'_>) {
        self.durable(node, founders);
        self.founders_recorded[node] = true;
    }

    /// The durable records of a node are replaced.
    pub(crate) fn records_replaced(&mut self, node: usize) {
        self.shadows[node] = Shadow::default();
    }

    /// The founders are on disk before anything else is, as the node was told at its first start.
    fn check_founders_first(&mut self, node: usize, record: Record<'_>) -> Result<(), String> {
        let Record::Founders { voters } = record else {
            return match self.founders_recorded[node] {
                true => Ok(()),
                false => Err(format!("node {} writes {record:?} before its founders", node + 1)),
            };
        };
        let named = Config::parse(voters.bytes());
        let founds = self.founders.is_member(node);
        if named != if founds { self.founders.clone() } else { Config::default() } {
            return Err(format!("node {} names other founders: {named:?}", node + 1));
        }
        self.founders_recorded[node] = true;
        Ok(())
    }

    /// Log matching: an index and a term name one entry, and what comes before it.
    pub(crate) fn issued(&mut self, node: usize, record: Record<'_>) -> Result<(), String> {
        self.check_founders_first(node, record)?;
        if let Record::Snapshot { index, index_term, compacted, compacted_term } = record {
            self.issued[node].insert(index, index_term);
            self.issued[node].insert(compacted, compacted_term);
        }
        if let Record::Members { index, members, .. } = record {
            let config = Config::parse(members.bytes());
            if config != self.founders && !self.committed_configs.contains(&config) {
                return Err(format!(
                    "node {} is told of members nobody agreed on: {config:?}",
                    node + 1
                ));
            }
            self.snapshot_configs[node].insert(index, config);
        }
        let Record::Append { first, entries, .. } = record else { return Ok(()) };
        self.configs[node].append(first, entries);
        let mut before = self.issued[node].get(&(first - 1)).copied();
        if first == 1 {
            before = Some(0);
        }
        for (index, term, hash) in parse(first, entries) {
            if let Some(previous) = before {
                if term < previous {
                    return Err(format!("terms go back at index {index} of node {}", node + 1));
                }
                let known = self.entries.entry((index, term)).or_insert((previous, hash));
                if known.1 == METADATA_ONLY {
                    known.1 = hash;
                }
                if known.0 != previous || (hash != METADATA_ONLY && known.1 != hash) {
                    return Err(format!("log matching: two entries {index} of term {term}"));
                }
            }
            self.issued[node].insert(index, term);
            before = Some(term);
        }
        Ok(())
    }

    /// What a message promises must be durable when it leaves.
    pub(crate) fn sent(
        &mut self,
        node: usize,
        to: NodeId,
        message: Message<'_>,
    ) -> Result<(), String> {
        if let Message::Append { term, commit, .. } = message {
            self.observe_sent_commit(node, term, commit);
        }
        if let Message::ReadIndexConfirmed { .. } = message {
            let config = self.config(node).clone();
            let reader = (0..self.shadows.len()).find(|&at| NodeId::new(at as u64 + 1) == to);
            if let Some(reader) = reader {
                self.reads.index_sent(reader, node, &|_, yes| config.has_quorum(yes));
            }
        }
        let shadow = &self.shadows[node];
        let me = NodeId::new(node as u64 + 1);
        let violation = |what: &str| Err(format!("node {}: {what}: {message:?}, {shadow:?}", me));
        let (term, vote) = match message {
            Message::RequestVote { pre: true, .. } | Message::Vote { pre: true, .. } => {
                return Ok(());
            }
            Message::RequestVote { term, .. } | Message::RequestVoteForTransfer { term, .. } => {
                (term, Some(me))
            }
            Message::Vote { term, granted, .. } => (term, granted.then_some(to)),
            Message::AppendAccepted { term, match_index, .. } => {
                if shadow.last() < match_index {
                    return violation("acknowledged before it is durable");
                }
                // a witness ahead of all who have the commands would let none of them lead
                let entry = shadow.term_at(match_index).map(|term| (match_index, term));
                let kept =
                    self.complete_entries.as_ref().filter(|_| self.config(node).is_witness(node));
                if entry.is_some_and(|entry| kept.is_some_and(|kept| !kept.contains(&entry))) {
                    return violation("a witness has what nobody has the commands of");
                }
                (term, None)
            }
            Message::Append { term, .. }
            | Message::AppendRejected { term, .. }
            | Message::Snapshot { term, .. }
            | Message::SnapshotEnd { term, .. }
            | Message::SnapshotAck { term, .. }
            | Message::ReadIndex { term, .. }
            | Message::ReadIndexConfirmed { term, .. }
            | Message::Quiesce { term, .. }
            | Message::RequestSnapshot { term, .. }
            | Message::Propose { term, .. }
            | Message::Proposed { term, .. }
            | Message::Removed { term, .. }
            | Message::LeasePromise { term, .. }
            | Message::TimeoutNow { term } => (term, None),
            _ => return Ok(()),
        };
        if shadow.term < term {
            return violation("speaks in a term that is not durable");
        }
        if let Some(vote) = vote {
            if shadow.term == term && shadow.vote != Some(vote) {
                return violation("a vote that is not durable");
            }
            let earlier = *self.votes.entry((node, term)).or_insert(vote);
            if earlier != vote {
                return Err(format!("node {me} votes for {earlier} and {vote} in term {term}"));
            }
        }
        Ok(())
    }

    /// What must hold of a node after each of its steps.
    pub(crate) fn check<S: Storage>(
        &mut self,
        node: usize,
        raft: &Raft<S>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let status = raft.status();
        let earlier = self.seen[node].replace(status);
        let learnt = self.scan_configs(node, raft, earlier);
        let violation = |what: &str| Err(format!("node {}: {what}: {status:?}", node + 1));
        if status.fatal.is_some() {
            return violation("stopped itself");
        }
        if self.shadows[node].founders != self.first_founders[node] {
            return violation("its disk names other founders than at first, or none");
        }
        let compacted = status.first - 1;
        let ordered = compacted <= status.snapshot
            && status.snapshot <= status.applied
            && status.applied <= status.commit
            && status.commit <= status.last
            && status.durable <= status.last;
        if !ordered {
            return violation("compacted ≤ snapshot ≤ applied ≤ commit ≤ last does not hold");
        }
        if raft.term(status.last).is_none_or(|t| t > status.term) {
            return violation("the log is ahead of the term");
        }
        if let Some(earlier) = earlier {
            if status.term < earlier.term
                || status.commit < earlier.commit
                || status.applied < earlier.applied
                || status.snapshot < earlier.snapshot
            {
                return violation("went back");
            }
            let same = status.term == earlier.term;
            if same && earlier.vote.is_some() && status.vote != earlier.vote {
                return violation("another vote in the same term");
            }
            if same && earlier.leader.is_some_and(|l| status.leader.is_some_and(|m| m != l)) {
                return violation("another leader in the same term");
            }
            if same && earlier.role == Role::Leader && status.role == Role::Leader {
                if status.last < earlier.last {
                    return violation("a leader's log got shorter");
                }
                // only an entry of the own term is committed by counting (3.6.2)
                if status.commit > earlier.commit && raft.term(status.commit) != Some(status.term) {
                    return violation("a leader commits an entry of an earlier term by counting");
                }
            } else if status.last < earlier.last {
                marks.hit("entries replaced");
            }
        }
        // who was added learns of the members with an entry or a snapshot that lists them
        let waits = !self.founders.is_member(node) && *self.config(node) == self.founders;
        if learnt && !waits && !self.config(node).is_in_force(raft) {
            let members: Vec<_> = raft.peers().map(|peer| (peer.id, peer.membership)).collect();
            return Err(format!(
                "node {} goes by {members:?}, and itself {:?}: its log and snapshot say {:?}",
                node + 1,
                status.membership,
                self.config(node)
            ));
        }
        if status.role == Role::Leader {
            self.check_leader(node, raft, &status)?;
        }
        self.check_commit(node, raft, &status, earlier.map_or(0, |e| e.commit))
    }

    /// Looks at what is new in a node's log, which need not have been issued yet: its members are in force.
    fn scan_configs<S: Storage>(
        &mut self,
        node: usize,
        raft: &Raft<S>,
        earlier: Option<Status>,
    ) -> bool {
        let status = raft.status();
        let last_term = raft.term(status.last).unwrap_or(0);
        let (known, known_term) = self.scanned[node];
        if (known, known_term) == (status.last, last_term) && earlier.is_some() {
            return false;
        }
        // a log that has this entry has all those before it
        let goes_on = earlier.is_some() && raft.term(known) == Some(known_term);
        let mut next = if goes_on { known.max(status.first - 1) + 1 } else { status.first };
        self.configs[node].append(next, &[]);
        loop {
            let run = raft.entries(next);
            if run.is_empty() {
                break;
            }
            self.configs[node].append(next, run.bytes());
            next = run.last() + 1;
        }
        self.scanned[node] = (status.last, last_term);
        true
    }

    fn check_leader<S: Storage>(
        &mut self,
        node: usize,
        raft: &Raft<S>,
        status: &Status,
    ) -> Result<(), String> {
        if status.vote != Some(status.id) {
            return Err(format!("node {} leads without its own vote: {status:?}", node + 1));
        }
        let known = self.leaders.get(&status.term);
        if known.is_some_and(|&other| other != node) {
            return Err(format!("election safety: two leaders in term {}", status.term));
        }
        if known.is_none() {
            self.leaders.insert(status.term, node);
            if self.amnesia {
                return Ok(());
            }
            // its own vote was seen above; the others' were seen leaving
            let votes = |other: &usize| {
                *other == node || self.votes.get(&(*other, status.term)) == Some(&status.id)
            };
            if !self.config(node).has_quorum(|other| votes(&other)) {
                return Err(format!("elected without a majority's votes: {status:?}"));
            }
            // leader completeness: what was committed in earlier terms is in its log
            let later = self.committed_in.iter().rev().take_while(|&&t| t >= status.term);
            let last = self.committed() - later.count() as u64;
            let term = self.committed.get((last as usize).wrapping_sub(1)).map_or(0, |e| e.0);
            if last >= status.first && raft.term(last) != Some(term) {
                return Err(format!(
                    "leader completeness: node {} leads term {} without entry {last} of term {term}",
                    node + 1,
                    status.term
                ));
            }
        }
        Ok(())
    }

    fn check_commit<S: Storage>(
        &mut self,
        node: usize,
        raft: &Raft<S>,
        status: &Status,
        from: Index,
    ) -> Result<(), String> {
        let mut index = from.max(status.first - 1) + 1;
        while index <= status.commit {
            let run = raft.entries(index);
            if run.is_empty() {
                return Err(format!("node {} has no entry {index}: {status:?}", node + 1));
            }
            for (at, term, hash) in hashes(run) {
                if at > status.commit {
                    break;
                }
                self.commit(node, at, (term, hash))?;
                index = at + 1;
            }
        }
        if status.commit > self.committed() {
            return Err(format!("node {} commits what nobody did: {status:?}", node + 1));
        }
        Ok(())
    }

    /// Records the commit index that a leader sends. The leader may crash before `check` sees this
    /// step, and a follower that learns the index may have an older configuration than the one the
    /// leader counted by. An entry that fails here is judged by `check` instead.
    fn observe_sent_commit(&mut self, node: usize, term: Term, commit: Index) {
        for index in self.committed() + 1..=commit {
            let issued = self.issued[node].get(&index).copied();
            let entry = issued.and_then(|of| Some((of, self.entries.get(&(index, of))?.1)));
            if entry.is_none_or(|entry| self.commit_in(term, node, index, entry).is_err()) {
                return;
            }
        }
    }

    /// State-machine safety, and durability: at the moment it is first committed, an entry is on a majority of disks.
    fn commit(&mut self, node: usize, index: Index, entry: (Term, u64)) -> Result<(), String> {
        let term = self.seen[node].map_or(entry.0, |s| s.term).max(entry.0);
        self.commit_in(term, node, index, entry)
    }

    /// `commit` for a node that is in `term`.
    fn commit_in(
        &mut self,
        term: Term,
        node: usize,
        index: Index,
        entry: (Term, u64),
    ) -> Result<(), String> {
        match self.committed.get(index as usize - 1) {
            Some(known) if same(*known, entry) => {
                if known.1 == METADATA_ONLY {
                    self.committed[index as usize - 1] = entry;
                }
                return Ok(());
            }
            Some(known) => {
                return Err(format!(
                    "node {} commits {entry:?} at {index} where {known:?} was committed",
                    node + 1
                ));
            }
            None => {}
        }
        if index != self.committed() + 1 {
            return Err(format!("node {} commits {index} after {}", node + 1, self.committed()));
        }
        let config = self.config(node);
        if !config.has_quorum(|other| self.shadows[other].has(index, entry)) {
            let on = |other: &usize| self.shadows[*other].has(index, entry);
            let disks: Vec<usize> = (0..self.shadows.len()).filter(on).map(|n| n + 1).collect();
            return Err(format!(
                "node {} commits {index}, which is on the disks {disks:?} of {config:?}",
                node + 1
            ));
        }
        if let Some(config) = self.configs[node].at(index).cloned() {
            self.committed_configs.insert(index, config);
        }
        self.committed.push(entry);
        self.committed_in.push(self.committed_in.last().map_or(term, |&t| t.max(term)));
        Ok(())
    }

    /// What a node applies is committed, and is what every other applies.
    pub(crate) fn check_applied(
        &mut self,
        node: usize,
        entries: Entries<'_>,
    ) -> Result<(), String> {
        hashes(entries).try_for_each(|(index, term, hash)| self.commit(node, index, (term, hash)))
    }
}
