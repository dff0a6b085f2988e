//! Flow control: what is on its way to a peer, when that counts as lost, and how much is sent at once.
//!
//! The thesis leaves it to the implementation how a leader makes up for lost messages (Raft thesis,
//! 3.5: it "retries indefinitely"). Here heartbeats do it, and only they: an answer to a refusal is
//! sent at once only where the refusal moved the search on, so that no two messages can cause each
//! other without time passing between them.

use quorate_core::{Fatal, Instant};

use crate::log::Log;
use crate::peer::Peer;
use crate::raft::{Raft, succ};
use crate::storage::Storage;
use crate::{Event, Index, Replication};

/// So many bytes on their way, at most, are sent again as soon as a heartbeat is answered and they are
/// not; each doubling of it gives them another heartbeat to arrive.
const PROMPT_BYTES_LOG2: u32 = 16;

/// An append of at most this is not made smaller any more, so none is below half of it but for those of a single entry.
const LEAST_APPEND_BYTES: usize = 32;

/// The limit of an append doubles after so many heartbeats without a loss.
const HEARTBEATS_TO_GROW: u8 = 32;

/// What a leader knows of the messages on their way to one peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Flow {
    /// The round in which the match index was acknowledged: what was sent in later ones was sent to a
    /// peer that has all that.
    pub(crate) matched_round: u64,
    /// Heartbeats that the peer answered while nothing of what is on its way was.
    stalled: u8,
    /// Appends are smaller than the configured limit by this power of two.
    shift: u8,
    /// Heartbeats without a loss.
    grown: u8,
    /// Something was sent again, and the match index has not moved since.
    missed: bool,
    /// What was sent again had not been lost: heartbeats overtake entries on this link.
    overtakes: bool,
    /// A refusal was followed by a probe, and neither a heartbeat nor progress came since.
    restarted: bool,
    /// A snapshot transfer was started at the peer's request since the last heartbeat.
    pub(crate) renewed: bool,
    /// The application is due to be told that the peer lost entries.
    loss_owed: bool,
}

impl Flow {
    /// The peer acknowledged more than before.
    #[inline]
    pub(crate) const fn advance(&mut self, round: u64) {
        self.matched_round = round;
        self.stalled = 0;
        self.missed = false;
        self.restarted = false;
    }

    /// Entries arrived that were sent again already: a heartbeat came before them.
    #[inline]
    pub(crate) const fn overtaken(&mut self) {
        self.overtakes = true;
    }

    /// How many bytes of entries an append may have.
    #[inline]
    pub(crate) const fn limit(&self, configured: usize) -> usize {
        configured >> (self.shift & 31)
    }

    /// So many bytes count as lost. The first time that may be chance; when the same happens to what is
    /// sent in their place, the message may be too long for the transport.
    fn miss(&mut self, bytes: u64, configured: usize) {
        self.grown = 0;
        self.stalled = 0;
        if core::mem::replace(&mut self.missed, true) {
            while self.limit(configured) > LEAST_APPEND_BYTES {
                self.shift = self.shift.saturating_add(1);
                if (self.limit(configured) as u64) < bytes {
                    break;
                }
            }
        }
    }

    /// Heartbeats for which so many bytes may be on their way, before they count as lost: the more
    /// bytes, and the more often they were sent, the longer.
    const fn patience(&self, bytes: u64) -> u32 {
        let doublings = u64::BITS.saturating_sub((bytes >> PROMPT_BYTES_LOG2).leading_zeros());
        let again = if self.shift < 3 { self.shift } else { 3 };
        doublings.saturating_add(self.overtakes as u32) << again
    }
}

impl Peer {
    /// The last entry on its way, if there are any.
    const fn sent(&self) -> Index {
        match self.replication {
            Replication::Replicate => self.next_index.saturating_sub(1),
            Replication::Probe => self.probed(),
            Replication::Snapshot | Replication::Halted => 0,
        }
    }

    /// While the logs are compared, no snapshot is on its way: the last entry of the probe that is, or
    /// 0 if it has none, is kept in the place of the snapshot's.
    pub(crate) const fn probed(&self) -> Index {
        self.transfer.index
    }

    /// A probe with entries up to this one is on its way.
    pub(crate) const fn set_probed(&mut self, last: Index) {
        self.transfer.index = last;
    }

