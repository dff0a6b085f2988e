/// A place in the log, from 1; 0 before the first entry.
pub type Index = u64;

/// The highest index there is, 2^62 - 1; no honest cluster reaches it. Numbers on the wire are
/// checked against it, so that nothing overflows that goes on from there.
pub const MAX_INDEX: Index = (1 << 62) - 1;

/// The next number.
///
/// It does not overflow: numbers from peers and disks are checked against [`MAX_INDEX`]. Saturating
/// would take twice the code.
#[inline(always)]
pub(crate) const fn succ(number: u64) -> u64 {
    number.wrapping_add(1)
}
