use quorate_core::{DecodeError, NodeId, Reader};
use quorate_raft::Index;

use crate::batch::{Batch, Ops};
use crate::directory::{self, Directory};
use crate::op::{Only, Op, put};
use crate::reply::Reply;
use crate::resp;
use crate::session::{BatchId, Sessions};
use crate::store::Store;
use crate::{glob, limits};

/// What is replicated: the same on every node that applied the same entries.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) sessions: Sessions,
    pub(crate) directory: Directory,
    /// The last entry of the log that it contains.
    pub(crate) applied: Index,
}

/// A command of the log: the writes of one batch, and what makes them come once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: BatchId,
    /// The origin's batches up to this number are answered or given up.
    pub(crate) floor: u64,
    /// Encoded writes.
    pub(crate) ops: &'a [u8],
}

/// The form of an entry; another number is another form.
const ENTRY_VERSION: u8 = 1;

impl State {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(),
            sessions: Sessions::default(),
            directory: Directory::default(),
            applied: 0,
        }
    }

    /// Executes operations in their order, writes to the store included; replies if somebody waits.
    pub(crate) fn execute(&mut self, ops: Ops<'_>, mut reply: Option<&mut Reply>) {
        for op in ops {
            if op.is_write() {
                self.write(op, reply.as_deref_mut());
            } else if let Some(reply) = reply.as_deref_mut() {
                self.read(op, 0, reply);
            }
        }
    }

    /// Answers a batch of reads. `replicas` is the number of followers that have the log as far as somebody asked.
    pub(crate) fn answer(&self, ops: Ops<'_>, replicas: impl Fn(Index) -> i64, reply: &mut Reply) {
        for op in ops {
            let count = if let Op::Replicas(index) = op { replicas(index) } else { 0 };
            self.read(op, count, reply);
        }
    }

    fn write(&mut self, op: Op<'_>, reply: Option<&mut Reply>) {
        // nobody listens at a follower: the replies of one write are made and dropped
        let mut unheard;
        let reply = match reply {
            Some(reply) => reply,
            None => {
                unheard = Reply::new(crate::reply::Protocol::Resp2);
                &mut unheard
            }
        };
        match op {
            Op::Set { key, value, only, get } => self.set(key, value, only, get, reply),
            Op::MSet(list) => {
                for (key, value) in list.pairs() {
                    self.store.set(key, value);
                }
                reply.ok();
            }
            Op::Del(keys) => {
                let gone = keys.iter().filter(|key| self.store.remove(key)).count();
                reply.integer(gone as i64);
            }
            Op::Add { key, by } => self.add(key, by, reply),
            Op::Append { key, value } => {
                let len = self.store.get(key).map_or(0, <[u8]>::len) + value.len();
                if len > limits::VALUE_BYTES {
                    return reply
                        .error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
                }
                reply.integer(self.store.append(key, value) as i64);
            }
            Op::FlushAll => {
                self.store.clear();
                reply.ok();
            }
            Op::Meet { node, peer, client } => self.meet(node, peer, client, reply),
            _ => {}
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], only: Only, get: bool, reply: &mut Reply) {
        let old = if get || only != Only::Always { self.store.get(key) } else { None };
        let sets = match only {
            Only::Always => true,
            Only::IfMissing => old.is_none(),
            Only::IfPresent => old.is_some(),
        };
        match old {
            Some(old) if get => {
                // what a reply has no room for must not decide what is set: every node has to do the same
                if reply.has_room(old.len() + 32) {
                    reply.bulk(old);
                }
            }
            None if get => reply.null(),
            _ if sets => reply.ok(),
            _ => reply.null(),
        }
        if sets {
            self.store.set(key, value);
        }
    }

    fn meet(&mut self, node: u64, peer: &[u8], client: &[u8], reply: &mut Reply) {
        let address = |bytes| {
            let text = core::str::from_utf8(bytes).map_err(|_| "it is no text")?;
            directory::check(text).map(|()| text)
        };
        let client = if client.is_empty() { Ok("") } else { address(client) };
        match (address(peer), client) {
            (Ok(peer), Ok(client)) => {
                if self.directory.enter(NodeId::new(node), peer, client) {
                    reply.ok();
                } else {
                    reply.error(
                        "ERR no more addresses can be kept: the ids of too many nodes were used",
                    );
                }
            }
            (Err(why), _) | (_, Err(why)) => {
                reply.error(&format!("ERR no address of a node: {why}"))
            }
        }
    }

    fn add(&mut self, key: &[u8], by: i64, reply: &mut Reply) {
        let Some(old) = self.store.get(key).map_or(Some(0), resp::number) else {
            return reply.error("ERR value is not an integer or out of range");
        };
        let Some(new) = old.checked_add(by) else {
            return reply.error("ERR increment or decrement would overflow");
        };
        self.store.set(key, new.to_string().as_bytes());
        reply.integer(new);
    }

    fn read(&self, op: Op<'_>, replicas: i64, reply: &mut Reply) {
        match op {
            Op::Get(key) => self.get(key, reply),
            Op::MGet(keys) => {
                let bytes: usize =
                    keys.iter().map(|key| self.store.get(key).map_or(0, <[u8]>::len) + 32).sum();
                if reply.has_room(bytes) {
                    reply.array(keys.len());
                    for key in keys.iter() {
                        match self.store.get(key) {
                            Some(value) => reply.bulk(value),
                            None => reply.null(),
                        }
                    }
                }
            }
            Op::Exists(keys) => {
                let there = keys.iter().filter(|key| self.store.get(key).is_some()).count();
                reply.integer(there as i64);
            }
            Op::StrLen(key) => {
                reply.integer(self.store.get(key).map_or(0, <[u8]>::len) as i64);
            }
            Op::Type(key) => {
                reply.simple(if self.store.get(key).is_some() { "string" } else { "none" });
            }
            Op::Scan { cursor, count, pattern, strings } => {
                self.scan(cursor, count, pattern, strings, reply);
            }
            Op::DbSize => reply.integer(self.store.len() as i64),
            Op::Replicas(_) => reply.integer(replicas),
            _ => {}
        }
    }

    fn get(&self, key: &[u8], reply: &mut Reply) {
        match self.store.get(key) {
            Some(value) => {
                if reply.has_room(value.len() + 32) {
                    reply.bulk(value);
                }
            }
            None => reply.null(),
        }
    }

    fn scan(
        &self,
        cursor: u64,
        count: u64,
        pattern: Option<&[u8]>,
        strings: bool,
        reply: &mut Reply,
    ) {
        let mut found = Vec::new();
        let mut left = usize::try_from(count).unwrap_or(usize::MAX).min(limits::SCAN_COUNT);
        let mut work = limits::SCAN_WORK;
        let next = self.store.scan(cursor, |key| {
            if strings && pattern.is_none_or(|pattern| glob::matches(pattern, key)) {
                found.push(key);
            }
            left = left.saturating_sub(1);
            work = work.saturating_sub(key.len() * pattern.map_or(1, <[u8]>::len));
            left == 0 || work == 0
        });
        let bytes: usize = found.iter().map(|key| key.len() + 32).sum();
        if reply.has_room(bytes + 64) {
            reply.array(2);
            reply.bulk(next.to_string().as_bytes());
            reply.array(found.len());
            for key in found {
                reply.bulk(key);
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// Writes the entry of a batch.
    pub(crate) fn encode(out: &mut Vec<u8>, id: BatchId, floor: u64, batch: &Batch) {
        out.reserve(batch.ops.len() + 40);
        out.push(ENTRY_VERSION);
        put::number(out, id.origin.get());
        put::number(out, id.incarnation);
        put::number(out, id.number);
        put::number(out, floor);
        batch.write_to(out);
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        if input.u8()? != ENTRY_VERSION {
            return Err(DecodeError::Invalid);
        }
        let id = BatchId {
            origin: NodeId::new(input.u64()?),
            incarnation: input.u64()?,
            number: input.u64()?,
        };
        Ok(Self { id, floor: input.u64()?, ops: input.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Protocol;

    fn run(state: &mut State, build: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut ops = Vec::new();
        build(&mut ops);
        let mut reply = Reply::new(Protocol::Resp2);
        state.execute(Ops::new(&ops), Some(&mut reply));
        String::from_utf8_lossy(reply.bytes()).into_owned()
    }

    #[test]
    fn a_reply_without_room_changes_no_state() {
        let mut state = State::new();
        let big = vec![b'x'; limits::VALUE_BYTES];
        state.store.set(b"k", &big);
        let text = run(&mut state, |ops| {
            for _ in 0..3 {
                put::get(ops, b"k");
            }
            put::set(ops, b"k", b"small", Only::Always, true);
        });
        assert!(text.ends_with("-ERR the reply is too long: ask for less at once\r\n"));
        assert_eq!(state.store.get(b"k"), Some(&b"small"[..]));
    }

    #[test]
    fn a_value_stays_within_its_limit() {
        let mut state = State::new();
        let half = vec![b'x'; limits::VALUE_BYTES / 2 + 1];
        assert!(run(&mut state, |ops| put::append(ops, b"k", &half)).starts_with(':'));
        assert!(
            run(&mut state, |ops| put::append(ops, b"k", &half)).starts_with("-ERR string exceeds")
        );
        assert_eq!(run(&mut state, |ops| put::strlen(ops, b"k")), format!(":{}\r\n", half.len()));
    }

    #[test]
    fn an_entry_goes_both_ways() {
        let id =
            BatchId { origin: NodeId::new(3), incarnation: 1_700_000_000_000_000, number: 300 };
        let mut batch = Batch::default();
        put::add(&mut batch.ops, b"k", -1);
        batch.writes = 1;
        let mut bytes = Vec::new();
        Entry::encode(&mut bytes, id, 299, &batch);
        let entry = Entry::decode(&bytes);
        assert!(
            matches!(entry, Ok(Entry { id: i, floor: 299, ops }) if i == id && ops == batch.ops)
        );
        assert!(Entry::decode(&bytes[..3]).is_err());
        assert!(Entry::decode(&[9; 30]).is_err());
    }
}
