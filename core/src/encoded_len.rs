//! How many bytes an encoding takes, for formulas that a program computes at compile time.

/// The length of a [varint](crate::Writer::u64), in bytes.
///
/// ```
/// use quorate_core::varint_len;
/// assert_eq!((varint_len(0), varint_len(127), varint_len(128)), (1, 1, 2));
/// ```
#[must_use]
pub const fn varint_len(mut value: u64) -> usize {
    let mut len = 1_usize;
    while value >= 0x80 {
        value >>= 7;
        len = len.saturating_add(1);
    }
    len
}

/// The encoded length of so many bytes with their length prefix, as [`Writer::bytes`](crate::Writer::bytes) writes
/// them; saturates at [`usize::MAX`].
///
/// ```
/// use quorate_core::{bytes_len, Writer};
/// let mut buffer = [0; 200];
/// let mut out = Writer::new(&mut buffer);
/// out.bytes(&[7; 130]);
/// assert_eq!(out.finish()?.len(), bytes_len(130));
/// # Ok::<(), quorate_core::Overflow>(())
/// ```
#[must_use]
pub const fn bytes_len(bytes: usize) -> usize {
    varint_len(bytes as u64).saturating_add(bytes)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::Writer;

    #[test]
    fn varint_len_is_what_is_written() {
        let edges = (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, u64::MAX >> bit]);
        for value in edges.collect::<Vec<u64>>() {
            let mut buffer = [0; 16];
            let mut out = Writer::new(&mut buffer);
            out.u64(value);
            assert_eq!(out.finish().unwrap().len(), varint_len(value), "{value}");
        }
    }

    #[test]
    fn longest_bytes_saturate() {
        assert_eq!(bytes_len(usize::MAX), usize::MAX);
    }
}
