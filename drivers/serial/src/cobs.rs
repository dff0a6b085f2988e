//! Consistent overhead byte stuffing, a byte at a time, without a second buffer. Ours because the crates that do it slice or panic in
//! states they never reach, and an image without a panic cannot have that; the tests compare with one of them.

/// Takes zeros out of bytes. Yields neither a leading nor a closing zero.
#[derive(Clone, Debug)]
pub(crate) struct CobsEncoder<'a> {
    /// What is left of the current block.
    block: &'a [u8],
    /// What comes after it, `None` when it is the last.
    rest: Option<&'a [u8]>,
}

/// Bytes of a block, at most.
const BLOCK: usize = 254;

impl<'a> CobsEncoder<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { block: &[], rest: Some(bytes) }
    }
}

impl Iterator for CobsEncoder<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some((&byte, block)) = self.block.split_first() {
            self.block = block;
            return Some(byte);
        }
        let rest = self.rest?;
        let run = rest.iter().take(BLOCK).take_while(|&&byte| byte != 0).count();
        let (block, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        self.block = block;
        self.rest = match after.split_first() {
            None => None,
            // a full block stands for no zero
            Some(_) if run == BLOCK => Some(after),
            Some((_, after)) => Some(after),
        };
        // at most 255
        u8::try_from(run.saturating_add(1)).ok()
    }
}

/// Puts the zeros back in.
#[derive(Clone, Debug)]
pub(crate) struct CobsDecoder {
    /// Bytes to come before the next code.
    left: u8,
    /// A zero is due before the next block, if there is one.
    zero: bool,
}

/// What a byte stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decoded {
    Code,
    Byte(u8),
}

impl CobsDecoder {
    pub(crate) const NEW: Self = Self { left: 0, zero: false };

    /// Takes a byte other than zero.
    pub(crate) fn push(&mut self, byte: u8) -> Decoded {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Decoded::Byte(byte);
        }
        let zero = self.zero;
        self.left = byte.saturating_sub(1);
        self.zero = byte != u8::MAX;
        if zero { Decoded::Byte(0) } else { Decoded::Code }
    }

    /// Whether a frame may end here.
    pub(crate) const fn complete(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn unstuff(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut state = CobsDecoder::NEW;
        let mut out = Vec::new();
        for &byte in bytes {
            if let Decoded::Byte(byte) = state.push(byte) {
                out.push(byte);
            }
        }
        state.complete().then_some(out)
    }

    fn some_zeros() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>(), 1_u8..=255, Just(1)], 0..700)
    }

    fn few_zeros() -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(1_u8..=255, 240..800), any::<prop::sample::Index>()).prop_map(
            |(mut bytes, at)| {
                let at = at.index(bytes.len());
                bytes[at] = 0;
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn output_matches_another_cobs_library(bytes in prop_oneof![some_zeros(), few_zeros()]) {
            let ours: Vec<u8> = CobsEncoder::new(&bytes).collect();
            let theirs: Vec<u8> = corncobs::encode_iter(&bytes).collect();
            prop_assert!(!ours.contains(&0));
            prop_assert_eq!(&ours[..], &theirs[..theirs.len() - 1]);
            prop_assert_eq!(unstuff(&ours), Some(bytes));
        }
    }

    #[test]
    fn exactly_full_block_round_trips() {
        for len in [253, 254, 255, 508, 509] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 255) as u8 + 1).collect();
            let stuffed: Vec<u8> = CobsEncoder::new(&bytes).collect();
            assert_eq!(unstuff(&stuffed), Some(bytes));
        }
    }
}
