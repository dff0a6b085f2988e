//! The commands that crash nodes, start them and move their disks.

use quorate_core::{Machine, NodeId, Wire};

use super::stage::{Show, Stage, at, encode};
use super::words::{nodes, number};
use super::{Play, Wrong};

impl<P: Play> Stage<P> {
    pub(super) fn given(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (node, words) = self.one(words)?;
        let records = P::given(words)?;
        self.tampered();
        let actor = self.actor(node)?;
        actor.machine = None;
        actor.waiting.clear();
        actor.disk = records;
        self.boot(node)
    }

    pub(super) fn boot(&mut self, node: u64) -> Result<(), Wrong> {
        let play = self.play.as_mut().ok_or("there are no nodes")?;
        let actor = self.actors.get_mut(at(node)).ok_or("no such node")?;
        let id = NodeId::new(node);
        let mut machine = play.boot(id)?;
        for record in &actor.disk {
            let record = <P::Machine as Machine>::Record::from_slice(record)
                .map_err(|e| format!("a record does not decode: {e}"))?;
            machine.restore(record).map_err(|e| {
                Wrong::Violated(format!("node {node} cannot start from its disk: {e}"))
            })?;
        }
        play.restored(id, &mut machine).map_err(Wrong::Violated)?;
        machine.tick(actor.clock);
        actor.machine = Some(machine);
        self.drain(node)
    }

    pub(super) fn disk(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let [who, speed] = words else { return Err("wants nodes and `slow` or `fast`".into()) };
        let slow = match *speed {
            "slow" => true,
            "fast" => false,
            _ => return Err("a disk is `slow` or `fast`".into()),
        };
        for node in nodes(who, self.count())? {
            self.actor(node)?.slow = slow;
            if !slow {
                self.write_done(node, usize::MAX)?;
            }
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (node, rest) = self.one(words)?;
        let count = match rest {
            [] => usize::MAX,
            [n] => number("how many writes", n)? as usize,
            _ => return Err("wants a node, and how many writes".into()),
        };
        self.write_done(node, count)
    }

    pub(super) fn write_done(&mut self, node: u64, count: usize) -> Result<(), Wrong> {
        if self.finish_writes(node, count)? {
            self.drain(node)?;
        }
        Ok(())
    }

    pub(super) fn finish_writes(&mut self, node: u64, count: usize) -> Result<bool, Wrong> {
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node))) else {
            return Ok(false);
        };
        let count = count.min(actor.waiting.len());
        let mut last = None;
        for (ticket, record) in actor.waiting.drain(..count) {
            tell_durable(play, node, &record)?;
            actor.disk.push(record);
            last = Some(ticket);
        }
        if let (Some(ticket), Some(machine)) = (last, actor.machine.as_mut()) {
            machine.persisted(ticket);
        }
        Ok(last.is_some())
    }

    pub(super) fn crash(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (node, rest) = self.one(words)?;
        let kept = match rest {
            [] => 0,
            ["keeping", n] => number("how many writes", n)? as usize,
            _ => return Err("wants a node, or a node and `keeping N`".into()),
        };
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node))) else {
            return Ok(());
        };
        if actor.machine.take().is_none() {
            return Err("the node is down".into());
        }
        let waiting = std::mem::take(&mut actor.waiting);
        let lost = waiting.len().saturating_sub(kept);
        for (_, record) in waiting.into_iter().take(kept) {
            tell_durable(play, node, &record)?;
            actor.disk.push(record);
        }
        play.crashed(NodeId::new(node));
        if lost > 0 {
            let s = if lost == 1 { "" } else { "s" };
            self.print(Show::Events, || format!("  {node} loses {lost} write{s}"));
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (node, rest) = self.one(words)?;
        if !rest.is_empty() || self.actor(node)?.machine.is_some() {
            return Err("wants one node that is down".into());
        }
        self.boot(node)
    }

    pub(super) fn checkpoint(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (node, _) = self.one(words)?;
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node))) else {
            return Ok(());
        };
        let machine = actor.machine.as_mut().ok_or("the node is down")?;
        let mut lines = Vec::new();
        let mut disk = Vec::new();
        play.wiped(NodeId::new(node));
        for record in machine.checkpoint() {
            play.durable(NodeId::new(node), &record);
            lines.push(format!("  {node} keeps {}", P::record(&record)));
            disk.push(encode(&record)?);
        }
        let last = actor.waiting.last().map(|(ticket, _)| *ticket);
        actor.disk = disk;
        actor.waiting.clear();
        if let Some(ticket) = last {
            machine.persisted(ticket);
        }
        for line in lines {
            self.print(Show::All, || line);
        }
        self.drain(node)
    }
}

fn tell_durable<P: Play>(play: &mut P, node: u64, record: &[u8]) -> Result<(), String> {
    let record = <P::Machine as Machine>::Record::from_slice(record)
        .map_err(|e| format!("a record does not decode: {e}"))?;
    play.durable(NodeId::new(node), &record);
    Ok(())
}
