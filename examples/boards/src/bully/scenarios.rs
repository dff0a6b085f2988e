use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::bully::{FAR, Group};
use crate::noise::Noise;
use crate::{Failure, Reply, Scenario, TestBench};

/// The scenarios.
pub(crate) const ALL: &[Scenario] = &[
    board("elect", "three boards start at once; the highest leads", elect),
    board("kill", "the leader dies and is missed; it comes back and takes over", kill),
    board("last", "all but the lowest die; then they come back, one by one", last),
    board("cut", "the leader is cut off: two lead, in two epochs; healed, one", cut),
    board("one-way", "the leader hears but is not heard, then is heard but does not hear", one_way),
    board("noise", "every wire flips, invents and loses bytes", noise),
    board("frames", "truncated, replayed and foreign frames", frames),
    board(
        "power-cut",
        "all boards lose power at once: epochs go on from what is in flash",
        power_cut,
    ),
    board(
        "flash-fail",
        "the next leader cannot write its epoch: it stops and says so, another leads",
        flash_fail,
    ),
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut TestBench) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

fn elect(bench: &mut TestBench) -> Result<String, Failure> {
    let begin = Instant::now();
    let mut group = Group::start(bench)?;
    let took = begin.elapsed();
    let (epoch, _) = group.wait_for_leader(&[1, 2, 3])?;
    let counts = group.bench().counts();
    Ok(format!(
        "node 3 leads in epoch {epoch}, {} after power-on; {} frames, {} bytes",
        ms(took),
        counts.frames,
        counts.bytes
    ))
}

fn kill(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let mut told = Vec::new();
    let mut highest = 0;
    for _ in 0..3 {
        // the detector learns the leader's rhythm
        thread::sleep(Duration::from_secs(2));
        group.bench().kill(3);
        let (_, missed) = group.wait_for_leader(&[1, 2])?;
        // they detected it by themselves
        if group.sum("suspected")? == 0 {
            return Err(Failure::unexpected("the leader was replaced, and nobody suspected it"));
        }
        group.bench().start(3)?;
        let (epoch, back) = group.wait_for_leader(&[1, 2, 3])?;
        if epoch <= highest {
            return Err(Failure::Unexpected(format!("node 3 leads in epoch {epoch} once more")));
        }
        highest = epoch;
        told.push(format!("{} / {}", ms(missed), ms(back)));
    }
    Ok(format!("missed and replaced / leader again after {}", told.join(", ")))
}

fn last(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    group.bench().kill(3);
    group.bench().kill(2);
    let (_, alone) = group.wait_for_leader(&[1])?;
    group.bench().start(2)?;
    let (_, second) = group.wait_for_leader(&[1, 2])?;
    group.bench().start(3)?;
    let (_, third) = group.wait_for_leader(&[1, 2, 3])?;
    Ok(format!("1 leads alone after {}, 2 after {}, 3 after {}", ms(alone), ms(second), ms(third)))
}

fn cut(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let (before, _) = group.wait_for_leader(&[1, 2, 3])?;
    for other in [1, 2] {
        group.bench().cut(3, other, true)?;
    }
    let (epoch, took) = group.wait_for_leader(&[1, 2])?;
    // as the paper has it: who is cut off goes on, and the epoch tells which of the two is past
    let old = group.wait("node 3 answers", |group| group.status(3))?;
    if old.get("role") == Some("leader") && old.number("epoch")? >= epoch {
        return Err(Failure::Unexpected(format!("2 leads in epoch {epoch}, and 3 is: `{old}`")));
    }
    for other in [1, 2] {
        group.bench().cut(3, other, false)?;
    }
    let (after, healed) = group.wait_for_leader(&[1, 2, 3])?;
    if !(before < epoch && epoch < after) {
        return Err(Failure::Violation(format!("epochs {before}, {epoch}, {after} do not grow")));
    }
    Ok(format!(
        "epoch {before}, then {epoch} beside it after {}; healed, {after} after {}",
        ms(took),
        ms(healed)
    ))
}

fn one_way(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let mut told = Vec::new();
    for deaf in [false, true] {
        thread::sleep(Duration::from_secs(1));
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.bench().cut_direction(from, to, true)?;
        }
        if deaf {
            // it is heard, so it is followed: to the others nothing has happened
            thread::sleep(Duration::from_secs(2));
            group.wait_for_leader(&[1, 2, 3])?;
        } else {
            let (_, took) = group.wait_for_leader(&[1, 2])?;
            told.push(ms(took));
        }
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.bench().cut_direction(from, to, false)?;
        }
        let (_, healed) = group.wait_for_leader(&[1, 2, 3])?;
        told.push(ms(healed));
    }
    Ok(format!("mute: replaced and healed after {}; deaf: still followed", told.join(", ")))
}

