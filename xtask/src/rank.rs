//! Orders that a number determines.

/// The place of a name in the order of a number: FNV-1a of both, finished as `splitmix64` does. A
/// name that is added or removed leaves the others in their order.
pub(crate) fn rank(order: u64, name: &str) -> u64 {
    let bytes = order.to_le_bytes().into_iter().chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
