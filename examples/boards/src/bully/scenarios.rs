use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::bully::{FAR, Group};
use crate::noise::Noise;
use crate::{Failure, Reply, Rig, Scenario};

/// What is tried.
pub(crate) const ALL: &[Scenario] = &[
    board("elect", "three boards start at once; the highest leads", elect),
    board("kill", "the leader dies and is missed; it comes back and takes over", kill),
    board("last", "all but the lowest die; then they come back, one by one", last),
    board("cut", "the leader is cut off: two lead, in two epochs; healed, one", cut),
    board("one-way", "the leader hears but is not heard, then is heard but does not hear", one_way),
    board("noise", "every wire flips, invents and loses bytes", noise),
    board("frames", "truncated, replayed and strangers' frames", frames),
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
    run: fn(&mut Rig) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

fn elect(rig: &mut Rig) -> Result<String, Failure> {
    let begin = Instant::now();
    let mut group = Group::start(rig)?;
    let took = begin.elapsed();
    let (epoch, _) = group.settle(&[1, 2, 3])?;
    let counts = group.rig().counts();
    Ok(format!(
        "node 3 leads in epoch {epoch}, {} after power-on; {} frames, {} bytes",
        ms(took),
        counts.frames,
        counts.bytes
    ))
}

fn kill(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let mut told = Vec::new();
    let mut highest = 0;
    for _ in 0..3 {
        // the detector learns the leader's rhythm
        thread::sleep(Duration::from_secs(2));
        group.rig().kill(3);
        let (_, missed) = group.settle(&[1, 2])?;
        // nobody told them
        if group.sum("suspected")? == 0 {
            return Err(Failure::wrong("the leader was replaced, and nobody suspected it"));
        }
        group.rig().start(3)?;
        let (epoch, back) = group.settle(&[1, 2, 3])?;
        if epoch <= highest {
            return Err(Failure::Wrong(format!("node 3 leads in epoch {epoch} once more")));
        }
        highest = epoch;
        told.push(format!("{} / {}", ms(missed), ms(back)));
    }
    Ok(format!("missed and replaced / back in office after {}", told.join(", ")))
}

fn last(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    group.rig().kill(3);
    group.rig().kill(2);
    let (_, alone) = group.settle(&[1])?;
    group.rig().start(2)?;
    let (_, second) = group.settle(&[1, 2])?;
    group.rig().start(3)?;
    let (_, third) = group.settle(&[1, 2, 3])?;
    Ok(format!("1 leads alone after {}, 2 after {}, 3 after {}", ms(alone), ms(second), ms(third)))
}

fn cut(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let (before, _) = group.settle(&[1, 2, 3])?;
    for other in [1, 2] {
        group.rig().cut(3, other, true)?;
    }
    let (epoch, took) = group.settle(&[1, 2])?;
    // as the paper has it: who is cut off goes on, and the epoch tells which of the two is past
    let old = group.wait("node 3 answers", |group| group.status(3))?;
    if old.get("role") == Some("leader") && old.number("epoch")? >= epoch {
        return Err(Failure::Wrong(format!("2 leads in epoch {epoch}, and 3 is: `{old}`")));
    }
    for other in [1, 2] {
        group.rig().cut(3, other, false)?;
    }
    let (after, healed) = group.settle(&[1, 2, 3])?;
    if !(before < epoch && epoch < after) {
        return Err(Failure::Broken(format!("epochs {before}, {epoch}, {after} do not grow")));
    }
    Ok(format!(
        "epoch {before}, then {epoch} beside it after {}; healed, {after} after {}",
        ms(took),
        ms(healed)
    ))
}

fn one_way(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let mut told = Vec::new();
    for deaf in [false, true] {
        thread::sleep(Duration::from_secs(1));
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.rig().cut_lane(from, to, true)?;
        }
        if deaf {
            // it is heard, so it is followed: to the others nothing has happened
            thread::sleep(Duration::from_secs(2));
            group.settle(&[1, 2, 3])?;
        } else {
            let (_, took) = group.settle(&[1, 2])?;
            told.push(ms(took));
        }
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.rig().cut_lane(from, to, false)?;
        }
        let (_, healed) = group.settle(&[1, 2, 3])?;
        told.push(ms(healed));
    }
    Ok(format!("mute: replaced and healed after {}; deaf: still followed", told.join(", ")))
}

