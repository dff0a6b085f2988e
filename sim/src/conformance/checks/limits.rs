use quorate_core::{Machine, Wire};

use crate::conformance::emitted::Emitted;
use crate::conformance::net::{Moment, Plan, run};
use crate::conformance::specimen::Specimen;

pub(in crate::conformance) fn memory<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut probe = |moment: &Moment<'_, S>| {
        for (what, used, bound) in S::memory(&moment.host.machine) {
            if used > bound {
                return Err(format!("{what}: {used}, and at most {bound} are documented"));
            }
        }
        Ok(())
    };
    run::<S>(Plan { seed, ..Plan::default() }, Some(&mut probe)).map(drop)
}

pub(in crate::conformance) fn sizes<S: Specimen>(seed: u64) -> Result<(), String> {
    let app = S::new(0);
    let machine = app.boot(seed);
    let (message, record) = (machine.max_message_len(), machine.max_record_len());
    let longest = app.longest_message();
    let decodes = |bytes: &[u8]| <S::Machine as Machine>::Message::from_slice(bytes).is_ok();
    is_reached("message", message, longest.as_deref(), decodes)?;
    let longest = app.longest_record();
    let decodes = |bytes: &[u8]| <S::Machine as Machine>::Record::from_slice(bytes).is_ok();
    is_reached("record", record, longest.as_deref(), decodes)?;
    for line in run::<S>(Plan { seed, ..Plan::default() }, None)? {
        let (kind, len, most) = match &line.emitted {
            Emitted::Send(_, bytes) => ("message", bytes.len(), message),
            Emitted::Persist(_, bytes) => ("record", bytes.len(), record),
            Emitted::Event(_) => continue,
        };
        if most.is_some_and(|most| len > most) {
            return Err(format!("a {kind} takes {len} bytes, and max_{kind}_len is {most:?}"));
        }
    }
    Ok(())
}

/// The longest message or record is one, and as long as the machine says.
fn is_reached(
    kind: &str,
    most: Option<usize>,
    longest: Option<&[u8]>,
    decodes: impl FnOnce(&[u8]) -> bool,
) -> Result<(), String> {
    match longest {
        None if most.is_none() => Ok(()),
        None => {
            Err(format!("max_{kind}_len is {most:?}, and there is no longest_{kind} to show it"))
        }
        Some(bytes) if !decodes(bytes) => Err(format!("longest_{kind} does not decode")),
        Some(bytes) if Some(bytes.len()) == most => Ok(()),
        Some(bytes) => Err(format!(
            "the longest {kind} takes {} bytes, and max_{kind}_len is {most:?}",
            bytes.len()
        )),
    }
}
