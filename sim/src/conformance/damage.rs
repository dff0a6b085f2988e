//! Bytes that are not what a machine sent.

use quorate_core::{Rng, Writer};

/// Numbers that honest nodes do not reach, or just reach: what fits 32 bits, what does not, the greatest
/// of the protocols, which stay below 2^62, and the greatest of all.
const LARGE: [u64; 5] = [0xffff_ffff, 1 << 32, (1 << 62) - 1, 1 << 62, u64::MAX];

/// The bytes with one to three faults: flipped, missing and additional bytes, small numbers in place
/// of others.
pub(super) fn damage(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        let byte = rng.next_u64().to_le_bytes()[0];
        match (rng.below(6), bytes.get_mut(at)) {
            (0, Some(_)) => bytes.truncate(at),
            (1, Some(_)) => drop(bytes.remove(at)),
            (2, Some(old)) => *old ^= 1 << (byte % 8),
            (3, Some(old)) => *old = byte % 4,
            (4, Some(old)) => *old = byte,
            _ => bytes.insert(at, byte % 8),
        }
    }
    bytes
}

/// The bytes with a large number in place of one of the numbers, as far as all of them are numbers.
pub(super) fn raise(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    // the last byte of each number is below 0x80
    let mut numbers = bytes.split_inclusive(|byte| *byte < 0x80);
    let raised = rng.below(numbers.clone().count() as u64) as usize;
    let before = numbers.by_ref().take(raised).flatten().copied().collect();
    numbers.next();
    let large = LARGE[rng.below(LARGE.len() as u64) as usize];
    [before, encoded(large), numbers.flatten().copied().collect()].concat()
}

fn encoded(number: u64) -> Vec<u8> {
    let mut bytes = [0; 10];
    let mut out = Writer::new(&mut bytes);
    out.u64(number);
    let len = out.needed();
    bytes.iter().take(len).copied().collect()
}

/// Few bytes out of nothing, most of them small: those are what lengths, tags and counters are.
pub(super) fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let (len, most) = (rng.below(24), rng.range(2, 20));
    let byte = |rng: &mut Rng| {
        let number = if rng.chance(1, 12) { rng.next_u64() } else { rng.below(most) };
        number.to_le_bytes()[0]
    };
    (0..len).map(|_| byte(rng)).collect()
}