/// How long wires are disturbed.
const DISTURBED: Duration = Duration::from_secs(5);

fn noise(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let before = (group.sum("badframes")?, group.sum("suspected")?);
    group.bench().disturb(Noise::LINE);
    poll_statuses(&mut group)?;
    group.bench().disturb(Noise::default());
    let (epoch, took) = group.wait_for_leader(&[1, 2, 3])?;
    let bad = group.sum("badframes")? - before.0;
    let suspected = group.sum("suspected")? - before.1;
    let done = group.bench().counts().noise;
    if bad == 0 {
        return Err(Failure::unexpected("no board counted a bad frame: was there any noise?"));
    }
    Ok(format!(
        "{} frames damaged, {} lost, {bad} bad ones counted; {suspected} suspicions; at one in epoch {epoch} {} later",
        done.damaged(),
        done.lost,
        ms(took)
    ))
}

fn frames(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let before = (group.sum("badframes")?, group.sum("rejected")?);
    group.bench().disturb(Noise::FRAMES);
    poll_statuses(&mut group)?;
    group.bench().disturb(Noise::default());
    let (epoch, took) = group.wait_for_leader(&[1, 2, 3])?;
    let bad = group.sum("badframes")? - before.0;
    let rejected = group.sum("rejected")? - before.1;
    let done = group.bench().counts().noise;
    if u64::try_from(epoch).is_ok_and(|epoch| epoch >= FAR) {
        return Err(Failure::Unexpected(format!(
            "a foreign frame brought the boards to epoch {epoch}"
        )));
    }
    if bad == 0 || rejected == 0 {
        return Err(Failure::Unexpected(format!(
            "{bad} bad frames and {rejected} refused messages were counted, of {done:?}"
        )));
    }
    Ok(format!(
        "{} replayed, {} foreign, {} truncated; {bad} bad frames counted, {rejected} messages refused; at one in epoch {epoch} {} later",
        done.replays,
        done.foreign_frames,
        done.truncated,
        ms(took)
    ))
}

/// Polls the status of all boards while the wires are disturbed: each status is checked.
fn poll_statuses(group: &mut Group<'_>) -> Result<(), Failure> {
    let begin = Instant::now();
    while begin.elapsed() < DISTURBED {
        for id in group.bench().ids() {
            group.status(id)?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn power_cut(bench: &mut TestBench) -> Result<String, Failure> {
    const TIMES: usize = 4;
    let mut group = Group::start(bench)?;
    let (mut last, _) = group.wait_for_leader(&[1, 2, 3])?;
    let mut epochs = vec![last.to_string()];
    for _ in 0..TIMES {
        for id in [1, 2, 3] {
            group.bench().kill(id);
        }
        for id in [1, 2, 3] {
            group.bench().start(id)?;
        }
        let (epoch, _) = group.wait_for_leader(&[1, 2, 3])?;
        if epoch <= last {
            return Err(Failure::Violation(format!(
                "epoch {epoch} after {last}, over a power cut"
            )));
        }
        last = epoch;
        epochs.push(epoch.to_string());
    }
    Ok(format!("{TIMES} times; epochs {}", epochs.join(", ")))
}

fn flash_fail(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let (_, place) = group.bench().journal().since(0);
    let reply = group.bench().console(2)?.request("flash fail", STOPS);
    if !matches!(reply, Ok(Reply::Ok(_))) {
        return Err(Failure::Unexpected(format!("`flash fail` says: {reply:?}")));
    }
    // now it is 2's turn, but it cannot write its epoch down
    group.bench().kill(3);
    group.wait("2 says that it stopped", |group| {
        Ok(group.bench().journal().contains(2, "# stopped:", place).then_some(()))
    })?;
    let (epoch, took) = group.wait_for_leader(&[1])?;
    group.bench().start(3)?;
    group.wait_for_leader(&[1, 3])?;
    group.bench().kill(2);
    group.bench().start(2)?;
    group.wait_for_leader(&[1, 2, 3])?;
    Ok(format!("2 stops, 1 leads in epoch {epoch} {} later; all are back", ms(took)))
}

/// A console may take so long.
const STOPS: Duration = Duration::from_secs(5);

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
