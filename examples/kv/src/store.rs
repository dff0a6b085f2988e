use core::hash::Hasher;
use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

/// The keys and their values, ordered by a fixed hash of the key.
///
/// The order serves three things. A `SCAN` cursor is a place in it, so it stays good whatever comes and goes meanwhile, at any
/// node: what is there all the time is returned exactly once. It spreads the keys evenly over many small maps (`shards`); a clone
/// shares them, and a write copies the one it touches only while a clone still shares it, so a snapshot is a view of one
/// moment that costs a few thousand pointers, and the node goes on meanwhile. And it is the same on every node.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    shards: Vec<Arc<Shard>>,
    len: usize,
    bytes: u64,
}

type Shard = BTreeMap<u64, Bucket>;

/// The items of one hash: nearly always one.
#[derive(Clone, Debug)]
enum Bucket {
    One(Item),
    Several(Vec<Item>),
}

#[derive(Clone, Debug)]
struct Item {
    key: Arc<[u8]>,
    value: Arc<Vec<u8>>,
}

const SHARD_BITS: u32 = 12;
const EMPTY: &[Item] = &[];

impl Store {
    pub(crate) fn new() -> Self {
        Self { shards: vec![Arc::default(); 1 << SHARD_BITS], len: 0, bytes: 0 }
    }

    pub(crate) fn clear(&mut self) {
        discard(core::mem::replace(self, Self::new()));
    }

    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) {
        self.edit(key, |old| match old {
            Some(old) => {
                // the allocation is kept where it fits well and nobody shares it
                match Arc::get_mut(old).filter(|old| old.capacity() / 2 <= value.len().max(16)) {
                    Some(old) => {
                        old.clear();
                        old.extend_from_slice(value);
                    }
                    None => *old = Arc::new(value.to_vec()),
                }
                None
            }
            None => Some(value.to_vec()),
        });
    }

    /// Adds to the end of a value, and gives its new length.
    pub(crate) fn append(&mut self, key: &[u8], value: &[u8]) -> usize {
        let mut len = value.len();
        self.edit(key, |old| match old {
            Some(old) => {
                let old = Arc::make_mut(old);
                old.extend_from_slice(value);
                len = old.len();
                None
            }
            None => Some(value.to_vec()),
        });
        len
    }

    /// Whether there was such a key.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let hash = hash(key);
        // a look first: a miss must not copy a shared shard
        if self.find(hash, key).is_none() {
            return false;
        }
        let shard = Arc::make_mut(&mut self.shards[shard_of(hash)]);
        let Some(bucket) = shard.get_mut(&hash) else { return false };
        let Some(item) = bucket.remove(key) else { return false };
        if bucket.items().is_empty() {
            shard.remove(&hash);
        }
        self.len -= 1;
        self.bytes -= item.bytes();
        true
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(hash(key), key).map(|item| item.value.as_slice())
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Visits keys from `cursor` on (0 is the beginning) until `visit` says that it has enough, and gives the cursor for the
    /// rest; 0 is the end.
    pub(crate) fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a [u8]) -> bool) -> u64 {
        let mut enough = false;
        for (hash, bucket) in self.from(cursor) {
            if enough {
                return hash;
            }
            // keys of one hash cannot be told apart by a cursor: they come together
            for item in bucket.items() {
                enough |= visit(&item.key);
            }
        }
        0
    }

    /// Every key and value, in the store's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.from(0)
            .flat_map(|(_, bucket)| bucket.items())
            .map(|item| (&*item.key, item.value.as_slice()))
    }

    fn from(&self, hash: u64) -> impl Iterator<Item = (u64, &Bucket)> {
        let first = shard_of(hash);
        let head = self.shards[first].range((Bound::Included(hash), Bound::Unbounded));
        let tail = self.shards[first + 1..].iter().flat_map(|shard| shard.iter());
        head.chain(tail).map(|(&hash, bucket)| (hash, bucket))
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<&Item> {
        let bucket = self.shards[shard_of(hash)].get(&hash)?;
        bucket.items().iter().find(|item| *item.key == *key)
    }

    /// Lets `change` alter the value of a key, or give its first.
    fn edit(
        &mut self,
        key: &[u8],
        change: impl FnOnce(Option<&mut Arc<Vec<u8>>>) -> Option<Vec<u8>>,
    ) {
        let hash = hash(key);
        let shard = Arc::make_mut(&mut self.shards[shard_of(hash)]);
        let bucket = shard.entry(hash).or_insert(Bucket::Several(Vec::new()));
        if let Some(item) = bucket.items_mut().iter_mut().find(|item| *item.key == *key) {
            let before = item.value.len();
            change(Some(&mut item.value));
            self.bytes = self.bytes - before as u64 + item.value.len() as u64;
        } else {
            let value = change(None).unwrap_or_default();
            let item = Item { key: key.into(), value: Arc::new(value) };
            self.len += 1;
            self.bytes += item.bytes();
            bucket.push(item);
        }
    }
}

impl Bucket {
    fn items(&self) -> &[Item] {
        match self {
            Self::One(item) => core::slice::from_ref(item),
            Self::Several(items) => items,
        }
    }

