//! The formulas of memory in the documentation, against what the compiler says: of 64 bits; smaller machines take less.

use crate::{Fixed, Inline, Raft};

/// Never more than the formulas of [`Inline`] and [`Fixed`], and not so much less that they are of no use.
fn check<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
>() {
    let content = LOG_BYTES + 4 * LOG_ENTRIES + CHUNK_BYTES;
    for (size, formula) in [
        (
            size_of::<Raft<Inline<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>>>(),
            256 * MEMBERS + 1480,
        ),
        (
            size_of::<Raft<Fixed<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>>>(),
            192 * MEMBERS + 896,
        ),
    ] {
        let size = size - content;
        assert!(size <= formula, "{size} > {formula}");
        assert!(formula <= size + size / 2, "{formula} is far above {size}");
    }
}

#[test]
fn inline_size_is_as_documented() {
    check::<1, 1024, 16, 64>();
    check::<3, 4096, 128, 256>();
    check::<5, 4096, 128, 256>();
    check::<15, 65536, 1024, 1024>();
}

#[test]
#[cfg(feature = "alloc")]
fn heap_size_is_as_documented() {
    use crate::member::Encoded;
    use crate::peer::Peer;

    assert!(size_of::<Raft<crate::Heap>>() <= 1480);
    // known twice: as of the snapshot, and as of one that arrives
    assert!(size_of::<Peer>() + 2 * size_of::<Encoded>() <= 192);
}
