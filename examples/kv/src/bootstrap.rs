//! How a node becomes a part of its cluster: it founds it, or it joins it later.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use quorate_core::NodeId;
use tracing::{info, warn};

use crate::Failure;
use crate::cli::NodeArgs;
use crate::founding::{self, Founder, FoundingState, Stage};

/// A node that founded the cluster knows its first members; one that joins knows nobody, and is brought in by a change of the members.
/// Both know the founding id, which was drawn when the cluster was founded (clusters that older versions founded have a number made of
/// `--cluster-id` and the founders' ids instead): nodes of different ones refuse each other.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Bootstrap {
    Founder { cluster: u64, founders_hash: u64, voters: Vec<NodeId> },
    Joined { cluster: u64 },
}

/// How a node begins.
#[derive(Debug)]
pub(crate) enum Start {
    /// Its cluster is founded.
    Ready(Bootstrap),
    /// It founds its cluster with others, which takes until all are there.
    Founding(Founder),
    /// It queries the nodes of `--join` for their cluster.
    Joining,
}

/// The file in the data directory of a node that joined: the cluster's number.
const JOINED_FILE: &str = "joined";

impl Bootstrap {
    /// What the data directory says; in an empty one, what the command line says.
    pub(crate) fn load(arguments: &NodeArgs) -> Result<Start, Failure> {
        let path = arguments.data.join(JOINED_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse() {
                Ok(cluster) => {
                    info!(
                        founding_id = format!("{cluster:016x}"),
                        "a node of this cluster already, as its directory says: --join is ignored"
                    );
                    return Ok(Start::Ready(Self::Joined { cluster }));
                }
                Err(_) => {
                    return Err(Failure::Run(format!(
                        "{} is damaged: it should hold the number that `INFO` of every node of the cluster shows as `cluster`",
                        path.display()
                    )));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Failure::Run(format!("cannot read {}: {error}", path.display())));
            }
        }
        if arguments.join.is_empty() {
            return founder(arguments);
        }
        let data = &arguments.data;
        if data.join("wal").exists() || founding::path(data).exists() {
            return Err(Failure::Run(format!(
                "{} is the directory of a node that did not join its cluster, but founded it: start it with --peers, as before. If \
                 it did join, its file `{JOINED_FILE}` is missing: write into it the number that `INFO` of every node shows as `cluster`",
                data.display()
            )));
        }
        Ok(Start::Joining)
    }

    /// What a node is that learned the founding id of the cluster that it joins: the data directory says so from now on.
    pub(crate) fn joined(data: &Path, cluster: u64) -> Result<Self, Failure> {
        save(data, cluster).map_err(|error| {
            Failure::Run(format!("cannot write {}: {error}", data.join(JOINED_FILE).display()))
        })?;
        Ok(Self::Joined { cluster })
    }

    /// The number of `--cluster-id` and the founders; 0 of a node that founded nothing.
    pub(crate) const fn founders_hash(&self) -> u64 {
        match self {
            Self::Founder { founders_hash, .. } => *founders_hash,
            Self::Joined { .. } => 0,
        }
    }

    pub(crate) const fn cluster(&self) -> u64 {
        match self {
            Self::Founder { cluster, .. } | Self::Joined { cluster } => *cluster,
        }
    }
}

/// How a node that founds, or has founded, its cluster begins.
fn founder(arguments: &NodeArgs) -> Result<Start, Failure> {
    let (peers, founder_ids) = (arguments.peer_ids(), arguments.founder_ids());
    let known = |cluster, founders: &[u64]| {
        let voters = founders.iter().map(|&id| NodeId::new(id)).collect();
        let founders_hash = hash_founders(arguments, founders);
        Ok(Start::Ready(Bootstrap::Founder { cluster, founders_hash, voters }))
    };
    let has_log = arguments.data.join("wal").exists();
    let founding = match founding::load(&arguments.data).map_err(Failure::Run)? {
        Some(FoundingState { peers: before, .. }) if before != peers => {
            return Err(Failure::Run(format!(
                "--peers is the list of those who founded the cluster, and stays what it was at the first start, {before:?}; who is in \
                 it later is changed with `quorate-kv ctl`"
            )));
        }
        Some(FoundingState { stage: Stage::Founded(cluster), founders, .. }) => {
            return known(cluster, &founders);
        }
        Some(_) if has_log => {
            return Err(Failure::Run(format!(
                "{} says that the cluster is not founded yet, and there is a log: one of the two is another node's",
                founding::path(&arguments.data).display()
            )));
        }
        // the founders are others than those that prepared: what was prepared is void
        Some(founding) if founding.founders == founder_ids => founding,
        // written by a version that drew no founding id
        None if has_log => return known(hash_founders(arguments, &peers), &peers),
        _ => FoundingState { stage: Stage::Empty, founders: founder_ids, peers },
    };
    let founders_hash = hash_founders(arguments, &founding.founders);
    let others = arguments.peers.iter().filter(|(id, _)| *id != arguments.id);
    let (others, excluded) = others.cloned().partition(|(id, _)| founding.founders.contains(id));
    for id in arguments.found_without.iter().filter(|id| !founding.founders.contains(id)) {
        warn!(
            id,
            "FOUNDING WITHOUT THIS NODE, as --found-without says: if the cluster was founded before, and it has a log of that, there \
             will be two clusters, and what it has is lost to this one. Add it later: `quorate-kv ctl add`, and --join with an empty disk"
        );
    }
    let (id, data) = (arguments.id, arguments.data.clone());
    Ok(Start::Founding(Founder { id, founders_hash, others, excluded, data, founding }))
}

/// The number of an operator's `--cluster-id` and founders: nodes that were given others found no cluster together. In clusters that
/// older versions founded, it is the cluster's number.
fn hash_founders(arguments: &NodeArgs, founders: &[u64]) -> u64 {
    // nor do nodes of different protocols
    arguments.consensus.mix(hash_ids(arguments.cluster_id, founders))
}

fn hash_ids(cluster_id: u64, founders: &[u64]) -> u64 {
    let mut sorted = founders.to_vec();
    sorted.sort_unstable();
    // FNV-1a
    let mix = |hash: u64, founder: &u64| (hash ^ founder).wrapping_mul(0x0100_0000_01b3);
    sorted.iter().fold(cluster_id ^ 0xcbf2_9ce4_8422_2325, mix)
}

fn save(data: &Path, cluster: u64) -> io::Result<()> {
    fs::create_dir_all(data)?;
    let temporary = data.join("joined-writing");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{cluster}")?;
    file.sync_all()?;
    fs::rename(&temporary, data.join(JOINED_FILE))?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn founders_hash_depends_on_cluster_id_and_founders() {
        let of = hash_ids;
        assert_eq!(of(1, &[1, 2, 3]), of(1, &[3, 1, 2]));
        for other in [of(2, &[1, 2, 3]), of(1, &[1, 2]), of(1, &[1, 2, 4]), of(1, &[1, 2, 3, 4])] {
            assert_ne!(other, of(1, &[1, 2, 3]));
        }
    }
}
