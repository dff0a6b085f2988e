//! Every clock, as a node of eight would keep them: what others say is decoded, taken in, and the own encoded.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_clocks::{
    Actor, ClockSync, Dot, DotContext, Exchange, Guarantees, Hlc, HlcConfig, Inline, Lamport,
    Pruned, Reading, Run, Session, Siblings, Timestamp, VersionVector,
};
use quorate_core::{Drift, Instant, NodeId, Wire};

const ACTORS: usize = 8;

type Seen = VersionVector<Inline<ACTORS>>;
type Written = Siblings<Timestamp, Inline<ACTORS>, Inline<4>>;

program!(run, state = State, content = 0);

struct State {
    me: Actor,
    lamport: Lamport,
    hlc: Hlc,
    sync: ClockSync,
    seen: Seen,
    context: DotContext<Inline<ACTORS>>,
    pruned: Pruned<Inline<ACTORS>>,
    siblings: Written,
    session: Session<Inline<ACTORS>>,
}

fn run(port: &mut Port) {
    let mut frame = [0; 256];
    let mut state = State {
        me: Actor::new(NodeId::new(port.u64()), 1),
        lamport: Lamport::new(),
        hlc: Hlc::new(HlcConfig::radio()),
        sync: ClockSync::new(Drift::from_ppm(50).unwrap_or_default()),
        seen: Seen::new(),
        context: DotContext::new(),
        pruned: Pruned::new(),
        siblings: Siblings::new(),
        session: Session::new(Guarantees::ALL),
    };
    loop {
        let done = state.input(port, &mut frame).is_some();
        port.write(&[u8::from(done)]);
    }
}

impl State {
    /// What goes wrong is `None`, whatever it is.
    fn input(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        match port.u8() {
            0 => self.lamport(port),
            1 => self.physical(port),
            2 => self.seen(port, frame),
            3 => self.context(port, frame),
            4 => self.pruned(port, frame),
            5 => self.siblings(port, frame),
            6 => self.session(port, frame),
            _ => self.synchronise(port),
        }
    }

    #[inline(never)]
    fn lamport(&mut self, port: &mut Port) -> Option<()> {
        self.lamport.receive(port.u64()).ok()?;
        let time = self.lamport.tick().ok()?;
        port.write(&time.to_le_bytes());
        Some(())
    }

    #[inline(never)]
    fn physical(&mut self, port: &mut Port) -> Option<()> {
        let reading = self.sync.reading(Instant::from_micros(port.u64()));
        self.hlc.receive(reading, Timestamp::from_bits(port.u64())).ok()?;
        if let Some(ceiling) = self.hlc.ceiling_due(reading) {
            port.write(&ceiling.to_bits().to_le_bytes());
            self.hlc.ceiling_written(ceiling);
        }
        let stamp = self.hlc.stamp(Reading::unsynchronised(reading.now)).ok()?;
        port.write(&stamp.to_bits().to_le_bytes());
        Some(())
    }

    #[inline(never)]
    fn synchronise(&mut self, port: &mut Port) -> Option<()> {
        let exchange = Exchange {
            sent: Instant::from_micros(port.u64()),
            arrived_us: port.u64(),
            left_us: port.u64(),
            received: Instant::from_micros(port.u64()),
            server_error_us: port.u64(),
        };
        self.sync.exchange(exchange).ok()?;
        let time = self.sync.read(exchange.received)?;
        port.write(&time.earliest_us().to_le_bytes());
        let wait_us = time.commit_wait_us(port.u64());
        port.write(&wait_us.to_le_bytes());
        Some(())
    }

    #[inline(never)]
    fn seen(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        let theirs = Seen::from_slice(port.read(frame)).ok()?;
        port.write(&[self.seen.compare(&theirs) as u8]);
        self.seen.merge(&theirs).ok()?;
        self.seen.increment(self.me).ok()?;
        send(port, frame, &self.seen)
    }

    #[inline(never)]
    fn context(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        let theirs = DotContext::<Inline<ACTORS>>::from_slice(port.read(frame)).ok()?;
        self.context.merge(&theirs).ok()?;
        let actor = Actor::new(NodeId::new(port.u64()), 1);
        self.context.insert_run(Run::new(actor, port.u64(), port.u64())?).ok()?;
        let dot = Dot::new(actor, port.u64())?;
        port.write(&[u8::from(self.context.contains(dot))]);
        self.context.increment(self.me).ok()?;
        send(port, frame, &self.context)
    }

    #[inline(never)]
    fn pruned(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        let theirs = Pruned::<Inline<ACTORS>>::from_slice(port.read(frame)).ok()?;
        port.write(&[self.pruned.compare(&theirs).ok()? as u8]);
        self.pruned.merge(&theirs).ok()?;
        let gone = Dot::new(Actor::new(NodeId::new(port.u64()), 1), port.u64())?;
        self.pruned.retire(port.u64(), &[gone]).ok()?;
        send(port, frame, &self.pruned)
    }

    #[inline(never)]
    fn siblings(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        let theirs = Written::from_slice(port.read(frame)).ok()?;
        self.siblings.merge(&theirs).ok()?;
        let read = Seen::from_slice(port.read(frame)).ok()?;
        self.siblings.write(self.me, &read, Timestamp::from_bits(port.u64())).ok()?;
        self.siblings.delete(&read).ok()?;
        send(port, frame, &self.siblings)
    }

    #[inline(never)]
    fn session(&mut self, port: &mut Port, frame: &mut [u8]) -> Option<()> {
        self.session = Session::from_slice(port.read(frame)).ok()?;
        self.session.may_read(&self.seen).ok()?;
        self.session.record_read(&self.seen).ok()?;
        self.session.may_write(&self.seen).ok()?;
        self.session.record_write(self.seen.increment(self.me).ok()?).ok()?;
        send(port, frame, &self.session)
    }
}

fn send<'a>(port: &mut Port, frame: &mut [u8], value: &impl Wire<'a>) -> Option<()> {
    port.write(value.to_slice(frame).ok()?);
    Some(())
}
