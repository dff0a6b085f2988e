//! Proposals through followers (Raft thesis, 6.2): whoever does not lead hands commands to its leader.

use quorate_core::{Instant, Rejected};
use quorate_log::{Header as _, Held};

use crate::beyond::Beyond;
use crate::entry::{Header, Run};
use crate::extras::Extra;
use crate::log::Log;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Entries, EntryKind, ForwardId, Index, Proposal, ProposeError, Role, Term};

/// What became of commands that were handed to the leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Forwarded {
    /// The leader proposed them: this is the first of them, and each of the others is at the next
    /// index. From here on they are what a leader's own proposals are:
    /// [`Committed`](crate::Event::Committed) brings each back (it may have done so before this
    /// event), or [`ProposalsDropped`](crate::Event::ProposalsDropped) tells that it never will.
    Proposed(Proposal),
    /// The leader did not propose them, and will not; or they never left, because the buffer was
    /// needed or the leader is another one. Try again.
    ///
    /// Which reason the leader has is not told: too much is uncommitted, its log is full, it
    /// transfers leadership, takes no commands as long as one of these, takes no forwarded ones, or
    /// none of this node, which is no member as far as it knows.
    /// [`Submissions`](quorate_log::submission::Submissions) give each of them as
    /// [`Busy`](quorate_log::SubmitError::Busy).
    Refused,
    /// They were sent, and the answer is not waited for any more: the leader is another one now or
    /// none, it did not answer for the longest election timeout, or it sends a part of a snapshot,
    /// which needs the buffer. They may be committed, or not. Forwarding them again may apply them
    /// twice, unless [sessions](crate::session) or numbers in the commands tell copies apart. The
    /// first commands after a restart may end so although the leader is well, if it has heard of
    /// this node in the same round before: it cannot tell them from late ones.
    Unknown,
}

/// What a follower forwards: a buffer of commands at a time. Of all that were ever handed in, the first have had their end told, the next have one that is
/// not told yet, and the rest are open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Forward {
    /// Whose end was told.
    told: u64,
    /// Of what is to be told: so many were proposed, the first of them as this.
    taken: u64,
    first: (Term, Index),
    /// So many after those may have been.
    unknown: u64,
    /// So many after those were not.
    refused: u64,
    /// So many after those are in the buffer.
    open: u64,
    /// What the message with them is called; 0 before it is sent.
    id: u64,
    /// The leader's round that was heard last when it was sent first.
    round: u64,
    /// Messages there were.
    messages: u64,
    /// The message is due.
    due: bool,
    /// It is sent again then: messages get lost.
    again_at: Instant,
    /// Nothing is waited for any more then.
    until: Instant,
}

/// What a leader took from a peer: the last message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Taken {
    /// What the peer calls it; 0 for none.
    id: u64,
    /// The latest round that was heard by whoever sent any that was taken.
    pub(crate) round: u64,
    /// The index of the first command, and how many were proposed.
    first: Index,
    count: u64,
    /// The peer is to be told.
    due: bool,
}

impl Taken {
    /// Nothing yet from one that may have handed in something before, when it had heard this round.
    pub(crate) fn none_since(round: u64) -> Self {
        Self { round, ..Self::default() }
    }
}

impl Forward {
    /// Whether the application has ends to hear of.
    pub(crate) const fn has_news(&self) -> bool {
        self.taken | self.unknown | self.refused != 0
    }

    /// The leader will not answer: what was sent may have arrived, the rest did not.
    fn give_up(&mut self) {
        let open = core::mem::take(&mut self.open);
        match core::mem::take(&mut self.id) {
            0 => self.refused = self.refused.saturating_add(open),
            _ => self.unknown = self.unknown.saturating_add(open),
        }
        self.due = false;
    }

    /// The next end to be told.
    pub(crate) fn tell(&mut self) -> Option<(ForwardId, u64, Forwarded)> {
        let (count, end) = if self.taken != 0 {
            let (term, index) = self.first;
            (&mut self.taken, Forwarded::Proposed(Proposal { term, index }))
        } else if self.unknown != 0 {
            (&mut self.unknown, Forwarded::Unknown)
        } else if self.refused != 0 {
            (&mut self.refused, Forwarded::Refused)
        } else {
            return None;
        };
        let count = core::mem::take(count);
        let first = ForwardId::new(self.told.saturating_add(1));
        self.told = self.told.saturating_add(count);
        Some((first, count, end))
    }
}

