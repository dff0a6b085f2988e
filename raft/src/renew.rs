//! A follower whose state is damaged asks its leader for a snapshot (as raft-rs has it; the thesis has leaders alone decide, chapter 5).

use quorate_core::{Instant, Rejected};

use crate::extras::Extra;
use crate::log::Log;
use crate::peer::Peer;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Replication, Role, SnapshotError, Term};

/// What a node wants, and what others want of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Renewal {
    /// This node wants a snapshot, and applies nothing until it has one.
    wanted: bool,
    /// The leader is due to be asked.
    due: bool,
    /// It is asked again then: messages get lost.
    again_at: Instant,
    /// The application is to be told that a snapshot up to here is wanted of it; 0 for none.
    pub(crate) asked: Index,
}

impl<S: Storage> Raft<S> {
    /// The application's state is damaged, or was lost: asks the leader for a snapshot of everything that was applied here, or more. Until that is
    /// [installed](Self::snapshot_installed) nothing more is applied, and no read is answered; votes and the log are as ever. The snapshot comes by
    /// [`Event::SnapshotChunk`](crate::Event::SnapshotChunk); the leader's application may be asked for a newer one by
    /// [`Event::SnapshotDue`](crate::Event::SnapshotDue). The question is repeated until it is answered, by whoever leads.
    ///
    /// While it waits, the node stands for election as if its [priority](crate::Config::priority) were three steps later, and takes no leadership that is transferred to it. If it
    /// is elected all the same, as the only one whose log is complete, it can be given no snapshot: with each heartbeat it tries to
    /// transfer its leadership to the member that has the most of the log, and until that succeeds `commit` moves on and `applied` does not.
    /// [`Status::awaits_snapshot`](crate::Status::awaits_snapshot) says so. After a restart the question is
    /// forgotten: ask again, if what was restored is no better.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::NotFollower`] at a leader, at a witness, which has no state, and on [`Fixed`](crate::Fixed) storage;
    /// [`SnapshotError::NoSource`] where no other member may lead, for a snapshot comes from a leader. Nothing was changed.
    pub fn request_snapshot(&mut self) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        if self.role == Role::Leader || self.membership.is_witness() {
            return Err(SnapshotError::NotFollower);
        }
        if self.extra.get().is_none() {
            return Err(SnapshotError::NotFollower);
        }
        if !self.members().iter().any(|m| m.id != self.id && m.membership.may_lead()) {
            return Err(SnapshotError::NoSource);
        }
        let Some(extras) = self.extra.get_mut() else { return Err(SnapshotError::NotFollower) };
        extras.renewal.wanted = true;
        extras.renewal.due = true;
        self.stir();
        // others stand for election first
        self.draw_election_timeout();
        self.work.all();
        Ok(())
    }

    /// Whether nothing is to be applied until a snapshot comes.
    #[inline]
    pub(crate) fn awaits_snapshot(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.renewal.wanted)
    }

    /// A snapshot was installed.
    pub(crate) fn renewed(&mut self) {
        let Some(extras) = self.extra.get_mut() else { return };
        if core::mem::take(&mut extras.renewal.wanted) && self.role != Role::Leader {
            self.draw_election_timeout();
        }
    }

    /// A leader whose state is damaged can be given no snapshot: it transfers its leadership to a member that is heard.
    pub(crate) fn leave_if_damaged(&mut self) {
        if self.awaits_snapshot() && self.handover.is_none() {
            self.transfer_to_sound();
        }
    }

    #[cold]
    #[inline(never)]
    fn transfer_to_sound(&mut self) {
        let (now, limit) = (self.now, self.config.election_min_us);
        let heard = |peer: &&Peer| peer.membership.may_lead() && now.since(peer.heard) < limit;
        let heirs = self.peers.iter().filter(heard);
        if let Some(to) = heirs.max_by_key(|peer| peer.match_index).map(|peer| peer.id) {
            let _ = self.transfer(to);
        }
    }

    /// When the leader is to be asked again.
    pub(crate) fn renew_at(&self) -> Instant {
        match self.extra.get() {
            Some(extras) if extras.renewal.wanted && self.leader.is_some() => {
                extras.renewal.again_at
            }
            _ => Instant::MAX,
        }
    }

    /// Time has passed: the question may be lost.
    pub(crate) fn renew_again(&mut self) {
        if self.now >= self.renew_at()
            && let Some(extras) = self.extra.get_mut()
        {
            extras.renewal.due = true;
            self.work.extras();
        }
    }

    /// The question, if it is due.
    pub(crate) fn plan_renewal(&mut self) -> bool {
        let again_at = self.now.after(self.config.heartbeat_us);
        let Some(renewal) = self.extra.get_mut().map(|extras| &mut extras.renewal) else {
            return false;
        };
        let asks = renewal.wanted && core::mem::take(&mut renewal.due);
        if asks {
            renewal.again_at = again_at;
        }
        asks
    }

    /// A follower asks for a snapshot that covers at least `index`.
    #[cold]
    pub(crate) fn on_renew(
        &mut self,
        from: usize,
        term: Term,
        index: Index,
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if term == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if term != self.term || self.role != Role::Leader {
            return Ok(());
        }
        if index > self.log.last() {
            // it was committed there (3.6.3, leader completeness)
            return Err(Rejected::Impossible);
        }
        // who asks does not rest
        self.stir();
        let (now, snapshot, snapshot_term) = (self.now, self.snapshot, self.snapshot_term);
        let Some(peer) = self.peers.get_mut(from) else { return Ok(()) };
        peer.heard = now;
        if matches!(peer.replication, Replication::Snapshot | Replication::Halted)
            || peer.membership.is_witness()
        {
            return Ok(());
        }
        if snapshot == 0 || snapshot < index {
            if let Some(extras) = self.extra.get_mut() {
                extras.renewal.asked = index.max(1);
            }
            self.work.events();
            return Ok(());
        }
        if core::mem::replace(&mut peer.flow.renewed, true) {
            // one from a heartbeat to the next: it asks again
            return Ok(());
        }
        peer.start_transfer(snapshot, snapshot_term);
        peer.transfer.asked_for = true;
        // what it accepts of earlier messages does not mean that it has the snapshot
        self.fresh_round(from);
        self.work.all();
        Ok(())
    }
}
