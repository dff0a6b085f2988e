use quorate_core::{DecodeError, NodeId, Reader};
use quorate_log::Index;

use crate::batch::{Batch, Ops};
use crate::directory::{self, Directory};
use crate::glob::Pattern;
use crate::op::{Op, SetCondition, put};
use crate::reply::{DONE_TOO_LONG, Reply, TOO_LONG};
use crate::resp;
use crate::session::{BatchId, Sessions};
use crate::store::Store;
use crate::{limits, work};

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

    /// Executes operations in their order, writes to the store included; replies if somebody waits. Gives the steps that it took.
    pub(crate) fn execute(&mut self, ops: Ops<'_>, mut reply: Option<&mut Reply>) -> u64 {
        let mut steps = 0_u64;
        for op in ops {
            if op.is_write() {
                self.write(op, reply.as_deref_mut());
                steps = steps.saturating_add(op.work());
            } else if let Some(reply) = reply.as_deref_mut() {
                steps = steps.saturating_add(self.read(op, 0, reply));
            }
        }
        steps
    }

    /// Answers reads, in their order, until that has taken so many steps: gives how many it were. What is left stays in `ops`.
    /// `replicas` is the number of followers that have the log as far as somebody asked.
    pub(crate) fn answer(
        &self,
        ops: &mut Ops<'_>,
        enough: u64,
        replicas: impl Fn(Index) -> i64,
        reply: &mut Reply,
    ) -> u64 {
        let mut steps = 0_u64;
        while steps < enough
            && let Some(op) = ops.next()
        {
            let count = if let Op::Replicas(index) = op { replicas(index) } else { 0 };
            steps = steps.saturating_add(self.read(op, count, reply));
        }
        steps
    }

    /// Steps that a batch of writes takes when it is applied, as far as this state tells: what is read
    /// among its writes is as long as it is here, or as what the batch writes. The reply has a bound.
    pub(crate) fn work_of(&self, batch: &Batch) -> u64 {
        let longest = batch.ops.len();
        let len = |key: &[u8]| self.store.get(key).map_or(0, <[u8]>::len).max(longest);
        let mut bytes = 0_usize;
        for op in batch.ops() {
            bytes = bytes.saturating_add(match op {
                Op::Get(key) => len(key),
                Op::Set { key, get: true, .. } => self.store.get(key).map_or(0, <[u8]>::len),
                Op::MGet(keys) => keys.iter().fold(0, |sum, key| sum.saturating_add(len(key))),
                _ => 0,
            });
        }
        batch.work.saturating_add(work::copy(bytes.min(limits::REPLY_BYTES)))
    }

    /// Takes note of the members that an entry of the log lists.
    pub(crate) fn set_members(&mut self, members: Option<Vec<NodeId>>) {
        // it was checked when it came into the log
        if let Some(members) = members {
            self.directory.set_members(members.into_iter());
        }
    }

    fn write(&mut self, op: Op<'_>, reply: Option<&mut Reply>) {
        // nobody listens at a follower: the replies of one write are made and dropped
        let mut discarded;
        let reply = match reply {
            Some(reply) => reply,
            None => {
                discarded = Reply::new(crate::reply::Protocol::Resp2);
                &mut discarded
            }
        };
        match op {
            Op::Set { key, value, condition, get } => self.set(key, value, condition, get, reply),
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
            Op::SetAddress { node, peer, client } => self.set_address(node, peer, client, reply),
            _ => {}
        }
    }

    fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        condition: SetCondition,
        get: bool,
        reply: &mut Reply,
    ) {
        let old = if get || condition != SetCondition::Always { self.store.get(key) } else { None };
        let sets = match condition {
            SetCondition::Always => true,
            SetCondition::IfMissing => old.is_none(),
            SetCondition::IfPresent => old.is_some(),
        };
        match old {
            Some(old) if get => {
                // what a reply has no room for must not decide what is set: every node has to do the same
                if reply.has_room(old.len() + 32, DONE_TOO_LONG) {
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

    fn set_address(&mut self, node: u64, peer: &[u8], client: &[u8], reply: &mut Reply) {
        let address = |bytes| {
            let text = core::str::from_utf8(bytes).map_err(|_| "it is no text")?;
            directory::check(text).map(|()| text)
        };
        let client = if client.is_empty() { Ok("") } else { address(client) };
        match (address(peer), client) {
            (Ok(peer), Ok(client)) => {
                if self.directory.insert(NodeId::new(node), peer, client) {
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

    /// Answers one read, and gives the steps that it took.
    fn read(&self, op: Op<'_>, replicas: i64, reply: &mut Reply) -> u64 {
        let before = reply.len();
        if let Op::Scan { cursor, count, pattern, strings } = op {
            return self.scan(cursor, count, pattern, strings, reply);
        }
        self.read_one(op, replicas, reply);
        op.work().saturating_add(work::copy(reply.len().saturating_sub(before)))
    }

    fn read_one(&self, op: Op<'_>, replicas: i64, reply: &mut Reply) {
        match op {
            Op::Get(key) => self.get(key, reply),
            Op::MGet(keys) => {
                let values: Vec<_> = keys.iter().map(|key| self.store.get(key)).collect();
                let bytes = values.iter().map(|value| value.map_or(0, <[u8]>::len) + 32).sum();
                if reply.has_room(bytes, TOO_LONG) {
                    reply.array(values.len());
                    for value in values {
                        match value {
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
            Op::DbSize => reply.integer(self.store.len() as i64),
            Op::Replicas(_) => reply.integer(replicas),
            _ => {}
        }
    }

    fn get(&self, key: &[u8], reply: &mut Reply) {
        match self.store.get(key) {
            Some(value) => {
                if reply.has_room(value.len() + 32, TOO_LONG) {
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
    ) -> u64 {
        let pattern = pattern.map(Pattern::new);
        let mut found = Vec::new();
        let mut left = usize::try_from(count).unwrap_or(usize::MAX).min(limits::SCAN_COUNT);
        let mut steps = pattern.as_ref().map_or(0, Pattern::work).saturating_add(work::SHARDS);
        let next = self.store.scan(cursor, |key| {
            let looks = pattern.as_ref().map_or(0, |pattern| pattern.work_on(key.len()));
            steps = steps.saturating_add(work::VISIT).saturating_add(looks);
            if strings && pattern.as_ref().is_none_or(|pattern| pattern.matches(key)) {
                steps = steps.saturating_add(work::copy(key.len()));
                found.push(key);
            }
            left = left.saturating_sub(1);
            left == 0 || steps >= work::SCAN
        });
        let bytes: usize = found.iter().map(|key| key.len() + 32).sum();
        if reply.has_room(bytes + 64, TOO_LONG) {
            reply.array(2);
            reply.bulk(next.to_string().as_bytes());
            reply.array(found.len());
            for key in found {
                reply.bulk(key);
            }
        }
        steps
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
    use proptest::prelude::*;

    fn run(state: &mut State, build: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut ops = Vec::new();
        build(&mut ops);
        let mut reply = Reply::new(Protocol::Resp2);
        state.execute(Ops::new(&ops), Some(&mut reply));
        String::from_utf8_lossy(reply.bytes()).into_owned()
    }

    #[test]
    fn oversized_reply_does_not_prevent_the_write() {
        let mut state = State::new();
        let big = vec![b'x'; limits::VALUE_BYTES];
        state.store.set(b"k", &big);
        let text = run(&mut state, |ops| {
            for _ in 0..3 {
                put::get(ops, b"k");
            }
            put::set(ops, b"k", b"small", SetCondition::Always, true);
        });
        assert!(text.ends_with(&format!("-{DONE_TOO_LONG}\r\n")));
        assert_eq!(state.store.get(b"k"), Some(&b"small"[..]));
    }

    #[test]
    fn scan_steps_are_bounded() {
        let mut state = State::new();
        let long = vec![b'a'; limits::KEY_BYTES - 8];
        for number in 0..2_000 {
            let key = if number % 100 == 0 { long.clone() } else { b"a".repeat(number % 300) };
            state.store.set(&[number.to_string().as_bytes(), &key].concat(), b"");
        }
        // to make the worst pattern, and to look at the longest key
        let bound = work::SCAN + 256 * 256 + 5 * limits::KEY_BYTES as u64;
        let patterns =
            [&b"*"[..], &[&b"*"[..], &b"a".repeat(254), b"b"].concat(), &b"?".repeat(256)];
        for pattern in patterns.into_iter().map(Some).chain([None]) {
            let (mut cursor, mut most, mut scans, mut keys) = (0, 0, 0, 0);
            loop {
                let mut ops = Vec::new();
                put::scan(&mut ops, cursor, u64::MAX, pattern, true);
                let mut reply = Reply::new(Protocol::Resp2);
                most = most.max(state.answer(&mut Ops::new(&ops), 1, |_| 0, &mut reply));
                let text = String::from_utf8_lossy(reply.bytes()).into_owned();
                let lines: Vec<&str> = text.split("\r\n").collect();
                cursor = lines[2].parse().unwrap();
                keys += lines[3][1..].parse::<usize>().unwrap();
                scans += 1;
                if cursor == 0 {
                    break;
                }
            }
            assert!(most <= bound, "{most}");
            assert!(scans > 1, "{scans}");
            assert!(pattern.is_some_and(|pattern| pattern != b"*") || keys == 2_000, "{keys}");
        }
    }

    #[test]
    fn reads_are_answered_in_slices() {
        let state = State::new();
        let mut bytes = Vec::new();
        (0..100).for_each(|_| put::get(&mut bytes, b"k"));
        let (mut ops, mut reply) = (Ops::new(&bytes), Reply::new(Protocol::Resp2));
        let each = work::key(1);
        assert_eq!(state.answer(&mut ops, each * 10, |_| 0, &mut reply), each * 10);
        assert_eq!(reply.bytes(), b"$-1\r\n".repeat(10));
        assert_eq!(state.answer(&mut ops, u64::MAX, |_| 0, &mut reply), each * 90);
        assert_eq!((reply.len(), ops.rest().len()), (500, 0));
    }

    proptest! {
        #[test]
        fn arbitrary_entries_apply_deterministically(
            entries in prop::collection::vec(prop::collection::vec(prop_oneof![0u8..4, Just(0xff), Just(0x7f), any::<u8>()], 0..60), 0..20),
        ) {
            let (mut one, mut two) = (State::new(), State::new());
            for bytes in entries {
                let mut entry = vec![ENTRY_VERSION];
                entry.extend_from_slice(&bytes);
                for state in [&mut one, &mut two] {
                    if let Ok(entry) = Entry::decode(&entry)
                        && state.sessions.admit(entry.id, entry.floor)
                    {
                        state.execute(Ops::new(entry.ops), None);
                    }
                }
            }
            prop_assert!(one.store.iter().eq(two.store.iter()));
            prop_assert_eq!(one.sessions, two.sessions);
        }
    }

    #[test]
    fn value_size_is_limited() {
        let mut state = State::new();
        let half = vec![b'x'; limits::VALUE_BYTES / 2 + 1];
        assert!(run(&mut state, |ops| put::append(ops, b"k", &half)).starts_with(':'));
        assert!(
            run(&mut state, |ops| put::append(ops, b"k", &half)).starts_with("-ERR string exceeds")
        );
        assert_eq!(run(&mut state, |ops| put::strlen(ops, b"k")), format!(":{}\r\n", half.len()));
    }

    #[test]
    fn entry_round_trips() {
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
