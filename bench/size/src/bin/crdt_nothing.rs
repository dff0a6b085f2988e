//! The program of the single data types around a number: what it takes is no data type's.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program, state};
use quorate_core::{DecodeError, Reader, Wire, Writer};

program!(run, state = Nothing, content = 0);

/// The greatest number of all.
struct Nothing {
    most: u64,
}

impl<'a> Wire<'a> for Nothing {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.most);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { most: input.u64()? })
    }
}

fn run(port: &mut Port) {
    let mut most = Nothing { most: port.u64() };
    let merge = |most: &mut Nothing, other: &Nothing| {
        most.most = most.most.max(other.most);
        true
    };
    state::keep(&mut most, port, merge, |most, _, port| {
        most.most = most.most.max(port.u64());
        port.write(&most.most.to_le_bytes());
        true
    });
}
