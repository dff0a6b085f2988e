use super::Slot;

/// What this node proposed as a leader, and has not heard the end of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Proposals {
    /// That of the ballot in which it leads, or has led last.
    epoch: u64,
    /// The last slot for which it proposed something new in that.
    through: Slot,
    /// Earlier ones are decided when this slot was applied; 0 if there are none.
    pending: Slot,
    pending_before: u64,
    /// The last slot that a snapshot from another node covers.
    pub(super) installed: Slot,
}

impl Proposals {
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) const fn begin(&mut self, epoch: u64) {
        (self.epoch, self.through) = (epoch, 0);
    }

    #[inline]
    pub(super) const fn made(&mut self, slot: Slot) {
        self.through = slot;
    }

    /// It leads no more.
    pub(super) fn end(&mut self) {
        if self.through > 0 {
            self.pending = self.pending.max(self.through);
            self.pending_before = self.epoch.saturating_add(1);
            self.through = 0;
        }
    }

    /// The configuration has ended at this slot: nothing that was proposed for later ones is chosen.
    pub(super) fn cut(&mut self, last: Slot) {
        self.pending = self.pending.min(last);
    }

    /// How far entries may be given before it must be told that all are decided.
    pub(super) const fn limit(&self, applied: Slot) -> Slot {
        if self.pending > applied { self.pending } else { Slot::MAX }
    }

    /// Everything that was proposed before is decided: before which epoch, and up to which slot only a snapshot tells.
    pub(super) fn take_decided(&mut self, applied: Slot) -> Option<(u64, Slot)> {
        if self.pending == 0 || applied < self.pending {
            return None;
        }
        self.pending = 0;
        Some((self.pending_before, self.installed))
    }
}
