//! The formulas of memory in the documentation, against what the compiler says.

use crate::member::Encoded;
use crate::peer::Peer;
use crate::{Fixed, Inline, Raft};

/// What a member takes: of 64 bits, as everything here; smaller machines take less.
const MEMBER: usize = 192;

/// Never more than the formula of [`Inline`], and not so much less that it is of no use.
fn check<const MEMBERS: usize, const BYTES: usize, const ENTRIES: usize, const PART: usize>() {
    let formula = BYTES + 4 * ENTRIES + PART + MEMBER * MEMBERS + 896;
    for size in [
        size_of::<Raft<Inline<MEMBERS, BYTES, ENTRIES, PART>>>(),
        size_of::<Raft<Fixed<MEMBERS, BYTES, ENTRIES, PART>>>(),
    ] {
        assert!(size <= formula, "{size} > {formula}");
        assert!(formula - size <= 128 + 24 * MEMBERS, "{formula} is far above {size}");
    }
}

#[test]
fn inline_takes_what_is_documented() {
    check::<1, 1024, 16, 64>();
    check::<3, 4096, 128, 256>();
    check::<5, 4096, 128, 256>();
    check::<15, 65536, 1024, 1024>();
}

#[test]
#[cfg(feature = "alloc")]
fn the_heap_takes_what_is_documented() {
    assert!(size_of::<Raft<crate::Heap>>() <= 1152);
    // known twice: as of the snapshot, and as of one that arrives
    assert!(size_of::<Peer>() + 2 * size_of::<Encoded>() <= MEMBER);
}
