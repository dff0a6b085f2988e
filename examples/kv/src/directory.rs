use std::collections::BTreeMap;

use quorate_core::{DecodeError, NodeId, Reader};

use crate::limits;
use crate::op::put;

/// Where nodes are reached, as the cluster knows: a part of the replicated state, so that whoever comes to lead can reach them all.
///
/// Each node enters itself once it is a member; one that is to come in is entered by who adds it. Who was removed stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Directory(BTreeMap<NodeId, Address>);

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
        self.0.get(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.0.keys().copied()
    }

    /// Enters a node, or where it has moved to. Without an address for clients the one that is known stays. False if there is no room.
    pub(crate) fn enter(&mut self, id: NodeId, peer: &str, client: &str) -> bool {
        if !self.0.contains_key(&id) && self.0.len() >= limits::DIRECTORY {
            return false;
        }
        let known = self.0.entry(id).or_default();
        peer.clone_into(&mut known.peer);
        if !client.is_empty() {
            client.clone_into(&mut known.client);
        }
        true
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::number(out, self.0.len() as u64);
        for (id, address) in &self.0 {
            put::number(out, id.get());
            put::bytes(out, address.peer.as_bytes());
            put::bytes(out, address.client.as_bytes());
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut directory = Self::default();
        for _ in 0..input.u64()? {
            let id = NodeId::new(input.u64()?);
            let (peer, client) = (text(input.bytes()?)?, text(input.bytes()?)?);
            if !directory.enter(id, peer, client) {
                return Err(DecodeError::Invalid);
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
    fn it_goes_both_ways_and_is_bounded() {
        let mut directory = Directory::default();
        assert!(directory.enter(NodeId::new(7), "a:1", "b:2"));
        assert!(directory.enter(NodeId::new(7), "c:3", ""), "it moved");
        for id in 100..100 + limits::DIRECTORY as u64 - 1 {
            assert!(directory.enter(NodeId::new(id), "x:1", ""));
        }
        assert!(!directory.enter(NodeId::new(1), "x:1", ""), "there is no room");
        let moved = Address { peer: "c:3".into(), client: "b:2".into() };
        assert_eq!(directory.get(NodeId::new(7)), Some(&moved));
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        assert_eq!(Directory::decode(&mut Reader::new(&bytes)), Ok(directory));
        assert!(Directory::decode(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }

    #[test]
    fn addresses_are_checked() {
        for good in ["a:1", "10.0.0.2:16379", "[::1]:65535", "node-2.example:7"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "a,b:1", "ä:1", "a=b:1"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
