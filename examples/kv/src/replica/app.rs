//! The replica as the driver's loop sees it: commands, events, frames, and what is left to do at the end of a turn.

use quorate_core::{Instant, NodeId};
use quorate_raft::{Event, Heap, Message, Raft};
use quorate_tokio::Lane;
use quorate_tokio::app::{App, Outbox, StorageHealth};
use tracing::{error, info, warn};

use super::{Ask, NOT_ASKED, Replica, STOPPED, UNKNOWN_STOPPED, Wanted};
use crate::batch::Batch;
use crate::forward::{Frame, Refusal};
use crate::limits;

impl App for Replica {
    type Machine = Raft<Heap>;
    type Command = Ask;

    /// Heartbeats, votes and answers; entries and parts of snapshots are bulk.
    fn lane(message: &Message<'_>) -> Lane {
        match message {
            Message::Append { entries: data, .. } | Message::Snapshot { data, .. }
                if data.is_empty() =>
            {
                Lane::Urgent
            }
            Message::Append { .. }
            | Message::Snapshot { .. }
            | Message::SnapshotEnd { .. }
            | Message::Propose { .. }
            | Message::Proposed { .. } => Lane::Bulk,
            _ => Lane::Urgent,
        }
    }

    fn command(&mut self, raft: &mut Raft<Heap>, now: Instant, command: Ask) {
        match command {
            Ask::Execute { batch, stale, answer } => self.execute(raft, now, batch, stale, answer),
            Ask::Inspect(answer) => drop(answer.send(self.view(raft))),
            Ask::Node { node, answer } => drop(answer.send(self.known(raft, node))),
            Ask::Transfer { to, answer } => drop(answer.send(raft.transfer(to))),
            Ask::Change { change, answer } => {
                // who asked may be gone
                let _ = answer.send(raft.change(&[change]).map(drop));
            }
            // who asked may be gone
            Ask::Add { node, address, answer } => {
                let _ = answer.send(self.add(raft, node, &address));
            }
            Ask::Move { node, address, answer } => {
                let _ = answer.send(self.may_move(raft, node, &address));
            }
            Ask::Tick => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Committed(entries) => self.committed(entries),
            Event::Role { role, term, leader } => self.role_changed(role, term, leader),
            Event::Read { through } => {
                let committed = self.committed;
                while self.rounds.front().is_some_and(|&(id, _)| id <= through) {
                    let askers = self.rounds.pop_front().into_iter().flat_map(|(_, askers)| askers);
                    self.confirmed.extend(askers.map(|asker| (committed, asker)));
                }
            }
            Event::SnapshotWanted { to, index, offset, max_len } => {
                self.wanted.push(Wanted { to, index, offset, max_len });
            }
            Event::SnapshotPart { .. } if self.part_lost || self.refused.waits() => {}
            Event::SnapshotPart { index, offset, data, done, .. } => {
                if let Err(error) = self.archive.receive(index, offset, data, done) {
                    if let Some(suppressed) = self.lines.pass("snapshot part") {
                        warn!(index, offset, %error, suppressed, "could not keep a part of a snapshot; asking for it anew");
                    }
                    self.part_lost = true;
                }
            }
            Event::Members { .. } => self.ways.changed(),
            Event::PeerLostEntries { peer, acknowledged } => {
                let Some(suppressed) = self.lines.pass("peer lost entries") else { return };
                error!(%peer, acknowledged, suppressed, "a node lost entries that it had acknowledged, and so its votes: it counts for nothing until \
                     it is removed (ctl remove {peer}); let it come back with an empty data directory under a new id");
            }
            Event::Removed { index } => {
                if let Some(suppressed) = self.lines.pass("removed") {
                    error!(
                        index,
                        suppressed,
                        "this node was removed from the cluster while it was cut off, and takes no part any more: stop it; a node comes back under a new id, with an empty directory"
                    );
                }
                self.ways.changed();
            }
            Event::Refusing { peer, reason } => {
                let peer = peer.get();
                let Some(suppressed) = self.lines.pass("refusing a peer") else { return };
                error!(peer, %reason, suppressed, "this node keeps refusing the messages of a peer: compare both with `ctl status`, then take the one that is wrong out with `ctl remove`, and add a new one under a new id");
            }
            Event::LogFull => {
                if let Some(suppressed) = self.lines.pass("log full") {
                    warn!(suppressed, "the log is full; writing a snapshot to make room");
                }
                self.make_room = true;
            }
            Event::Fatal(fatal) => {
                error!(%fatal, "this node stopped itself");
                self.fatal = Some(fatal);
                self.readings.fail(STOPPED);
                for pending in [&mut self.writes, &mut self.reads] {
                    for number in pending.numbers(|_| true) {
                        if let Some(waiting) = pending.remove(number) {
                            let certain = waiting.chances == 0 || waiting.batch.is_read_only();
                            waiting.fail(if certain { STOPPED } else { UNKNOWN_STOPPED });
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn frame(&mut self, raft: &mut Raft<Heap>, now: Instant, from: NodeId, bytes: &[u8]) {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(_) => return self.implausible(from, "a frame that does not parse"),
        };
        match frame {
            Frame::Request { call, floor, protocol, ops } => {
                let batch = match Batch::parse(ops, protocol) {
                    Ok(batch) if batch.is_read_only() != call.write => batch,
                    _ => return self.implausible(from, "a request that does not parse"),
                };
                if let Err(reason) = self.request(raft, from, call, floor, batch) {
                    self.outgoing.push((from, Frame::Refusal { call, reason }.to_vec(), None));
                }
            }
            Frame::Answer { call, index, replies }
                if call.incarnation == self.incarnation.get() =>
            {
                let pending = if call.write { &mut self.writes } else { &mut self.reads };
                match pending.get_mut(call.number).map(|waiting| waiting.was_asked(from)) {
                    Some(true) => {
                        if let Some(waiting) = pending.remove(call.number) {
                            self.answer(waiting, call.write, replies, index);
                        }
                    }
                    Some(false) => self.implausible(from, NOT_ASKED),
                    // given up, or answered from the log
                    None => {}
                }
            }
            Frame::Refusal { call, reason } => {
                self.refused(now, from, call, reason);
            }
            // for an earlier life of this node
            Frame::Answer { .. } => {}
        }
    }

    fn settle(&mut self, raft: &mut Raft<Heap>, now: Instant, outbox: &mut Outbox) {
        let status = raft.status();
        self.meter.begin();
        self.apply_on(raft);
        self.keep_ways(raft, now, &status, outbox);
        // bytes that are copied in one turn: a large batch is the last
        let mut bytes = 0;
        while bytes < limits::LARGE_BYTES
            && let Some(call) = self.fresh.pop_front()
        {
            let pending = if call.write { &self.writes } else { &self.reads };
            bytes += pending.ops_len(call.number);
            self.hand_over(raft, now, &status, call);
        }
        self.hand_over_put_off(raft, now, &status);
        if self.role_changed || now >= self.sweep_at {
            self.sweep(raft, now, &status);
        }
        self.propose_held(raft, now);
        self.leave_if_full(raft, now, &status);
        self.take_confirmed(now);
        self.read_on(raft, now);
        self.begin_round(raft);
        self.keep_snapshots(raft, now, &status);
        for (to, frame, call) in core::mem::take(&mut self.outgoing) {
            // an answer that is dropped is asked for again, or found in the log
            if let (false, Some(call)) = (outbox.send(to, &frame), call) {
                self.refused(now, to, call, Refusal::NotLeader);
            }
        }
    }

    fn has_more(&self) -> bool {
        !self.fresh.is_empty() || self.is_applying()
    }

    fn is_behind(&self) -> bool {
        self.is_crowded()
    }

    fn storage(&mut self, health: StorageHealth) {
        match health {
            health if health == self.disk => {}
            StorageHealth::Good if self.tight => {
                info!(
                    "the disk takes the log again, and has no space for the next snapshot: writes are still refused"
                );
            }
            StorageHealth::Good => info!("the disk takes the log again"),
            health => warn!(?health, "the disk takes nothing: writes are refused"),
        }
        self.disk = health;
    }
}
