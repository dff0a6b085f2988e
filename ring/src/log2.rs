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

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::neg_log2;
    use quorate_core::Rng;

    /// In units of 2^-32, from floating-point numbers, which are near 1 not exact enough unless the distance is taken.
    fn exact(x: u64) -> f64 {
        let unit = (1_u64 << 32) as f64;
        if x < 1 << 63 {
            return (64.0 - (x as f64).log2()) * unit;
        }
        let missing = (u64::MAX - x) as f64 + 1.0;
        -(-missing / 2_f64.powi(64)).ln_1p() / core::f64::consts::LN_2 * unit
    }

    fn samples() -> impl Iterator<Item = u64> {
        let mut rng = Rng::new(1);
        let near_powers = (0..64).flat_map(|bit| (0..3).map(move |off| (1_u64 << bit) - 1 + off));
        let near_one = (0..64).map(|bit| u64::MAX - ((1_u64 << bit) - 1));
        let random = (0..60_000).flat_map(move |n| {
            let x = rng.next_u64() >> (n % 64);
            [x, u64::MAX - x]
        });
        near_powers.chain(near_one).chain(random)
    }

    #[test]
    fn logarithm_is_too_large_by_at_most_what_is_said() {
        let mut largest = 0.0_f64;
        for x in samples().filter(|x| *x > 0) {
            let (found, exact) = (neg_log2(x) as f64, exact(x));
            // 64 bits and more of a small number's logarithm do not fit a floating-point number: a thousandth of a unit is forgiven
            assert!(found >= exact - 0.001, "{x}: {found} is below {exact}");
            assert!(found <= exact * 1.002 + 3.0, "{x}: {found} is above {exact}");
            if exact > 1e6 {
                largest = largest.max(found / exact - 1.0);
            }
        }
        assert!(largest > 0.0018, "the bound is no larger than it must be: {largest}");
        assert_eq!((neg_log2(0), neg_log2(1)), (64 << 32, 64 << 32));
        assert!(neg_log2(u64::MAX) > 0);
    }

    #[test]
    fn logarithm_never_grows_with_its_number() {
        let mut all: std::vec::Vec<u64> =
            samples().flat_map(|x| [x, x.saturating_add(1)]).collect();
        all.sort_unstable();
        for pair in all.windows(2) {
            assert!(neg_log2(pair[0]) >= neg_log2(pair[1]), "{pair:?}");
        }
    }
}
