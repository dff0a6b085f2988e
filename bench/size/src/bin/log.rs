//! A board's log of a protocol of one's own, whose entries have no tags: everything that such a protocol calls, in the order in
//! which the port asks for it.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};
use quorate_core::{DecodeError, InlineList, Reader, Writer};
use quorate_log::{ChunkBuffer, Header, Held, Incoming, Index, InlineLog, Log, MAX_HEADER_LEN};

const BYTES: usize = 4096;
const ENTRIES: usize = 128;
const CHUNK_BYTES: usize = 512;

program!(run, state = State, content = BYTES + 4 * ENTRIES + CHUNK_BYTES);

struct State {
    log: InlineLog<Plain, BYTES, ENTRIES>,
    chunk: ChunkBuffer<InlineList<u8, CHUNK_BYTES>, u64>,
    incoming: Incoming<u64>,
}

/// The length of the data, and whether it is a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Plain {
    is_command: bool,
    len: usize,
}

impl Header for Plain {
    type Tag = ();
    type Entry<'a> = (Index, &'a [u8]);
    const MAX_LEN: usize = 10;

    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let number = input.u64()?;
        let len = usize::try_from(number >> 1).map_err(|_| DecodeError::Truncated)?;
        let head = bytes.len().saturating_sub(input.rest().len());
        Ok((Self { is_command: number & 1 == 1, len }, head.saturating_add(len)))
    }

    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
        let mut bytes = [0; MAX_HEADER_LEN];
        let mut out = Writer::new(&mut bytes);
        out.u64((self.len as u64) << 1 | u64::from(self.is_command));
        let len = out.needed();
        (bytes, len)
    }

    fn tag(self) {}

    fn data_len(self) -> usize {
        self.len
    }

    fn is_command(self) -> bool {
        self.is_command
    }

    fn entry(self, index: Index, data: &[u8]) -> (Index, &[u8]) {
        (index, data)
    }
}

fn run(port: &mut Port) {
    let mut state = State {
        log: InlineLog::with_limit(BYTES),
        chunk: ChunkBuffer::with_limit(CHUNK_BYTES),
        incoming: Incoming::new(0),
    };
    let mut frame = [0; CHUNK_BYTES];
    loop {
        let ok = match port.u8() {
            0 => state.push(port, &mut frame),
            1 => state.log.append(port.read(&mut frame)) > 0,
            2 => state.send(port),
            3 => state.apply(port),
            4 => state.receive_chunk(port, &mut frame),
            5 => state.give_chunk(port),
            _ => state.shorten(port),
        };
        port.write(&[u8::from(ok)]);
    }
}

impl State {
    #[inline(never)]
    fn push(&mut self, port: &mut Port, frame: &mut [u8]) -> bool {
        let is_command = port.u8() == 1;
        let data = port.read(frame);
        let header = Plain { is_command, len: data.len() };
        self.log.fits(data.len(), 1) && self.log.push(header, data).is_ok()
    }

    #[inline(never)]
    fn send(&self, port: &mut Port) -> bool {
        let run = self.log.entries(port.u64(), port.u64(), CHUNK_BYTES);
        port.write(&run.first().to_le_bytes());
        port.write(run.bytes());
        !run.is_empty()
    }

    #[inline(never)]
    fn apply(&self, port: &mut Port) -> bool {
        let run = self.log.entries(port.u64(), Index::MAX, BYTES);
        for (index, data) in run.commands() {
            port.write(&index.to_le_bytes());
            port.write(data);
        }
        !run.is_empty()
    }

    #[inline(never)]
    fn receive_chunk(&mut self, port: &mut Port, frame: &mut [u8]) -> bool {
        let (snapshot, offset, done) = (port.u64(), port.u64(), port.u8() == 1);
        if self.incoming.snapshot() != snapshot {
            self.incoming = Incoming::new(snapshot);
        }
        let data = port.read(frame);
        let held = Held::Incoming { snapshot, offset, done };
        if !self.incoming.expects(offset, done) || !self.chunk.hold(data, held) {
            return false;
        }
        self.incoming.take(offset, data.len(), done);
        true
    }

    #[inline(never)]
    fn give_chunk(&mut self, port: &mut Port) -> bool {
        let Held::Incoming { offset, .. } = self.chunk.held() else { return false };
        port.write(&offset.to_le_bytes());
        port.write(self.chunk.bytes());
        self.chunk.release();
        true
    }

    #[inline(never)]
    fn shorten(&mut self, port: &mut Port) -> bool {
        let index = port.u64();
        match port.u8() {
            0 => self.log.truncate(index),
            1 => self.log.compact(index),
            _ => self.log.reset(index, ()),
        }
        port.write(&self.log.last().to_le_bytes());
        port.write(&self.log.bytes_between(self.log.compacted(), index).to_le_bytes());
        true
    }
}
