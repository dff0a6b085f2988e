use quorate_core::{Machine, Wire};

use crate::conformance::emitted::Emitted;
use crate::conformance::net::{Moment, Plan, run};
use crate::conformance::specimen::Specimen;

pub(in crate::conformance) fn memory<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut most_used = 0;
    let mut probe = |moment: &Moment<'_, S>| {
        for (what, used, bound) in S::memory(&moment.host.machine) {
            most_used = used.max(most_used);
            if used > bound {
                return Err(format!("{what}: {used}, and at most {bound} are documented"));
            }
        }
        Ok(())
    };
    run::<S>(Plan { seed, ..Plan::default() }, Some(&mut probe))?;
    if most_used == 0 {
        return Err("it uses nothing that has a documented bound".to_owned());
    }
    Ok(())
}

pub(in crate::conformance) fn sizes<S: Specimen>(seed: u64) -> Result<(), String> {
    let app = S::new(0);
    let machine = app.boot(seed);
    let message = Size {
        kind: "message",
        exists: true,
        most: S::max_message_len(&machine),
        longest: app.longest_message(),
    };
    let record = Size {
        kind: "record",
        exists: S::RECORDS,
        most: S::max_record_len(&machine),
        longest: app.longest_record(),
    };
    message.check::<S>(|bytes| <S::Machine as Machine>::Message::from_slice(bytes).is_ok())?;
    record.check::<S>(|bytes| <S::Machine as Machine>::Record::from_slice(bytes).is_ok())?;
    for line in run::<S>(Plan { seed, ..Plan::default() }, None)?.lines {
        let (Size { kind, most, .. }, len) = match &line.emitted {
            Emitted::Send(_, bytes) => (&message, bytes.len()),
            Emitted::Persist(_, bytes) => (&record, bytes.len()),
            Emitted::Event(_) => continue,
        };
        if most.is_some_and(|most| len > most) {
            return Err(format!("a {kind} takes {len} bytes, and max_{kind}_len is {most:?}"));
        }
    }
    Ok(())
}

/// How long the messages or records of a machine get, as it says, and the longest.
struct Size {
    kind: &'static str,
    /// There are any.
    exists: bool,
    most: Option<usize>,
    longest: Option<Vec<u8>>,
}

impl Size {
    /// The longest is one, and as long as the machine says.
    fn check<S: Specimen>(&self, decodes: impl FnOnce(&[u8]) -> bool) -> Result<(), String> {
        let Self { kind, most, .. } = self;
        match &self.longest {
            None if !self.exists => Ok(()),
            None if most.is_some() => Err(format!(
                "max_{kind}_len is {most:?}, and there is no longest_{kind} to show it"
            )),
            None if S::KNOWN_SIZES => {
                Err(format!("max_{kind}_len is None, and nothing says that it cannot be known"))
            }
            None => Ok(()),
            Some(bytes) if !decodes(bytes) => Err(format!("longest_{kind} does not decode")),
            Some(bytes) if Some(bytes.len()) == *most => Ok(()),
            Some(bytes) => Err(format!(
                "the longest {kind} takes {} bytes, and max_{kind}_len is {most:?}",
                bytes.len()
            )),
        }
    }
}
