//! Members beyond what points can name are refused.
#![allow(clippy::unwrap_used)]

use std::thread;

use quorate_core::{NodeId, Wire as _, Writer};
use quorate_ring::topology::{Topology, TopologyError};
use quorate_ring::{
    HashRing, Heap, Inline, KeyHash, Member, MemberError, Modulo, Placement, Storage, Zone,
};

fn member(id: u64) -> Member {
    // zones are many, so that they need not be counted to the end with each member
    Member::new(NodeId::new(id)).in_zone(Zone::new(id as u16 % 64))
}

#[test]
fn ring_takes_65_535_members_and_no_more() {
    let members: Vec<Member> = (0..65_536).map(member).collect();
    let mut ring = HashRing::<Heap>::new(KeyHash::default(), 1);
    assert_eq!(ring.add_all(&members), Err(MemberError::Full));
    assert!(ring.members().is_empty());
    ring.add_all(&members[..65_535]).unwrap();
    assert_eq!(ring.add(members[65_535]), Err(MemberError::Full));
    let owned = ring.walk(ring.position(b"key")).map(|(node, _)| node.get());
    let mut owned: Vec<u64> = owned.collect();
    owned.sort_unstable();
    assert!(owned.into_iter().eq(0..65_535), "each once, under its own name");
}

#[test]
fn storage_with_more_room_takes_no_more() {
    // more than a megabyte, and moved some times
    let run = || {
        let mut nodes = Modulo::<Inline<65_540>>::new(KeyHash::default());
        (0..65_535).for_each(|id| nodes.add(member(id)).unwrap());
        assert_eq!(nodes.add(member(65_535)), Err(MemberError::Full));
        assert_eq!(nodes.members().len(), 65_535);
    };
    thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn topology_takes_65_535_members_and_no_more() {
    // one by one, each looks at all before it: they come as bytes
    let mut bytes = vec![0; 1 << 21];
    let mut out = Writer::new(&mut bytes);
    [1, 0, 65_535].into_iter().for_each(|number| out.u64(number));
    for id in 0..65_535 {
        [1, 1].into_iter().for_each(|number| out.u64(number)); // its incarnation, and when it changed
        out.u8(0); // it joins
        [id, 1, 0, 1].into_iter().for_each(|number| out.u64(number));
    }
    let len = out.needed();
    bytes.truncate(len);
    fn check<S: Storage>(bytes: &[u8]) {
        let mut list = Topology::<S>::from_slice(bytes).unwrap();
        let refused = list.join(Member::new(NodeId::new(65_535))).map(drop);
        assert_eq!(refused, Err(TopologyError::Full));
        assert_eq!(list.entries().len(), 65_535);
    }
    check::<Heap>(&bytes);
    let run = move || check::<Inline<65_540>>(&bytes);
    thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap().join().unwrap();
}
