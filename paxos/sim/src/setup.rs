use quorate_core::{NodeId, Quorums, Rng, Votes};
use quorate_paxos::fast::{Config, FastQuorums};
use quorate_paxos::synod::Learning;
use quorate_paxos::{Member, Roles};

/// Bytes of a value, in either storage.
pub(crate) const MAX_VALUE: usize = 12;

/// Who does what in a run, and which sets of acceptors are quorums.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The nodes, in their order.
    pub members: Vec<Member>,
    /// As the machines know it.
    pub quorums: Quorums,
    /// Of Fast Paxos alone.
    pub fast: Option<FastQuorums>,
    /// The times.
    pub config: Config,
    /// As the oracle knows it.
    pub kind: Kind,
}

/// A quorum system, as the oracle counts it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The votes of the acceptors, and how many are a quorum of each phase.
    Votes([u64; 2]),
    /// A row in phase 1, a column in phase 2: so many columns.
    Grid(usize),
    /// So many in a classic ballot, so many in the fast one.
    Fast([u64; 2]),
}

/// A quorum for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    Promises,
    Votes,
    FastVotes,
}

impl Setup {
    /// Draws one for so many nodes.
    #[must_use]
    pub fn draw(rng: &mut Rng, nodes: usize) -> Self {
        let config = draw_config(rng);
        let ids = (1..=nodes as u64).map(NodeId::new);
        if nodes >= 3 && rng.chance(1, 3) {
            let fast = draw_fast(rng, nodes as u8);
            let (classic, size) = (fast.classic(), fast.fast());
            return Self {
                members: ids.map(Member::new).collect(),
                quorums: Quorums::majority(nodes as u8),
                fast: Some(fast),
                config: Config { learning: Learning::Direct, ..config },
                kind: Kind::Fast([classic.into(), size.into()]),
            };
        }
        let roles = draw_roles(rng, nodes);
        let members = ids.zip(roles).map(|(id, roles)| Member::new(id).with_roles(roles)).collect();
        let mut setup = Self {
            members,
            quorums: Quorums::majority(0),
            fast: None,
            config,
            kind: Kind::Votes([0, 0]),
        };
        setup.draw_quorums(rng);
        setup
    }

    /// Draws one of a log of which these nodes are members: each has all roles, or learns. Most runs have none that learn alone.
    pub(crate) fn draw_members(rng: &mut Rng, members: &[bool]) -> Self {
        let nodes = members.len();
        let learners = if nodes > 1 && rng.chance(1, 4) { rng.range(1, nodes as u64) } else { 0 };
        let mut roles = vec![Roles::ALL; nodes];
        for _ in 0..learners {
            if let Some(roles) = roles.get_mut(rng.below(nodes as u64) as usize) {
                *roles = Roles::LEARNER;
            }
        }
        let is_member = members.iter();
        for (roles, _) in roles.iter_mut().zip(is_member).filter(|(_, is_member)| !**is_member) {
            *roles = Roles::default();
        }
        if !roles.contains(&Roles::ALL) {
            for (roles, is_member) in roles.iter_mut().zip(members) {
                *roles = if *is_member { Roles::ALL } else { Roles::default() };
            }
        }
        let ids = (1..=nodes as u64).map(NodeId::new);
        let members = ids.zip(roles).map(|(id, roles)| Member::new(id).with_roles(roles)).collect();
        let mut setup = Self {
            members,
            quorums: Quorums::majority(0),
            fast: None,
            config: Config::lan(),
            kind: Kind::Votes([0, 0]),
        };
        setup.draw_quorums(rng);
        setup
    }

