//! Bytes that are not what a machine sent.

use quorate_core::Rng;

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

/// Few bytes out of nothing, most of them small: those are what lengths, tags and counters are.
pub(super) fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let (len, most) = (rng.below(24), rng.range(2, 20));
    let byte = |rng: &mut Rng| {
        let number = if rng.chance(1, 12) { rng.next_u64() } else { rng.below(most) };
        number.to_le_bytes()[0]
    };
    (0..len).map(|_| byte(rng)).collect()
}
