use core::fmt::Debug;
use std::collections::BTreeMap;

/// What says which of two writes is the later one: a register's tag, or a timestamp.
pub trait Mark: Copy + Ord + Default + Debug {}

impl<T: Copy + Ord + Default + Debug> Mark for T {}

/// What clients asked for and were told, key by key. Tags are the order of a key's writes, so the checks need no search.
#[derive(Debug)]
pub(crate) struct History<T> {
    keys: BTreeMap<u8, Key<T>>,
    /// Counts calls and returns: the order of things.
    clock: u64,
}

#[derive(Debug)]
struct Key<T> {
    /// Writes by what they write, which is unique: when they were called.
    written: BTreeMap<u64, u64>,
    /// Atomic operations, and writes that were acknowledged: when they were called and returned, with their tags.
    atomic: Vec<Operation<T>>,
    /// Writes that were acknowledged, and when; whether they were deletions.
    acknowledged: Vec<(u64, T, bool)>,
    /// Deletions that may have taken place, with their tags where those are known before they are acknowledged.
    deletions: Vec<Option<T>>,
    /// The highest tag that was acknowledged, and not by a quorum of replicas.
    weak: T,
    /// A disk was erased, or a node left, since the key was first written: what was on one disk alone may be lost.
    erased: bool,
}

