use quorate_core::{Corrupt, Machine, Rng, Wire};

use crate::conformance::emitted::{Taking, collect};
use crate::conformance::host::{checkpoint, restored};
use crate::conformance::net::{Moment, Plan, run};
use crate::conformance::observed::Observed;
use crate::conformance::specimen::Specimen;

/// One in so many moments is looked at.
const SAMPLED: u64 = 12;

pub(in crate::conformance) fn checkpoints<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(!seed);
    let mut restored = Vec::new();
    let mut probe = |moment: &Moment<'_, S>| {
        if rng.chance(1, SAMPLED) {
            restored.extend(restore_checkpoint(moment)?);
        }
        Ok(())
    };
    let plan = Plan { seed, swaps: true, ..Plan::default() };
    let tally = run::<S>(plan, Some(&mut probe))?.tally;
    let Some(first) = restored.first() else {
        return Err("no checkpoint was compared with the records that it stands for".to_owned());
    };
    if !S::RECORDS {
        return Ok(());
    }
    if restored.iter().all(|durable| durable == first) {
        return Err(format!("all checkpoints restore \"{first}\", whatever happened before"));
    }
    if tally.swaps == 0 {
        return Err("no checkpoint was written in place of a log".to_owned());
    }
    Ok(())
}

/// What the checkpoint restores, if the records could be restored as well.
fn restore_checkpoint<S: Specimen>(moment: &Moment<'_, S>) -> Result<Option<String>, String> {
    let host = moment.host;
    if host.machine.fatal().is_some() {
        return Ok(None); // it must be replaced, and its records are of no use
    }
    let records = checkpoint(&host.machine);
    let restore = |records: &[Vec<u8>]| restored::<S>(&mut host.app.clone(), records, 1);
    let machine =
        restore(&records).map_err(|error| format!("its own checkpoint is refused: {error}"))?;
    let again = checkpoint(&machine);
    if again != records {
        return Err(format!("the checkpoint {records:02x?} restores the checkpoint {again:02x?}"));
    }
    let Ok(from_log) = restore(&host.records) else { return Ok(None) }; // which `replay` reports
    let (of_log, of_checkpoint) = (S::durable(&from_log), S::durable(&machine));
    if of_log != of_checkpoint {
        return Err(format!(
            "its records restore \"{of_log}\", and its checkpoint restores \"{of_checkpoint}\""
        ));
    }
    Ok(Some(of_checkpoint))
}

pub(in crate::conformance) fn replay<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(!seed);
    let mut replayed = Replayed::default();
    let mut probe = |moment: &Moment<'_, S>| {
        let (durable, all) = (moment.host.durable, moment.host.records.len());
        // what is seldom written is looked at once at least
        let first = durable < all && replayed.without_suffix == 0;
        if !rng.chance(1, SAMPLED) && !first {
            replayed.late += u64::from(refuse_late_record(moment)?);
            return Ok(());
        }
        let between = durable + rng.below((all - durable) as u64 + 1) as usize;
        replayed.all += u64::from(all > 0);
        replayed.without_suffix += u64::from(durable < all);
        [durable, between, all].into_iter().try_for_each(|records| restart(moment, records))
    };
    let plan = Plan { seed, restarts: true, swaps: true, ..Plan::default() };
    run::<S>(plan, Some(&mut probe))?;
    let missing = match replayed {
        _ if !S::RECORDS => return Ok(()),
        Replayed { all: 0, .. } => "no record was replayed",
        Replayed { without_suffix: 0, .. } => "no replay was without a record that was written",
        Replayed { late: 0, .. } => "no record was tried after the start",
        _ => return Ok(()),
    };
    Err(missing.to_owned())
}

/// How often records were replayed: any, without a suffix, and after the start.
#[derive(Default)]
struct Replayed {
    all: u64,
    without_suffix: u64,
    late: u64,
}

/// Starts a copy with the first so many records.
fn restart<S: Specimen>(moment: &Moment<'_, S>, records: usize) -> Result<(), String> {
    let host = moment.host;
    let replayed = host.records.get(..records).unwrap_or_default();
    let what = format!("with {records} of {} records", host.records.len());
    let mut machine = restored::<S>(&mut host.app.clone(), replayed, 1)
        .map_err(|error| format!("{what}, {} of them acknowledged: {error}", host.durable))?;
    machine.tick(moment.now);
    collect::<S>(&mut machine, Taking::default(), |_| ())?;
    match machine.fatal() {
        Some(fatal) if host.machine.fatal().is_none() => {
            Err(format!("{what} it stops itself: {fatal}"))
        }
        _ => Ok(()),
    }
}

/// Whether there was a record to refuse.
fn refuse_late_record<S: Specimen>(moment: &Moment<'_, S>) -> Result<bool, String> {
    let host = moment.host;
    let Some(bytes) = host.records.last() else { return Ok(false) };
    let Ok(record) = <S::Machine as Machine>::Record::from_slice(bytes) else { return Ok(false) };
    let mut machine = host.machine.clone();
    let result = machine.restore(record);
    if result != Err(Corrupt::Started) {
        return Err(format!(
            "a record after the start gives {result:?}, not {:?}",
            Corrupt::Started
        ));
    }
    let before = Observed::<S>::of(&host.machine, moment)?;
    let after = Observed::<S>::of(&machine, moment)?;
    match before.difference(&after, None) {
        Some(difference) => Err(format!("it refused a record after the start, and {difference}")),
        None => Ok(true),
    }
}
