//! A logarithm in integers, for rendezvous hashing with weights.

/// Steps of the table.
const STEPS: usize = 128;

/// log2(1 + i/128) in units of 2^-32, rounded down; the last is 1.
#[allow(clippy::indexing_slicing)] // the compiler evaluates it
const TABLE: [u32; STEPS + 1] = {
    let mut table = [u32::MAX; STEPS + 1];
    let mut step = 0;
    while step < STEPS {
        table[step] = log2_of((STEPS + step) as u64);
        step += 1;
    }
    table
};

/// log2(x/128) of an x from 128 to 255, bit by bit: the square of a number has twice its logarithm.
#[allow(clippy::arithmetic_side_effects)] // the compiler evaluates it
const fn log2_of(x: u64) -> u32 {
    let mut square = (x as u128) << 56; // 1 is 2^63
    let mut log = 0;
    let mut bit = 0;
    while bit < u32::BITS {
        square = (square * square) >> 63;
        log <<= 1;
        if square >= 1 << 64 {
            square >>= 1;
            log |= 1;
        }
        bit += 1;
    }
    log
}

/// -log2(x / 2^64) in units of 2^-32, where 0 counts as 1. It never grows with x.
///
/// Between the steps of the table it is a straight line, and too large by at most 0.2 % and three units.
#[allow(clippy::arithmetic_side_effects)] // 33 bits and less, and `log` is less than the 2^32 that it is taken from
pub(crate) fn neg_log2(x: u64) -> u64 {
    let x = x.max(1);
    let zeros = x.leading_zeros();
    let fraction = (x << zeros) << 1; // behind the leading one
    let step = usize::try_from(fraction >> 57).unwrap_or(0); // seven bits
    let rest = (fraction >> 25) & 0xffff_ffff;
    let Some([low, high, ..]) = TABLE.get(step..) else { return 0 };
    let (low, high) = (u64::from(*low), u64::from(*high));
    let log = low + (((high - low) * rest) >> 32);
    ((u64::from(zeros) + 1) << 32) - log
}
