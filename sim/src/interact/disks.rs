//! The commands that crash nodes, start them and move their disks.

use quorate_core::{Machine, NodeId, Wire};

use super::arguments::{parse_nodes, parse_number};
use super::harness::{Harness, index_of};
use super::outputs::{Show, encode};
use super::{Error, Protocol};

impl<P: Protocol> Harness<P> {
    pub(super) fn set_disk(&mut self, args: &[&str]) -> Result<(), Error> {
        let (node, args) = self.node_and_rest(args)?;
        let records = P::disk_records(args)?;
        self.tampered();
        let state = self.node_mut(node)?;
        state.machine = None;
        state.waiting.clear();
        state.disk = records;
        self.boot(node)
    }

    pub(super) fn boot(&mut self, node: u64) -> Result<(), Error> {
        let protocol = self.protocol.as_mut().ok_or("there are no nodes")?;
        let state = self.nodes.get_mut(index_of(node)).ok_or("no such node")?;
        let id = NodeId::new(node);
        let mut machine = protocol.boot(id)?;
        for record in &state.disk {
            let record = <P::Machine as Machine>::Record::from_slice(record)
                .map_err(|e| format!("a record does not decode: {e}"))?;
            machine.restore(record).map_err(|e| {
                Error::Violation(format!("node {node} cannot start from its disk: {e}"))
            })?;
        }
        protocol.restored(id, &mut machine).map_err(Error::Violation)?;
        machine.tick(state.clock);
        state.machine = Some(machine);
        self.drain(node)
    }

    pub(super) fn disk(&mut self, args: &[&str]) -> Result<(), Error> {
        let [who, speed] = args else { return Err("wants nodes and `slow` or `fast`".into()) };
        let slow = match *speed {
            "slow" => true,
            "fast" => false,
            _ => return Err("a disk is `slow` or `fast`".into()),
        };
        for node in parse_nodes(who, self.count())? {
            self.node_mut(node)?.slow = slow;
            if !slow {
                self.write_done(node, usize::MAX)?;
            }
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, args: &[&str]) -> Result<(), Error> {
        let (node, rest) = self.node_and_rest(args)?;
        let count = match rest {
            [] => usize::MAX,
            [n] => parse_number("how many writes", n)? as usize,
            _ => return Err("wants a node, and how many writes".into()),
        };
        self.write_done(node, count)
    }

    pub(super) fn write_done(&mut self, node: u64, count: usize) -> Result<(), Error> {
        if self.finish_writes(node, count)? {
            self.drain(node)?;
        }
        Ok(())
    }

    pub(super) fn finish_writes(&mut self, node: u64, count: usize) -> Result<bool, Error> {
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
        else {
            return Ok(false);
        };
        let count = count.min(state.waiting.len());
        let mut last = None;
        for (ticket, record) in state.waiting.drain(..count) {
            report_durable(protocol, node, &record)?;
            state.disk.push(record);
            last = Some(ticket);
        }
        if let (Some(ticket), Some(machine)) = (last, state.machine.as_mut()) {
            machine.persisted(ticket);
        }
        Ok(last.is_some())
    }

    pub(super) fn crash(&mut self, args: &[&str]) -> Result<(), Error> {
        let (node, rest) = self.node_and_rest(args)?;
        let kept = match rest {
            [] => 0,
            ["keeping", n] => parse_number("how many writes", n)? as usize,
            _ => return Err("wants a node, or a node and `keeping N`".into()),
        };
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
        else {
            return Ok(());
        };
        if state.machine.take().is_none() {
            return Err("the node is down".into());
        }
        let waiting = std::mem::take(&mut state.waiting);
        let lost = waiting.len().saturating_sub(kept);
        for (_, record) in waiting.into_iter().take(kept) {
            report_durable(protocol, node, &record)?;
            state.disk.push(record);
        }
        protocol.crashed(NodeId::new(node));
        if lost > 0 {
            let s = if lost == 1 { "" } else { "s" };
            self.print(Show::Events, || format!("  {node} loses {lost} write{s}"));
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, args: &[&str]) -> Result<(), Error> {
        let (node, rest) = self.node_and_rest(args)?;
        if !rest.is_empty() || self.node_mut(node)?.machine.is_some() {
            return Err("wants one node that is down".into());
        }
        self.boot(node)
    }

    pub(super) fn checkpoint(&mut self, args: &[&str]) -> Result<(), Error> {
        let (node, _) = self.node_and_rest(args)?;
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
        else {
            return Ok(());
        };
        let machine = state.machine.as_mut().ok_or("the node is down")?;
        let mut lines = Vec::new();
        let mut disk = Vec::new();
        protocol.records_replaced(NodeId::new(node));
        for record in machine.checkpoint() {
            protocol.durable(NodeId::new(node), &record);
            lines.push(format!("  {node} keeps {}", P::format_record(&record)));
            disk.push(encode(&record)?);
        }
        let last = state.waiting.last().map(|(ticket, _)| *ticket);
        state.disk = disk;
        state.waiting.clear();
        if let Some(ticket) = last {
            machine.persisted(ticket);
        }
        for line in lines {
            self.print(Show::All, || line);
        }
        self.drain(node)
    }
}

fn report_durable<P: Protocol>(protocol: &mut P, node: u64, record: &[u8]) -> Result<(), String> {
    let record = <P::Machine as Machine>::Record::from_slice(record)
        .map_err(|e| format!("a record does not decode: {e}"))?;
    protocol.durable(NodeId::new(node), &record);
    Ok(())
}
