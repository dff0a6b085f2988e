use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use quorate_core::{DecodeError, Reader};
use quorate_log::Index;

use crate::apply::State;
use crate::directory::Directory;
use crate::limits;
use crate::op::put;
use crate::session::Sessions;

/// A file with the whole state up to one index of the log.
///
/// It begins with [`MAGIC`] and the index, and goes on in blocks: a length and a CRC-32C (both `u32`, little-endian), then that many
/// bytes. The checksum covers the number of the block, too, so none can be lost, moved or doubled unnoticed. The first byte of
/// a block is its kind: the sessions, where the nodes are, a run of keys and values, or the end with the number of keys and the founding
/// id of the cluster (`u64`, little-endian; older versions wrote none, and do not look at it).
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    pub(crate) what: String,
}

const MAGIC: &[u8; 8] = b"QRTKVSN1";
const HEADER_BYTES: usize = 20;
const BLOCK_BYTES: usize = 256 << 10;
/// A value may be as long as an entry of the log where an older node took it in, and the table of sessions has 65,536 numbers of ten bytes
/// for each node.
const MAX_BLOCK_BYTES: usize = BLOCK_BYTES + limits::ENTRY_BYTES + (32 << 20);

/// What a snapshot is called while it is being written.
pub(crate) const WRITING: &str = "snapshot-writing";

const SESSIONS: u8 = 0;
const ITEMS: u8 = 1;
const END: u8 = 2;
const DIRECTORY: u8 = 3;

/// The name of the snapshot that covers everything up to `index`.
pub(crate) fn path(dir: &Path, index: Index) -> PathBuf {
    dir.join(format!("snapshot-{index:020}"))
}

/// The indexes of the snapshots in a directory, newest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Index>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix("snapshot-"));
        found.extend(
            digits.filter(|d| d.len() == 20).and_then(|digits| digits.parse::<Index>().ok()),
        );
    }
    found.sort_unstable_by_key(|&index| core::cmp::Reverse(index));
    Ok(found)
}

/// Writes a state beside its final name, makes it durable, and then gives it the name: a crash leaves either nothing or all of it.
/// Takes over the file in which space was reserved for it, and gives it back if it fails. Gives its size in bytes.
pub(crate) fn write(
    dir: &Path,
    state: &State,
    cluster: u64,
    reserve: Option<&Path>,
) -> io::Result<u64> {
    let temporary = dir.join(WRITING);
    let written = create(&temporary, reserve).and_then(|file| write_file(file, state, cluster));
    let result = written.and_then(|bytes| {
        publish(&temporary, dir, state.applied)?;
        Ok(bytes)
    });
    if result.is_err() {
        let given_back = reserve.is_some_and(|reserve| fs::rename(&temporary, reserve).is_ok());
        if !given_back {
            let _ = fs::remove_file(&temporary);
        }
    }
    result
}

/// Gives a complete and durable file its final name.
pub(crate) fn publish(temporary: &Path, dir: &Path, index: Index) -> io::Result<()> {
    fs::rename(temporary, path(dir, index))?;
    File::open(dir)?.sync_all()
}

/// Reads a snapshot of this cluster, and checks every byte of it.
pub(crate) fn load(path: &Path, cluster: u64) -> Result<State, Fault> {
    let fault = |offset, what: String| Fault { path: path.into(), offset, what };
    let file = File::open(path).map_err(|error| fault(0, error.to_string()))?;
    let mut input = Blocks { file: BufReader::with_capacity(1 << 20, file), offset: 0, number: 0 };
    input.read_state(cluster).map_err(|what| fault(input.offset, what))
}

/// The file to write: what was reserved, which has its blocks, or an empty one.
fn create(temporary: &Path, reserve: Option<&Path>) -> io::Result<File> {
    if reserve.is_some_and(|reserve| fs::rename(reserve, temporary).is_ok()) {
        return OpenOptions::new().write(true).open(temporary);
    }
    File::create(temporary)
}

