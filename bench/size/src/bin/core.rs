//! The vocabulary alone: the wire format, lists, quorums and the generator.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_core::{
    InlineList, Instant, List, NodeId, Phase, Quorums, Reader, Rejected, Rejections, Rng, Tickets,
    Votes, Writer,
};

program!(run, state = State, content = 0);

/// What a small protocol of one's own might keep.
struct State {
    peers: InlineList<Peer, 8>,
    rejections: Rejections,
    rng: Rng,
    deadline: Instant,
    tickets: Tickets,
}

#[derive(Clone, Copy)]
struct Peer {
    id: NodeId,
    reached: u64,
}

/// Reads messages, keeps who said what, and answers with what a majority has reached.
fn run(port: &mut Port) {
    let mut state = State {
        peers: InlineList::with_limit(8),
        rejections: Rejections::default(),
        rng: Rng::new(port.u64()),
        deadline: Instant::ZERO,
        tickets: Tickets::default(),
    };
    let mut frame = [0; 64];
    loop {
        let bytes = port.read(&mut frame);
        if let Err(reason) = state.receive(bytes) {
            state.rejections.count(reason);
        }
        state.answer(port);
    }
}

impl State {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Rejected> {
        let mut input = Reader::new(bytes);
        let malformed = |_| Rejected::Malformed;
        let id = NodeId::new(input.u64().map_err(malformed)?);
        let leaves = input.bool().map_err(malformed)?;
        let reached = input.u64().map_err(malformed)?;
        let note = input.bytes().map_err(malformed)?;
        input.finish().map_err(malformed)?;
        if note.len() > 16 {
            return Err(Rejected::OutOfRange);
        }
        match self.peers.iter().position(|peer| peer.id == id) {
            Some(at) if leaves => {
                self.peers.remove(at);
            }
            Some(at) => {
                if let Some(peer) = self.peers.get_mut(at) {
                    peer.reached = peer.reached.max(reached);
                }
            }
            None => self.peers.push(Peer { id, reached }).map_err(|_| Rejected::Full)?,
        }
        self.deadline = self.deadline.after(self.rng.range(150_000, 300_000));
        let _ = self.tickets.issue();
        Ok(())
    }

    fn answer(&self, port: &mut Port) {
        let mut frame = [0; 64];
        let mut out = Writer::new(&mut frame);
        let reached = self.peers.iter().map(|peer| (Votes::ONE, peer.reached));
        let quorums = Quorums::majority(u8::try_from(self.peers.len()).unwrap_or(u8::MAX));
        out.u64(quorums.reached(Phase::Two, 0, reached).unwrap_or(0));
        out.u64(self.deadline.as_micros());
        out.u64(self.tickets.last().get());
        out.bool(self.rejections.total() == 0);
        if let Ok(bytes) = out.finish() {
            port.write(bytes);
        }
    }
}
