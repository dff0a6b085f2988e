use core::hash::Hasher as _;

use quorate_core::NodeId;
use siphasher::sip::SipHasher13;

use crate::{KeyHash, Member};

/// A hash of what a placement consists of, the same on every machine: numbers of 64 bits, low bytes first, and lengths before
/// what varies in length, so that no two placements write the same bytes.
pub(crate) struct Fingerprint(SipHasher13);

impl Fingerprint {
    /// Of a scheme with this name.
    pub(crate) fn of(scheme: &str) -> Self {
        let mut fingerprint = Self(SipHasher13::new());
        fingerprint.bytes(scheme.as_bytes());
        fingerprint
    }

    pub(crate) fn number(&mut self, number: impl Into<u64>) {
        self.0.write(&number.into().to_le_bytes());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.write(bytes);
    }

    pub(crate) fn hash(&mut self, hash: KeyHash) {
        hash.key().into_iter().for_each(|half| self.number(half));
    }

    /// A node, or that there is none.
    pub(crate) fn node(&mut self, node: Option<NodeId>) {
        self.number(node.is_some());
        self.number(node.map_or(0, NodeId::get));
    }

    pub(crate) fn members(&mut self, members: &[Member]) {
        self.length(members.len());
        for Member { id, weight, zone } in members {
            self.number(id.get());
            self.number(*weight);
            self.number(zone.get());
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0.finish()
    }
}