fn write_file(file: File, state: &State, cluster: u64) -> io::Result<u64> {
    let mut out =
        BlockWriter { file: BufWriter::with_capacity(1 << 20, file), number: 0, bytes: 0 };
    out.header(state.applied)?;
    let mut block = vec![SESSIONS];
    state.sessions.encode(&mut block);
    out.block(&block)?;
    block.clear();
    block.push(DIRECTORY);
    state.directory.encode(&mut block);
    out.block(&block)?;
    block.clear();
    block.push(ITEMS);
    for (key, value) in state.store.iter() {
        put::bytes(&mut block, key);
        put::bytes(&mut block, value);
        if block.len() >= BLOCK_BYTES {
            out.block(&block)?;
            block.truncate(1);
        }
    }
    if block.len() > 1 {
        out.block(&block)?;
    }
    block.clear();
    block.push(END);
    put::number(&mut block, state.store.len() as u64);
    block.extend_from_slice(&cluster.to_le_bytes());
    out.block(&block)?;
    let file = out.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // gives back what was reserved and not needed
    file.set_len(out.bytes)?;
    file.sync_all()?;
    Ok(out.bytes)
}

struct BlockWriter {
    file: BufWriter<File>,
    number: u64,
    bytes: u64,
}

impl BlockWriter {
    fn header(&mut self, index: Index) -> io::Result<()> {
        let index = index.to_le_bytes();
        self.file.write_all(MAGIC)?;
        self.file.write_all(&index)?;
        self.file.write_all(&crc32c::crc32c(&index).to_le_bytes())?;
        self.bytes += HEADER_BYTES as u64;
        Ok(())
    }

    fn block(&mut self, payload: &[u8]) -> io::Result<()> {
        let len = u32::try_from(payload.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "block too long"))?;
        self.file.write_all(&len.to_le_bytes())?;
        self.file.write_all(&checksum(self.number, payload).to_le_bytes())?;
        self.file.write_all(payload)?;
        self.number += 1;
        self.bytes += 8 + payload.len() as u64;
        Ok(())
    }
}

struct Blocks {
    file: BufReader<File>,
    offset: u64,
    number: u64,
}

impl Blocks {
    fn read_state(&mut self, cluster: u64) -> Result<State, String> {
        let mut state = State { applied: self.header()?, ..State::new() };
        let mut block = Vec::new();
        loop {
            self.block(&mut block)?;
            let mut input = Reader::new(block.get(1..).unwrap_or_default());
            match block.first() {
                Some(&SESSIONS) => state.sessions = Sessions::decode(&mut input).map_err(text)?,
                Some(&DIRECTORY) => {
                    state.directory = Directory::decode(&mut input).map_err(text)?;
                }
                Some(&ITEMS) => {
                    while !input.rest().is_empty() {
                        let key = input.bytes().map_err(text)?;
                        state.store.set(key, input.bytes().map_err(text)?);
                    }
                }
                Some(&END) => {
                    let count = input.u64().map_err(text)?;
                    if let Some(&theirs) = input.rest().first_chunk()
                        && u64::from_le_bytes(theirs) != cluster
                    {
                        return Err(format!(
                            "it is of the cluster founded as {:016x}, this node of {cluster:016x}",
                            u64::from_le_bytes(theirs)
                        ));
                    }
                    return if count == state.store.len() as u64 {
                        self.expect_end()?;
                        Ok(state)
                    } else {
                        Err(format!("{count} keys were written, {} are here", state.store.len()))
                    };
                }
                _ => return Err("a block of unknown kind".into()),
            }
            self.offset += 8 + block.len() as u64;
        }
    }

    fn header(&mut self) -> Result<Index, String> {
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact(&mut header).map_err(|error| error.to_string())?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (index, sum) = rest.split_at(8);
        if magic != MAGIC {
            return Err("this is no snapshot of this server".into());
        }
        if crc32c::crc32c(index).to_le_bytes() != sum {
            return Err("the checksum of the header is wrong".into());
        }
        self.offset = HEADER_BYTES as u64;
        Ok(Index::from_le_bytes(index.try_into().unwrap_or_default()))
    }

