//! The replica as the driver's loop sees it: commands, events, frames, and what is left to do at the end of a turn.

use quorate_core::{Instant, Machine, NodeId};
use quorate_tokio::Priority;
use quorate_tokio::app::{App, Outbox, StorageHealth};
use tracing::{error, info, warn};

use super::{ChunkRequest, NOT_SENT_TO, Replica, Request, STOPPED, UNKNOWN_STOPPED};
use crate::batch::Batch;
use crate::consensus::{Consensus, Event, Role};
use crate::forward::{Frame, Refusal};

impl<C: Consensus> App for Replica<C> {
    type Machine = C;
    type Command = Request;

    fn priority(message: &<C as Machine>::Message<'_>) -> Priority {
        C::priority(message)
    }

    fn command(&mut self, log: &mut C, now: Instant, command: Request) {
        match command {
            Request::Execute { batch, stale, answer } => {
                self.execute(log, now, batch, stale, answer)
            }
            Request::Status(answer) => drop(answer.send(self.node_status(log))),
            Request::Node { node, answer } => drop(answer.send(self.id_record(log, node))),
            Request::Transfer { to, answer } => drop(answer.send(log.transfer(to))),
            Request::Change { change, answer } => {
                // who asked may be gone
                let _ = answer.send(self.change(log, change));
            }
            // who asked may be gone
            Request::Add { node, address, answer } => {
                let _ = answer.send(self.add_node(log, node, &address));
            }
            Request::Move { node, address, answer } => {
                let _ = answer.send(self.check_move(log, node, &address));
            }
            // the driver has it tick at its deadline, and a machine that did not begin may have none
            Request::Tick if log.deadline().is_none() => log.tick(now),
            Request::Tick => {}
        }
    }

    fn event(&mut self, event: <C as Machine>::Event<'_>) {
        let Some(event) = C::describe(&event) else { return };
        match event {
            Event::Committed { last, bytes } => self.committed(last, bytes),
            Event::Leading { epoch } => self.leader_changed(Role::Leader, epoch, Some(self.id)),
            Event::Following { leader, epoch } => {
                self.leader_changed(Role::Follower, epoch, Some(leader));
            }
            Event::Leaderless { epoch } => self.leader_changed(Role::Follower, epoch, None),
            Event::Read { through } => {
                let committed = self.committed;
                while self.rounds.front().is_some_and(|&(id, _)| id <= through) {
                    let requesters =
                        self.rounds.pop_front().into_iter().flat_map(|(_, requesters)| requesters);
                    self.confirmed.extend(requesters.map(|requester| (committed, requester)));
                }
            }
            Event::SnapshotWanted { to, index, offset, max_len } => {
                self.chunk_requests.push(ChunkRequest { to, index, offset, max_len });
            }
            Event::SnapshotChunk { .. }
                if self.chunk_lost || self.snapshot_backoff.is_pending() => {}
            Event::SnapshotChunk { index, offset, data, done } => {
                if let Err(error) = self.snapshots.receive(index, offset, data, done) {
                    if let Some(suppressed) = self.log_limit.pass("snapshot part") {
                        warn!(index, offset, %error, suppressed, "could not keep a part of a snapshot; asking for it anew");
                    }
                    self.chunk_lost = true;
                }
            }
            Event::Members => self.connections.changed(),
            Event::PeerLostEntries { peer, acknowledged } => {
                let Some(suppressed) = self.log_limit.pass("peer lost entries") else { return };
                error!(%peer, acknowledged, suppressed, "a node lost entries that it had acknowledged, and so its votes: it counts for nothing until \
                     it is removed (ctl remove {peer}); let it come back with an empty data directory under a new id");
            }
            Event::Removed { index } => {
                if let Some(suppressed) = self.log_limit.pass("removed") {
                    error!(
                        index,
                        suppressed,
                        "this node was removed from the cluster while it was cut off, and takes no part any more: stop it; a node comes back under a new id, with an empty directory"
                    );
                }
                self.connections.changed();
            }
            Event::Refusing { peer, reason } => {
                let peer = peer.get();
                let Some(suppressed) = self.log_limit.pass("refusing a peer") else { return };
                error!(peer, %reason, suppressed, "this node keeps refusing the messages of a peer: compare both with `ctl status`, then take the one that is wrong out with `ctl remove`, and add a new one under a new id");
            }
            Event::LogFull => {
                if let Some(suppressed) = self.log_limit.pass("log full") {
                    warn!(suppressed, "the log is full; writing a snapshot to make room");
                }
                self.compact_all = true;
            }
            Event::Fatal(fatal) => {
                error!(%fatal, "this node stopped itself");
                self.fatal = Some(fatal);
                self.read_queue.fail(STOPPED);
                self.fail_all_pending(STOPPED, UNKNOWN_STOPPED);
            }
        }
    }

    fn frame(&mut self, log: &mut C, now: Instant, from: NodeId, bytes: &[u8]) {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(_) => return self.reject_invalid(from, "a frame that does not parse"),
        };
        match frame {
            Frame::Request { request_id, floor, protocol, ops } => {
                let batch = match Batch::parse(ops, protocol) {
                    Ok(batch) if batch.is_read_only() != request_id.write => batch,
                    _ => return self.reject_invalid(from, "a request that does not parse"),
                };
                if let Err(reason) = self.handle_request(log, from, request_id, floor, batch) {
                    self.outgoing.push((
                        from,
                        Frame::Refusal { request_id, reason }.to_vec(),
                        None,
                    ));
                }
            }
            Frame::Response { request_id, index, replies }
                if request_id.incarnation == self.incarnation.get() =>
            {
                let pending = if request_id.write { &mut self.writes } else { &mut self.reads };
                match pending.get(request_id.number).map(|waiting| waiting.was_sent_to(from)) {
                    Some(true) => {
                        if let Some(waiting) = pending.remove(request_id.number) {
                            self.answer(waiting, request_id.write, replies, index);
                        }
                    }
                    Some(false) => self.reject_invalid(from, NOT_SENT_TO),
                    // given up, or answered from the log
                    None => {}
                }
            }
            Frame::Refusal { request_id, reason } => {
                self.handle_refusal(now, from, request_id, reason);
            }
            // for an earlier incarnation of this node
            Frame::Response { .. } => {}
        }
    }

    fn settle(&mut self, log: &mut C, now: Instant, outbox: &mut Outbox) {
        let status = log.view();
        self.meter.begin();
        self.apply_committed(log);
        self.maintain_connections(log, now, &status, outbox);
        self.expire(now, &status);
        self.route_due(log, now);
        self.route_deferred_reads(log, now, log.leadership());
        if self.role_changed || now >= self.sweep_at {
            self.sweep(log, now);
        }
        self.propose_queued(log, now);
        self.step_down_if_disk_full(log, now, &status);
        self.enqueue_confirmed(now);
        self.serve_reads(log, now);
        self.start_read_round(log);
        self.manage_snapshots(log, now, &status);
        for (to, frame, request_id) in core::mem::take(&mut self.outgoing) {
            // an answer that is dropped is asked for again, or found in the log
            if let (false, Some(request_id)) = (outbox.send(to, &frame), request_id) {
                self.handle_refusal(now, to, request_id, Refusal::NotLeader);
            }
        }
    }

    fn has_more(&self) -> bool {
        self.more_due || self.is_applying()
    }

    fn is_backlogged(&self) -> bool {
        self.is_backlog_full()
    }

    fn storage(&mut self, health: StorageHealth) {
        match health {
            health if health == self.disk => {}
            StorageHealth::Good if self.no_snapshot_space => {
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
