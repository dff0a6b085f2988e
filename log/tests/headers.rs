//! Headers of protocols that exist for these tests only.

use quorate_core::{DecodeError, Reader, Writer};
use quorate_log::{Header, Index, MAX_HEADER_LEN};

/// A header that tests can make.
pub(crate) trait TestHeader: for<'a> Header<Entry<'a> = TestEntry<'a>> {
    fn new(tag: u64, len: usize) -> Self;
    fn tag_of(tag: u64) -> Self::Tag;
    /// What an entry shows of its tag.
    fn shown(tag: u64) -> u64;
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TestEntry<'a> {
    pub index: Index,
    pub tag: u64,
    pub data: &'a [u8],
}

/// Entries with a tag, as Raft's have: two varints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Tagged {
    tag: u64,
    len: usize,
}

/// Entries with a kind and no tag, as those of a protocol that keeps ballots elsewhere: one varint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Untagged {
    is_command: bool,
    len: usize,
}

impl TestHeader for Tagged {
    fn new(tag: u64, len: usize) -> Self {
        Self { tag, len }
    }

    fn tag_of(tag: u64) -> u64 {
        tag
    }

    fn shown(tag: u64) -> u64 {
        tag
    }
}

impl TestHeader for Untagged {
    fn new(tag: u64, len: usize) -> Self {
        Self { is_command: !tag.is_multiple_of(3), len }
    }

    fn tag_of(_tag: u64) {}

    fn shown(_tag: u64) -> u64 {
        0
    }
}

impl Header for Tagged {
    type Tag = u64;
    type Entry<'a> = TestEntry<'a>;
    const MAX_LEN: usize = 20;

    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let tag = input.u64()?;
        let len = usize::try_from(input.u64()?).map_err(|_| DecodeError::Truncated)?;
        Ok((Self { tag, len }, (bytes.len() - input.rest().len()).saturating_add(len)))
    }

    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
        encode(|out| {
            out.u64(self.tag);
            out.u64(self.len as u64);
        })
    }

    fn tag(self) -> u64 {
        self.tag
    }

    fn data_len(self) -> usize {
        self.len
    }

    fn is_command(self) -> bool {
        true
    }

    fn entry(self, index: Index, data: &[u8]) -> TestEntry<'_> {
        TestEntry { index, tag: self.tag, data }
    }
}

impl Header for Untagged {
    type Tag = ();
    type Entry<'a> = TestEntry<'a>;
    const MAX_LEN: usize = 10;

    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let number = input.u64()?;
        let len = usize::try_from(number >> 1).map_err(|_| DecodeError::Truncated)?;
        let size = (bytes.len() - input.rest().len()).saturating_add(len);
        Ok((Self { is_command: number & 1 == 1, len }, size))
    }

    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
        encode(|out| out.u64((self.len as u64) << 1 | u64::from(self.is_command)))
    }

    fn tag(self) {}

    fn data_len(self) -> usize {
        self.len
    }

    fn is_command(self) -> bool {
        self.is_command
    }

    fn entry(self, index: Index, data: &[u8]) -> TestEntry<'_> {
        TestEntry { index, tag: 0, data }
    }
}

fn encode(write: impl FnOnce(&mut Writer<'_>)) -> ([u8; MAX_HEADER_LEN], usize) {
    let mut bytes = [0; MAX_HEADER_LEN];
    let mut out = Writer::new(&mut bytes);
    write(&mut out);
    let len = out.needed();
    (bytes, len)
}