    fn draw_quorums(&mut self, rng: &mut Rng) {
        let acceptors = self.acceptors().count();
        let voters = acceptors as u8;
        // from one vote to all: those of phase 2 are as many as phase 1 leaves, or more
        let sizes = |rng: &mut Rng, all: u64| {
            let one = rng.range(1, all + 1);
            (one, rng.range(all + 1 - one, all + 1))
        };
        let choice = if acceptors == 4 && rng.chance(1, 2) { 2 } else { rng.below(6) };
        let drawn = match choice {
            0 => {
                let (one, two) = sizes(rng, acceptors as u64);
                let quorums = Quorums::flexible(voters, one as u8, two as u8).ok();
                quorums.map(|quorums| (quorums, Kind::Votes([one, two])))
            }
            1 => {
                let mut votes: Vec<u8> = (0..acceptors).map(|_| rng.below(4) as u8).collect();
                if let Some(first) = votes.first_mut() {
                    *first += 1;
                }
                let (one, two) = sizes(rng, votes.iter().map(|&votes| u64::from(votes)).sum());
                let quorums = Quorums::weighted(&votes, one as u16, two as u16).ok();
                let is_acceptor = |member: &&mut Member| member.roles.contains(Roles::ACCEPTOR);
                for (member, votes) in self.members.iter_mut().filter(is_acceptor).zip(votes) {
                    member.votes = Votes::new(votes);
                }
                quorums.map(|quorums| (quorums, Kind::Votes([one, two])))
            }
            2 => {
                let divides = |rows: &usize| acceptors.is_multiple_of(*rows);
                let mut rows: Vec<usize> = (1..=acceptors).filter(divides).collect();
                // a single row or column only where there is nothing else
                rows.retain(|&row| acceptors < 4 || (row > 1 && row < acceptors));
                let rows = rows.get(rng.below(rows.len() as u64) as usize).copied().unwrap_or(1);
                let columns = acceptors / rows;
                let quorums = Quorums::grid(rows as u8, columns as u8).ok();
                quorums.map(|quorums| (quorums, Kind::Grid(columns)))
            }
            _ => None,
        };
        let majority = acceptors as u64 / 2 + 1;
        (self.quorums, self.kind) =
            drawn.unwrap_or((Quorums::majority(voters), Kind::Votes([majority, majority])));
    }

    /// Those that have a part, as the machines are told.
    pub(crate) fn listed(&self) -> impl Iterator<Item = Member> {
        self.members.iter().copied().filter(|member| member.roles != Roles::default())
    }

    /// The nodes, from 0, that are acceptors.
    pub(crate) fn acceptors(&self) -> impl Iterator<Item = usize> {
        self.nodes_with(Roles::ACCEPTOR)
    }

    /// The nodes, from 0, that have these roles.
    pub(crate) fn nodes_with(&self, roles: Roles) -> impl Iterator<Item = usize> {
        let has = move |(_, member): &(usize, &Member)| member.roles.contains(roles);
        self.members.iter().enumerate().filter(has).map(|(node, _)| node)
    }

    /// Whether a node, from 0, has these roles.
    pub(crate) fn has_roles(&self, node: usize, roles: Roles) -> bool {
        self.members.get(node).is_some_and(|member| member.roles.contains(roles))
    }

    /// Whether any majority of all nodes can choose a value.
    pub(crate) fn is_plain(&self) -> bool {
        let nodes = self.members.len() as u64;
        let ones = self.members.iter().all(|m| m.roles == Roles::ALL && m.votes == Votes::ONE);
        match self.kind {
            Kind::Votes(sizes) => ones && sizes.iter().all(|&size| size <= nodes / 2 + 1),
            Kind::Fast([classic, _]) => classic <= nodes / 2 + 1,
            Kind::Grid(_) => false,
        }
    }

    /// Whether the acceptors among these nodes are a quorum.
    pub(crate) fn is_quorum(&self, what: For, has: impl Fn(usize) -> bool) -> bool {
        let votes = |node: usize| match self.kind {
            Kind::Votes(_) => self.members.get(node).map_or(0, |member| votes_of(member.votes)),
            _ => 1,
        };
        let count: u64 = self.acceptors().filter(|&node| has(node)).map(votes).sum();
        match (&self.kind, what) {
            (Kind::Votes([one, _]), For::Promises) => count >= *one,
            (Kind::Votes([_, two]), _) => count >= *two,
            (Kind::Fast([_, fast]), For::FastVotes) => count >= *fast,
            (Kind::Fast([classic, _]), _) => count >= *classic,
            (Kind::Grid(columns), _) => {
                let has: Vec<bool> = self.acceptors().map(has).collect();
                let mut rows = has.chunks(*columns);
                if what == For::Promises {
                    rows.any(|row| row.iter().all(|&has| has))
                } else {
                    (0..*columns).any(|at| rows.clone().all(|row| row.get(at) == Some(&true)))
                }
            }
        }
    }

