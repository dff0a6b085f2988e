use std::collections::BTreeMap;

use quorate_ring::quorum::Tag;

/// What clients asked for and were told, key by key. Tags are the order of a register's writes, so the checks need no search.
#[derive(Debug, Default)]
pub(crate) struct History {
    keys: BTreeMap<u8, Key>,
    /// Counts calls and returns: the order of things.
    clock: u64,
}

#[derive(Debug, Default)]
struct Key {
    /// Writes by what they write, which is unique: when they were called.
    written: BTreeMap<u64, u64>,
    /// Atomic operations: when they were called and returned, with their tags.
    atomic: Vec<Operation>,
    /// Writes that were acknowledged, and when; whether they were deletions.
    acknowledged: Vec<(u64, Tag, bool)>,
    /// A deletion was not acknowledged, and may have taken place.
    may_be_deleted: bool,
    /// How many deletions are on their way.
    deleting: u64,
    /// The highest tag that was acknowledged by a sloppy quorum.
    sloppy: Tag,
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    called: u64,
    returned: u64,
    tag: Tag,
    writes: bool,
}

impl History {
    /// Something is called now.
    pub(crate) const fn call(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn call_delete(&mut self, key: u8) -> u64 {
        self.keys.entry(key).or_default().deleting += 1;
        self.call()
    }

    /// A deletion was not begun.
    pub(crate) fn delete_not_made(&mut self, key: u8) {
        self.keys.entry(key).or_default().deleting -= 1;
    }

    /// What became of a deletion is not known.
    pub(crate) fn delete_failed(&mut self, key: u8) {
        let entry = self.keys.entry(key).or_default();
        entry.deleting -= 1;
        entry.may_be_deleted = true;
    }

    pub(crate) fn call_write(&mut self, key: u8, value: u64) -> u64 {
        let called = self.call();
        self.keys.entry(key).or_default().written.insert(value, called);
        called
    }

    /// A write was acknowledged by a strict quorum.
    pub(crate) fn wrote(
        &mut self,
        key: u8,
        called: u64,
        tag: Tag,
        deleted: bool,
    ) -> Result<(), String> {
        let returned = self.call();
        let entry = self.keys.entry(key).or_default();
        entry.deleting -= u64::from(deleted);
        entry.acknowledged.push((returned, tag, deleted));
        entry.add(Operation { called, returned, tag, writes: true })
    }

    /// A disk was erased: what was on one disk alone may be lost.
    pub(crate) fn forget_sloppy(&mut self) {
        self.keys.values_mut().for_each(|key| key.sloppy = Tag::default());
    }

    pub(crate) fn wrote_sloppily(&mut self, key: u8, tag: Tag) {
        let entry = self.keys.entry(key).or_default();
        entry.sloppy = entry.sloppy.max(tag);
    }

    /// A read returned: an atomic one, or one that promises no more than to see what was acknowledged before.
    pub(crate) fn read(
        &mut self,
        key: u8,
        called: u64,
        found: Option<(Option<u64>, Tag)>,
        atomic: bool,
    ) -> Result<(), String> {
        let returned = self.call();
        let entry = self.keys.entry(key).or_default();
        let before = entry.acknowledged.iter().filter(|(at, ..)| *at < called);
        let newest = before.max_by_key(|(_, tag, _)| *tag).copied();
        if found.is_none() && (entry.may_be_deleted || entry.deleting > 0) {
            return Ok(()); // it was deleted, and forgotten
        }
        let tag = match (found, newest) {
            (Some((_, tag)), _) | (None, Some((_, tag, true))) => tag,
            _ => Tag::default(),
        };
        if let Some((Some(value), _)) = found {
            match entry.written.get(&value) {
                Some(written) if *written < returned => {}
                _ => return Err(format!("key {key}: {value} was read, and never written")),
            }
        }
        if let Some((_, newest, _)) = newest
            && newest > tag
        {
            return Err(format!("key {key}: read {tag:?} after {newest:?} was acknowledged"));
        }
        if atomic {
            entry.add(Operation { called, returned, tag, writes: false })?;
        }
        Ok(())
    }

    /// What all replicas of a key have in the end.
    pub(crate) fn end(&self, key: u8, tag: Option<Tag>) -> Result<(), String> {
        let Some(entry) = self.keys.get(&key) else { return Ok(()) };
        let newest = entry.acknowledged.iter().max_by_key(|(_, tag, _)| *tag);
        let deleted = newest.is_none_or(|(_, _, deleted)| *deleted) || entry.may_be_deleted;
        let newest = newest.map_or(Tag::default(), |(_, tag, _)| *tag).max(entry.sloppy);
        if tag.map_or(!deleted, |tag| newest > tag) {
            return Err(format!("key {key}: {newest:?} was acknowledged, and is lost: {tag:?}"));
        }
        Ok(())
    }
}

impl Key {
    /// Operations that follow one another have tags that grow: with writes strictly (Lynch, "Distributed Algorithms", 1996, lemma 13.16).
    fn add(&mut self, new: Operation) -> Result<(), String> {
        for old in self.atomic.iter().filter(|old| old.returned < new.called) {
            if old.tag > new.tag || (new.writes && old.tag == new.tag) {
                return Err(format!("not linearizable: {old:?} before {new:?}"));
            }
        }
        // of those that have returned, only the newest that ended before another began can matter; keep few
        self.atomic.push(new);
        if self.atomic.len() > 400 {
            let newest = self.atomic.iter().max_by_key(|old| old.tag).copied();
            self.atomic.drain(..200);
            self.atomic.extend(newest);
        }
        Ok(())
    }
}
