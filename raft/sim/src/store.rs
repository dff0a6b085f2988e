use std::collections::BTreeMap;

use quorate_core::{DecodeError, Reader, Wire, Writer};

/// The application: registers by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) applied: u64,
    registers: BTreeMap<u64, u64>,
}

/// An operation on one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put {
        value: u64,
    },
    /// Sets the register to `value` if it holds `expected`.
    Swap {
        expected: u64,
        value: u64,
    },
}

/// A command in the log. `padding` makes entries of many lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    pub(crate) operation: u64,
    pub(crate) key: u64,
    pub(crate) change: Change,
    pub(crate) padding: &'a [u8],
}

impl Store {
    /// What a witness holds: nothing.
    pub(crate) fn empty_at(applied: u64) -> Self {
        Self { applied, ..Self::default() }
    }

    pub(crate) fn get(&self, key: u64) -> u64 {
        self.registers.get(&key).copied().unwrap_or(0)
    }

    /// Applies a change; whether it took effect.
    pub(crate) fn apply(&mut self, key: u64, change: Change) -> bool {
        let register = self.registers.entry(key).or_default();
        match change {
            Change::Put { value } => *register = value,
            Change::Swap { expected, value } if *register == expected => *register = value,
            Change::Swap { .. } => return false,
        }
        true
    }

    /// All of it as bytes.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut bytes = vec![0; 20 + self.registers.len() * 20];
        let mut out = Writer::new(&mut bytes);
        out.u64(self.applied);
        out.u64(self.registers.len() as u64);
        for (key, value) in &self.registers {
            out.u64(*key);
            out.u64(*value);
        }
        let len = out.needed();
        bytes.truncate(len);
        bytes
    }

    pub(crate) fn load(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let applied = input.u64()?;
        let mut registers = BTreeMap::new();
        for _ in 0..input.u64()? {
            registers.insert(input.u64()?, input.u64()?);
        }
        input.finish()?;
        Ok(Self { applied, registers })
    }
}

impl<'a> Wire<'a> for Command<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.operation);
        out.u64(self.key);
        match self.change {
            Change::Put { value } => {
                out.u8(0);
                out.u64(value);
            }
            Change::Swap { expected, value } => {
                out.u8(1);
                out.u64(expected);
                out.u64(value);
            }
        }
        out.bytes(self.padding);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            operation: input.u64()?,
            key: input.u64()?,
            change: match input.u8()? {
                0 => Change::Put { value: input.u64()? },
                1 => Change::Swap { expected: input.u64()?, value: input.u64()? },
                _ => return Err(DecodeError::Invalid),
            },
            padding: input.bytes()?,
        })
    }
}
