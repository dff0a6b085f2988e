//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::faults::{ALL, Fault};

/// Injects faults into a cluster of quorate-kv processes, and checks what its clients are told.
#[derive(Parser, Clone, Debug)]
#[command(name = "quorate-nemesis", after_help = HELP)]
pub struct Options {
    /// The server's executable
    #[arg(long, value_name = "FILE")]
    pub server: PathBuf,
    /// How long, in minutes; the first fault of each kind takes about one
    #[arg(long, default_value_t = 20, conflicts_with = "seconds")]
    pub minutes: u64,
    /// How long, in seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Draws the faults; a random one unless given
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many nodes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=9))]
    pub nodes: u16,
    /// The protocol that keeps the servers' log: `raft` or `paxos`
    #[arg(long, value_name = "PROTOCOL", default_value = "raft", value_parser = ["raft", "paxos"])]
    pub consensus: String,
    /// Where directories and logs go [default: a new directory among the system's temporary ones]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Do without these faults, such as `full-disk` where this user may not mount file systems
    #[arg(long, value_name = "FAULT,…", value_delimiter = ',', value_parser = fault)]
    pub without: Vec<Fault>,
    /// Keep directories and logs also when all is well
    #[arg(long)]
    pub keep: bool,
}

const HELP: &str = "\
Each node is a process of its own, with a small file system of its own, behind a proxy of its own. Clients write and read all
the time, registers, counters and values of 1 MiB. The run begins with one fault of each kind; after that it draws them.

Checked all the time: no acknowledged write is lost, no read goes back, no write is executed that was refused, nothing is
executed twice; all nodes are in one cluster; no process ends by itself; a node with an erased disk is refused; after the faults
end, writes go on. At the end every node has the same values.

Faults: kill, one-way-cut, pause, erased-disk, isolation, full-disk, two-way-cut, delay, reset, leadership-transfer.
Full disks take the right to mount: root, or a system that lets users make mount namespaces.

Exit code 0 if all was well, 1 if not, 2 for a command line that makes no sense.";

fn fault(name: &str) -> Result<Fault, String> {
    let named = |fault: &Fault| fault.name() == name;
    ALL.into_iter()
        .find(named)
        .ok_or_else(|| format!("the faults are {}", ALL.map(Fault::name).join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn faults_are_parsed_by_name() {
        let words = ["quorate-nemesis", "--server", "s", "--without", "full-disk,one-way-cut"];
        let options = Options::try_parse_from(words).unwrap();
        assert_eq!(options.without, [Fault::FullDisk, Fault::OneWayCut]);
        let wrong = Options::try_parse_from(["quorate-nemesis", "--server", "s", "--without", "x"]);
        assert!(wrong.unwrap_err().to_string().contains("erased-disk"));
        assert!(ALL.iter().all(|fault| HELP.contains(fault.name())));
    }
}