impl<S: Storage> Raft<S> {
    /// Hands a command to the leader, for [`Config::forward`](crate::Config::forward). Commands that are handed in before the next
    /// [`poll`](quorate_core::Machine::poll) go in one message, which is repeated until it is answered; [`Event::Forwarded`](crate::Event::Forwarded) then tells
    /// what became of them, in the order of their ids, of each once. A leader proposes a message's commands once, however often it arrives.
    ///
    /// They wait in the buffer for parts of snapshots: all those of a message, with some bytes for each, fit into
    /// [`max_snapshot_chunk_bytes`](crate::Config::max_snapshot_chunk_bytes), and one message is on its way at a time. Where more goes through followers, let the
    /// clients talk to the leader.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; nothing was changed. [`IsLeader`](ProposeError::IsLeader) at a leader,
    /// [`NotLeader`](ProposeError::NotLeader) without a leader, at a node that is no member, or
    /// where forwarding is off, [`TooLarge`](ProposeError::TooLarge) above `max_entry_bytes` or
    /// what the buffer holds, [`Busy`](ProposeError::Busy) while the buffer is full or holds a part
    /// of a snapshot, and until the commands before are answered and their ends polled, and
    /// [`Stopped`](ProposeError::Stopped) after a [fatal](crate::Event::Fatal) event, after which
    /// no ends are told either.
    pub fn forward(&mut self, command: &[u8]) -> Result<ForwardId, ProposeError> {
        if self.fatal.is_some() {
            return Err(ProposeError::Stopped);
        }
        if self.role == Role::Leader {
            return Err(ProposeError::IsLeader);
        }
        let follows = self.role == Role::Follower && self.leader.is_some();
        let may = self.config.forward && follows && self.membership.is_member();
        let Some(extras) = self.extra.get_mut().filter(|_| may) else {
            return Err(ProposeError::NotLeader(self.leader));
        };
        let header = Header { term: self.term, kind: EntryKind::Command, len: command.len() };
        let (head, head_len) = header.encode();
        let len = command.len().saturating_add(head_len);
        if command.len() > self.config.max_entry_bytes || len > self.chunk.limit() {
            return Err(ProposeError::TooLarge);
        }
        let collects = self.chunk.held() == Held::Commands && extras.forward.id == 0;
        let free = collects || self.chunk.held() == Held::Nothing;
        if !free || extras.forward.has_news() {
            return Err(ProposeError::Busy);
        }
        let head = head.get(..head_len).unwrap_or_default();
        if !self.chunk.add_command(head, command) {
            return Err(ProposeError::Busy);
        }
        extras.forward.open = extras.forward.open.saturating_add(1);
        extras.forward.due = true;
        let id = ForwardId::new(extras.forward.told.saturating_add(extras.forward.open));
        self.stir();
        self.work.extras();
        Ok(id)
    }

    /// The message, if it is due.
    pub(crate) fn plan_forward(&mut self) -> Option<Beyond> {
        let extras = self.extra.get_mut()?;
        if !core::mem::take(&mut extras.forward.due) {
            return None;
        }
        if extras.forward.id == 0 {
            let messages = extras.forward.messages.saturating_add(1);
            extras.forward.messages = messages;
            extras.forward.id = extras.number(&mut self.rng, self.now, messages);
            extras.forward.round = self.leader_round;
            extras.forward.until = self.now.after(self.config.election_max_us);
        }
        extras.forward.again_at = self.now.after(self.config.heartbeat_us);
        Some(Beyond::Propose { id: extras.forward.id, round: extras.forward.round })
    }

    /// When the message is to be sent again, or given up.
    pub(crate) fn forward_at(&self) -> Instant {
        match self.extra.get() {
            Some(extras) if extras.forward.id != 0 => {
                extras.forward.again_at.min(extras.forward.until)
            }
            _ => Instant::MAX,
        }
    }

    /// The clock stood still until now: what waits for an answer does so from now on.
    pub(crate) fn wait_anew(&mut self) {
        let (now, config) = (self.now, &self.config);
        if let Some(extras) = self.extra.get_mut() {
            extras.forward.again_at = now.after(config.heartbeat_us);
            extras.forward.until = now.after(config.election_max_us);
        }
    }

