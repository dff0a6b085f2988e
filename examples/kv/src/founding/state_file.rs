//! What a founder has on disk beside its log: a line in the file `founding` of its data directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::decide::Stage;
use crate::cli::NodeArgs;

const FILE: &str = "founding";

/// How far this node is with founding its cluster, and with whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FoundingState {
    pub(crate) stage: Stage,
    /// Those that found it, in the order of their ids.
    pub(crate) founders: Vec<u64>,
    /// All ids of `--peers`, in their order; those that are no founders were left out with `--found-without`.
    pub(crate) peers: Vec<u64>,
}

pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// What the data directory says; `None` if the file is not there.
///
/// # Errors
///
/// A sentence that names the file.
pub(crate) fn load(data: &Path) -> Result<Option<FoundingState>, String> {
    let path = path(data);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let damaged = || {
        format!(
            "{} is damaged: {text:?}. It should be a line such as `founded 00c0ffee00c0ffee founders 1,2,3 peers 1,2,3`, with the \
             number that INFO of every node shows as founding_id. Restore it from a copy",
            path.display()
        )
    };
    parse(&text).map(Some).ok_or_else(damaged)
}

/// How to restore a missing file, given the founding id that the log has.
pub(crate) fn restore_hint(arguments: &NodeArgs, cluster: u64) -> String {
    let (founders, peers) = (arguments.founder_ids(), arguments.peer_ids());
    let line = format(&FoundingState { stage: Stage::Founded(cluster), founders, peers });
    format!(
        "the file {} is missing. Restore it from a copy. If --peers and --found-without are the same as at the first start, its content \
         is the line `{}`",
        path(&arguments.data).display(),
        line.trim_end()
    )
}

/// Makes it durable: a crash leaves what was there before, or this.
pub(crate) fn save(data: &Path, founding: &FoundingState) -> io::Result<()> {
    fs::create_dir_all(data)?;
    let temporary = data.join("founding-writing");
    let mut file = File::create(&temporary)?;
    file.write_all(format(founding).as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path(data))?;
    File::open(data)?.sync_all()
}

fn format(founding: &FoundingState) -> String {
    let (word, id) = match founding.stage {
        Stage::Empty => ("empty", 0),
        Stage::Prepared(id) => ("prepared", id),
        Stage::Founded(id) => ("founded", id),
    };
    let join = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let (founders, peers) = (join(&founding.founders), join(&founding.peers));
    format!("{word} {id:016x} founders {founders} peers {peers}\n")
}

fn parse(text: &str) -> Option<FoundingState> {
    let words: Vec<&str> = text.strip_suffix('\n')?.split(' ').collect();
    let [word, id, "founders", founders, "peers", peers] = words[..] else { return None };
    let id = u64::from_str_radix(id, 16).ok()?;
    let split =
        |text: &str| text.split(',').map(|id| id.parse().ok()).collect::<Option<Vec<u64>>>();
    let stage = match word {
        "empty" => Stage::Empty,
        "prepared" => Stage::Prepared(id),
        "founded" => Stage::Founded(id),
        _ => return None,
    };
    Some(FoundingState { stage, founders: split(founders)?, peers: split(peers)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_file_round_trips_and_rejects_truncation() {
        for stage in [Stage::Empty, Stage::Prepared(7), Stage::Founded(u64::MAX)] {
            let founding = FoundingState { stage, founders: vec![1, 3], peers: vec![1, 2, 3] };
            let text = format(&founding);
            assert_eq!(parse(&text), Some(founding));
            for end in 0..text.len() {
                assert_eq!(parse(&text[..end]), None, "{}", &text[..end]);
            }
        }
    }
}