    fn items_mut(&mut self) -> &mut [Item] {
        match self {
            Self::One(item) => core::slice::from_mut(item),
            Self::Several(items) => items,
        }
    }

    fn push(&mut self, item: Item) {
        *self = match core::mem::replace(self, Self::Several(Vec::new())) {
            Self::Several(items) if items.is_empty() => Self::One(item),
            Self::One(first) => Self::Several(vec![first, item]),
            Self::Several(mut items) => {
                items.push(item);
                Self::Several(items)
            }
        };
    }

    fn remove(&mut self, key: &[u8]) -> Option<Item> {
        match self {
            Self::One(item) if *item.key == *key => {
                let item = item.clone();
                *self = Self::Several(EMPTY.to_vec());
                Some(item)
            }
            Self::One(_) => None,
            Self::Several(items) => {
                let at = items.iter().position(|item| *item.key == *key)?;
                Some(items.remove(at))
            }
        }
    }
}

impl Item {
    fn bytes(&self) -> u64 {
        (self.key.len() + self.value.len()) as u64
    }
}

/// Drops a store, aside if that takes a while.
pub(crate) fn discard(store: Store) {
    if store.len > 10_000 {
        std::thread::spawn(move || drop(store));
    }
}

/// SipHash-1-3 under a fixed key: even for keys of any form, cheap, and of a definition that does not change with a compiler.
fn hash(key: &[u8]) -> u64 {
    #[cfg(test)]
    if key.starts_with(b"same hash ") {
        return u64::MAX;
    }
    let mut hasher = SipHasher13::new_with_keys(0x7175_6f72_6174_6531, 0x6b76_2073_746f_7265);
    hasher.write(key);
    hasher.finish()
}

#[allow(clippy::cast_possible_truncation)] // the top bits of 64
fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Set(u8, Vec<u8>),
        Append(u8, Vec<u8>),
        Remove(u8),
        Clear,
        Freeze,
    }

    fn key(number: u8) -> Vec<u8> {
        if number.is_multiple_of(4) {
            format!("same hash {number}").into_bytes()
        } else {
            format!("key {number}").into_bytes()
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let value = prop::collection::vec(any::<u8>(), 0..40);
        let step = prop_oneof![
            8 => (any::<u8>(), value.clone()).prop_map(|(k, v)| Step::Set(k, v)),
            4 => (any::<u8>(), value).prop_map(|(k, v)| Step::Append(k, v)),
            6 => any::<u8>().prop_map(Step::Remove),
            1 => Just(Step::Clear),
            2 => Just(Step::Freeze),
        ];
        prop::collection::vec(step, 0..300)
    }

    fn content(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
        store.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn store_is_a_map_and_clones_are_snapshots(steps in steps()) {
            let (mut store, mut model) = (Store::new(), BTreeMap::new());
            let mut frozen = Vec::new();
            for step in steps {
                match step {
                    Step::Set(k, v) => {
                        store.set(&key(k), &v);
                        model.insert(key(k), v);
                    }
                    Step::Append(k, v) => {
                        let value: &mut Vec<u8> = model.entry(key(k)).or_default();
                        value.extend_from_slice(&v);
                        prop_assert_eq!(store.append(&key(k), &v), value.len());
                    }
                    Step::Remove(k) => prop_assert_eq!(store.remove(&key(k)), model.remove(&key(k)).is_some()),
                    Step::Clear => {
                        store.clear();
                        model.clear();
                    }
                    Step::Freeze => frozen.push((store.clone(), model.clone())),
                }
                prop_assert_eq!(store.len(), model.len());
            }
            frozen.push((store, model));
            for (store, model) in frozen {
                prop_assert_eq!(store.bytes(), model.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum::<u64>());
                for (k, v) in &model {
                    prop_assert_eq!(store.get(k), Some(&v[..]));
                }
                prop_assert_eq!(content(&store), model);
            }
        }

        #[test]
        fn scan_returns_stable_keys_exactly_once(count in 1usize..20, churn in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut store = Store::new();
            for number in 0..=255u8 {
                store.set(&key(number), b"v");
            }
            let gone: std::collections::BTreeSet<Vec<u8>> = churn.iter().map(|&n| key(n)).collect();
            let (mut cursor, mut churn, mut seen) = (0, churn.into_iter(), Vec::new());
            loop {
                let mut room = count;
                cursor = store.scan(cursor, |k| {
                    seen.push(k.to_vec());
                    room -= usize::from(room > 0);
                    room == 0
                });
                if cursor == 0 {
                    break;
                }
                for (i, n) in churn.by_ref().take(5).enumerate() {
                    if i % 2 == 0 { store.remove(&key(n)); } else { store.set(&key(n), b"new"); }
                    store.set(format!("extra {n}").as_bytes(), b"");
                }
            }
            for number in 0..=255 {
                let times = seen.iter().filter(|k| **k == key(number)).count();
                prop_assert!(times == 1 || (times == 0 && gone.contains(&key(number))), "{number} came {times} times");
            }
        }
    }
}
