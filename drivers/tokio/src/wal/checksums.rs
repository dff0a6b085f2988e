//! The checksum of any part of a tail, each without reading that part.

use std::io;

use super::disk::DiskFile;
use super::window::Window;

/// Between two checksums that are kept, in bytes: at most as many are read for one that is asked for.
pub(crate) const BLOCK: usize = 512;

/// Checksums of what is from one offset to each later one.
///
/// A log's tail may hold whatever clients wrote, such as thousands of headers that look like a later batch's, each with a length of
/// megabytes. To read each of those records would take the square of the tail's length.
///
/// CRC-32C is linear: with `f(s, b)` for the checksum of `b` that goes on from `s`, and `X` for a shift by the length of `b` in bits,
/// `f(s, b) = s·X ⊕ f(0, b)`. So with `P(x)` for the checksum of the tail up to `x`, that of what is between `a` and `b` is
/// `f(s, a..b) = (s ⊕ P(a))·X ⊕ P(b)` (as zlib's `crc32_combine` uses it).
pub(crate) struct Checksums {
    from: u64,
    /// At each multiple of [`BLOCK`] from there.
    prefix: Vec<u32>,
}

impl Checksums {
    /// Reads a file from an offset to its end.
    pub(crate) fn read<F: DiskFile>(window: &mut Window<'_, F>, from: u64) -> io::Result<Self> {
        let (mut prefix, mut sum, mut at) = (vec![0], 0, from);
        loop {
            let bytes = window.at_most(at, BLOCK)?;
            if bytes.len() < BLOCK {
                return Ok(Self { from, prefix });
            }
            sum = crc32c::crc32c_append(sum, bytes);
            at += BLOCK as u64;
            prefix.push(sum);
        }
    }

    /// The checksum of `len` bytes from an offset, that goes on from `seed`. Both ends are within what was read.
    pub(crate) fn of<F: DiskFile>(
        &self,
        (near, far): (&mut Window<'_, F>, &mut Window<'_, F>),
        (offset, len): (u64, usize),
        seed: u32,
    ) -> io::Result<u32> {
        let before = self.up_to(near, offset)?;
        let through = self.up_to(far, offset + len as u64)?;
        Ok(multiply(seed ^ before, shift_by(len as u64 * 8)) ^ through)
    }

    fn up_to<F: DiskFile>(&self, window: &mut Window<'_, F>, offset: u64) -> io::Result<u32> {
        let bytes = usize::try_from(offset - self.from).unwrap_or(usize::MAX);
        let block = (bytes / BLOCK).min(self.prefix.len() - 1);
        let start = block * BLOCK;
        let rest = window.at_most(self.from + start as u64, bytes - start)?;
        Ok(crc32c::crc32c_append(self.prefix[block], rest))
    }
}

/// The polynomial of CRC-32C, the least power in the highest bit, as everywhere below.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const ONE: u32 = 1 << 31;

/// The product of two polynomials, modulo [`POLYNOMIAL`].
const fn multiply(a: u32, mut b: u32) -> u32 {
    let (mut product, mut bit) = (0, ONE);
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 != 0 { (b >> 1) ^ POLYNOMIAL } else { b >> 1 };
        bit >>= 1;
    }
    product
}

/// `x` to a power, modulo [`POLYNOMIAL`].
const fn shift_by(mut power: u64) -> u32 {
    let (mut result, mut square) = (ONE, ONE >> 1);
    while power != 0 {
        if power & 1 != 0 {
            result = multiply(result, square);
        }
        square = multiply(square, square);
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn range_checksums_match_direct_computation() {
        let mut file = tempfile::tempfile().unwrap();
        let mut rng = quorate_core::Rng::new(7);
        let bytes: Vec<u8> = (0..5_000).map(|_| rng.range(0, 256) as u8).collect();
        io::Write::write_all(&mut file, &bytes).unwrap();
        let window = || Window::new(&file, bytes.len() as u64, 64);
        let from = 100;
        let sums = Checksums::read(&mut window(), from as u64).unwrap();
        for _ in 0..1_000 {
            let mut place = || from + rng.range(0, (bytes.len() - from + 1) as u64) as usize;
            let (a, b) = (place(), place());
            let (a, b) = (a.min(b), a.max(b));
            let seed = rng.range(0, 1 << 32) as u32;
            let sum = sums.of((&mut window(), &mut window()), (a as u64, b - a), seed).unwrap();
            assert_eq!(sum, crc32c::crc32c_append(seed, &bytes[a..b]), "{a}..{b}");
        }
    }
}
