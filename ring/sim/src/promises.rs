use std::collections::BTreeMap;

use quorate_core::{DecodeError, Machine, NodeId, Reader, Wire};
use quorate_ring::quorum::{Layout, Message, Node, Storage, Value};

type Key = Vec<u8>;

/// What replicas were asked, and by that what their answers promise to have on disk: a write is acknowledged, and a value shown, once it is durable.
#[derive(Debug)]
pub(crate) struct Promises<V> {
    written: BTreeMap<Request, Write<V>>,
    read: BTreeMap<Request, Key>,
}

/// The replica, the coordinator, its incarnation and number, and the version of the layout: an answer with another one promises nothing.
type Request = (NodeId, NodeId, [u64; 4]);

#[derive(Clone, Debug)]
struct Write<V> {
    key: Key,
    value: V,
    /// Whom it is kept for.
    owner: Option<NodeId>,
}

/// What a message says, as far as it matters here.
enum Said<V> {
    Write(Write<V>),
    Written,
    Read(Key),
    Found(V),
    Other,
}

impl<V> Default for Promises<V> {
    fn default() -> Self {
        Self { written: BTreeMap::new(), read: BTreeMap::new() }
    }
}

impl<V: Value + 'static> Promises<V> {
    /// A node sends a message to another: `shadows` are what the disks hold, in the order of the nodes. Returns the bytes of a value on its way.
    pub(crate) fn check<L: Layout, S: Storage>(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: &Message<'_, V>,
        shadows: &[Node<V, L, S>],
        holds: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut bytes = vec![0; message.encoded_len()];
        message.to_slice(&mut bytes).map_err(|error| error.to_string())?;
        let (header, said) = read(&bytes).map_err(|error| error.to_string())?;
        let asked = (to, from, header);
        let answered = (from, to, header);
        let own = from.get() as usize - 1;
        match said {
            Said::Write(write) => {
                self.written.insert(asked, write);
                return Ok(Some(bytes));
            }
            Said::Read(key) => {
                self.read.insert(asked, key);
            }
            Said::Written => {
                let Some(write) = self.written.get(&answered) else { return Ok(None) };
                // a hint that was handed over already is not on this disk any more
                let has = |shadow| has(shadow, &write.key, &write.value);
                let is_durable = match write.owner {
                    Some(owner) => keeps(&shadows[own], owner, write) || shadows.iter().any(has),
                    None => {
                        has(&shadows[own])
                            || !holds(&write.key)
                            || gets(&shadows[own], shadows, write, header)
                    }
                };
                if !is_durable {
                    return Err(format!(
                        "node {from} acknowledges {write:?}, which is not durable"
                    ));
                }
            }
            Said::Found(value) => {
                let Some(key) = self.read.get(&answered) else { return Ok(None) };
                if !has(&shadows[own], key, &value) && holds(key) {
                    return Err(format!(
                        "node {from} shows {value:?} of {key:?}, which is not durable"
                    ));
                }
            }
            Said::Other => {}
        }
        Ok(None)
    }
}

/// Whether a disk holds a value that is as late, or is past the clock up to which they are forgotten.
fn has<V: Value + 'static, L: Layout, S: Storage>(
    shadow: &Node<V, L, S>,
    key: &[u8],
    value: &V,
) -> bool {
    shadow.local(key).is_some_and(|local| local.includes(&value.context()))
        || shadow.status().floor >= value.clock()
}

/// Whether a node that has to catch up will get a value from the others, which all had it when their floor rose: it takes none up to there that it has not asked for. Its disk does not say
/// that it has caught up with the layout of this message.
fn gets<V: Value + 'static, L: Layout, S: Storage>(
    shadow: &Node<V, L, S>,
    shadows: &[Node<V, L, S>],
    write: &Write<V>,
    [_, _, epoch, digest]: [u64; 4],
) -> bool {
    let caught_up = |record: &Vec<u8>| {
        let mut input = Reader::new(record);
        input.u8() == Ok(8) && input.u64() == Ok(epoch) && input.u64() == Ok(digest)
    };
    shadows.iter().any(|other| write.value.clock() <= other.status().floor)
        && !crate::subject::encoded(shadow).iter().any(caught_up)
}

/// Whether a disk holds a hint that is as late.
fn keeps<V: Value + 'static, L: Layout, S: Storage>(
    shadow: &Node<V, L, S>,
    owner: NodeId,
    write: &Write<V>,
) -> bool {
    hints::<V, L, S>(shadow).any(|(of, key, value)| {
        of == owner && key == write.key && value.includes(&write.value.context())
    })
}

/// The hints on a disk: whom each is for, its key and its value.
pub(crate) fn hints<V: Value + 'static, L: Layout, S: Storage>(
    shadow: &Node<V, L, S>,
) -> impl Iterator<Item = (NodeId, Key, V)> {
    let hint = |bytes: Vec<u8>| -> Result<(NodeId, Key, V), DecodeError> {
        let mut input = Reader::new(&bytes);
        input.u8()?;
        let owner = NodeId::new(input.u64()?);
        Ok((owner, input.bytes()?.to_vec(), V::from_slice(input.bytes()?)?))
    };
    let records = crate::subject::encoded(shadow).into_iter();
    records.filter(|record| record.first() == Some(&1)).filter_map(move |record| hint(record).ok())
}

/// Reads a message from its bytes, as a peer would that is not of this crate: see the tables of the wire format.
fn read<V: Value>(bytes: &[u8]) -> Result<([u64; 4], Said<V>), DecodeError> {
    let mut input = Reader::new(bytes);
    let header = [input.u64()?, input.u64()?, input.u64()?, input.u64()?];
    let said = match input.u8()? {
        0 => {
            if input.u8()? == 2 {
                let _ = (input.u64()?, input.u64()?); // its receiver has asked for it
            }
            let key = input.bytes()?.to_vec();
            Said::Write(Write { key, value: V::from_slice(input.bytes()?)?, owner: None })
        }
        1 => {
            let owner = NodeId::new(input.u64()?);
            let key = input.bytes()?.to_vec();
            Said::Write(Write { key, value: V::from_slice(input.bytes()?)?, owner: Some(owner) })
        }
        2 => Said::Written,
        3 => match input.u8()? {
            0 => Said::Read(input.bytes()?.to_vec()),
            _ => Said::Other, // it is answered with what is kept for another
        },
        4 => match input.u8()? {
            0 => Said::Other,
            _ => Said::Found(V::from_slice(input.bytes()?)?),
        },
        _ => Said::Other,
    };
    Ok((header, said))
}
