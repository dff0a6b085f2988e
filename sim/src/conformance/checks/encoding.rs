use quorate_core::{Machine, Rng, Wire};

use crate::conformance::damage::{damage, random_bytes};
use crate::conformance::emitted::{Emitted, Taking};
use crate::conformance::net::{Plan, run};
use crate::conformance::specimen::Specimen;

/// How many damaged forms are made of each message and record, and how many forms out of nothing.
const DAMAGED: usize = 4;
const RANDOM: usize = 2_000;

pub(in crate::conformance) fn encoding<S: Specimen>(seed: u64) -> Result<(), String> {
    let taking = Taking { read_back: true, ..Taking::default() };
    let lines = run::<S>(Plan { seed, taking, ..Plan::default() }, None)?.lines;
    let mut rng = Rng::new(seed);
    let (mut messages, mut records) = (Decoded::default(), Decoded::default());
    for line in &lines {
        let (kind, bytes, decoded) = match &line.emitted {
            Emitted::Send(_, bytes) => (Kind::Message, bytes, &mut messages),
            Emitted::Persist(_, bytes) => (Kind::Record, bytes, &mut records),
            Emitted::Event(_) => continue,
        };
        decoded.whole += u64::from(kind.check::<S>(bytes)?);
        for _ in 0..DAMAGED {
            let damaged = damage(bytes, &mut rng);
            decoded.damaged += u64::from(kind.check::<S>(&damaged)? && damaged != *bytes);
        }
    }
    for _ in 0..RANDOM {
        let bytes = random_bytes(&mut rng);
        Kind::Message.check::<S>(&bytes)?;
        Kind::Record.check::<S>(&bytes)?;
    }
    messages.demand("message")?;
    if S::RECORDS { records.demand("record") } else { Ok(()) }
}

/// How many messages or records decoded: as they were made, and with faults.
#[derive(Default)]
struct Decoded {
    whole: u64,
    damaged: u64,
}

impl Decoded {
    fn demand(&self, kind: &str) -> Result<(), String> {
        match *self {
            Self { whole: 0, .. } => Err(format!("it made no {kind} that decodes")),
            Self { damaged: 0, .. } => Err(format!("no {kind} with a fault decodes")),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Message,
    Record,
}

impl Kind {
    /// Whether the bytes decode.
    fn check<S: Specimen>(self, bytes: &[u8]) -> Result<bool, String> {
        match self {
            Self::Message => same("message", bytes, <S::Machine as Machine>::Message::from_slice),
            Self::Record => same("record", bytes, <S::Machine as Machine>::Record::from_slice),
        }
    }
}

/// Bytes that decode are what their value encodes to.
fn same<'a, T: Wire<'a> + core::fmt::Debug, E>(
    kind: &str,
    bytes: &'a [u8],
    decode: impl FnOnce(&'a [u8]) -> Result<T, E>,
) -> Result<bool, String> {
    let Ok(value) = decode(bytes) else { return Ok(false) };
    let encoded = value.to_vec();
    if encoded == bytes {
        return Ok(true);
    }
    Err(format!("{bytes:02x?} decodes as the {kind} {value:?}, which encodes as {encoded:02x?}"))
}
