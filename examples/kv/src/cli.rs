use core::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::consensus::LogProtocol;
use crate::directory;

/// A replicated key-value server that Redis clients can use, and that you can kill.
#[derive(Parser, Debug)]
#[command(name = "quorate-kv", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Three nodes on this machine, with a live table of how they are:
    quorate-kv cluster
  then, in another terminal, any node serves any command:
    redis-cli -p 7001 set greeting hello
    redis-cli -p 7003 get greeting
    redis-benchmark -p 7001 -t set,get -n 100000 -P 16 -q

  The same on Multi-Paxos instead of Raft:
    quorate-kv cluster --consensus paxos

  One node of a cluster of three machines (the same --peers on each):
    quorate-kv node --id 1 --listen 0.0.0.0:6379 --peer-listen 0.0.0.0:16379 \\
        --peers 1=10.0.0.1:16379,2=10.0.0.2:16379,3=10.0.0.3:16379 --data /var/lib/quorate

  Status, leadership transfer, another node:
    quorate-kv ctl status
    quorate-kv ctl transfer 2
    quorate-kv node --id 4 --listen 127.0.0.1:7004 --peer-listen 127.0.0.1:17004 --join 127.0.0.1:7001 --data /tmp/node-4
    quorate-kv ctl add 4 127.0.0.1:17004

The server has no passwords and no encryption: let only trusted networks reach both ports.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Starts some nodes on this machine, shows how they are, and restarts those that die
    Cluster(ClusterArgs),
    /// Runs one node
    Node(Box<NodeArgs>),
    /// Shows the status of a cluster, changes its members, transfers leadership
    Ctl(CtlArgs),
}

#[derive(Args, Debug, Clone)]
#[command(after_help = CTL_EXAMPLES)]
pub(crate) struct CtlArgs {
    /// Where clients reach some of the nodes; the others are found through them
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        default_value = "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003"
    )]
    pub(crate) nodes: Vec<String>,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

const CTL_EXAMPLES: &str = "\
Examples, with `quorate-kv cluster` in another terminal:
    quorate-kv ctl status
    quorate-kv ctl transfer 2
    quorate-kv ctl add 4 127.0.0.1:17004
    quorate-kv ctl remove 1
  with other nodes:
    quorate-kv ctl --nodes 10.0.0.1:6379,10.0.0.2:6379,10.0.0.3:6379 status

Three nodes stand the loss of one, five that of two; four stand no more than three. Nodes that come are added before others go.

Exit code 0 if what was asked for was done (of `status`: if all is well), 1 if not, which is said, 2 for a command line that makes no sense, 130 after Ctrl-C.";

#[derive(Subcommand, Debug, Clone)]
pub(crate) enum CtlCommand {
    /// A table of the nodes: the leader, how far each is
    Status,
    /// Transfers leadership to a node, before the leader is stopped, say: clients wait for a
    /// moment, and lose nothing
    Transfer {
        /// The node that is to be the leader
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        to: u64,
    },
    /// Adds a node: it is a learner first, and a voter when it has caught up
    Add {
        /// The new node; an id that was never used
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
        /// Where the other nodes reach it: its --peer-listen or --advertise
        #[arg(value_name = "HOST:PORT", value_parser = address)]
        address: String,
        /// Keep it a learner: it holds a copy, and counts for no majority
        #[arg(long)]
        learner: bool,
        /// Give up when the node does not answer for this long, in seconds; it is left as a learner
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
        patience_s: u64,
    },
    /// Enters the new address of a member that has moved
    Move {
        /// The member
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
        /// Where the other nodes reach it now: its --peer-listen or --advertise
        #[arg(value_name = "HOST:PORT", value_parser = address)]
        address: String,
    },
    /// Makes a learner that has caught up a voter
    Promote {
        /// The learner
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
    },
    /// Makes a voter a learner
    Demote {
        /// The voter; a leader transfers its leadership first
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
    },
    /// Removes a node for good: stop its process afterwards, and use its id for no other
    Remove {
        /// The member; a leader transfers its leadership first
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
    },
}

#[derive(Args, Debug, Clone)]
pub(crate) struct ClusterArgs {
    /// How many nodes; an odd number is best
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=15))]
    pub(crate) nodes: u16,
    /// The port of the first node; the others follow. For each other they listen 10000 above
    #[arg(long, default_value_t = 7001, value_parser = clap::value_parser!(u16).range(1..=55_000))]
    pub(crate) base_port: u16,
    /// The protocol that keeps the log, for as long as the data are there
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t = LogProtocol::Raft)]
    pub(crate) consensus: LogProtocol,
    /// Where the nodes keep their data and logs [default: a directory of the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

