use crate::failure::{Failure, Outcome};
use crate::scratch::Scratch;

use super::bug::Bug;
use super::cargo;

/// Looks whether each patch applies to the sources as they are, and whether they compile with it, without building anything.
///
/// A build for each patch takes twenty minutes, for an answer that is nearly always yes. Patches that apply on top of one another are
/// compiled together; only if that fails are they taken apart, by halves, until those that do not compile alone are found.
pub(super) fn run(bugs: &[Bug]) -> Outcome {
    let scratch = Scratch::new("bugs-check")?;
    scratch.reset()?;
    println!("looking whether {} bugs can be planted", bugs.len());
    let mut wrong = Vec::new();
    let mut left = Vec::new();
    for bug in bugs {
        match bug.fits(&scratch) {
            Ok(()) => left.push(bug),
            Err(failure) => wrong.push(stale(bug, &failure)),
        }
    }
    while !left.is_empty() {
        scratch.reset()?;
        let (planted, rest): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|bug| bug.plant(&scratch).is_ok());
        if planted.is_empty() {
            return Err(Failure::failed("patches apply when looked at, and not when planted"));
        }
        println!("compiling {} of them together, {} left", planted.len(), rest.len());
        compile(&scratch, &planted, &mut wrong)?;
        left = rest;
    }
    println!("{} of {} planted bugs are good", bugs.len() - wrong.len(), bugs.len());
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

/// Compiles a copy in which these bugs are planted; takes them apart if that fails.
fn compile(scratch: &Scratch, planted: &[&Bug], wrong: &mut Vec<String>) -> Outcome {
    let Err(failure) = cargo("check", scratch).read() else { return Ok(()) };
    if let [bug] = planted {
        wrong.push(stale(bug, &failure));
        return Ok(());
    }
    let (first, second) = planted.split_at(planted.len() / 2);
    for half in [first, second] {
        scratch.reset()?;
        for bug in half {
            bug.plant(scratch)?;
        }
        compile(scratch, half, wrong)?;
    }
    Ok(())
}

fn stale(bug: &Bug, failure: &Failure) -> String {
    println!("{:<34} is stale", bug.name);
    format!("{}: {failure}", bug.name)
}