    /// Whether commands are in the buffer or on their way.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.forward.open != 0)
    }

    /// Time has passed: the message or its answer may be lost.
    pub(crate) fn forward_again(&mut self) {
        if self.now < self.forward_at() {
            return;
        }
        let Some(extras) = self.extra.get_mut() else { return };
        if self.now >= extras.forward.until {
            self.end_forward();
        } else {
            extras.forward.due = true;
            self.work.extras();
        }
    }

    /// The leader will not answer, or the buffer is needed.
    #[cold]
    pub(crate) fn end_forward(&mut self) {
        let Some(extras) = self.extra.get_mut() else { return };
        extras.forward.give_up();
        if self.chunk.held() == Held::Commands {
            self.chunk.clear();
        }
        self.work.events();
    }

    /// A follower hands in commands.
    #[cold]
    pub(crate) fn on_propose(
        &mut self,
        from: usize,
        term: Term,
        (id, round): (u64, u64),
        commands: &[u8],
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        let run = Run::check(commands, 1).map_err(|_| Rejected::Malformed)?;
        let entries = Entries::new(1, run.count, commands);
        let are_commands =
            entries.iter().all(|entry| entry.kind == EntryKind::Command && entry.term == term);
        if term == 0 || id == 0 || entries.is_empty() || !are_commands {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || id >= LIMIT || round >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if term != self.term || self.role != Role::Leader {
            return Ok(());
        }
        if round > self.round {
            return Err(Rejected::Impossible);
        }
        let Some(peer) = self.peers.get(from) else { return Ok(()) };
        let (peer, takes) = (peer.id, self.config.forward && peer.membership.is_member());
        let known = self.errand(peer).map(|errand| errand.taken).unwrap_or_default();
        // What a node said before it was restarted may come after what it said since: its numbers do not tell which is the later, so the rounds
        // must, or one that was taken would be again.
        let late = if id >> 32 == known.id >> 32 { id < known.id } else { round <= known.round };
        if late && (known.id != 0 || known.round != 0) {
            return Ok(());
        }
        let mut taken = Taken { due: true, ..known };
        if id != known.id {
            let first = self.log.last().saturating_add(1);
            taken = Taken { id, round: round.max(known.round), first, count: 0, due: true };
            for entry in entries.iter().take_while(|_| takes) {
                if self.propose(entry.data).is_err() {
                    break;
                }
                taken.count = taken.count.saturating_add(1);
            }
        }
        if let Some(errand) = self.errand(peer) {
            errand.taken = taken;
        }
        self.work.extras();
        Ok(())
    }

    /// What a leader owes a peer that handed in commands.
    pub(crate) fn plan_taken(&mut self, at: usize) -> Option<Beyond> {
        let peer = self.peers.get(at)?.id;
        let errand = self.extra.errands_mut().iter_mut().find(|errand| errand.is_of(peer))?;
        let Taken { id, first, count, .. } = errand.taken;
        core::mem::take(&mut errand.taken.due).then_some(Beyond::Proposed { id, first, count })
    }

    /// The leader answers.
    #[cold]
    pub(crate) fn on_proposed(
        &mut self,
        from: usize,
        term: Term,
        id: u64,
        (index, count): (Index, u64),
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if term == 0 || id == 0 || index == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || index >= LIMIT || count >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let sender = self.peers.get(from).map(|peer| peer.id);
        if term != self.term || self.role != Role::Follower || self.leader != sender {
            return Ok(());
        }
        let Some(extras) = self.extra.get_mut() else { return Ok(()) };
        let forward = &mut extras.forward;
        if forward.id != id {
            return Ok(());
        }
        if count > forward.open {
            return Err(Rejected::Impossible);
        }
        forward.taken = count;
        forward.first = (term, index);
        forward.refused = core::mem::take(&mut forward.open).saturating_sub(count);
        (forward.id, forward.due) = (0, false);
        if count != 0 {
            extras.open.begin(term);
        }
        if self.chunk.held() == Held::Commands {
            self.chunk.clear();
        }
        self.work.events();
        Ok(())
    }
}
