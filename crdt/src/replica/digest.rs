use core::hash::{Hash, Hasher};

/// FNV-1a of 64 bits over the values as little-endian numbers, the same on 32 and 64 bits (Fowler, Noll, Vo, 1991). Two
/// builds that disagree about it only exchange more than they need.
pub(crate) fn digest(state: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    state.hash(&mut hasher);
    hasher.finish()
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
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

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write(&(value as i64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::digest;

    /// Of the little-endian bytes, whatever the machine.
    #[test]
    fn digest_is_fnv1a_of_little_endian_bytes() {
        let fnv = |bytes: &[u8]| {
            let start: u64 = 0xcbf2_9ce4_8422_2325;
            bytes
                .iter()
                .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        };
        assert_eq!(digest(&0x61u8), 0xaf63_dc4c_8601_ec8c, "the published value for `a`");
        assert_eq!(digest(&0x0201u16), fnv(&[1, 2]));
        assert_eq!(digest(&0x0403_0201u32), fnv(&[1, 2, 3, 4]));
        assert_eq!(digest(&0x0201u64), fnv(&[1, 2, 0, 0, 0, 0, 0, 0]));
        assert_eq!(digest(&0x0201usize), fnv(&[1, 2, 0, 0, 0, 0, 0, 0]));
        assert_eq!(digest(&-2i8), fnv(&[254]));
        assert_eq!(digest(&-2isize), fnv(&[254, 255, 255, 255, 255, 255, 255, 255]));
    }
}
