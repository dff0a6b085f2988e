use quorate_core::NodeId;

/// The keys from `start` up to but not including `end`, and the nodes that hold them.
///
/// Keys are compared byte by byte, and a key is greater than each of its prefixes.
///
/// ```
/// use quorate_ring::ranges::KeyRange;
/// let range = KeyRange { start: b"G", end: Some(b"M"), nodes: &[] };
/// assert!(range.contains(b"G") && range.contains(b"Lzzz"));
/// assert!(!range.contains(b"Fzzz") && !range.contains(b"M"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyRange<'a> {
    /// The first key.
    pub start: &'a [u8],
    /// The first key behind the range; `None` for the last range.
    pub end: Option<&'a [u8]>,
    /// The nodes that hold the range, the owner first.
    pub nodes: &'a [NodeId],
}

impl KeyRange<'_> {
    /// Whether a key is in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start <= key && self.end.is_none_or(|end| key < end)
    }
}
