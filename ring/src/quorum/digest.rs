use core::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// A hash of a key and its value, the same on machines of 32 and 64 bits and of either byte order. Another salt gives another hash, so that
/// two values that have one by chance do not have it for ever.
pub(crate) fn digest(salt: u64, key: &[u8], value: &impl Hash) -> u64 {
    let mut hasher = Portable(SipHasher13::new_with_keys(salt, 0));
    key.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

/// Numbers in little-endian bytes, `usize` as 64 bits.
struct Portable(SipHasher13);

impl Hasher for Portable {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_u16(&mut self, value: u16) {
        self.write(&value.to_le_bytes());
    }

    fn write_u32(&mut self, value: u32) {
        self.write(&value.to_le_bytes());
    }

    fn write_u64(&mut self, value: u64) {
        self.write(&value.to_le_bytes());
    }

    fn write_u128(&mut self, value: u128) {
        self.write(&value.to_le_bytes());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}
