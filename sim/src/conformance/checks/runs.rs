use quorate_core::{Instant, Machine, Rng};

use crate::conformance::emitted::{Emitted, Taking, collect};
use crate::conformance::host::checkpoint;
use crate::conformance::net::{Line, Moment, Plan, Tally, run};
use crate::conformance::specimen::Specimen;

/// How long after a tick a machine without a deadline is ticked again.
const LONG_US: u64 = 3_600_000_000;

pub(in crate::conformance) fn determinism<S: Specimen>(seed: u64) -> Result<(), String> {
    let plan = Plan { seed, ..Plan::default() };
    let first = run::<S>(plan, None)?.lines;
    demand_outputs::<S>(&first)?;
    compare(&first, &run::<S>(plan, None)?.lines, "the same inputs again")?;
    let taking = Taking { drain: true, ..Taking::default() };
    compare(&first, &run::<S>(Plan { taking, ..plan }, None)?.lines, "drain in place of poll")
}

pub(in crate::conformance) fn spurious_inputs<S: Specimen>(seed: u64) -> Result<(), String> {
    let plan = Plan { seed, ..Plan::default() };
    let first = run::<S>(plan, None)?.lines;
    demand_outputs::<S>(&first)?;
    let more = run::<S>(Plan { spurious: true, ..plan }, None)?;
    compare(&first, &more.lines, "spurious ticks, old tickets and unissued ones")?;
    match more.tally {
        Tally { spurious_ticks: 0, .. } => Err("it was ticked only when that was due".to_owned()),
        Tally { old_tickets: 0, .. } if S::RECORDS => {
            Err("no ticket was returned twice".to_owned())
        }
        Tally { unissued_tickets: 0, .. } if S::RECORDS => {
            Err("no unissued ticket came while a record was written".to_owned())
        }
        _ => Ok(()),
    }
}

/// Without outputs there is nothing to compare.
fn demand_outputs<S: Specimen>(lines: &[Line]) -> Result<(), String> {
    let any = |wanted: fn(&Emitted) -> bool| lines.iter().any(|line| wanted(&line.emitted));
    if !any(|emitted| matches!(emitted, Emitted::Send(..))) {
        return Err("it sent no message".to_owned());
    }
    if S::RECORDS && !any(|emitted| matches!(emitted, Emitted::Persist(..))) {
        return Err("it wrote no record".to_owned());
    }
    Ok(())
}

/// The runs have the same outputs.
fn compare(first: &[Line], second: &[Line], with: &str) -> Result<(), String> {
    let pairs = first.iter().zip(second);
    let at = pairs.take_while(|(first, second)| first == second).count();
    match (first.get(at), second.get(at)) {
        (None, None) => Ok(()),
        (without, other) => {
            Err(format!("output {at} is {}, and with {with} {}", name(without), name(other)))
        }
    }
}

fn name(line: Option<&Line>) -> String {
    line.map_or_else(
        || "missing".to_owned(),
        |line| format!("{:02x?} of node {} at {} µs", line.emitted, line.node + 1, line.at),
    )
}

pub(in crate::conformance) fn deadlines<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(!seed);
    let mut waited = 0_u64;
    let mut probe = |moment: &Moment<'_, S>| {
        waited += u64::from(moment.host.machine.deadline().is_some());
        tick_early(moment, &mut rng)
    };
    run::<S>(Plan { seed, ..Plan::default() }, Some(&mut probe))?;
    if waited == 0 {
        return Err("it never had a deadline".to_owned());
    }
    Ok(())
}

fn tick_early<S: Specimen>(moment: &Moment<'_, S>, rng: &mut Rng) -> Result<(), String> {
    let now = moment.now;
    let Some(deadline) = moment.host.machine.deadline() else {
        return tick_at(moment, now.after(LONG_US));
    };
    let wait = deadline.since(now);
    if wait == 0 {
        return Err(format!(
            "it was ticked at {} µs and has nothing to do, and its deadline is {} µs: a driver \
             would tick it without end",
            now.as_micros(),
            deadline.as_micros()
        ));
    }
    tick_at(moment, now.after(rng.below(wait)))?;
    tick_at(moment, now.after(wait - 1))
}

/// A tick at this time, before the deadline, changes nothing.
fn tick_at<S: Specimen>(moment: &Moment<'_, S>, at: Instant) -> Result<(), String> {
    let before = &moment.host.machine;
    let mut machine = before.clone();
    machine.tick(at);
    let what = if let Some(output) = collect::<S>(&mut machine, Taking::default(), |_| ())?.first()
    {
        format!("it emits {output:02x?}")
    } else if machine.deadline() != before.deadline() {
        format!("its deadline is {:?} after that", machine.deadline())
    } else if machine.status() != before.status() {
        format!("its status changes from {:?} to {:?}", before.status(), machine.status())
    } else if checkpoint(&machine) != checkpoint(before) {
        "its checkpoint changes".to_owned()
    } else {
        return Ok(());
    };
    Err(format!(
        "ticked at {} µs, before its deadline {:?}: {what}",
        at.as_micros(),
        before.deadline()
    ))
}
