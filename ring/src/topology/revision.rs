use core::fmt;
use core::hash::{Hash, Hasher};

/// The first one of a decoded value.
const DECODED: u64 = 1 << 63;

/// How many changes and merges a value has taken. It is not part of the state: equal lists may differ in it.
#[derive(Clone, Copy, Default)]
pub(super) struct Revision(u64);

impl Revision {
    pub(super) const fn of_decoded() -> Self {
        Self(DECODED)
    }

    #[cfg(feature = "crdt")]
    pub(super) const fn get(self) -> u64 {
        self.0
    }

    pub(super) const fn advance(&mut self) {
        self.0 = self.0.wrapping_add(1);
    }
}

impl PartialEq for Revision {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Revision {}

impl Hash for Revision {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
