//! Which protocol a data directory was made with. What the one wrote, the other cannot read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::Failure;
use crate::consensus::LogProtocol;

/// The file in the data directory that names it. Directories of versions that knew Raft alone have none.
const FILE: &str = "consensus";

/// Makes sure that the directory is one of this protocol: a new one becomes that.
pub(crate) fn claim(data: &Path, protocol: LogProtocol) -> Result<(), Failure> {
    if check(data, protocol)? {
        return Ok(());
    }
    save(data, protocol).map_err(|error| failed("write", data, &error))
}

/// Whether the directory is one of this protocol; false if it is new.
///
/// # Errors
///
/// It is one of another protocol.
pub(crate) fn check(data: &Path, protocol: LogProtocol) -> Result<bool, Failure> {
    let path = data.join(FILE);
    let made_with = match fs::read_to_string(&path) {
        Ok(text) => Some(LogProtocol::parse(text.trim()).ok_or_else(|| {
            Failure::Run(format!(
                "{} names no protocol that this version knows: it should hold `raft` or `paxos`",
                path.display()
            ))
        })?),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("read", data, &error));
        }
        Err(_) if is_used(data) => Some(LogProtocol::Raft),
        Err(_) => None,
    };
    match made_with {
        Some(made_with) if made_with == protocol => Ok(true),
        Some(made_with) => Err(Failure::Run(format!(
            "{} is the directory of a node whose cluster runs on {made_with}, and this node was started for {protocol}: start it with \
             --consensus {made_with}, or with another --data. A cluster does not change from one to the other: found a new one, and copy the keys",
            data.display()
        ))),
        None => Ok(false),
    }
}

fn failed(what: &str, data: &Path, error: &io::Error) -> Failure {
    Failure::Run(format!("cannot {what} {}: {error}", data.join(FILE).display()))
}

fn is_used(data: &Path) -> bool {
    ["wal", "founding", "joined", "incarnation", "snapshots"]
        .iter()
        .any(|name| data.join(name).exists())
}

fn save(data: &Path, protocol: LogProtocol) -> io::Result<()> {
    let temporary = data.join("consensus-writing");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{protocol}")?;
    file.sync_all()?;
    fs::rename(&temporary, data.join(FILE))?;
    File::open(data)?.sync_all()
}
