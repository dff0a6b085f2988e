use core::fmt;
use core::marker::PhantomData;

use crate::index::succ;
use crate::{Header, Index};

/// A run of consecutive entries, in their encoded form.
///
/// Protocols name it for their own header, such as `quorate_raft::Entries`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entries<'a, H> {
    first: Index,
    count: u64,
    bytes: &'a [u8],
    header: PhantomData<H>,
}

impl<'a, H: Header> Entries<'a, H> {
    /// A run of `count` whole entries from `first` on. For protocols, which have validated the
    /// bytes: the iterator of a run that is cut short, or has other bytes in it, ends early.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 2, b"\x01\x02hi\x02\x05there");
    /// assert_eq!(run.iter().count(), 2);
    ///
    /// let cut_short = Entries::<Head>::new(7, 2, b"\x01\x02hi\x02\x05the");
    /// assert_eq!(cut_short.iter().count(), 1);
    /// ```
    #[must_use]
    pub const fn new(first: Index, count: u64, bytes: &'a [u8]) -> Self {
        Self { first, count, bytes, header: PhantomData }
    }

    /// The index of the first entry.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 1, b"\x01\x02hi");
    /// assert_eq!(run.first(), 7);
    /// ```
    #[must_use]
    pub const fn first(&self) -> Index {
        self.first
    }

    /// The index of the last entry; one before the first if there is none.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// assert_eq!(Entries::<Head>::new(7, 1, b"\x01\x02hi").last(), 7);
    /// assert_eq!(Entries::<Head>::new(7, 0, b"").last(), 6);
    /// ```
    #[must_use]
    pub const fn last(&self) -> Index {
        self.first.saturating_add(self.count).saturating_sub(1)
    }

    /// How many entries.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 2, b"\x01\x02hi\x02\x05there");
    /// assert_eq!(run.len(), 2);
    /// ```
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // each takes at least a byte of memory
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// assert!(Entries::<Head>::new(7, 0, b"").is_empty());
    /// assert!(!Entries::<Head>::new(7, 1, b"\x01\x02hi").is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded entries.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 1, b"\x01\x02hi");
    /// assert_eq!(run.bytes(), b"\x01\x02hi");
    /// ```
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Iterates over all entries in order, the protocol's own as well.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 2, b"\x01\x02hi\x02\x00");
    /// assert!(run.iter().eq([(7, &b"hi"[..]), (8, b"")]));
    /// ```
    #[must_use]
    pub const fn iter(&self) -> Iter<'a, H> {
        Iter { next: self.first, rest: self.bytes, header: PhantomData }
    }

    /// Iterates over the application's commands in order. The protocol's own entries are left out,
    /// so what was applied reaches to [`last`](Self::last), not to the last command.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Entries;
    /// let run = Entries::<Head>::new(7, 2, b"\x01\x02hi\x02\x00");
    /// assert!(run.commands().eq([(7, &b"hi"[..])]));
    /// assert_eq!(run.last(), 8);
    /// ```
    pub fn commands(&self) -> impl Iterator<Item = H::Entry<'a>> + use<'a, H> {
        let mut entries = self.iter();
        core::iter::from_fn(move || {
            let (index, header, data) = entries.next_command()?;
            Some(header.entry(index, data))
        })
    }
}

impl<'a, H: Header> Entries<'a, H> {
    /// Iterates over the application's commands in order, as index and bytes: for programs that do not know which protocol keeps
    /// the log. Otherwise as [`commands`](Self::commands).
    pub fn payloads(&self) -> impl Iterator<Item = (Index, &'a [u8])> + use<'a, H> {
        let mut entries = self.iter();
        core::iter::from_fn(move || {
            let (index, _, data) = entries.next_command()?;
            Some((index, data))
        })
    }
}

impl<'a, H: Header> IntoIterator for Entries<'a, H> {
    type Item = H::Entry<'a>;
    type IntoIter = Iter<'a, H>;
    fn into_iter(self) -> Iter<'a, H> {
        self.iter()
    }
}

impl<'a, H: Header> IntoIterator for &Entries<'a, H> {
    type Item = H::Entry<'a>;
    type IntoIter = Iter<'a, H>;
    fn into_iter(self) -> Iter<'a, H> {
        self.iter()
    }
}

impl<H: Header> fmt::Debug for Entries<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The entries of a run, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a, H> {
    next: Index,
    rest: &'a [u8],
    header: PhantomData<H>,
}

impl<'a, H: Header> Iter<'a, H> {
    #[inline(always)]
    fn next_parts(&mut self) -> Option<(Index, H, &'a [u8])> {
        let (header, size) = H::scan(self.rest).ok()?;
        let (entry, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        let index = self.next;
        self.next = succ(index);
        let data = entry.get(size.wrapping_sub(header.data_len())..)?;
        Some((index, header, data))
    }

    #[inline]
    pub(crate) fn next_command(&mut self) -> Option<(Index, H, &'a [u8])> {
        loop {
            let (index, header, data) = self.next_parts()?;
            if header.is_command() {
                return Some((index, header, data));
            }
        }
    }
}

impl<'a, H: Header> Iterator for Iter<'a, H> {
    type Item = H::Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<H::Entry<'a>> {
        let (index, header, data) = self.next_parts()?;
        Some(header.entry(index, data))
    }
}

/// The entries of a run as they are encoded, each with its tag.
#[derive(Clone, Debug)]
pub struct Encoded<'a, H> {
    rest: &'a [u8],
    header: PhantomData<H>,
}

impl<'a, H: Header> Encoded<'a, H> {
    /// Iterates over a run of entries. It ends at the first that is cut short or begins with no
    /// header, so a run from a peer or the disk is valid if [nothing is left](Self::rest) at the
    /// end.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Encoded;
    /// let entries = Encoded::<Head>::new(b"\x01\x02hi\x02\x00");
    /// assert!(entries.eq([(1, &b"\x01\x02hi"[..]), (2, b"\x02\x00")]));
    /// ```
    #[must_use]
    pub const fn new(run: &'a [u8]) -> Self {
        Self { rest: run, header: PhantomData }
    }

    /// The bytes that were not iterated over yet.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Encoded;
    /// /// What a protocol checks before [`Log::append`](quorate_log::Log::append).
    /// fn is_valid(run: &[u8]) -> bool {
    ///     let mut entries = Encoded::<Head>::new(run);
    ///     while entries.next().is_some() {}
    ///     entries.rest().is_empty()
    /// }
    /// assert!(is_valid(b"\x01\x02hi\x02\x00") && !is_valid(b"\x01\x02h"));
    /// ```
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::Encoded;
    /// let mut entries = Encoded::<Head>::new(b"\x01\x02hi\x02\x00");
    /// entries.next();
    /// assert_eq!(entries.rest(), b"\x02\x00");
    /// ```
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a, H: Header> Iterator for Encoded<'a, H> {
    type Item = (H::Tag, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(H::Tag, &'a [u8])> {
        let (header, size) = H::scan(self.rest).ok()?;
        let (entry, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some((header.tag(), entry))
    }
}
