use std::collections::BTreeMap;

use quorate_core::{DecodeError, Machine, NodeId, Reader, Wire};
use quorate_ring::quorum::{Layout, Message, Node, Storage, Tag, Tagged};

type Key = Vec<u8>;

/// What replicas were asked, and by that what their answers promise to have on disk: a write is acknowledged, and a value shown, once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    written: BTreeMap<Request, Write>,
    read: BTreeMap<Request, Key>,
}

/// The replica, the coordinator, its incarnation and number, and the version of the layout: an answer with another one promises nothing.
type Request = (NodeId, NodeId, [u64; 4]);

#[derive(Clone, Debug)]
struct Write {
    key: Key,
    tag: Tag,
    /// Whom it is kept for.
    owner: Option<NodeId>,
}

/// What a message says, as far as it matters here.
enum Said {
    Write(Write),
    Written,
    Read(Key),
    Found(Tag),
    Other,
}

impl Promises {
    /// A node sends a message to another: `shadows` are what the disks hold, in the order of the nodes. Returns the bytes of a value on its way.
    pub(crate) fn check<L: Layout, S: Storage>(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: &Message<'_, Tagged<u64>>,
        shadows: &[Node<Tagged<u64>, L, S>],
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
                let has = |shadow| has(shadow, &write.key, write.tag);
                let is_durable = match write.owner {
                    Some(owner) => keeps(&shadows[own], owner, write) || shadows.iter().any(has),
                    None => has(&shadows[own]) || !holds(&write.key),
                };
                if !is_durable {
                    return Err(format!(
                        "node {from} acknowledges {write:?}, which is not durable"
                    ));
                }
            }
            Said::Found(tag) => {
                let Some(key) = self.read.get(&answered) else { return Ok(None) };
                if !has(&shadows[own], key, tag) && holds(key) {
                    return Err(format!(
                        "node {from} shows {tag:?} of {key:?}, which is not durable"
                    ));
                }
            }
            Said::Other => {}
        }
        Ok(None)
    }
}

/// Whether a disk holds a value that is as late, or is past the clock up to which they are forgotten.
fn has<L: Layout, S: Storage>(shadow: &Node<Tagged<u64>, L, S>, key: &[u8], tag: Tag) -> bool {
    shadow.local(key).is_some_and(|value| value.tag() >= tag)
        || shadow.status().floor >= tag.number()
}

/// Whether a disk holds a hint that is as late.
fn keeps<L: Layout, S: Storage>(
    shadow: &Node<Tagged<u64>, L, S>,
    owner: NodeId,
    write: &Write,
) -> bool {
    let hint = |bytes: &[u8]| -> Result<(NodeId, Key, Tag), DecodeError> {
        let mut input = Reader::new(bytes);
        input.u8()?;
        let owner = NodeId::new(input.u64()?);
        Ok((owner, input.bytes()?.to_vec(), Tagged::<u64>::from_slice(input.bytes()?)?.tag()))
    };
    crate::subject::encoded(shadow).iter().any(|record| {
        record.first() == Some(&1)
            && hint(record)
                .is_ok_and(|(of, key, tag)| of == owner && key == write.key && tag >= write.tag)
    })
}

/// Reads a message from its bytes, as a peer would that is not of this crate: see the tables of the wire format.
fn read(bytes: &[u8]) -> Result<([u64; 4], Said), DecodeError> {
    let mut input = Reader::new(bytes);
    let header = [input.u64()?, input.u64()?, input.u64()?, input.u64()?];
    let tag = |bytes: &[u8]| Tagged::<u64>::from_slice(bytes).map(|value| value.tag());
    let said = match input.u8()? {
        0 => {
            input.u8()?; // whether it is a repair
            let key = input.bytes()?.to_vec();
            Said::Write(Write { key, tag: tag(input.bytes()?)?, owner: None })
        }
        1 => {
            let owner = NodeId::new(input.u64()?);
            let key = input.bytes()?.to_vec();
            Said::Write(Write { key, tag: tag(input.bytes()?)?, owner: Some(owner) })
        }
        2 => Said::Written,
        3 => match input.u8()? {
            0 => Said::Read(input.bytes()?.to_vec()),
            _ => Said::Other, // it is answered with what is kept for another
        },
        4 => match input.u8()? {
            0 => Said::Other,
            _ => Said::Found(tag(input.bytes()?)?),
        },
        _ => Said::Other,
    };
    Ok((header, said))
}
