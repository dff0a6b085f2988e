use std::path::PathBuf;
use std::time::Duration;

use crate::members::MAX_NODES;

/// What the program says of itself.
pub const HELP: &str = "\
A key-value store without a leader: nodes over TCP on the loopback, each with a write-ahead log, in one process.
Each key is on N nodes. A write is done when W of them have it on disk, a read when R have answered.

Usage: quorate-quorum-demo [--nodes COUNT] [--replicas N] [--register] [--script FILE] [--patience SECONDS]

  --nodes COUNT       how many at first, 1 to 9 (default 5); `join` adds more
  --replicas N        on how many of them each key is (default 3)
  --register          linearizable registers (default: the last write wins, by the writers' clocks)
  --script FILE       commands from a file; the first that fails ends the program with code 1
  --patience SECONDS  how long `wait` waits in a script, at most (default 120)

On a terminal there is a live view, with a line for commands; otherwise commands are read from the input, as from a script.

  put color blue             written to W = 2 of 3 replicas, through the first node that runs
  put color red w=3 at=4     W = 3, through node 4
  put color red sloppy       others may stand in for replicas that are down: they keep hints
  get color r=1              R = 1: may miss the last write, if R + W is not above N
  delete color               a write, too: of a tombstone
  fill 20                    writes key-1 to key-20
  where color                its replicas, what each has, and the nodes that stand in
  kill 3, start 3            ends a node; its disk stays
  erase 3, start 3           its disk does not: it asks the others what it held
  join 6, leave 2            keys move: both old and new replicas are asked until they have
  lost 3, leave 3            a node that does not run is taken out: nobody waits for it
  hints, nodes, help, quit

In scripts:

  wait noticed               until all nodes know which are up
  wait handed                until no node keeps hints
  wait moved                 until nobody is joining or leaving
  wait rebuilt               until all members know what they hold
  wait copies color          until all its replicas have the same, and nobody else has it
  try put color green w=3    goes on if it fails
  # a comment

Exit codes: 0 after `quit`, the end of the input, or Ctrl-C on a terminal; 1 after a failure; 2 for wrong use;
130 after Ctrl-C in a script.

Try: put color blue, where color, kill one of its replicas, put color red w=3 sloppy, start it again.";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Nodes at first.
    pub nodes: u64,
    /// N.
    pub replicas: usize,
    /// Linearizable registers, instead of values with timestamps.
    pub register: bool,
    /// Where commands are read from; the input if it is `None`.
    pub script: Option<PathBuf>,
    /// How long a script waits for a condition.
    pub patience: Duration,
}

impl Options {
    /// From the words of the command line; `None` if the person asks for help.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            nodes: 5,
            replicas: 3,
            register: false,
            script: None,
            patience: Duration::from_secs(120),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--nodes" => {
                    let count = words.next().and_then(|n| n.parse().ok());
                    let count = count.filter(|n| (1..=MAX_NODES).contains(n));
                    options.nodes = count.ok_or("--nodes wants 1 to 9")?;
                }
                "--replicas" => {
                    let count = words.next().and_then(|n| n.parse().ok());
                    options.replicas = count.filter(|n| *n > 0).ok_or("--replicas wants 1 to 9")?;
                }
                "--register" => options.register = true,
                "--script" => {
                    options.script = Some(words.next().ok_or("--script wants a file")?.into());
                }
                "--patience" => {
                    let seconds = words.next().and_then(|n| n.parse().ok());
                    options.patience = seconds
                        .filter(|n| (1..=86_400).contains(n))
                        .map(Duration::from_secs)
                        .ok_or("--patience wants 1 to 86400 seconds")?;
                }
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{word:?} is not an option")),
            }
        }
        if options.replicas as u64 > options.nodes {
            let Self { nodes, replicas, .. } = options;
            return Err(format!("{nodes} nodes cannot hold {replicas} replicas of a key"));
        }
        Ok(Some(options))
    }
}
