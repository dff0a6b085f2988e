use quorate_core::Machine;
use std::collections::BTreeMap;

use quorate_raft::{Index, Raft, Storage};

use super::entries::decode;

/// The members of a cluster as an entry lists them: the simulator's own reading of the bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Config(Vec<(u64, u8)>);

const MEMBER: u8 = 1;
const VOTER: u8 = 2;
const OLD_VOTER: u8 = 4;
const WITNESS: u8 = 8;

impl Config {
    /// Nodes 1 to `founders`, all voters.
    pub(crate) fn of_founders(founders: usize) -> Self {
        Self((1..=founders as u64).map(|node| (node, MEMBER | VOTER)).collect())
    }

    pub(crate) fn parse(data: &[u8]) -> Self {
        let member = |bytes: &[u8]| {
            let mut id = [0; 8];
            id.copy_from_slice(&bytes[1..9]);
            (u64::from_le_bytes(id), bytes[0])
        };
        Self(data.chunks_exact(9).map(member).collect())
    }

    fn flags(&self, node: usize) -> u8 {
        self.0.iter().find(|m| m.0 == node as u64 + 1).map_or(0, |m| m.1)
    }

    /// Whether a node (from 0) is a member, and stays one.
    pub(crate) fn is_member(&self, node: usize) -> bool {
        self.flags(node) & MEMBER != 0
    }

    /// Whether a node is a witness.
    pub(crate) fn is_witness(&self, node: usize) -> bool {
        self.flags(node) & WITNESS != 0
    }

    /// Whether this is what a machine goes by: its peers and itself.
    pub(crate) fn is_in_force<S: Storage>(&self, raft: &Raft<S>) -> bool {
        let status = raft.status();
        let own = (status.id, status.membership);
        let goes_by = raft.peers().map(|peer| (peer.id, peer.membership)).chain([own]);
        let mut known = 0;
        for (id, membership) in goes_by.filter(|(_, membership)| membership.is_member()) {
            let flags = self.flags(id.get() as usize - 1);
            let said =
                (flags & (VOTER | OLD_VOTER) != 0, flags & WITNESS != 0, flags & MEMBER == 0);
            if said != (membership.is_voter(), membership.is_witness(), membership.is_leaving()) {
                return false;
            }
            known += 1;
        }
        known == self.0.len()
    }

    /// Whether a majority of each configuration that is in force agrees (Raft thesis, 4.3).
    pub(crate) fn has_quorum(&self, yes: impl Fn(usize) -> bool) -> bool {
        [VOTER, OLD_VOTER].into_iter().all(|vote| {
            let voters = self.0.iter().filter(|m| m.1 & vote != 0);
            let (mut all, mut agree) = (0, 0);
            for &(node, _) in voters {
                all += 1;
                agree += usize::from(yes(node as usize - 1));
            }
            (all == 0 && vote == OLD_VOTER) || agree * 2 > all
        })
    }
}

/// The configurations in a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configs(BTreeMap<Index, Config>);

impl Configs {
    /// Entries were appended from `first` on, in place of what was there.
    pub(crate) fn append(&mut self, first: Index, run: &[u8]) {
        self.0.split_off(&first);
        for (index, _, kind, data) in decode(first, run) {
            if kind == 2 {
                self.0.insert(index, Config::parse(data));
            }
        }
    }

    pub(crate) fn insert(&mut self, index: Index, config: Config) {
        self.0.insert(index, config);
    }

    /// The entry at an index is known to list these.
    pub(crate) fn at(&self, index: Index) -> Option<&Config> {
        self.0.get(&index)
    }

    /// Whether any entry lists these.
    pub(crate) fn contains(&self, config: &Config) -> bool {
        self.0.values().any(|known| known == config)
    }

    /// The last one up to an index.
    pub(crate) fn last(&self, through: Index) -> Option<(Index, &Config)> {
        self.0.range(..=through).next_back().map(|(index, config)| (*index, config))
    }
}