#[derive(Args, Debug, Clone)]
pub(crate) struct NodeArgs {
    /// Which node this is; an id is never used again for another one
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) id: u64,
    /// Where clients connect to
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7001")]
    pub(crate) listen: SocketAddr,
    /// Where the other nodes connect to
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) peer_listen: SocketAddr,
    /// Every node that founds the cluster, this one included, as it is reached by the others; the same at every start. The first time, the
    /// nodes wait until all of them are there
    #[arg(long, value_name = "ID=HOST:PORT,…", value_delimiter = ',', required_unless_present = "join", value_parser = peer)]
    pub(crate) peers: Vec<(u64, String)>,
    /// Founds the cluster without this one of the --peers, which is lost for good: only if the cluster was never founded, or nothing in
    /// it matters any more. May be given more than once, the same on each node
    #[arg(long, value_name = "ID", conflicts_with = "join", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) found_without: Vec<u64>,
    /// Instead of founding a cluster, join the one of these nodes, given as clients reach them: for a new node with an empty disk,
    /// before or after `quorate-kv ctl add`. If --peers is given too, it is only a list of addresses
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    pub(crate) join: Vec<String>,
    /// Where the other nodes reach this one, if that is neither in --peers nor --peer-listen
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) advertise: Option<String>,
    /// Where this node keeps its log and snapshots; one process a directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The protocol that keeps the log: the same on every node of the cluster, those that join included, and at every start
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t = LogProtocol::Raft)]
    pub(crate) consensus: LogProtocol,
    /// Serves metrics for Prometheus there, under /metrics
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Nodes of different numbers found no cluster together
    #[arg(long, default_value_t = 1)]
    pub(crate) cluster_id: u64,
    /// Stop when the standard input ends: a node that another program started does not outlive it
    #[arg(long)]
    pub(crate) stop_with_stdin: bool,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

impl NodeArgs {
    /// The ids of `--peers`, sorted.
    pub(crate) fn peer_ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.peers.iter().map(|&(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// The ids of `--peers` without those of `--found-without`, sorted.
    pub(crate) fn founder_ids(&self) -> Vec<u64> {
        let mut ids = self.peer_ids();
        ids.retain(|id| !self.found_without.contains(id));
        ids
    }
}

#[derive(Args, Debug, Clone)]
pub(crate) struct Tuning {
    /// A command without an answer for this long gets an error, in ms
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub(crate) timeout_ms: u64,
    /// Clients at the same time, at most
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_clients: u32,
    /// A snapshot is written after so many MiB of log, or after as many as the last one had, up to four times this
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=512))]
    pub(crate) snapshot_mb: u64,
    /// A snapshot is written after so many entries of the log
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) snapshot_entries: u64,
    /// A longer snapshot is not taken from the leader, in MiB: one that never ends must not fill the disk
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    pub(crate) max_snapshot_mb: u64,
    /// Entries that stay in the log behind a snapshot, for nodes that were away for a moment
    #[arg(long, default_value_t = 10_000)]
    pub(crate) keep_entries: u64,
    /// How much is logged: error, warn, info, debug, trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub(crate) log: LevelFilter,
}

impl Tuning {
    /// The arguments that give a node the same.
    pub(crate) fn to_arguments(&self) -> Vec<String> {
        [
            ("--timeout-ms", self.timeout_ms.to_string()),
            ("--max-clients", self.max_clients.to_string()),
            ("--max-snapshot-mb", self.max_snapshot_mb.to_string()),
            ("--snapshot-mb", self.snapshot_mb.to_string()),
            ("--snapshot-entries", self.snapshot_entries.to_string()),
            ("--keep-entries", self.keep_entries.to_string()),
            ("--log", self.log.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

fn address(text: &str) -> Result<String, String> {
    directory::check(text)?;
    Ok(text.to_owned())
}

fn peer(text: &str) -> Result<(u64, String), String> {
    let (id, address) =
        text.split_once('=').ok_or("a peer is ID=HOST:PORT, such as 2=10.0.0.2:16379")?;
    let id = id.parse().ok().filter(|&id| id > 0).ok_or("the id is a number from 1 on")?;
    directory::check(address)?;
    Ok((id, address.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn node_accepts_the_arguments_of_cluster() {
        let cluster =
            Cli::try_parse_from(["quorate-kv", "cluster", "--log", "debug", "--snapshot-mb", "3"]);
        let Command::Cluster(cluster) = cluster.unwrap().command else { panic!("another command") };
        let mut words: Vec<String> =
            "quorate-kv node --id 2 --peer-listen 127.0.0.1:1 --peers 1=a:1,2=[::1]:2 --data d"
                .split(' ')
                .map(str::to_owned)
                .collect();
        words.extend(cluster.tuning.to_arguments());
        let Command::Node(node) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command")
        };
        assert_eq!((node.tuning.snapshot_mb, node.tuning.log), (3, LevelFilter::DEBUG));
        assert_eq!(node.peers, [(1, "a:1".to_owned()), (2, "[::1]:2".to_owned())]);
    }

    #[test]
    fn peers_are_validated() {
        for bad in
            ["", "1", "1=", "1=host", "0=host:1", "x=host:1", "1=:1", "1=host:0", "1=host:99999"]
        {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }
}
