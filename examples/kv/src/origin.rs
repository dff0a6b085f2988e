//! How a node came to be in its cluster: it founded it, or it joined it later.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use quorate_core::NodeId;
use tracing::info;

use crate::cli::NodeArgs;
use crate::remote::Seen;
use crate::{Failure, remote};

/// A node that founded the cluster knows its first members; one that joins knows nobody, and is brought in by a change of the members.
/// Both know the cluster's number, which is that of the founders and their ids: nodes of different ones refuse each other.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Founder { cluster: u64, voters: Vec<NodeId> },
    Joined { cluster: u64 },
}

/// How long the nodes of a cluster are asked for its number.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// The file in the data directory of a node that joined: the cluster's number.
const FILE: &str = "joined";

impl Origin {
    /// What the data directory says; in an empty one, what the command line says.
    pub(crate) fn find(arguments: &NodeArgs) -> Result<Self, Failure> {
        let path = arguments.data.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse() {
                Ok(cluster) => return Ok(Self::Joined { cluster }),
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
            let voters: Vec<_> = arguments.peers.iter().map(|&(id, _)| NodeId::new(id)).collect();
            return Ok(Self::Founder { cluster: number(arguments.cluster_id, &voters), voters });
        }
        if arguments.data.join("wal").exists() {
            return Err(Failure::Run(format!(
                "{} is the directory of a node that did not join its cluster, but founded it: start it with --peers, as before",
                arguments.data.display()
            )));
        }
        let cluster = ask(arguments)?;
        keep(&arguments.data, cluster)
            .map_err(|error| Failure::Run(format!("cannot write {}: {error}", path.display())))?;
        Ok(Self::Joined { cluster })
    }

    pub(crate) const fn cluster(&self) -> u64 {
        match self {
            Self::Founder { cluster, .. } | Self::Joined { cluster } => *cluster,
        }
    }
}

/// The number of a cluster: a node that was given another list of founders is not let in, nor does it open a log that was written with
/// another.
fn number(cluster_id: u64, voters: &[NodeId]) -> u64 {
    let mut sorted: Vec<u64> = voters.iter().map(|voter| voter.get()).collect();
    sorted.sort_unstable();
    // FNV-1a
    let mix = |hash: u64, number: &u64| (hash ^ number).wrapping_mul(0x0100_0000_01b3);
    sorted.iter().fold(cluster_id ^ 0xcbf2_9ce4_8422_2325, mix)
}

/// The number of the cluster that a node with an empty disk is to join.
fn ask(arguments: &NodeArgs) -> Result<u64, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = arguments.join.iter().find_map(|node| remote::ask(node).ok());
        if let Some(Seen { cluster: cluster @ 1.., members, .. }) = seen {
            let voter = |member: &&remote::Member| {
                member.id == arguments.id && member.standing.starts_with("voter")
            };
            if members.iter().any(|member| voter(&member)) {
                return Err(Failure::Run(format!(
                    "node {0} is a voter of that cluster already, and this disk does not have what it promised there: remove it (`quorate-kv ctl remove {0}`), and join under an id that was never used",
                    arguments.id
                )));
            }
            info!(cluster, "joining");
            return Ok(cluster);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run(format!(
                "none of {} answers (--join, where clients reach nodes of the cluster)",
                arguments.join.join(", ")
            )));
        }
        sleep(PAUSE);
    }
}

fn keep(data: &Path, cluster: u64) -> io::Result<()> {
    fs::create_dir_all(data)?;
    let temporary = data.join("joined-writing");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{cluster}")?;
    file.sync_all()?;
    fs::rename(&temporary, data.join(FILE))?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_founded_a_cluster_is_part_of_its_number() {
        let of = |cluster, ids: &[u64]| {
            number(cluster, &ids.iter().map(|&id| NodeId::new(id)).collect::<Vec<_>>())
        };
        assert_eq!(of(1, &[1, 2, 3]), of(1, &[3, 1, 2]));
        for other in [of(2, &[1, 2, 3]), of(1, &[1, 2]), of(1, &[1, 2, 4]), of(1, &[1, 2, 3, 4])] {
            assert_ne!(other, of(1, &[1, 2, 3]));
        }
    }
}
