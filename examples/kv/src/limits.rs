//! Every bound of the server in one place: a client or a peer that goes beyond one gets an answer, and no memory.

use quorate_tokio::WalOptions;

/// Members of a cluster, at most.
pub(crate) const MEMBERS: usize = 15;
/// Arguments of one command, at most; Redis has the same.
pub(crate) const ARGUMENTS: usize = 1 << 20;
/// Bytes of one inline command or one length line, at most; Redis has the same.
pub(crate) const LINE_BYTES: usize = 64 << 10;
/// Bytes of one argument, and of one value: the `proto-max-bulk-len` of `CONFIG GET`.
pub(crate) const VALUE_BYTES: usize = 4 << 20;
/// Bytes of a whole command, at most. One command is one entry of the log, and one frame between nodes.
pub(crate) const COMMAND_BYTES: usize = 6 << 20;
/// Bytes of one entry of the log: a command, or a batch that its last command made longer than [`BATCH_BYTES`], and a header.
pub(crate) const ENTRY_BYTES: usize = 8 << 20;
/// A batch of pipelined commands goes off when it has grown to this, in bytes.
pub(crate) const BATCH_BYTES: usize = 128 << 10;
/// A batch of pipelined commands goes off when it has this many.
pub(crate) const BATCH_COMMANDS: u32 = 1024;
/// Bytes of the replies to one batch, at most: what would exceed it is answered by an error.
pub(crate) const REPLY_BYTES: usize = 12 << 20;
/// Bytes of a frame between nodes: the longest reply, or the longest entry with Raft's header, and some room.
pub(crate) const FRAME_BYTES: usize = 16 << 20;
/// Bytes of commands and replies that all clients and peers together may have on their way through this node.
pub(crate) const INFLIGHT_BYTES: usize = 256 << 20;
/// Committed entries that wait to be applied: while they have more, a node takes in nothing more to commit.
pub(crate) const BACKLOG_BYTES: u64 = 16 << 20;
/// A command longer than this is large: it waits until [`LARGE_INPUT_BYTES`] have room for it.
pub(crate) const LARGE_BYTES: usize = 64 << 10;
/// Bytes of the large commands of a node's clients that may be on their way at the same time, from their beginning to their replies.
/// So little, because whatever is admitted is to be answered before it counts as timed out, by slow disks too.
pub(crate) const LARGE_INPUT_BYTES: usize = 9 << 20;
/// A batch is given as much more time than `--timeout-ms` as its bytes take at this rate, in bytes a second.
pub(crate) const MIN_LOG_PER_S: u64 = 1 << 20;
/// A large command must arrive within this time, in seconds, from its turn on, and as many more as what is here takes at the slowest rate.
pub(crate) const INPUT_TIMEOUT_S: u64 = 10;
/// While others wait for their turn, what has it must arrive within this time, in seconds, …
pub(crate) const CONTENDED_INPUT_TIMEOUT_S: u64 = 2;
/// … and as many more as this rate takes, in bytes a second.
pub(crate) const CONTENDED_MIN_INPUT_PER_S: u64 = 256 << 10;
/// A large command waits for its turn for so long at most, in seconds.
pub(crate) const ADMISSION_TIMEOUT_S: u64 = 60;
/// The slowest rate at which a large command may arrive, in bytes a second.
pub(crate) const MIN_INPUT_PER_S: u64 = 64 << 10;
/// Batches forwarded by one peer and not answered, at most.
pub(crate) const FORWARDED_BATCHES: usize = 1 << 16;
/// Batches of one node between the oldest unanswered one and the newest, at most: bounds what the dedupe table holds.
pub(crate) const SESSION_WINDOW: u64 = 1 << 16;
/// Bytes of a `CLIENT SETNAME` name or `SETINFO` value, at most.
pub(crate) const NAME_BYTES: usize = 1 << 10;
/// Words of a `COMMAND` or a `CONFIG GET`, at most: the reply to each is much longer than the word.
pub(crate) const NAMES: usize = 1 << 10;
/// Replies waiting to be written to a client are written out beyond this, before more commands are read.
pub(crate) const OUTPUT_FLUSH_BYTES: usize = 256 << 10;
/// A client that takes nothing off its connection for this long, in seconds, while a reply waits, is dropped.
pub(crate) const WRITE_TIMEOUT_S: u64 = 60;
/// And one that takes less than this after so long, in bytes a second.
pub(crate) const MIN_OUTPUT_PER_S: u64 = 1 << 10;
/// Bytes of the replies of all clients that were not taken yet: beyond, no reads are answered until there is room.
pub(crate) const OUTPUT_SOFT_LIMIT_BYTES: usize = 256 << 20;
/// Batches of reads with long replies that are answered at the same time, at most: [`REPLY_BYTES`] are reserved for each.
pub(crate) const LONG_READS: usize = 4;
/// Beyond this, long replies are dropped: those to writes, which cannot wait, and those that other nodes have sent already.
pub(crate) const OUTPUT_HARD_LIMIT_BYTES: usize = 512 << 20;
/// While there are [`OUTPUT_SOFT_LIMIT_BYTES`], a client that takes nothing for so many seconds is
/// closed.
pub(crate) const CONTENDED_STALL_S: u64 = 5;
/// And one that takes less than this after [`CONTENDED_OUTPUT_AFTER_S`], in bytes a second.
pub(crate) const CONTENDED_MIN_OUTPUT_PER_S: u64 = 256 << 10;
/// See [`CONTENDED_MIN_OUTPUT_PER_S`].
pub(crate) const CONTENDED_OUTPUT_AFTER_S: u64 = 10;
/// Keys that one `SCAN` looks at, at most, whatever `COUNT` says: it runs between the heartbeats of the node.
pub(crate) const SCAN_COUNT: usize = 10_000;
/// Keys of one command, at most, for the same reason.
pub(crate) const KEYS: usize = 1 << 13;
/// A node's incarnation, which is the time of its start in µs, is below this: the year 4253.
pub(crate) const MAX_INCARNATION: u64 = 1 << 56;
/// How far above the newest known incarnation another may be, if that is beyond
/// [`MAX_INCARNATION`].
pub(crate) const MAX_INCARNATION_STEP: u64 = 1 << 20;
/// The batches of one incarnation have numbers below this: a million a second for nine years.
pub(crate) const MAX_BATCH_NUMBER: u64 = 1 << 48;
/// Leaders that are lost, one after the other, while they have a batch: after these it is not
/// retried.
pub(crate) const MAX_LOST_LEADERS: u32 = 3;
/// Bytes of a key, at most.
pub(crate) const KEY_BYTES: usize = 64 << 10;
/// Bytes of a `MATCH` pattern, at most.
pub(crate) const PATTERN_BYTES: usize = 256;
/// Nodes whose addresses the cluster keeps, at most: all that ever were in it.
pub(crate) const DIRECTORY: usize = 1 << 10;
/// Bytes of an address, at most.
pub(crate) const ADDRESS_BYTES: usize = 256;

/// How the log keeps to its disk. What waits for a full disk fits into what is reserved: peers send 4 MiB ahead, and a leader proposes
/// nothing more once its disk is full.
pub(crate) fn wal() -> WalOptions {
    WalOptions { checkpoint_bytes: 8 << 20, reserve_bytes: 8 << 20, ..WalOptions::default() }
}
