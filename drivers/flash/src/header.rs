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

/// What a half's checksums cover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// A record's length and payload.
    One,
    /// Its place and its half's generation, too.
    Two,
}

impl Header {
    /// In place of a generation, for the checksum of the header itself.
    pub(crate) const SEED: u64 = 0;
    const MAGIC: [u8; 4] = *b"QFL2";
    const MAGIC_1: [u8; 4] = *b"QFL1";
    /// Bytes of its payload, always.
    pub(crate) const LEN: usize = 28;

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.raw(&Self::MAGIC);
        for number in [self.generation, self.identity.cluster, self.identity.node.get()] {
            out.raw(&number.to_le_bytes());
        }
    }

    pub(crate) fn decode(bytes: &[u8], version: Version) -> Option<Self> {
        let magic = match version {
            Version::One => Self::MAGIC_1,
            Version::Two => Self::MAGIC,
        };
        let mut input = Reader::new(bytes.strip_prefix(&magic)?);
        let mut number =
            || input.raw(8).ok()?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let (generation, cluster, node) = (number()?, number()?, number()?);
        input.finish().ok()?;
        Some(Self { generation, identity: Identity { cluster, node: NodeId::new(node) } })
    }
}