impl<T: Mark> Default for Key<T> {
    fn default() -> Self {
        Self {
            written: BTreeMap::new(),
            atomic: Vec::new(),
            acknowledged: Vec::new(),
            deletions: Vec::new(),
            weak: T::default(),
            erased: false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Operation<T> {
    called: u64,
    returned: u64,
    tag: T,
    writes: bool,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { keys: BTreeMap::new(), clock: 0 }
    }
}

impl<T: Mark> History<T> {
    /// Something is called now.
    pub(crate) const fn call(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A deletion is called, with its tag if that is known.
    pub(crate) fn call_delete(&mut self, key: u8, tag: Option<T>) -> u64 {
        self.keys.entry(key).or_default().deletions.push(tag);
        self.call()
    }

    pub(crate) fn call_write(&mut self, key: u8, value: u64) -> u64 {
        let called = self.call();
        self.keys.entry(key).or_default().written.insert(value, called);
        called
    }

    /// A write failed, and its value was not sent to anybody.
    pub(crate) fn never_sent(&mut self, key: u8, value: u64) {
        self.keys.entry(key).or_default().written.remove(&value);
    }

    /// A write was acknowledged by a strict quorum. One that came `after_read` is later than all that were acknowledged before it was called.
    pub(crate) fn wrote(
        &mut self,
        key: u8,
        called: u64,
        tag: T,
        deleted: bool,
        after_read: bool,
    ) -> Result<(), String> {
        let returned = self.call();
        let entry = self.keys.entry(key).or_default();
        entry.know_deletion(tag, deleted);
        entry.acknowledged.push((returned, tag, deleted));
        let new = Operation { called, returned, tag, writes: true };
        if after_read { entry.add(new) } else { entry.keep(new) }
    }

    /// A disk was erased: what was on one disk alone may be lost.
    pub(crate) fn forget_weak(&mut self) {
        self.keys.values_mut().for_each(|key| (key.weak, key.erased) = (T::default(), true));
    }

    /// A node left: what it alone had may be lost.
    pub(crate) fn left(&mut self) {
        self.keys.values_mut().for_each(|key| key.erased = true);
    }

    /// A write was acknowledged, by fewer replicas than a quorum, or by nodes that stand in for them.
    pub(crate) fn wrote_weakly(&mut self, key: u8, tag: T, deleted: bool) {
        let entry = self.keys.entry(key).or_default();
        entry.know_deletion(tag, deleted);
        entry.weak = entry.weak.max(tag);
    }

    /// A read returned: an atomic one, or one that promises no more than to see what was acknowledged before.
    pub(crate) fn read(
        &mut self,
        key: u8,
        called: u64,
        found: Option<(Option<u64>, T)>,
        atomic: bool,
    ) -> Result<(), String> {
        let returned = self.call();
        self.written(key, found, returned)?;
        let entry = self.keys.entry(key).or_default();
        let before = entry.acknowledged.iter().filter(|(at, ..)| *at < called);
        let newest = before.map(|(_, tag, _)| *tag).max();
        let Some((_, tag)) = found else {
            return match newest.filter(|newest| !entry.may_be_purged(*newest)) {
                None => Ok(()),
                Some(newest) => {
                    Err(format!("key {key}: nothing was read after {newest:?} was acknowledged"))
                }
            };
        };
        if let Some(newest) = newest
            && newest > tag
        {
            return Err(format!("key {key}: read {tag:?} after {newest:?} was acknowledged"));
        }
        if atomic {
            entry.add(Operation { called, returned, tag, writes: false })?;
        }
        Ok(())
    }

    /// A client that has seen this reads.
    pub(crate) fn read_after(
        &mut self,
        key: u8,
        seen: T,
        found: Option<(Option<u64>, T)>,
    ) -> Result<(), String> {
        let returned = self.call();
        self.written(key, found, returned)?;
        let entry = self.keys.entry(key).or_default();
        let includes = found.map_or_else(|| entry.may_be_purged(seen), |(_, tag)| tag >= seen);
        // what the client had seen was on an erased disk alone, and once the floor is above it, it is not waited for
        let is_acknowledged = entry.acknowledged.iter().any(|(_, tag, _)| *tag == seen);
        let may_be_lost = entry.erased && !is_acknowledged;
        if includes || may_be_lost {
            return Ok(());
        }
        Err(format!("key {key}: a client that had seen {seen:?} read {found:?}"))
    }

    /// What all replicas of a key have in the end.
    pub(crate) fn end(&self, key: u8, found: Option<(Option<u64>, T)>) -> Result<(), String> {
        let Some(entry) = self.keys.get(&key) else { return Ok(()) };
        self.written(key, found, u64::MAX)?;
        let newest = entry.acknowledged.iter().map(|(_, tag, _)| *tag).max();
        let newest = newest.unwrap_or_default().max(entry.weak);
        let lost = found.map_or_else(
            || newest > T::default() && !entry.may_be_purged(newest),
            |(_, tag)| newest > tag,
        );
        if lost {
            return Err(format!("key {key}: {newest:?} was acknowledged, and is lost: {found:?}"));
        }
        Ok(())
    }

    fn written(
        &self,
        key: u8,
        found: Option<(Option<u64>, T)>,
        returned: u64,
    ) -> Result<(), String> {
        let Some((Some(value), _)) = found else { return Ok(()) };
        let written = self.keys.get(&key).and_then(|key| key.written.get(&value));
        match written {
            Some(written) if *written < returned => Ok(()),
            _ => Err(format!("key {key}: {value} was read, and never written")),
        }
    }
}

impl<T: Mark> Key<T> {
    /// Whether a deletion may have come after a write with this tag, and may be forgotten.
    fn may_be_purged(&self, tag: T) -> bool {
        self.deletions.iter().any(|deletion| deletion.is_none_or(|deletion| deletion >= tag))
    }

    /// One of the deletions with unknown tags has this one.
    fn know_deletion(&mut self, tag: T, deleted: bool) {
        let unknown = self.deletions.iter().position(Option::is_none);
        if let Some(unknown) = unknown.filter(|_| deleted) {
            self.deletions[unknown] = Some(tag);
        }
    }

    /// Operations that follow one another have tags that grow: with writes strictly (Lynch, "Distributed Algorithms", 1996, lemma 13.16).
    fn add(&mut self, new: Operation<T>) -> Result<(), String> {
        for old in self.atomic.iter().filter(|old| old.returned < new.called) {
            if old.tag > new.tag || (new.writes && old.tag == new.tag) {
                return Err(format!("not linearizable: {old:?} before {new:?}"));
            }
        }
        self.keep(new)
    }

    fn keep(&mut self, new: Operation<T>) -> Result<(), String> {
        // of those that have returned, only the newest that ended before another began can matter; keep few
        self.atomic.push(new);
        if self.atomic.len() > 400 {
            let newest = self.atomic.iter().take(200).max_by_key(|old| old.tag).copied();
            self.atomic.drain(..200);
            self.atomic.extend(newest);
        }
        Ok(())
    }
}
