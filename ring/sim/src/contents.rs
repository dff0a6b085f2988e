use std::collections::BTreeMap;

/// What a node has: of each key the number of the write that it has.
pub(crate) type Contents = BTreeMap<u8, u64>;

/// A write of a client: a number that grows, and whether it deletes the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) key: u8,
    pub(crate) number: u64,
    pub(crate) deletes: bool,
}

impl Write {
    pub(crate) const LEN: usize = 10;

    pub(crate) const fn put(key: u8, number: u64) -> Self {
        Self { key, number, deletes: false }
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [self.key, u8::from(self.deletes), 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[2..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    /// Those that stand one after the other.
    pub(crate) fn all(bytes: &[u8]) -> Vec<Self> {
        let one = |bytes: &[u8]| {
            let number = u64::from_le_bytes(bytes[2..].try_into().unwrap());
            Self { key: bytes[0], number, deletes: bytes[1] == 1 }
        };
        bytes.chunks(Self::LEN).map(one).collect()
    }

    pub(crate) fn apply(self, data: &mut Contents) {
        if self.deletes {
            data.remove(&self.key);
        } else {
            data.insert(self.key, self.number);
        }
    }
}

/// What clients know of a key.
#[derive(Default)]
pub(crate) struct Known {
    /// The highest number that was acknowledged or read.
    least: u64,
    /// The numbers of all writes, and whether they delete.
    writes: Vec<(u64, bool)>,
}

impl Known {
    /// A client wrote, and waits for the answer.
    pub(crate) fn called(&mut self, write: Write) {
        self.writes.push((write.number, write.deletes));
    }

    pub(crate) fn acknowledged(&mut self, number: u64) {
        self.least = self.least.max(number);
    }

    /// A client reads: never what is older than what was acknowledged or read before. A delete leaves nothing, and one that was not
    /// acknowledged may have been carried out.
    pub(crate) fn read(&mut self, found: Option<u64>) -> Result<(), String> {
        let least = self.least;
        let error = || Err(format!("{found:?} is there, and {least} was before"));
        match found {
            Some(number) if number < least => return error(),
            Some(number) if !self.writes.contains(&(number, false)) => {
                return Err(format!("{number} was never written"));
            }
            Some(number) => self.least = number,
            None => {
                let mut later = self.writes.iter().filter(|write| write.0 >= least);
                if least > 0 && !later.any(|write| write.1) {
                    return error();
                }
            }
        }
        Ok(())
    }
}
