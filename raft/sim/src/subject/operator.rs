//! Operators: they change the members, have nodes campaign, and transfer leadership.

use quorate_core::Machine;
use quorate_raft::{Change as Member, Storage};
use quorate_sim::Access;

use super::RaftSubject;

impl<S: Storage> RaftSubject<S> {
    /// An operator changes the members, as a leader knows them.
    pub(super) fn change_members(&mut self, access: &mut Access<'_, Self>) {
        let over = self.clients_stopped || access.now_us() >= self.chaos_us;
        if over || self.changes == 0 || !self.rng.chance(1, self.changes) {
            return;
        }
        let nodes = access.nodes() as u64;
        let at = self.rng.below(nodes) as usize;
        let witness = self.applications.len() - 1;
        let Some(raft) = access.machine(at) else { return };
        // a voter and a witness, and nobody else: what one of them loses the other must not count on
        let pair = self.witness && self.founders == 1;
        if pair && raft.members().membership(Self::id(witness)).is_voter() {
            return;
        }
        if raft.status().joint && self.rng.chance(1, 3) {
            self.commands.push(format!("leave-joint {}", at + 1));
            let _ = raft.leave_joint();
            return;
        }
        let count = match self.rng.below(6) {
            _ if pair => 1,
            // everybody at once: those with a vote lose it, or leave, and those without get one
            0 => nodes,
            1 | 2 => self.rng.range(2, 4),
            _ => 1,
        };
        let all = count == nodes;
        let mut changes: Vec<Member> = Vec::new();
        let mut args = Vec::new();
        for turn in 0..count {
            let node = match pair {
                true => witness,
                false if all => turn as usize,
                false => self.rng.below(nodes) as usize,
            };
            let id = Self::id(node);
            let membership = raft.members().membership(id);
            let stays = self.rng.chance(1, 2);
            let change = match (membership.is_member(), membership.is_voter()) {
                (false, _) if all => continue,
                (false, _) if self.witness && node == witness => Member::AddWitness(id),
                (false, _) => Member::Add(id),
                (true, false) if all || stays || self.rng.chance(1, 2) => Member::Promote(id),
                (true, true) if stays => Member::Demote(id),
                _ => Member::Remove(id),
            };
            args.push(match change {
                Member::AddWitness(_) => format!("witness {id}"),
                Member::Add(_) => format!("add {id}"),
                Member::Promote(_) => format!("promote {id}"),
                Member::Demote(_) => format!("demote {id}"),
                _ => format!("remove {id}"),
            });
            changes.push(change);
        }
        let jointly = self.rng.chance(1, 6);
        let result = if jointly { raft.change_jointly(&changes) } else { raft.change(&changes) };
        let joint = raft.status().joint;
        let how = if jointly { "jointly " } else { "" };
        self.commands.push(format!("change {} {how}{}", at + 1, args.join(" ")));
        if result.is_err() {
            return;
        }
        if joint {
            access.marks.hit("joint consensus");
        }
        for change in changes {
            access.marks.hit(match change {
                Member::AddWitness(_) => "witness added",
                Member::Add(_) => "learner added",
                Member::Promote(_) => "learner promoted",
                Member::Demote(_) => "voter demoted",
                Member::Remove(id) if id == Self::id(at) => "leader removed",
                _ => "member removed",
            });
        }
    }

    /// An operator has any node campaign.
    pub(super) fn request_campaign(&mut self, access: &mut Access<'_, Self>) {
        let over = self.clients_stopped || access.now_us() >= self.chaos_us;
        if over || self.campaigns == 0 || !self.rng.chance(1, self.campaigns) {
            return;
        }
        let at = self.rng.below(access.nodes() as u64) as usize;
        let clock = access.clock(at);
        if let Some(raft) = access.machine(at) {
            raft.campaign(clock);
            self.commands.push(format!("campaign {}", at + 1));
            access.marks.hit("campaign requested");
        }
    }

    /// What a node has applied is damaged, in some runs and now and then: it asks for a snapshot. One that comes to lead meanwhile leaves that
    /// to another by itself.
    pub(super) fn damage_state(&mut self, access: &mut Access<'_, Self>) {
        // where members go, the only one who may lead can be the one that is damaged, whom nobody can help
        if self.config.heartbeat_us % 4 != 1 || self.changes > 0 {
            return;
        }
        let nodes = access.nodes();
        // one at a time, so that there is somebody to have it from
        let alone = nodes < 2 || self.applications.iter().any(|node| node.damaged);
        let over = self.clients_stopped || access.now_us() >= self.chaos_us;
        if over || alone || self.operations <= self.damaged_at {
            return;
        }
        // other draws stay what they are without this
        self.damaged_at = self.operations + 20;
        let at = (self.operations as usize / 7) % nodes;
        let Some(raft) = access.machine(at) else { return };
        let applied = self.applications[at].store.applied;
        // a store from before a crash may be ahead of the machine
        if raft.status().applied == applied && raft.request_snapshot().is_ok() {
            access.marks.hit("state damaged");
            self.applications[at].store = super::super::store::Store::empty_at(applied);
            self.applications[at].damaged = true;
            self.commands.push(format!("request-snapshot {}", at + 1));
        }
    }

    /// An operator transfers leadership to any node, or aborts a transfer.
    pub(super) fn transfer_leadership(&mut self, access: &mut Access<'_, Self>) {
        if self.clients_stopped || self.transfers == 0 || !self.rng.chance(1, self.transfers) {
            return;
        }
        let nodes = access.nodes() as u64;
        let (at, transfer_target) =
            (self.rng.below(nodes) as usize, self.rng.below(nodes) as usize);
        let abort = self.rng.chance(1, 8);
        let Some(raft) = access.machine(at) else { return };
        if abort {
            raft.abort_transfer();
            self.commands.push(format!("abort-transfer {}", at + 1));
        } else if raft.transfer(Self::id(transfer_target)).is_ok() {
            self.commands.push(format!("transfer {} {}", at + 1, transfer_target + 1));
            self.transfer_target = Some(transfer_target);
            access.marks.hit("leadership transfer started");
            // whoever reads there meanwhile must not be told what is no longer so
            self.clients.iter_mut().for_each(|client| client.target = at);
        }
    }
}
