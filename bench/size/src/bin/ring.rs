//! Placements of eight nodes: a ring with sixteen points for each, rendezvous hashing, slots, and the plan from one ring to the
//! next.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_core::NodeId;
use quorate_ring::{
    HashRing, Inline, KeyHash, Member, Move, Placement, Plan, PreferenceList, Rendezvous, Slot,
    Slots, Token, Zone,
};

type Ring = HashRing<Inline<8, 128>>;

program!(run, state = State, content = 0);

struct State {
    ring: Ring,
    /// The ring after the change that is being carried out.
    next: Ring,
    rendezvous: Rendezvous<Inline<8>>,
    slots: Slots<Inline<8, 32>>,
}

fn run(port: &mut Port) {
    let mut key = [0; 64];
    let hash = KeyHash::new([port.u64(), port.u64()]);
    let mut state = State {
        ring: Ring::new(hash, 16),
        next: Ring::new(hash, 16),
        rendezvous: Rendezvous::new(hash),
        slots: Slots::new(),
    };
    loop {
        let done = state.input(port, &mut key).is_some();
        port.write(&[u8::from(done)]);
    }
}

impl State {
    /// What goes wrong is `None`, whatever it is.
    fn input(&mut self, port: &mut Port, key: &mut [u8]) -> Option<()> {
        match port.u8() {
            0 => self.add(port),
            1 => self.remove(port),
            2 => self.plan(port),
            3 => self.assign(port),
            4 => look_up(&self.ring, port, key),
            5 => look_up(&self.rendezvous, port, key),
            _ => look_up(&self.slots, port, key),
        }
    }

    #[inline(never)]
    fn add(&mut self, port: &mut Port) -> Option<()> {
        let zone = Zone::new(u16::from(port.u8()));
        let member = Member::new(NodeId::new(port.u64())).with_weight(u16::from(port.u8()));
        self.next.add(member.in_zone(zone)).ok()?;
        self.rendezvous.add(member.in_zone(zone)).ok()?;
        self.slots.add(member.in_zone(zone)).ok()
    }

    #[inline(never)]
    fn remove(&mut self, port: &mut Port) -> Option<()> {
        let node = NodeId::new(port.u64());
        self.next.remove(node).ok()?;
        self.rendezvous.remove(node).ok()?;
        self.slots.remove(node).ok()
    }

    #[inline(never)]
    fn assign(&mut self, port: &mut Port) -> Option<()> {
        let [first, last] = [(); 2].map(|()| u16::from(port.u8()) << 6);
        self.slots.assign(Slot::new(first)?, Slot::new(last)?, NodeId::new(port.u64())).ok()
    }

    /// Tells every move, and takes over the next ring.
    #[inline(never)]
    fn plan(&mut self, port: &mut Port) -> Option<()> {
        let send = |port: &mut Port, number: u64| port.write(&number.to_le_bytes());
        for step in Plan::new(&self.ring, &self.next, 3).ok()?.moves() {
            let (range, from, to) = match step {
                Move::Copy { range, from, to } => (range, from, Some(to)),
                Move::Drop { range, from } => (range, Some(from), None),
                _ => continue,
            };
            [range.first, range.last].map(Token::get).iter().for_each(|it| send(port, *it));
            [from, to].into_iter().flatten().for_each(|node| send(port, node.get()));
        }
        self.ring = self.next.clone();
        Some(())
    }
}

/// Tells where a key goes.
#[inline(never)]
fn look_up<P: Placement>(placement: &P, port: &mut Port, key: &mut [u8]) -> Option<()> {
    let at = placement.position(port.read(key));
    tell(placement.owner(at)?, port);
    let list: PreferenceList = placement.preference_list(at, 3, 1);
    list.nodes().iter().for_each(|node| tell(*node, port));
    Some(())
}

fn tell(node: NodeId, port: &mut Port) {
    port.write(&node.get().to_le_bytes());
}
