use quorate_core::{NodeId, Reader, Writer};

/// Whose log it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity {
    /// The cluster's id.
    pub cluster: u64,
    /// The node.
    pub node: NodeId,
}

/// The first record of a half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// One more than the other half's when this one took over.
    pub(crate) generation: u64,
    pub(crate) identity: Identity,
}

impl Header {
    const MAGIC: [u8; 4] = *b"QFL1";
    /// Bytes of its payload, always.
    pub(crate) const LEN: usize = 28;

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.raw(&Self::MAGIC);
        for number in [self.generation, self.identity.cluster, self.identity.node.get()] {
            out.raw(&number.to_le_bytes());
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes.strip_prefix(&Self::MAGIC)?);
        let mut number =
            || input.raw(8).ok()?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let (generation, cluster, node) = (number()?, number()?, number()?);
        input.finish().ok()?;
        Some(Self { generation, identity: Identity { cluster, node: NodeId::new(node) } })
    }
}