/// How long wires are disturbed.
const DISTURBED: Duration = Duration::from_secs(5);

fn noise(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let before = (group.sum("badframes")?, group.sum("suspected")?);
    group.rig().disturb(Noise::LINE);
    watch(&mut group)?;
    group.rig().disturb(Noise::default());
    let (epoch, took) = group.settle(&[1, 2, 3])?;
    let bad = group.sum("badframes")? - before.0;
    let suspected = group.sum("suspected")? - before.1;
    let done = group.rig().counts().noise;
    if bad == 0 {
        return Err(Failure::wrong("no board counted a bad frame: was there any noise?"));
    }
    Ok(format!(
        "{} frames damaged, {} lost, {bad} bad ones counted; {suspected} suspicions; at one in epoch {epoch} {} later",
        done.damaged(),
        done.lost,
        ms(took)
    ))
}

fn frames(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let before = (group.sum("badframes")?, group.sum("rejected")?);
    group.rig().disturb(Noise::FRAMES);
    watch(&mut group)?;
    group.rig().disturb(Noise::default());
    let (epoch, took) = group.settle(&[1, 2, 3])?;
    let bad = group.sum("badframes")? - before.0;
    let rejected = group.sum("rejected")? - before.1;
    let done = group.rig().counts().noise;
    if u64::try_from(epoch).is_ok_and(|epoch| epoch >= FAR) {
        return Err(Failure::Wrong(format!("a stranger brought the boards to epoch {epoch}")));
    }
    if bad == 0 || rejected == 0 {
        return Err(Failure::Wrong(format!(
            "{bad} bad frames and {rejected} refused messages were counted, of {done:?}"
        )));
    }
    Ok(format!(
        "{} replayed, {} from strangers, {} truncated; {bad} bad frames counted, {rejected} messages refused; at one in epoch {epoch} {} later",
        done.replays,
        done.strangers,
        done.truncated,
        ms(took)
    ))
}

/// Looks at all boards while the wires are disturbed: what must not be is found by looking.
fn watch(group: &mut Group<'_>) -> Result<(), Failure> {
    let begin = Instant::now();
    while begin.elapsed() < DISTURBED {
        for id in group.rig().ids() {
            group.status(id)?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn power_cut(rig: &mut Rig) -> Result<String, Failure> {
    const TIMES: usize = 4;
    let mut group = Group::start(rig)?;
    let (mut last, _) = group.settle(&[1, 2, 3])?;
    let mut epochs = vec![last.to_string()];
    for _ in 0..TIMES {
        for id in [1, 2, 3] {
            group.rig().kill(id);
        }
        for id in [1, 2, 3] {
            group.rig().start(id)?;
        }
        let (epoch, _) = group.settle(&[1, 2, 3])?;
        if epoch <= last {
            return Err(Failure::Broken(format!("epoch {epoch} after {last}, over a power cut")));
        }
        last = epoch;
        epochs.push(epoch.to_string());
    }
    Ok(format!("{TIMES} times; epochs {}", epochs.join(", ")))
}

fn flash_fail(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let (_, place) = group.rig().journal().since(0);
    let reply = group.rig().console(2)?.ask("flash fail", STOPS);
    if !matches!(reply, Ok(Reply::Ok(_))) {
        return Err(Failure::Wrong(format!("`flash fail` says: {reply:?}")));
    }
    // now it is 2's turn, but it cannot write its epoch down
    group.rig().kill(3);
    group.wait("2 says that it stopped", |group| {
        Ok(group.rig().journal().heard(2, "# stopped:", place).then_some(()))
    })?;
    let (epoch, took) = group.settle(&[1])?;
    group.rig().start(3)?;
    group.settle(&[1, 3])?;
    group.rig().kill(2);
    group.rig().start(2)?;
    group.settle(&[1, 2, 3])?;
    Ok(format!("2 stops, 1 leads in epoch {epoch} {} later; all are back", ms(took)))
}

/// A console may take so long.
const STOPS: Duration = Duration::from_secs(5);

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
