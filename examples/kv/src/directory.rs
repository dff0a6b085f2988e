use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{DecodeError, NodeId, Reader};

use crate::limits;
use crate::op::put;

/// Where nodes are reached, as the cluster knows: a part of the replicated state, so that whoever comes to lead can reach them all.
///
/// Each node enters itself once it is a member; one that is to come in is entered by who adds it. Nodes that were removed stay, so that
/// no id is used twice, until there are [`limits::DIRECTORY`] and a member needs the room: then the one goes that never said where
/// clients reach it, and of several the one with the lowest id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Directory {
    known: BTreeMap<NodeId, Address>,
    /// As of the last change of the members that was applied; empty before the first, and after a snapshot of an older node.
    members: BTreeSet<NodeId>,
}

/// Where one node is reached, each `host:port`; empty if that is not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Address {
    /// By the other nodes.
    pub(crate) peer: String,
    /// By clients.
    pub(crate) client: String,
}

impl Directory {
    pub(crate) fn get(&self, id: NodeId) -> Option<&Address> {
        self.known.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The members are these now.
    pub(crate) fn set_members(&mut self, members: impl Iterator<Item = NodeId>) {
        self.members = members.collect();
    }

    /// Whether a node that becomes one of these members could be entered.
    pub(crate) fn has_room_for(&self, id: NodeId, is_member: impl Fn(NodeId) -> bool) -> bool {
        self.known.contains_key(&id)
            || self.known.len() < limits::DIRECTORY
            || self.known.keys().any(|&id| !is_member(id))
    }

    /// Enters a node, or where it has moved to. Without an address for clients the one that is known stays. False if there is no room.
    pub(crate) fn insert(&mut self, id: NodeId, peer: &str, client: &str) -> bool {
        if !self.known.contains_key(&id) && self.known.len() >= limits::DIRECTORY {
            // older nodes have no room then, also for members: that is the one thing in which they differ
            if !self.members.contains(&id) {
                return false;
            }
            let non_members = self.known.iter().filter(|(id, _)| !self.members.contains(id));
            let first = non_members.min_by_key(|(id, address)| (!address.client.is_empty(), **id));
            let Some(first) = first.map(|(&id, _)| id) else { return false };
            self.known.remove(&first);
        }
        let known = self.known.entry(id).or_default();
        peer.clone_into(&mut known.peer);
        if !client.is_empty() {
            client.clone_into(&mut known.client);
        }
        true
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::number(out, self.known.len() as u64);
        for (id, address) in &self.known {
            put::number(out, id.get());
            put::bytes(out, address.peer.as_bytes());
            put::bytes(out, address.client.as_bytes());
        }
        // older nodes do not read on
        put::number(out, self.members.len() as u64);
        for id in &self.members {
            put::number(out, id.get());
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut directory = Self::default();
        for _ in 0..input.u64()? {
            let id = NodeId::new(input.u64()?);
            let (peer, client) = (text(input.bytes()?)?, text(input.bytes()?)?);
            if !directory.insert(id, peer, client) {
                return Err(DecodeError::Invalid);
            }
        }
        if !input.rest().is_empty() {
            for _ in 0..input.u64()? {
                directory.members.insert(NodeId::new(input.u64()?));
            }
        }
        Ok(directory)
    }
}

/// Why a text is no `host:port`, if it is none.
pub(crate) fn check(address: &str) -> Result<(), &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        return Err("the host is missing");
    }
    if address.len() > limits::ADDRESS_BYTES {
        return Err("the address is too long");
    }
    if !address.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b',' && byte != b'=') {
        return Err("the host is not the name or the address of a machine");
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err("the port is a number from 1 to 65535"),
    }
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    core::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_round_trips_and_is_bounded() {
        let mut directory = Directory::default();
        assert!(directory.insert(NodeId::new(7), "a:1", "b:2"));
        assert!(directory.insert(NodeId::new(7), "c:3", ""), "it moved");
        for id in 100..100 + limits::DIRECTORY as u64 - 1 {
            assert!(directory.insert(NodeId::new(id), "x:1", ""));
        }
        assert!(!directory.insert(NodeId::new(1), "x:1", ""), "there is no room");
        let moved = Address { peer: "c:3".into(), client: "b:2".into() };
        assert_eq!(directory.get(NodeId::new(7)), Some(&moved));
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        assert_eq!(Directory::decode(&mut Reader::new(&bytes)), Ok(directory));
        // as older nodes wrote it
        let older = Directory::decode(&mut Reader::new(&bytes[..bytes.len() - 1]));
        assert_eq!(older.as_ref().map(Directory::len), Ok(limits::DIRECTORY));
        assert!(Directory::decode(&mut Reader::new(&bytes[..bytes.len() - 2])).is_err());
    }

    #[test]
    fn members_evict_non_members() {
        let mut directory = Directory::default();
        let members = [1, 2, 3].map(NodeId::new);
        for id in members {
            assert!(directory.insert(id, "a:1", "b:1"));
        }
        // one that was removed, and said where clients reach it; and invented ones
        assert!(directory.insert(NodeId::new(4), "a:4", "b:4"));
        for id in 0..1_100 {
            directory.insert(NodeId::new(100 + id), "x:1", "");
        }
        assert_eq!(directory.len(), limits::DIRECTORY);
        let new = NodeId::new(5);
        assert!(!directory.insert(new, "a:5", ""), "it is no member");
        assert!(directory.has_room_for(new, |id| members.contains(&id)));
        directory.set_members(members.into_iter().chain([new]));
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        let mut restarted = Directory::decode(&mut Reader::new(&bytes)).unwrap();
        for directory in [&mut directory, &mut restarted] {
            assert!(directory.insert(new, "a:5", ""));
            assert!(directory.get(NodeId::new(100)).is_none(), "the first that nobody ever met");
            assert!(members.iter().all(|&id| directory.get(id).is_some()));
            assert!(directory.get(NodeId::new(4)).is_some(), "its id is not used again");
            assert_eq!(directory.len(), limits::DIRECTORY);
        }
        assert_eq!(directory, restarted);
        // all of it members, which no cluster has
        assert!(!directory.has_room_for(NodeId::new(9), |_| true));
    }

    #[test]
    fn addresses_are_validated() {
        for good in ["a:1", "10.0.0.2:16379", "[::1]:65535", "node-2.example:7"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "a,b:1", "ä:1", "a=b:1"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