    /// A heartbeat is due.
    pub(crate) fn count_heartbeat(&mut self, now: Instant, heartbeat_us: u64) {
        let silent_us = now.since(self.heard);
        let under_way = self.sent() > self.match_index;
        let flow = &mut self.flow;
        flow.restarted = false;
        flow.renewed = false;
        if !under_way {
            flow.stalled = 0;
        } else if silent_us > heartbeat_us.saturating_mul(3) {
            // the link was cut, and what was on it is gone
            flow.stalled = u8::MAX;
        } else if silent_us <= heartbeat_us.saturating_mul(2) {
            flow.stalled = flow.stalled.saturating_add(1);
        }
        if flow.shift != 0 && !flow.missed {
            flow.grown = flow.grown.saturating_add(1);
            if flow.grown >= HEARTBEATS_TO_GROW {
                flow.grown = 0;
                flow.shift = flow.shift.saturating_sub(1);
            }
        }
    }

    /// What it had acknowledged before it lost some of that.
    pub(crate) fn lost(&self) -> Option<Index> {
        (self.replication == Replication::Halted).then(|| self.next_index.saturating_sub(1))
    }
}

impl<S: Storage> Raft<S> {
    /// Whether what is on its way to a peer should have been answered by now.
    pub(crate) fn is_overdue(&self, peer: &Peer, sent: Index) -> bool {
        if !S::CHANGES {
            // a small log: what is on its way takes no time that counts
            return peer.flow.stalled > u8::from(peer.flow.overtakes);
        }
        let bytes = self.log.bytes_between(peer.match_index, sent);
        u32::from(peer.flow.stalled) > peer.flow.patience(bytes)
    }

    /// A peer's log agrees with this one's up to where it was probed.
    #[cold]
    pub(crate) fn start_streaming(&mut self, at: usize) {
        let Some(peer) = self.peers.get(at) else { return };
        let (matched, probed) = (peer.match_index, peer.probed());
        let overdue = self.is_overdue(peer, probed);
        let bytes = self.log.bytes_between(matched, probed);
        let configured = self.config.max_append_bytes;
        if probed > matched
            && let Some(peer) = self.peers.get_mut(at)
        {
            if overdue {
                if S::CHANGES {
                    peer.flow.miss(bytes, configured);
                }
            } else {
                // the entries of the probe are on their way still
                peer.next_index = peer.next_index.max(succ(probed));
            }
        }
        self.fresh_round(at);
    }

    /// A peer lacks what comes before `next`: looks for the place where the logs agree, from there on.
    ///
    /// While the search moves on it does not wait for anything. The first step back from streaming is
    /// taken at once as well; another one, without progress in between, waits for the next heartbeat.
    #[cold]
    pub(crate) fn back_up(&mut self, at: usize, next: Index) {
        let configured = self.config.max_append_bytes;
        let Some(peer) = self.peers.get(at) else { return };
        let bytes = self.log.bytes_between(peer.match_index, peer.sent());
        let Some(peer) = self.peers.get_mut(at) else { return };
        let streamed = peer.replication == Replication::Replicate;
        let before = peer.next_index;
        let waits = streamed && core::mem::replace(&mut peer.flow.restarted, true);
        if streamed && S::CHANGES {
            peer.flow.miss(bytes, configured);
        }
        peer.probe(next);
        peer.probing = waits || (!streamed && peer.next_index >= before);
        self.fresh_round(at);
    }

    /// A peer refuses what it acknowledged. If it was asked after that it lost entries; a refusal of
    /// what was sent before comes late.
    #[cold]
    pub(crate) fn reject_of_matched(&mut self, at: usize, round: u64) {
        let Some(peer) = self.peers.get_mut(at) else { return };
        if peer.replication == Replication::Halted || round <= peer.flow.matched_round {
            return;
        }
        peer.replication = Replication::Halted;
        peer.next_index = succ(peer.match_index);
        // what it acknowledged and answered counts for nothing any more
        (peer.match_index, peer.round) = (0, 0);
        peer.flow.loss_owed = true;
        self.losses_owed = true;
        self.drop_part();
        self.work.all();
    }

    /// The next peer that the application is to be told of.
    #[cold]
    pub(crate) fn next_loss(&mut self) -> Option<usize> {
        let at = self.peers.iter().position(|peer| peer.flow.loss_owed)?;
        if let Some(peer) = self.peers.get_mut(at) {
            peer.flow.loss_owed = false;
        }
        self.losses_owed = true;
        Some(at)
    }

