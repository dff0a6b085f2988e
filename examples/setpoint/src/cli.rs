use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use quorate_tokio::serial::Address;

/// A set-point and a counter that boards and servers agree on.
#[derive(Parser, Debug)]
#[command(name = "setpoint", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

const EXAMPLES: &str = "\
Examples:
  The third node of a cluster whose other two are boards at two serial lines:
    socat UNIX-LISTEN:/run/line-1,fork /dev/ttyUSB0,b115200,raw,echo=0 &
    socat UNIX-LISTEN:/run/line-2,fork /dev/ttyUSB1,b115200,raw,echo=0 &
    setpoint serve --id 3 --dir data --wire 1=unix:/run/line-1 --wire 2=unix:/run/line-2
  then type `status`, `set 20`, `add 1` or `get`; `help` lists the commands.

  With boards that exist only in an emulator: cargo xtask boards --server";

#[derive(Subcommand, Debug)]
pub(crate) enum CliCommand {
    /// Runs a node
    Serve(Serve),
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// This node's number; the other nodes are those at its wires
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) id: u64,
    /// Where its log and snapshot are; made if missing
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// A serial line to another node: NODE=unix:PATH or NODE=tcp:HOST:PORT
    #[arg(long, required = true, value_name = "NODE=LINE")]
    pub(crate) wire: Vec<SerialLine>,
    /// A socket to take commands from, instead of standard input: unix:PATH or tcp:HOST:PORT
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console: Option<Address>,
    /// Logs more
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// A line and who is at its other end.
#[derive(Clone, Debug)]
pub(crate) struct SerialLine {
    pub(crate) peer: u64,
    pub(crate) address: Address,
}

impl FromStr for SerialLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (peer, address) = text.split_once('=').ok_or_else(|| {
            format!("`{text}` is no wire: it is NODE=unix:PATH or NODE=tcp:HOST:PORT")
        })?;
        let peer = peer.parse().map_err(|_| format!("`{peer}` is no node's number"))?;
        Ok(Self { peer, address: address.parse()? })
    }
}