    /// Whether a value can still be chosen by these nodes.
    pub(crate) fn suffices(&self, has: impl Fn(usize) -> bool) -> bool {
        self.is_quorum(For::Promises, &has)
            && self.is_quorum(For::Votes, &has)
            && self.nodes_with(Roles::PROPOSER).any(has)
    }

    /// What is rare about it.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &'static str> {
        let apart = self.members.iter().any(|member| member.roles != Roles::ALL);
        let kind = match self.kind {
            Kind::Fast(_) => "fast quorums",
            Kind::Grid(columns) if columns > 1 && columns < self.acceptors().count() => "grid",
            Kind::Votes([one, two]) if one != two => "flexible quorums",
            _ => "quorums of one size",
        };
        let learning = match self.config.learning {
            Learning::Proposer => "only proposers learn",
            Learning::Distinguished => "distinguished learner",
            _ => "learners hear acceptors",
        };
        let weighted = self.members.iter().any(|member| member.votes != Votes::ONE);
        let apart = if apart { "roles apart" } else { "roles together" };
        [kind, learning, apart].into_iter().chain(weighted.then_some("weighted votes"))
    }
}

/// How long it may take, once faults stop, until a live quorum and a live proposer have chosen a value, in µs.
///
/// A back-off that has begun lasts 64 times [`backoff_us`](Config::backoff_us) at most. After it there are two ballots, one that meets another
/// and one that does not, of which each repeats each of its two phases once, and whoever asks does so once. Where nobody proposes after a vote, six asks are
/// added. More would need more bad luck than there was in 200,000 seeds: half of them took 0.4 % of it, 99 of 100 8 %, and the longest 66 %.
#[must_use]
pub const fn settle_us(config: &Config) -> u64 {
    64 * config.backoff_us + 4 * config.retry_us + config.learn_us
}

fn votes_of(votes: Votes) -> u64 {
    (0..=u8::MAX).find(|&count| Votes::new(count) == votes).map_or(0, u64::from)
}

/// A third of the runs have the times of the preset.
fn draw_config(rng: &mut Rng) -> Config {
    let learning = [Learning::Proposer, Learning::Distinguished, Learning::Direct];
    let learning = learning[rng.below(3) as usize];
    let preset = Config { learning, max_value_bytes: MAX_VALUE, max_members: 7, ..Config::lan() };
    if rng.chance(1, 3) {
        return preset;
    }
    Config {
        retry_us: rng.range(20_000, 500_000),
        backoff_us: rng.range(5_000, 100_000),
        learn_us: rng.range(50_000, 1_000_000),
        ..preset
    }
}

fn draw_fast(rng: &mut Rng, nodes: u8) -> FastQuorums {
    for _ in 0..if rng.chance(1, 2) { 100 } else { 0 } {
        let mut size = || 1 + rng.below(nodes.into()) as u8;
        if let Ok(quorums) = FastQuorums::new(nodes, size(), size()) {
            return quorums;
        }
    }
    FastQuorums::minimal(nodes)
}

/// All roles in each node, or in some, or in none; there are two acceptors and a proposer at least.
fn draw_roles(rng: &mut Rng, nodes: usize) -> Vec<Roles> {
    let all = vec![Roles::ALL; nodes];
    if nodes < 3 || rng.chance(3, 5) {
        return all;
    }
    let together = if rng.chance(1, 2) { 3 } else { 0 };
    for _ in 0..100 {
        let roles: Vec<Roles> = (0..nodes)
            .map(|_| match rng.below(8 + together) {
                0..=3 => Roles::ACCEPTOR,
                4 => Roles::PROPOSER,
                5 => Roles::PROPOSER.and(Roles::LEARNER),
                6 | 7 => Roles::LEARNER,
                _ => Roles::ALL,
            })
            .collect();
        let count = |role| roles.iter().filter(|roles| roles.contains(role)).count();
        if count(Roles::ACCEPTOR) >= 3.min(nodes - 1) && count(Roles::PROPOSER) >= 1 {
            return roles;
        }
    }
    all
}
