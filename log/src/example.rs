//! The header of the examples in the documentation: the one that the page of `Header` shows.

/// The hidden beginning of an example: `Head`, two bytes with a term and the length of the data.
macro_rules! example_header {
    () => {
        "# use quorate_core::DecodeError;
# use quorate_log::{Header, Index, MAX_HEADER_LEN};
# #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
# struct Head { term: u8, len: u8 }
# impl Header for Head {
#     type Tag = u8;
#     type Entry<'a> = (Index, &'a [u8]);
#     const MAX_LEN: usize = 2;
#     fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
#         let &[term, len, ..] = bytes else { return Err(DecodeError::Truncated) };
#         Ok((Self { term, len }, 2 + usize::from(len)))
#     }
#     fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
#         let mut bytes = [0; MAX_HEADER_LEN];
#         bytes[..2].copy_from_slice(&[self.term, self.len]);
#         (bytes, 2)
#     }
#     fn tag(self) -> u8 { self.term }
#     fn data_len(self) -> usize { self.len.into() }
#     fn is_command(self) -> bool { self.len > 0 }
#     fn entry(self, index: Index, data: &[u8]) -> (Index, &[u8]) { (index, data) }
# }"
    };
}
