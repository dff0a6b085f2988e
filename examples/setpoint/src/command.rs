use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};

/// A change to the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Nothing: when it is applied, everything before it is.
    Noop,
    /// The set-point is this from now on.
    Set(i64),
    /// The counter grows by this.
    Add(i64),
}

/// A change, as it is in the log: whose it is, so that it is made once however often it is proposed (Raft thesis, 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// The node that the command was given to.
    pub node: NodeId,
    /// How often that node had been started.
    pub boot: u64,
    /// Which of its commands since then, from 1.
    pub serial: u64,
    /// What is to be done.
    pub change: Change,
}

impl<'a> Wire<'a> for Command {
    fn encode(&self, out: &mut Writer<'_>) {
        let (kind, value) = match self.change {
            Change::Noop => (0, 0),
            Change::Set(value) => (1, value),
            Change::Add(value) => (2, value),
        };
        out.u8(kind);
        out.u64(zigzag(value));
        out.u64(self.node.get());
        out.u64(self.boot);
        out.u64(self.serial);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = input.u8()?;
        let value = unzigzag(input.u64()?);
        let change = match kind {
            0 if value == 0 => Change::Noop,
            1 => Change::Set(value),
            2 => Change::Add(value),
            _ => return Err(DecodeError::Invalid),
        };
        let node = NodeId::new(input.u64()?);
        let (boot, serial) = (input.u64()?, input.u64()?);
        Ok(Self { node, boot, serial, change })
    }
}

/// Small numbers of both signs as small numbers, as postcard has them.
pub(crate) const fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ value.wrapping_shr(63)).cast_unsigned()
}

pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}