    fn block(&mut self, block: &mut Vec<u8>) -> Result<(), String> {
        let mut head = [0; 8];
        self.file.read_exact(&mut head).map_err(|error| error.to_string())?;
        let (len, sum) = head.split_at(4);
        let len = u32::from_le_bytes(len.try_into().unwrap_or_default()) as usize;
        if len > MAX_BLOCK_BYTES {
            return Err(format!("a block of {len} bytes"));
        }
        block.resize(len, 0);
        self.file.read_exact(block).map_err(|error| error.to_string())?;
        if checksum(self.number, block).to_le_bytes() != sum {
            return Err("the checksum of the block is wrong".into());
        }
        self.number += 1;
        Ok(())
    }

    fn expect_end(&mut self) -> Result<(), String> {
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("bytes after the end".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), payload)
}

fn text(error: DecodeError) -> String {
    error.to_string()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}: {}", self.path.display(), self.offset, self.what)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::BatchId;
    use quorate_core::NodeId;

    struct Dir(PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn dir(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("quorate-kv-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    #[test]
    fn largest_log_contents_can_be_loaded() {
        let dir = dir("large");
        let mut state = state();
        // beyond what clients may send: older nodes took it from any peer
        state.store.set(&[b'k'; 100_000], &vec![b'v'; limits::ENTRY_BYTES - 200_000]);
        for origin in 1..=15 {
            for number in 1..limits::SESSION_WINDOW / 2 {
                let incarnation = 1 << 50;
                let id = BatchId {
                    origin: NodeId::new(origin),
                    incarnation,
                    number: (1 << 60) + 2 * number,
                };
                assert!(state.sessions.admit(id, 1 << 60));
            }
        }
        write(&dir.0, &state, 5, None).unwrap();
        let loaded = load(&path(&dir.0, 77), 5).unwrap();
        assert_eq!(loaded.sessions, state.sessions);
        assert!(loaded.store.iter().eq(state.store.iter()));
    }

    fn state() -> State {
        let mut state = State::new();
        state.applied = 77;
        for number in 0..9_000u32 {
            state.store.set(format!("key {number}").as_bytes(), &[b'v'; 30]);
        }
        state.directory.insert(NodeId::new(4), "a:1", "b:2");
        state.sessions.admit(BatchId { origin: NodeId::new(2), incarnation: 5, number: 9 }, 3);
        state
    }

    #[test]
    fn snapshot_round_trips() {
        let dir = dir("written");
        let state = state();
        let bytes = write(&dir.0, &state, 5, None).unwrap();
        assert_eq!(list(&dir.0).unwrap(), [77]);
        assert_eq!(fs::metadata(path(&dir.0, 77)).unwrap().len(), bytes);
        let loaded = load(&path(&dir.0, 77), 5).unwrap();
        assert_eq!((loaded.applied, &loaded.sessions), (77, &state.sessions));
        assert_eq!(loaded.directory, state.directory);
        assert!(loaded.store.iter().eq(state.store.iter()));
    }

    #[test]
    fn any_damage_is_detected() {
        let dir = dir("damage");
        write(&dir.0, &state(), 5, None).unwrap();
        let path = path(&dir.0, 77);
        let good = fs::read(&path).unwrap();
        let mut offsets: Vec<usize> = (0..200).chain(good.len() - 200..good.len()).collect();
        offsets.extend((0..good.len()).step_by(9_973));
        for offset in offsets {
            let mut bad = good.clone();
            bad[offset] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            let fault = load(&path, 5).unwrap_err();
            assert!(fault.to_string().contains("snapshot-") && fault.offset <= offset as u64);
            fs::write(&path, &good[..offset]).unwrap();
            assert!(load(&path, 5).is_err());
        }
        let mut long = good;
        long.push(0);
        fs::write(&path, &long).unwrap();
        assert!(load(&path, 5).is_err());
    }

    #[test]
    fn snapshot_of_another_cluster_is_refused() {
        let dir = dir("another");
        write(&dir.0, &state(), 5, None).unwrap();
        let fault = load(&path(&dir.0, 77), 6).unwrap_err().to_string();
        let wanted =
            "it is of the cluster founded as 0000000000000005, this node of 0000000000000006";
        assert!(fault.contains(wanted), "{fault}");
    }
}
