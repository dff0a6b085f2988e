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
    let lines = run::<S>(Plan { seed, taking, ..Plan::default() }, None)?;
    let mut rng = Rng::new(seed);
    for line in &lines {
        let (kind, bytes) = match &line.emitted {
            Emitted::Send(_, bytes) => (Kind::Message, bytes),
            Emitted::Persist(_, bytes) => (Kind::Record, bytes),
            Emitted::Event(_) => continue,
        };
        kind.check::<S>(bytes)?;
        for _ in 0..DAMAGED {
            kind.check::<S>(&damage(bytes, &mut rng))?;
        }
    }
    for _ in 0..RANDOM {
        let bytes = random_bytes(&mut rng);
        Kind::Message.check::<S>(&bytes)?;
        Kind::Record.check::<S>(&bytes)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Message,
    Record,
}

impl Kind {
    fn check<S: Specimen>(self, bytes: &[u8]) -> Result<(), String> {
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
) -> Result<(), String> {
    let Ok(value) = decode(bytes) else { return Ok(()) };
    let encoded = value.to_vec();
    if encoded == bytes {
        return Ok(());
    }
    Err(format!("{bytes:02x?} decodes as the {kind} {value:?}, which encodes as {encoded:02x?}"))
}
