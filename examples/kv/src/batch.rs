use quorate_core::{DecodeError, Reader};

use crate::op::Op;
use crate::reply::Protocol;

/// Commands that one client sent together: they are executed together, in their order, and answered together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Encoded operations, one after the other.
    pub(crate) ops: Vec<u8>,
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    /// Steps that its operations take, as far as that can be told before.
    pub(crate) work: u64,
    /// How the replies are encoded.
    pub(crate) protocol: Protocol,
}

/// The operations of a run of encoded ones. Stops at what does not parse.
#[derive(Clone)]
pub(crate) struct Ops<'a>(Reader<'a>);

impl Batch {
    /// Operations that came from a peer, checked to the last byte.
    pub(crate) fn parse(ops: &[u8], protocol: Protocol) -> Result<Self, DecodeError> {
        let mut batch = Self { protocol, ..Self::default() };
        let mut input = Reader::new(ops);
        while !input.rest().is_empty() {
            let op = Op::decode(&mut input)?;
            batch.count(op.is_write(), op.work());
        }
        batch.ops = ops.to_vec();
        Ok(batch)
    }

    /// Counts an operation that is among the bytes.
    pub(crate) fn count(&mut self, is_write: bool, work: u64) {
        // an operation has a byte at least, and a batch a few million
        let count = if is_write { &mut self.writes } else { &mut self.reads };
        *count = count.saturating_add(1);
        self.work = self.work.saturating_add(work);
    }

    pub(crate) fn len(&self) -> u32 {
        self.reads.saturating_add(self.writes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.writes == 0
    }

    pub(crate) fn ops(&self) -> Ops<'_> {
        Ops::new(&self.ops)
    }

    /// Whether these are its writes, as [`write_to`](Self::write_to) writes them.
    pub(crate) fn has_writes(&self, ops: &[u8]) -> bool {
        if self.reads == 0 {
            return self.ops == ops;
        }
        let mut writes = Vec::with_capacity(ops.len());
        self.write_to(&mut writes);
        writes == ops
    }

    /// Appends what belongs into the log: the writes alone.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        if self.reads == 0 {
            out.extend_from_slice(&self.ops);
            return;
        }
        let mut input = Reader::new(&self.ops);
        loop {
            let before = input.rest();
            match Op::decode(&mut input) {
                Ok(op) if op.is_write() => {
                    out.extend_from_slice(&before[..before.len() - input.rest().len()]);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

impl<'a> Ops<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// The bytes that are not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0.rest()
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Op<'a>;

    fn next(&mut self) -> Option<Op<'a>> {
        Op::decode(&mut self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::op::{SetCondition, put};

    #[test]
    fn only_writes_are_logged() {
        let (mut mixed, mut writes) = (Vec::new(), Vec::new());
        put::get(&mut mixed, b"a");
        put::set(&mut mixed, b"a", b"1", SetCondition::Always, false);
        put::dbsize(&mut mixed);
        put::add(&mut mixed, b"a", 1);
        put::set(&mut writes, b"a", b"1", SetCondition::Always, false);
        put::add(&mut writes, b"a", 1);
        let batch = Batch::parse(&mixed, Protocol::Resp2).unwrap();
        assert_eq!((batch.reads, batch.writes), (2, 2));
        let mut log = Vec::new();
        batch.write_to(&mut log);
        assert_eq!(log, writes);
        assert!(batch.has_writes(&writes) && !batch.has_writes(&mixed));
        let alone = Batch::parse(&writes, Protocol::Resp2).unwrap();
        assert!(alone.has_writes(&writes) && !alone.has_writes(&writes[1..]));
        mixed.push(99);
        assert!(Batch::parse(&mixed, Protocol::Resp2).is_err());
    }
}
