use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Epoch;

/// What an election keeps on disk: the highest epoch this node has seen or claimed. One record, of 2 to 11 bytes, for each
/// change of leader.
///
/// It is what makes tokens grow across restarts, and what keeps a node from accepting two leaders in one epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Record {
    /// The highest epoch.
    pub epoch: Epoch,
}

impl<'a> Wire<'a> for Record {
    fn encode(&self, out: &mut Writer<'_>) {
        self.epoch.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: Epoch::decode(input)? })
    }
}