    #[cold]
    pub(crate) fn loss_event(&self, at: usize) -> Event<'_> {
        match self.peers.get(at) {
            Some(peer) => {
                Event::PeerLostEntries { peer: peer.id, acknowledged: peer.lost().unwrap_or(0) }
            }
            None => Event::Fatal(Fatal::Invariant),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use quorate_core::NodeId;

    use super::*;
    use crate::Membership;
    use crate::raft::LIMIT;

    const MS: u64 = 1000;
    const HEARTBEAT_US: u64 = 50 * MS;

    fn with_shift(shift: u8) -> Flow {
        Flow { shift, ..Flow::default() }
    }

    /// A peer that just answered and has entries in flight.
    fn streaming(flow: Flow) -> Peer {
        let mut peer = Peer::new(NodeId::new(2), Membership::VOTER);
        peer.replication = Replication::Replicate;
        (peer.match_index, peer.next_index) = (5, 10);
        peer.flow = flow;
        peer
    }

    #[test]
    fn second_consecutive_loss_shortens_appends() {
        for (bytes, limit) in [(5000, 2048), (1025, 1024), (1024, 512), (1000, 512), (40, 32)] {
            let mut flow = Flow::default();
            flow.miss(bytes, 4096);
            assert_eq!(flow.limit(4096), 4096, "a single loss may be chance");
            flow.miss(bytes, 4096);
            assert_eq!(flow.limit(4096), limit, "{bytes} bytes were lost");
        }
    }

    #[test]
    fn single_loss_after_progress_does_not_shorten_appends() {
        let mut flow = Flow::default();
        flow.miss(1000, 4096);
        flow.advance(1);
        flow.miss(1000, 4096);
        assert_eq!(flow.limit(4096), 4096);
    }

    #[test]
    fn appends_are_not_shortened_below_the_minimum() {
        let mut flow = Flow::default();
        for _ in 0..9 {
            flow.miss(1, 4096);
        }
        assert_eq!(flow.limit(4096), LEAST_APPEND_BYTES);
    }

    #[test]
    fn each_doubling_of_bytes_in_flight_adds_a_heartbeat_of_patience() {
        let flow = Flow::default();
        let prompt = 1 << PROMPT_BYTES_LOG2;
        for (bytes, heartbeats) in [
            (0, 0),
            (prompt - 1, 0),
            (prompt, 1),
            (2 * prompt - 1, 1),
            (2 * prompt, 2),
            (16 * prompt, 5),
            (LIMIT, 47),
        ] {
            assert_eq!(flow.patience(bytes), heartbeats, "{bytes} bytes");
            let late = Flow { overtakes: true, ..flow };
            assert_eq!(late.patience(bytes), heartbeats + 1, "{bytes} bytes");
        }
    }

    #[test]
    fn shorter_appends_double_the_patience_up_to_eight_times() {
        for (shift, times) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 8), (11, 8)] {
            assert_eq!(with_shift(shift).patience(3 << PROMPT_BYTES_LOG2), 2 * times, "{shift}");
        }
    }

    #[test]
    fn heartbeats_are_counted_while_the_peer_answers_and_a_silent_peer_loses_its_window() {
        for (silent_us, stalled) in [
            (0, 3),
            (2 * HEARTBEAT_US, 3),
            // it may be unable to answer
            (2 * HEARTBEAT_US + 1, 2),
            (3 * HEARTBEAT_US, 2),
            (3 * HEARTBEAT_US + 1, u8::MAX),
        ] {
            let mut peer = streaming(Flow { stalled: 2, ..Flow::default() });
            peer.count_heartbeat(Instant::from_micros(silent_us), HEARTBEAT_US);
            assert_eq!(peer.flow.stalled, stalled, "{silent_us} us");
            // without entries in flight nothing is late
            peer.next_index = 6;
            peer.count_heartbeat(Instant::from_micros(silent_us), HEARTBEAT_US);
            assert_eq!(peer.flow.stalled, 0, "{silent_us} us");
        }
    }

    #[test]
    fn append_limit_doubles_after_some_heartbeats_without_a_loss() {
        let mut peer = streaming(with_shift(2));
        let mut shifts = Vec::new();
        for _ in 0..4 {
            for _ in 1..HEARTBEATS_TO_GROW {
                peer.count_heartbeat(Instant::ZERO, HEARTBEAT_US);
            }
            shifts.push(peer.flow.shift);
            peer.count_heartbeat(Instant::ZERO, HEARTBEAT_US);
            shifts.push(peer.flow.shift);
        }
        assert_eq!(shifts, [2, 1, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn append_limit_does_not_grow_before_a_loss_is_repaired() {
        let mut peer = streaming(Flow { missed: true, ..with_shift(2) });
        for _ in 0..=HEARTBEATS_TO_GROW {
            peer.count_heartbeat(Instant::ZERO, HEARTBEAT_US);
        }
        assert_eq!(peer.flow.shift, 2);
        peer.flow.advance(1);
        for _ in 0..HEARTBEATS_TO_GROW {
            peer.count_heartbeat(Instant::ZERO, HEARTBEAT_US);
        }
        assert_eq!(peer.flow.shift, 1);
    }
}
